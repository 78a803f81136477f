//! What the host says about its references: which object the wanted one names, and which branch is the
//! default one. By version 2 of Git's protocol only these two are asked for, however many there are.

use contract::{RefName, Repository};
use gix::{
    ObjectId,
    bstr::ByteSlice,
    progress::Discard,
    protocol::{
        Handshake, LsRefsCommand,
        handshake::Ref,
        ls_refs::RefPrefixes,
        transport::{
            Service,
            client::{Capabilities, capabilities::Capability},
        },
    },
};

use crate::{FetchError, Wanted, transport::Transport};

/// The name that we go by, as `git fetch` has its own.
pub(crate) fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(concat!("git2s3/", env!("CARGO_PKG_VERSION")).to_owned()))
}

/// What the host said.
#[derive(Debug)]
pub(crate) struct Advertisement {
    /// What the wanted reference names: a commit, or an annotated tag.
    pub(crate) target: ObjectId,
    /// The branch that `HEAD` stands for, by its short name.
    pub(crate) default_branch: Option<String>,
    /// How the conversation began, which is needed to go on with it.
    pub(crate) handshake: Handshake,
}

/// Begins the conversation and asks for `wanted`.
pub(crate) fn ask(
    transport: &mut Transport,
    repository: &Repository,
    wanted: &Wanted,
) -> Result<Advertisement, FetchError> {
    let failed = |source| FetchError::Conversation { repository: repository.clone(), source };
    // SSH has authenticated us already; if Git asks for more, there is none.
    let no_credentials = |_| Ok(None);
    let mut handshake =
        gix::protocol::handshake(&mut *transport, Service::UploadPack, no_credentials, Vec::new(), &mut Discard)
            .map_err(failed)?;
    check_format(&handshake, repository)?;
    let all = handshake.refs.take();
    let references = if let Some(all) = &all {
        handshake.capabilities = with_absolute_depth(&handshake.capabilities).map_err(failed)?;
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
                // Whether anything else is there is worth another question only now.
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
    let head = references.iter().find(|reference| reference.unpack().0 == "HEAD");
    Ok(Advertisement { target, default_branch: head.and_then(branch), handshake })
}

/// Why a reference isn't there, where all of the host's references are these.
fn absent(repository: &Repository, reference: &RefName, all: &[Ref]) -> FetchError {
    let repository = repository.clone();
    if all.iter().any(|reference| reference.unpack().1.is_some()) {
        FetchError::NoSuchReference { repository, reference: reference.clone() }
    } else {
        FetchError::Empty { repository }
    }
}

/// The references whose names begin so, by version 2 of Git's protocol.
fn list<'a>(
    transport: &mut Transport,
    handshake: &Handshake,
    prefixes: impl IntoIterator<Item = &'a str>,
) -> gix::Result<Vec<Ref>> {
    let mut wanted = RefPrefixes::new();
    wanted.extend(prefixes.into_iter().map(Into::into));
    LsRefsCommand::new(Some(wanted), &handshake.capabilities, agent()).invoke_blocking(transport, &mut Discard, false)
}

/// By version 0 gix claims whatever the host offers. With `deepen-relative` among it, the host would count our depth of 1
/// from what we have instead of from the tip: it sends the history, and tells of no end that we could name as ours.
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
