//! poison-bounded: hand-offs(p) <= max; dead-lettered and settled exclude each other; nothing vanishes.
//!
//! What vanishes is a durable record that nobody will ever hand off again although it has no effect, was not settled and
//! is no dead letter: that shows when nothing more can happen. It is owed that much where positions are delivered until
//! they are settled, settled after their effect, and not skipped when their handler failed.
//!
//! Claimed where there is a max, or where nothing may vanish.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::{PartyState, below};
use crate::pipeline::Pipeline;
use crate::vocab::{MessageId, Move, Step};

/// The property.
pub(in crate::semantics) struct PoisonBounded;

impl Inspection for PoisonBounded {
    const WORD: &'static str = "poison-bounded";
    const FORMULA: &'static str = "hand-offs(p) <= max; dead-lettered and settled exclude each other; nothing vanishes";
    type Note = ();

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        let terms = WhiteboxRules::from(pipeline);
        (terms.deliveries_max > 0 || terms.is_owed) && !pipeline.group_may_lose_its_place()
    }

    fn concerns(terms: &WhiteboxRules, step: Step) -> bool {
        let settles = match step {
            Step::Move(Move::RecordSettle { .. } | Move::DeadLetter { .. } | Move::HandOff { .. }) => true,
            Step::Move(Move::Handle { .. }) => terms.is_transactional,
            _ => false,
        };
        settles && terms.deliveries_max > 0
    }

    fn after(terms: &WhiteboxRules, _: (), step: Step, _: Happened, inside: &impl PartyState) -> Result<(), MessageId> {
        let broken = match step {
            Step::Move(Move::HandOff { position }) => {
                Some(position).filter(|_| inside.hand_offs(position) > terms.deliveries_max)
            }
            _ => below(inside.end()).find(|&position| inside.is_settled(position) && inside.is_dead(position)),
        };
        broken.and_then(|position| inside.message_at(position)).map_or(Ok(()), Err)
    }

    fn at_rest(terms: &WhiteboxRules, inside: &impl PartyState) -> Result<(), MessageId> {
        if !terms.is_owed {
            return Ok(());
        }
        let mut durable = below(inside.synced());
        let vanished = durable.find(|&position| {
            !(inside.is_settled(position) || inside.is_dead(position) || inside.is_effected(position))
        });
        vanished.and_then(|position| inside.message_at(position)).map_or(Ok(()), Err)
    }
}
