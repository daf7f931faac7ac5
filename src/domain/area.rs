//! Where: province > commune > village.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::ids::IdError;

/// A commune (`06862`) or a village of it (`06862/tan-truc-tung`).
///
/// The commune part is the five-digit code of the National Statistics Office; the village part is a
/// slug that the deployment chooses (`a-z 0-9 -`), because villages have no official codes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AreaId(Arc<str>);

impl AreaId {
    /// Checks the form; whether the commune exists is asked of the [`AreaBook`].
    ///
    /// # Errors
    /// When it is neither five digits nor five digits, a slash and a slug.
    pub fn parse(raw: &str) -> Result<Self, IdError> {
        let (commune, village) = raw
            .split_once('/')
            .map_or((raw, None), |(c, v)| (c, Some(v)));
        let commune_fits = commune.len() == 5 && commune.bytes().all(|b| b.is_ascii_digit());
        let village_fits = village.is_none_or(|v| {
            (1..=48).contains(&v.len())
                && v.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        });
        if commune_fits && village_fits {
            Ok(Self(raw.into()))
        } else {
            Err(IdError::new(
                raw,
                "an area: a five-digit commune code, or `06862/village-slug`",
            ))
        }
    }

    /// The whole id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The commune that this is, or that the village lies in.
    #[must_use]
    pub fn commune(&self) -> Self {
        Self(self.0.split('/').next().unwrap_or_default().into())
    }

    /// The village's slug, if this is a village.
    #[must_use]
    pub fn village(&self) -> Option<&str> {
        self.0.split_once('/').map(|(_, village)| village)
    }

    /// Whether `other` is this area or lies in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self == other || (self.village().is_none() && other.commune() == *self)
    }
}

impl fmt::Display for AreaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names of areas: the official communes and the villages that the deployment named.
#[derive(Debug, Clone, Default)]
pub struct AreaBook {
    names: BTreeMap<AreaId, String>,
    /// What villages are called beside their names.
    aliases: Vec<(AreaId, String)>,
}

impl AreaBook {
    /// Adds or renames an area.
    pub fn name(&mut self, id: AreaId, name: impl Into<String>) {
        self.names.insert(id, name.into());
    }

    /// Adds what a village is also called: the name before a merger, the one in another language.
    pub fn alias(&mut self, id: AreaId, alias: impl Into<String>) {
        self.aliases.push((id, alias.into()));
    }

    /// Whether the area has a name.
    #[must_use]
    pub fn knows(&self, id: &AreaId) -> bool {
        self.names.contains_key(id)
    }

    /// The name on the screen: `Phường Móng Cái 1`, `thôn Tân Trúc Tùng`. A village without a name is
    /// called by its slug; a commune that is not in the book by its code.
    #[must_use]
    pub fn title(&self, id: &AreaId) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| {
            id.village()
                .map_or_else(|| id.to_string(), |slug| slug.replace('-', " "))
        })
    }

    /// The named villages of a commune, in order of id.
    pub fn villages<'a>(
        &'a self,
        commune: &'a AreaId,
    ) -> impl Iterator<Item = (&'a AreaId, &'a str)> {
        self.names
            .iter()
            .filter(move |(id, _)| id.village().is_some() && commune.contains(id))
            .map(|(id, name)| (id, name.as_str()))
    }

    /// What people call the villages: every name and every alias.
    pub fn spoken(&self) -> impl Iterator<Item = (&AreaId, &str)> {
        self.names
            .iter()
            .filter(|(id, _)| id.village().is_some())
            .chain(self.aliases.iter().map(|(id, alias)| (id, alias)))
            .map(|(id, name)| (id, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commune_contains_its_villages_and_no_others() {
        let commune = AreaId::parse("06862").unwrap();
        let village = AreaId::parse("06862/tan-truc-tung").unwrap();
        let other = AreaId::parse("06863/tan-truc-tung").unwrap();
        assert!(commune.contains(&village) && commune.contains(&commune));
        assert!(!commune.contains(&other) && !village.contains(&commune));
        assert_eq!(village.commune(), commune);
        for raw in ["", "6862", "06862/", "06862/Tân", "06862/a/b", "abcde"] {
            assert!(AreaId::parse(raw).is_err(), "{raw}");
        }
    }
}
