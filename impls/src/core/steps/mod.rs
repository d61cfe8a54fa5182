//! The steps of the cores in which a mistake decides: one function a decision, whose default is the sound one.
//!
//! A core takes its steps as a value. The product's are [`Sound`], every default; checks put others in their place and
//! show that they notice. So the cores themselves know of no bug. The parts that threads share do the same with types
//! (see [`crate::shared`]).
//!
//! A decision is a step if it can be taken wrongly so that a property notices, and each step has a seeded bug. What decides only
//! when something happens, or is asked by drivers alone (who joins a retry, how far ahead a consumer works, who is told what is
//! finished, when a party may leave), is no step: the tests of the cores hold it.
//!
//! Steps are part of a core's state, so they are values that can be compared, hashed and copied. [`Sound`] has no size.

mod broker;
mod consumer;
mod producer;

use std::fmt::Debug;
use std::hash::Hash;

pub use self::broker::BrokerSteps;
pub use self::consumer::{AfterCommit, ConsumerSteps};
pub use self::producer::ProducerSteps;

/// The sound steps: every default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sound;

impl ProducerSteps for Sound {}
impl BrokerSteps for Sound {}
impl ConsumerSteps for Sound {}

/// The steps of all three parties.
pub trait Steps: ProducerSteps + BrokerSteps + ConsumerSteps {}

impl<S: ProducerSteps + BrokerSteps + ConsumerSteps> Steps for S {}

/// What steps must be to be part of a core.
pub trait Value: Clone + Debug + Eq + Hash + Send + Sync {}

impl<T: Clone + Debug + Eq + Hash + Send + Sync> Value for T {}
