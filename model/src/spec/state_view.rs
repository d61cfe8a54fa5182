//! A state as it is seen from inside.
//!
//! The state keeps no history, and what it shows of effects is what the parties have of them: a consumer's memory, its
//! inbox, and its note of what it has done but not committed.

use super::Spec;
use super::broker::decide;
use super::consumer::has_seen;
use super::settings::Settings;
use super::state::{State, bit, id};
use crate::party_state::{PartyState, Received};
use crate::vocab::{Epoch, Fault, MessageId, Position};

/// One state under the settings that give it its meaning.
#[derive(Clone, Copy, Debug)]
pub struct StateView<'a> {
    settings: &'a Settings,
    state: &'a State,
}

impl Spec {
    /// What the parties hold in this state.
    pub fn look<'a>(&'a self, state: &'a State) -> StateView<'a> {
        StateView { settings: &self.settings, state }
    }
}

impl StateView<'_> {
    fn marks(&self, marks: u8, position: Position) -> bool {
        marks & bit(position.0 as usize) != 0
    }
}

impl PartyState for StateView<'_> {
    fn end(&self) -> Position {
        Position(self.state.log_len.into())
    }

    fn synced(&self) -> Position {
        Position(self.state.synced.into())
    }

    fn message_at(&self, position: Position) -> Option<MessageId> {
        (position < self.end()).then(|| id(self.state.log[position.0 as usize].message()))
    }

    fn received(&self) -> Option<Received> {
        self.state.slot.map(|transmission| Received {
            message: id(transmission.record.message()),
            epoch: Epoch(transmission.epoch.into()),
            decision: decide(self.settings, self.state, transmission),
        })
    }

    fn epoch(&self) -> Epoch {
        Epoch(self.state.epoch.into())
    }

    fn live_leases(&self, position: Position) -> usize {
        usize::from(self.state.live.at(position.0 as usize) != 0)
    }

    fn hand_offs(&self, position: Position) -> u32 {
        self.state.handed.at(position.0 as usize).into()
    }

    fn is_settled(&self, position: Position) -> bool {
        self.marks(self.state.settled, position)
    }

    fn is_dead(&self, position: Position) -> bool {
        self.marks(self.state.dead, position)
    }

    fn is_effected(&self, position: Position) -> bool {
        let is_done = self.settings.consumer.settles.follow_effects()
            && self.state.done.iter().any(|&done| self.marks(done, position));
        is_done || self.is_remembered(position)
    }

    fn was_effected_from(&self, position: Position) -> bool {
        self.state.seen.iter().any(|&seen| self.marks(seen, position))
    }

    fn is_remembered(&self, position: Position) -> bool {
        let place = position.0 as usize;
        has_seen(self.settings, self.state, self.state.owner.into(), place, self.state.log[place])
    }

    fn was_rewound(&self) -> bool {
        self.state.fired(Fault::Rewind) > 0
    }
}
