//! The goals of our memories, each as a ratio within this run.

use delivery_proofs::figures::{Bound, Sheet};

use crate::recovery::Times;
use crate::table::Rows;

/// The longest recovery of a million producers, in milliseconds.
const RECOVERY_MAX: f64 = 100.0;

/// Adds each goal whose figures there are.
pub fn add(sheet: &mut Sheet, rows: &Rows, recovered: &[(&str, Times)]) {
    let mut goal = |of: &str, figure: Option<f64>, unit: &str, most: f64| {
        if let Some(figure) = figure {
            sheet.goal(of, figure, unit, Bound::AtMost(most));
        }
    };
    let dependent = |load| rows.find(load, "bit-window").map(|(row, floor)| row.ns / floor.dependent);
    goal("bit window, in order", dependent("in-order"), "times a dependent read", 1.5);
    goal("bit window, out of order, 10 % retries", dependent("shuffled-64"), "times a dependent read", 2.5);
    let table = rows.find("producers-1m-uniform", "producer-table");
    let ratio = table.map(|(row, floor)| row.ns / floor.independent);
    goal("producer table, 1M producers", ratio, "times an independent read", 2.0);
    goal("producer table, 1M producers", table.map(|(row, _)| row.bytes_each), "bytes a producer", 112.0);
    let ids = rows.find("ids-1m", "exact-ids").map(|(row, _)| row);
    goal("exact ids, 1M remembered", ids.map(|row| row.bytes_each), "bytes an id", 29.0);
    // Those that remember the same.
    let peers = [("strings-by-time", 0.2), ("hashbrown-fold", 1.0), ("hashbrown-sip", 1.0)];
    for (peer, most) in peers {
        let theirs = rows.find("ids-1m", peer).map(|(row, _)| row);
        let share = ids.zip(theirs).map(|(ours, theirs)| ours.ns / theirs.ns);
        goal("exact ids, 1M remembered", share, &format!("times the time of {peer}"), most);
    }
    let recovery = recovered.iter().find(|(memory, times)| *memory == "producer-table" && times.producers == 1_000_000);
    goal("producer table, 1M producers", recovery.map(|(_, times)| times.recovery_ms()), "ms to recover", RECOVERY_MAX);
}
