//! What a consumer and its group lose: a settle, a consumer's memory, the group's place in the log.

use super::broker::forget_done;
use super::settings::Settings;
use super::state::{Holding, Stage, State, below, bit, id};
use super::{CONSUMERS, GROUP, Witness};
use crate::pipeline::{NewGroup, Remembers, Settles};
use crate::vocab::{DeliveryRef, EventKind, Fault, PartitionId, SettleOutcome};

pub(super) fn lose_settle(state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    let Holding { stage, consumer } = state.holding(hand).expect("the settle is on the wire");
    let message = id(state.message_of(hand));
    match stage {
        Stage::SettlingAtWork => state.set_stage(hand, Stage::Confirmed),
        _ => state.set_holding(hand, None),
    }
    events.push(
        CONSUMERS[usize::from(consumer)],
        EventKind::Settle {
            message,
            group: GROUP,
            partition: PartitionId::default(),
            position: Some(hand.position),
            delivery: None,
            outcome: SettleOutcome::Unknown,
        },
    );
}

/// The consumer loses all that it has in hand, and its memory.
pub(super) fn crash_consumer(settings: &Settings, state: &mut State, consumer: u8) {
    state.end_hands(|holding| holding.consumer == consumer);
    state.done[usize::from(consumer)] = 0;
    if settings.consumer.remembers == Remembers::InMemory {
        state.seen[usize::from(consumer)] = 0;
        state.forget_lost(bit(consumer.into()));
    }
    if state.owner == consumer {
        place_group(settings, state);
    }
}

/// A consumer joins a group that follows a cursor. Without a position, it begins where the settings say; a rewound group has
/// one. Whoever keeps its positions in its own store begins there.
pub(super) fn place_group(settings: &Settings, state: &mut State) {
    if would_skip(settings, state) {
        skip_to_end(settings, state);
    }
}

pub(super) fn would_skip(settings: &Settings, state: &State) -> bool {
    let is_placed = state.settled | state.dead != 0 || state.fired(Fault::Rewind) > 0;
    let is_at_broker = settings.cursor && settings.consumer.settles != Settles::WithEffect;
    is_at_broker && settings.broker.new_group == NewGroup::Latest && !is_placed
}

/// The group begins behind the last record that could be handed off.
pub(super) fn skip_to_end(settings: &Settings, state: &mut State) {
    state.settled = below(state.synced.into()) & !state.dead;
    state.settled_synced = state.settled;
    state.rejected &= !state.settled;
    forget_done(settings, state);
}
