//! The reduction by commuting steps: its conditions on every state, its verdicts beside those of all steps, and what
//! becomes of both when it is made unsound on purpose.

mod blind;
mod conditions;
mod verdicts;

use delivery_model::check::Protocol;
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;

fn preset(name: &str, change: impl FnOnce(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named(name).expect("the preset exists");
    change(&mut pipeline);
    pipeline
}

fn presets() -> impl Iterator<Item = Pipeline> {
    presets::ALL.iter().map(|(name, _)| preset(name, |_| {}))
}

fn protocol(pipeline: &Pipeline, messages: u32) -> Protocol {
    Protocol::new(pipeline, messages).expect("so many messages fit")
}
