//! Addresses that never leave the machine of whoever follows them.

use url::{Host, Url};

/// Whether the host of a URL is the machine of whoever follows it, by its name or address alone. Names
/// below `localhost` are not meant: resolvers may send them elsewhere (RFC 6761, section 6.3).
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_by_the_name() {
        let is = |url: &str| is_loopback(&url.parse().unwrap());
        for near in ["http://127.0.0.1:8400/x", "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"] {
            assert!(is(near), "{near}");
        }
        let elsewhere = [
            "https://paddock.example.com",
            "http://a.localhost",
            "http://10.0.0.5",
            "https://localhost.example.com",
            "http://[fd12::1]/",
        ];
        for far in elsewhere {
            assert!(!is(far), "{far}");
        }
    }
}
