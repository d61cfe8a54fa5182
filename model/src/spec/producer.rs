//! The producer's steps: submit, attempt, take a reply, stop waiting.

use std::ops::ControlFlow;

use super::bounds::Bound;
use super::settings::Settings;
use super::state::{Phase, Record, State, id, index};
use super::{PRODUCER, Witness};
use crate::pipeline::{Identity, OnRefusal};
use crate::vocab::{EventKind, MessageId, Move, Outcome, PartitionId};

pub(super) fn moves(
    settings: &Settings,
    state: &State,
    found: &mut impl FnMut(Move) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if state.submitted < settings.messages {
        found(Move::Submit { message: id(state.submitted.into()) })?;
    }
    let outstanding = state.phases.iter().filter(|phase| phase.is_outstanding()).count() as u32;
    if outstanding < settings.producer.in_flight
        && let Some(message) = state.phases.iter().position(|&phase| phase == Phase::Queued)
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

/// A producer that starts over after a refusal registers its new epoch. The broker serves requests in their order, so it
/// has then decided about what it received.
fn may_take_refusal(settings: &Settings, state: &State) -> bool {
    !settings.renews || !state.slot_is_awaited()
}

pub(super) fn submit(settings: &Settings, state: &mut State, message: MessageId, events: &mut impl Witness) {
    state.submitted += 1;
    queue(settings, state, index(message));
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
    let session = if settings.renews { state.session } else { settings.session(state.epoch, 0) };
    let sequence = match settings.producer.identity {
        Identity::Sequence => {
            state.sequence_next += 1;
            state.sequence_next - 1
        }
        Identity::None | Identity::MessageId => 0,
    };
    state.identities[message] = Record::new(message, session, sequence);
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
    state.phases[message_index] = Phase::OnWire;
    state.wire_push(message_index);
    if settings.attempts_max > 0 {
        state.attempts_left.set(message_index, state.attempts_left.at(message_index) - 1);
    }
    events.push(PRODUCER, EventKind::Attempt { message, attempt: None, payload: None });
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
}

fn learn(settings: &Settings, state: &mut State, message: MessageId, outcome: Outcome, events: &mut impl Witness) {
    let may_retry = settings.attempts_max == 0 || state.attempts_left.at(index(message)) > 0;
    let gives_up = outcome == Outcome::Refused && settings.producer.on_refusal == OnRefusal::GiveUp;
    match outcome {
        Outcome::Acked => resolve(state, index(message), Phase::Acked),
        Outcome::Refused | Outcome::Unknown if may_retry && !gives_up => state.phases[index(message)] = Phase::Queued,
        Outcome::Refused | Outcome::Unknown => resolve(state, index(message), Phase::GivenUp),
    }
    events.push(
        PRODUCER,
        EventKind::Outcome { message, attempt: None, outcome, partition: PartitionId::default(), position: None },
    );
}

/// The producer is done with the message, one way or another, and keeps nothing of it.
pub(super) fn resolve(state: &mut State, message: usize, phase: Phase) {
    state.phases[message] = phase;
    state.identities[message] = Record::default();
    state.attempts_left.set(message, 0);
}
