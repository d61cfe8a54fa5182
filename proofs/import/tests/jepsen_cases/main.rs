//! What Jepsen's own checkers say of such histories is what the judge says of their imports: small histories of each anomaly
//! that is about delivery, and their legal neighbours.

mod logs;
mod maelstrom;
mod transactions;

use delivery_import::{Format, Input, Options, import};
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Question, Verdict, Violation, judge};

/// The breaches and unknown verdicts of a history in lines, with spaces for tabs around the function.
fn check(lines: &[&str], expected: &[&str]) {
    check_text(&text(lines), expected);
}

/// The lines as Jepsen writes them.
fn text(lines: &[&str]) -> String {
    let tabbed = |line: &&str| line.splitn(4, ' ').collect::<Vec<_>>().join("\t");
    lines.iter().map(|line| tabbed(line) + "\n").collect()
}

fn check_text(text: &str, expected: &[&str]) {
    let imported = import(Format::Jepsen, &[Input::new("history.txt", text)], &Options::default());
    let history = imported.expect("it is a history").history;
    let judgement = judge(&history, Question::default());
    let breach = |it: &Violation| format!("{} {}", history.names.message(it.message), it.breach);
    let mut told: Vec<String> = judgement.violations.iter().map(breach).collect();
    let kept = judgement.verdicts.of(Semantics::AtLeastOnce);
    told.extend(matches!(kept, Verdict::Unknown(_)).then(|| "unknown".to_owned()));
    assert_eq!(told, expected, "{text}");
}

/// `lost-write`: a read of a higher offset should have brought the lower ones; what lies above it says nothing.
#[test]
fn what_polls_passed_over_is_lost() {
    let sends = [
        "0 :invoke :send [[:send :k :a]]",
        "0 :ok :send [[:send :k [0 :a]]]",
        "0 :invoke :send [[:send :k :b] [:send :k :e]]",
        "0 :ok :send [[:send :k [1 :b]] [:send :k [9 :e]]]",
        "1 :invoke :send [[:send :k :c]]",
        "1 :info :send [[:send :k :c]]",
        "0 :invoke :poll [[:poll]]",
    ];
    let with = |poll| [&sends[..], &[poll]].concat();
    check(&with("0 :ok :poll [[:poll {:k [[2 :c]]}]]"), &["k/a was acked and is lost", "k/b was acked and is lost"]);
    // Nothing was passed over: what lies beyond may still come.
    check(&with("0 :ok :poll [[:poll {:k [[0 :a] [1 :b]]}]]"), &["unknown"]);
    check(&with("0 :ok :poll [[:poll {:k [[0 :a] [1 :b] [2 :c] [9 :e]]}]]"), &[]);
}

/// Two messages at one offset: the one that was overwritten is lost.
#[test]
fn what_was_overwritten_is_lost() {
    check(
        &[
            "0 :invoke :send [[:send 1 10]]",
            "0 :ok :send [[:send 1 [0 10]]]",
            "0 :invoke :send [[:send 1 11] [:send 1 12]]",
            "0 :ok :send [[:send 1 [0 11]] [:send 1 [2 12]]]",
            "0 :invoke :poll [[:poll]]",
            "0 :ok :poll [[:poll {1 [[0 11] [2 12]]}]]",
        ],
        &["1/10 was acked and is lost"],
    );
}

/// A transaction whose result is unknown did commit if one of its values was read, and then owes the others.
#[test]
fn a_transaction_of_unknown_result_owes_all_once_a_part_was_read() {
    let history = [
        "0 :invoke :send [[:send :k :a] [:send :l :b]]",
        "0 :info :send [[:send :k :a] [:send :l [0 :b]]]",
        "1 :invoke :send [[:send :l :c]]",
        "1 :info :send [[:send :l :c]]",
        "3 :invoke :poll [[:poll]]",
        "3 :ok :poll [[:poll {:l [[1 :c]]}]]",
    ];
    check(&history, &[]);
    let seen = ["2 :invoke :poll [[:poll]]", "2 :ok :poll [[:poll {:k [[0 :a]]}]]"];
    check(&[&history[..], &seen].concat(), &["l/b was acked and is lost"]);
}

/// `G1a`: a value of a send that failed is read.
#[test]
fn what_a_failed_send_wrote_must_not_be_read() {
    let send = ["0 :invoke :send [[:send :k 2] [:send :l 3]]", "0 :fail :send [[:send :k 2] [:send :l 3]]"];
    let poll = |poll| [&send[..], &["1 :invoke :poll [[:poll]]", poll]].concat();
    let breach = "k/2 was delivered although every attempt was refused";
    check(&poll("1 :ok :poll [[:poll {:k [[0 2]]}]]"), &[breach]);
}

