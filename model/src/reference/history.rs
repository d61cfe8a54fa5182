//! The reference of histories: the header, the events, and the keys of each.

use super::page::{self, GENERATED, code, codes};
use super::schema::{self, any, closed, constant, is_a, number, one_of, said, text, with};
use crate::document::Value;
use crate::history::{self, EventWord, History, Key, ReadOptions};
use crate::pipeline::{Level, Obligation};
use crate::vocab::{Fault, Outcome, SettleOutcome};
use crate::words::Explained;

const INTRODUCTION: &str = r#"# History

A history is what processes did, recorded as JSON Lines: a header, then one event a line, in the order of time.

```
{"format":"delivery-history","version":1}
{"at":1,"process":"producer-0","event":"submit","message":1}
{"at":2,"process":"producer-0","event":"attempt","message":1,"attempt":1}
{"at":5,"process":"producer-0","event":"outcome","message":1,"attempt":1,"outcome":"acked"}
{"at":6,"process":"consumer-0","event":"deliver","message":1,"group":"inventory","position":0,"delivery":1}
{"at":7,"process":"consumer-0","event":"effect","message":1,"group":"inventory"}
{"at":8,"process":"consumer-0","event":"settle","message":1,"group":"inventory","position":0,"outcome":"ok"}
{"at":9,"process":"faults","event":"quiescent"}
```

The [JSON Schema of a line](history-line.schema.json) serves for the header and for the events. It cannot say that the header
comes first, that time never falls, or that every consumer's event names its group as soon as there are several; the
reader refuses these too. A `null` counts as left out. A line has at most 1,048,576 bytes.

"#;

const OTHER_SYSTEMS: &str = r#"
## Histories of other systems

Messages may be named by texts, times may be dates, and each position may stand in a partition of a topic. What else is known goes
into `attributes`: it is shown in stories, and changes no verdict.

```
{"format":"delivery-history","version":1,"level":"effect","groups":{"inventory":{"topics":["orders"]}}}
{"at":"2026-11-27T10:00:00.120Z","process":"shop","event":"submit","message":"9f1c-77","topic":"orders"}
{"at":"2026-11-27T10:00:00.131Z","process":"shop","event":"outcome","message":"9f1c-77","outcome":"acked","topic":"orders","partition":0,"position":12}
{"at":"2026-11-27T10:00:00.188Z","process":"stock","event":"deliver","message":"9f1c-77","group":"inventory","topic":"orders","partition":0,"position":12}
{"at":"2026-11-27T10:00:00.203Z","process":"stock","event":"effect","message":"9f1c-77","group":"inventory","attributes":{"trace":"4bf92f35"}}
{"at":"2026-11-27T10:05:00Z","process":"shop","event":"quiescent"}
```

Of a group with `topics`, the losses of messages whose topic is not on record are unknown.

A record with gaps says in its header what it has completely. Sampled traces may have every outcome of a publish, and not every
delivery: what was seen twice came twice all the same, and what was not seen may have come.

```
{"format":"delivery-history","version":1,"complete":["submit","outcome"]}
{"at":1,"process":"shop","event":"submit","message":1}
{"at":2,"process":"shop","event":"outcome","message":1,"outcome":"acked"}
{"at":3,"process":"shop","event":"quiescent"}
```

## Transactions

An attempt, an effect or a settle may name its `transaction`, which ends with a `commit` or an `abort`. A name may be used again after
that. An outcome belongs to the transaction of the last attempt before it.

| of a transaction | committed | aborted | without an end on record |
| --- | --- | --- | --- |
| an acked attempt | acked at the commit | refused | unknown |
| an attempt without an outcome | acked at the commit | refused at the abort | unknown |
| an effect | made at the commit | none | none, and a loss of the message is unknown |
| a settle, confirmed | confirmed at the commit | refused, and the delivery that it was to settle is none | unknown |

```
{"format":"delivery-history","version":1,"level":"delivery"}
{"at":1,"process":"shop","event":"submit","message":1}
{"at":2,"process":"shop","event":"outcome","message":1,"outcome":"acked"}
{"at":3,"process":"stock","event":"deliver","message":1}
{"at":4,"process":"stock","event":"settle","message":1,"outcome":"ok","transaction":"t"}
{"at":5,"process":"stock","event":"abort","transaction":"t"}
{"at":6,"process":"stock","event":"deliver","message":1}
{"at":7,"process":"shop","event":"quiescent"}
```
"#;

const GROUPS: &str = "the consumer groups that subscribe to some topics only: such a group owes the messages of these \
                      topics; a group that is not named here owes every message";
const COMPLETE: &str = "the kinds of events that are on record without gaps; left out: all. Where others are missing, as \
                        in sampled traces, a verdict that leans on them is unknown";

