//! The broker's steps: receive, append, sync, ack, hand off, dead-letter, record a settle.

use std::ops::ControlFlow;

use super::bounds::{Bound, LOG_MAX, STRAGGLERS_MAX};
use super::settings::Settings;
use super::state::{Holding, Phase, Record, Stage, State, Transmission, below, bit, id, index, positions};
use super::{BROKER, CONSUMERS, GROUP, Witness};
use crate::party_state::Decision;
use crate::pipeline::{
    Acks, AnswersDuplicates, Commits, DeadLettering, Dedup, ForgottenProducers, HandsOff, Overflow, Settles,
};
use crate::vocab::{DeliveryRef, EventKind, MessageId, Move, PartitionId, Position, SettleOutcome};

pub(super) fn moves(
    settings: &Settings,
    state: &State,
    found: &mut dyn FnMut(Move) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match state.slot {
        Some(transmission) => found(Move::Append { message: id(transmission.record.message()) })?,
        None => {
            if let Some(message) = state.wire().next() {
                found(Move::Receive { message: id(message) })?;
            }
            for (message, _) in stragglers(state) {
                found(Move::ReceiveLate { message: id(message) })?;
            }
        }
    }
    if state.log_len > state.synced {
        found(Move::Sync)?;
    }
    if state.has_unsynced_settles() {
        found(Move::SyncSettles)?;
    }
    for message in 0..settings.messages.into() {
        if state.phases[message] == Phase::AckOwed && is_due(state, state.identities[message]) {
            found(Move::Ack { message: id(message) })?;
        }
    }
    match next_hand_off(settings, state) {
        Some((position, _)) if used_up(settings, state, position) => {
            found(Move::DeadLetter { position: Position(position as u64) })
        }
        Some((position, _)) => found(Move::HandOff { position: Position(position as u64) }),
        None => ControlFlow::Continue(()),
    }
}

/// The oldest straggler of each message, and where it stands.
fn stragglers(state: &State) -> impl Iterator<Item = (usize, usize)> + '_ {
    let message_of = |place: usize| state.stragglers[place].map(|it| it.record.message());
    (0..STRAGGLERS_MAX).filter_map(move |place| {
        let message = message_of(place)?;
        (0..place).all(|earlier| message_of(earlier) != Some(message)).then_some((message, place))
    })
}

/// A confirmation that is owed waits for the record's sync. Of a message that was taken for a duplicate by its number
/// alone there is no record, and nothing to wait for.
fn is_due(state: &State, record: Record) -> bool {
    state.last_record(record).is_none_or(|position| position < state.synced.into())
}

pub(super) fn receive(settings: &Settings, state: &mut State, message: MessageId) {
    let message = index(message);
    state.wire_remove(message);
    state.slot = Some(Transmission { record: state.identities[message], epoch: state.epoch, straggler: false });
    state.phases[message] = match settings.broker.acks {
        Acks::Never => Phase::Silent,
        Acks::OnReceipt => Phase::AckOnWire,
        Acks::AfterSync | Acks::Replicated => Phase::Received,
    };
}

pub(super) fn receive_late(state: &mut State, message: MessageId) {
    let (_, place) = stragglers(state).find(|&(other, _)| other == index(message)).expect("the straggler exists");
    state.slot = state.stragglers[place];
    state.stragglers.copy_within(place + 1.., place);
    state.stragglers[STRAGGLERS_MAX - 1] = None;
}

pub(super) fn append(settings: &Settings, state: &mut State) {
    let transmission = state.slot.take().expect("something was received");
    let decision = decide(settings, state, transmission);
    if decision == Decision::Store {
        make_room(settings, state);
        store(settings, state, transmission.record);
    }
    if transmission.straggler {
        return;
    }
    let message = transmission.record.message();
    match (settings.broker.acks, decision) {
        (Acks::AfterSync | Acks::Replicated, _) if is_refused(settings, decision) => {
            state.phases[message] = Phase::RefusalOnWire
        }
        (Acks::AfterSync | Acks::Replicated, _) => state.phases[message] = Phase::AckOwed,
        (Acks::OnReceipt | Acks::Never, _) => {}
    }
}

