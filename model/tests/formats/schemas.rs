//! The JSON Schemas beside the readers. Whatever a reader takes, its schema takes; whatever a reader refuses, its schema
//! refuses, but for the few things that no schema can say, which are listed here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use delivery_model::history::{EventWord, History, ReadOptions};
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_model::reference::documents;
use delivery_model::schedule::{Schedule, StepWord};
use delivery_model::vocab::Fault;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::strategies;

fn schema(name: &str) -> Validator {
    let documents = documents();
    let document = documents.iter().find(|document| document.name == name).expect("there is such a schema");
    let json = serde_json::from_str(&document.text).expect("a schema is JSON");
    jsonschema::meta::validate(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
    jsonschema::validator_for(&json).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Values that stand beside some limit, or are of the wrong kind.
fn values() -> Vec<Value> {
    let numbers = [0, 1, 2, 64, 65, 255, 256, 1000, 1001, 1_000_000, 1_000_001, 4_294_967_295, 4_294_967_296, u64::MAX];
    let texts = ["", "no-such-word", "a\u{7}", "orders", "unknown"];
    let others = [json!(null), json!(true), json!(-1), json!(0.5), json!([]), json!({}), json!(["a"])];
    let long = [json!("x".repeat(100)), json!("x".repeat(101))];
    numbers.map(Value::from).into_iter().chain(texts.map(Value::from)).chain(others).chain(long).collect()
}

/// The document with one thing changed, in every way: a key left out, an unknown key added, a value replaced.
fn changed(document: &Value, values: &[Value]) -> Vec<Value> {
    let mut all = values.to_vec();
    match document {
        Value::Object(entries) => {
            let with = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut entries = entries.clone();
                change(&mut entries);
                Value::Object(entries)
            };
            all.push(with(&|entries| drop(entries.insert("no-such-key".to_owned(), json!(1)))));
            for (key, value) in entries {
                all.push(with(&|entries| drop(entries.remove(key))));
                let inner = changed(value, values).into_iter();
                all.extend(inner.map(|value| with(&|entries| drop(entries.insert(key.clone(), value.clone())))));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                all.extend(changed(item, values).into_iter().map(|value| {
                    let mut items = items.clone();
                    items[at] = value;
                    Value::Array(items)
                }));
            }
        }
        _ => {}
    }
    all
}

/// Reader and schema agree about the document and all its changes; `unsaid` tells which refusals no schema can make.
fn compare(
    schema: &Validator,
    documents: &[Value],
    values: &[Value],
    read: impl Fn(&Value) -> Result<(), String>,
    unsaid: impl Fn(&str) -> bool,
) {
    let (mut taken, mut refused) = (0, 0);
    for document in documents {
        read(document).unwrap_or_else(|error| panic!("{document}: {error}"));
        for document in std::iter::once(document.clone()).chain(changed(document, values)) {
            match (read(&document), schema.validate(&document)) {
                (Ok(()), Ok(())) => taken += 1,
                (Err(_), Err(_)) => refused += 1,
                (Err(error), Ok(())) if unsaid(&error) => {}
                (Err(error), Ok(())) => panic!("the schema takes {document}, which the reader refuses: {error}"),
                (Ok(()), Err(error)) => panic!("the schema refuses {document}, which the reader takes: {error}"),
            }
        }
    }
    assert!(taken > documents.len() && refused > taken, "{taken} taken, {refused} refused: the changes change little");
}

fn pipeline(json: &Value) -> Result<(), String> {
    Pipeline::from_json(json).map(drop).map_err(|error| error.to_string())
}

fn toml_files(folder: &str) -> Vec<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the folder is there");
    let paths = files.map(|file| file.expect("the entry is readable").path());
    let texts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    texts.map(|path| fs::read_to_string(path).expect("the file is readable")).collect()
}

/// A file as the JSON of the same shape, with nothing added.
fn json_of(toml: &str) -> Value {
    toml::from_str(toml).expect("the file is TOML")
}

