//! Parses the lines of a
//! [`known_hosts`](https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT) file one by one: for
//! the SSH client, and for checking the parameter before it is deployed.
//!
//! ```
//! let lines = "git.example.com ssh-ed25519 AAAA";
//! let error = known_hosts_file::read(lines).next().and_then(Result::err);
//! assert_eq!(error.map(|error| error.to_string()).as_deref(), Some("line 1 of KnownHosts is not `host key-type key`"));
//! ```

use russh::keys::ssh_key::{
    self,
    known_hosts::{Entry, HostPatterns, Marker},
};

/// Why a line is unusable.
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// A line isn't one of a `known_hosts` file.
    #[error("line {line} of KnownHosts is not `host key-type key`")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The cause.
        source: ssh_key::Error,
    },
    /// A line names a certificate authority for hosts, which isn't supported.
    #[error("line {line} of KnownHosts has @cert-authority, which is not supported")]
    CertificateAuthority {
        /// The line, from 1.
        line: usize,
    },
    /// A line revokes a key that can't be parsed.
    #[error("line {line} of KnownHosts is not `@revoked host key-type key`")]
    Revocation {
        /// The line, from 1.
        line: usize,
        /// The hosts of the key, if at least those can be parsed.
        hosts: Option<Box<HostPatterns>>,
        /// The cause.
        source: ssh_key::Error,
    },
}

/// Parses all lines except empty ones and comments.
pub fn read(text: &str) -> impl Iterator<Item = Result<Entry, KnownHostsError>> {
    let lines = text.lines().map(str::trim).zip(1..);
    lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')).map(|(text, line)| entry(text, line))
}

fn entry(text: &str, line: usize) -> Result<Entry, KnownHostsError> {
    // OpenSSH accepts any white space between fields, the parser only a single space.
    let fields: Vec<_> = text.split_whitespace().collect();
    let entry: Entry = fields.join(" ").parse().map_err(|source| match fields.as_slice() {
        ["@revoked", rest @ ..] => {
            let hosts = rest.first().and_then(|hosts| hosts.parse().ok()).map(Box::new);
            KnownHostsError::Revocation { line, hosts, source }
        }
        _ => KnownHostsError::Malformed { line, source },
    })?;
    if entry.marker() == Some(&Marker::CertAuthority) {
        return Err(KnownHostsError::CertificateAuthority { line });
    }
    Ok(entry)
}
