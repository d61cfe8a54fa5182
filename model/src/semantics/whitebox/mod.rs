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
//! [`PartyState`], which the model shows of its states and the simulation of the running cores.
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
pub mod lease_exclusive;
pub mod poison_bounded;
pub mod replay_safe;
pub mod stale_settle_refused;
mod whitebox_rules;

use std::fmt::Debug;

pub use self::whitebox_rules::WhiteboxRules;
use super::property::{PropertyId, PropertySet};
use crate::party_state::PartyState;
use crate::pipeline::Pipeline;
use crate::vocab::{Event, EventKind, MessageId, Outcome, SettleOutcome, Step};

/// One white-box property, judged step by step. It breaks for a message.
pub(super) trait Inspection {
    const PROPERTY: PropertyId;

    /// The word that output uses.
    const WORD: &'static str;

    /// What it says, in one line.
    const FORMULA: &'static str;

    /// What it must know of the moment before a step: a few bits.
    type Note: Copy + Debug + Default;

    /// Whether a pipeline of these settings, under these faults, means to keep it.
    fn is_claimed_by(pipeline: &Pipeline) -> bool;

    /// Whether such a step could break it. No other step is looked at.
    fn concerns(terms: &WhiteboxRules, step: Step) -> bool;

    fn before(_: &WhiteboxRules, _: Step, _: &impl PartyState) -> Self::Note {
        Self::Note::default()
    }

    fn after(_: &WhiteboxRules, _: Self::Note, _: Step, _: Happened, _: &impl PartyState) -> Result<(), MessageId>;

    /// What must be true once nothing more can happen.
    fn at_rest(_: &WhiteboxRules, _: &impl PartyState) -> Result<(), MessageId> {
        Ok(())
    }
}

/// What of a step's events matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Happened {
    /// The producer was told that the message is stored.
    acked: Option<MessageId>,
    /// A settle was confirmed.
    settled: Option<MessageId>,
    /// An effect was made.
    effected: Option<MessageId>,
}

impl Happened {
    /// Takes in one event.
    pub fn note(&mut self, event: &Event) {
        match event.kind {
            EventKind::Outcome { message, outcome: Outcome::Acked, .. } => self.acked = Some(message),
            EventKind::Settle { message, outcome: SettleOutcome::Ok, .. } => self.settled = Some(message),
            EventKind::Effect { message, .. } => self.effected = Some(message),
            _ => {}
        }
    }
}

impl<'a> FromIterator<&'a Event> for Happened {
    fn from_iter<I: IntoIterator<Item = &'a Event>>(events: I) -> Self {
        let mut happened = Happened::default();
        events.into_iter().for_each(|event| happened.note(event));
        happened
    }
}

macro_rules! inspections {
    ([$($field:ident: $module:ident::$inspection:ident),* $(,)?]) => {
        $(use self::$module::$inspection;)*

        /// What the properties have to know of the moment before a step.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Before {
            $($field: <$inspection as Inspection>::Note),*
        }

        impl Watch {
            /// Watches what a pipeline of these settings, under these faults, means to keep.
            pub fn new(pipeline: &Pipeline) -> Self {
                let mut watched = PropertySet::EMPTY;
                $(if $inspection::is_claimed_by(pipeline) {
                    watched.insert($inspection::PROPERTY);
                })*
                Watch { terms: WhiteboxRules::from(pipeline), watched }
            }

            /// Whether such a step could break anything. Of no other step need the moments before and after be shown.
            pub fn concerns(&self, step: Step) -> bool {
                false $(|| self.is_concerned::<$inspection>(step))*
            }

            /// Looks at the moment before a step.
            pub fn before(&self, step: Step, inside: &impl PartyState) -> Before {
                let mut before = Before::default();
                $(if self.is_concerned::<$inspection>(step) {
                    before.$field = $inspection::before(&self.terms, step, inside);
                })*
                before
            }

            /// Looks at the moment after it, and says which properties the step broke, and for which message.
            pub fn after(
                &self,
                before: Before,
                step: Step,
                happened: Happened,
                inside: &impl PartyState,
                mut breached: impl FnMut(PropertyId, MessageId),
            ) {
                $(if self.is_concerned::<$inspection>(step)
                    && let Err(message) = $inspection::after(&self.terms, before.$field, step, happened, inside)
                {
                    breached($inspection::PROPERTY, message);
                })*
            }

            /// Looks at a moment after which nothing more can happen.
            pub fn at_rest(&self, inside: &impl PartyState, mut breached: impl FnMut(PropertyId, MessageId)) {
                $(if self.watched.contains($inspection::PROPERTY)
                    && let Err(message) = $inspection::at_rest(&self.terms, inside)
                {
                    breached($inspection::PROPERTY, message);
                })*
            }
        }
    };
}

white_box_properties!(inspections);

/// The white-box properties together.
///
/// For each step that [`concerns`](Watch::concerns) it: [`before`](Watch::before), take the step, [`after`](Watch::after).
/// When nothing more can happen, [`at_rest`](Watch::at_rest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    /// How the properties are read.
    pub terms: WhiteboxRules,
    /// Which of them are watched.
    pub watched: PropertySet,
}

impl Watch {
    fn is_concerned<I: Inspection>(&self, step: Step) -> bool {
        // Most steps concern nothing: that is seen first.
        I::concerns(&self.terms, step) && self.watched.contains(I::PROPERTY)
    }
}