/// The page for people.
pub(super) fn page() -> String {
    let pipeline = "a pipeline's name, or all its settings ([pipeline](pipeline.md))";
    let header = [
        ("format", format!("`\"{}\"`", history::FORMAT), "must be there"),
        ("version", code(history::VERSION), "must be there"),
        ("pipeline", pipeline.to_owned(), "what was recorded"),
        ("level", codes(Level::ALL.map(Level::word)), "the level at which the history is judged"),
        ("obligation", codes(Obligation::ALL.map(Obligation::word)), "the obligation for which it is judged"),
        ("groups", r#"`{"inventory":{"topics":["orders"]}}`"#.to_owned(), GROUPS),
        ("complete", format!("a list of {}", codes(EventWord::ALL.map(EventWord::word))), COMPLETE),
    ];
    let header = header.map(|(key, value, meaning)| [code(key), value, meaning.to_owned()]);
    let events = EventWord::ALL.map(|event| {
        let (must, may) = keys(event);
        [code(event), codes(must.into_iter().map(Key::word)), codes(may.into_iter().map(Key::word)), meaning(event)]
    });
    let keys = Key::ALL.map(|key| [code(key), key.allowed(), meaning(key)]);
    [
        GENERATED,
        INTRODUCTION,
        "## Header\n\n",
        &page::table(["key", "value", "meaning"], header),
        "\n## Events\n\nEvery line has `at`, `process` and `event`.\n\n",
        &page::table(["event", "must have", "may have", "meaning"], events),
        "\n## Keys\n\n",
        &page::table(["key", "value", "meaning"], keys),
        "\n## Outcomes\n\nOf an attempt (`outcome`):\n\n",
        &outcomes::<Outcome>(),
        "\nOf a `settle`:\n\n",
        &outcomes::<SettleOutcome>(),
        OTHER_SYSTEMS,
    ]
    .concat()
}

fn meaning(word: impl Explained) -> String {
    word.meaning().to_owned()
}

fn outcomes<W: Explained>() -> String {
    page::table(["word", "meaning"], W::ALL.iter().map(|&word| [code(word.word()), meaning(word)]))
}

/// The JSON Schema of one line.
pub(super) fn schema() -> Value {
    any(std::iter::once(header()).chain(EventWord::ALL.map(line)))
}

fn header() -> Value {
    let properties = [
        ("format", constant(history::FORMAT)),
        ("version", schema::table([("const", Value::Integer(history::VERSION.into()))])),
        ("pipeline", any([schema::name(), super::pipeline::schema()])),
        ("level", one_of(Level::ALL.map(Level::word))),
        ("obligation", one_of(Obligation::ALL.map(Obligation::word))),
        (
            "groups",
            schema::map_of(closed([("topics", schema::list_of(history::LISTED_MAX, is_a("string")))], ["topics"])),
        ),
        ("complete", schema::list_of(EventWord::ALL.len(), one_of(EventWord::ALL.map(EventWord::word)))),
    ];
    said(closed(properties, ["format", "version"]), "The header.")
}

/// The line of one kind of event. A key that it does not have may still stand there as `null`.
fn line(event: EventWord) -> Value {
    let (must, may) = keys(event);
    let property = |key: Key| {
        let value = value_of(event, key);
        let value = match (must.contains(&key), may.contains(&key)) {
            (true, _) => said(value, key.meaning()),
            (_, true) => said(any([value, is_a("null")]), key.meaning()),
            _ => is_a("null"),
        };
        (key.word(), value)
    };
    said(closed(Key::ALL.map(property), must.iter().map(|key| key.word())), event.meaning())
}

fn value_of(event: EventWord, key: Key) -> Value {
    match key {
        Key::At => any([is_a("number"), schema::date_time()]),
        Key::Process | Key::Group | Key::Topic | Key::Transaction => schema::shown(),
        Key::Event => constant(event.word()),
        Key::Message => any([number(0, u64::MAX), schema::shown()]),
        Key::Position => number(0, u64::MAX),
        Key::Attributes => is_a("object"),
        Key::Attempt | Key::Delivery => number(0, u32::MAX.into()),
        Key::Partition => any([number(0, u64::MAX), is_a("string")]),
        Key::Outcome => one_of(outcome_words(event)),
        Key::Fault => one_of(Fault::ALL.map(Fault::word)),
        Key::Payload => is_a("string"),
    }
}

/// The keys that an event's line must have, and those that it may have: as the reader takes or refuses them.
fn keys(event: EventWord) -> (Vec<Key>, Vec<Key>) {
    let all: Vec<Key> = Key::EVERYWHERE.iter().chain(event.keys()).copied().chain([Key::Attributes]).collect();
    assert!(is_read(event, &all), "no line of \"{event}\" with {all:?} is read: a sample value is wrong");
    let without = |left_out: Key| all.iter().copied().filter(|key| *key != left_out).collect::<Vec<_>>();
    all.iter().partition(|key| !is_read(event, &without(**key)))
}

fn is_read(event: EventWord, keys: &[Key]) -> bool {
    let line = schema::table(keys.iter().map(|&key| (key.word(), sample(event, key))));
    reads(&line)
}

fn outcome_words(event: EventWord) -> impl Iterator<Item = &'static str> {
    let words = Outcome::ALL.iter().map(|word| word.word()).chain(SettleOutcome::ALL.iter().map(|word| word.word()));
    let mut seen = Vec::new();
    words.filter(move |&word| {
        let keys = Key::EVERYWHERE.iter().chain(event.keys()).map(|&key| match key {
            Key::Outcome => (key.word(), text(word)),
            key => (key.word(), sample(event, key)),
        });
        let is_new = !seen.contains(&word);
        seen.push(word);
        is_new && reads(&schema::table(keys))
    })
}

/// A value that may stand there.
fn sample(event: EventWord, key: Key) -> Value {
    match key {
        Key::At | Key::Message | Key::Attempt | Key::Position | Key::Delivery => Value::Integer(1),
        Key::Process | Key::Group | Key::Topic | Key::Partition | Key::Transaction | Key::Payload => text("a"),
        Key::Attributes => Value::Table(Vec::new()),
        Key::Event => text(event.word()),
        // One of the words that attempts and settles share.
        Key::Outcome => text(Outcome::Unknown.word()),
        Key::Fault => text(Fault::ALL[0].word()),
    }
}

fn reads(line: &Value) -> bool {
    let header = with(
        schema::table([("format", text(history::FORMAT))]),
        schema::table([("version", Value::Integer(history::VERSION.into()))]),
    );
    let json = |value: &Value| serde_json::to_string(value).expect("keys are texts and values are finite");
    let history = format!("{}\n{}\n", json(&header), json(line));
    History::read(history.as_bytes(), ReadOptions::default()).is_ok()
}
