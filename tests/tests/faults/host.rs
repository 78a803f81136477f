//! Faults of the Git host: nothing incomplete is stored, and the push arrives once the host works
//! again.

use local::event_source::Delivered;
use local::proxy::{Break, Breakage};
use local::tally;

use super::world::World;

const BYTES: usize = 400_000;
/// During the handshake, during the exchange before the pack, in the pack, and shortly before its
/// end.
const MOMENTS: [u64; 4] = [1, 6_000, 200_000, 400_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_fetches_still_deliver_every_push() {
    let world = World::new().await;
    let mut tried = 0;
    for by in [Breakage::Close, Breakage::Kill] {
        for &after in &MOMENTS {
            arrives_in_the_end(&world, Break { after, by }).await;
            tried += 1;
        }
    }
    // The same during a later fetch, with an existing clone.
    let mut clone = world.push("acme/rocket", BYTES).await.clone;
    world.drain().await;
    for by in [Breakage::Close, Breakage::Kill] {
        for &after in &MOMENTS {
            break_next(&world, Break { after, by }).await;
            let accepted = world.push_again(clone, BYTES).await;
            let outcomes = world.drain().await;
            assert_eq!(outcomes.len(), 2, "{by:?} after {after} bytes: {outcomes:?}");
            world.is_stored(&accepted).await;
            clone = accepted.clone;
            tried += 1;
        }
    }
    // A host that stops sending uses all of the function's time.
    world.hurry().await;
    arrives_in_the_end(&world, Break { after: MOMENTS[2], by: Breakage::Silence }).await;
    tried += 1;
    assert_eq!(world.is_clean(0).await.len(), tried + 1);
    tally::tried(tried);
}

/// Breaks the next fetch, which has to connect for that: no session is open any more.
async fn break_next(world: &World, broken: Break) {
    world.ssh.cut();
    world.ssh.break_next(broken).await;
}

/// A push whose first fetch is interrupted.
async fn arrives_in_the_end(world: &World, broken: Break) {
    let Break { after, by } = broken;
    break_next(world, broken).await;
    let accepted = world.push(&format!("acme/{by:?}-{after}").to_lowercase(), BYTES).await;
    let outcomes: Vec<_> = world.drain().await.into_iter().map(|(_, outcome)| outcome).collect();
    let first = if matches!(by, Breakage::Kill) { Delivered::Died } else { Delivered::Failed };
    assert_eq!(outcomes, [first, Delivered::Done], "{by:?} after {after} bytes");
    world.is_stored(&accepted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_refusal_is_recovered_by_redrive() {
    let world = World::new().await;
    let host = &world.local.host;
    let authorized = world.local.sshd.authorized_keys();
    let keys = std::fs::read_to_string(&authorized).unwrap();
    let accepted = world.push("acme/rocket", 1_000).await;
    // Only the developer's key is still authorized.
    let developer = keys.lines().next().unwrap();
    std::fs::write(&authorized, format!("{developer}\n")).unwrap();
    let outcomes = world.drain().await;
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    let reason = world.reason("acme/rocket").await.unwrap();
    assert!(reason.contains("PublicSSHKey"), "{reason}");

    std::fs::write(&authorized, keys).unwrap();
    world.redrive().await;
    world.drain().await;
    world.is_stored(&accepted).await;

    // A missing repository is one that the host doesn't serve, and may reappear.
    let accepted = world.push("acme/moved", 1_000).await;
    let (here, elsewhere) = (host.root().join("acme/moved.git"), host.root().join("acme/elsewhere.git"));
    std::fs::rename(&here, &elsewhere).unwrap();
    world.drain().await;
    assert!(world.reason("acme/moved").await.is_some());
    std::fs::rename(&elsewhere, &here).unwrap();
    world.redrive().await;
    world.drain().await;
    world.is_stored(&accepted).await;
    assert_eq!(world.is_clean(0).await.len(), 2);
    tally::tried(2);
}
