//! Whether the record of a log comes to rest: how far it was read, and what was acked beyond.
//!
//! A log was read up to the highest position that was delivered from it. Where every acked message was delivered, nothing is
//! open. Where one below that was passed over, it will not come any more, and what was acked beyond counts as unknown:
//! nobody looked there. Where nothing was passed over and something lies beyond, more may come. This is the reasoning of
//! Jepsen's Kafka workload; a consumer that is reset to an earlier position could still find what was passed over.
//!
//! Each group that was given something owes every log. An ack that a group has not come to yet becomes unknown, also where another
//! group passed it over: a history cannot say it for one group alone.
//!
//! What a transaction read that was aborted was not read. How far one read that has no end on record says nothing: its
//! consumer goes back where it did not commit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use delivery_model::history::PartitionName;
use delivery_model::vocab::Outcome;
use serde_json::json;

use crate::build::End;
use crate::report::ImportReport;
use crate::row::{Name, Row, What};

/// Each group reads every log.
type Group = Option<Arc<str>>;

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
    let mut delivered: HashSet<(Group, &Name)> = HashSet::new();
    let mut highest: HashMap<(Group, Log), u64> = HashMap::new();
    let mut groups: BTreeSet<Group> = BTreeSet::new();
    for row in rows.iter().filter(|row| row.what == What::Deliver && counts(row)) {
        let group = row.group.clone();
        delivered.extend(row.message.as_ref().map(|message| (group.clone(), message)));
        let is_final = row.transaction.as_ref().is_none_or(|its| committed.contains(its));
        if let Some(position) = row.position.filter(|_| is_final) {
            let highest = highest.entry((group.clone(), log(row))).or_default();
            *highest = position.max(*highest);
        }
        groups.insert(group);
    }
    if delivered.is_empty() {
        report.note("nothing was delivered, so that losses are unknown");
        return End::Open;
    }
    let is_missing = |row: &Row, group: &Group| {
        row.message.as_ref().is_some_and(|message| !delivered.contains(&(group.clone(), message)))
    };
    let is_passed = |row: &Row, group: &Group| {
        row.position.zip(highest.get(&(group.clone(), log(row)))).is_some_and(|(at, highest)| at <= *highest)
    };
    let (mut passed, mut beyond, mut half) = (0, Vec::new(), 0);
    let acks = rows.iter().enumerate().filter(|(_, row)| row.what == What::Outcome(Outcome::Acked) && counts(row));
    for (at, row) in acks {
        let missing = groups.iter().filter(|group| is_missing(row, group));
        let (by, not_by): (Vec<_>, Vec<_>) = missing.partition(|group| is_passed(row, group));
        match (by.len(), not_by.len()) {
            (0, 0) => {}
            (_, 0) => passed += 1,
            (by, _) => {
                half += u64::from(by > 0);
                beyond.push(at);
            }
        }
    }
    if half > 0 {
        report.note(format!(
            "losses that are not told: messages that one group passed over, and that another may still read ({half})"
        ));
    }
    if beyond.is_empty() {
        return End::AtRest;
    }
    if passed == 0 {
        report.note(format!(
            "losses are unknown: messages were acked beyond what was read of their logs ({})",
            beyond.len()
        ));
        return End::Open;
    }
    report.dropped.count_many("acks beyond what was read of their logs: they count as unknown", beyond.len() as u64);
    for at in beyond {
        let why = "acked, and nobody read its log so far: whether it is lost is not known";
        rows[at].what = What::Outcome(Outcome::Unknown);
        rows[at].attributes.get_or_insert_default().insert("inferred".to_owned(), json!(why));
    }
    End::AtRest
}
