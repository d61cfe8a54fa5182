//! Histories in shorthand, so that a test can be a table.
//!
//! Events are parted by commas; the first word says what happened, the rest about what, in any order:
//!
//! ```text
//! submit 1 =red by b, attempt 1, acked 1, deliver 1 @0 in g, effect 1, settle 1 @0, rewind @0, quiescent
//! ```
//!
//! `@` is a position, `=` a payload, `in` a consumer group, `by` a process. A settle is confirmed unless the event is
//! `settle-refused` or `settle-unknown`.

use delivery_model::{
    history::{At, History, Names},
    vocab::{
        Event,
        EventKind::{self, *},
        Fault, GroupId, MessageId, Outcome as Of, PayloadId, Position, SettleOutcome as Settled,
    },
};

/// Reads the shorthand.
pub fn history(text: &str) -> History {
    let mut history = History::default();
    let mut names = Names::default();
    for (step, text) in (0..).zip(text.split(',').map(str::trim).filter(|text| !text.is_empty())) {
        let event = event(text, &mut names);
        history.push(At::Whole(step), event);
    }
    history.names = names;
    history
}

/// What an event is about.
struct About {
    message: MessageId,
    position: Option<Position>,
    payload: Option<PayloadId>,
    group: GroupId,
}

fn event(text: &str, names: &mut Names) -> Event {
    let mut words = text.split_whitespace();
    let what = words.next().expect("an event is not empty");
    let mut about = About { message: MessageId(0), position: None, payload: None, group: GroupId(0) };
    let mut by = if matches!(what, "submit" | "attempt" | "acked" | "refused" | "unknown") { "a" } else { "consumer" };
    while let Some(word) = words.next() {
        match (word.split_at(1), word) {
            (("@", position), _) => about.position = Some(Position(number(position))),
            (("=", payload), _) => about.payload = Some(names.payload_id(payload).unwrap()),
            (_, "in") => about.group = names.group_id(words.next().expect("a group")).unwrap(),
            (_, "by") => by = words.next().expect("a process"),
            _ => about.message = MessageId(number(word)),
        }
    }
    Event { process: names.process_id(by).unwrap(), kind: kind(what, &about) }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word:?} is no number"))
}

fn kind(what: &str, &About { message, position, payload, group }: &About) -> EventKind {
    let outcome = |outcome| Outcome { message, attempt: None, outcome, partition: Default::default(), position };
    let settle = |outcome| Settle { message, group, partition: Default::default(), position, delivery: None, outcome };
    match what {
        "submit" => Submit { message, payload },
        "attempt" => Attempt { message, attempt: None, payload },
        "acked" => outcome(Of::Acked),
        "refused" => outcome(Of::Refused),
        "unknown" => outcome(Of::Unknown),
        "deliver" => Deliver { message, group, partition: Default::default(), position, delivery: None, payload },
        "effect" => Effect { message, group, payload },
        "settle" => settle(Settled::Ok),
        "settle-refused" => settle(Settled::Refused),
        "settle-unknown" => settle(Settled::Unknown),
        "dead-letter" => DeadLetter { message, group },
        "rewind" => {
            Rewind { group, partition: Default::default(), position: position.expect("a rewind has a position") }
        }
        "fault" => EventKind::Fault { fault: Fault::BrokerCrash },
        "heal" => Heal { fault: Fault::BrokerCrash },
        "quiescent" => Quiescent,
        _ => panic!("{what:?} is no event"),
    }
}
