//! The stories by which promises break: the known ones, those of rarer settings, and those that products are known for.
//!
//! Every search is complete within two messages and the faults that it names.

mod consumer;
mod known;
mod presets;
mod producer;

use delivery_model::check::{Explored, Limits, Violation, explore};
use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

/// The exactly-once reference with some settings changed, under these faults, each once.
fn pipeline(faults: &[Fault], change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = delivery_model::presets::named("exactly-once").expect("a reference");
    pipeline.faults = FaultBudget::once_each(faults.iter().copied());
    change(&mut pipeline);
    pipeline
}

/// What a complete search finds.
fn explored(pipeline: &Pipeline) -> Explored {
    let explored = explore(pipeline, Limits::default(), &|_| true).expect("two messages fit");
    assert!(explored.is_complete(), "{}", explored.completeness);
    explored
}

/// The story that breaks this property, if there is one.
fn story_of(explored: Explored, property: PropertyId) -> Option<Violation> {
    assert!(explored.watched.contains(property), "{property} is not watched");
    explored.violations.into_iter().find(|violation| violation.property == property)
}

/// The story that breaks this property, if there is one, where every fault of the budget fires.
fn told(pipeline: &Pipeline, property: PropertyId) -> Option<Violation> {
    let explored = explored(pipeline);
    assert_eq!(explored.never_fired, [], "a fault that never fires makes the check vacuous");
    story_of(explored, property)
}
