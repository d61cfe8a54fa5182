//! The reference of schedules: the document, the faults with the points at which they strike, and the steps.

use super::page::{self, GENERATED, code, codes};
use super::schema::{self, any, closed, constant, is_a, list_of, number, one_of, said, table, text, with};
use crate::document::Value;
use crate::numbers::whole_number;
use crate::schedule::{
    FAULTS_LIMIT, FORMAT, MESSAGES_LIMIT, PlannedFault, Point, STEPS_LIMIT, Schedule, StepWord, TIME_LIMIT, VERSION,
};
use crate::vocab::{Fault, MessageId};

const INTRODUCTION: &str = r#"# Schedule

A schedule is one run of a pipeline, told so that every world can replay it: one JSON document. Its faults strike at
logical points ("the ack of message 2, first time"), never at times of a clock.

```json
{
  "format": "delivery-schedule",
  "version": 1,
  "pipeline": { "name": "orders" },
  "messages": 2,
  "faults": [
    { "fault": "publish-ack-lost", "of": "ack", "message": 2 },
    { "fault": "broker-crash", "after": "append", "message": 1, "keeps": 1 }
  ],
  "order": { "seed": 7 }
}
```

The [JSON Schema](schedule.schema.json) cannot say that a message must be one of those submitted, nor that a loop must begin
behind the last fault; the reader refuses these too.

"#;

/// The keys that only some steps have, with what may stand there.
fn step_keys() -> [(&'static str, Value, &'static str); 5] {
    let late = any([is_a("boolean"), number(0, u8::MAX.into())]);
    let hand = closed([("position", number(0, u64::MAX)), ("late", late)], ["position"]);
    [
        ("message", number(1, MESSAGES_LIMIT.into()), "Which message."),
        ("position", number(0, u64::MAX), "Which place in the log, counted from 0."),
        (
            "hand",
            hand,
            "Which hand-off: its position, and `late` where its lease has ended: `true`, or which of the late ones of its position, counted from 1.",
        ),
        ("keeps", number(0, u64::MAX), "How many records of the log survive, at least the synced ones."),
        ("consumer", number(0, u8::MAX.into()), "Which consumer of the group: 0, or 1 where leases expire."),
    ]
}

/// The page for people.
pub(super) fn page() -> String {
    let messages = whole_number(1, MESSAGES_LIMIT);
    let document = [
        ("format", format!("`\"{FORMAT}\"`"), "must be there"),
        ("version", code(VERSION), "must be there"),
        (
            "pipeline",
            "settings, as in a [pipeline](pipeline.md)".to_owned(),
            "must be there; its budgets do not bind the schedule",
        ),
        ("messages", messages, "how many messages the application submits, numbered from 1; must be there"),
        (
            "faults",
            format!("a list of at most {FAULTS_LIMIT}"),
            "the faults that strike, in no particular order; none, if left out",
        ),
        (
            "order",
            "`seed`, or `steps`, or `steps` and `loop`".to_owned(),
            "in which order the steps happen; seed 0, if left out",
        ),
    ];
    let order = [
        (
            "seed",
            whole_number(0, u64::MAX),
            "whoever runs it chooses among the enabled steps, pseudo-randomly from this seed",
        ),
        (
            "steps",
            format!("a list of at most {STEPS_LIMIT}"),
            "these steps and no others; the faults stand among them, and `faults` is empty",
        ),
        (
            "loop",
            "a whole number".to_owned(),
            "the steps from this one on (counted from 0) are repeated for ever; no fault is among them",
        ),
    ];
    let rows = |rows: &[(&str, String, &str)]| -> Vec<[String; 3]> {
        rows.iter().map(|(key, value, meaning)| [code(key), value.clone(), (*meaning).to_owned()]).collect()
    };
    let faults = Fault::ALL.map(|fault| {
        let (strikes, steps) = (fault.row().strikes, fault.row().at);
        let steps = match steps.len() == StepWord::ALL.len() {
            true => "any step".to_owned(),
            false => codes(steps.iter().map(|step| step.word())),
        };
        [code(fault), code(strikes.word()), steps, codes(details(fault)), fault.meaning().to_owned()]
    });
    let steps = steps().map(|(word, meaning)| [code(word), codes(keys_of(word)), meaning.to_owned()]);
    let keys = step_keys().map(|(key, _, meaning)| [code(key), meaning.to_owned()]);
    [
        GENERATED,
        INTRODUCTION,
        "## Document\n\n",
        &page::table(["key", "value", "meaning"], rows(&document)),
        "\n### `order`\n\n",
        &page::table(["key", "value", "meaning"], rows(&order)),
        "\n## Faults\n\nA fault has `fault`; `of` or `after` with the step at which it strikes; `message`, unless that step is a sync; and may\n\
         have `time`, which counts such steps: 1 is the first, and is meant if left out. A fault `of` a step befalls what the step sends, or the step\n\
         itself; a fault `after` a step comes right after it. `keeps` says how many unsynced records survive, none if left out;\n\
         `to` is the position to which the group is reset, 0 if left out.\n\n",
        &page::table(["fault", "key", "steps", "more keys", "meaning"], faults),
        "\n## Steps\n\nA step of `steps` has `step` and the keys that are listed. Faults are steps too.\n\n",
        &page::table(["step", "keys", "meaning"], steps),
        "\n",
        &page::table(["key", "meaning"], keys),
    ]
    .concat()
}

