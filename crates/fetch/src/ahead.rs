//! Requests that are sent before the host has answered the previous one: a round trip each at a
//! distant host. Version 2 of Git's protocol allows that, because its
//! [requests](https://git-scm.com/docs/protocol-v2#_command_request) are independent of each other.
//!
//! A delivery names a commit, and usually the reference still points to it. What would be requested
//! then is found out by a rehearsal: the same code speaks with a host that answers so. The real
//! conversation follows unchanged, and sends what was sent ahead not a second time. If the
//! reference points elsewhere, the reply isn't used.

use std::sync::atomic::AtomicBool;

use contract::Repository;
use gix::{
    ObjectId,
    protocol::transport::{
        Protocol,
        client::git::{ConnectMode, blocking_io::Connection},
    },
};

use crate::{
    Wanted,
    advertisement::{Greeting, ask},
    conversation,
};

/// What the conversation with a host will request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// The commit that the reference has to point to.
    pub(crate) commit: ObjectId,
    /// The requests, in their order.
    pub(crate) requests: Vec<Vec<u8>>,
}

/// Rehearses the conversation with the host of this greeting. `None` if it can't be foreseen.
pub(crate) fn rehearse(
    greeting: &Greeting,
    repository: &Repository,
    wanted: &Wanted,
    clone: &gix::Repository,
    interrupt: &AtomicBool,
) -> Option<Ahead> {
    let Wanted::Reference { name, expected: Some(expected) } = wanted else { return None };
    // A tag may have an object of its own, which deliveries don't name.
    name.branch().filter(|_| greeting.allows_requests_ahead())?;
    let reply = format!("{expected} {}\n", name.as_str());
    let reply = format!("{:04x}{reply}0000", 4 + reply.len());
    let mut host = host_that_says(&reply, repository);
    let mut advertisement = ask(&mut host, greeting.clone(), repository, wanted).ok()?;
    let commit = advertisement.target;
    let mut requests = vec![host.into_inner().1];
    if !clone.has_object(commit) {
        let mut host = host_that_says("", repository);
        // There is no pack. The request is written before that is noticed.
        conversation::receive(&mut host, &mut advertisement, clone, || (), interrupt).ok();
        requests.push(host.into_inner().1);
    }
    Some(Ahead { commit, requests })
}

fn host_that_says<'a>(reply: &'a str, repository: &Repository) -> Connection<&'a [u8], Vec<u8>> {
    let (path, host): (_, Option<(String, _)>) = (repository.path.as_str(), None);
    Connection::new(reply.as_bytes(), Vec::new(), Protocol::V2, path, host, ConnectMode::Process, false)
}
