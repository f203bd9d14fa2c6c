//! Addresses where no server of a target can be: those that only serve this machine's cloud or no one.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::ProviderError;

/// How long the look-up of a name may take.
const LOOK_UP: Duration = Duration::from_secs(5);

/// A server is never at an address that only serves this machine's cloud or no one: link-local (the
/// metadata services), multicast, unspecified. A name is looked up for it.
pub async fn refuse_special(host: &str, port: u16) -> Result<(), ProviderError> {
    look_up(host, port).await.map(drop)
}

/// The addresses of a name, none of which is special. Who connects to these and to no other is not led
/// elsewhere by a second look-up.
pub async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ProviderError> {
    let look_up = tokio::net::lookup_host((host.trim_matches(['[', ']']).to_owned(), port));
    let found = match tokio::time::timeout(LOOK_UP, look_up).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) => return Err(ProviderError::failed(format!("the name {host} has no address: {error}"))),
        Err(_) => return Err(ProviderError::retryable(format!("the name {host} was not found within 5 s"))),
    };
    match found.iter().map(SocketAddr::ip).find(|address| is_special(*address)) {
        Some(address) => Err(ProviderError::failed(format!("{host} is {address}, where no server can be"))),
        None => Ok(found),
    }
}

fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_multicast() || v4.is_unspecified() || v4.is_broadcast(),
        IpAddr::V6(v6) => {
            // fd00:ec2::254 and its neighbours: the metadata service of EC2.
            let metadata = v6.segments().starts_with(&[0xfd00, 0x0ec2]);
            metadata || v6.is_multicast() || v6 == Ipv6Addr::UNSPECIFIED || v6.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_server_is_where_metadata_are() {
        for special in
            ["169.254.169.254", "fd00:ec2::254", "fe80::1", "0.0.0.0", "::", "::ffff:169.254.169.254", "224.0.0.1"]
        {
            assert!(is_special(special.parse().unwrap()), "{special}");
        }
        for usual in ["10.0.0.5", "127.0.0.1", "192.0.2.7", "fd12::1", "2001:db8::1"] {
            assert!(!is_special(usual.parse().unwrap()), "{usual}");
        }
    }
}
