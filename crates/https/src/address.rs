//! Which addresses may be connected to. Others control what a name resolves to and where a redirect
//! leads. Without this check, they could point a download at this machine, at its credentials
//! ([169.254.169.254](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html)),
//! or into the VPC.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use contract::AllowedHosts;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A host has no address that may be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{host} has no public address: add `private` to its entry in AllowedGitHosts if that is intended")]
pub struct NoPublicAddress {
    host: String,
}

impl NoPublicAddress {
    pub(crate) fn of(host: &str) -> Self {
        Self { host: host.to_owned() }
    }
}

/// Resolves names to public addresses. Hosts configured as private may have any address.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    hosts: Arc<AllowedHosts>,
}

impl Guard {
    pub(crate) fn new(hosts: &AllowedHosts) -> Self {
        Self { hosts: Arc::new(hosts.clone()) }
    }

    /// Whether a URL's host may be contacted. Names are checked again when they are resolved,
    /// addresses only here.
    pub(crate) fn permit(&self, host: &str) -> Result<(), NoPublicAddress> {
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        if self.is_private(host) || address.is_none_or(is_public) { Ok(()) } else { Err(NoPublicAddress::of(host)) }
    }

    fn is_private(&self, host: &str) -> bool {
        self.hosts.iter().any(|allowed| allowed.is_private_at(host))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let any = guard.is_private(host);
            let permitted: Vec<SocketAddr> = found.filter(|address| any || is_public(address.ip())).collect();
            if permitted.is_empty() {
                return Err(NoPublicAddress::of(host).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the public internet, by IANA's registries of
/// [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry/) and
/// [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry/).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // In this order: "this network", private, loopback, multicast and reserved; shared by carriers,
    // benchmarks; link-local with the metadata service, private; protocol assignments,
    // documentation.
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (198, 18 | 19, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // Embedded IPv4: mapped, translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(embedded(high, low))
        }
        // Only global unicast, except documentation and Teredo.
        _ => a & 0xe000 == 0x2000 && !(a == 0x2001 && (b == 0 || b == 0xdb8)) && a != 0x3fff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_public_addresses_are_refused() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "100.64.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "::127.0.0.1",
            "64:ff9b:1::1",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in
            ["140.82.121.3", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:50c0:8000::153", "64:ff9b::8c52:7903"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_in_urls_are_checked() {
        let guard = Guard::new(&"github.com, 127.0.0.7=gitea+private, git.internal=gitlab+private".parse().unwrap());
        for host in ["169.254.169.254", "127.0.0.1", "[::1]", "[::ffff:10.0.0.1]"] {
            assert!(guard.permit(host).is_err(), "{host}");
        }
        for host in ["127.0.0.7", "140.82.121.3", "github.com", "git.internal"] {
            assert!(guard.permit(host).is_ok(), "{host}");
        }
    }

    #[tokio::test]
    async fn localhost_is_refused_unless_configured() {
        let resolve = async |hosts: &str| {
            let guard = Guard::new(&hosts.parse().unwrap());
            guard.resolve("localhost".parse().unwrap()).await.map(Iterator::count)
        };
        assert!(resolve("localhost=gitea").await.is_err());
        assert!(resolve("LOCALHOST=gitea+private").await.unwrap() > 0);
    }
}
