//! replay-safe: a rewind repeats deliveries, and no effect.
//!
//! Three things make it: what is rewound to is to be delivered again; what was settled is still remembered, before and
//! after; and what comes again makes no second effect from its position.
//!
//! Claimed where the inbox is part of the effect's transaction, and settles (of what has its effect) come after it.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::PartyState;
use crate::pipeline::{Commits, Pipeline, Remembers};
use crate::vocab::{MessageId, Move, Position, Step, Strike};

/// The property.
pub(in crate::semantics) struct ReplaySafe;

/// What is known of a replay before the step.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::semantics) struct Replay {
    /// Something that was settled would not be recognised when it comes again.
    unknown: Option<MessageId>,
    /// How many of the positions rewound to would be recognised.
    remembered: usize,
    /// An effect would be the second one of its position.
    is_repeated: bool,
}

impl Inspection for ReplaySafe {
    const WORD: &'static str = "replay-safe";
    const FORMULA: &'static str = "a rewind repeats deliveries, and no effect";
    type Note = Replay;

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        let consumer = &pipeline.consumer;
        consumer.remembers == Remembers::WithEffect
            && consumer.settles.follow_effects()
            && consumer.commits != Commits::Highest
            && !pipeline.group_may_lose_its_place()
    }

    fn concerns(terms: &WhiteboxRules, step: Step) -> bool {
        terms.rewinds
            && matches!(
                step,
                Step::Fault(Strike::Rewind { .. }) | Step::Move(Move::Handle { .. } | Move::Remember { .. })
            )
    }

    fn before(_: &WhiteboxRules, step: Step, inside: &impl PartyState) -> Replay {
        match (step, step.hand()) {
            (Step::Fault(Strike::Rewind { position }), _) => {
                let is_lost = |it: &Position| inside.is_settled(*it) && !inside.is_remembered(*it);
                let unknown = replayed(position, inside).find(is_lost).and_then(|it| inside.message_at(it));
                Replay { unknown, remembered: remembered(position, inside), is_repeated: false }
            }
            (_, Some(hand)) => {
                let is_repeated = inside.was_rewound() && inside.was_effected_from(hand.position);
                Replay { is_repeated, ..Replay::default() }
            }
            _ => Replay::default(),
        }
    }

    fn after(
        _: &WhiteboxRules,
        replay: Replay,
        step: Step,
        happened: Happened,
        inside: &impl PartyState,
    ) -> Result<(), MessageId> {
        let Step::Fault(Strike::Rewind { position }) = step else {
            return happened.effected.filter(|_| replay.is_repeated).map_or(Ok(()), Err);
        };
        let forgotten = Some(position).filter(|_| remembered(position, inside) < replay.remembered);
        let kept = replayed(position, inside).find(|&it| inside.is_settled(it));
        let broken = forgotten.or(kept).and_then(|it| inside.message_at(it));
        replay.unknown.or(broken).map_or(Ok(()), Err)
    }
}

/// The positions that a rewind to here repeats.
fn replayed(from: Position, inside: &impl PartyState) -> impl Iterator<Item = Position> {
    (from.0..inside.synced().0).map(Position).filter(|&position| !inside.is_dead(position))
}

fn remembered(from: Position, inside: &impl PartyState) -> usize {
    replayed(from, inside).filter(|&position| inside.is_remembered(position)).count()
}