/// Whether the broker answers this decision with a refusal.
pub(super) fn is_refused(settings: &Settings, decision: Decision) -> bool {
    match decision {
        Decision::Refuse => true,
        Decision::Duplicate => settings.broker.answers_duplicates == AnswersDuplicates::Refuse,
        Decision::Store => false,
    }
}

/// What the broker makes of a transmission. A full queue is looked at last.
pub(super) fn decide(settings: &Settings, state: &State, transmission: Transmission) -> Decision {
    let is_full = || settings.broker.overflow == Overflow::Refuse && is_full(settings, state);
    match recognise(settings, state, transmission) {
        Decision::Store if is_full() => Decision::Refuse,
        decision => decision,
    }
}

/// The queue holds as many records as it may. Of a cursor, all that is not committed counts.
fn is_full(settings: &Settings, state: &State) -> bool {
    let capacity = settings.broker.capacity;
    let left = match settings.cursor {
        true => u32::from(state.log_len).saturating_sub(state.committed() as u32),
        false => unfinished(settings, state).count_ones(),
    };
    capacity > 0 && left >= capacity
}

/// The positions that are neither settled nor set aside, nor done with when they were handed off. Of a cursor, what is not
/// committed is kept in any case.
pub(super) fn unfinished(settings: &Settings, state: &State) -> u8 {
    let is_done_with = |position: usize| settings.delivers_once && !settings.cursor && state.handed.at(position) > 0;
    let handed = (0..LOG_MAX).filter(|&position| is_done_with(position));
    let handed = handed.fold(0, |bits, position| bits | bit(position));
    below(state.log_len.into()) & !(state.settled | state.dead | handed)
}

/// Drops the oldest record that is not finished, where the queue is full. What is dropped is durable first: its position
/// will not come again.
fn make_room(settings: &Settings, state: &mut State) {
    if !is_full(settings, state) {
        return;
    }
    let oldest = unfinished(settings, state).trailing_zeros() as usize;
    if oldest >= state.synced.into() {
        sync(state);
    }
    drop_record(settings, state, oldest);
}

/// The record is gone: it will not be handed off again, and is no dead letter that anybody could find.
pub(super) fn drop_record(settings: &Settings, state: &mut State, position: usize) {
    state.dead |= bit(position);
    state.dead_synced |= bit(position);
    state.vanish(settings, position);
    forget_done(settings, state);
    state.handed.set(position, 0);
    state.rejected &= !bit(position);
}

/// What the memory of seen messages makes of a transmission, after fencing.
fn recognise(settings: &Settings, state: &State, transmission: Transmission) -> Decision {
    if settings.fencing && transmission.epoch < state.epoch {
        return Decision::Refuse;
    }
    let record = transmission.record;
    let remembered = &state.log[state.dedup_floor.into()..state.log_len.into()];
    match settings.broker.dedup {
        Dedup::None => Decision::Store,
        Dedup::MessageId if remembered.contains(&record) => Decision::Duplicate,
        Dedup::MessageId => Decision::Store,
        Dedup::Sequence => {
            let of_session = remembered.iter().filter(|stored| stored.session() == record.session());
            match of_session.map(|stored| stored.sequence()).max() {
                Some(last) if record.sequence() <= last => Decision::Duplicate,
                Some(last) if record.sequence() > last + 1 => Decision::Refuse,
                Some(_) => Decision::Store,
                // Where nothing was ever forgotten, a session without a record is new, and begins with its first.
                None if !state.has_forgotten() && record.sequence() > 0 => Decision::Refuse,
                // Otherwise it may be one that was forgotten, and so may begin anywhere, where that is accepted.
                None if settings.broker.forgotten_producers == ForgottenProducers::Refuse && record.sequence() > 0 => {
                    Decision::Refuse
                }
                None => Decision::Store,
            }
        }
    }
}

/// Appends a copy of a record, durably.
pub(super) fn store_copy(settings: &Settings, state: &mut State, record: Record) {
    store(settings, state, record);
    sync(state);
}

