//! Stories as text for people, and the files that keep them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use delivery_model::check::EndlessRun;
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::schedule::Schedule;
use delivery_model::semantics::whitebox::Watch;
use delivery_model::semantics::{PropertyId, PropertySet, Rules};
use delivery_model::spec::Spec;
use delivery_model::story::{self, Asked, Break, End, Ink, Story};
use delivery_model::vocab::{MessageId, Step};
use delivery_proofs::verify::Broken;
use serde_json::{Value, json};

use super::{report, terminal};

/// The most lines of a story. A longer one is cut after its first steps.
const LINES_MAX: usize = 400;

/// A run to tell.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Its pipeline.
    pub pipeline: &'a Pipeline,
    /// The number of messages that are submitted.
    pub messages: u32,
    /// Its steps; for a run without end, those before its loop.
    pub stem: &'a [Step],
    /// The steps that are repeated for ever; empty if the run ends.
    pub cycle: &'a [Step],
    /// What it breaks.
    pub broken: Broke,
}

/// What a run breaks, as far as its story marks it.
#[derive(Clone, Copy)]
pub enum Broke {
    /// Nothing is marked.
    Nothing,
    /// This property, for this message where it is known.
    One(PropertyId, Option<MessageId>),
    /// Every property of the pipeline that the run breaks.
    Each,
}

impl<'a> Run<'a> {
    /// A run of the cores.
    pub fn of_cores(pipeline: &'a Pipeline, broken: &'a Broken) -> Self {
        let (stem, cycle) = broken.run();
        let broke = Broke::One(broken.property, broken.message);
        Run { pipeline, messages: broken.schedule.messages, stem, cycle, broken: broke }
    }

    fn path(&self) -> Vec<Step> {
        [self.stem, self.cycle].concat()
    }

    /// The breaks to mark; none if the protocol's state does not hold the run.
    fn breaks(&self) -> Vec<Break> {
        story::spec_for(self.pipeline, self.messages, &self.path())
            .map_or_else(|_| Vec::new(), |spec| self.found(&spec))
    }

    fn found(&self, spec: &Spec) -> Vec<Break> {
        let rules = Rules::from(self.pipeline);
        let properties = match self.broken {
            Broke::Nothing => return Vec::new(),
            Broke::One(property, _) => property.into(),
            Broke::Each => rules.applicable() | Watch::new(self.pipeline).watched,
        };
        let end = if self.cycle.is_empty() { End::Last } else { End::Loop };
        let mut found = Asked::new(self.pipeline, rules, properties).breaks(spec, &self.path(), end);
        if let Broke::One(_, message) = self.broken {
            found.retain(|it| message.is_none_or(|message| message == it.message));
            found.truncate(1);
        }
        found
    }

    /// The run as a sequence between the parties, or as a list if there are more messages than the protocol's state holds.
    pub fn told(&self, ink: Ink) -> String {
        let path = self.path();
        let Ok(spec) = story::spec_for(self.pipeline, self.messages, &path) else { return self.listed(ink) };
        let mut story = Story::of(&spec, &path).marked(&self.found(&spec));
        if path.len() <= LINES_MAX {
            let loops = if self.cycle.is_empty() { story } else { story.endless(self.stem.len()) };
            return loops.text(ink, terminal::width());
        }
        let rest = story.rows.split_off(LINES_MAX.min(self.stem.len()));
        let never = std::mem::take(&mut story.never);
        let mut out = story.text(ink, terminal::width());
        if self.stem.len() > LINES_MAX {
            out += &more(self.stem.len() - LINES_MAX);
        }
        // The step that breaks is always shown.
        for (at, row) in rest.iter().enumerate().filter(|(_, row)| row.breaks.is_some()) {
            out += &format!("{:>3} {}\n", story.rows.len() + at + 1, ink.bad(&format!("✗ {}", row.told())));
        }
        out += &self.listed_loop(ink);
        never.iter().for_each(|never| out += &format!("{}\n", ink.bad(&format!("✗ {never}"))));
        out
    }

    fn listed(&self, ink: Ink) -> String {
        let shown = self.stem.iter().take(LINES_MAX).enumerate();
        let mut out: String = shown.map(|(at, step)| format!("{:>3} {step}\n", at + 1)).collect();
        if self.stem.len() > LINES_MAX {
            out += &more(self.stem.len() - LINES_MAX);
        }
        out + &self.listed_loop(ink)
    }

    fn listed_loop(&self, ink: Ink) -> String {
        if self.cycle.is_empty() {
            return String::new();
        }
        let repeated: String = self.cycle.iter().map(|step| format!("    {step}\n")).collect();
        format!("{}\n{repeated}", ink.bad("loop: for ever from here on"))
    }

    /// The run as JSON: the property and message that it breaks, its steps, under `loop` those that are repeated without end,
    /// and under `breaks` the index of the step that breaks the property, counted from 0 through steps and loop, or under
    /// `never` what never comes.
    pub fn json(&self, property: PropertyId, message: Option<MessageId>) -> Value {
        let mut told = json!({ "property": property, "message": message, "steps": self.stem });
        if !self.cycle.is_empty() {
            told["loop"] = json!(self.cycle);
        }
        for Break { step, words, .. } in self.breaks() {
            match step {
                Some(step) => told["breaks"] = step.into(),
                None => told["never"] = words.into(),
            }
        }
        told
    }
}

fn more(steps: usize) -> String {
    format!("... and {}\n", report::count_of(steps as u64, "more step", "more steps"))
}

/// A run without end that breaks a claim: its stem, then its loop. If the loop is empty, nothing more happens.
pub fn endless(pipeline: &Pipeline, run: &EndlessRun, ink: Ink) -> String {
    let EndlessRun { messages, stem, cycle, .. } = run;
    let told = Run { pipeline, messages: *messages, stem, cycle, broken: Broke::Nothing };
    let path = told.path();
    match story::spec_for(pipeline, *messages, &path) {
        Ok(spec) if path.len() <= LINES_MAX => Story::of(&spec, &path).endless(stem.len()).text(ink, terminal::width()),
        _ => told.told(ink),
    }
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
