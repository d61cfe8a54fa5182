//! The examples, imported and judged: what the report says, and the verdicts.

use std::fmt::Write;
use std::path::Path;

use delivery_import::{Format, Imported, Input, Mapping, Options, Table, import, recognise};
use delivery_model::semantics::{Question, judge};
use expect_test::{Expect, expect};

fn example(name: &str) -> Input {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    Input::new(name, std::fs::read(path).expect("the example is readable"))
}

fn imported(names: &[&str], options: &Options) -> Imported {
    let inputs: Vec<Input> = names.iter().map(|name| example(name)).collect();
    let format = recognise(&inputs[0].bytes).expect("the format is recognised");
    assert!(inputs.iter().all(|input| recognise(&input.bytes) == Some(format)), "all files have one format");
    import(format, &inputs, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The verdicts, what is broken and what contradicts itself.
fn judged(Imported { history, report }: &Imported) -> String {
    let judgement = judge(history, Question::default());
    let mut told = format!("{report}\n");
    for semantics in delivery_model::pipeline::Semantics::ALL {
        writeln!(told, "{semantics}: {}", judgement.verdicts.of(semantics)).expect("a text takes it");
    }
    for it in &judgement.violations {
        writeln!(told, "{}: {} {}", it.property, history.names.message(it.message), it.breach)
            .expect("a text takes it");
    }
    for it in &judgement.contradictions {
        writeln!(told, "contradiction: {}", it.told(&history.names)).expect("a text takes it");
    }
    told
}

fn check(names: &[&str], expected: Expect) {
    expected.assert_eq(&judged(&imported(names, &Options::default())));
}

#[test]
fn a_drained_queue_that_gave_everything_back_shows_exactly_once() {
    check(
        &["jepsen/queue-good.edn"],
        expect![[r#"
        jepsen: 8 operations read, 9 events made
        at-most-once: holds
        at-least-once: holds
        exactly-once: holds
    "#]],
    );
}

#[test]
fn a_drained_queue_that_keeps_an_acked_value_lost_it() {
    check(
        &["jepsen/queue-lost.txt"],
        expect![[r#"
            jepsen: 12 operations read, 12 events made
            at-most-once: holds
            at-least-once: violated
            exactly-once: violated
            acked-not-lost: 2 was acked and is lost
        "#]],
    );
}

#[test]
fn a_value_that_is_dequeued_twice_is_a_duplicate() {
    check(
        &["jepsen/queue-duplicate.edn"],
        expect![[r#"
            jepsen: 8 operations read, 6 events made
              left out: dequeues that found nothing (1)
            at-most-once: violated
            at-least-once: holds
            exactly-once: violated
            no-duplicate-delivery: 1 was delivered again
        "#]],
    );
}

#[test]
fn consumers_that_read_a_log_again_by_assignment_make_no_duplicates() {
    check(
        &["jepsen/kafka-good.txt"],
        expect![[r#"
            jepsen: 14 operations read, 14 events made
              left out: polls of what was polled before, by another assignment or a transaction that did not commit (2)
            at-most-once: holds
            at-least-once: holds
            exactly-once: holds
        "#]],
    );
}

#[test]
fn an_acked_send_that_polls_passed_is_lost_and_one_beyond_them_is_not() {
    check(
        &["jepsen/kafka-lost.edn"],
        expect![[r#"
            jepsen: 8 operations read, 16 events made
              left out: acks beyond what was read of their logs: they count as unknown (1)
            at-most-once: holds
            at-least-once: violated
            exactly-once: violated
            acked-not-lost: orders/2 was acked and is lost
        "#]],
    );
}

#[test]
fn a_send_that_is_acked_at_one_offset_and_polled_at_another_is_a_duplicate() {
    check(
        &["jepsen/kafka-duplicate.edn"],
        expect![[r#"
            jepsen: 4 operations read, 6 events made
              note: deliveries by the process `log` are inferred: acked at one offset, polled at another (1)
            at-most-once: violated
            at-least-once: holds
            exactly-once: violated
            no-duplicate-delivery: a/1 was delivered again
        "#]],
    );
}

#[test]
fn a_failed_send_that_is_polled_is_an_aborted_read() {
    check(
        &["jepsen/kafka-aborted-read.edn"],
        expect![[r#"
            jepsen: 4 operations read, 7 events made
            at-most-once: holds
            at-least-once: holds
            exactly-once: holds
            refused-not-delivered: b/1 was delivered although every attempt was refused
        "#]],
    );
}

#[test]
fn a_record_that_is_never_delivered_is_lost() {
    check(
        &["csv/lost.csv"],
        expect![[r#"
            csv: 8 records read, 8 events made
            at-most-once: holds
            at-least-once: violated
            exactly-once: violated
            acked-not-lost: A-18 was acked and is lost
        "#]],
    );
}

#[test]
fn a_table_with_columns_and_words_of_its_own_shows_its_duplicate() {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let columns = pairs(&[("at", "time"), ("event", "what"), ("message", "id"), ("process", "service")]);
    let words = pairs(&[("submit", "sent"), ("acked", "ok"), ("deliver", "got"), ("effect", "done")]);
    let options = Options { quiescent: true, table: Table { header: None, columns, words }, ..Options::default() };
    let imported = import(Format::Csv, &[example("csv/duplicate.csv")], &options).expect("it is such a table");
    expect![[r#"
        csv: 6 records read, 7 events made
        at-most-once: violated
        at-least-once: holds
        exactly-once: violated
        no-duplicate-effect: 1 had its effect again
    "#]]
    .assert_eq(&judged(&imported));
}

#[test]
fn a_value_that_consumers_passed_over_is_lost_and_one_beyond_them_is_not() {
    check(
        &["kafka-verifiable/producer.jsonl", "kafka-verifiable/consumer-lost.jsonl"],
        expect![[r#"
            kafka-verifiable: 14 lines read, 18 events made
              left out: acks beyond what was read of their logs: they count as unknown (1)
            at-most-once: holds
            at-least-once: violated
            exactly-once: violated
            acked-not-lost: 0 was acked and is lost
        "#]],
    );
}

#[test]
fn a_value_at_two_offsets_and_one_given_again_after_a_failed_commit_are_duplicates() {
    check(
        &["kafka-verifiable/producer.jsonl", "kafka-verifiable/consumer-duplicate.jsonl"],
        expect![[r#"
        kafka-verifiable: 18 lines read, 26 events made
        at-most-once: violated
        at-least-once: holds
        exactly-once: violated
        no-duplicate-delivery: 0 was delivered again
        no-duplicate-delivery: 1 was delivered again
    "#]],
    );
}

#[test]
fn a_consumer_that_tells_ranges_only_is_matched_with_what_producers_know() {
    check(
        &["kafka-verifiable/consumer-ranges.jsonl", "kafka-verifiable/producer.jsonl"],
        expect![[r#"
        kafka-verifiable: 12 lines read, 22 events made
        at-most-once: holds
        at-least-once: holds
        exactly-once: holds
    "#]],
    );
}

fn check_at_rest(names: &[&str], expected: Expect) {
    expected.assert_eq(&judged(&imported(names, &Options { quiescent: true, ..Options::default() })));
}

#[test]
fn a_trace_without_its_consumer_is_a_loss_once_nothing_more_comes() {
    check_at_rest(
        &["otlp/lost.jsonl"],
        expect![[r#"
            otlp: 8 spans read, 14 events made
              left out: spans that are not of messaging (1)
            at-most-once: holds
            at-least-once: violated
            exactly-once: violated
            acked-not-lost: orders/0/13 was acked and is lost
        "#]],
    );
    check(
        &["otlp/lost.jsonl"],
        expect![[r#"
            otlp: 8 spans read, 13 events made
              left out: spans that are not of messaging (1)
              note: traces do not tell that nothing more comes, so that losses are unknown; --quiescent says it
            at-most-once: holds
            at-least-once: unknown
            exactly-once: unknown
        "#]],
    );
}

#[test]
fn two_process_spans_of_one_message_are_two_effects() {
    check_at_rest(
        &["otlp/duplicate.jsonl"],
        expect![[r#"
        otlp: 5 spans read, 13 events made
        at-most-once: violated
        at-least-once: holds
        exactly-once: violated
        no-duplicate-effect: o-1 had its effect again
    "#]],
    );
}

#[test]
fn batches_are_taken_apart_by_their_links() {
    check_at_rest(
        &["otlp/batch.jsonl"],
        expect![[r#"
            otlp: 13 spans read, 19 events made
              left out: effects of spans that ended with an error: taken as none (1)
              left out: negative settles: the message is not done (1)
              left out: spans of no message: receives that brought nothing (1)
            at-most-once: holds
            at-least-once: holds
            exactly-once: holds
        "#]],
    );
}

#[test]
fn a_send_that_tells_no_result_is_unknown_and_one_that_is_not_on_record_is_a_gap() {
    check_at_rest(
        &["otlp/sampled.jsonl"],
        expect![[r#"
            otlp: 3 spans read, 6 events made
              note: the record of sends has gaps: messages that were delivered, and whose sends are not on record (1)
            at-most-once: unknown
            at-least-once: unknown
            exactly-once: unknown
        "#]],
    );
}

/// A receive that lasts until its message is processed and forwarded is one delivery, and each group owes its own topic.
#[test]
fn a_message_that_is_forwarded_is_another_message_of_another_topic() {
    check_at_rest(
        &["otlp/forwarded.jsonl"],
        expect![[r#"
        otlp: 5 spans read, 10 events made
        at-most-once: holds
        at-least-once: holds
        exactly-once: holds
    "#]],
    );
}

#[test]
fn a_mapping_can_take_the_end_of_a_send_for_its_ack_and_a_span_of_the_store_for_the_effect() {
    let mapping = Mapping::read("outcome.acked = [\"ended\"]\neffect.spans = [\"UPDATE stock\"]\n", "mapping.toml");
    let mapping = Some(mapping.expect("it is a mapping"));
    let options = Options { quiescent: true, mapping, ..Options::default() };
    expect![[r#"
        otlp: 8 spans read, 13 events made
        at-most-once: holds
        at-least-once: violated
        exactly-once: violated
        acked-not-lost: orders/0/12 was acked and is lost
        acked-not-lost: orders/0/13 was acked and is lost
    "#]]
    .assert_eq(&judged(&imported(&["otlp/lost.jsonl"], &options)));
}

#[test]
fn a_mapping_with_an_unknown_key_or_word_is_refused_with_its_line() {
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&Mapping::read(text, "mapping.toml").expect_err("it is refused").to_string());
    };
    check(
        "[effect]\nspan = [\"x\"]\n",
        expect![
            "mapping.toml: line 2: found unknown field `span`, expected `operations` or `spans`; expected the keys and words of docs/import/otlp.md"
        ],
    );
    check(
        "[outcome]\nevents = []\nacked = [\"always\"]\n",
        expect![
            "mapping.toml: line 3: found unknown variant `always`, expected one of `position`, `status-ok`, `event`, `ended`; expected the keys and words of docs/import/otlp.md"
        ],
    );
    check(
        "[outcome\n",
        expect![
            "mapping.toml: line 1: found unclosed table, expected `]`; expected the keys and words of docs/import/otlp.md"
        ],
    );
}

/// What people read of the default is what the importer reads.
#[test]
fn the_page_has_the_default_mapping() {
    let page = include_str!("../../../docs/import/otlp.md");
    assert!(
        page.contains(delivery_import::DEFAULT_MAPPING),
        "copy proofs/import/src/otlp/default.toml into docs/import/otlp.md"
    );
}

/// Another value at an offset that was acked: the broker lost its log and filled it again.
#[test]
fn a_value_that_nobody_sent_is_not_taken_for_the_one_that_was_acked_there() {
    let consumer = r#"{"timestamp":1764324002000,"name":"record_data","key":null,"value":"77","topic":"orders","partition":0,"offset":0}"#;
    let inputs = [example("kafka-verifiable/producer.jsonl"), Input::new("consumer.jsonl", consumer)];
    let imported = import(Format::KafkaVerifiable, &inputs, &Options::default()).expect("they are such lines");
    expect![[r#"
        kafka-verifiable: 9 lines read, 17 events made
          left out: acks beyond what was read of their logs: they count as unknown (2)
        at-most-once: violated
        at-least-once: violated
        exactly-once: violated
        integrity: 77 arrived without having been submitted
        acked-not-lost: 0 was acked and is lost
        contradiction: messages 0 and 77 are both at position 0 of partition 0 of orders
    "#]]
    .assert_eq(&judged(&imported));
}
