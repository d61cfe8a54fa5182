//! The consumer's steps: receive a hand-off, handle it, remember it, settle it, in the order that the settings say.

use super::broker::{covered, is_at_work, mark_settled, store_copy};
use super::group::crash_consumer as crash;
use super::settings::Settings;
use super::state::{Holding, Record, Stage, State, bit, id};
use super::{CONSUMERS, GROUP, Witness};
use crate::pipeline::{Identity, OnDuplicate, OnFailure, Remembers, Settles};
use crate::vocab::{DeliveryRef, EventKind, Move, PartitionId, SettleOutcome};

/// What comes next for a hand-off.
pub(super) fn next(settings: &Settings, hand: DeliveryRef, stage: Stage) -> Move {
    match stage {
        Stage::OnWire => Move::Deliver { hand },
        Stage::AtWork if settings.consumer.settles == Settles::BeforeEffect => Move::Settle { hand },
        Stage::AtWork | Stage::SettlingAtWork | Stage::Confirmed => Move::Handle { hand },
        Stage::ToRemember => Move::Remember { hand },
        Stage::ToSettle => Move::Settle { hand },
        Stage::Settling => Move::RecordSettle { hand },
    }
}

/// A worker is free for a delivery that was received: of several that wait for one, the lowest positions come first.
pub(super) fn has_worker(settings: &Settings, state: &State, hand: DeliveryRef, consumer: u8) -> bool {
    if settings.consumer.prefetch == 0 {
        return true;
    }
    let of_consumer = || state.hands().filter(move |(_, holding)| holding.consumer == consumer);
    let has_begun = |stage| !waits(settings, stage) && is_at_work(settings, stage);
    let begun = of_consumer().filter(|(_, holding)| has_begun(holding.stage)).count();
    let received = of_consumer().filter(|(_, holding)| waits(settings, holding.stage));
    let free = (settings.consumer.workers as usize).saturating_sub(begun);
    received.take(free).any(|(other, _)| other == hand)
}

/// A delivery that has come so far was received, and no worker has begun with it.
pub(super) fn waits(settings: &Settings, stage: Stage) -> bool {
    match stage {
        Stage::AtWork | Stage::SettlingAtWork => true,
        Stage::Confirmed => settings.consumer.settles == Settles::InBackground,
        Stage::OnWire | Stage::ToRemember | Stage::ToSettle | Stage::Settling => false,
    }
}

/// The message at this position fails its handler every time.
pub(super) fn fails(state: &State, hand: DeliveryRef) -> bool {
    state.fails(state.message_of(hand) + 1)
}

/// The message at this position crashes its consumer each time it is handled.
pub(super) fn crashes(state: &State, hand: DeliveryRef) -> bool {
    state.kills(state.message_of(hand) + 1)
}

/// Ends a hand-off whose handler failed: it is released, its position is skipped or set aside, or it is published again.
pub(super) fn fail_one(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    if is_settled_ahead(settings, state, hand) {
        return end_settled_ahead(state, hand);
    }
    match settings.consumer.on_failure {
        OnFailure::Requeue if settings.consumer.requeues_failures() => return requeue(settings, state, hand),
        OnFailure::DeadLetter if settings.consumer.rejects_failures() => reject(settings, state, hand),
        OnFailure::Skip | OnFailure::Requeue | OnFailure::DeadLetter | OnFailure::Release => {}
    }
    pass_over(settings, state, hand, settings.consumer.skips_failures());
}

/// Its settle has gone out in the background, whatever came of it: nothing follows on its handling.
fn is_settled_ahead(settings: &Settings, state: &State, hand: DeliveryRef) -> bool {
    let is_ahead = |stage| matches!(stage, Stage::SettlingAtWork | Stage::Confirmed);
    settings.consumer.settles == Settles::InBackground && state.holding(hand).is_some_and(|it| is_ahead(it.stage))
}

/// Ends the handling of such a hand-off: what is left is the settle, where it is still on the wire.
fn end_settled_ahead(state: &mut State, hand: DeliveryRef) {
    match state.holding(hand).map(|holding| holding.stage) {
        Some(Stage::SettlingAtWork) => state.set_stage(hand, Stage::Settling),
        _ => state.set_holding(hand, None),
    }
}

/// Ends a hand-off without a settle of its own: its position counts as finished, or is given back.
fn pass_over(settings: &Settings, state: &mut State, hand: DeliveryRef, counts_as_finished: bool) {
    if counts_as_finished {
        let consumer = usize::from(state.holding(hand).expect("a worker has it").consumer);
        finished(state, hand, consumer);
        // It may be committed already.
        mark_settled(settings, state, 0);
    }
    state.set_holding(hand, None);
}

/// The broker is asked to set the position aside. Like a settle, that is refused once the lease has ended; a position that
/// is handed off only once is not kept for anybody whose lease has ended.
fn reject(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    let is_refused = hand.is_late() && (settings.leases_checked || settings.delivers_once);
    let place = bit(hand.position.0 as usize);
    let is_lost = hand.position.0 >= state.log_len.into();
    if !is_refused && !is_lost && (state.settled | state.dead) & place == 0 {
        state.rejected |= place;
    }
}

/// The message is published again, and its consumer waits until the copy is durable. Then it is settled as if it were handled.
fn requeue(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    let record = state.record_of(hand);
    store_copy(settings, state, record);
    finish(settings, state, hand);
}

pub(super) fn deliver(state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    let holding = state.holding(hand).expect("the hand-off is on the wire");
    state.set_stage(hand, Stage::AtWork);
    events.push(
        CONSUMERS[usize::from(holding.consumer)],
        EventKind::Deliver {
            message: id(state.message_of(hand)),
            group: GROUP,
            partition: PartitionId::default(),
            position: Some(hand.position),
            delivery: None,
            payload: None,
        },
    );
}

