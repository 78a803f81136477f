//! Reads the host's references: the object of the wanted one, and the default branch. With version
//! 2 of Git's protocol, only these two are requested, however many there are.

use std::collections::BTreeSet;

use contract::{RefName, Repository};
use gix::{
    ObjectId,
    bstr::{BStr, ByteSlice},
    progress::Discard,
    protocol::{
        Handshake, LsRefsCommand,
        handshake::Ref,
        ls_refs::RefPrefixes,
        transport::{
            Protocol, Service,
            client::{Capabilities, blocking_io::Transport, capabilities::Capability},
        },
    },
};

use crate::{FetchError, Wanted};

/// Our user agent in Git's protocol.
pub(crate) fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(concat!("git2s3/", env!("CARGO_PKG_VERSION")).to_owned()))
}

/// The host's response.
#[derive(Debug)]
pub(crate) struct Advertisement {
    /// The object of the wanted reference: a commit or an annotated tag.
    pub(crate) target: ObjectId,
    /// The object to request to get the target.
    pub(crate) wants: Vec<ObjectId>,
    /// Whether the target comes with its whole history.
    pub(crate) history: History,
    /// The short name of the branch that `HEAD` points to.
    pub(crate) default_branch: Option<String>,
    /// The handshake, which the fetch continues.
    pub(crate) handshake: Handshake,
}

/// How much of a commit's history is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// None.
    Cut,
    /// All of it, for a host that doesn't support shallow fetches or doesn't serve the commit
    /// itself.
    Whole,
}

/// What the host says by itself: the version of its protocol, what it supports, and with version 0
/// its references.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    handshake: Handshake,
    /// All references, unless they have to be requested.
    references: Option<Vec<Ref>>,
}

/// Starts the protocol.
pub(crate) fn greet(transport: &mut impl Transport, repository: &Repository) -> Result<Greeting, FetchError> {
    let failed = |source| FetchError::Conversation { repository: repository.clone(), source };
    // SSH has already authenticated us, and HTTPS does so with each request. There is no other
    // credential.
    let no_credentials = |_| Ok(None);
    let mut handshake =
        gix::protocol::handshake(&mut *transport, Service::UploadPack, no_credentials, Vec::new(), &mut Discard)
            .map_err(failed)?;
    check_format(&handshake, repository)?;
    let references = handshake.refs.take();
    if references.is_some() {
        handshake.capabilities = with_absolute_depth(&handshake.capabilities).map_err(failed)?;
    }
    Ok(Greeting { handshake, references })
}

impl Greeting {
    /// Whether nothing that the host has to say yet changes how a known commit is requested.
    pub(crate) fn allows_requests_ahead(&self) -> bool {
        self.references.is_none() && cuts_history(&self.handshake)
    }
}

/// Requests `wanted`.
pub(crate) fn ask(
    transport: &mut impl Transport,
    Greeting { handshake, references: all }: Greeting,
    repository: &Repository,
    wanted: &Wanted,
) -> Result<Advertisement, FetchError> {
    let failed = |source| FetchError::Conversation { repository: repository.clone(), source };
    let references = if let Some(all) = &all {
        all
    } else {
        let name = match wanted {
            Wanted::Reference { name, .. } => Some(name.as_str()),
            Wanted::Commit(_) => None,
        };
        &list(transport, &handshake, name.into_iter().chain(["HEAD"])).map_err(failed)?
    };
    let target = match wanted {
        Wanted::Reference { name, .. } => {
            if let Some(target) = target(references, name) {
                target
            } else {
                // Only now is it worth asking whether there is anything else.
                let all = if let Some(all) = &all {
                    all
                } else {
                    &list(transport, &handshake, ["refs/heads/", "refs/tags/"]).map_err(failed)?
                };
                return Err(absent(repository, name, all));
            }
        }
        Wanted::Commit(id) => ObjectId::from_hex(id.as_str().as_bytes())
            .map_err(|_| FetchError::ObjectFormat { repository: repository.clone(), format: "sha256".to_owned() })?,
    };
    let default_branch = default_branch(references);
    let (mut wants, mut history) = (vec![target], History::Cut);
    if !cuts_history(&handshake) {
        tracing::warn!(%repository, "the host doesn't support shallow fetches: fetching the whole history");
        history = History::Whole;
    }
    if matches!(wanted, Wanted::Commit(_)) && all.is_some() && !gives(&handshake, references, target) {
        tracing::warn!(%repository, %wanted, "the host doesn't serve unreferenced commits: fetching all branches and tags");
        (wants, history) = (tips(references), History::Whole);
    }
    Ok(Advertisement { target, wants, history, default_branch, handshake })
}

