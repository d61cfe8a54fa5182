//! Whether the record of a log comes to rest: how far it was read, and what was acked beyond.
//!
//! A log was read up to the highest position that was delivered from it. Where every acked message was delivered, nothing is
//! open. Where one below that was passed over, it will not come any more, and what was acked beyond counts as unknown:
//! nobody looked there. Where nothing was passed over and something lies beyond, more may come. This is the reasoning of
//! Jepsen's Kafka workload; a consumer that is reset to an earlier position could still find what was passed over.
//!
//! What a transaction read that was aborted was not read. How far one read that has no end on record says nothing: its
//! consumer goes back where it did not commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use delivery_model::history::PartitionName;
use delivery_model::vocab::Outcome;
use serde_json::json;

use crate::build::End;
use crate::report::ImportReport;
use crate::row::{Name, Row, What};

type Log = (Option<Arc<str>>, Option<PartitionName>);

fn log(row: &Row) -> Log {
    (row.topic.clone(), row.partition.clone())
}

/// The end of a record of logs. Acks that nobody could have seen become unknown, if it is at rest.
pub(crate) fn of_logs(rows: &mut [Row], report: &mut ImportReport) -> End {
    let ended = |end: What| -> HashSet<&Arc<str>> {
        rows.iter().filter(|row| row.what == end).filter_map(|row| row.transaction.as_ref()).collect()
    };
    let (committed, aborted) = (ended(What::Commit), ended(What::Abort));
    let counts = |row: &Row| row.transaction.as_ref().is_none_or(|its| !aborted.contains(its));
    let mut delivered: HashSet<&Name> = HashSet::new();
    let mut highest: HashMap<Log, u64> = HashMap::new();
    for row in rows.iter().filter(|row| row.what == What::Deliver && counts(row)) {
        delivered.extend(&row.message);
        let is_final = row.transaction.as_ref().is_none_or(|its| committed.contains(its));
        if let Some(position) = row.position.filter(|_| is_final) {
            let highest = highest.entry(log(row)).or_default();
            *highest = position.max(*highest);
        }
    }
    if delivered.is_empty() {
        report.note("nothing was delivered, so that losses are unknown");
        return End::Open;
    }
    let is_acked = |row: &Row| row.what == What::Outcome(Outcome::Acked);
    let is_missing = |row: &Row| row.message.as_ref().is_some_and(|message| !delivered.contains(message));
    let is_passed = |row: &Row| row.position.zip(highest.get(&log(row))).is_some_and(|(at, highest)| at <= *highest);
    let missing = rows.iter().enumerate().filter(|(_, row)| is_acked(row) && counts(row) && is_missing(row));
    let (passed, beyond): (Vec<_>, Vec<_>) =
        missing.map(|(at, row)| (at, is_passed(row))).partition(|(_, passed)| *passed);
    if beyond.is_empty() {
        return End::AtRest;
    }
    if passed.is_empty() {
        report.note(format!(
            "losses are unknown: messages were acked beyond what was read of their logs ({})",
            beyond.len()
        ));
        return End::Open;
    }
    report.dropped.count_many("acks beyond what was read of their logs: they count as unknown", beyond.len() as u64);
    for (at, _) in beyond {
        let why = "acked, and nobody read its log so far: whether it is lost is not known";
        rows[at].what = What::Outcome(Outcome::Unknown);
        rows[at].attributes.get_or_insert_default().insert("inferred".to_owned(), json!(why));
    }
    End::AtRest
}
