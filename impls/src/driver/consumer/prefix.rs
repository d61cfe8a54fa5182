//! How far the contiguous prefix of finished positions reaches, where that is what the consumer commits or stores.
//!
//! An [`AckWindow`] keeps it, and its room bounds how far workers may run ahead of a position that does not finish.

use delivery_model::vocab::Position;

use crate::core::delivery::DeliveryId;
use crate::data::positions::Positions;
use crate::shared::ack_window::{AckWindow, ReserveError, Snapshot};

/// How far ahead of the lowest unfinished position workers may be.
const ROOM: u32 = 4096;

/// The window, and the hand-offs that wait for room in it.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    /// Begins with the first hand-off of a life, when it is known what is behind the consumer.
    window: Option<AckWindow>,
    parked: Vec<DeliveryId>,
}

impl Prefix {
    pub fn has_begun(&self) -> bool {
        self.window.is_some()
    }

    /// These positions are behind the consumer, some perhaps ahead of one that is not.
    pub fn begin(&mut self, behind: &Positions) {
        self.window = Some(AckWindow::resume(&Snapshot::of(behind.runs(), ROOM), ROOM));
    }

    /// Whether a worker may have this hand-off now; otherwise it waits for room.
    pub fn admit(&mut self, hand: DeliveryId) -> bool {
        match self.window.as_ref().map_or(Ok(()), |window| window.try_reserve(hand.position)) {
            // What was finished before is delivered again after a broker forgot it: that takes no room.
            Ok(()) | Err(ReserveError::Stale { .. }) => true,
            Err(ReserveError::Full { .. }) => {
                self.parked.push(hand);
                false
            }
        }
    }

    /// The position is finished. Gives the hand-offs that have room now.
    pub fn finish(&mut self, position: Position) -> Vec<DeliveryId> {
        // A position that was finished before is an error to the window and none here.
        let advance = self.window.as_ref().and_then(|window| window.settle(position).ok().flatten());
        if advance.is_some() { self.unpark() } else { Vec::new() }
    }

    /// The broker has these positions behind it: some may have been set aside. Gives the hand-offs that have room now.
    pub fn commit(&mut self, committed: &Positions) -> Vec<DeliveryId> {
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

    fn unpark(&mut self) -> Vec<DeliveryId> {
        let Some(window) = &self.window else {
            return Vec::new();
        };
        self.parked.extract_if(.., |hand| window.try_reserve(hand.position).is_ok()).collect()
    }
}