/// The references with one of these prefixes, and `HEAD`; by version 0 of the protocol all of them.
pub(crate) fn all(
    transport: &mut impl Transport,
    Greeting { handshake, references }: Greeting,
    repository: &Repository,
    prefixes: &[String],
) -> Result<Vec<Ref>, FetchError> {
    let prefixes = prefixes.iter().map(String::as_str).chain(["HEAD"]);
    match references {
        Some(all) => Ok(all),
        None => list(transport, &handshake, prefixes)
            .map_err(|source| FetchError::Conversation { repository: repository.clone(), source }),
    }
}

/// The short name of the branch that `HEAD` points to.
pub(crate) fn default_branch(references: &[Ref]) -> Option<String> {
    references.iter().find(|reference| reference.unpack().0 == "HEAD").and_then(branch)
}

/// Whether the host supports shallow fetches.
fn cuts_history(handshake: &Handshake) -> bool {
    let offered = &handshake.capabilities;
    match handshake.server_protocol_version {
        Protocol::V2 => offered.capability("fetch").and_then(|fetch| fetch.supports("shallow")).unwrap_or_default(),
        _ => offered.contains("shallow"),
    }
}

/// Whether a host with protocol version 0 serves this commit by its ID.
fn gives(handshake: &Handshake, references: &[Ref], commit: ObjectId) -> bool {
    let offers = ["allow-reachable-sha1-in-want", "allow-any-sha1-in-want"];
    offers.iter().any(|offer| handshake.capabilities.contains(offer)) || names(references, commit)
}

fn names(references: &[Ref], commit: ObjectId) -> bool {
    references.iter().any(|reference| reference.unpack().1.is_some_and(|target| *target == *commit))
}

/// The objects that branches and tags point to, each once.
fn tips(references: &[Ref]) -> Vec<ObjectId> {
    let of_either = |name: &BStr| name.starts_with(b"refs/heads/") || name.starts_with(b"refs/tags/");
    let tips = references.iter().filter_map(|reference| match reference.unpack() {
        (name, Some(target), _) if of_either(name) => Some(target.to_owned()),
        _ => None,
    });
    tips.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Why a reference is missing, given all of the host's references.
fn absent(repository: &Repository, reference: &RefName, all: &[Ref]) -> FetchError {
    let repository = repository.clone();
    if all.iter().any(|reference| reference.unpack().1.is_some()) {
        FetchError::NoSuchReference { repository, reference: reference.clone() }
    } else {
        FetchError::Empty { repository }
    }
}

/// The references with this prefix, by protocol version 2.
fn list<'a>(
    transport: &mut impl Transport,
    handshake: &Handshake,
    prefixes: impl IntoIterator<Item = &'a str>,
) -> gix::Result<Vec<Ref>> {
    let mut wanted = RefPrefixes::new();
    wanted.extend(prefixes.into_iter().map(Into::into));
    LsRefsCommand::new(Some(wanted), &handshake.capabilities, agent()).invoke_blocking(transport, &mut Discard, false)
}

/// With protocol version 0, gix requests every capability that the host offers. With
/// `deepen-relative`, the host would count our depth of 1 from what we have instead of from the
/// tip: it would send the history and report no shallow boundary.
fn with_absolute_depth(offered: &Capabilities) -> gix::Result<Capabilities> {
    let mut kept = vec![0];
    for capability in offered.iter().filter(|capability| capability.name() != "deepen-relative") {
        kept.extend_from_slice(capability.name());
        kept.extend(capability.value().into_iter().flat_map(|value| [b"=", value.as_bytes()].concat()));
        kept.push(b' ');
    }
    Capabilities::from_bytes(kept.trim_ascii_end()).map(|(capabilities, _)| capabilities)
}

fn check_format(handshake: &Handshake, repository: &Repository) -> Result<(), FetchError> {
    let format = handshake.capabilities.capability("object-format");
    match format.as_ref().and_then(Capability::value) {
        Some(format) if format != "sha1" => {
            Err(FetchError::ObjectFormat { repository: repository.clone(), format: format.to_string() })
        }
        _ => Ok(()),
    }
}

fn target(references: &[Ref], wanted: &RefName) -> Option<ObjectId> {
    references.iter().find_map(|reference| match reference.unpack() {
        (name, Some(target), _) if name == wanted.as_str() => Some(target.to_owned()),
        _ => None,
    })
}

fn branch(head: &Ref) -> Option<String> {
    let (Ref::Symbolic { target, .. } | Ref::Unborn { target, .. }) = head else { return None };
    Some(target.to_str().ok()?.strip_prefix("refs/heads/")?.to_owned())
}