pub(super) fn handle(settings: &Settings, state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    let consumer = usize::from(state.holding(hand).expect("a worker has it").consumer);
    let message = state.message_of(hand);
    if crashes(state, hand) {
        return crash(settings, state, consumer as u8);
    }
    let fenced = settings.consumer.settles == Settles::WithEffect && settings.leases_checked && hand.is_late();
    if fails(state, hand) {
        return fail_one(settings, state, hand);
    }
    let is_new = !has_seen(settings, state, consumer, hand.position.0 as usize, state.record_of(hand));
    if !is_new && settings.consumer.on_duplicate == OnDuplicate::Ignore && !is_settled_ahead(settings, state, hand) {
        return pass_over(settings, state, hand, settings.consumer.skips_duplicates());
    }
    if fenced {
        return state.set_holding(hand, None);
    }
    if is_new {
        events.push(CONSUMERS[consumer], EventKind::Effect { message: id(message), group: GROUP, payload: None });
        if settings.consumer.remembers == Remembers::WithEffect {
            note_seen(settings, state, hand, 0);
        }
    }
    if settings.consumer.settles == Settles::WithEffect {
        store_position(settings, state, hand, consumer, events);
    }
    match is_new && settings.consumer.remembers == Remembers::InMemory {
        // It is noted in the same step where nothing else follows. That loses no run: a crash between the two would lose the
        // note as well as one after them.
        true if is_settled_ahead(settings, state, hand) => remember(settings, state, hand),
        true => state.set_stage(hand, Stage::ToRemember),
        false => finish(settings, state, hand),
    }
}

/// The consumer's memory takes in the message of a hand-off.
fn note_seen(settings: &Settings, state: &mut State, hand: DeliveryRef, consumer: usize) {
    if settings.producer.identity != Identity::None && state.is_of_lost(hand) {
        state.remember_lost(state.record_of(hand), bit(consumer));
    } else {
        state.seen[consumer] |= bit(hand.position.0 as usize);
    }
}

/// The consumer's memory knows the message of this record at this position: by identity, or by position where there is none.
pub(super) fn has_seen(settings: &Settings, state: &State, consumer: usize, place: usize, record: Record) -> bool {
    let consumer = match settings.consumer.remembers {
        Remembers::Nothing => return false,
        Remembers::InMemory => consumer,
        Remembers::WithEffect => 0,
    };
    let seen = state.seen[consumer];
    match settings.producer.identity {
        Identity::None => seen & bit(place) != 0,
        Identity::MessageId | Identity::Sequence => {
            state.has_seen_lost(record, consumer)
                || (0..state.log_len.into()).any(|other| seen & bit(other) != 0 && state.log[other] == record)
        }
    }
}

/// Everything that its consumer has finished with this hand-off; which is remembered, unless it knows of a later generation.
pub(super) fn finished(state: &mut State, hand: DeliveryRef, consumer: usize) -> u8 {
    let done = state.done[consumer] | bit(hand.position.0 as usize);
    if !state.is_superseded(hand) {
        state.done[consumer] = done;
    }
    done
}

/// The position becomes part of the effect's transaction.
fn store_position(
    settings: &Settings,
    state: &mut State,
    hand: DeliveryRef,
    consumer: usize,
    events: &mut impl Witness,
) {
    let place = hand.position.0 as usize;
    let done = finished(state, hand, consumer);
    let settled = covered(settings, state, done).map_or(bit(place), super::state::below);
    mark_settled(settings, state, settled);
    events.push(
        CONSUMERS[consumer],
        EventKind::Settle {
            message: id(state.message_of(hand)),
            group: GROUP,
            partition: PartitionId::default(),
            position: Some(hand.position),
            delivery: None,
            outcome: SettleOutcome::Ok,
        },
    );
}

pub(super) fn remember(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    let consumer = usize::from(state.holding(hand).expect("a worker has it").consumer);
    note_seen(settings, state, hand, consumer);
    finish(settings, state, hand);
}

/// Handling is over: what is left is the settle, where it comes last.
fn finish(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    match settings.consumer.settles {
        Settles::InBackground if is_settled_ahead(settings, state, hand) => end_settled_ahead(state, hand),
        Settles::AfterEffect | Settles::InBackground => state.set_stage(hand, Stage::ToSettle),
        Settles::BeforeEffect | Settles::WithEffect => state.set_holding(hand, None),
    }
}

/// The settle goes on the wire. Where it follows the effect, a prefix that did not grow is not told again. Where it comes
/// first it is sent in any case: the handler waits for the confirmation of this very settle, and a commit that somebody
/// else made is none. In the background, the position counts as finished from now on; where that is no news, a later commit
/// covers it, and nothing but the handling is left.
pub(super) fn settle(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    let Holding { stage, consumer } = state.holding(hand).expect("a worker has it");
    let consumer = usize::from(consumer);
    let is_ahead = stage == Stage::AtWork && settings.consumer.settles == Settles::InBackground;
    let settling = if is_ahead { Stage::SettlingAtWork } else { Stage::Settling };
    if !settings.cursor {
        return state.set_stage(hand, settling);
    }
    let done = finished(state, hand, consumer);
    if settings.loses_records {
        // What is committed already needs no note. Elsewhere such a note means nothing.
        mark_settled(settings, state, 0);
    }
    let upto = covered(settings, state, done).expect("a cursor covers a prefix");
    if upto > state.committed() || settings.consumer.settles == Settles::BeforeEffect {
        state.set_stage(hand, settling);
        state.set_upto(hand, upto as u8);
    } else if is_ahead {
        state.set_stage(hand, Stage::Confirmed);
    } else {
        state.set_holding(hand, None);
    }
}
