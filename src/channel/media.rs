//! Photos that a platform shows by address.

use url::Url;

/// Hosts on which Zalo keeps what people send.
pub(in crate::channel) const ZALO: &[&str] = &[
    "zdn.vn",
    "zadn.vn",
    "zaloapp.com",
    "zaloplatforms.com",
    "zapps.me",
];

/// Hosts on which Meta keeps what people send.
pub(in crate::channel) const META: &[&str] = &["fbcdn.net", "fbsbx.com"];

/// The address, if it lies with the platform: on one of its hosts, or on the very server that the config
/// names (a simulator). Nothing else that a message names may ever be fetched: it would let a stranger
/// make us knock at machines of our own network.
pub(in crate::channel) fn address(reference: &str, hosts: &[&str], api_url: &Url) -> Option<Url> {
    let address: Url = reference.parse().ok()?;
    let with_platform = address.scheme() == "https"
        && address.port().is_none()
        && address.host_str().is_some_and(|host| {
            hosts.iter().any(|known| {
                host.strip_suffix(known)
                    .is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
            })
        });
    (with_platform || address.origin() == api_url.origin()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zalos_own_hosts_count_as_zalos() {
        let api = "http://127.0.0.1:8080/zalo/".parse().unwrap();
        for (reference, wanted) in [
            ("https://photo-1.zdn.vn/a.jpg", true),
            ("https://zdn.vn/a.jpg", true),
            ("https://s1.zadn.vn/a.jpg", true),
            ("http://127.0.0.1:8080/f56/a.jpg", true),
            ("http://127.0.0.1:8081/a.jpg", false),
            ("http://photo-1.zdn.vn/a.jpg", false),
            ("https://evilzdn.vn/a.jpg", false),
            ("https://zdn.vn.evil.example/a.jpg", false),
            ("https://photo-1.zdn.vn:8443/a.jpg", false),
            ("https://photo-1.zdn.vn@127.0.0.1/a.jpg", false),
            ("https://127.0.0.1/a.jpg", false),
            ("file:///etc/passwd", false),
            ("AgACAgUAAxkBAAI", false),
            ("", false),
        ] {
            assert_eq!(
                address(reference, ZALO, &api).is_some(),
                wanted,
                "{reference}"
            );
        }
    }
}
