//! What may go wrong, and what it does. Every fault has a budget, so that every run has a fault-free suffix.
//!
//! A fault that would change nothing is not offered: it would only spend its budget.

use std::ops::ControlFlow;

use super::bounds::LOG_MAX;
use super::broker::{drop_record, next_hand_off, slide_dedup_window, store_copy, unfinished, used_up};
use super::group::{crash_consumer, place_group, skip_to_end, would_skip};
use super::settings::Settings;
use super::state::{MessageIndex, Phase, Stage, State, Transmission, below, bit, id, index, positions};
use super::{CONSUMERS, GROUP, Witness, batch, consumer, producer};
use crate::pipeline::{Acks, DeadLettering, Dedup, Identity, NewGroup, OnRestart, Remembers, Settles};
use crate::vocab::{DeliveryRef, EventKind, Fault, MessageId, Move, PartitionId, Position, Strike};

pub(super) fn strikes(settings: &Settings, state: &State, found: &mut dyn FnMut(Strike)) {
    if state.fired_total() >= settings.budget_total() {
        return;
    }
    for fault in settings.faults() {
        strikes_of(settings, state, fault, found);
    }
}

/// Every strike of a kind that may happen now.
pub(super) fn strikes_of(settings: &Settings, state: &State, fault: Fault, found: &mut dyn FnMut(Strike)) {
    if may_strike(settings, state, fault) {
        of_kind(settings, state, fault, found);
    }
}

/// A fault of this kind may strike once more in this run: its budget is not spent, and the encoding has room for what
/// it leaves behind.
pub(super) fn may_strike(settings: &Settings, state: &State, fault: Fault) -> bool {
    let has_room = || state.stragglers.contains(&None);
    // Where refusals bring new epochs too, no budget says how many there are: the run is cut instead.
    let may_restart = || settings.has_next_epoch(state.epoch) || settings.renews;
    let fits = match fault {
        Fault::PublishDuplicated => has_room(),
        Fault::ProducerCrash => may_restart(),
        Fault::ProducerZombie => has_room() && may_restart(),
        Fault::PublishLost
        | Fault::PublishReordered
        | Fault::PublishRefused
        | Fault::PublishAckLost
        | Fault::BrokerCrash
        | Fault::DeliveryLost
        | Fault::SettleLost
        | Fault::ConsumerCrash
        | Fault::LeaseExpiry
        | Fault::DedupForgotten
        | Fault::HandlerFails
        | Fault::Poison
        | Fault::Rewind
        | Fault::HandlerCrashes
        | Fault::DeadLetterLost
        | Fault::Redrive
        | Fault::CommitReordered
        | Fault::Failover
        | Fault::RecordExpired
        | Fault::GroupForgotten
        | Fault::Rebalance => true,
    };
    fits && is_in_budget(settings, state, fault)
}

/// The budget has a fault of this kind left, whether or not it can strike now.
pub(super) fn is_in_budget(settings: &Settings, state: &State, fault: Fault) -> bool {
    state.fired(fault) < settings.budget_of(fault) && state.fired_total() < settings.budget_total()
}

