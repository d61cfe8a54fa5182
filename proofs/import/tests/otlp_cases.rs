//! Spans as others publish them: the examples of OpenTelemetry's conventions for messaging, and those of a client's own
//! interceptor, each with what its authors say happened.

use delivery_import::{Format, Input, Mapping, Options, import};
use delivery_model::history::Recorded;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Question, judge};
use delivery_model::vocab::EventKind;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// A span of a service: its id, its kind, its links (the span, and the message id on the link) and its attributes.
struct Span(&'static str, u64, u64, &'static [(u64, &'static str)], Value);

/// What comes of these spans at rest, where a send that ends without an error was confirmed: messages with their events, and
/// what is broken.
fn check(spans: &[Span], expected: Expect) {
    let attribute = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Number(_) => json!({ "intValue": value.to_string() }),
            _ => json!({ "stringValue": value }),
        };
        json!({ "key": key, "value": value })
    };
    let attributes =
        |value: &Value| -> Vec<Value> { value.as_object().expect("attributes").iter().map(attribute).collect() };
    let context = |id: u64| (format!("{id:032x}"), format!("{id:016x}"));
    let lines = spans.iter().map(|Span(service, id, kind, links, own)| {
        let link = |(id, message): &(u64, &str)| {
            let (trace, span) = context(*id);
            let told = if message.is_empty() { json!({}) } else { json!({ "messaging.message.id": message }) };
            json!({ "traceId": trace, "spanId": span, "attributes": attributes(&told) })
        };
        let (trace, span) = context(*id);
        let links: Vec<Value> = links.iter().map(link).collect();
        let span = json!({
            "traceId": trace, "spanId": span, "name": "a span", "kind": kind, "links": links, "attributes": attributes(own),
            "startTimeUnixNano": (id * 10).to_string(), "endTimeUnixNano": (id * 10 + 5).to_string(), "status": {},
        });
        let resource = json!({ "attributes": attributes(&json!({ "service.name": service })) });
        json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "spans": [span] }] }] }).to_string() + "\n"
    });
    let mapping = Mapping::read("outcome.acked = [\"ended\"]\n", "mapping.toml").expect("it is a mapping");
    let options = Options { quiescent: true, mapping: Some(mapping), ..Options::default() };
    let imported = import(Format::Otlp, &[Input::new("traces.jsonl", lines.collect::<String>())], &options);
    let imported = imported.unwrap_or_else(|error| panic!("{error}"));
    let names = &imported.history.names;
    let event = |it: &Recorded| match it.event.kind {
        EventKind::Submit { message, .. } => Some(format!("submit {}", names.message(message))),
        EventKind::Outcome { message, outcome, .. } => Some(format!("{outcome} {}", names.message(message))),
        EventKind::Deliver { message, group, .. } => {
            Some(format!("deliver {} to {}", names.message(message), names.group(group)))
        }
        EventKind::Effect { message, group, .. } => {
            Some(format!("effect {} in {}", names.message(message), names.group(group)))
        }
        _ => None,
    };
    let mut told: Vec<String> = imported.history.events.iter().filter_map(event).collect();
    let judgement = judge(&imported.history, Question::default());
    told.extend(judgement.violations.iter().map(|it| format!("broken: {} {}", names.message(it.message), it.breach)));
    told.extend(Semantics::ALL.map(|it| format!("{it}: {}", judgement.verdicts.of(it))));
    expected.assert_eq(&(told.join("\n") + "\n"));
}

const PRODUCER: u64 = 4;
const CONSUMER: u64 = 5;
const CLIENT: u64 = 3;
const INTERNAL: u64 = 1;

/// An attribute each of the system, the topic, the operation and the message, as since version 1.24 of the conventions.
fn attributes(system: &str, topic: &str, operation: [&str; 2], message: &str) -> Value {
    let mut all = json!({
        "messaging.system": system, "messaging.destination.name": topic,
        "messaging.operation.name": operation[0], "messaging.operation.type": operation[1],
    });
    match message.parse::<u64>() {
        Ok(count) => all["messaging.batch.message_count"] = count.into(),
        Err(_) => all["messaging.message.id"] = message.into(),
    }
    all
}

