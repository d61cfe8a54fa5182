//! The consumers' moves, and their steps, of one delivery or of several that are received, handled and settled as one. What a step
//! does to one delivery is in `consumer`, `broker` and `group`.
//!
//! A batch is what a consumer has received and not settled. It is open until the first of it is handled, or, with settles
//! before effects, settled: until the whole of it is over, nothing more is received. Its deliveries are handled one after the
//! other in the order of positions, with an effect each; with settles in the transaction, in one step. Where one fails, all
//! fail. One settle goes out for all of them, and is recorded or lost as one.

use std::ops::ControlFlow;

use super::settings::Settings;
use super::state::{Holding, Stage, State};
use super::{Witness, broker, consumer, group};
use crate::pipeline::Settles;
use crate::vocab::{DeliveryRef, Move};

/// Every move of the consumers.
pub(super) fn moves(
    settings: &Settings,
    state: &State,
    found: &mut dyn FnMut(Move) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if !state.has_hands() {
        return ControlFlow::Continue(());
    }
    if settings.consumer.batches() {
        for consumer in 0..settings.consumers {
            next(settings, state, consumer).map_or(ControlFlow::Continue(()), &mut *found)?;
        }
        let can_join = |holding: &Holding| holding.stage == Stage::OnWire && !has_begun(state, holding.consumer);
        let mut joining = state.hands().filter(|(_, holding)| can_join(holding));
        return joining.try_for_each(|(hand, _)| found(Move::Deliver { hand }));
    }
    for (hand, holding) in state.hands() {
        if !consumer::waits(settings, holding.stage) || consumer::has_worker(settings, state, hand, holding.consumer) {
            found(consumer::next(settings, hand, holding.stage))?;
        }
        match holding.stage {
            Stage::AtWork if settings.consumer.settles == Settles::InBackground => found(Move::Settle { hand })?,
            Stage::SettlingAtWork => found(Move::RecordSettle { hand })?,
            _ => {}
        }
    }
    ControlFlow::Continue(())
}

/// The deliveries of a consumer that have come so far, by position.
fn at(state: &State, consumer: u8, is_at: impl Fn(Stage) -> bool) -> impl Iterator<Item = DeliveryRef> {
    let is_its = move |holding: &Holding| holding.consumer == consumer && is_at(holding.stage);
    state.hands().filter(move |(_, holding)| is_its(holding)).map(|(hand, _)| hand)
}

/// The batch of this consumer has begun: nothing joins it.
fn has_begun(state: &State, consumer: u8) -> bool {
    at(state, consumer, |stage| !matches!(stage, Stage::OnWire | Stage::AtWork)).next().is_some()
}

/// What comes next for the batch of a consumer.
fn next(settings: &Settings, state: &State, consumer: u8) -> Option<Move> {
    let first = |stage| at(state, consumer, move |it| it == stage).next();
    let is_settled_first = settings.consumer.settles == Settles::BeforeEffect;
    let to_remember = first(Stage::ToRemember).map(|hand| Move::Remember { hand });
    let confirmed = || first(Stage::Confirmed).map(|hand| Move::Handle { hand });
    let received = || {
        first(Stage::AtWork).map(|hand| if is_settled_first { Move::Settle { hand } } else { Move::Handle { hand } })
    };
    let handled = || first(Stage::ToSettle).map(|hand| Move::Settle { hand });
    let settling = || first(Stage::Settling).map(|hand| Move::RecordSettle { hand });
    to_remember.or_else(confirmed).or_else(received).or_else(handled).or_else(settling)
}

/// The consumer that has this hand-off, where it works on batches.
fn batch_of(settings: &Settings, state: &State, hand: DeliveryRef) -> Option<u8> {
    state.holding(hand).map(|holding| holding.consumer).filter(|_| settings.consumer.batches())
}

/// Does this to every delivery of a consumer that has come so far; each goes further by it.
fn each(state: &mut State, consumer: u8, stage: Stage, mut step: impl FnMut(&mut State, DeliveryRef)) {
    while let Some(hand) = first_at(state, consumer, stage) {
        step(state, hand);
    }
}

fn first_at(state: &State, consumer: u8, stage: Stage) -> Option<DeliveryRef> {
    at(state, consumer, move |it| it == stage).next()
}

pub(super) fn handle(settings: &Settings, state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    let fails = |state: &State, hand| !consumer::crashes(state, hand) && consumer::fails(state, hand);
    let whole = batch_of(settings, state, hand).filter(|_| settings.consumer.settles == Settles::WithEffect);
    let Some(consumer) = whole else {
        return match fails(state, hand) {
            true => fail(settings, state, hand),
            false => consumer::handle(settings, state, hand, events),
        };
    };
    let failing = at(state, consumer, |it| it == Stage::AtWork)
        .find(|&hand| consumer::crashes(state, hand) || consumer::fails(state, hand));
    match failing {
        Some(hand) if fails(state, hand) => fail(settings, state, hand),
        Some(hand) => consumer::handle(settings, state, hand, events),
        None => each(state, consumer, Stage::AtWork, |state, hand| consumer::handle(settings, state, hand, events)),
    }
}

/// Ends the batch of a hand-off whose handler failed.
pub(super) fn fail(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    let Some(consumer) = batch_of(settings, state, hand) else {
        return consumer::fail_one(settings, state, hand);
    };
    let is_in_batch = |stage| !matches!(stage, Stage::OnWire | Stage::Settling);
    // What is published again is still to be settled; all others end.
    let mut stays = 0;
    loop {
        let count = at(state, consumer, is_in_batch).count();
        let Some(hand) = at(state, consumer, is_in_batch).nth(stays) else { return };
        consumer::fail_one(settings, state, hand);
        stays += usize::from(at(state, consumer, is_in_batch).count() == count);
    }
}

pub(super) fn settle(settings: &Settings, state: &mut State, hand: DeliveryRef) {
    let Some(consumer) = batch_of(settings, state, hand) else {
        return consumer::settle(settings, state, hand);
    };
    let stage = state.holding(hand).expect("a worker has it").stage;
    if settings.cursor {
        let mut nth = 0;
        let nth_at = |state: &State, nth| at(state, consumer, |it| it == stage).nth(nth);
        while let Some(hand) = nth_at(state, nth) {
            consumer::finished(state, hand, consumer.into());
            nth += 1;
        }
    }
    each(state, consumer, stage, |state, hand| consumer::settle(settings, state, hand));
}

pub(super) fn record_settle(settings: &Settings, state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    match batch_of(settings, state, hand) {
        None => broker::record_settle(settings, state, hand, events),
        Some(consumer) => each(state, consumer, Stage::Settling, |state, hand| {
            broker::record_settle(settings, state, hand, events);
        }),
    }
}

pub(super) fn lose_settle(settings: &Settings, state: &mut State, hand: DeliveryRef, events: &mut impl Witness) {
    match batch_of(settings, state, hand) {
        None => group::lose_settle(state, hand, events),
        Some(consumer) => {
            each(state, consumer, Stage::Settling, |state, hand| group::lose_settle(state, hand, events));
        }
    }
}
