//! The examples, imported and judged: what the report says, and the verdicts.

use std::fmt::Write;
use std::path::Path;

use delivery_import::{Format, Imported, Input, Options, Table, import, recognise};
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
          left out: 1 dequeues that found nothing
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
          left out: 2 polls of what was polled before, by another assignment or a transaction that did not commit
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
            jepsen: 8 operations read, 15 events made
              left out: 1 acks beyond what was read of their logs: they count as unknown
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
              note: 1 deliveries by the process `log` are inferred: acked at one offset, polled at another
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
            jepsen: 4 operations read, 8 events made
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
          left out: 1 acks beyond what was read of their logs: they count as unknown
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
