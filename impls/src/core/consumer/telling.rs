//! What the consumer tells the broker beside settles: the positions that it has, how far its store has finished, and that it
//! leaves.

use delivery_model::pipeline::Settles;
use delivery_model::vocab::Position;

use super::Consumer;
use crate::core::deliveries::Subscription;
use crate::core::delivery::{ConsumerOutput, DeliveryId};
use crate::core::steps::ConsumerSteps;
use crate::data::positions::Positions;

/// What was said over the connection that stands, and whether one does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Connection {
    stands: bool,
    /// The consumer was asked to leave.
    wants_to_leave: bool,
    leaving: Leaving,
    /// The positions that it last told the broker to have; none if they must be told again.
    told: Option<Positions>,
    /// The end of the durably finished prefix that it last told the broker.
    told_finished: Position,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Leaving {
    #[default]
    No,
    /// The broker was asked for no more.
    Said,
    /// The broker will hand nothing more off.
    Heard,
}

impl<S: ConsumerSteps> Consumer<S> {
    /// A connection to the broker stands: the consumer subscribes, with what it still has.
    pub fn handle_connected(&mut self) {
        let (workers, hands) = (self.capacity(), self.hands.keys().collect());
        let has = match self.subscription {
            Subscription::Cursor => self.has(),
            Subscription::Leased => Positions::default(),
        };
        let wants_to_leave = self.connection.wants_to_leave;
        self.connection = Connection { stands: true, wants_to_leave, told: Some(has.clone()), ..Connection::default() };
        // What was to be said over an earlier connection means nothing on this one.
        self.outputs.clear();
        self.outputs.push_back(ConsumerOutput::Subscribe { workers, hands, has });
    }

    /// Ends the connection: the outcomes of the settles that were sent over it are unknown.
    pub fn handle_disconnected(&mut self) {
        self.connection.stands = false;
        let awaited: Vec<DeliveryId> = self.awaited().map(|(hand, _)| hand).collect();
        awaited.into_iter().for_each(|hand| self.time_out(hand));
    }

    /// The consumer is to leave: it asks the broker for no more, and finishes what it has.
    pub fn leave(&mut self) {
        self.connection.wants_to_leave = true;
    }

    /// The broker will hand nothing more off.
    pub fn handle_left(&mut self) {
        self.connection.leaving = Leaving::Heard;
    }

    /// Nothing is at work, nothing waits for a worker or for the broker.
    pub fn is_idle(&self) -> bool {
        self.hands.is_empty()
    }

    /// Whether the consumer was asked to leave and may: no more hand-offs will come, and none is unfinished.
    pub fn may_leave(&self) -> bool {
        let Connection { stands, wants_to_leave, leaving, .. } = self.connection;
        wants_to_leave && self.is_idle() && (leaving == Leaving::Heard || !stands)
    }

    /// The next thing to tell the broker, oldest first; but what the consumer has comes before all that it does, so that the
    /// broker hands nothing off that a word behind it frees.
    pub fn poll_output(&mut self) -> Option<ConsumerOutput> {
        let subscribe = self.outputs.pop_front_if(|next| matches!(next, ConsumerOutput::Subscribe { .. }));
        subscribe.or_else(|| self.poll_has()).or_else(|| self.outputs.pop_front()).or_else(|| self.poll_leave())
    }

    /// The positions that are not to be handed off to this consumer: at work, done, or finished in its store.
    pub fn has(&self) -> Positions {
        let mut has = self.stored.clone();
        has.extend(self.inbox.done());
        for hand in self.hands.keys().filter(|hand| self.is_current(*hand)) {
            has.insert(hand.position);
        }
        has
    }

    /// Makes the consumer tell the broker again which positions it has.
    pub(super) fn tell_again(&mut self) {
        self.connection.told = None;
    }

    /// The positions that a cursor's consumer has, if they changed; otherwise how far its store has finished.
    fn poll_has(&mut self) -> Option<ConsumerOutput> {
        if self.subscription != Subscription::Cursor || !self.connection.stands {
            return None;
        }
        let has = self.has();
        if self.connection.told.as_ref() != Some(&has) {
            self.connection.told = Some(has.clone());
            return Some(ConsumerOutput::Has(has));
        }
        self.poll_finished()
    }

    /// How far the consumer's own store has finished, once in [`Tuning::finished_step`](crate::core::tuning::Tuning) positions:
    /// the broker needs it only to drop records.
    fn poll_finished(&mut self) -> Option<ConsumerOutput> {
        if self.settles() != Settles::WithEffect {
            return None;
        }
        let mut finished = self.stored.clone();
        finished.extend(&self.committed);
        let end = finished.first_missing(Position(0));
        let is_due = end.0 >= self.connection.told_finished.0 + self.tuning.finished_step;
        is_due.then(|| {
            self.connection.told_finished = end;
            ConsumerOutput::Finished(end)
        })
    }

    fn poll_leave(&mut self) -> Option<ConsumerOutput> {
        let connection = &mut self.connection;
        let is_due = connection.stands && connection.wants_to_leave && connection.leaving == Leaving::No;
        is_due.then(|| {
            connection.leaving = Leaving::Said;
            ConsumerOutput::Leave
        })
    }
}