/// Every strike of a kind that changes something now.
fn of_kind(settings: &Settings, state: &State, fault: Fault, found: &mut dyn FnMut(Strike)) {
    let sent = || state.wire().map(id);
    match fault {
        Fault::PublishLost => sent().take(1).for_each(|message| found(Strike::PublishLost { message })),
        Fault::PublishReordered => {
            let is_followed = sent().nth(1).is_some();
            let oldest = sent().take(is_followed.into());
            oldest.for_each(|message| found(Strike::PublishReordered { message }));
        }
        Fault::PublishDuplicated => sent().for_each(|message| found(Strike::PublishDuplicated { message })),
        Fault::ProducerZombie => {
            let sent = sent().filter(|_| can_producer_crash(state));
            sent.for_each(|message| found(Strike::ProducerZombie { message }));
        }
        Fault::ProducerCrash => when(can_producer_crash(state), Strike::ProducerCrash, found),
        Fault::PublishRefused => {
            let received = state.slot.filter(|transmission| !transmission.straggler);
            received.into_iter().for_each(|it| found(Strike::PublishRefused { message: id(it.record.message()) }));
        }
        Fault::PublishAckLost => {
            let on_way = state.phases.iter().enumerate().filter(|(_, phase)| **phase == Phase::AckOnWire);
            on_way.for_each(|(message, _)| found(Strike::PublishAckLost { message: id(message) }));
        }
        Fault::BrokerCrash => {
            let survive = state.synced..=state.log_len;
            let survive = survive.filter(|_| broker_has_something_to_lose(settings, state));
            survive.for_each(|keeps| found(Strike::BrokerCrash { keeps: keeps.into() }));
        }
        Fault::DeliveryLost => on_hands(state, Stage::OnWire, &mut |hand| found(Strike::DeliveryLost { hand })),
        Fault::SettleLost => on_moves(settings, state, &mut |it| {
            if let Move::RecordSettle { hand } = it {
                found(Strike::SettleLost { hand });
            }
        }),
        Fault::ConsumerCrash => (0..settings.consumers)
            .filter(|&consumer| consumer_has_something_to_lose(settings, state, consumer))
            .for_each(|consumer| found(Strike::ConsumerCrash { consumer })),
        Fault::LeaseExpiry => {
            let live = state.hands().map(|(hand, _)| hand).filter(|hand| !hand.is_late() && !settings.delivers_once);
            live.for_each(|hand| found(Strike::LeaseExpiry { hand }));
        }
        Fault::DedupForgotten => {
            let remembers = settings.broker.dedup != Dedup::None && state.dedup_floor < state.log_len;
            when(remembers, Strike::DedupForgotten, found);
        }
        Fault::HandlerFails => {
            let fails_anyway = |hand| consumer::fails(state, hand) || consumer::crashes(state, hand);
            on_moves(settings, state, &mut |it| match it {
                Move::Handle { hand } if !fails_anyway(hand) => found(Strike::HandlerFails { hand }),
                _ => {}
            });
        }
        Fault::Poison => {
            let message = id(state.submitted.into());
            let is_first = state.poisoned.is_none() && state.submitted < settings.messages;
            when(is_first, Strike::Poison { message }, found);
        }
        Fault::CommitReordered => {
            let is_followed = state.submitted + 1 < settings.messages;
            let message = id(state.submitted.into());
            when(
                settings.reorders && state.delayed.is_none() && is_followed,
                Strike::CommitReordered { message },
                found,
            );
        }
        Fault::Rewind => {
            let passed = (state.settled | state.done[usize::from(state.owner)]) & !state.dead;
            let was_handed_off = |position: usize| state.handed.at(position) > 0 || state.live.at(position) != 0;
            let is_dead = |position: usize| state.dead & bit(position) != 0;
            let marked =
                |position: &usize| passed & bit(*position) != 0 || was_handed_off(*position) && !is_dead(*position);
            let back = (0..usize::from(state.synced)).filter(marked);
            back.for_each(|position| found(Strike::Rewind { position: Position(position as u64) }));
        }
        Fault::DeadLetterLost => {
            let is_next = |position: &usize| used_up(settings, state, *position);
            let next = next_hand_off(settings, state).map(|(position, _)| position).filter(is_next);
            let hop = next.filter(|_| settings.broker.dead_lettering == DeadLettering::AtMostOnce);
            hop.into_iter().for_each(|place| found(Strike::DeadLetterLost { position: Position(place as u64) }));
        }
        Fault::Redrive => {
            let dead_letters = state.dead & !state.vanished & below(state.log_len.into());
            positions(dead_letters).for_each(|place| found(Strike::Redrive { position: Position(place as u64) }));
        }
        Fault::RecordExpired => {
            let owed = unfinished(settings, state) & below(state.synced.into());
            positions(owed).for_each(|place| found(Strike::RecordExpired { position: Position(place as u64) }));
        }
        Fault::GroupForgotten => when(group_has_something_to_lose(settings, state), Strike::GroupForgotten, found),
        Fault::Failover => {
            let replicated = if settings.broker.acks == Acks::Replicated { state.synced } else { 0 };
            let survive = replicated..=state.log_len;
            let survive =
                survive.filter(|&keeps| keeps < state.log_len || broker_has_something_to_lose(settings, state));
            survive.for_each(|keeps| found(Strike::Failover { keeps: keeps.into() }));
        }
        Fault::HandlerCrashes => {
            let message = id(state.submitted.into());
            let is_first = state.crashing.is_none() && state.submitted < settings.messages;
            when(is_first, Strike::HandlerCrashes { message }, found);
        }
        Fault::Rebalance => {
            let can_pass = settings.cursor && !settings.delivers_once;
            when(can_pass && owner_has_something(state), Strike::Rebalance, found);
        }
    }
}

