//! Mends JSON that is not quite JSON, without a change to what is.
//!
//! Telegram Desktop has written `\xNN` for control characters and custom emoji ids without quotes
//! (github.com/telegramdesktop/tdesktop/issues/27571 and /24961); other programs write raw control
//! characters, broken UTF-8 or half a surrogate pair. Everything else passes through as it came, byte
//! for byte, so that line numbers of later errors stay true.

use std::io;
use std::io::Read;

/// What stands in for what cannot be mended.
const REPLACEMENT: &[u8] = br"\ufffd";

/// The key whose value old exports wrote without quotes.
const BARE_KEY: &[u8] = b"document_id";

/// A whole text, mended.
pub(super) fn mended(raw: &[u8]) -> String {
    let mut mender = Mender::default();
    let mut out = Vec::with_capacity(raw.len());
    mender.push(&String::from_utf8_lossy(raw), &mut out);
    mender.finish(&mut out);
    // The mender only moves whole characters and adds ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// A stream, mended as it is read.
#[derive(Debug)]
pub(super) struct Mended<R> {
    inner: R,
    mender: Mender,
    /// Mended bytes that nobody has asked for yet, from `taken` on.
    ready: Vec<u8>,
    taken: usize,
    /// The last bytes of the previous read: the start of a character whose end is yet to come.
    carry: Vec<u8>,
    ended: bool,
}

impl<R: Read> Mended<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            mender: Mender::default(),
            ready: Vec::new(),
            taken: 0,
            carry: Vec::new(),
            ended: false,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let mut chunk = std::mem::take(&mut self.carry);
        let kept = chunk.len();
        chunk.resize(kept + (64 << 10), 0);
        let read = match self.inner.read(chunk.get_mut(kept..).unwrap_or_default()) {
            Ok(read) => read,
            Err(error) => {
                chunk.truncate(kept);
                self.carry = chunk;
                return Err(error);
            }
        };
        chunk.truncate(kept + read);
        self.ended = read == 0;
        if !self.ended {
            let tail = chunk.utf8_chunks().last().map_or(&b""[..], |c| c.invalid());
            let is_start = std::str::from_utf8(tail).is_err_and(|e| e.error_len().is_none());
            if is_start {
                self.carry = chunk.split_off(chunk.len() - tail.len());
            }
        }
        self.ready.clear();
        self.taken = 0;
        self.mender
            .push(&String::from_utf8_lossy(&chunk), &mut self.ready);
        if self.ended {
            self.mender.finish(&mut self.ready);
        }
        Ok(())
    }
}

impl<R: Read> Read for Mended<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.ended {
            self.refill()?;
        }
        let rest = self.ready.get(self.taken..).unwrap_or_default();
        let n = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.taken += n;
        Ok(n)
    }
}

/// The state between two characters.
#[derive(Debug, Default)]
struct Mender {
    place: Place,
    /// The start of the current or last string, to recognise [`BARE_KEY`].
    string: Vec<u8>,
    /// The digits of a high surrogate whose low half must come next.
    high: Option<Vec<u8>>,
    started: bool,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Outside,
    InString,
    /// After a backslash.
    Escape,
    /// Inside `\xNN` or `\uNNNN`.
    Hex {
        letter: u8,
        digits: Vec<u8>,
    },
    /// After `"document_id":`.
    BareStart,
    /// In a value without quotes, to the end of the line.
    Bare(Vec<u8>),
}

