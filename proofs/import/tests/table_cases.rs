//! Tables: what stands in their columns.

use delivery_import::{Format, Input, Options, import};
use delivery_model::semantics::{Question, judge};

fn broken(table: &str) -> Vec<String> {
    let imported = import(Format::Csv, &[Input::new("table.csv", table)], &Options::default());
    let history = imported.unwrap_or_else(|error| panic!("{error}")).history;
    let judgement = judge(&history, Question::default());
    judgement.violations.iter().map(|it| format!("{} {}", history.names.message(it.message), it.breach)).collect()
}

#[test]
fn an_effect_of_an_aborted_transaction_is_none() {
    let table = |end: &str| {
        format!(
            "at,event,message,transaction\n1,submit,7,\n2,acked,7,\n3,deliver,7,\n4,effect,7,t\n5,{end},,t\n6,quiescent,,\n"
        )
    };
    assert!(broken(&table("commit")).is_empty());
    assert_eq!(broken(&table("abort")), ["7 was acked and is lost"]);
}

#[test]
fn a_commit_of_no_transaction_is_refused() {
    let table = "at,event,message\n1,submit,7\n2,commit,\n";
    let refused =
        import(Format::Csv, &[Input::new("table.csv", table)], &Options::default()).expect_err("it is refused");
    assert_eq!(
        refused.to_string(),
        "table.csv: line 3: found nothing in column `transaction`; expected the transaction of `commit`: a text"
    );
}

/// Its records would each hold the name.
#[test]
fn a_column_with_a_name_that_is_long_beyond_reason_is_refused() {
    let table = |length: usize| format!("at,event,message,{}\n1,submit,7,x\n", "n".repeat(length));
    let import = |table: String| import(Format::Csv, &[Input::new("table.csv", table)], &Options::default());
    assert!(import(table(256)).is_ok());
    let refused = import(table(257)).expect_err("it is refused").to_string();
    assert!(refused.ends_with("expected a name of at most 256 characters"), "{refused}");
}
