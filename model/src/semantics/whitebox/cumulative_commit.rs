//! cumulative-commit: committed(n) => every position below n has its effect, or is dead-lettered.
//!
//! Judged when positions become committed: of those beside the settle's own, each must have its effect by then. Whether
//! its own has is settled-after-effect's say.
//!
//! Claimed where the contiguous prefix is committed after its effects, by the current owner of the work, and no
//! failed message is skipped. Committing the
//! highest position seen is the mistake that it finds (parallel-consumer #826).

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::{PartyState, below};
use crate::pipeline::{Commits, Leases, Pipeline};
use crate::vocab::{MessageId, Move, Position, Step};

/// The property.
pub(in crate::semantics) struct CumulativeCommit;

impl Inspection for CumulativeCommit {
    const WORD: &'static str = "cumulative-commit";
    const FORMULA: &'static str = "committed(n) => every position below n has its effect, or is dead-lettered";
    /// The first position that must not be committed by the step. As commits are of a prefix, it is the first to go.
    type Note = Option<Position>;

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        pipeline.consumer.commits == Commits::Prefix
            && pipeline.consumer.settles.follow_effects()
            && pipeline.broker.leases == Leases::Checked
            && !pipeline.consumer.skips_failures()
            && !pipeline.consumer.requeues_failures()
            && !pipeline.group_may_lose_its_place()
    }

    fn concerns(terms: &WhiteboxRules, step: Step) -> bool {
        match step {
            Step::Move(Move::RecordSettle { .. }) => terms.is_cumulative && !terms.is_transactional,
            Step::Move(Move::Handle { .. }) => terms.is_cumulative && terms.is_transactional,
            _ => false,
        }
    }

    fn before(_: &WhiteboxRules, step: Step, inside: &impl PartyState) -> Option<Position> {
        let own = step.hand()?.position;
        let is_covered = |position: Position| {
            inside.is_settled(position) || inside.is_dead(position) || inside.is_effected(position)
        };
        below(inside.end()).find(|&position| position != own && !is_covered(position))
    }

    fn after(
        _: &WhiteboxRules,
        uncovered: Option<Position>,
        _: Step,
        _: Happened,
        inside: &impl PartyState,
    ) -> Result<(), MessageId> {
        let committed = uncovered.filter(|&position| inside.is_settled(position));
        committed.and_then(|position| inside.message_at(position)).map_or(Ok(()), Err)
    }
}
