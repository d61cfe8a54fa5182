//! In which workers mark the positions that they have finished, without a common lock, where the consumer follows a cursor.
//!
//! The window says what is finished; what follows from that (what is committed, what has room) the core decides.

use std::sync::Arc;

use delivery_model::vocab::Position;

use crate::core::consumer::Consumer;
use crate::core::deliveries::Subscription;
use crate::core::steps::Steps;
use crate::shared::ack_window::{AckWindow, Snapshot};
use crate::store::Generation;

/// The window of one generation of the group: what workers still have of an earlier one they mark in that one's, and nobody
/// looks there any more.
#[derive(Debug)]
pub(super) struct Window {
    positions: AckWindow,
    generation: Generation,
}

impl Window {
    /// The window that goes with what the core knows: this one, moved on over what is finished without a worker's doing (set
    /// aside, committed by an earlier life); or a new one, in a new generation. None where workers need none.
    pub fn following<S: Steps>(current: Option<Arc<Window>>, core: &Consumer<S>, room: u64) -> Option<Arc<Window>> {
        if core.subscription() == Subscription::Leased {
            return None;
        }
        let (finished, generation) = (core.finished(), core.generation());
        let window = current.filter(|window| window.generation == generation).unwrap_or_else(|| {
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            let positions = AckWindow::resume(&Snapshot::of(finished.runs(), room), room);
            Arc::new(Window { positions, generation })
        });
        let from = window.positions.watermark();
        (from.0..finished.first_missing(from).0).for_each(|position| window.finish(Position(position)));
        Some(window)
    }

    /// The position is finished. Once is enough: it may have been before.
    pub fn finish(&self, position: Position) {
        let _ = self.positions.settle(position);
    }

    /// What is finished by now.
    pub fn look(&self) -> Snapshot {
        self.positions.snapshot()
    }
}
