//! Answers and updates as platforms write them, read without trust.
//!
//! An [`Object`] is taken apart only one level deep; each field is read when it is asked for, and one
//! that is not what it should be is absent and harms nothing beside it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// A string that is copied only if it holds escapes (serde borrows a bare `Option<Cow>` never).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(in crate::channel) struct Text<'a>(#[serde(borrow)] pub(in crate::channel) Cow<'a, str>);

impl Text<'_> {
    pub(in crate::channel) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An id as servers write it: a number, or a number in quotes; anything else stays text.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::channel) enum Id<'a> {
    Number(i64),
    Word(Cow<'a, str>),
}

impl Id<'_> {
    pub(in crate::channel) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Word(_) => None,
        }
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        fn word<'a, E: de::Error>(
            raw: &str,
            keep: impl FnOnce() -> Cow<'a, str>,
        ) -> Result<Id<'a>, E> {
            if raw.trim().is_empty() {
                return Err(E::custom("an empty id"));
            }
            Ok(raw
                .trim()
                .parse()
                .map_or_else(|_| Id::Word(keep()), Id::Number))
        }

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Id<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Id::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(number)
                    .map_or_else(|_| Id::Word(number.to_string().into()), Id::Number))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                word(&number.to_string(), || number.to_string().into())
                    .map_err(|_: de::value::Error| ())
                    .or_else(|()| Ok(Id::Word(number.to_string().into())))
            }

            fn visit_borrowed_str<E: de::Error>(self, raw: &'de str) -> Result<Self::Value, E> {
                word(raw, || raw.into())
            }

            fn visit_str<E: de::Error>(self, raw: &str) -> Result<Self::Value, E> {
                word(raw, || raw.to_owned().into())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// An object whose values are not looked into before they are asked for.
#[derive(Debug, Default)]
pub(in crate::channel) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push((key, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl<'a> Object<'a> {
    /// Reads an object; `None` if it is something else.
    pub(in crate::channel) fn read(raw: &'a str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// The names of the fields.
    pub(in crate::channel) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    /// The last field of this name; null counts as absent.
    pub(in crate::channel) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }

    /// Reads one field by serde; a field that does not fit counts as absent.
    pub(in crate::channel) fn field<T: Deserialize<'a>>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.raw(key)?.get()).ok()
    }

    /// A string; a number or truth value is taken as it is written.
    pub(in crate::channel) fn text(&self, key: &str) -> Option<Text<'a>> {
        let raw = self.raw(key)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok(),
            b'{' | b'[' => None,
            _ => Some(Text(raw.into())),
        }
    }

    /// An id: a number, or text.
    pub(in crate::channel) fn id(&self, key: &str) -> Option<Id<'a>> {
        self.field(key)
    }

    /// A whole number, also in quotes.
    pub(in crate::channel) fn whole(&self, key: &str) -> Option<i64> {
        self.id(key)?.number()
    }

    /// A number, also in quotes.
    pub(in crate::channel) fn number(&self, key: &str) -> Option<f64> {
        self.text(key)?.as_str().trim().parse().ok()
    }

    /// Yes or no, also as text or number.
    pub(in crate::channel) fn flag(&self, key: &str) -> Option<bool> {
        match self.text(key)?.as_str() {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    /// An object in a field.
    pub(in crate::channel) fn object(&self, key: &str) -> Option<Self> {
        Self::read(self.raw(key)?.get())
    }

    /// A list in a field; what is no list is a list of one.
    pub(in crate::channel) fn list(&self, key: &str) -> Vec<&'a RawValue> {
        let Some(raw) = self.raw(key) else {
            return Vec::new();
        };
        serde_json::from_str(raw.get()).unwrap_or_else(|_| vec![raw])
    }

    pub(in crate::channel) fn present(&self, key: &str) -> Option<IgnoredAny> {
        self.raw(key).map(|_| IgnoredAny)
    }
}
