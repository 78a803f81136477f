//! The `AllowedIps` parameter: addresses that may send webhooks without a secret. An address is
//! trusted only for one host, because all users of a public provider share its addresses and can
//! trigger requests from them.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::repository::{HostError, HostName};

/// The addresses from which a delivery needs no secret, each for one host: entries `host=address`
/// or `host=block`, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedIps(Vec<(HostName, IpNet)>);

/// Why a text is not a valid [`AllowedIps`].
#[derive(Debug, thiserror::Error)]
pub enum AllowedIpsError {
    /// An entry names no host.
    #[error(
        "AllowedIps has the entry {entry:?}, which names no host: write HOST={entry}, for example bitbucket.org={entry}"
    )]
    NoHost {
        /// The entry.
        entry: String,
    },
    /// The host of an entry is invalid.
    #[error("AllowedIps has the entry {entry:?}, expected HOST=ADDRESS such as bitbucket.org=192.0.2.0/24")]
    Host {
        /// The entry.
        entry: String,
        /// The cause.
        source: HostError,
    },
    /// The address of an entry is neither an address nor a CIDR block.
    #[error("AllowedIps has the entry {entry:?}, expected HOST=ADDRESS such as bitbucket.org=192.0.2.0/24")]
    Address {
        /// The entry.
        entry: String,
        /// The cause.
        source: ipnet::AddrParseError,
    },
}

impl FromStr for AllowedIps {
    type Err = AllowedIpsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(read).collect::<Result<_, _>>().map(Self)
    }
}

fn read(entry: &str) -> Result<(HostName, IpNet), AllowedIpsError> {
    let whole = || entry.to_owned();
    let (host, block) = entry.split_once('=').ok_or_else(|| AllowedIpsError::NoHost { entry: whole() })?;
    let host = HostName::try_from(host.trim().to_ascii_lowercase());
    let host = host.map_err(|source| AllowedIpsError::Host { entry: whole(), source })?;
    let block = block.trim();
    let alone = block.parse::<IpAddr>().map(IpNet::from);
    let block =
        alone.or_else(|_| block.parse()).map_err(|source| AllowedIpsError::Address { entry: whole(), source })?;
    Ok((host, block))
}

impl AllowedIps {
    /// The hosts that the address is trusted for. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn hosts(&self, address: IpAddr) -> impl Iterator<Item = &HostName> {
        let address = address.to_canonical();
        self.0.iter().filter(move |(_, block)| block.contains(&address)).map(|(host, _)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_speaks_for_its_host() {
        let ips: AllowedIps =
            "bitbucket.org=18.205.93.0/25, Git.Example=2001:db8::/32,git.example=192.0.2.7,b.example=192.0.2.0/24"
                .parse()
                .unwrap();
        for (address, expected) in [
            ("18.205.93.127", &["bitbucket.org"][..]),
            ("18.205.93.128", &[]),
            ("2001:db8:1::1", &["git.example"]),
            ("2001:db9::1", &[]),
            ("192.0.2.7", &["git.example", "b.example"]),
            ("192.0.2.8", &["b.example"]),
            ("192.0.3.8", &[]),
            ("::ffff:192.0.2.7", &["git.example", "b.example"]),
        ] {
            let hosts: Vec<_> = ips.hosts(address.parse().unwrap()).map(HostName::as_str).collect();
            assert_eq!(hosts, expected, "{address}");
        }
    }

    #[test]
    fn an_empty_list_speaks_for_nobody() {
        assert_eq!(" ,".parse::<AllowedIps>().unwrap(), AllowedIps::default());
        assert_eq!(AllowedIps::default().hosts("127.0.0.1".parse().unwrap()).count(), 0);
    }

    #[test]
    fn a_bad_entry_is_named() {
        for entry in ["a.example=18.205.93.0/33", "a.example=github.com", "a.example=", "=192.0.2.1", "*=192.0.2.1"] {
            let error = format!("b.example=10.0.0.0/8,{entry}").parse::<AllowedIps>().unwrap_err().to_string();
            assert!(error.contains(&format!("{entry:?}, expected HOST=ADDRESS")), "{error}");
        }
        let error = "18.205.93.0/25".parse::<AllowedIps>().unwrap_err().to_string();
        let expected = "AllowedIps has the entry \"18.205.93.0/25\", which names no host: write HOST=18.205.93.0/25, for example \
                        bitbucket.org=18.205.93.0/25";
        assert_eq!(error, expected);
    }
}
