//! The one home of the definitions: what it means that messages are delivered at most once, at least once, exactly once.
//!
//! A property is a small deterministic automaton over events. Whoever wants to know whether something keeps a promise,
//! be it a model, a simulation, a threaded test or a recorded history, feeds these automata; nothing restates them.
//!
//! | property | formula | module |
//! |---|---|---|
//! | integrity | delivered or effected m was submitted, payload equal | [`integrity`] |
//! | no-duplicate-delivery | deliveries(m) <= 1 per consumer group | [`no_duplicate`] |
//! | no-duplicate-effect | effects(m) <= 1 per consumer group | [`no_duplicate`] |
//! | acked-not-lost | at quiescence, and in a fair run without end: acked(m) => m counted at the level, or dead-lettered where that pays | [`not_lost`] |
//! | submitted-not-lost | at quiescence, submitted(m) => the same | [`not_lost`] |
//! | refused-not-delivered | every attempt of m definitely refused => m never delivered | [`refused_not_delivered`] |
//! | order | per producer, first deliveries come in submission order, without gaps | [`order`] |
//! | settled-after-effect | settle(m) ok => effect(m) before it, or settle before effect | [`settled_after_effect`] |
//! | effect-or-dead-letter | an effect and a dead letter of m exclude each other | [`effect_or_dead_letter`] |
//! | no-delivery-after-settle | settle of a position confirmed => no later delivery of it, unless rewound | [`no_delivery_after_settle`] |
//!
//! These are the black-box properties, judged from a history alone. The white-box ones, judged by what the parties hold,
//! are in [`whitebox`].
//!
//! `at-most-once` is integrity and no-duplicate at the level; `at-least-once` is integrity and not-lost for the
//! obligation; `exactly-once` is both ([`Rules::required_by`]).
//!
//! Architecture Invariant: this module knows events, settings and what parties can show of themselves. It knows nothing
//! of how a protocol works nor of how a checker packs what is remembered, and no automaton looks at another's state.

/// The black-box properties, in the order of the overview tables. A new one is a file and its line here, with its ways to
/// be broken in [`Breach`].
macro_rules! black_box_properties {
    ($then:ident) => {
        $then! {[
            integrity: integrity::Integrity,
            no_duplicate_delivery: no_duplicate::NoDuplicateDelivery,
            no_duplicate_effect: no_duplicate::NoDuplicateEffect,
            acked_not_lost: not_lost::AckedNotLost,
            submitted_not_lost: not_lost::SubmittedNotLost,
            refused_not_delivered: refused_not_delivered::RefusedNotDelivered,
            order: order::Order,
            settled_after_effect: settled_after_effect::SettledAfterEffect,
            no_delivery_after_settle: no_delivery_after_settle::NoDeliveryAfterSettle,
            effect_or_dead_letter: effect_or_dead_letter::EffectOrDeadLetter,
        ]}
    };
}

mod attempts;
mod automaton;
mod contradictions;
mod doubts;
pub mod effect_or_dead_letter;
mod finite;
pub mod integrity;
mod judge;
mod judging;
mod monitor;
pub mod no_delivery_after_settle;
pub mod no_duplicate;
pub mod not_lost;
mod numbers;
mod on_record;
pub mod order;
mod partial;
mod property;
pub mod refused_not_delivered;
mod rules;
pub mod settled_after_effect;
mod states;
mod store;
mod streamed;
mod tally;
mod topics;
mod transactions;
mod unbounded;
mod verdict;
pub mod whitebox;

pub use automaton::{Automaton, BoundedGroupState, Breach, GroupState, Property};
pub use contradictions::{Contradiction, ContradictionKind};
pub use finite::Finite;
pub use judge::{Finding, Judgement, LINES_TOLD, Late, Question, VIOLATIONS_TOLD, Violation, judge};
pub use judging::Judge;
pub use monitor::{Monitor, Observed};
pub use partial::{PARTIAL_FORMAT, PartialError, judge_parts, judge_share};
pub use property::{PropertyId, PropertySet};
pub use rules::{Rules, SettleRule};
pub use states::{BoundedGroup, GroupStates, MessageStates, UnboundedGroup};
pub use store::{Bounded, MonitorStore, PartitionedPosition};
pub use streamed::{Threads, judge_streamed};
pub use tally::Counts;
pub use unbounded::Unbounded;
pub use verdict::{Doubt, Verdict, Verdicts};
