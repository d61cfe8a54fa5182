//! What a pipeline promises about whole runs, with answers worked out by hand: what was begun ends, whatever the faults
//! within their budgets; and a message that nobody can handle shows who blocks whom.

use std::cell::Cell;

use delivery_model::check::graph::Progress;
use delivery_model::check::{Claim, EndlessRun, Limits, LivenessFinding, Protocol, Shares, liveness};
use delivery_model::pipeline::*;
use delivery_model::presets;
use delivery_model::semantics::{Doubt, Verdict};
use delivery_model::spec::Spec;
use delivery_model::story::{Ink, Story};
use delivery_model::vocab::{DeliveryRef, Fault, MessageId, Move, Position, Step, Strike};
use expect_test::expect;

/// The exactly-once reference with some settings changed, under these faults, each once.
fn pipeline(faults: &[Fault], change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.faults = FaultBudget::once_each(faults.iter().copied());
    change(&mut pipeline);
    pipeline
}

fn findings(pipeline: &Pipeline) -> Vec<LivenessFinding> {
    assert!(pipeline.means_something(), "a user may write it");
    liveness(pipeline, Claim::of(pipeline), Limits::default(), &|_| true).expect("two messages fit")
}

fn finding(pipeline: &Pipeline, claim: Claim) -> LivenessFinding {
    findings(pipeline).into_iter().find(|finding| finding.claim == claim).expect("it is claimed")
}

/// The claim holds, and needs no fairer shares than these.
fn holds(pipeline: &Pipeline, claim: Claim, shares: Shares) {
    let finding = finding(pipeline, claim);
    assert_eq!((finding.verdict, finding.shares), (Verdict::Holds, shares), "{claim}: {:#?}", finding.broken_by);
}

/// The claim is broken, by a story of so many messages and steps; what it then does for ever is told.
fn broken(pipeline: &Pipeline, claim: Claim, (messages, stem): (u32, usize), cycle: &[Step]) -> EndlessRun {
    let finding = finding(pipeline, claim);
    assert_eq!(finding.verdict, Verdict::Violated, "{claim}");
    let run = finding.broken_by.expect("a broken claim has a run that breaks it");
    assert_eq!((run.messages, run.stem.len(), &*run.cycle), (messages, stem, cycle), "{claim}: {run:#?}");
    run
}

/// The broker hands the position off, its handler fails, and so again.
fn fails_for_ever(position: u64) -> [Step; 3] {
    let hand = DeliveryRef { position: Position(position), late: 0 };
    [
        Step::Move(Move::HandOff { position: hand.position }),
        Step::Move(Move::Deliver { hand }),
        Step::Move(Move::Handle { hand }),
    ]
}

#[test]
fn what_the_references_begin_ends_whatever_the_usual_faults() {
    for name in presets::REFERENCES {
        let pipeline = presets::named(name).expect("a reference");
        for finding in findings(&pipeline) {
            assert_eq!((finding.verdict, finding.shares), (Verdict::Holds, Shares::Any), "{name}: {finding:#?}");
        }
    }
}

#[test]
fn who_may_lose_does_not_promise_that_messages_arrive() {
    let claims = |pipeline: &Pipeline| findings(pipeline).iter().map(|it| it.claim).collect::<Vec<_>>();
    let at_most_once = presets::named("at-most-once").expect("a reference");
    assert_eq!(claims(&at_most_once), [Claim::Resolves, Claim::HandsOff]);
    assert_eq!(claims(&pipeline(&[Fault::Poison], |_| {})), Claim::ALL);
}

/// A loss is possible at every attempt, as often as the budget lasts; after that, none is.
#[test]
fn retries_end_because_faults_do() {
    let lossy = |times| {
        let mut lossy = pipeline(&[], |_| {});
        lossy.faults = FaultBudget::NONE.with(Fault::PublishLost, times).with(Fault::SettleLost, times);
        lossy
    };
    for claim in [Claim::Resolves, Claim::Arrives, Claim::HandsOff] {
        holds(&lossy(3), claim, Shares::Any);
    }
}

#[test]
fn a_producer_that_hears_nothing_gives_up_after_its_attempts() {
    let silent = pipeline(&[Fault::PublishLost], |it| {
        (it.producer.attempts, it.broker.acks) = (Attempts::AtMost(2), Acks::Never);
        it.obligation = Obligation::Submitted;
    });
    holds(&silent, Claim::Resolves, Shares::Any);
}

