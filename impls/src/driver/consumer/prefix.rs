//! How far the contiguous prefix of finished positions reaches, where that is what the consumer commits.
//!
//! An [`AckWindow`] keeps it, and its room bounds how far workers may run ahead of a position that does not finish.

use delivery_model::vocab::Position;

use crate::core::hand::HandId;
use crate::core::positions::Positions;
use crate::shared::ack_window::{AckWindow, ReserveError};

/// How far ahead of the lowest unfinished position workers may be.
const ROOM: u32 = 4096;

/// The window, and the hand-offs that wait for room in it.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    /// Starts where the broker says that the group is, with the first hand-off.
    window: Option<AckWindow>,
    parked: Vec<HandId>,
}

impl Prefix {
    /// Whether a worker may have this hand-off now; otherwise it waits for room.
    pub fn admit(&mut self, hand: HandId, committed: &Positions) -> bool {
        let start = || AckWindow::new(committed.first_missing(Position(0)), ROOM);
        match self.window.get_or_insert_with(start).try_reserve(hand.position) {
            // What was finished before is delivered again after a broker forgot it: that takes no room.
            Ok(()) | Err(ReserveError::Stale { .. }) => true,
            Err(ReserveError::Full { .. }) => {
                self.parked.push(hand);
                false
            }
        }
    }

    /// The position is finished. Gives the hand-offs that have room now.
    pub fn finish(&mut self, position: Position) -> Vec<HandId> {
        // A position that was finished before is an error to the window and none here.
        let advance = self.window.as_ref().and_then(|window| window.settle(position).ok().flatten());
        if advance.is_some() { self.unpark() } else { Vec::new() }
    }

    /// The broker has these positions behind it: some may have been set aside. Gives the hand-offs that have room now.
    pub fn commit(&mut self, committed: &Positions) -> Vec<HandId> {
        let Some(window) = &self.window else {
            return Vec::new();
        };
        let from = window.watermark();
        (from.0..committed.first_missing(from).0).flat_map(|position| self.finish(Position(position))).collect()
    }

    /// Every position below is finished.
    pub fn end(&self) -> Position {
        self.window.as_ref().map_or(Position(0), AckWindow::watermark)
    }

    fn unpark(&mut self) -> Vec<HandId> {
        let Some(window) = &self.window else {
            return Vec::new();
        };
        self.parked.extract_if(.., |hand| window.try_reserve(hand.position).is_ok()).collect()
    }
}
