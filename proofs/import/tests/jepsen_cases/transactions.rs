//! Transactions of the Kafka workload: what one sent and read counts once it commits, and for nothing if it is aborted.

use delivery_import::{Format, Input, Options, import};
use delivery_model::vocab::EventKind;

use super::{check, check_text, text};

const SENDS: [&str; 2] = [
    "0 :invoke :send [[:send :k 0] [:send :k 1] [:send :k 2] [:send :k 3]]",
    "0 :ok :send [[:send :k [0 0]] [:send :k [1 1]] [:send :k [2 2]] [:send :k [3 3]]]",
];

fn polls(phases: &[&str]) -> Vec<String> {
    let operation = |it: &&str| ["1 :invoke :txn [[:poll]]".to_owned(), format!("1 {it}")];
    SENDS.iter().map(|line| (*line).to_owned()).chain(phases.iter().flat_map(operation)).collect()
}

fn check_polls(phases: &[&str], expected: &[&str]) {
    let lines = polls(phases);
    check(&lines.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// Each transaction begins again where the last one that committed had ended. The workload's authors find no error.
#[test]
fn what_a_transaction_that_did_not_commit_read_is_read_again() {
    check_polls(
        &[
            ":ok :txn [[:poll {:k [[0 0]]}]]",
            ":fail :txn [[:poll {:k [[1 1] [2 2]]}]]",
            ":info :txn [[:poll {:k [[1 1] [2 2]]}]]",
            ":ok :txn [[:poll {:k [[1 1] [2 2] [3 3]]}]]",
        ],
        &[],
    );
}

/// The consumer goes on after an abort as if it had committed: for the authors a poll skip, here what was passed over is lost.
#[test]
fn what_only_aborted_transactions_read_is_lost() {
    check_polls(
        &[
            ":ok :txn [[:poll {:k [[0 0]]}]]",
            ":fail :txn [[:poll {:k [[1 1]]}]]",
            ":fail :txn [[:poll {:k [[2 2]]}]]",
            ":ok :txn [[:poll {:k [[3 3]]}]]",
        ],
        &["k/1 was acked and is lost", "k/2 was acked and is lost"],
    );
    check_polls(&[":fail :txn [[:poll {:k [[0 0] [1 1] [2 2] [3 3]]}]]"], &["unknown"]);
}

/// Nobody knows whether the last transaction committed, so nobody knows whether 1 comes again.
#[test]
fn how_far_a_transaction_of_unknown_result_read_loses_nothing() {
    check_polls(
        &[
            ":ok :txn [[:poll {:k [[0 0]]}]]",
            ":fail :txn [[:poll {:k [[1 1]]}]]",
            ":info :txn [[:poll {:k [[2 2] [3 3]]}]]",
        ],
        &["unknown"],
    );
}

#[test]
fn what_a_committed_transaction_read_twice_is_a_duplicate() {
    check_polls(
        &[":ok :txn [[:poll {:k [[0 0] [1 1] [2 2] [3 3]]}]]", ":ok :txn [[:poll {:k [[3 3]]}]]"],
        &["k/3 was delivered again"],
    );
}

/// The offset of an aborted send is on record, and the next message that is read lies behind it.
#[test]
fn what_an_aborted_transaction_sent_is_owed_to_nobody() {
    let history = |end| {
        [
            "0 :invoke :txn [[:send :k 1]]",
            end,
            "1 :invoke :send [[:send :k 2]]",
            "1 :ok :send [[:send :k [2 2]]]",
            "2 :invoke :txn [[:poll]]",
            "2 :ok :txn [[:poll {:k [[2 2]]}]]",
        ]
    };
    check(&history("0 :ok :txn [[:send :k [0 1]]]"), &["k/1 was acked and is lost"]);
    check(&history("0 :fail :txn [[:send :k [0 1]]]"), &[]);
    check(&history("0 :fail :txn [[:send :k 1]]"), &[]);
    check(&history("0 :info :txn [[:send :k 1]]"), &[]);
}

/// `G1a` in a transaction; an aborted read of it is none, as for the workload's authors.
#[test]
fn what_an_aborted_transaction_sent_must_not_be_read_by_one_that_commits() {
    let history =
        |end| ["0 :invoke :txn [[:send :k 1]]", "0 :fail :txn [[:send :k [0 1]]]", "1 :invoke :txn [[:poll]]", end];
    check(&history("1 :ok :txn [[:poll {:k [[0 1]]}]]"), &["k/1 was delivered although every attempt was refused"]);
    check(&history("1 :fail :txn [[:poll {:k [[0 1]]}]]"), &["unknown"]);
}

/// One value at two offsets is in the log twice, whether or not the transaction that showed it committed.
#[test]
fn a_second_copy_that_an_aborted_transaction_read_is_a_duplicate() {
    let history = |phase: &str| {
        let poll = format!("1 {phase} :txn [[:poll {{:k [[5 0]]}}]]");
        let lines =
            ["0 :invoke :send [[:send :k 0]]", "0 :ok :send [[:send :k [1 0]]]", "1 :invoke :txn [[:poll]]", &poll];
        text(&lines)
    };
    check_text(&history(":ok"), &["k/0 was delivered again"]);
    check_text(&history(":fail"), &["k/0 was delivered again", "unknown"]);
}

/// Only reads that happened prove that a transaction of unknown result did commit.
#[test]
fn an_aborted_read_proves_no_commit() {
    let history = |phase: &str| {
        let poll = format!("1 {phase} :txn [[:poll {{:k [[0 1]]}}]]");
        let lines = [
            "0 :invoke :txn [[:send :k 1] [:send :l 1]]",
            "0 :info :txn [[:send :k 1] [:send :l [0 1]]]",
            "1 :invoke :txn [[:poll]]",
            &poll,
            "2 :invoke :send [[:send :l 2]]",
            "2 :ok :send [[:send :l [1 2]]]",
            "2 :invoke :poll [[:poll]]",
            "2 :ok :poll [[:poll {:l [[1 2]]}]]",
        ];
        text(&lines)
    };
    check_text(&history(":ok"), &["l/1 was acked and is lost"]);
    check_text(&history(":fail"), &[]);
}

/// The history shows the transactions themselves: their events name them, and each ends once.
#[test]
fn transactions_stand_in_the_history() {
    let lines = polls(&[
        ":ok :txn [[:poll {:k [[0 0]]}] [:send :l [0 1]]]",
        ":fail :txn [[:poll {:k [[1 1]]}]]",
        ":ok :txn [[:poll {}]]",
    ]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let imported = import(Format::Jepsen, &[Input::new("history.txt", text(&lines))], &Options::default());
    let history = imported.expect("it is a history").history;
    let ends = |is_end: fn(EventKind) -> bool| history.events.iter().filter(|it| is_end(it.event.kind)).count();
    assert_eq!(ends(|kind| matches!(kind, EventKind::Commit { .. })), 1);
    assert_eq!(ends(|kind| matches!(kind, EventKind::Abort { .. })), 1);
    let within: Vec<&str> =
        history.extras.values().filter_map(|it| it.transaction).map(|it| history.names.transaction(it)).collect();
    assert_eq!(within, ["txn-1", "txn-2"]);
}
