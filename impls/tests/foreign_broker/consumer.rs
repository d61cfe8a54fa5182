//! The consumer, met by a broker that is slow of hearing and hands off again what the consumer has, by one that is far along,
//! by one that does not answer, and by one that talks nonsense.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use delivery_impls::core::delivery::{ConsumerId, DeliveryId, HandOff, Lease, SettleRequest};
use delivery_impls::core::time::{BackOff, Millis};
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{Identity, ProducerId, Record};
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, loopback_tuning};
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::driver::{LOOPBACK, consumer};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::{Change, Covers, EffectStore, Generation};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::StepWord;
use delivery_model::vocab::{DeliveryNumber, Epoch, EventKind, Fault, MessageId, Position, SettleOutcome};

use super::served::{Events, Served, Setup};

/// A consumer that is told of no failure of its stores.
fn serve(toml: &str) -> Served {
    serve_as(Setup::new(toml))
}

/// Waits for an answer longer than any test takes.
fn patient(toml: &str) -> Setup {
    Setup { tuning: Tuning { reply_timeout: Millis(3_600_000), ..loopback_tuning() }, ..Setup::new(toml) }
}

fn serve_as(setup: Setup) -> Served {
    Served::start(setup, |_| (), consumer::consume)
}

/// A consumer whose stores are as they were left.
fn serve_on(toml: &str, leave: impl FnOnce(&Stores)) -> Served {
    Served::start(Setup::new(toml), leave, consumer::consume)
}

impl Served {
    /// Waits until it subscribes: with which hand-offs at work, and having which positions.
    fn subscribed(&self) -> (Vec<DeliveryId>, Positions) {
        self.hear_some(|said| match said {
            ToBroker::Subscribe { hands, has, .. } => Some((hands, has)),
            _ => None,
        })
    }

    /// The messages with an effect, until that of the last one.
    fn effects_until(&self, last: MessageId) -> Vec<MessageId> {
        let mut effects = Vec::new();
        while effects.last() != Some(&last) {
            effects.push(self.see_some(effect));
        }
        effects
    }

    fn hear_settle(&self) -> SettleRequest {
        self.hear_some(|said| match said {
            ToBroker::Settle(request) => Some(request),
            _ => None,
        })
    }

    fn answer(&self, request: SettleRequest) {
        self.say(&FromBroker::Settled { hand: request.hand, outcome: SettleOutcome::Ok });
    }
}

fn effect(kind: EventKind) -> Option<MessageId> {
    match kind {
        EventKind::Effect { message, .. } => Some(message),
        _ => None,
    }
}

/// What came of a settle.
fn settled(kind: EventKind) -> Option<SettleOutcome> {
    match kind {
        EventKind::Settle { outcome, .. } => Some(outcome),
        _ => None,
    }
}

/// The message at this position, whose number is one higher, under this lease.
fn hand_off(position: u64, lease: u32) -> FromBroker {
    let record = Record {
        message: MessageId(position + 1),
        identity: Identity::None,
        producer: ProducerId(0),
        epoch: Epoch(0),
        payload: Order { sku: Sku(1), quantity: 1 }.encode(),
    };
    FromBroker::HandOff(HandOff {
        hand: DeliveryId { position: Position(position), lease: Lease { incarnation: 1, number: lease } },
        consumer: ConsumerId(0),
        generation: Generation(0),
        delivery: Some(DeliveryNumber(lease)),
        record,
    })
}

/// As it does when it has no room for a registration, or when two processes take turns in the same role.
#[test]
fn a_broker_that_hangs_up_at_once_is_called_again_ever_more_slowly() {
    const CALLS: u64 = 12;
    let directory = tempfile::tempdir().expect("a directory");
    let observer = Arc::new(Events(Mutex::new(channel().0)));
    let stores = Stores::in_directory(directory.path());
    let tuning = Tuning { back_off: BackOff { base: Millis(4), max: Millis(4), seed: 0 }, ..loopback_tuning() };
    let run = Run::new(Pipeline::default(), tuning, stores, observer, Deployment::Apart);
    let stop = Arc::clone(&run.stop);
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let consumer = thread::spawn(move || consumer::consume(&run, address));
    #[expect(clippy::disallowed_methods, reason = "it is about waits")]
    let began = Instant::now();
    (0..CALLS).for_each(|_| drop(listener.accept().expect("it calls")));
    // The first cut is like any other; after the others it waits.
    assert!(began.elapsed() >= Duration::from_millis(4 * (CALLS - 2)), "{:?}", began.elapsed());
    stop.store(true, Ordering::Release);
    drop(listener);
    consumer.join().expect("no panic").expect("no failure");
}