/// The run ends, and it ends too early: what safety calls lost, at its shortest.
#[test]
fn a_message_that_is_lost_never_arrives() {
    let lossy = pipeline(&[Fault::BrokerCrash], |it| it.broker.acks = Acks::OnReceipt);
    let run = broken(&lossy, Claim::Arrives, (1, 5), &[]);
    assert_eq!(run.stem.last(), Some(&Step::Fault(Strike::BrokerCrash { keeps: 0 })));
    holds(&lossy, Claim::Resolves, Shares::Any);
}

#[test]
fn a_lease_that_ends_too_early_leaves_the_message_deliverable() {
    for commits in [Commits::Each, Commits::Prefix] {
        let mut expiring = pipeline(&[Fault::LeaseExpiry, Fault::DeliveryLost], |_| {});
        expiring.consumer.commits = commits;
        holds(&expiring, Claim::HandsOff, Shares::Any);
        holds(&expiring, Claim::Arrives, Shares::Any);
    }
}

#[test]
fn without_a_limit_a_poison_message_is_delivered_for_ever() {
    broken(&pipeline(&[Fault::Poison], |_| {}), Claim::Arrives, (1, 8), &fails_for_ever(0));
}

#[test]
fn with_a_limit_a_poison_message_becomes_a_dead_letter() {
    let limited = pipeline(&[Fault::Poison], |it| it.broker.max_deliveries = 2);
    for claim in Claim::ALL {
        holds(&limited, claim, Shares::Any);
    }
}

/// The broker hands the oldest position off first, so that a single worker never gets to the next.
#[test]
fn a_single_worker_that_fails_for_ever_blocks_every_other_message() {
    let run = broken(&pipeline(&[Fault::Poison], |_| {}), Claim::PoisonBlocksNone, (2, 15), &fails_for_ever(0));
    assert_eq!(run.message, MessageId(2));
    let cursor = pipeline(&[Fault::Poison], |it| it.consumer.commits = Commits::Prefix);
    broken(&cursor, Claim::PoisonBlocksNone, (2, 15), &fails_for_ever(0));
}

#[test]
fn a_second_worker_gets_past_a_poison_message_if_shares_are_fair() {
    for commits in [Commits::Each, Commits::Prefix] {
        let mut two = pipeline(&[Fault::Poison], |it| it.consumer.workers = 2);
        two.consumer.commits = commits;
        holds(&two, Claim::PoisonBlocksNone, Shares::Fair);
        broken(&two, Claim::Arrives, (1, 8), &fails_for_ever(0));
    }
}

/// Two copies of the poison message, and one worker that never gets to the second: it blocks itself, but nobody else.
#[test]
fn a_poison_message_that_blocks_itself_blocks_no_other() {
    let twice = pipeline(&[Fault::Poison, Fault::PublishAckLost], without_identity);
    let limits = Limits { messages: 1, ..Limits::default() };
    let findings = liveness(&twice, Claim::of(&twice), limits, &|_| true).expect("one message fits");
    let verdicts: Vec<_> = findings.iter().map(|finding| (finding.claim, finding.verdict)).collect();
    let (kept, broken) = (Verdict::Holds, Verdict::Violated);
    let expected = [kept, broken, kept, kept];
    assert_eq!(verdicts, Claim::ALL.into_iter().zip(expected).collect::<Vec<_>>());
}

fn without_identity(pipeline: &mut Pipeline) {
    (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::None, Dedup::None);
}

/// Without dedup, a retry stores the poison message twice: its two copies take both workers.
#[test]
fn two_copies_of_a_poison_message_block_two_workers() {
    let twice = pipeline(&[Fault::Poison, Fault::PublishAckLost], |it| {
        without_identity(it);
        it.consumer.workers = 2;
    });
    let finding = finding(&twice, Claim::PoisonBlocksNone);
    let run = finding.broken_by.expect("both workers fail for ever");
    assert_eq!((run.messages, run.message), (2, MessageId(2)));
    let handed_off = |place| run.cycle.contains(&Step::Move(Move::HandOff { position: Position(place) }));
    assert_eq!([handed_off(0), handed_off(1), handed_off(2)], [true, true, false]);
}