/// The conventions' "Topic with multiple consumers": both get the message.
#[test]
fn one_message_that_two_consumers_process_is_delivered_to_both() {
    let of = |operation| attributes("rabbitmq", "T", operation, "a");
    check(
        &[
            Span("producer", 1, PRODUCER, &[], of(["publish", "publish"])),
            Span("consumer1", 2, CONSUMER, &[(1, "")], of(["consume", "process"])),
            Span("consumer2", 3, CONSUMER, &[(1, "")], of(["consume", "process"])),
        ],
        expect![[r#"
            submit a
            acked a
            deliver a to consumer1
            effect a in consumer1
            deliver a to consumer2
            effect a in consumer2
            at-most-once: holds
            at-least-once: holds
            exactly-once: holds
        "#]],
    );
}

/// The conventions' "Batch receiving": one span receives both messages, told by links with ids.
#[test]
fn a_batch_that_is_received_is_a_delivery_of_each_link() {
    let of = |operation, message| attributes("kafka", "Q", operation, message);
    check(
        &[
            Span("producer", 1, PRODUCER, &[], of(["send", "publish"], "a1")),
            Span("producer", 2, PRODUCER, &[], of(["send", "publish"], "a2")),
            Span("consumer1", 3, CONSUMER, &[(1, "a1"), (2, "a2")], of(["poll", "receive"], "2")),
        ],
        expect![[r#"
            submit a1
            acked a1
            submit a2
            acked a2
            deliver a1 to consumer1
            deliver a2 to consumer1
            at-most-once: holds
            at-least-once: holds
            exactly-once: holds
        "#]],
    );
}

/// The conventions' "Batch publishing": two creates, one publish of both, one message to each of two consumers of a group.
#[test]
fn a_batch_that_is_published_is_a_send_of_each_link() {
    let of = |operation, message| attributes("kafka", "Q", operation, message);
    let consumer = |id, links, message| {
        let mut all = of(["poll", "receive"], message);
        all["messaging.consumer.group.name"] = "stock".into();
        Span("consumers", id, CONSUMER, links, all)
    };
    check(
        &[
            Span("producer", 1, PRODUCER, &[], of(["create", "create"], "a1")),
            Span("producer", 2, PRODUCER, &[], of(["create", "create"], "a2")),
            Span("producer", 3, CLIENT, &[(1, ""), (2, "")], of(["send", "publish"], "2")),
            consumer(4, &[(1, "")], "a1"),
            consumer(5, &[(2, "")], "a2"),
        ],
        expect![[r#"
            submit a1
            submit a2
            acked a1
            acked a2
            deliver a1 to stock
            deliver a2 to stock
            at-most-once: holds
            at-least-once: holds
            exactly-once: holds
        "#]],
    );
}

/// Spans of sarama's example of an interceptor: their kind is an attribute, the words are those before version 1.24, and
/// nothing is said of an operation or of consumers.
#[test]
fn spans_whose_kind_is_an_attribute_are_sends() {
    let of = |message| {
        json!({
            "messaging.destination_kind": "topic", "span.otel.kind": "PRODUCER", "messaging.system": "kafka",
            "net.transport": "IP.TCP", "messaging.url": "localhost:9092", "messaging.destination": "default_topic",
            "messaging.message_id": message,
        })
    };
    check(
        &[
            Span("sarama", 1, INTERNAL, &[], of("046bfc6d6db17ed7")),
            Span("sarama", 2, INTERNAL, &[], of("269f5133c0d0116e")),
        ],
        expect![[r#"
            submit 046bfc6d6db17ed7
            acked 046bfc6d6db17ed7
            submit 269f5133c0d0116e
            acked 269f5133c0d0116e
            broken: 046bfc6d6db17ed7 was acked and is lost
            broken: 269f5133c0d0116e was acked and is lost
            at-most-once: unknown
            at-least-once: violated
            exactly-once: violated
        "#]],
    );
}

/// A batch whose messages were made in spans that are not of messaging: each is known by its id alone. Found by fuzzing: it was
/// a panic.
#[test]
fn a_batch_of_messages_that_nothing_else_tells_of_is_imported() {
    let of = attributes("kafka", "Q", ["poll", "receive"], "2");
    check(
        &[
            Span("web", 1, INTERNAL, &[], json!({ "http.request.method": "POST" })),
            Span("consumer", 2, CONSUMER, &[(1, "a1"), (1, "a2")], of),
        ],
        expect![[r#"
            deliver a1 to consumer
            deliver a2 to consumer
            at-most-once: unknown
            at-least-once: unknown
            exactly-once: unknown
        "#]],
    );
}