impl Mender {
    fn push(&mut self, text: &str, out: &mut Vec<u8>) {
        let text = if self.started {
            text
        } else {
            text.strip_prefix('\u{feff}').unwrap_or(text)
        };
        self.started |= !text.is_empty();
        for &byte in text.as_bytes() {
            self.byte(byte, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let Place::Bare(value) = std::mem::take(&mut self.place) {
            write_bare(&value, out);
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match &mut self.place {
            Place::Outside => {
                out.push(byte);
                if byte == b'"' {
                    self.string.clear();
                    self.place = Place::InString;
                } else if byte == b':' && self.string == BARE_KEY {
                    self.string.clear();
                    self.place = Place::BareStart;
                }
            }
            Place::InString => self.in_string(byte, out),
            Place::Escape => self.escape(byte, out),
            Place::Hex { letter, digits } => {
                let wanted = if *letter == b'x' { 2 } else { 4 };
                if byte.is_ascii_hexdigit() {
                    digits.push(byte);
                    if digits.len() == wanted {
                        let mut digits = std::mem::take(digits);
                        if wanted == 2 {
                            digits.splice(..0, *b"00");
                        }
                        self.place = Place::InString;
                        self.unit(digits, out);
                    }
                } else {
                    // No such escape: what was read so far is plain text.
                    self.flush_high(out);
                    if let Place::Hex { letter, digits } = std::mem::take(&mut self.place) {
                        out.extend_from_slice(br"\\");
                        out.push(letter);
                        out.extend_from_slice(&digits);
                    }
                    self.place = Place::InString;
                    self.in_string(byte, out);
                }
            }
            Place::BareStart => match byte {
                b' ' | b'\t' | b'\r' | b'\n' => out.push(byte),
                b'"' | b'-' | b'{' | b'[' | b'0'..=b'9' => {
                    self.place = Place::Outside;
                    self.byte(byte, out);
                }
                _ => self.place = Place::Bare(vec![byte]),
            },
            Place::Bare(value) => {
                if byte == b'\n' {
                    let value = std::mem::take(value);
                    self.place = Place::Outside;
                    write_bare(&value, out);
                    out.push(byte);
                } else {
                    value.push(byte);
                }
            }
        }
    }

    fn in_string(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == b'\\' {
            self.place = Place::Escape;
            return;
        }
        self.flush_high(out);
        match byte {
            b'"' => {
                out.push(byte);
                self.place = Place::Outside;
            }
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => {
                out.push(byte);
                if self.string.len() <= BARE_KEY.len() {
                    self.string.push(byte);
                }
            }
        }
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<u8>) {
        if matches!(byte, b'u' | b'x') {
            self.place = Place::Hex {
                letter: byte,
                digits: Vec::with_capacity(4),
            };
            return;
        }
        self.flush_high(out);
        self.place = Place::InString;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                out.extend_from_slice(&[b'\\', byte]);
            }
            _ => {
                out.extend_from_slice(br"\\");
                self.in_string(byte, out);
            }
        }
    }

    /// One UTF-16 unit, given by its four digits.
    fn unit(&mut self, digits: Vec<u8>, out: &mut Vec<u8>) {
        let value = digits
            .iter()
            .filter_map(|&digit| char::from(digit).to_digit(16))
            .fold(0, |value, digit| value * 16 + digit);
        let is_low = (0xdc00..0xe000).contains(&value);
        if is_low && let Some(high) = self.high.take() {
            write_unit(&high, out);
            write_unit(&digits, out);
            return;
        }
        self.flush_high(out);
        if is_low {
            out.extend_from_slice(REPLACEMENT);
        } else if (0xd800..0xdc00).contains(&value) {
            self.high = Some(digits);
        } else {
            write_unit(&digits, out);
        }
    }

    fn flush_high(&mut self, out: &mut Vec<u8>) {
        if self.high.take().is_some() {
            out.extend_from_slice(REPLACEMENT);
        }
    }
}

fn write_unit(digits: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(br"\u");
    out.extend_from_slice(digits);
}

fn write_bare(value: &[u8], out: &mut Vec<u8>) {
    let value = value.trim_ascii_end();
    let (value, comma) = value
        .strip_suffix(b",")
        .map_or((value, &b""[..]), |value| (value, &b","[..]));
    if matches!(value, b"null" | b"true" | b"false") {
        out.extend_from_slice(value);
    } else {
        let quoted = serde_json::to_vec(&String::from_utf8_lossy(value)).unwrap_or_default();
        out.extend_from_slice(&quoted);
    }
    out.extend_from_slice(comma);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(raw: &str, wanted: &str) {
        assert_eq!(mended(raw.as_bytes()), wanted, "{raw}");
    }

    #[test]
    fn damage_that_is_known_is_mended() {
        check(r#""a\x05b""#, r#""a\u0005b""#);
        check(r#""a\\x05b""#, r#""a\\x05b""#);
        check(r#""a\\\x1bb""#, r#""a\\\u001bb""#);
        check(r#""C:\xyz""#, r#""C:\\xyz""#);
        check(r#""it\'s""#, r#""it\\'s""#);
        check("\"a\nb\"", r#""a\u000ab""#);
        check(r#""\ud83d\ude00""#, r#""\ud83d\ude00""#);
        check(r#""\ud83d!""#, r#""\ufffd!""#);
        check(r#""\ude00""#, r#""\ufffd""#);
        check(r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#);
        check(r#""\ud83d\n""#, r#""\ufffd\n""#);
        check(r#""\u12""#, r#""\\u12""#);
        check("\u{feff}{}", "{}");
        check(
            "{\"document_id\": video_files/sticker (2).webm\n}",
            "{\"document_id\": \"video_files/sticker (2).webm\"\n}",
        );
        check(
            "{\"document_id\": (File \"a\" not included),\n}",
            "{\"document_id\": \"(File \\\"a\\\" not included)\",\n}",
        );
        check("{\"document_id\": null\n}", "{\"document_id\": null\n}");
        check(
            "{\"document_id\": 5,\"a\":1}",
            "{\"document_id\": 5,\"a\":1}",
        );
        assert_eq!(mended(b"\"a\xffb\""), "\"a\u{fffd}b\"");
    }

    proptest! {
        #[test]
        fn good_json_passes_unchanged(text in any::<String>(), number in any::<i64>()) {
            let good = serde_json::json!({ "a": text, "document_id": number }).to_string();
            prop_assert_eq!(mended(good.as_bytes()), good);
        }

        #[test]
        fn a_stream_is_mended_as_the_whole(raw in any::<Vec<u8>>(), step in 1_usize..9) {
            struct Slow<'a>(&'a [u8], usize);
            impl Read for Slow<'_> {
                fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                    let n = self.1.min(self.0.len()).min(out.len());
                    let (now, later) = self.0.split_at(n);
                    out[..n].copy_from_slice(now);
                    self.0 = later;
                    Ok(n)
                }
            }
            let mut streamed = Vec::new();
            Mended::new(Slow(&raw, step)).read_to_end(&mut streamed).unwrap();
            prop_assert_eq!(String::from_utf8(streamed).unwrap(), mended(&raw));
        }
    }
}