/// The owner of a cursor has a delivery in hand, or has finished one and not committed it.
fn owner_has_something(state: &State) -> bool {
    let durable = state.settled_synced | state.dead;
    state.hands().any(|(hand, _)| !hand.is_late()) || state.done[usize::from(state.owner)] & !durable != 0
}

/// Calls `strikes` with every move that the consumers may take next: what befalls such a move can strike now.
fn on_moves(settings: &Settings, state: &State, strikes: &mut dyn FnMut(Move)) {
    let _ = batch::moves(settings, state, &mut |it| {
        strikes(it);
        ControlFlow::Continue(())
    });
}

fn when(changes_something: bool, strike: Strike, found: &mut dyn FnMut(Strike)) {
    if changes_something {
        found(strike);
    }
}

fn on_hands(state: &State, stage: Stage, found: &mut dyn FnMut(DeliveryRef)) {
    state.hands().filter(|(_, holding)| holding.stage == stage).map(|(hand, _)| hand).for_each(found);
}

/// There is unfinished work, and the broker has answered what it received: it serves requests in their order, so the
/// successor's registration comes after them.
fn can_producer_crash(state: &State) -> bool {
    state.phases.iter().any(|phase| phase.is_unresolved()) && !state.slot_is_awaited()
}

fn broker_has_something_to_lose(settings: &Settings, state: &State) -> bool {
    let waits = |phase: &Phase| phase.is_outstanding() && *phase != Phase::Silent;
    let on_wires = |stage: Stage| stage == Stage::OnWire || stage.is_settling();
    state.slot.is_some()
        || state.log_len > state.synced
        || state.has_unsynced_settles()
        || state.rejected != 0
        || state.phases.iter().any(waits)
        || state.hands().any(|(hand, holding)| on_wires(holding.stage) || !settings.cursor && !hand.is_late())
        || settings.broker.dedup != Dedup::None && restart_changes_memory(settings, state)
}

fn consumer_has_something_to_lose(settings: &Settings, state: &State, consumer: u8) -> bool {
    let place = usize::from(consumer);
    let durable = state.settled_synced | state.dead;
    state.owner == consumer && state.synced > 0 && would_skip(settings, state)
        || state.hands().any(|(_, holding)| holding.consumer == consumer)
        || state.done[place] & !durable != 0
        || settings.consumer.remembers == Remembers::InMemory
            && (state.seen[place] != 0 || state.seen_lost.iter().any(|seen| seen.by & bit(place) != 0))
}

