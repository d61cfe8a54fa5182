//! The window in which workers mark finished positions without a common lock, where the consumer follows a cursor.
//!
//! The window says what is finished; what follows from that (what is committed, what has room) the core decides.

use std::sync::Arc;

use delivery_model::vocab::Position;

use crate::core::consumer::Consumer;
use crate::core::deliveries::Subscription;
use crate::core::steps::Steps;
use crate::shared::ack_window::{AckWindow, Snapshot, Worker};
use crate::store::Generation;

/// The window of one generation of the group. Workers mark a delivery of an earlier generation in the window of that
/// generation, which is not read any more.
#[derive(Debug)]
pub(super) struct Window {
    positions: AckWindow,
    generation: Generation,
}

impl Window {
    /// The window that goes with what the core knows: this one, moved on over what is finished without a worker's doing (set
    /// aside, committed by an earlier life); or a new one, in a new generation. None where workers need none.
    pub fn following<S: Steps>(current: Option<Arc<Window>>, core: &Consumer<S>) -> Option<Arc<Window>> {
        if core.subscription() == Subscription::Leased {
            return None;
        }
        let generation = core.generation();
        let window = current.filter(|window| window.generation == generation).unwrap_or_else(|| {
            let room = u32::try_from(core.room()).unwrap_or(u32::MAX);
            let positions = AckWindow::resume(&Snapshot::of(core.finished().runs(), room), room);
            Arc::new(Window { positions, generation })
        });
        let from = window.positions.watermark();
        let mut marks = window.marks();
        (from.0..core.first_open(from).0).for_each(|position| marks.finish(Position(position)));
        Some(window)
    }

    /// What a worker marks positions by. It is faster for many of them than a new one for each.
    pub fn marks(&self) -> Marks<'_> {
        Marks(self.positions.worker())
    }

    /// What is finished by now.
    pub fn look(&self) -> Snapshot {
        self.positions.snapshot()
    }
}

/// A worker's access to a window.
pub(super) struct Marks<'a>(Worker<'a>);

impl Marks<'_> {
    /// The position is finished. Once is enough: it may have been before.
    pub fn finish(&mut self, position: Position) {
        let _ = self.0.settle(position);
    }
}