/// Appends the record. Where there is no room in the encoding, the run is cut.
fn store(settings: &Settings, state: &mut State, record: Record) {
    if usize::from(state.log_len) == LOG_MAX {
        state.cut = Some(Bound::Log);
        return;
    }
    state.log[usize::from(state.log_len)] = record;
    state.log_len += 1;
    slide_dedup_window(settings, state);
}

/// Forgets what the window no longer covers.
pub(super) fn slide_dedup_window(settings: &Settings, state: &mut State) {
    if settings.broker.dedup == Dedup::None {
        return;
    }
    if settings.broker.dedup_window > 0 {
        let covered = settings.broker.dedup_window.min(LOG_MAX as u32) as u8;
        state.forget_below(state.dedup_floor.max(state.log_len.saturating_sub(covered)));
    }
}

pub(super) fn sync(state: &mut State) {
    state.synced = state.log_len;
}

pub(super) fn sync_settles(state: &mut State) {
    state.settled_synced = state.settled;
    positions(state.dead & !state.dead_synced).for_each(|position| state.handed.set(position, 0));
    state.dead_synced = state.dead;
}

pub(super) fn ack(state: &mut State, message: MessageId) {
    state.phases[index(message)] = Phase::AckOnWire;
}

/// The lowest eligible position and the consumer with a free worker that it would go to.
pub(super) fn next_hand_off(settings: &Settings, state: &State) -> Option<(usize, u8)> {
    let first_free = |consumer: &u8| busy(settings, state, *consumer) < settings.consumer.capacity();
    let consumer = if settings.cursor {
        Some(state.owner).filter(first_free)?
    } else {
        (0..settings.consumers).find(first_free)?
    };
    let mut unsettled = below(handed_off_below(settings, state)) & !(state.settled | state.dead);
    while unsettled != 0 {
        let position = unsettled.trailing_zeros() as usize;
        if is_eligible(settings, state, position, consumer) {
            return Some((position, consumer));
        }
        unsettled &= unsettled - 1;
    }
    None
}

/// Up to where the log may be handed off.
fn handed_off_below(settings: &Settings, state: &State) -> usize {
    match settings.broker.hands_off {
        HandsOff::Synced => state.synced.into(),
        HandsOff::Appended => state.log_len.into(),
    }
}

fn is_eligible(settings: &Settings, state: &State, position: usize, consumer: u8) -> bool {
    (state.settled | state.dead) & bit(position) == 0
        && state.live.at(position) == 0
        && !(settings.delivers_once && state.handed.at(position) > 0 && state.rejected & bit(position) == 0)
        && !(settings.cursor && state.done[usize::from(consumer)] & bit(position) != 0)
}

/// The position waits for a hand-off, whether a worker is free or not and whatever comes before it.
pub(super) fn is_waiting(settings: &Settings, state: &State, position: usize) -> bool {
    position < handed_off_below(settings, state) && is_eligible(settings, state, position, state.owner)
}

/// How many deliveries a consumer has, or will receive, for its workers to do.
fn busy(settings: &Settings, state: &State, consumer: u8) -> u32 {
    let is_busy = |holding: &Holding| {
        holding.consumer == consumer && (holding.stage == Stage::OnWire || is_at_work(settings, holding.stage))
    };
    state.hands().filter(|(_, holding)| is_busy(holding)).count() as u32
}

pub(super) fn used_up(settings: &Settings, state: &State, position: usize) -> bool {
    let is_counted_out = settings.deliveries_max > 0 && state.handed.at(position) >= settings.deliveries_max;
    is_counted_out || state.rejected & bit(position) != 0
}

pub(super) fn hand_off(settings: &Settings, state: &mut State, position: Position) {
    let (place, consumer) = next_hand_off(settings, state).expect("a position is eligible");
    debug_assert_eq!(place as u64, position.0);
    if settings.deliveries_max > 0 || settings.delivers_once {
        state.handed.set(place, state.handed.at(place) + 1);
    }
    state.set_holding(DeliveryRef::live(position), Some(Holding { stage: Stage::OnWire, consumer }));
}