pub(super) fn take(settings: &Settings, state: &mut State, strike: Strike, events: &mut impl Witness) {
    match strike {
        Strike::PublishLost { message } | Strike::PublishReordered { message } => {
            state.wire_remove(index(message));
            state.phases[index(message)] = Phase::Silent;
        }
        Strike::PublishRefused { message } => refuse(settings, state, message),
        Strike::PublishAckLost { message } => state.phases[index(message)] = Phase::Silent,
        Strike::PublishDuplicated { message } => leave_straggler(state, message),
        Strike::ProducerCrash => crash_producer(settings, state),
        Strike::ProducerZombie { message } => {
            leave_straggler(state, message);
            crash_producer(settings, state);
        }
        Strike::BrokerCrash { keeps } => crash_broker(settings, state, keeps as u8),
        Strike::DeliveryLost { hand } => state.set_holding(hand, None),
        Strike::SettleLost { hand } => batch::lose_settle(settings, state, hand, events),
        Strike::ConsumerCrash { consumer } => crash_consumer(settings, state, consumer),
        Strike::LeaseExpiry { hand } if !settings.cursor => state.make_late(hand.position),
        Strike::LeaseExpiry { .. } | Strike::Rebalance => pass_cursor(settings, state),
        Strike::DedupForgotten => state.forget_below(state.log_len),
        Strike::HandlerFails { hand } => batch::fail(settings, state, hand),
        Strike::Poison { message } => state.poisoned = Some(MessageIndex::new(index(message))),
        Strike::Rewind { position } => rewind(settings, state, position, events),
        Strike::HandlerCrashes { message } => state.crashing = Some(MessageIndex::new(index(message))),
        Strike::DeadLetterLost { position } => drop_record(settings, state, position.0 as usize),
        Strike::Redrive { position } => redrive(settings, state, position.0 as usize),
        Strike::CommitReordered { message } => {
            state.delayed = Some(MessageIndex::new(index(message)));
            state.submitted += 1;
        }
        Strike::Failover { keeps } => fail_over(settings, state, keeps as u8),
        Strike::RecordExpired { position } => drop_record(settings, state, position.0 as usize),
        Strike::GroupForgotten => forget_group(settings, state),
    }
}

fn refuse(settings: &Settings, state: &mut State, message: MessageId) {
    state.slot = None;
    if settings.broker.acks.wait_for_disk() {
        state.phases[index(message)] = Phase::RefusalOnWire;
    }
}

fn leave_straggler(state: &mut State, message: MessageId) {
    let free = state.stragglers.iter().position(Option::is_none).expect("there is room");
    let record = state.identities[index(message)];
    state.stragglers[free] = Some(Transmission { record, epoch: state.epoch, straggler: true });
}

fn crash_producer(settings: &Settings, state: &mut State) {
    if !producer::begin_epoch(settings, state) {
        return;
    }
    if settings.renews {
        state.session = settings.session(state.epoch, state.session);
    }
    if settings.producer.on_restart != OnRestart::Outbox {
        state.sequence_next = 0;
    }
    if settings.reads_by_position {
        return producer::take_up_by_position(settings, state);
    }
    for message in 0..state.phases.len() {
        if !state.phases[message].is_unresolved() {
            continue;
        }
        match settings.producer.on_restart {
            OnRestart::Forgets => producer::resolve(settings, state, message, Phase::Forgotten),
            OnRestart::Resubmits => producer::queue(settings, state, message),
            OnRestart::Outbox => {
                state.phases[message] = Phase::Queued;
                state.attempts_left.set(message, settings.attempts_max);
            }
        }
    }
}

fn crash_broker(settings: &Settings, state: &mut State, keeps: u8) {
    // What is sent in the background is lost; the work goes on.
    let sent = |state: &State| state.hands().find(|(_, it)| it.stage == Stage::SettlingAtWork).map(|(hand, _)| hand);
    while let Some(hand) = sent(state) {
        state.set_stage(hand, Stage::Confirmed);
    }
    state.end_hands(|holding| matches!(holding.stage, Stage::OnWire | Stage::Settling));
    lose_records(settings, state, keeps.into());
    state.synced = keeps;
    state.settled = state.settled_synced;
    state.dead = state.dead_synced;
    state.vanished &= state.dead;
    state.rejected = 0;
    restart_memory(settings, state);
    state.slot = None;
    state.wire = Default::default();
    for phase in state.phases.iter_mut().filter(|phase| phase.is_outstanding()) {
        *phase = Phase::Silent;
    }
    if !settings.cursor {
        end_leases(state);
    }
}

/// The log loses its records from here on. What consumers remember of them by identity they go on remembering.
fn lose_records(settings: &Settings, state: &mut State, keeps: usize) {
    if settings.producer.identity != Identity::None {
        let lost = below(state.log_len.into()) & !below(keeps);
        let seen = (state.seen[0] | state.seen[1]) & lost;
        for position in positions(seen) {
            let by = (0..2).filter(|&consumer| state.seen[consumer] & bit(position) != 0);
            let by = by.fold(0, |consumers, consumer| consumers | bit(consumer));
            state.remember_lost(state.log[position], by);
        }
        state.seen = state.seen.map(|seen| seen & !lost);
    }
    state.lose_records(keeps);
}

