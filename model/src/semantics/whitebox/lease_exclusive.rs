//! lease-exclusive: at most one live lease a position.
//!
//! A lease is granted by a hand-off, so it is judged there: nobody had a live one before, and nobody else has after,
//! not even a holder whose lease had ended and has come to life again. Claimed everywhere.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::PartyState;
use crate::pipeline::Pipeline;
use crate::vocab::{MessageId, Move, Step};

/// The property.
pub(in crate::semantics) struct LeaseExclusive;

impl Inspection for LeaseExclusive {
    const WORD: &'static str = "lease-exclusive";
    const FORMULA: &'static str = "at most one live lease a position";
    /// Somebody had a live lease.
    type Note = bool;

    fn is_claimed_by(_: &Pipeline) -> bool {
        true
    }

    fn concerns(_: &WhiteboxRules, step: Step) -> bool {
        matches!(step, Step::Move(Move::HandOff { .. }))
    }

    fn before(_: &WhiteboxRules, step: Step, inside: &impl PartyState) -> bool {
        matches!(step, Step::Move(Move::HandOff { position }) if inside.live_leases(position) > 0)
    }

    fn after(
        _: &WhiteboxRules,
        was_leased: bool,
        step: Step,
        _: Happened,
        inside: &impl PartyState,
    ) -> Result<(), MessageId> {
        let Step::Move(Move::HandOff { position }) = step else { return Ok(()) };
        let is_shared = was_leased || inside.live_leases(position) > 1;
        inside.message_at(position).filter(|_| is_shared).map_or(Ok(()), Err)
    }
}
