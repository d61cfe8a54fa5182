//! Spec and cores offer the same steps, can suffer the same faults and make the same events, wherever any path leads.
//!
//! Every result has its bounds beside it: how many messages, which budgets, and how many states where a walk is not full.

mod broker;
mod consumer;
mod producer;
mod references;

use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_proofs::lockstep::{Walked, walk};
use delivery_proofs::mutants::Mutant;

fn preset(name: &str) -> Pipeline {
    presets::named(name).expect("the preset exists")
}

/// The exactly-once reference with some settings changed.
fn exactly_once(change: impl FnOnce(&mut Pipeline)) -> Pipeline {
    let mut pipeline = preset("exactly-once");
    change(&mut pipeline);
    pipeline
}

/// Walks both together for as long as `keeps_on` says, which is given the states and the steps so far.
#[track_caller]
fn walked(pipeline: &Pipeline, messages: u32, keeps_on: impl Fn(usize, usize) -> bool) -> Walked {
    let mut keep_going = |states, edges| keeps_on(states, edges);
    let walked = walk(pipeline, messages, Mutant::None, &mut keep_going).expect("so few fit");
    if let Some(parted) = &walked.parted {
        panic!("{pipeline:#?}\nwith {messages} messages: spec and cores part: {parted}");
    }
    assert!(walked.complete || !keeps_on(walked.states, walked.edges), "{}: {walked:?}", pipeline.name);
    walked
}

/// Walks at most so many states, and to the end if there are no more.
#[track_caller]
fn check_within(states_max: usize, pipeline: &Pipeline, messages: u32) -> Walked {
    walked(pipeline, messages, |states, _| states < states_max)
}
