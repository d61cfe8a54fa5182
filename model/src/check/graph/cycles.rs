//! Whether some run goes on for ever: the edges close a circle.
//!
//! The search is depth first: an edge to a state that is still open closes a circle. It asks for the targets of each state
//! once, so edges need not be kept: a walk that keeps none expands its states a second time, and looks up what they lead to.

use std::ops::ControlFlow;

/// What is known of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the path that is followed.
    Open,
    /// No circle goes through it.
    Done,
}

/// Whether there is a circle among so many states. `targets_of` adds the targets of a state's edges to a list, or breaks
/// off the search, which then has no answer.
pub(super) fn has_cycle(
    states: usize,
    mut targets_of: impl FnMut(u32, &mut Vec<u32>) -> ControlFlow<()>,
) -> Option<bool> {
    let mut marks = vec![Mark::New; states];
    // The states of the path, each with the place where its targets begin: those that are still to be looked at.
    let mut path: Vec<(u32, usize)> = Vec::new();
    let mut targets: Vec<u32> = Vec::new();
    for root in 0..states as u32 {
        targets.push(root);
        loop {
            let beginning = path.last().map_or(0, |&(_, beginning)| beginning);
            if targets.len() == beginning {
                let Some((state, _)) = path.pop() else { break };
                marks[state as usize] = Mark::Done;
                continue;
            }
            let Some(state) = targets.pop() else { break };
            match marks[state as usize] {
                Mark::Open => return Some(true),
                Mark::Done => {}
                Mark::New => {
                    marks[state as usize] = Mark::Open;
                    path.push((state, targets.len()));
                    if targets_of(state, &mut targets).is_break() {
                        return None;
                    }
                }
            }
        }
    }
    Some(false)
}
