//! Every target with its seeds and some thousands of deterministic mutations of them. Inputs that
//! libFuzzer has found are tests of the crates with the errors.
#![cfg(test)]

use fuzz::{TARGETS, mutation::Mutator};
use local::tally;

/// The mutations of a target's seeds.
const MUTATIONS: usize = 3_000;

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    assert!(seeds.len() > 2, "{name} has {} seeds", seeds.len());
    for seed in &seeds {
        (target.run)(seed);
    }
    let mut mutator = Mutator::new(2017);
    let mut input: Vec<u8> = Vec::new();
    for number in 0..MUTATIONS {
        // Every other one mutates the previous one.
        if number % 2 == 0 {
            input.clone_from(&seeds[mutator.below(seeds.len())]);
        }
        let other = &seeds[mutator.below(seeds.len())];
        input = mutator.mutate(&input, other);
        (target.run)(&input);
    }
    tally::tried(seeds.len() + MUTATIONS);
}

/// One test per target, so that each is a separate process.
macro_rules! replayed {
    ($($test:ident $target:literal)*) => {
        $(
            #[test]
            fn $test() {
                replay($target);
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$($target),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(replayed));
        }
    };
}

replayed! {
    hostile_events "events"
    hostile_signatures "signatures"
    hostile_known_hosts "known_hosts"
    hostile_names "names"
    hostile_provider_zips "provider_zip"
    hostile_provider_zip_entries "provider_zip_entries"
    hostile_packs "pack"
    hostile_pack_entries "pack_entries"
    hostile_custom_resource_events "custom_resource"
    hostile_requests "requests"
    hostile_jobs "jobs"
}
