//! The leases of what was handed off, shared by the broker's loop and the threads that read its connections.
//!
//! A settle may wait for the loop: behind a slow sync, or in a queue that publishes filled. Were the loop to look at the
//! clock first, a settle that came in time would be refused, and its message delivered again. So the thread that reads a
//! settle begins it in a [`LeaseTable`] there and then ([`Leasing::admit`]), and its lease does not end any more until
//! the loop has dealt with it. The loop ends by time only what the table lets it end. A settle that comes when its lease
//! has ended begins nothing, and is refused when its turn comes.
//!
//! What has begun goes with the settle as a [`Handle`]: wherever it is dropped undecided (the ledger has no room, its
//! connection was cut off), the lease goes on until its deadline.
//!
//! The core stays the judge of who may settle what, and the loop tells the table what the core decided; they never
//! disagree ([`Leasing::agrees_with`]).
//!
//! Leaves out: what has not been read from its socket, because the queue to the loop is full; and where the end of a lease
//! gives nothing to anybody: a cursor's owner holds its leases until it is gone, leases that are not checked refuse
//! nothing, and what is delivered once is not delivered again. Nor are there leases of positions that may be delivered more
//! often than a slot counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery_model::pipeline::{Delivers, Leases, Pipeline};
use delivery_model::vocab::{DeliveryNumber, Position};

use super::Input;
use crate::core::deliveries::{Deliveries, Subscription};
use crate::core::delivery::{DeliveryId, SettleRequest};
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::driver::wire::ToBroker;
use crate::shared::ack_window::Snapshot;
use crate::shared::handle::Handle;
use crate::shared::lease_slot::{DELIVERIES_MAX, LeaseError, SlotPhase, Tick};
use crate::shared::lease_table::{Granted, LeaseTable};

/// How far the group may be ahead of the lowest position that is not settled. Far more than consumers have at work at
/// once, so that only a message that is never settled, and never set aside, makes it wait; half a megabyte.
const ROOM: u32 = 1 << 16;

/// A settle that has begun. Settled when the loop has dealt with it.
pub(super) type PendingSettle = Handle<Granted, Box<dyn Fn(Granted) + Send + Sync>>;

/// The leases, where the end of one matters.
#[derive(Clone, Debug)]
pub(super) struct Leasing(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    table: LeaseTable,
    /// Where the log began in the beginning: nobody will be handed what it has dropped.
    start: Position,
    /// The live leases. The loop changes them; connections' readers look theirs up.
    held: Mutex<BTreeMap<DeliveryId, Held>>,
}

/// A lease that the core has as live.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Over which it was handed off.
    connection: u64,
    granted: Granted,
    ends: Millis,
}

impl Leasing {
    /// Goes on where the ledger says that the deliveries are, of a log that begins at `start`. Nobody holds a lease.
    pub fn new(pipeline: &Pipeline, start: Position, deliveries: &Deliveries) -> Leasing {
        Leasing::with_room(pipeline, start, deliveries, ROOM)
    }

    fn with_room(pipeline: &Pipeline, start: Position, deliveries: &Deliveries, room: u32) -> Leasing {
        let ends_matter = deliveries.subscription() == Subscription::Leased
            && pipeline.broker.leases == Leases::Checked
            && pipeline.broker.delivers == Delivers::UntilSettled
            && pipeline.broker.max_deliveries <= DELIVERIES_MAX;
        let shared = || Shared {
            table: table(&over(start, deliveries), deliveries, pipeline.broker.max_deliveries, room),
            start,
            held: Mutex::default(),
        };
        Leasing(ends_matter.then(|| Arc::new(shared())))
    }

    /// What the loop is to hear of a settle. From here on its lease does not end by time, if it has not ended already.
    pub fn admit(&self, connection: u64, request: SettleRequest) -> Input {
        match self.begin(connection, request.hand) {
            Some(begun) => Input::Settles(connection, request, begun),
            None => Input::Said(connection, ToBroker::Settle(request)),
        }
    }

    /// A peer begins what was handed off over its own connection, which was let in then.
    fn begin(&self, connection: u64, hand: DeliveryId) -> Option<PendingSettle> {
        let shared = self.0.as_ref()?;
        let held = shared.held().get(&hand).copied().filter(|held| held.connection == connection)?;
        shared.table.begin_settle(held.granted).ok()?;
        let withdraws = Arc::clone(shared);
        Some(PendingSettle::new(
            held.granted,
            Box::new(move |granted| {
                // Refused where the lease was revoked meanwhile, or settled by another word of the same consumer.
                let _ = withdraws.table.withdraw_settle(granted);
            }),
        ))
    }

