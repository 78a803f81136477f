//! Fetches a reference of a Git repository over SSH or HTTPS into a clone that is kept: at first
//! the commit and its tree (a clone of depth 1), later only the changes.
//!
//! It is based on [russh](https://docs.rs/russh), our `https` and [gix](https://docs.rs/gix). It
//! runs neither `git` nor `ssh`, and ignores the system's configuration. Over SSH, [`KnownHosts`]
//! authenticates hosts and a [`PrivateKey`] us; over HTTPS, certificates and a token.
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//! # async fn example(key: &secrecy::SecretString) -> Result<(), Box<dyn std::error::Error>> {
//! let remote = fetch::Remote {
//!     host: "github.com".parse()?,
//!     repository: contract::Repository::new("github.com".parse()?, "octo-org/hello".parse()?),
//!     spelling: contract::PathSpelling::default(),
//!     access: fetch::Access::Ssh(fetch::SshAccess {
//!         key: fetch::PrivateKey::from_openssh(key)?,
//!         sessions: fetch::Sessions::new(fetch::KnownHosts::built_in_and("")?),
//!         connecting: None,
//!     }),
//!     limits: fetch::Limits::until(Instant::now() + Duration::from_secs(300)),
//! };
//! let wanted = fetch::Wanted::Reference { name: "refs/heads/main".parse()?, expected: None };
//! let request = fetch::FetchRequest { remote, wanted };
//! let clones = fetch::Clones::in_folder("/tmp/clones");
//! let fetched = fetch::fetch(&request, &clones).await?;
//! println!("{} after {} bytes", fetched.commit, fetched.received);
//! # Ok(())
//! # }
//! ```

#![warn(clippy::indexing_slicing)]

mod advertisement;
mod ahead;
mod algorithms;
mod clone_dir;
mod clones;
mod conversation;
mod error;
mod known_hosts;
mod lfs;
mod limits;
mod making_room;
mod over_https;
mod over_ssh;
mod private_key;
mod references;
mod repository;
mod request;
mod room;
mod rsa;
mod seed;
mod sessions;
mod ssh;
mod transport;
mod wanted;
mod whole;
mod wire;

pub use clone_dir::Reading;
pub use clones::Clones;
pub use error::FetchError;
pub use known_hosts::{KnownHosts, KnownHostsError, Verdict};
pub use lfs::{LfsAccess, lfs_access};
pub use limits::Limits;
pub use making_room::{fetch, fetch_seeded};
pub use private_key::{PrivateKey, PrivateKeyError};
pub use references::{References, Tip, references};
pub use repository::{Fetched, Origin};
pub use request::{Access, FetchRequest, HttpsAccess, Remote, SshAccess};
pub use room::is_out_of_room;
pub use seed::Seed;
pub use sessions::Sessions;
pub use ssh::Connecting;
pub use wanted::Wanted;
