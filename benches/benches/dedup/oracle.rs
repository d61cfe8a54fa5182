//! The exact answers: a set of all that a memory let in, which forgets nothing.

use std::collections::HashSet;

use delivery_memories::Answer;
use foldhash::fast::FixedState;

use crate::loads::{Item, Load};

/// The wrong answers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// Messages that were stored before, and let in again.
    pub accepted: u64,
    /// Messages that were not stored before, and not let in.
    pub refused: u64,
}

/// Judges the answers of a run. Whatever was before the run counts as let in: if a message of this run was wrongly
/// refused, one of an earlier run may have been, and then no retry may reach back there.
///
/// # Panics
/// If an answer is missing, or if that is not so.
pub fn judge(load: &Load, answers: &[Answer]) -> Wrong {
    assert_eq!(answers.len(), load.items.len(), "{}: every publish has an answer", load.id);
    let mut seen: HashSet<Item, FixedState> = HashSet::default();
    let (mut wrong, mut reaches_back) = (Wrong::default(), false);
    for (item, answer) in load.items.iter().zip(answers) {
        let is_before = item.ahead < 0;
        reaches_back |= is_before;
        match answer {
            Answer::New => wrong.accepted += u64::from(is_before || !seen.insert(*item)),
            _ => wrong.refused += u64::from(!is_before && !seen.contains(item)),
        }
    }
    assert!(wrong.refused == 0 || !reaches_back, "{}: what was let in before is not known", load.id);
    wrong
}
