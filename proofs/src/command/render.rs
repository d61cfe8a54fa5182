//! Stories for people: what a run did, step by step; and where to keep it.

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

/// A longer run is told by its first steps.
const LINES_MAX: usize = 400;

/// The steps as a sequence between the parties, or, where there are more messages than the protocol's state holds, as a
/// list.
pub fn steps(pipeline: &Pipeline, messages: u32, steps: &[Step], ink: Ink) -> String {
    let shown = &steps[..steps.len().min(LINES_MAX)];
    let told = match story::spec_for(pipeline, messages, shown) {
        Ok(spec) => story::text(&story::story(&spec, shown), ink),
        Err(_) => shown.iter().enumerate().map(|(at, step)| format!("{:>3} {step}\n", at + 1)).collect(),
    };
    match steps.len() - shown.len() {
        0 => told,
        more => told + &format!("... and {more} more steps\n"),
    }
}

/// A run that does not end: what happens first, and then for ever.
pub fn endless(pipeline: &Pipeline, run: &EndlessRun, ink: Ink) -> String {
    looped(pipeline, run.messages, &run.stem, &run.cycle, ink)
}

/// A run: its steps, and those that it then repeats for ever, if there are any.
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
        Ok(spec) if path.len() <= LINES_MAX => story::endless_text(&story::story(&spec, &path), stem.len(), ink),
        _ => {
            let told = steps(pipeline, messages, stem, ink);
            let repeated: String = cycle.iter().map(|step| format!("    {step}\n")).collect();
            format!("{told}{}\n{repeated}", ink.bad("loop: for ever from here on"))
        }
    }
}

/// A violation as JSON: its steps, and under `loop` those that are then repeated for ever.
pub fn violation(property: PropertyId, message: Option<MessageId>, steps: &[Step], cycle: &[Step]) -> Value {
    let mut told = json!({ "property": property, "message": message, "steps": steps });
    if !cycle.is_empty() {
        told["loop"] = json!(cycle);
    }
    told
}

/// The properties whose stories are told: those of the promise, or, where nothing is promised, all that stands between the
/// pipeline and exactly-once; order where it is claimed; and in any case a message that ends both with an effect and as a
/// dead letter, and what is claimed of the inside.
pub fn wanted(pipeline: &Pipeline, rules: &Rules) -> PropertySet {
    let promised = rules.required_by(pipeline.promises.unwrap_or(Semantics::ExactlyOnce));
    let order = if pipeline.ordered { PropertyId::Order.into() } else { PropertySet::EMPTY };
    promised | order | PropertyId::EffectOrDeadLetter.into() | PropertySet::WHITE_BOX
}

/// "no-duplicate-effect, broken for message 1".
pub fn broken(property: PropertyId, message: Option<MessageId>, ink: Ink) -> String {
    let whose = message.map_or_else(String::new, |message| format!(" for message {message}"));
    format!("{}, broken{whose}", ink.bad(property.word()))
}

/// Writes a counterexample into a directory, and says where.
pub fn save(directory: &Path, property: PropertyId, schedule: &Schedule) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    // A pipeline's name is the user's, and need not be a good name for a file.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = schedule.pipeline.name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(100).collect();
    let path = directory.join(format!("{name}.{property}.json"));
    fs::write(&path, schedule.to_json()).with_context(|| path.display().to_string())?;
    Ok(path)
}
