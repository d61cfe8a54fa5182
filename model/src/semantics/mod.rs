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
//! of how a protocol works, and no automaton looks at another's state.

mod attempts;
mod automaton;
mod contradictions;
pub mod effect_or_dead_letter;
pub mod integrity;
mod judge;
mod monitor;
pub mod no_delivery_after_settle;
pub mod no_duplicate;
pub mod not_lost;
pub mod order;
mod property;
pub mod refused_not_delivered;
mod rules;
pub mod settled_after_effect;
mod store;
mod tally;
mod unbounded;
mod verdict;
pub mod whitebox;

pub use automaton::{Automaton, Breach};
pub use contradictions::{Contradiction, ContradictionKind};
pub use judge::{Finding, Judgement, LINES_TOLD, Question, VIOLATIONS_TOLD, Violation, judge};
pub use monitor::{MessageStates, Monitor, Observed, ObservedLayout};
pub use property::{PropertyId, PropertySet};
pub use rules::{Rules, SettleRule};
pub use store::{Bounded, BoundedGroupState, GroupState, MonitorStore, PartitionedPosition};
pub use tally::Counts;
pub use unbounded::{Unbounded, UnboundedGroupState};
pub use verdict::{Doubt, Verdict, Verdicts};