    /// Whether leases are kept here.
    pub fn is_used(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this position may be handed off or set aside now; else it waits until those before it are settled.
    pub fn has_room(&self, position: Position) -> bool {
        self.0.as_ref().is_none_or(|shared| shared.table.try_reserve(position).is_ok())
    }

    /// The core has handed off a position that there is room for, over this connection.
    pub fn grant(&self, connection: u64, hand: DeliveryId, ends: Millis) {
        let Some(shared) = &self.0 else {
            return;
        };
        let granted = shared.table.grant(hand.position, tick(ends)).expect(AGREE);
        shared.held().insert(hand, Held { connection, granted, ends });
    }

    /// The core has taken a settle, and the ledger has it where it must.
    pub fn finish(&self, request: &SettleRequest, begun: Option<PendingSettle>) {
        if let Some(begun) = begun {
            begun.settle().expect("nobody else has it");
        }
        let Some(shared) = &self.0 else {
            return;
        };
        let held = shared.held().get(&request.hand).copied().expect(AGREE);
        shared.finish(held.granted).expect(AGREE);
        if request.finishes {
            shared.held().remove(&request.hand);
        }
    }

    /// Records with `record` that a position is set aside, which there is room for and nobody holds.
    pub fn set_aside<E>(&self, position: Position, record: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let Some(shared) = &self.0 else {
            return record();
        };
        let taken = shared.table.begin_set_aside(position).expect(AGREE);
        let recorded = record();
        if recorded.is_ok() {
            shared.table.finish_settle(taken).expect(AGREE);
        } else {
            shared.table.abandon_settle(taken).expect(AGREE);
        }
        recorded
    }

    /// The core has ended this lease, if it was live.
    pub fn end(&self, hand: DeliveryId) {
        if let Some(shared) = &self.0
            && let Some(held) = shared.held().remove(&hand)
        {
            shared.revoke(held.granted);
        }
    }

    /// The core has ended these leases.
    pub fn end_where(&self, has_ended: impl Fn(&DeliveryId) -> bool) {
        if let Some(shared) = &self.0 {
            let mut held = shared.held();
            held.extract_if(.., |hand, _| has_ended(hand)).for_each(|(_, held)| shared.revoke(held.granted));
        }
    }

    /// Ends the leases whose time is over, other than those that are being settled. The core is to end them too. None
    /// where no leases are kept here.
    pub fn expire(&self, now: Millis) -> Option<Vec<DeliveryId>> {
        let shared = self.0.as_ref()?;
        let has_ended = |_: &DeliveryId, held: &mut Held| held.ends <= now && shared.has_ended(held.granted, tick(now));
        let ended = shared.held().extract_if(.., has_ended).map(|(hand, _)| hand).collect();
        Some(ended)
    }

    /// When the next lease ends by time. One that is being settled does not.
    pub fn next_ends(&self) -> Option<Millis> {
        let shared = self.0.as_ref()?;
        let held = shared.held();
        held.values().filter(|held| !shared.table.is_settling(held.granted)).map(|held| held.ends).min()
    }

    /// Whether the core has the same leases, and has settled or set aside just as much.
    pub fn agrees_with(&self, deliveries: &Deliveries) -> bool {
        self.0.as_ref().is_none_or(|shared| {
            shared.held().keys().copied().eq(deliveries.leases().live())
                && shared.table.watermark() == over(shared.start, deliveries).first_missing(Position(0))
        })
    }
}

const AGREE: &str = "table and core agree on who holds what";

impl Shared {
    fn held(&self) -> MutexGuard<'_, BTreeMap<DeliveryId, Held>> {
        // Each change is one call.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A settle that this consumer's reader has begun, or has not because another was under way; or one of what was
    /// settled before its effect, and is settled again.
    fn finish(&self, granted: Granted) -> Result<(), LeaseError> {
        let _ = self.table.begin_settle(granted);
        match self.table.finish_settle(granted) {
            Ok(_) | Err(LeaseError::WrongPhase { phase: SlotPhase::Settled, .. }) => Ok(()),
            Err(refused) => Err(refused),
        }
    }

    /// The position may be handed off again, unless it was settled before the handler ran.
    fn revoke(&self, granted: Granted) {
        let revoked = self.table.revoke(granted);
        debug_assert!(
            matches!(revoked, Ok(()) | Err(LeaseError::WrongPhase { phase: SlotPhase::Settled, .. })),
            "{AGREE}"
        );
    }

    /// Ends a lease by time. So it does after a settle, if the handler was still to run.
    fn has_ended(&self, granted: Granted, now: Tick) -> bool {
        match self.table.expire(granted, now) {
            Ok(()) | Err(LeaseError::WrongPhase { phase: SlotPhase::Settled, .. }) => true,
            Err(_) => false,
        }
    }
}

fn table(over: &Positions, deliveries: &Deliveries, deliveries_max: u32, room: u32) -> LeaseTable {
    let in_hand = deliveries.in_hand().minus(over);
    // More only if earlier settings let the group run farther ahead.
    let ahead = over.end().max(in_hand.end()).0 - over.first_missing(Position(0)).0;
    let room = u32::try_from(ahead).expect("the log fits into memory").max(room);
    let counted = in_hand.runs().flat_map(|(start, end)| start.0..end.0).map(Position);
    // No number: it was handed off more often than is counted, and so than it may be.
    let number = |position| deliveries.delivery_number(position).unwrap_or(DeliveryNumber(deliveries_max + 1));
    let counted = counted.map(|position| (position, number(position)));
    LeaseTable::resume(&Snapshot::of(over.runs(), room), room, deliveries_max, counted)
}

/// What nobody will be handed again: settled, set aside, handed off under settings that allowed it once, or dropped.
fn over(start: Position, deliveries: &Deliveries) -> Positions {
    let mut over = Positions::below(start);
    [deliveries.settled(), deliveries.dead(), deliveries.handed()].into_iter().for_each(|part| over.extend(part));
    over
}

/// The table counts milliseconds modulo 2^32, and is asked about a deadline when it has come.
fn tick(at: Millis) -> Tick {
    Tick(at.0 as u32)
}

#[cfg(test)]
mod tests;
