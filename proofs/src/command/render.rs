//! Stories as text for people, and the files that keep them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use delivery_model::check::EndlessRun;
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::schedule::Schedule;
use delivery_model::semantics::{PropertyId, PropertySet, Rules};
use delivery_model::story::{self, Ink};
use delivery_model::vocab::{MessageId, Step};
use delivery_proofs::verify::Broken;
use serde_json::{Value, json};

use super::{report, terminal};

/// The most lines of a story. A longer one is cut after its first steps.
const LINES_MAX: usize = 400;

/// The steps as a sequence between the parties, or as a list if there are more messages than the protocol's state
/// holds.
pub fn steps(pipeline: &Pipeline, messages: u32, steps: &[Step], ink: Ink) -> String {
    let shown = &steps[..steps.len().min(LINES_MAX)];
    let told = match story::spec_for(pipeline, messages, shown) {
        Ok(spec) => story::text(&story::story(&spec, shown), ink, terminal::width()),
        Err(_) => shown.iter().enumerate().map(|(at, step)| format!("{:>3} {step}\n", at + 1)).collect(),
    };
    match steps.len() - shown.len() {
        0 => told,
        more => told + &format!("... and {}\n", report::count_of(more as u64, "more step", "more steps")),
    }
}

/// A run that does not end: its stem, then its loop.
pub fn endless(pipeline: &Pipeline, run: &EndlessRun, ink: Ink) -> String {
    looped(pipeline, run.messages, &run.stem, &run.cycle, ink)
}

/// A run: its steps, then the steps of its loop if it has one.
pub fn run(pipeline: &Pipeline, messages: u32, stem: &[Step], cycle: &[Step], ink: Ink) -> String {
    if cycle.is_empty() { steps(pipeline, messages, stem, ink) } else { looped(pipeline, messages, stem, cycle, ink) }
}

/// A run of the cores.
pub fn broken_run(pipeline: &Pipeline, broken: &Broken, ink: Ink) -> String {
    let (stem, cycle) = broken.run();
    run(pipeline, broken.schedule.messages, stem, cycle, ink)
}

fn looped(pipeline: &Pipeline, messages: u32, stem: &[Step], cycle: &[Step], ink: Ink) -> String {
    let path = [stem, cycle].concat();
    match story::spec_for(pipeline, messages, &path) {
        Ok(spec) if path.len() <= LINES_MAX => {
            story::endless_text(&story::story(&spec, &path), stem.len(), ink, terminal::width())
        }
        _ => {
            let told = steps(pipeline, messages, stem, ink);
            let repeated: String = cycle.iter().map(|step| format!("    {step}\n")).collect();
            format!("{told}{}\n{repeated}", ink.bad("loop: for ever from here on"))
        }
    }
}

/// A violation as JSON: its steps, and under `loop` the steps that are repeated without end.
pub fn violation(property: PropertyId, message: Option<MessageId>, steps: &[Step], cycle: &[Step]) -> Value {
    let mut told = json!({ "property": property, "message": message, "steps": steps });
    if !cycle.is_empty() {
        told["loop"] = json!(cycle);
    }
    told
}

/// The properties whose stories are shown: those of the promise, or those of exactly-once if nothing is promised;
/// order if it is claimed; and always `effect-or-dead-letter` and the white-box properties.
pub fn wanted(pipeline: &Pipeline, rules: &Rules) -> PropertySet {
    let promised = rules.required_by(pipeline.promises.unwrap_or(Semantics::ExactlyOnce));
    let order = if pipeline.ordered { PropertyId::Order.into() } else { PropertySet::EMPTY };
    promised | order | PropertyId::EffectOrDeadLetter.into() | PropertySet::WHITE_BOX
}

/// The title of a story, such as "no-duplicate-effect, broken for message 1".
pub fn broken(property: PropertyId, message: Option<MessageId>, ink: Ink) -> String {
    let whose = message.map_or_else(String::new, |message| format!(" for message {message}"));
    format!("{}, broken{whose}", ink.bad(property.word()))
}

/// Writes a counterexample into a directory, and returns its path.
pub fn save(directory: &Path, property: PropertyId, schedule: &Schedule) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    // The user chooses the name of a pipeline, and it need not be fit for a file.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = schedule.pipeline.name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(100).collect();
    let path = directory.join(format!("{name}.{property}.json"));
    fs::write(&path, schedule.to_json()).with_context(|| path.display().to_string())?;
    Ok(path)
}