/// Presets and the test folders' pipelines, as they are written.
fn pipelines() -> Vec<Value> {
    let folders = ["tests/samples", "tests/samples/pipelines", "../proofs/tests/cases"];
    let files: Vec<String> = folders.into_iter().flat_map(toml_files).collect();
    assert!(files.len() > 20, "the folders have moved");
    presets::ALL.iter().map(|(_, text)| json_of(text)).chain(files.iter().map(|text| json_of(text))).collect()
}

/// Every text that stands in these documents.
fn words(documents: &[Value], words: &mut BTreeSet<String>) {
    for document in documents {
        match document {
            Value::String(text) => drop(words.insert(text.clone())),
            Value::Array(items) => self::words(items, words),
            Value::Object(entries) => self::words(&entries.values().cloned().collect::<Vec<_>>(), words),
            _ => {}
        }
    }
}

#[test]
fn a_pipelines_schema_says_what_its_reader_says() {
    let documents = pipelines();
    let mut known = BTreeSet::new();
    words(&documents, &mut known);
    let values: Vec<Value> = values().into_iter().chain(known.into_iter().map(Value::from)).collect();
    compare(&schema("pipeline.schema.json"), &documents, &values, pipeline, |_| false);
}

fn line(json: &Value) -> Result<(), String> {
    let text = match json.get("format") {
        Some(_) => format!("{json}\n"),
        None => format!("{{\"format\":\"delivery-history\",\"version\":1}}\n{json}\n"),
    };
    History::read(text.as_bytes(), ReadOptions::default()).map(drop).map_err(|error| error.to_string())
}

fn history_lines() -> Vec<Value> {
    let mut lines = Vec::new();
    for folder in ["tests/samples", "tests/samples/histories", "tests/cases/histories"] {
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the folder is there") {
            let path = file.expect("the entry is readable").path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let text = fs::read_to_string(path).expect("the file is readable");
                lines.extend(text.lines().map(|line| serde_json::from_str(line).expect("the line is JSON")));
            }
        }
    }
    assert!(lines.len() > 100, "the folders have moved");
    lines
}

#[test]
fn every_line_of_the_samples_fits_the_schema() {
    let schema = schema("history-line.schema.json");
    for line in history_lines() {
        assert!(schema.is_valid(&line), "{line}");
    }
}

#[test]
fn a_lines_schema_says_what_the_reader_says() {
    let keys = json!({
        "message": 1, "attempt": 1, "group": "g", "topic": "t", "partition": 0, "position": 0, "delivery": 1,
        "outcome": "unknown", "transaction": "t", "fault": "rewind", "payload": "p", "attributes": {},
    });
    let events = EventWord::ALL.map(EventWord::word);
    let least = |event: &str| {
        let mut line = json!({ "at": 1, "process": "a", "event": event });
        for (key, value) in keys.as_object().expect("it is a table") {
            // A key that this event cannot have is left out; one that it can have, or must have, is in.
            let mut with = line.clone();
            with[key] = value.clone();
            if !self::line(&with).is_err_and(|error| error.contains("no other keys")) {
                line = with;
            }
        }
        line
    };
    let mut lines: Vec<Value> = events.into_iter().map(least).collect();
    for event in events {
        // Every key on every event, whether it belongs there or not.
        let line = json!({ "at": 1, "process": "a", "event": event });
        for (key, value) in keys.as_object().expect("it is a table") {
            let mut line = line.clone();
            line[key] = value.clone();
            lines.extend(self::line(&line).is_ok().then_some(line));
        }
    }
    lines.push(json!({ "format": "delivery-history", "version": 1, "level": "effect", "obligation": "acked", "pipeline": "a" }));
    let words = ["acked", "ok", "refused", "effect", "delivery", "submitted", "broker-crash", "settle", "quiescent"];
    let values: Vec<Value> = values().into_iter().chain(words.map(Value::from)).collect();
    let unsaid = |error: &str| error.contains("a second header");
    compare(&schema("history-line.schema.json"), &lines, &values, line, unsaid);
}

fn schedule(json: &Value) -> Result<(), String> {
    Schedule::from_json(&json.to_string()).map(drop).map_err(|error| error.to_string())
}

