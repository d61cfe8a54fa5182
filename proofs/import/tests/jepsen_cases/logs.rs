//! What a log shows apart from single messages: offsets that clash, skips, and how much is still unseen.

use delivery_import::{Format, Input, Options, import};
use delivery_model::semantics::{Question, judge};

use super::{check, text};

/// The sentences about where the record contradicts itself.
fn contradictions(lines: &[&str]) -> Vec<String> {
    let imported = import(Format::Jepsen, &[Input::new("history.txt", text(lines))], &Options::default());
    let history = imported.expect("it is a history").history;
    judge(&history, Question::default()).contradictions.iter().map(|it| it.told(&history.names)).collect()
}

/// `inconsistent-offsets`: two values at one offset. A send of unknown result may not have been there.
#[test]
fn two_messages_at_one_offset_are_told() {
    let sends = [
        "379 :invoke :send [[:send 11 641]]",
        "379 :ok :send [[:send 11 [537 641]]]",
        "363 :invoke :send [[:send 11 645]]",
        "363 :ok :send [[:send 11 [537 645]]]",
    ];
    assert_eq!(contradictions(&sends), ["messages 11/641 and 11/645 are both at position 537 of topic 11"]);
    let crashed = [
        "0 :invoke :send [[:send :x 1] [:send :y 1]]",
        "0 :info :send [[:send :x [0 1]] [:send :y 1]]",
        "1 :invoke :send [[:send :x 2]]",
        "1 :ok :send [[:send :x [0 2]]]",
    ];
    assert!(contradictions(&crashed).is_empty());
    // Its other half was read: it did commit.
    let seen = ["2 :invoke :poll [[:poll]]", "2 :ok :poll [[:poll {:y [[5 1]]}]]"];
    assert_eq!(
        contradictions(&[&crashed[..], &seen].concat()),
        ["messages x/1 and x/2 are both at position 0 of topic x"]
    );
}

/// `duplicate`, ten times over: every value was acked at offset 0 and polled at offset 1.
#[test]
fn each_of_many_values_at_the_same_two_offsets_is_a_duplicate() {
    let lines: Vec<String> = (0..10)
        .flat_map(|value| {
            [
                format!("0 :invoke :send [[:send :x {value}]]"),
                format!("0 :ok :send [[:send :x [0 {value}]]]"),
                "1 :invoke :poll [[:poll]]".to_owned(),
                format!("1 :ok :poll [[:poll {{:x [[1 {value}]]}}]]"),
            ]
        })
        .collect();
    let expected: Vec<String> = (0..10).map(|value| format!("x/{value} was delivered again")).collect();
    let borrowed = |texts: &'static [String]| texts.iter().map(String::as_str).collect::<Vec<_>>();
    check(&borrowed(lines.leak()), &borrowed(expected.leak()));
}

/// `poll-skip`: process 0 passes over 3, which another process reads, and over 6, which nobody reads. Only the second is a loss.
#[test]
fn what_one_process_skips_is_lost_unless_another_reads_it() {
    let sends = [
        "3 :invoke :send [[:send :x :c] [:send :x :g]]",
        "3 :ok :send [[:send :x [3 :c]] [:send :x [7 :g]]]",
        "2 :invoke :send [[:send :x :f]]",
        "2 :ok :send [[:send :x [6 :f]]]",
        "1 :invoke :poll [[:poll]]",
        "1 :ok :poll [[:poll {:x [[3 :c]]}]]",
        "0 :invoke :poll [[:poll]]",
    ];
    let with = |poll| [&sends[..], &[poll]].concat();
    check(&with("0 :ok :poll [[:poll {:x [[7 :g]]}]]"), &["x/f was acked and is lost"]);
    check(&with("0 :ok :poll [[:poll {:x [[6 :f] [7 :g]]}]]"), &[]);
}

/// `int-nonmonotonic-poll`: one operation gets an offset twice. Going back to what was not read yet breaks no delivery.
#[test]
fn one_operation_that_gets_an_offset_twice_is_given_a_duplicate() {
    let with = |poll| {
        [
            "0 :invoke :send [[:send :x :a] [:send :x :b] [:send :x :c]]",
            "0 :info :send [[:send :x :a] [:send :x :b] [:send :x :c]]",
            "1 :invoke :poll [[:poll] [:poll]]",
            poll,
        ]
    };
    check(
        &with("1 :ok :poll [[:poll {:x [[1 :a] [2 :b] [3 :c]]}] [:poll {:x [[3 :c]]}]]"),
        &["x/c was delivered again"],
    );
    check(&with("1 :ok :poll [[:poll {:x [[3 :c] [1 :a] [2 :b]]}]]"), &[]);
}

/// `unseen` counts 2, then 1, then 0 messages that were acked and not polled: losses are unknown until it is 0.
#[test]
fn nothing_is_lost_or_delivered_for_sure_while_messages_are_unseen() {
    let history = [
        "0 :invoke :poll [[:poll]]",
        "0 :ok :poll [[:poll {}]]",
        "0 :invoke :send [[:send :x :a] [:send :x :b]]",
        "0 :ok :send [[:send :x [0 :a]] [:send :x [1 :b]]]",
        "0 :invoke :poll [[:poll]]",
        "0 :ok :poll [[:poll {:x [[0 :a]]}]]",
        "0 :invoke :poll [[:poll]]",
        "0 :ok :poll [[:poll {:x [[1 :b]]}]]",
    ];
    check(&history[..4], &["unknown"]);
    check(&history[..6], &["unknown"]);
    check(&history, &[]);
}

/// A history in which nothing was sent or polled shows nothing: for the authors, too, it does not pass.
#[test]
fn a_history_of_assignments_alone_is_unknown() {
    check(&["0 :invoke :assign [:x]", "0 :ok :assign [:x]"], &["unknown"]);
}

/// The `queue` checker: what came out had at least begun to be put in.
#[test]
fn what_comes_out_of_a_queue_was_put_in() {
    check(&["1 :invoke :enqueue 1"], &["unknown"]);
    check(&["1 :ok :enqueue 1"], &["unknown"]);
    check(&["2 :invoke :dequeue nil", "1 :invoke :enqueue 1", "2 :ok :dequeue 1"], &[]);
    check(&["1 :ok :dequeue 1"], &["1 arrived without having been submitted"]);
}
