//! The fields of bodies whose senders are careless of kinds. A field of another kind than usual is missing, not a reason to lose the rest.
//!
//! Ids keep their digits whatever their size: they are written as strings, as numbers beyond 2^53, and
//! in one sample as a number beyond 2^64.

use serde_json::value::RawValue;

use crate::channel::json;

/// A JSON object whose fields are still text.
#[derive(Debug, Clone, Default)]
pub(in crate::channel) struct Object<'a>(json::Object<'a>);

impl<'a> Object<'a> {
    /// `None` when the text is no JSON object.
    pub(in crate::channel) fn read(text: &'a str) -> Option<Self> {
        json::Object::read(text).map(Self)
    }

    /// A string with words in it.
    pub(in crate::channel) fn text(&self, key: &str) -> Option<String> {
        let text = string(self.0.raw(key)?.get())?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// An id: a string, or the digits of a number.
    pub(in crate::channel) fn id(&self, key: &str) -> Option<String> {
        id(self.0.raw(key)?)
    }

    /// A whole number, in quotes or not.
    pub(in crate::channel) fn number(&self, key: &str) -> Option<i64> {
        self.id(key)?.parse().ok()
    }

    /// A number with a fraction, in quotes or not.
    pub(in crate::channel) fn fraction(&self, key: &str) -> Option<f64> {
        let raw = self.0.raw(key)?.get();
        let text = string(raw).unwrap_or_else(|| raw.to_owned());
        text.trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// Yes or no, also as a number or in quotes.
    pub(in crate::channel) fn flag(&self, key: &str) -> bool {
        self.0.flag(key) == Some(true)
    }

    /// An object inside.
    pub(in crate::channel) fn object(&self, key: &str) -> Option<Object<'a>> {
        Object::read(self.0.raw(key)?.get())
    }

    /// The objects of a list; what is no object is passed over.
    pub(in crate::channel) fn objects(&self, key: &str) -> Option<Vec<Object<'a>>> {
        let list: Vec<&'a RawValue> = serde_json::from_str(self.0.raw(key)?.get()).ok()?;
        Some(
            list.into_iter()
                .filter_map(|one| Object::read(one.get()))
                .collect(),
        )
    }

    /// The strings of a list; what is no string is passed over.
    pub(in crate::channel) fn texts(&self, key: &str) -> Vec<String> {
        let list: Option<Vec<&'a RawValue>> = self
            .0
            .raw(key)
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        let list = list.unwrap_or_default().into_iter();
        list.filter_map(|one| string(one.get())).collect()
    }

    /// The value of a key, as it stands.
    pub(in crate::channel) fn raw(&self, key: &str) -> Option<Box<RawValue>> {
        self.0.raw(key).map(ToOwned::to_owned)
    }
}

fn id(raw: &RawValue) -> Option<String> {
    let raw = raw.get();
    if let Some(text) = string(raw) {
        let text = text.trim();
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| raw.to_owned())
}

/// A JSON string; half a letter in it (`"\ud83d"` alone) becomes a sign for it and loses nothing else.
fn string(raw: &str) -> Option<String> {
    if let Ok(text) = serde_json::from_str(raw) {
        return Some(text);
    }
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let mut units: Vec<u16> = Vec::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' | 'f' => ' ',
                'u' => {
                    // Two halves are one letter again when all is put together; one alone is U+FFFD.
                    let hex: String = letters.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&hex, 16).ok()?);
                    continue;
                }
                other => other,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Object<'_> {
        Object::read(text).expect("an object")
    }

    #[test]
    fn ids_keep_their_digits() {
        let ids = r#"{"a":"186729651760683225","b":8756287263669629130,"c":123456789012345678901234567890,
            "d":1.5,"e":"","f":null,"g":" 7 ","h":{}}"#;
        let ids = read(ids);
        assert_eq!(ids.id("a").as_deref(), Some("186729651760683225"));
        assert_eq!(ids.id("b").as_deref(), Some("8756287263669629130"));
        assert_eq!(
            ids.id("c").as_deref(),
            Some("123456789012345678901234567890")
        );
        assert_eq!(ids.id("g").as_deref(), Some("7"));
        for key in ["d", "e", "f", "h", "i"] {
            assert_eq!(ids.id(key), None, "{key}");
        }
        assert_eq!(ids.number("g"), Some(7));
    }

    #[test]
    fn half_a_letter_costs_only_itself() {
        let text = |raw: &str| read(&format!("{{\"t\":{raw}}}")).text("t");
        assert_eq!(
            text(r#""tr\u1ed9m \ud83d\ude00""#).as_deref(),
            Some("trộm 😀")
        );
        assert_eq!(
            text(r#""trộm \ud83d xe\n\"A\"""#).as_deref(),
            Some("trộm \u{fffd} xe\n\"A\"")
        );
        assert_eq!(
            text(r#""\ude00\ud83d""#).as_deref(),
            Some("\u{fffd}\u{fffd}")
        );
        assert_eq!(text("7"), None);
        assert_eq!(text(r#""  ""#), None);
    }
}
