//! The producer's steps: submit, attempt, take a reply, stop waiting.

use std::ops::ControlFlow;

use super::bounds::Bound;
use super::settings::Settings;
use super::state::{MessageIndex, Phase, Record, State, bit, id, index};
use super::{PRODUCER, Witness};
use crate::pipeline::{Identity, OnRefusal, OnRestart};
use crate::vocab::{EventKind, MessageId, Move, Outcome, PartitionId};

pub(super) fn moves(
    settings: &Settings,
    state: &State,
    found: &mut dyn FnMut(Move) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if state.submitted < settings.messages {
        found(Move::Submit { message: id(state.submitted.into()) })?;
    }
    if let Some(message) = delayed_submission(state) {
        found(Move::Submit { message: id(message) })?;
    }
    let outstanding = state.phases.iter().filter(|phase| phase.is_outstanding()).count() as u32;
    if outstanding < settings.producer.in_flight
        && let Some(message) = next_queued(settings, state)
    {
        found(Move::Attempt { message: id(message) })?;
    }
    for (message, phase) in state.phases.iter().enumerate() {
        match phase {
            Phase::RefusalOnWire if !may_take_refusal(settings, state) => {}
            Phase::AckOnWire | Phase::RefusalOnWire => found(Move::TakeReply { message: id(message) })?,
            Phase::Silent if !state.slot_holds(message) => found(Move::TimeOut { message: id(message) })?,
            _ => {}
        }
    }
    ControlFlow::Continue(())
}

/// The message whose row was delayed, once the row after it is visible.
fn delayed_submission(state: &State) -> Option<usize> {
    let delayed = state.delayed?.index();
    (usize::from(state.submitted) > delayed + 1).then_some(delayed)
}

/// The message that is attempted next: numbers go out in their order, and what has none yet follows by position.
fn next_queued(settings: &Settings, state: &State) -> Option<usize> {
    let is_queued = |message: &usize| state.phases[*message] == Phase::Queued;
    let mut queued = (0..state.phases.len()).filter(is_queued);
    if !settings.reorders || settings.producer.identity != Identity::Sequence {
        return queued.next();
    }
    let has_number = |message: usize| !settings.numbers_when_read() || state.numbered & bit(message) != 0;
    queued.min_by_key(|&message| {
        (!has_number(message), if has_number(message) { state.identities[message].sequence() } else { 0 })
    })
}

/// A producer that starts over after a refusal registers its new epoch. The broker serves requests in their order, so it
/// has then decided about what it received.
fn may_take_refusal(settings: &Settings, state: &State) -> bool {
    !settings.renews || !state.slot_is_awaited()
}

pub(super) fn submit(settings: &Settings, state: &mut State, message: MessageId, events: &mut impl Witness) {
    let message_index = index(message);
    if state.delayed == Some(MessageIndex::new(message_index)) {
        state.delayed = None;
    } else {
        state.submitted += 1;
    }
    match settings.reads_by_position && message_index < state.read.into() {
        true => state.phases[message_index] = Phase::Skipped,
        false => queue(settings, state, message_index),
    }
    forget_what_was_read(settings, state);
    events.push(PRODUCER, EventKind::Submit { message, payload: None });
}

/// The producer has the message and gives it the identity that its attempts will carry.
pub(super) fn queue(settings: &Settings, state: &mut State, message: usize) {
    state.phases[message] = Phase::Queued;
    identify(settings, state, message);
    state.attempts_left.set(message, settings.attempts_max);
}

/// The message gets an identity of the current session.
fn identify(settings: &Settings, state: &mut State, message: usize) {
    if settings.numbers_when_read() {
        state.identities[message] = Record::default();
        state.numbered &= !bit(message);
        return;
    }
    number(settings, state, message);
}

/// The message gets the next number of the current session, where there are numbers.
fn number(settings: &Settings, state: &mut State, message: usize) {
    let session = session(settings, state);
    let sequence = match settings.producer.identity {
        Identity::Sequence => {
            state.sequence_next += 1;
            state.sequence_next - 1
        }
        Identity::None | Identity::MessageId => 0,
    };
    state.identities[message] = Record::new(message, session, sequence);
}

fn session(settings: &Settings, state: &State) -> u8 {
    if settings.renews { state.session } else { settings.session(state.epoch, 0) }
}

/// The producer goes on in its next epoch: nothing is on the wires to and from it any more. False, and the run is cut, if
/// that epoch does not fit.
pub(super) fn begin_epoch(settings: &Settings, state: &mut State) -> bool {
    if !settings.has_next_epoch(state.epoch) {
        state.cut = Some(Bound::Epochs);
        return false;
    }
    state.wire = Default::default();
    state.epoch += 1;
    true
}

pub(super) fn attempt(settings: &Settings, state: &mut State, message: MessageId, events: &mut impl Witness) {
    let message_index = index(message);
    if settings.reads_by_position {
        read(settings, state, message_index);
    }
    state.phases[message_index] = Phase::OnWire;
    state.wire_push(message_index);
    if settings.attempts_max > 0 {
        state.attempts_left.set(message_index, state.attempts_left.at(message_index) - 1);
    }
    events.push(PRODUCER, EventKind::Attempt { message, attempt: None, payload: None });
}

