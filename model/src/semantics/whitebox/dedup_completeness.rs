//! dedup-completeness: within the window, a retry is never stored twice.
//!
//! A retry is one of the same *message*, under whatever identity. Past the window it may be stored again; that this does
//! happen is for the tests to show.
//!
//! Claimed of a broker that recognises retries and whose memory is not lost, as long as the producer does not submit
//! anew, on purpose, what it had not seen confirmed (after a restart or a refusal).

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::{PartyState, below};
use crate::pipeline::{Dedup, DedupOnRestart, OnRefusal, OnRestart, Pipeline};
use crate::vocab::{Fault, MessageId, Move, Position, Step};

/// The property.
pub(in crate::semantics) struct DedupCompleteness;

impl Inspection for DedupCompleteness {
    const WORD: &'static str = "dedup-completeness";
    const FORMULA: &'static str = "within the window, a retry is never stored twice";
    /// The message that was received and is in the window already, and the log's end.
    type Note = Option<(MessageId, Position)>;

    fn is_claimed_by(pipeline: &Pipeline) -> bool {
        let (broker, faults) = (&pipeline.broker, &pipeline.faults);
        let forgets = faults.of(Fault::DedupForgotten) > 0
            || broker.dedup_on_restart == DedupOnRestart::Forgotten
                && faults.of(Fault::BrokerCrash) + faults.of(Fault::Failover) > 0;
        let restarts = faults.of(Fault::ProducerCrash) + faults.of(Fault::ProducerZombie) > 0;
        let producer = &pipeline.producer;
        let resubmits =
            restarts && producer.on_restart == OnRestart::Resubmits || producer.on_refusal == OnRefusal::NewEpoch;
        broker.dedup != Dedup::None && !forgets && !resubmits
    }

    fn concerns(_: &WhiteboxRules, step: Step) -> bool {
        matches!(step, Step::Move(Move::Append { .. }))
    }

    fn before(terms: &WhiteboxRules, _: Step, inside: &impl PartyState) -> Self::Note {
        let (message, end) = (inside.received()?.message, inside.end());
        let covered = if terms.window == 0 { end.0 } else { terms.window.min(end.0) };
        let mut window = below(end).rev().take(covered as usize);
        window.any(|position| inside.message_at(position) == Some(message)).then_some((message, end))
    }

    fn after(
        _: &WhiteboxRules,
        retry: Self::Note,
        _: Step,
        _: Happened,
        inside: &impl PartyState,
    ) -> Result<(), MessageId> {
        match retry {
            Some((message, end)) if inside.end() > end => Err(message),
            _ => Ok(()),
        }
    }
}
