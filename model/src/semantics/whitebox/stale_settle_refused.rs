//! stale-settle-refused: only the current delivery settles.
//!
//! A settle may come in a message of its own, or in the effect's transaction. Claimed where leases are checked; where
//! they are not, a stale settle is confirmed like any other (NATS #4786).

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::PartyState;
use crate::pipeline::{Leases, Pipeline};
use crate::vocab::{MessageId, Move, Step};

/// The property.
pub(in crate::semantics) struct StaleSettleRefused;

impl Inspection for StaleSettleRefused {
    const WORD: &'static str = "stale-settle-refused";
    const FORMULA: &'static str = "only the current delivery settles";
    type Note = ();

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        pipeline.broker.leases == Leases::Checked
    }

    fn concerns(terms: &WhiteboxRules, step: Step) -> bool {
        match step {
            Step::Move(Move::RecordSettle { hand }) => hand.is_late(),
            Step::Move(Move::Handle { hand }) => hand.is_late() && terms.is_transactional,
            _ => false,
        }
    }

    fn after(_: &WhiteboxRules, _: (), _: Step, happened: Happened, _: &impl PartyState) -> Result<(), MessageId> {
        happened.settled.map_or(Ok(()), Err)
    }
}
