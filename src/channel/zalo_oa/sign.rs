//! Whether a webhook call is Zalo's: a plain SHA-256 over app id, raw body, timestamp and secret.
//!
//! The header is written with `mac=` in front by some senders and without by others, and some put the
//! OA's id where the documents have the app's. All four forms are taken, each compared in constant time;
//! which one it was is told, so that an operator can see what the platform really does. The timestamp is
//! the body's own; how old it is says nothing, since a call that failed is repeated as it was for almost
//! two hours. What comes twice is known by its message id.

use sha2::Digest as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::channel::fields::Object;
use crate::domain::secret::Secret;

/// The header that carries the signature.
pub(super) const HEADER: &str = "X-ZEvent-Signature";

/// Which form of the signature was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The app's id first, as documented.
    AppFirst,
    /// The OA's id first, as seen in the wild.
    OaFirst,
}

/// What a signature is made with.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    pub(super) app_id: String,
    pub(super) oa_id: String,
    pub(super) secret: Secret,
}

impl Signer {
    /// The form of a right signature; `None` for every other call.
    pub(super) fn check(&self, header: &[u8], body: &[u8]) -> Option<Form> {
        let given = given(header)?;
        // The timestamp is signed as it stands; a body without one was not signed by Zalo.
        let text = std::str::from_utf8(body).ok()?;
        let timestamp = Object::read(text)?.id("timestamp")?;
        let right = |first: &str| {
            let mac = mac(first, body, &timestamp, self.secret.expose());
            bool::from(mac.as_slice().ct_eq(&given))
        };
        // Both are always computed: how long it takes must not tell which one was nearly right.
        let (app, oa) = (right(&self.app_id), right(&self.oa_id));
        match (app, oa) {
            (true, _) => Some(Form::AppFirst),
            (false, true) => Some(Form::OaFirst),
            (false, false) => None,
        }
    }
}

fn mac(first: &str, body: &[u8], timestamp: &str, secret: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(first.as_bytes());
    hash.update(body);
    hash.update(timestamp.as_bytes());
    hash.update(secret.as_bytes());
    hash.finalize().into()
}

/// The 32 bytes in `mac=<hex>` or `<hex>`, in either case.
fn given(header: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(header).ok()?.trim();
    let hex = match text.split_once('=') {
        Some((name, hex)) if name.trim().eq_ignore_ascii_case("mac") => hex.trim(),
        Some(_) => return None,
        None => text,
    };
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "2553928453557884079";
    const OA: &str = "3662729599332560487";
    const SECRET: &str = "test-oa-secret-key";

    fn body(text: &str) -> String {
        format!(
            r#"{{"app_id":"{APP}","sender":{{"id":"186729651760683225"}},"recipient":{{"id":"f414c8f76fa586fbdfb4"}},"event_name":"user_send_group_text","message":{{"text":"{text}","msg_id":"cb31dff1c39642cc1b83"}},"oa_id":"{OA}","timestamp":"1699003881354"}}"#
        )
    }

    fn signer() -> Signer {
        Signer {
            app_id: APP.to_owned(),
            oa_id: OA.to_owned(),
            secret: Secret::new(SECRET),
        }
    }

    /// Three known sums, computed by programs that nobody here wrote.
    const KNOWN: [(&str, &str, Form); 3] = [
        (
            "xin chao",
            "90571c3620e309606e0c281e8768dab0705ad359713933d1c37086f679529d72",
            Form::AppFirst,
        ),
        (
            "Chào xóm",
            "d7f509be881c6a866c42145a239f8afc726407b5349d02350e170306a6a8fdc9",
            Form::AppFirst,
        ),
        (
            "xin chao",
            "eb3c23240bfffb1a7d00cc098dcf8b6f001da234cba0275e58b36720d2470430",
            Form::OaFirst,
        ),
    ];

    #[test]
    fn three_known_signatures_are_right_with_and_without_their_prefix() {
        for (text, hex, form) in KNOWN {
            let body = body(text);
            for header in [
                format!("mac={hex}"),
                hex.to_owned(),
                format!("MAC = {}", hex.to_uppercase()),
            ] {
                assert_eq!(
                    signer().check(header.as_bytes(), body.as_bytes()),
                    Some(form),
                    "{header}"
                );
            }
        }
    }

    #[test]
    fn anything_else_is_forged() {
        let (text, hex, _) = KNOWN[0];
        let body = body(text);
        let wrong = |header: &str, body: &[u8]| {
            assert_eq!(signer().check(header.as_bytes(), body), None, "{header}");
        };
        for header in [
            "",
            "mac=",
            "mac",
            "sha256=90571c3620e309606e0c281e8768dab0705ad359713933d1c37086f679529d72",
            "mac=90571c3620e309606e0c281e8768dab0705ad359713933d1c37086f679529d73",
            "mac=90571c3620e309606e0c281e8768dab0705ad359713933d1c37086f679529d7",
            "mac=90571c3620e309606e0c281e8768dab0705ad359713933d1c37086f679529d7200",
            "mac=zz571c3620e309606e0c281e8768dab0705ad359713933d1c37086f679529d72",
            "ừ",
        ] {
            wrong(header, body.as_bytes());
        }
        let header = format!("mac={hex}");
        // Re-serialised: the same JSON with other bytes.
        wrong(&header, body.replace("\":", "\": ").as_bytes());
        let (head, _) = body.split_at(100);
        wrong(&header, head.as_bytes());
        wrong(&header, b"");
        wrong(&header, b"[]");
        wrong(&header, body.replace("timestamp", "timestamq").as_bytes());
        let other = Signer {
            secret: Secret::new("another"),
            ..signer()
        };
        assert_eq!(other.check(header.as_bytes(), body.as_bytes()), None);
    }
}
