//! One exchange with `git-upload-pack`: the object that we want, the commits that we have, and a
//! depth of 1. The host sends a pack with the missing objects.
//!
//! gix's own negotiation walks histories in several rounds to find common commits. A clone of depth
//! 1 has no history: all its commits are sent at once, and the host omits everything in their
//! trees.
//!
//! A host without shallow fetches sends the whole history. Such commits are recorded in a separate
//! list: there, a commit implies everything before it, which one of a shallow clone doesn't.

use std::{fs, io, num::NonZeroU32, path::Path, sync::atomic::AtomicBool};

use gix::{
    ObjectId, Repository,
    progress::Discard,
    protocol::{
        fetch::{
            Arguments, Context, Negotiate, Options, Response, Shallow, Tags,
            negotiate::{Action, Round, one_round::State},
        },
        transport::client::blocking_io::Transport,
    },
};

use crate::advertisement::{Advertisement, History, agent};

/// Fetches the wanted object, its tree and everything in it into `clone`. Calls `before_pack` when
/// the host's messages before the pack are received.
pub(crate) fn receive(
    transport: &mut impl Transport,
    advertisement: &mut Advertisement,
    clone: &Repository,
    before_pack: impl FnOnce(),
    interrupt: &AtomicBool,
) -> gix::Result<()> {
    let whole = clone.git_dir().join(WHOLE);
    let (haves, shallow, shallow_file) = match advertisement.history {
        History::Cut => {
            // Everything fetched with a depth of 1 is in this list, so it is what we have.
            let haves = clone.shallow_commits()?.map(|commits| commits.iter().copied().collect()).unwrap_or_default();
            (haves, Shallow::DepthAtRemote(NonZeroU32::MIN), clone.shallow_file()?)
        }
        // The file doesn't exist, so gix reports no shallow commits.
        History::Whole => (read_whole(&whole), Shallow::NoChange, clone.git_dir().join("none.shallow")),
    };
    let packs = clone.objects.store_ref().path().join("pack");
    gix::protocol::fetch(
        &mut OneRound { wants: advertisement.wants.clone(), haves },
        |pack, _progress, interrupt| {
            before_pack();
            let received = pack::receive(pack, &packs, &clone.objects, interrupt);
            received.map(|_| true).map_err(gix::Error::from_error)
        },
        Discard,
        interrupt,
        Context {
            handshake: &mut advertisement.handshake,
            transport: &mut *transport,
            user_agent: agent(),
            trace_packetlines: false,
        },
        Options { shallow_file, shallow: &shallow, tags: Tags::None, reject_shallow_remote: false },
    )?;
    if advertisement.history == History::Whole {
        note_whole(&whole, &advertisement.wants).map_err(gix::Error::from_error)?;
    }
    Ok(())
}

/// The list of commits with their whole history, in the clone's directory.
const WHOLE: &str = "git2s3-whole";
/// How many of them are kept. The newest are enough for the host to find out what we have.
const NEWEST: usize = 64;

fn read_whole(path: &Path) -> Vec<ObjectId> {
    let lines = fs::read_to_string(path).unwrap_or_default();
    lines.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes()).ok()).collect()
}

fn note_whole(path: &Path, wants: &[ObjectId]) -> io::Result<()> {
    let known = read_whole(path).into_iter().filter(|id| !wants.contains(id));
    let newest = wants.iter().copied().chain(known).take(NEWEST);
    fs::write(path, newest.map(|id| id.to_string()).collect::<Vec<_>>().join("\n"))
}

struct OneRound {
    wants: Vec<ObjectId>,
    haves: Vec<ObjectId>,
}

impl Negotiate for OneRound {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<Action> {
        Ok(Action::MustNegotiate { remote_ref_target_known: vec![false] })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        for want in &self.wants {
            arguments.want(want);
        }
        true
    }

    fn one_round(
        &mut self,
        _state: &mut State,
        arguments: &mut Arguments,
        _previous: Option<&Response>,
    ) -> gix::Result<(Round, bool)> {
        for have in &self.haves {
            arguments.have(have);
        }
        let haves_sent = self.haves.len();
        let round = Round {
            haves_sent,
            in_vain: 0,
            haves_to_send: haves_sent,
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}