/// The producer has the row of this message before it, perhaps for the first time.
fn read(settings: &Settings, state: &mut State, message: usize) {
    if settings.numbers_when_read() && state.numbered & bit(message) == 0 {
        number(settings, state, message);
        state.numbered |= bit(message);
    }
    state.read = state.read.max(message as u8 + 1);
    forget_what_was_read(settings, state);
}

/// How far the outbox was read is kept only where it decides something: what is behind it is lost with the producer, or a
/// row behind it is still to become visible.
fn forget_what_was_read(settings: &Settings, state: &mut State) {
    if !settings.commits_before {
        let passed = state.delayed.filter(|delayed| delayed.index() < state.read.into());
        state.read = passed.map_or(0, |delayed| delayed.index() as u8 + 1);
    }
}

/// What the next incarnation of a producer that reads by position finds in its outbox.
pub(super) fn take_up_by_position(settings: &Settings, state: &mut State) {
    let position = if settings.commits_before { state.read } else { position_stored(state) };
    let is_kept = settings.producer.on_restart == OnRestart::Outbox;
    for message in 0..usize::from(state.submitted) {
        let phase = state.phases[message];
        if message < position.into() {
            if phase.is_unresolved() {
                resolve(settings, state, message, Phase::Forgotten);
            }
        } else if phase != Phase::Unsubmitted {
            let has_number = settings.numbers_when_read() && is_kept && state.numbered & bit(message) != 0;
            let identity = state.identities[message];
            queue(settings, state, message);
            if has_number {
                state.identities[message] = identity;
                state.numbered |= bit(message);
            }
        }
    }
    state.read = position;
    forget_what_was_read(settings, state);
}

/// The position that a producer has stored which stores it after acks: before it, all that it read is resolved.
fn position_stored(state: &State) -> u8 {
    let mut position = 0;
    for (message, phase) in state.phases.iter().enumerate() {
        match phase {
            Phase::Acked | Phase::GivenUp => position = message as u8 + 1,
            phase if phase.is_unresolved() => break,
            _ => {}
        }
    }
    position
}

pub(super) fn take_reply(settings: &Settings, state: &mut State, message: MessageId, events: &mut impl Witness) {
    let outcome = match state.phases[index(message)] {
        Phase::AckOnWire => Outcome::Acked,
        _ => Outcome::Refused,
    };
    learn(settings, state, message, outcome, events);
    if settings.renews && outcome == Outcome::Refused && state.phases[index(message)] == Phase::Queued {
        start_over(settings, state, events);
    }
}

pub(super) fn time_out(settings: &Settings, state: &mut State, message: MessageId, events: &mut impl Witness) {
    learn(settings, state, message, Outcome::Unknown, events);
}

/// After a refusal, the producer starts over in a new epoch. Nobody answers what else was in flight, and all that is
/// unfinished gets a fresh identity.
fn start_over(settings: &Settings, state: &mut State, events: &mut impl Witness) {
    if !begin_epoch(settings, state) {
        return;
    }
    for message in 0..state.phases.len() {
        if state.phases[message].is_outstanding() {
            learn(settings, state, id(message), Outcome::Unknown, events);
        }
    }
    (state.session, state.sequence_next) = (state.epoch, 0);
    for message in 0..state.phases.len() {
        if state.phases[message].is_unresolved() {
            identify(settings, state, message);
        }
    }
    if settings.numbers_when_read() {
        // What was acked and may be sent again belongs to the old session, which is over.
        (state.identities, state.numbered) = Default::default();
    }
}

fn learn(settings: &Settings, state: &mut State, message: MessageId, outcome: Outcome, events: &mut impl Witness) {
    let may_retry = settings.attempts_max == 0 || state.attempts_left.at(index(message)) > 0;
    let gives_up = outcome == Outcome::Refused && settings.producer.on_refusal == OnRefusal::GiveUp;
    match outcome {
        Outcome::Acked => resolve(settings, state, index(message), Phase::Acked),
        Outcome::Refused | Outcome::Unknown if may_retry && !gives_up => state.phases[index(message)] = Phase::Queued,
        Outcome::Refused | Outcome::Unknown => resolve(settings, state, index(message), Phase::GivenUp),
    }
    events.push(
        PRODUCER,
        EventKind::Outcome { message, attempt: None, outcome, partition: PartitionId::default(), position: None },
    );
}

/// The producer is done with the message, one way or another, and keeps nothing of it, unless a restart may send it again.
pub(super) fn resolve(settings: &Settings, state: &mut State, message: usize, phase: Phase) {
    state.phases[message] = phase;
    state.attempts_left.set(message, 0);
    if !settings.keeps_numbers() {
        state.forget_identity(message);
        return;
    }
    for passed in 0..position_stored(state).into() {
        state.forget_identity(passed);
    }
}