/// Every position is handed off three times over, as if its lease had ended while the consumer was at work.
fn takes_nothing_twice(toml: &str) {
    let served = serve(toml);
    served.subscribed();
    for (position, lease) in [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2), (1, 3), (2, 1)] {
        served.say(&hand_off(position, lease));
    }
    assert_eq!(served.effects_until(MessageId(3)), [1, 2, 3].map(MessageId), "{toml}");
    let mut released = Vec::new();
    while released.len() < 4 {
        match served.hear() {
            ToBroker::Release(hand) if hand.lease.number > 1 => released.push((hand.position.0, hand.lease.number)),
            _ => {}
        }
    }
    assert_eq!(released, [(0, 2), (0, 3), (1, 2), (1, 3)], "each one declined is given back: {toml}");
    served.end();
}

#[test]
fn a_consumer_that_follows_its_own_position_takes_nothing_twice() {
    takes_nothing_twice("[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"");
    takes_nothing_twice("[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"\ncommits = \"prefix\"");
    takes_nothing_twice("[consumer]\nremembers = \"nothing\"\ncommits = \"prefix\"");
}

const STORES_ITS_POSITION: &str =
    "[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"\ncommits = \"prefix\"";

/// Once, a consumer that stores its position with its effects counted none of them as finished: after some positions
/// what it was handed waited for room for ever.
#[test]
fn a_consumer_that_stores_its_position_has_room_for_what_comes_next() {
    let served = serve(STORES_ITS_POSITION);
    served.subscribed();
    // A few, and then the last position for which it has room when those are finished.
    let room = loopback_tuning().room;
    for position in (0..32).chain([room + 31]) {
        served.say(&hand_off(position, 1));
        served.effects_until(MessageId(position + 1));
    }
    served.end();
}

/// As before, over a restart with more behind it than there is room for.
#[test]
fn a_consumer_that_comes_back_has_room_beyond_what_it_stored() {
    let served = serve_on(STORES_ITS_POSITION, |stores| {
        let mut inventory = EmbeddedInventory::open(&stores.inventory()).expect("a new one");
        let finished = Some(Covers::Below(Position(9000)));
        inventory.apply(&Change { finished, ..Change::default() }).expect("it is stored");
    });
    served.subscribed();
    served.say(&hand_off(9000, 1));
    served.effects_until(MessageId(9001));
    served.end();
}

/// Position 7 was set aside before this consumer came. Once, it was told so and forgot it, until it was told again.
#[test]
fn a_prefix_reaches_over_what_was_set_aside_ahead_of_it() {
    let served = serve("[consumer]\ncommits = \"prefix\"");
    served.subscribed();
    let mut committed = Positions::below(Position(6));
    committed.insert(Position(7));
    served.say(&FromBroker::Committed(committed));
    served.say(&hand_off(6, 1));
    assert_eq!(served.hear_settle().covers, Covers::Below(Position(8)));
    served.end();
}

#[test]
fn a_settle_that_nobody_answers_is_over_after_a_while_and_nobody_knows() {
    let served =
        serve_as(Setup { tuning: Tuning { reply_timeout: Millis(30), ..loopback_tuning() }, ..Setup::new("") });
    served.subscribed();
    served.say(&hand_off(0, 1));
    let request = served.hear_settle();
    assert_eq!(served.see_some(settled), SettleOutcome::Unknown);
    assert_eq!(served.hear(), ToBroker::Release(request.hand));
    served.end();
}

#[test]
fn each_settle_has_its_own_answer() {
    let mut served = serve_as(patient("[consumer]\nworkers = 2"));
    served.subscribed();
    [0, 1].iter().for_each(|&position| served.say(&hand_off(position, 1)));
    let [first, _] = [(); 2].map(|()| served.hear_settle());
    served.answer(first);
    assert_eq!(served.see_some(settled), SettleOutcome::Ok);
    served.hang_up();
    assert_eq!(served.see_some(settled), SettleOutcome::Unknown, "nobody answers the other");
    served.end();
}

#[test]
fn with_the_settle_first_its_handler_waits_for_the_answer() {
    let served = serve_as(patient("[consumer]\nsettles = \"before-effect\"\nremembers = \"in-memory\""));
    served.subscribed();
    served.say(&hand_off(0, 1));
    let request = served.hear_settle();
    assert!(!request.finishes);
    assert!(served.events.try_iter().all(|kind| effect(kind).is_none()), "it has no answer yet");
    served.answer(request);
    assert_eq!(served.effects_until(MessageId(1)), [MessageId(1)]);
    assert_eq!(served.hear(), ToBroker::Release(request.hand));
    served.end();
}

#[test]
fn what_is_at_work_goes_on_over_a_connection_that_is_cut() {
    let mut served = serve_as(patient("[consumer]\ncommits = \"prefix\""));
    served.subscribed();
    served.say(&hand_off(0, 1));
    served.hear_settle();
    served.hang_up();
    assert_eq!(served.see_some(settled), SettleOutcome::Unknown, "nobody will answer any more");
    assert_eq!(served.subscribed(), (vec![], Positions::below(Position(1))), "it is done, and not committed");
    served.say(&hand_off(1, 1));
    assert_eq!(served.hear_settle().covers, Covers::Below(Position(2)));
    served.end();
}

#[test]
fn a_broker_that_talks_to_it_as_to_somebody_else_is_left_and_called_again() {
    for nonsense in [FromBroker::Registered, FromBroker::Rewound] {
        let mut served = serve("");
        served.subscribed();
        served.say(&nonsense);
        served.accept_again();
        assert_eq!(served.subscribed(), (vec![], Positions::default()));
        served.end();
    }
}

#[test]
fn a_broker_that_does_not_let_it_in_ends_it() {
    let served = serve("");
    served.say(&FromBroker::Denied);
    assert!(matches!(served.ended(), Err(DriverError::Denied { .. })));
    let served = serve("");
    served.say(&FromBroker::Unfit("broker.dedup".into()));
    assert!(matches!(served.ended(), Err(DriverError::Unfit { reason, .. }) if reason == "broker.dedup"));
}

#[test]
fn a_consumer_that_is_asked_to_leave_finishes_what_it_has_and_says_so() {
    let served = serve_as(patient(""));
    served.subscribed();
    served.say(&hand_off(0, 1));
    let request = served.hear_settle();
    served.ask_to_leave();
    assert_eq!(served.hear(), ToBroker::Leave);
    served.say(&FromBroker::Left);
    // Handed off before the broker heard of it.
    served.say(&hand_off(1, 1));
    served.answer(request);
    let request = served.hear_settle();
    served.answer(request);
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
}

/// It looks now and then whether it is asked to leave.
#[test]
fn the_answer_to_a_rewind_is_waited_for_over_one_connection_until_it_is_to_leave() {
    let rewind = || {
        let served = Served::start(
            Setup::new(""),
            |_| (),
            |run, broker| {
                let is_back = consumer::rewind(run, broker, Position(3))?;
                Ok(if is_back { Ended::Drained } else { Ended::Stopped })
            },
        );
        let to = served.hear_some(|said| if let ToBroker::Rewind(to) = said { Some(to) } else { None });
        assert_eq!(to, Position(3));
        served.waits_for(Duration::from_millis(300));
        served
    };
    let served = rewind();
    served.say(&FromBroker::Rewound);
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
    let served = rewind();
    served.ask_to_leave();
    assert!(matches!(served.ended(), Ok(Ended::Stopped)));
}

/// Without its answer, it waits: something may still be on the way.
#[test]
fn a_broker_that_was_not_heard_is_waited_for() {
    let served = serve("");
    served.subscribed();
    served.ask_to_leave();
    assert_eq!(served.hear(), ToBroker::Leave);
    assert!(!served.party.is_finished());
    served.say(&FromBroker::Left);
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
}

/// What a crash finds committed was told before it, and its successor subscribes with nothing at work.
#[test]
fn a_crash_takes_everything_but_what_is_in_the_store() {
    for step in [StepWord::Deliver, StepWord::Handle, StepWord::Settle] {
        let mut served = serve_as(Setup::new("").struck_by(Fault::ConsumerCrash, step));
        served.subscribed();
        served.say(&hand_off(0, 1));
        served.accept_again();
        let seen: Vec<EventKind> = served.events.try_iter().collect();
        let crash = EventKind::Fault { fault: Fault::ConsumerCrash };
        assert_eq!(seen.last(), Some(&crash), "{step:?}");
        let is_told = seen.iter().any(|kind| matches!(kind, EventKind::Deliver { .. }));
        assert!(is_told, "{step:?}: what happened before the crash is told before it");
        let is_committed = step != StepWord::Deliver;
        assert_eq!(seen.iter().any(|kind| effect(*kind).is_some()), is_committed, "{step:?}");
        assert_eq!(served.subscribed(), (vec![], Positions::default()), "{step:?}");
        // And again: what is in the inbox has no second effect.
        served.say(&hand_off(0, 2));
        let request = served.hear_settle();
        served.answer(request);
        let again: Vec<MessageId> = served.events.try_iter().filter_map(effect).collect();
        assert_eq!(again, if is_committed { vec![] } else { vec![MessageId(1)] }, "{step:?}");
        served.end();
    }
}

/// In memory, it is remembered in a step of its own.
#[test]
fn a_crash_after_it_remembered_forgets_it() {
    let setup = Setup::new("[consumer]\nremembers = \"in-memory\"");
    let mut served = serve_as(setup.struck_by(Fault::ConsumerCrash, StepWord::Remember));
    served.subscribed();
    served.say(&hand_off(0, 1));
    served.accept_again();
    served.subscribed();
    served.say(&hand_off(0, 2));
    served.hear_settle();
    let effects: Vec<MessageId> = served.events.try_iter().filter_map(effect).collect();
    assert_eq!(effects, [MessageId(1); 2]);
    served.end();
}

#[test]
fn a_failed_handler_makes_no_effect_and_its_position_is_released_or_skipped() {
    for (on_failure, next) in [("release", 0), ("skip", 1)] {
        let setup = Setup::new(&format!("[consumer]\ncommits = \"prefix\"\non-failure = \"{on_failure}\""));
        let served = serve_as(setup.struck_by(Fault::HandlerFails, StepWord::Handle));
        served.subscribed();
        served.say(&hand_off(0, 1));
        let mut has = Positions::default();
        let released = loop {
            match served.hear() {
                ToBroker::Has(positions) => has = positions,
                ToBroker::Release(hand) => break hand.position,
                said => panic!("{on_failure}: nothing was handled: {said:?}"),
            }
        };
        assert_eq!((released, has.contains(Position(0))), (Position(0), on_failure == "skip"), "{on_failure}");
        // The next handling succeeds.
        served.say(&hand_off(next, 2));
        let request = served.hear_settle();
        assert_eq!(request.covers, Covers::Below(Position(next + 1)), "{on_failure}");
        let seen: Vec<EventKind> = served.events.try_iter().collect();
        assert!(seen.contains(&EventKind::Fault { fault: Fault::HandlerFails }), "{on_failure}: {seen:?}");
        assert_eq!(seen.into_iter().filter_map(effect).collect::<Vec<_>>(), [MessageId(next + 1)], "{on_failure}");
        served.end();
    }
}

#[test]
fn a_settle_that_is_lost_is_awaited_like_any_other() {
    let served = serve_as(Setup::new("").struck_by(Fault::SettleLost, StepWord::Settle));
    served.subscribed();
    served.say(&hand_off(0, 1));
    assert_eq!(served.see_some(settled), SettleOutcome::Unknown);
    let released = served.hear_some(|said| match said {
        ToBroker::Settle(request) => panic!("it is lost: {request:?}"),
        ToBroker::Release(hand) => Some(hand.position),
        _ => None,
    });
    assert_eq!(released, Position(0));
    served.end();
}

/// As many hand-offs as there are workers, of which the last ones finish first or at the same time.
#[test]
fn workers_that_finish_at_once_commit_all_that_they_have() {
    const WORKERS: u64 = 4;
    for toml in ["commits = \"prefix\"", "commits = \"prefix\"\nremembers = \"in-memory\""] {
        let served = serve(&format!("[consumer]\nworkers = {WORKERS}\n{toml}"));
        served.subscribed();
        let mut committed = 0;
        for round in 0..20 {
            let first = round * WORKERS;
            (first..first + WORKERS).rev().for_each(|position| served.say(&hand_off(position, 1)));
            while committed < first + WORKERS {
                let request = served.hear_settle();
                let Covers::Below(end) = request.covers else { panic!("{request:?}") };
                committed = committed.max(end.0);
                served.answer(request);
                served.say(&FromBroker::Committed(Positions::below(Position(committed))));
            }
        }
        let effects: Vec<MessageId> = served.events.try_iter().filter_map(effect).collect();
        assert_eq!(effects.len() as u64, 20 * WORKERS, "each once");
        served.end();
    }
}

/// Position 1 is ahead of a hole when it is stored, and counts once the hole is closed.
#[test]
fn a_stored_prefix_has_what_was_finished_ahead_of_it() {
    let mut served = serve(STORES_ITS_POSITION);
    served.subscribed();
    for position in [1, 0] {
        served.say(&hand_off(position, 1));
        served.effects_until(MessageId(position + 1));
    }
    served.hear_some(|said| (said == ToBroker::Has(Positions::below(Position(2)))).then_some(()));
    let release = |said| matches!(said, ToBroker::Release(hand) if hand.position == Position(0)).then_some(());
    served.hear_some(release);
    served.hang_up();
    assert_eq!(served.subscribed(), (vec![], Positions::below(Position(2))));
    served.end();
}

/// What others have settled moves the window on, so that what comes after it is not too far ahead.
#[test]
fn what_is_committed_without_a_workers_doing_makes_room() {
    let served = serve_as(patient("[consumer]\ncommits = \"prefix\""));
    served.subscribed();
    let far = 3 * loopback_tuning().room;
    for (committed, position) in [(0, 0), (far, far), (far, far + 1)] {
        served.say(&FromBroker::Committed(Positions::below(Position(committed))));
        served.say(&hand_off(position, 1));
        assert_eq!(served.hear_settle().covers, Covers::Below(Position(position + 1)));
    }
    served.end();
}
