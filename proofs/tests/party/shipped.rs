//! The shipped parties go through the same door as foreign ones, sound and with every seeded bug.

use std::time::Duration;

use delivery_impls::store::simulated::SimulatedOutbox;
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_proofs::mutants::Mutant;
use delivery_proofs::party::shipped::{self, Effects, ShippedBroker, ShippedConsumer, ShippedProducer};
use delivery_proofs::party::{Bounds, Claim, Suite};
use delivery_proofs::simulation::kill_schedules::kill_schedule;

type Seeded = Suite<ShippedProducer<SimulatedOutbox, Mutant>, ShippedBroker<Mutant>, ShippedConsumer<Effects, Mutant>>;

fn suite(pipeline: &Pipeline, mutant: Mutant) -> Seeded {
    let claim = Claim::of(pipeline).lease(Duration::from_secs(30));
    let (producer, broker) = (shipped::producer_with(pipeline, mutant), shipped::broker_with(pipeline, mutant));
    Suite::new(claim, producer, broker, shipped::consumer_with(pipeline, mutant))
}

#[test]
fn the_reference_pipelines_keep_what_they_claim() {
    for name in presets::REFERENCES {
        let pipeline = presets::named(name).expect("it exists");
        let passed = suite(&pipeline, Mutant::None).check(Bounds::default()).unwrap_or_else(|found| panic!("{found}"));
        assert_eq!(passed.rested, passed.bounds.schedules, "{name}: {passed:?}");
        assert_eq!(passed.never_struck().next(), None, "{name}: {passed}");
    }
}

/// Parties have no word by which a consumer sets a message aside or publishes it again.
const NO_WORD: &str = "a party has no word for what follows a failed handler, but to give the delivery back";

/// What does not map to parties that are driven from outside, and why.
const UNMAPPED: [(Mutant, &str); 16] = [
    (Mutant::WorkersIgnored, "a consumer asks for each hand-off, so the broker counts no workers"),
    (Mutant::WorkerNotFreed, "a consumer asks for each hand-off, so the broker counts no workers"),
    (Mutant::RewindReusesLeases, "it needs a rewind"),
    (Mutant::PositionsTakenForInbox, "it needs a rewind"),
    (Mutant::CommitTakenForConfirmation, "the group follows a cursor"),
    (Mutant::CommitsHighest, "the group follows a cursor"),
    (Mutant::FenceIgnored, "the group follows a cursor"),
    (Mutant::CommitsOneTooMany, "the group follows a cursor"),
    (Mutant::DoneKept, "the group follows a cursor"),
    (
        Mutant::EpochsDropped,
        "the copy must come after all else, and a crash when nothing is left but an answer on its way",
    ),
    (
        Mutant::RetentionForgetsSeen,
        "found where settles follow the effect only, and there the model repeats without it",
    ),
    (Mutant::CopyUnsynced, NO_WORD),
    (Mutant::RowsReadByPosition, "a party is handed its messages in the order of their positions"),
    (Mutant::LeasesOfGoneKept, "time ends the leases that the broker keeps"),
    (Mutant::LeaseReused, "it is seeded where a lease is ended by name; from outside, time ends it"),
    (Mutant::InboxBeforeEffect, "no output stands between inbox and effect, after which to crash"),
];

#[test]
fn a_kill_schedule_finds_its_bug_through_the_party_traits() {
    for mutant in Mutant::ALL {
        let kill = kill_schedule(mutant).expect("every bug has one");
        let consumer = &kill.schedule.pipeline.consumer;
        if consumer.rejects_failures() || consumer.requeues_failures() {
            assert!(UNMAPPED.contains(&(mutant, NO_WORD)), "{mutant:?}: its pipeline is none for parties");
            continue;
        }
        let finds = |mutant| suite(&kill.schedule.pipeline, mutant).finds(&kill);
        let (found, innocent) = (finds(mutant).is_some(), finds(Mutant::None));
        match UNMAPPED.iter().find(|(unmapped, _)| *unmapped == mutant) {
            None => {
                assert!(found, "{mutant:?}, {}: not found, and no reason why not", kill.property);
                assert!(innocent.is_none(), "{mutant:?}: the sound parties break it too: {}", innocent.unwrap());
            }
            Some((_, why)) => assert!(!found || innocent.is_some(), "{mutant:?} is found, although \"{why}\""),
        }
    }
}
