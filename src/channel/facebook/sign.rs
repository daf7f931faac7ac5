//! Whether a webhook call is Meta's, and the proof that a call of ours comes from the app.
//!
//! Meta signs the bytes as they are sent, with everything that is not ASCII escaped: a body that was read
//! and written again has another sum, whatever it says.

use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use sha2::Sha256;

use crate::domain::secret::Secret;

/// The header that carries the signature.
pub(super) const HEADER: &str = "X-Hub-Signature-256";

fn mac(key: &Secret, message: &[u8]) -> Option<Hmac<Sha256>> {
    // A key of any length is taken; there is no other way to fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).ok()?;
    mac.update(message);
    Some(mac)
}

/// Whether the header is the signature of these bytes; compared in constant time.
pub(super) fn is_signed(app_secret: &Secret, header: &[u8], body: &[u8]) -> bool {
    let given = header.strip_prefix(b"sha256=").and_then(bytes);
    match (given, mac(app_secret, body)) {
        (Some(given), Some(mac)) => mac.verify_slice(&given).is_ok(),
        _ => false,
    }
}

/// The proof that goes with every call of this token.
pub(super) fn proof(app_secret: &Secret, token: &Secret) -> String {
    let mac = mac(app_secret, token.expose().as_bytes());
    let sum = mac.map(|mac| mac.finalize().into_bytes());
    let sum = sum.iter().flatten();
    sum.map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits in either case.
fn bytes(hex: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = hex.as_chunks::<2>() else {
        return None;
    };
    let digit = |c: u8| char::from(c).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums that other programs computed: Python's hmac and an SDK's own verifier agree on them.
    #[test]
    fn known_signatures_hold_over_the_raw_bytes_only() {
        let secret = Secret::new("s3cret");
        let escaped = r#"{"object":"page","entry":[{"id":"1122334455667","time":1764000000000,"messaging":[{"sender":{"id":"24031987654321098"},"recipient":{"id":"1122334455667"},"timestamp":1764000000000,"message":{"mid":"m_1","text":"Tr\u1ed9m xe m\u00e1y \u1edf h\u1ebbm 12"}}]}]}"#;
        let plain = escaped
            .replace(r"\u1ed9", "ộ")
            .replace(r"\u00e1", "á")
            .replace(r"\u1edf", "ở")
            .replace(r"\u1ebb", "ẻ");
        let slashes = r#"{"object":"page","entry":[{"id":"1122334455667","time":1764000000000,"messaging":[{"sender":{"id":"24031987654321098"},"recipient":{"id":"1122334455667"},"timestamp":1764000000000,"message":{"mid":"m_2","text":"https:\/\/a.vn\/b"}}]}]}"#;
        let sum = "7d8de35b84c5c1466a9686659930bd4fe4b8432fb4cd44b78056a30fab3fe212";
        let other = "0a949c4b23569e9fa859eb007491a65225b096d90f16c2d31a1c55377d59fed4";
        let cases = [
            (format!("sha256={sum}"), escaped, true),
            (format!("sha256={}", sum.to_uppercase()), escaped, true),
            (format!("sha256={sum}"), plain.as_str(), false),
            (format!("sha256={other}"), slashes, true),
            (format!("sha256={other}"), escaped, false),
            (sum.to_owned(), escaped, false),
            (format!("sha1={sum}"), escaped, false),
            (format!("sha256={}", sum.split_at(62).0), escaped, false),
            ("sha256=".to_owned(), escaped, false),
            (String::new(), escaped, false),
        ];
        for (header, body, holds) in cases {
            let found = is_signed(&secret, header.as_bytes(), body.as_bytes());
            assert_eq!(found, holds, "{header} over {body}");
        }
    }

    #[test]
    fn the_proof_is_the_sum_of_the_token() {
        let proof = proof(&Secret::new("s3cret"), &Secret::new("PAGE_TOKEN"));
        let known = "0a21fc4c135848126b1554feb483b247d9636dc2c2ab0bc1570ee82d5e923f03";
        assert_eq!(proof, known);
    }
}