/// A follower takes over, with the first records of the log and of the ledger. Of what consumers keep in their own store it
/// knows nothing.
fn fail_over(settings: &Settings, state: &mut State, keeps: u8) {
    crash_broker(settings, state, keeps);
    let kept = below(keeps.into());
    if settings.consumer.settles != Settles::WithEffect {
        state.settled &= kept;
    }
    state.settled_synced = state.settled;
    for marks in [&mut state.dead, &mut state.dead_synced, &mut state.vanished] {
        *marks &= kept;
    }
    (keeps.into()..LOG_MAX).for_each(|place| state.handed.set(place, 0));
}

/// No lease is known any more: whatever is in hand comes late.
fn end_leases(state: &mut State) {
    for position in (0..LOG_MAX as u64).map(Position) {
        if state.holding(DeliveryRef::live(position)).is_some() {
            state.make_late(position);
        }
    }
}

/// What a restart makes of the memory, given the log that survived. Forgotten is forgotten, whatever the log holds: a
/// session of which nothing is remembered may begin anywhere.
fn restart_memory(settings: &Settings, state: &mut State) {
    if settings.dedup_rebuilt {
        state.forget_below(0);
        slide_dedup_window(settings, state);
    } else if settings.broker.dedup != Dedup::None {
        state.forget_below(state.log_len);
        state.dedup_forgot = settings.broker.dedup == Dedup::Sequence && state.log_len == 0;
    }
}

fn restart_changes_memory(settings: &Settings, state: &State) -> bool {
    let mut restarted = *state;
    restart_memory(settings, &mut restarted);
    let memory = |state: &State| (state.dedup_floor, state.dedup_forgot);
    memory(&restarted) != memory(state)
}

/// The group is rebalanced: all that the owner has comes late, and the other consumer takes over.
fn pass_cursor(settings: &Settings, state: &mut State) {
    end_leases(state);
    state.owner = 1 - state.owner;
    state.supersede(state.owner);
    place_group(settings, state);
}

/// The group is reset. Deliveries in hand lose their lease and come late, as those of a cursor's former owner do: their
/// consumers go on with them, and where leases are checked their settles are refused. A cursor goes on in a new
/// generation.
fn rewind(settings: &Settings, state: &mut State, position: Position, events: &mut impl Witness) {
    reset_group(settings, state, position.0 as usize);
    events.push(
        CONSUMERS[usize::from(state.owner)],
        EventKind::Rewind { group: GROUP, partition: PartitionId::default(), position },
    );
}

/// The group's place in the log is set back: nothing from this position on is settled or leased.
fn reset_group(settings: &Settings, state: &mut State, position: usize) {
    end_leases(state);
    let kept = below(position);
    match settings.cursor {
        true => (0..settings.consumers).for_each(|consumer| state.supersede(consumer)),
        false => state.done = state.done.map(|done| done & kept),
    }
    state.settled &= kept;
    state.settled_synced &= kept;
    state.rejected &= kept;
    (position..LOG_MAX).for_each(|place| state.handed.set(place, 0));
}

/// The group begins anew, where the settings say. Whoever keeps its positions in its own store has lost nothing.
fn forget_group(settings: &Settings, state: &mut State) {
    reset_group(settings, state, 0);
    if settings.broker.new_group == NewGroup::Latest {
        skip_to_end(settings, state);
    }
}

fn group_has_something_to_lose(settings: &Settings, state: &State) -> bool {
    let skips = || settings.broker.new_group == NewGroup::Latest && state.synced > 0;
    let has_place = || state.settled | state.rejected != 0 || state.handed != Default::default() || skips();
    let has_work = || state.has_live_hands() || state.done.iter().any(|done| done & !state.dead != 0);
    settings.consumer.settles != Settles::WithEffect && (has_place() || has_work())
}

/// A dead letter is put back: its record is appended again, durably.
fn redrive(settings: &Settings, state: &mut State, position: usize) {
    store_copy(settings, state, state.log[position]);
    state.vanish(settings, position);
}
