//! fencing: after epoch e registers, nothing of an older epoch is stored, settled or effected.
//!
//! Producers have epochs, where messages are numbered: an attempt of an older incarnation is not stored. Consumers that
//! make effects and settles in one transaction have one as well, their ownership of the work: a former owner's
//! transaction is refused. Effects made outside such a transaction nobody can fence.
//!
//! Claimed where whoever can be fenced is.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::PartyState;
use crate::pipeline::{Identity, Leases, Pipeline, Settles};
use crate::vocab::{MessageId, Move, Position, Step};

/// The property.
pub(in crate::semantics) struct Fencing;

impl Inspection for Fencing {
    const WORD: &'static str = "fencing";
    const FORMULA: &'static str = "after epoch e registers, nothing of an older epoch is stored, settled or effected";
    /// The message of an older epoch that was received, and the log's end.
    type Note = Option<(MessageId, Position)>;

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        let has_epochs = pipeline.producer.identity == Identity::Sequence;
        let is_transactional = pipeline.consumer.settles == Settles::WithEffect;
        (has_epochs || is_transactional)
            && (!has_epochs || pipeline.broker.fencing)
            && (!is_transactional || pipeline.broker.leases == Leases::Checked)
    }

    fn concerns(terms: &WhiteboxRules, step: Step) -> bool {
        match step {
            Step::Move(Move::Append { .. }) => terms.has_epochs,
            Step::Move(Move::Handle { hand }) => hand.is_late() && terms.is_transactional,
            _ => false,
        }
    }

    fn before(_: &WhiteboxRules, step: Step, inside: &impl PartyState) -> Self::Note {
        let Step::Move(Move::Append { .. }) = step else { return None };
        let old = inside.received().filter(|received| received.epoch < inside.epoch())?;
        Some((old.message, inside.end()))
    }

    fn after(
        _: &WhiteboxRules,
        old: Self::Note,
        step: Step,
        happened: Happened,
        inside: &impl PartyState,
    ) -> Result<(), MessageId> {
        match (step, old) {
            (Step::Move(Move::Append { .. }), Some((message, end))) if inside.end() > end => Err(message),
            (Step::Move(Move::Handle { .. }), _) => happened.effected.or(happened.settled).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}