/// The position is set aside. Where the dead letter is published until that is confirmed, the settle of its position follows
/// at the next sync.
pub(super) fn dead_letter(settings: &Settings, state: &mut State, position: Position, events: &mut impl Witness) {
    let place = position.0 as usize;
    state.dead |= bit(place);
    state.rejected &= !bit(place);
    forget_done(settings, state);
    if settings.broker.dead_lettering != DeadLettering::AtLeastOnce {
        state.dead_synced |= bit(place);
        state.handed.set(place, 0);
    }
    let message = id(state.log[place].message());
    events.push(BROKER, EventKind::DeadLetter { message, group: GROUP });
}

pub(super) fn record_settle(settings: &Settings, state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    let place = hand.position.0 as usize;
    let holding = state.holding(hand).expect("the settle is on the wire");
    // What the log has lost cannot be settled, until another record takes its position.
    let end = if settings.cursor { state.upto(hand).into() } else { place + 1 };
    let refused = hand.is_late() && settings.leases_checked || end > state.log_len.into();
    let outcome = if refused { SettleOutcome::Refused } else { SettleOutcome::Ok };
    if !refused {
        let covered = if settings.cursor { below(state.upto(hand).into()) } else { bit(place) };
        mark_settled(settings, state, covered);
    }
    events.push(
        CONSUMERS[usize::from(holding.consumer)],
        EventKind::Settle {
            message: id(state.message_of(hand)),
            group: GROUP,
            partition: PartitionId::default(),
            position: Some(hand.position),
            delivery: None,
            outcome,
        },
    );
    let is_at_work = holding.stage == Stage::SettlingAtWork;
    if is_at_work || settings.consumer.settles == Settles::BeforeEffect && !refused {
        state.set_stage(hand, Stage::Confirmed);
    } else {
        state.set_holding(hand, None);
    }
}

/// These positions are settled: durably at once, or at the next sync.
pub(super) fn mark_settled(settings: &Settings, state: &mut State, positions: u8) {
    // A store of the consumer's own knows nothing of what is set aside. That matters where that can be lost.
    let may_lose_dead = settings.loses_records || settings.broker.dead_lettering == DeadLettering::AtLeastOnce;
    let knows_dead = !(may_lose_dead && settings.consumer.settles == Settles::WithEffect);
    state.settled |= if knows_dead { positions & !state.dead } else { positions };
    state.rejected &= !state.settled;
    if !settings.settles_lazily || settings.consumer.settles == Settles::WithEffect {
        state.settled_synced = state.settled;
    }
    forget_done(settings, state);
}

/// What cannot be forgotten any more, and what is set aside, needs no note in the consumers' memory either.
pub(super) fn forget_done(settings: &Settings, state: &mut State) {
    if !settings.settles_lazily || settings.consumer.settles == Settles::WithEffect {
        state.done = state.done.map(|done| done & !(state.settled | state.dead));
    }
}

/// The positions that a settle of this one covers now, as a count of leading positions; `None`: this one alone.
pub(super) fn covered(settings: &Settings, state: &State, done: u8) -> Option<usize> {
    match settings.consumer.commits {
        Commits::Each => None,
        Commits::Prefix => Some((state.settled | state.dead | done).trailing_ones() as usize),
        Commits::Highest => Some(8 - (state.settled | state.dead | done).leading_zeros() as usize),
    }
}

/// A delivery that has come so far keeps a worker: where the settle does not come last, waiting for its confirmation is work
/// too.
pub(super) fn is_at_work(settings: &Settings, stage: Stage) -> bool {
    match stage {
        Stage::OnWire => false,
        Stage::Settling => {
            let waits = matches!(settings.consumer.settles, Settles::BeforeEffect | Settles::InBackground);
            waits || settings.consumer.batches()
        }
        Stage::AtWork | Stage::SettlingAtWork | Stage::ToRemember | Stage::ToSettle | Stage::Confirmed => true,
    }
}