/// `nonmonotonic-poll`: a process reads again what it read, although nobody told it to.
#[test]
fn a_process_that_reads_again_without_a_new_assignment_is_given_duplicates() {
    let first = [
        "0 :invoke :send [[:send :k :a] [:send :k :b]]",
        "0 :ok :send [[:send :k [1 :a]] [:send :k [2 :b]]]",
        "0 :invoke :poll [[:poll]]",
        "0 :ok :poll [[:poll {:k [[1 :a] [2 :b]]}]]",
    ];
    let again = ["0 :invoke :poll [[:poll]]", "0 :ok :poll [[:poll {:k [[2 :b]]}]]"];
    let with = |assignment: &[&'static str]| [&first[..], assignment, &again].concat();
    check(&with(&[]), &["k/b was delivered again"]);
    check(&with(&["0 :invoke :subscribe [:k :l]", "0 :ok :subscribe [:k :l]"]), &["k/b was delivered again"]);
    check(&with(&["0 :invoke :subscribe [:l]", "0 :ok :subscribe [:l]"]), &[]);
    check(&with(&["0 :invoke :assign [:l]", "0 :info :assign [:l]"]), &[]);
}

/// `duplicate`: one value at two offsets, also where the poll was of a transaction that failed, and not where the send failed.
#[test]
fn a_value_at_two_offsets_is_a_duplicate_unless_its_send_failed() {
    check(
        &[
            "0 :invoke :send [[:send :k 0]]",
            "0 :ok :send [[:send :k [1 0]]]",
            "0 :invoke :send [[:send :k 1]]",
            "0 :fail :send [[:send :k [2 1]]]",
            "1 :invoke :poll [[:poll]]",
            "1 :fail :poll [[:poll {:k [[11 0] [12 1]]}]]",
        ],
        &["k/0 was delivered again"],
    );
}

/// `total-queue`: what went in came out. It takes for granted that the queue was drained; here the history must show it.
#[test]
fn a_queue_gives_out_what_was_put_in() {
    let drained = ["5 :invoke :drain nil", "5 :ok :drain []"];
    let sane = [
        "1 :invoke :enqueue 1",
        "2 :invoke :enqueue 2",
        "2 :ok :enqueue 2",
        "3 :invoke :dequeue nil",
        "3 :ok :dequeue 1",
        "3 :invoke :dequeue nil",
        "3 :ok :dequeue 2",
    ];
    check(&sane, &[]);
    // One may still be inside.
    check(&sane[..5], &["unknown"]);
    let pathological = [
        "1 :invoke :enqueue :hung",
        "2 :invoke :enqueue :kept",
        "2 :ok :enqueue :kept",
        "3 :invoke :enqueue :twice",
        "3 :ok :enqueue :twice",
        "4 :invoke :dequeue nil",
        "4 :ok :dequeue :what",
        "5 :invoke :dequeue nil",
        "5 :ok :dequeue :twice",
        "5 :invoke :dequeue nil",
        "5 :ok :dequeue :twice",
    ];
    let broken = ["what arrived without having been submitted", "twice was delivered again"];
    check(&pathological, &broken);
    check(&[&sane[..], &drained].concat(), &[]);
    // What was put in after the queue was found empty may still be inside.
    check(&[&drained[..], &sane[..5]].concat(), &["unknown"]);
    check(&[&pathological[..], &drained].concat(), &[broken[0], broken[1], "kept was acked and is lost"]);
}

/// An assignment that seeks to the beginning reads everything again, although it keeps its logs.
#[test]
fn what_is_read_again_after_a_seek_to_the_beginning_is_no_duplicate() {
    let with = |seeks: bool| {
        format!(
            "{{:process 0, :type :invoke, :f :send, :value [[:send :k 1]]}}
             {{:process 0, :type :ok, :f :send, :value [[:send :k [0 1]]]}}
             {{:process 1, :type :ok, :f :poll, :value [[:poll {{:k [[0 1]]}}]]}}
             {{:process 1, :type :ok, :f :assign, :value [:k], :seek-to-beginning? {seeks}}}
             {{:process 1, :type :ok, :f :poll, :value [[:poll {{:k [[0 1]]}}]]}}"
        )
    };
    check_text(&with(true), &[]);
    check_text(&with(false), &["k/1 was delivered again"]);
}
