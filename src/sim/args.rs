//! The parameters of one call, however they were sent: JSON body, web form,
//! query string or multipart.

use axum::body::Bytes;
use serde_json::{Map, Value};

/// A file that the bot sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The name it was sent under.
    pub name: String,
    /// What it holds.
    pub content: Bytes,
}

/// Parameters by name.
#[derive(Debug, Default, Clone)]
pub(super) struct Args {
    pub(super) values: Map<String, Value>,
    pub(super) files: Vec<(String, Upload)>,
}

impl Args {
    /// Reads the query string and the body. The error is the server's text.
    pub(super) fn read(
        query: Option<&str>,
        content_type: &str,
        body: &Bytes,
    ) -> Result<Self, &'static str> {
        let mut args = Self::default();
        if let Some(query) = query {
            args.read_form(query.as_bytes());
        }
        let (kind, rest) = content_type.split_once(';').unwrap_or((content_type, ""));
        match kind.trim().to_ascii_lowercase().as_str() {
            _ if body.is_empty() => {}
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(map)) if args.values.is_empty() => args.values = map,
                Ok(Value::Object(map)) => args.values.extend(map),
                _ => return Err("Bad Request: can't parse JSON object"),
            },
            "application/x-www-form-urlencoded" => args.read_form(body),
            "multipart/form-data" => {
                let boundary = rest.split_once("boundary=").map_or("", |(_, value)| value);
                let boundary = boundary
                    .split(';')
                    .next()
                    .unwrap_or("")
                    .trim()
                    .trim_matches('"');
                args.read_parts(body, boundary)
                    .ok_or("Bad Request: failed to parse multipart body")?;
            }
            _ => return Err("Bad Request: unsupported content type"),
        }
        Ok(args)
    }

    fn read_form(&mut self, form: &[u8]) {
        for pair in form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let mut sides = pair.splitn(2, |b| *b == b'=');
            let name = decode(sides.next().unwrap_or_default());
            let value = decode(sides.next().unwrap_or_default());
            self.values.insert(name, Value::String(value));
        }
    }

    fn read_parts(&mut self, body: &Bytes, boundary: &str) -> Option<()> {
        if boundary.is_empty() {
            return None;
        }
        let fence = format!("--{boundary}").into_bytes();
        let mut at = seek(body, &fence)? + fence.len();
        loop {
            let rest = body.get(at..)?;
            if rest.starts_with(b"--") {
                return Some(());
            }
            let rest = rest.strip_prefix(b"\r\n")?;
            let from = at + 2;
            let head_end = seek(rest, b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(rest.get(..head_end)?).into_owned();
            let content = from + head_end + 4;
            let next = content + seek(body.get(content..)?, &fence)?;
            let content = body.slice(content..next.checked_sub(2).filter(|end| *end >= content)?);
            let name = quoted(&head, " name=")?;
            match quoted(&head, "filename=") {
                Some(file) => self.files.push((
                    name,
                    Upload {
                        name: file,
                        content,
                    },
                )),
                None => {
                    let value = String::from_utf8_lossy(&content).into_owned();
                    self.values.insert(name, Value::String(value));
                }
            }
            at = next + fence.len();
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// A number, also when written as a string.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        as_int(self.values.get(name)?)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => {
                matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1")
            }
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// An object or array, also when sent as a string of JSON.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>, ()> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(drop),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// The file sent as `field`, or through `attach://…` in it.
    pub(super) fn file(&self, field: &str) -> Option<&Upload> {
        let part = self
            .text(field)
            .and_then(|text| text.strip_prefix("attach://"))
            .unwrap_or(field);
        self.files
            .iter()
            .find(|(name, _)| name == part)
            .map(|(_, file)| file)
    }
}

pub(super) fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn seek(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn quoted(head: &str, key: &str) -> Option<String> {
    let (_, rest) = head.split_once(key)?;
    let rest = rest.strip_prefix('"')?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

fn decode(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|two| str::from_utf8(two).ok());
        match (byte, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_a_query_and_a_json_body_say_the_same() {
        let form = Bytes::from_static(b"chat_id=-5&text=tr%E1%BB%99m+xe");
        let form = Args::read(None, "application/x-www-form-urlencoded", &form).unwrap();
        let json = Bytes::from("{\"chat_id\":-5,\"text\":\"trộm xe\"}");
        let json = Args::read(None, "application/json; charset=utf-8", &json).unwrap();
        let query =
            Args::read(Some("chat_id=-5&text=tr%E1%BB%99m%20xe"), "", &Bytes::new()).unwrap();
        for args in [form, json, query] {
            assert_eq!(args.int("chat_id"), Some(-5));
            assert_eq!(args.text("text"), Some("trộm xe"));
        }
    }

    #[test]
    fn multipart_gives_fields_and_files_byte_for_byte() {
        let body = Bytes::from_static(
            b"--x\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n-5\r\n--x\r\n\
              Content-Disposition: form-data; name=\"f1\"; filename=\"a.bin\"\r\nContent-Type: a/b\r\n\r\n\
              \x00--\r\n\xff\r\n--x--\r\n",
        );
        let mut args = Args::read(None, "multipart/form-data; boundary=x", &body).unwrap();
        args.values.insert("document".into(), "attach://f1".into());
        assert_eq!(args.int("chat_id"), Some(-5));
        let file = args.file("document").unwrap();
        assert_eq!(
            (file.name.as_str(), &file.content[..]),
            ("a.bin", &b"\x00--\r\n\xff"[..])
        );
    }
}
