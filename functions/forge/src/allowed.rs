//! Who may send without a secret: the `AllowedIps` parameter.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// The addresses from which a delivery needs no secret, for repositories that [`Repositories`](crate::Repositories) names:
/// everybody at a public provider shares that provider's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedIps(Vec<IpNet>);

/// An entry of `AllowedIps` is neither an address nor a CIDR block.
#[derive(Debug, thiserror::Error)]
#[error("AllowedIps has the entry {entry:?}, expected a CIDR block such as 192.0.2.0/24")]
pub struct AllowedIpsError {
    /// The entry.
    entry: String,
    /// What is wrong with it.
    source: ipnet::AddrParseError,
}

impl FromStr for AllowedIps {
    type Err = AllowedIpsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let block = |entry: &str| {
            let alone = entry.parse::<IpAddr>().map(IpNet::from);
            alone.or_else(|_| entry.parse()).map_err(|source| AllowedIpsError { entry: entry.to_owned(), source })
        };
        list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(block).collect::<Result<_, _>>().map(Self)
    }
}

impl AllowedIps {
    /// Whether the address lies in one of the blocks; an IPv4 address in IPv6's clothing counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|block| block.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_block_are_allowed() {
        let ips: AllowedIps = "18.205.93.0/25, 2001:db8::/32,192.0.2.7".parse().unwrap();
        for (address, allowed) in [
            ("18.205.93.127", true),
            ("18.205.93.128", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:192.0.2.7", true),
            ("::ffff:192.0.2.8", false),
        ] {
            assert_eq!(ips.contains(address.parse().unwrap()), allowed, "{address}");
        }
    }

    #[test]
    fn an_empty_list_allows_no_address() {
        assert!(!" ,".parse::<AllowedIps>().unwrap().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_bad_block_is_named() {
        for entry in ["18.205.93.0/33", "github.com", "1.2.3"] {
            let error = format!("10.0.0.0/8,{entry}").parse::<AllowedIps>().unwrap_err().to_string();
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
    }
}