/// The JSON Schema of the document.
pub(super) fn schema() -> Value {
    let properties = [
        ("format", constant(FORMAT)),
        ("version", table([("const", Value::Integer(VERSION.into()))])),
        ("pipeline", super::pipeline::schema()),
        ("messages", number(1, MESSAGES_LIMIT.into())),
        ("faults", list_of(FAULTS_LIMIT, any(Fault::ALL.into_iter().flat_map(fault)))),
        ("order", order()),
    ];
    let is_exact = table([
        ("required", schema::list([text("order")])),
        ("properties", table([("order", table([("required", schema::list([text("steps")]))]))])),
    ]);
    let no_faults = table([("properties", table([("faults", table([("maxItems", Value::Integer(0))]))]))]);
    let document = closed(properties, ["format", "version", "pipeline", "messages"]);
    with(document, table([("if", is_exact), ("then", no_faults)]))
}

/// A planned fault: with the message where its step is about one, without where it is a sync.
fn fault(fault: Fault) -> Vec<Value> {
    let (strikes, steps) = (fault.row().strikes, fault.row().at);
    let with_steps = |of_message: bool| {
        let steps: Vec<_> =
            steps.iter().filter(|step| step.has_message() == of_message).map(|step| step.word()).collect();
        let mut properties = vec![("fault", constant(fault.word())), (strikes.word(), one_of(steps.clone()))];
        let mut required = vec!["fault", strikes.word()];
        if of_message {
            properties.push(("message", number(1, MESSAGES_LIMIT.into())));
            required.push("message");
        }
        properties.push(("time", number(1, TIME_LIMIT.into())));
        properties.extend(details(fault).into_iter().map(|key| (key, number(0, u64::MAX))));
        (!steps.is_empty()).then(|| said(closed(properties, required), fault.meaning()))
    };
    [true, false].into_iter().filter_map(with_steps).collect()
}

fn order() -> Value {
    let steps = list_of(STEPS_LIMIT, any(steps().map(|(word, meaning)| said(step(word), meaning))));
    let repeats = number(0, STEPS_LIMIT as u64 - 1);
    any([closed([("seed", number(0, u64::MAX))], ["seed"]), closed([("steps", steps), ("loop", repeats)], ["steps"])])
}

fn step(word: &'static str) -> Value {
    let keys = keys_of(word);
    let mut properties = vec![("step", constant(word))];
    properties
        .extend(step_keys().into_iter().filter(|(key, ..)| keys.contains(key)).map(|(key, value, _)| (key, value)));
    closed(properties, std::iter::once("step").chain(keys))
}

/// Every step's word and meaning, faults last.
fn steps() -> impl Iterator<Item = (&'static str, &'static str)> {
    let moves = StepWord::ALL.into_iter().map(|step| (step.word(), step.meaning()));
    moves.chain(Fault::ALL.into_iter().map(|fault| (fault.word(), fault.meaning())))
}

/// The keys that a step has beside `step`: the fewest with which the reader takes it.
fn keys_of(word: &str) -> Vec<&'static str> {
    let samples =
        [("message", "1"), ("position", "0"), ("hand", r#"{"position":0}"#), ("keeps", "0"), ("consumer", "0")];
    let mut subsets: Vec<u32> = (0..1 << samples.len()).collect();
    subsets.sort_by_key(|subset| subset.count_ones());
    let chosen =
        |subset: u32| samples.iter().enumerate().filter(move |(at, _)| subset & 1 << at != 0).map(|(_, key)| *key);
    let is_read = |subset: &u32| {
        let keys: String = chosen(*subset).map(|(key, value)| format!(r#","{key}":{value}"#)).collect();
        reads(&format!(r#""order":{{"steps":[{{"step":"{word}"{keys}}}]}}"#))
    };
    let fewest = subsets.into_iter().find(is_read);
    let fewest = fewest.unwrap_or_else(|| panic!("no keys make a step of \"{word}\": a key is missing here"));
    chosen(fewest).map(|(key, _)| key).collect()
}

/// The keys that only this kind of planned fault has, as the reader takes or refuses them.
fn details(fault: Fault) -> Vec<&'static str> {
    let at = Point { step: fault.row().at[0], message: Some(MessageId(1)), nth: 1 };
    let planned = serde_json::to_string(&PlannedFault::new(fault, at)).expect("keys are texts and values are finite");
    let with_key = |key: &&str| {
        let fault = planned.trim_end_matches('}');
        reads(&format!(r#""faults":[{fault},"{key}":0}}]"#))
    };
    ["keeps", "to"].into_iter().filter(with_key).collect()
}

/// Whether a schedule of one message with this member is read.
fn reads(member: &str) -> bool {
    let head = format!(r#""format":"{FORMAT}","version":{VERSION},"pipeline":{{}},"messages":1"#);
    Schedule::from_json(&format!("{{{head},{member}}}")).is_ok()
}
