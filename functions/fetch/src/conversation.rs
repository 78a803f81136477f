//! One round with `git-upload-pack`: the object we want, the commits we have, and a depth of 1. The
//! host answers with a pack of what we lack.
//!
//! gix's own negotiation walks histories over several rounds to find common commits. A clone of depth 1
//! has no history: all its commits are named at once, and the host leaves out whatever their trees hold.

use std::{num::NonZeroU32, sync::atomic::AtomicBool};

use gix::{
    ObjectId, Repository,
    progress::Discard,
    protocol::fetch::{
        Arguments, Context, Negotiate, Options, Response, Shallow, Tags,
        negotiate::{Action, Round, one_round::State},
    },
};

use crate::{
    advertisement::{Advertisement, agent},
    transport::{Transport, Wire},
};

/// Receives the wanted object, its tree and all in it, into `clone`. Up to the pack, what the host says is held in memory, and
/// `wire` bounds it.
pub(crate) fn receive(
    transport: &mut Transport,
    advertisement: &mut Advertisement,
    clone: &Repository,
    wire: &Wire,
    interrupt: &AtomicBool,
) -> gix::Result<()> {
    // Whatever was fetched with a depth of 1 stands in this list: it is the list of what we have.
    let haves = clone.shallow_commits()?.map(|commits| commits.iter().copied().collect()).unwrap_or_default();
    let packs = clone.objects.store_ref().path().join("pack");
    gix::protocol::fetch(
        &mut OneRound { want: advertisement.target, haves },
        |pack, _progress, interrupt| {
            wire.expect_pack();
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
        Options {
            shallow_file: clone.shallow_file()?,
            shallow: &Shallow::DepthAtRemote(NonZeroU32::MIN),
            tags: Tags::None,
            reject_shallow_remote: false,
        },
    )
    .map(|_| ())
}

struct OneRound {
    want: ObjectId,
    haves: Vec<ObjectId>,
}

impl Negotiate for OneRound {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<Action> {
        Ok(Action::MustNegotiate { remote_ref_target_known: vec![false] })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        arguments.want(self.want);
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
