//! The producer, met by a broker that never answers, by one that hangs up, and by one that talks nonsense.

use delivery_impls::core::time::{BackOff, Millis};
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::record::{ProducerId, Publish, Reply, Verdict};
use delivery_impls::driver::producer;
use delivery_impls::driver::run::{DriverError, Ended, loopback_tuning};
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::OutboxStore;
use delivery_impls::store::outbox::FileOutbox;
use delivery_model::schedule::StepWord;
use delivery_model::vocab::{Epoch, EventKind, Fault, MessageId, Outcome, Position};

use super::served::{Served, Setup};

/// A producer of so many messages, which leaves this many in its outbox.
fn serve(setup: Setup, messages: u64, leaves: usize) -> Served {
    Served::start(
        setup,
        |_| (),
        move |run, broker| {
            let order = |number| (MessageId(number), Order { sku: Sku(1), quantity: 1 }.encode());
            let ended = producer::produce(run, ProducerId(0), broker, (1..=messages).map(order).collect())?;
            let mut outbox = FileOutbox::open(&run.stores.outbox(ProducerId(0))).expect("nobody else has it");
            assert_eq!(outbox.recover().expect("readable").rows.len(), leaves);
            Ok(ended)
        },
    )
}

impl Served {
    /// Lets it in. Its epoch.
    fn register(&self) -> Epoch {
        let epoch = self.hear_some(|said| match said {
            ToBroker::Register { epoch, .. } => Some(epoch),
            _ => None,
        });
        self.say(&FromBroker::Registered);
        epoch
    }

    fn hear_publish(&self) -> Publish {
        self.hear_some(|said| match said {
            ToBroker::Publish(publish) => Some(publish),
            _ => None,
        })
    }

    fn confirm(&self, publish: &Publish) {
        let (message, attempt) = (publish.record.message, publish.attempt);
        let verdict = Verdict::Acked(Some(Position(message.0)));
        self.say(&FromBroker::Reply(Reply { message, attempt, verdict }));
    }
}

fn outcome(kind: EventKind) -> Option<(MessageId, Outcome)> {
    match kind {
        EventKind::Outcome { message, outcome, .. } => Some((message, outcome)),
        _ => None,
    }
}

/// Once, it went on for ever.
#[test]
fn a_producer_that_is_never_answered_stops_when_it_is_asked_to_and_keeps_what_it_has() {
    let served = serve(Setup::new(""), 1, 1);
    served.register();
    for _ in 0..2 {
        served.hear_publish();
    }
    served.ask_to_leave();
    assert!(matches!(served.ended(), Ok(Ended::Stopped)));
}

#[test]
fn what_is_confirmed_is_over_and_the_application_is_a_few_messages_ahead() {
    let served = serve(Setup::new(""), 6, 0);
    served.register();
    let first = served.hear_publish();
    let submitted = served.events.try_iter().filter(|kind| matches!(kind, EventKind::Submit { .. })).count();
    assert_eq!(submitted, loopback_tuning().ahead);
    served.confirm(&first);
    for _ in 1..6 {
        let publish = served.hear_publish();
        served.confirm(&publish);
    }
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
}

#[test]
fn nothing_is_transmitted_before_the_broker_knows_the_epoch() {
    let served = serve(Setup::new(""), 1, 0);
    let mut before = Vec::new();
    while !matches!(before.last(), Some(ToBroker::Register { .. })) {
        before.push(served.hear());
    }
    assert!(!before.iter().any(|said| matches!(said, ToBroker::Publish(_))));
    served.say(&FromBroker::Registered);
    let publish = served.hear_publish();
    served.confirm(&publish);
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
}

/// Long before its time is over: nobody will answer.
#[test]
fn what_waits_for_a_reply_is_over_when_the_connection_is() {
    let tuning = Tuning {
        reply_timeout: Millis(3_600_000),
        back_off: BackOff { base: Millis(1), max: Millis(1), seed: 0 },
        ..loopback_tuning()
    };
    let mut served = serve(Setup { tuning, ..Setup::new("") }, 1, 0);
    let epoch = served.register();
    let first = served.hear_publish();
    served.hang_up();
    assert_eq!(served.see_some(outcome), (MessageId(1), Outcome::Unknown));
    assert_eq!(served.register(), epoch, "it has not crashed");
    let second = served.hear_publish();
    assert_eq!((second.attempt.0, second.record.identity), (2, first.record.identity));
    served.confirm(&second);
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
}

#[test]
fn a_broker_that_talks_to_it_as_to_a_consumer_is_left_and_called_again() {
    for nonsense in [FromBroker::Left, FromBroker::Rewound] {
        let mut served = serve(Setup::new(""), 1, 0);
        served.register();
        served.say(&nonsense);
        served.accept_again();
        served.register();
        let publish = served.hear_publish();
        served.confirm(&publish);
        assert!(matches!(served.ended(), Ok(Ended::Drained)));
    }
}

#[test]
fn a_broker_that_does_not_let_it_in_ends_it() {
    let served = serve(Setup::new(""), 1, 1);
    served.say(&FromBroker::Denied);
    assert!(matches!(served.ended(), Err(DriverError::Denied { .. })));
    let served = serve(Setup::new(""), 1, 1);
    served.say(&FromBroker::Unfit("broker.dedup".into()));
    assert!(matches!(served.ended(), Err(DriverError::Unfit { reason, .. }) if reason == "broker.dedup"));
}

/// Each comes back as another incarnation, and transmits again what it does not know to be confirmed.
#[test]
fn a_crash_takes_everything_but_the_outbox() {
    for step in [StepWord::Submit, StepWord::Attempt, StepWord::TimeOut] {
        let mut served = serve(Setup::new("").struck_by(Fault::ProducerCrash, step), 1, 0);
        if step != StepWord::Submit {
            served.register();
            served.accept_again();
        }
        let epoch = served.register();
        assert_eq!(epoch, Epoch(1), "{step:?}");
        let seen: Vec<EventKind> = served.events.try_iter().collect();
        assert!(seen.contains(&EventKind::Fault { fault: Fault::ProducerCrash }), "{step:?}: {seen:?}");
        let publish = served.hear_publish();
        served.confirm(&publish);
        assert!(matches!(served.ended(), Ok(Ended::Drained)), "{step:?}");
    }
}

#[test]
fn an_attempt_that_is_lost_is_made_again() {
    let served = serve(Setup::new("").struck_by(Fault::PublishLost, StepWord::Attempt), 1, 0);
    served.register();
    let publish = served.hear_publish();
    assert_eq!(publish.attempt.0, 2);
    served.confirm(&publish);
    assert!(matches!(served.ended(), Ok(Ended::Drained)));
}