/// Settled before it is handled, a poison message fails once and is gone.
#[test]
fn what_is_settled_first_cannot_block() {
    let first = pipeline(&[Fault::Poison], |it| it.consumer.settles = Settles::BeforeEffect);
    holds(&first, Claim::PoisonBlocksNone, Shares::Any);
    broken(&first, Claim::Arrives, (1, 13), &[]);
}

#[test]
fn a_search_that_is_cut_claims_nothing() {
    let reference = presets::named("exactly-once").expect("a reference");
    let limits = Limits { states_max: 1_000, ..Limits::default() };
    for finding in liveness(&reference, Claim::of(&reference), limits, &|_| true).expect("two messages fit") {
        assert_eq!(finding.verdict, Verdict::Unknown(Doubt::BoundCut), "{}", finding.claim);
    }
    // A budget beyond what a state can count is such a cut too.
    let beyond = pipeline(&[], |it| it.faults = FaultBudget::NONE.with(Fault::DedupForgotten, 16));
    assert_eq!(finding(&beyond, Claim::Resolves).verdict, Verdict::Unknown(Doubt::BoundCut));
}

/// Of a search that is stopped once it has seen everything, what it saw is told, and the shortest of it.
#[test]
fn a_stop_leaves_the_shortest_story_that_was_seen() {
    let lossy = pipeline(&[Fault::BrokerCrash], |it| it.broker.acks = Acks::OnReceipt);
    let walks = Cell::new(0);
    let first_walk_only = |progress: &Progress| {
        walks.set(walks.get() + u32::from(progress.expanded == 0));
        walks.get() == 1
    };
    let findings = liveness(&lossy, Claim::of(&lossy), Limits::default(), &first_walk_only).expect("two messages fit");
    let run = findings.into_iter().find_map(|finding| finding.broken_by).expect("the whole graph was seen");
    assert_eq!((run.messages, run.message, run.stem.len()), (2, MessageId(1), 5), "{run:#?}");
}

/// The run is the protocol's, step by step; its cycle leads back to where it began; and the Explorer can show the stem.
#[test]
fn the_story_of_a_broken_promise_is_a_run_that_closes() {
    let poisoned = pipeline(&[Fault::Poison, Fault::PublishLost], |_| {});
    let protocol = Protocol::new(&poisoned, 2).expect("two messages fit");
    for finding in findings(&poisoned) {
        let Some(run) = finding.broken_by else { continue };
        let path = [&*run.stem, &*run.cycle].concat();
        let link = protocol.explorer_link(&path).expect("each step is offered where it is taken");
        assert!(link.starts_with(&protocol.explorer_link(&run.stem).expect("so is each of the stem")));
        let states: Vec<_> = protocol.along(&path).map(|moment| moment.state).collect();
        assert_eq!(states[run.stem.len()], states[path.len()], "{}", finding.claim);
    }
    let alien = [Step::Move(Move::HandOff { position: Position(0) })];
    assert_eq!(protocol.explorer_link(&alien), None);
}

#[test]
fn a_story_without_an_end_is_told_as_stem_and_loop() {
    let poisoned = pipeline(&[Fault::Poison], |_| {});
    let told = |claim| {
        let run = finding(&poisoned, claim).broken_by.expect("it is broken");
        let spec = Spec::new(&poisoned, run.messages).expect("they fit");
        Story::of(&spec, &[&*run.stem, &*run.cycle].concat()).endless(run.stem.len()).text(Ink::Plain, 80)
    };
    expect![[r#"
            order service              broker                     inventory service
          1 │                          │                          ✗ order 1 will fail
            │                          │                          │ its handler every
            │                          │                          │ time
          2 ● submits order 1          │                          │
          3 ├─────── publish 1 ───────▶│                          │
          4 │                          ● receives 1               │
          5 │                          ● appends 1                │
          6 │                          ● syncs                    │
          7 │◀───────── ack 1 ─────────┤                          │
          8 ● learns: acked 1          │                          │
        loop: for ever from here on
          9 │                          ├ deliver 1 (position 0) ─▶│
         10 │                          │                          ● receives 1
         11 │                          │                          ● fails to handle 1
    "#]]
    .assert_eq(&told(Claim::Arrives));
}