/// A schedule with so many messages that every message that the schema takes is one of them.
fn with_member(key: &str, member: Value) -> Value {
    let mut document = json!({ "format": "delivery-schedule", "version": 1, "pipeline": {}, "messages": 1_000_000 });
    document[key] = member;
    document
}

fn faults() -> Vec<Value> {
    let at = |fault: Fault, step: StepWord| {
        let mut planned = json!({ "fault": fault.word(), "time": 2 });
        planned[fault.row().strikes.word()] = json!(step.word());
        if step.has_message() {
            planned["message"] = json!(1);
        }
        planned
    };
    let of = |fault: Fault| fault.row().at.iter().map(move |&step| at(fault, step));
    let mut all: Vec<Value> = Fault::ALL.into_iter().flat_map(of).collect();
    for (fault, key) in [("broker-crash", "keeps"), ("rewind", "to")] {
        let mut planned = json!({ "fault": fault, "after": "sync" });
        planned[key] = json!(3);
        all.push(planned);
    }
    all.into_iter().map(|fault| with_member("faults", json!([fault]))).collect()
}

fn orders() -> Vec<Value> {
    let steps = json!([
        { "step": "submit", "message": 1 }, { "step": "sync" }, { "step": "hand-off", "position": 0 },
        { "step": "deliver", "hand": { "position": 0 } }, { "step": "handle", "hand": { "position": 0, "late": true } },
        { "step": "settle", "hand": { "position": 0, "late": 2 } }, { "step": "broker-crash", "keeps": 0 },
        { "step": "consumer-crash", "consumer": 0 }, { "step": "rewind", "position": 0 }, { "step": "producer-crash" },
        { "step": "poison", "message": 1 }, { "step": "time-out", "message": 1 },
    ]);
    let endless = json!([{ "step": "sync" }, { "step": "sync" }]);
    let orders = [json!({ "seed": 1 }), json!({ "steps": steps }), json!({ "steps": endless, "loop": 1 })];
    orders.map(|order| with_member("order", order)).into()
}

#[test]
fn a_schedules_schema_says_what_its_reader_says() {
    let documents: Vec<Value> = faults().into_iter().chain(orders()).collect();
    let steps = StepWord::ALL.map(|step| json!(step.word())).into_iter();
    let values: Vec<Value> =
        values().into_iter().chain(steps).chain(Fault::ALL.map(|fault| json!(fault.word()))).collect();
    // That a message is one of those submitted, and that a loop begins at a step behind the last fault.
    let unsaid = |error: &str| {
        error.contains("as there are") || error.contains("order.loop") || error.contains(".message`: found")
    };
    compare(&schema("schedule.schema.json"), &documents, &values, schedule, unsaid);
}

#[test]
fn a_schedule_of_exact_steps_plans_no_faults() {
    let mut document = with_member("order", json!({ "steps": [] }));
    document["faults"] = json!([{ "fault": "poison", "of": "submit", "message": 1 }]);
    assert!(schedule(&document).is_err() && !schema("schedule.schema.json").is_valid(&document));
}

proptest! {
    #[test]
    fn whatever_is_written_fits_its_schema(
        pipeline in strategies::pipeline(),
        history in strategies::history(),
        schedule in strategies::schedule(),
    ) {
        thread_local! {
            static SCHEMAS: [Validator; 3] =
                ["pipeline.schema.json", "history-line.schema.json", "schedule.schema.json"].map(schema);
        }
        SCHEMAS.with(|[of_pipeline, of_line, of_schedule]| {
            prop_assert!(of_pipeline.is_valid(&serde_json::to_value(&pipeline)?));
            prop_assert!(of_schedule.is_valid(&serde_json::from_str(&schedule.to_json())?), "{}", schedule.to_json());
            let mut text = Vec::new();
            history.write(&mut text)?;
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                prop_assert!(of_line.is_valid(&serde_json::from_slice(line)?), "{}", String::from_utf8_lossy(line));
            }
            Ok(())
        })?;
    }
}
