//! The white-box properties: what is claimed of a pipeline's inside, not only of what can be seen of it from outside.
//!
//! | property | formula | claimed where | module |
//! |---|---|---|---|
//! | ack-honesty | producer ack => the record is durable | acks come after the sync | [`ack_honesty`] |
//! | dedup-honesty | suppressed as a duplicate => this very m is in the log | the broker recognises retries | [`dedup_honesty`] |
//! | dedup-completeness | within the window, a retry is never stored twice | the memory outlives restarts | [`dedup_completeness`] |
//! | lease-exclusive | at most one live lease a position | everywhere | [`lease_exclusive`] |
//! | stale-settle-refused | only the current delivery settles | leases are checked | [`stale_settle_refused`] |
//! | fencing | after epoch e registers, nothing of an older epoch is stored, settled or effected | who can be fenced is | [`fencing`] |
//! | cumulative-commit | committed(n) => every position below n has its effect, or is dead-lettered | a contiguous prefix is committed | [`cumulative_commit`] |
//! | poison-bounded | hand-offs(p) <= max; dead-lettered and settled exclude each other; nothing vanishes | there is a max, or a delivery until settled | [`poison_bounded`] |
//! | replay-safe | a rewind repeats deliveries, and no effect | there is an inbox in the effect's transaction | [`replay_safe`] |
//!
//! Each is a claim about one step: from a note taken of the moment before, the events of the step and the moment after.
//! They keep nothing from step to step, so watching them adds no states to a model. What they look at is
//! [`PartyState`](crate::party_state::PartyState), which the model shows of its states and the simulation of the running cores.
//!
//! A semantics ([`Rules::required_by`](super::Rules::required_by)) needs none of them: they tell where a promise is going
//! to break before it does.

/// The white-box properties, in the order of the overview tables. A new one is a file and its line here.
macro_rules! white_box_properties {
    ($then:ident $($before:tt)*) => {
        $then! { $($before)* [
            ack_honesty: ack_honesty::AckHonesty,
            dedup_honesty: dedup_honesty::DedupHonesty,
            dedup_completeness: dedup_completeness::DedupCompleteness,
            lease_exclusive: lease_exclusive::LeaseExclusive,
            stale_settle_refused: stale_settle_refused::StaleSettleRefused,
            fencing: fencing::Fencing,
            cumulative_commit: cumulative_commit::CumulativeCommit,
            poison_bounded: poison_bounded::PoisonBounded,
            replay_safe: replay_safe::ReplaySafe,
        ]}
    };
}
pub(super) use white_box_properties;

pub mod ack_honesty;
pub mod cumulative_commit;
pub mod dedup_completeness;
pub mod dedup_honesty;
pub mod fencing;
mod inspection;
pub mod lease_exclusive;
pub mod poison_bounded;
pub mod replay_safe;
pub mod stale_settle_refused;
mod watch;
mod whitebox_rules;

pub use self::inspection::Happened;
pub(super) use self::inspection::Inspection;
pub use self::watch::{Before, Watch};
pub use self::whitebox_rules::WhiteboxRules;
