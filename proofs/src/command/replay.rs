//! `delivery replay`: the story of one schedule, in the model, on the simulated cores or in a real run.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use delivery_impls::driver::run::Ended;
use delivery_model::history::{Header, History};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, Schedule};
use delivery_model::semantics::{Judgement, Question, judge};
use delivery_model::spec::{PROCESSES, State};
use delivery_model::story::{self, Ink};
use delivery_model::vocab::{Event, EventKind, ProcessId, Step};
use delivery_proofs::mutants::Mutant;
use delivery_proofs::real::{self, FaultPlan, Options};
use delivery_proofs::simulation::points;
use delivery_proofs::simulation::run::{Ending, Run, run as simulated};

use super::terminal::Interrupt;
use super::{Outcome, judge as judging, load, output, render, report, terminal};

/// The limit of events up to which a real run is printed event by event.
const EVENTS_SHOWN: usize = 200;

/// The schedule, and the world in which it runs.
#[derive(clap::Args)]
pub struct Arguments {
    /// The schedule (JSON); `-` for standard input
    schedule: PathBuf,
    /// The world in which it is replayed
    #[arg(long, default_value = "simulation")]
    world: World,
    /// The file for the history of the replay
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum World {
    /// The spec: every step must be enabled in it
    Model,
    /// The cores, on a simulated network, disk and clock
    Simulation,
    /// Threads, TCP and disk, with the same faults at the same logical points
    Real,
}

/// Replays a schedule and judges the history.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::install()?;
    let path = &arguments.schedule;
    let named = || path.display().to_string();
    let schedule = Schedule::from_json(&load::text(path, load::SCHEDULE)?).with_context(named)?;
    if let Some(record) = &arguments.record {
        output::check_new_file(record)?;
    }
    terminal::spinner(&format!("replaying {}", path.display()));
    let ink = terminal::ink();
    let (history, told, endless) = match arguments.world {
        World::Simulation => {
            let run =
                simulated(&schedule, Mutant::None).context("the cores cannot take these steps").with_context(named)?;
            let endless = matches!(run.ending, Ending::Loop { .. });
            (run.history.clone(), told(&schedule, &run, ink), endless)
        }
        World::Model => {
            let steps = steps_of(&schedule).with_context(named)?;
            let history = in_model(&schedule, &steps).with_context(named)?;
            let (stem, cycle) = steps.split_at(loop_of(&schedule, &steps));
            let endless = !cycle.is_empty() && closes(&schedule, stem, cycle).with_context(named)?;
            (history, run_of(&schedule, stem, cycle).told(ink), endless)
        }
        World::Real => return really(&schedule, arguments, &interrupt).with_context(named),
    };
    if let Some(record) = &arguments.record {
        let written = output::write_history(&history, record, &interrupt);
        if !interrupt.is_raised() {
            written?;
        }
    }
    if interrupt.is_raised() {
        eprintln!(
            "stopped after {} of the replay, which is not judged",
            report::count(history.events.len() as u64, "event")
        );
        return Ok(Outcome::Interrupted);
    }
    let judgement = judge(&history, Question { endless, ..Question::default() });
    terminal::tell(&format!(
        "{}{told}\n{}",
        title(&schedule, arguments.world, ink),
        verdict(&judgement, &schedule, ink)
    ));
    Ok(outcome(&schedule.pipeline, &judgement))
}

/// Whether the repeated steps lead back to the state in which they began.
fn closes(schedule: &Schedule, stem: &[Step], cycle: &[Step]) -> Result<bool, story::NoStory> {
    let spec = story::spec_for(&schedule.pipeline, schedule.messages, &[stem, cycle].concat())?;
    let mut state = State::default();
    for &step in stem {
        spec.take(&mut state, step);
    }
    let before = state;
    for &step in cycle {
        spec.take(&mut state, step);
    }
    Ok(state == before)
}

/// The index of the first step of the loop of an endless schedule; the number of steps if there is no loop.
fn loop_of(schedule: &Schedule, steps: &[Step]) -> usize {
    match schedule.interleaving {
        Interleaving::Endless { from, .. } => from,
        Interleaving::Seeded(_) | Interleaving::Exact(_) => steps.len(),
    }
}

/// The steps of an exact schedule, or the steps that the cores take under a seeded one.
fn steps_of(schedule: &Schedule) -> anyhow::Result<Vec<Step>> {
    match &schedule.interleaving {
        Interleaving::Exact(steps) | Interleaving::Endless { steps, .. } => Ok(steps.clone()),
        Interleaving::Seeded(_) => Ok(simulated(schedule, Mutant::None)?.steps),
    }
}

/// The events of the spec's steps.
fn in_model(schedule: &Schedule, steps: &[Step]) -> Result<History, story::NoStory> {
    let spec = story::spec_for(&schedule.pipeline, schedule.messages, steps)?;
    let mut history = History { header: Header::from(&schedule.pipeline), ..History::default() };
    for process in PROCESSES {
        history.names.process_id(process).expect("a few names fit");
    }
    let mut state = State::default();
    for (at, &step) in steps.iter().enumerate() {
        for event in spec.take(&mut state, step).iter() {
            history.push((at as u64 + 1).into(), *event);
        }
    }
    if spec.is_quiescent(&state) {
        let faults = ProcessId(PROCESSES.len() as u16 - 1);
        history.push((steps.len() as u64).into(), Event { process: faults, kind: EventKind::Quiescent });
    }
    Ok(history)
}

/// The run, with everything marked that it breaks.
fn run_of<'a>(schedule: &'a Schedule, stem: &'a [Step], cycle: &'a [Step]) -> render::Run<'a> {
    let Schedule { pipeline, messages, .. } = schedule;
    render::Run { pipeline, messages: *messages, stem, cycle, broken: render::Broke::Each }
}

fn title(schedule: &Schedule, world: World, ink: Ink) -> String {
    let world = match world {
        World::Model => "in the model",
        World::Simulation => "on the simulated cores",
        World::Real => "for real",
    };
    let messages = report::count(schedule.messages.into(), "message");
    let mut out = format!("{}: {messages}, {world}\n", ink.strong(&schedule.pipeline.name));
    schedule.faults.iter().for_each(|planned| out += &format!("  {planned}\n"));
    out + "\n"
}

fn told(schedule: &Schedule, run: &Run, ink: Ink) -> String {
    let loops = match run.ending {
        Ending::Loop { from } => from,
        Ending::Rest | Ending::Cut => run.steps.len(),
    };
    let (stem, cycle) = run.steps.split_at(loops);
    let mut out = run_of(schedule, stem, cycle).told(ink);
    for (planned, fired) in schedule.faults.iter().zip(&run.fired) {
        if fired.is_none() {
            out += &format!("did not strike, as its point was not reached: {planned}\n");
        }
    }
    for &(property, message) in &run.breaches {
        out += &format!("{}\n", render::broken(property, Some(message), ink));
    }
    out
}

fn verdict(judgement: &Judgement, schedule: &Schedule, ink: Ink) -> String {
    let mut out = report::semantics(&judgement.verdicts, schedule.pipeline.promises, judgement.or_dead_lettered(), ink);
    out += &report::nothing_promised(&schedule.pipeline, &judgement.verdicts, "this run keeps");
    for violation in &judgement.violations {
        out += &format!("{}: {}\n", render::broken(violation.property, Some(violation.message), ink), violation.breach);
    }
    out
}

fn outcome(pipeline: &Pipeline, judgement: &Judgement) -> Outcome {
    Outcome::of(pipeline, judging::claims(pipeline, judgement), &judgement.verdicts)
}

/// Runs the schedule's faults in a real run, in a temporary directory.
fn really(schedule: &Schedule, arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let faults = points::planned(schedule)?;
    let place = terminal::temporary()?;
    let record = arguments.record.clone().unwrap_or_else(|| place.path().join("history.jsonl"));
    let mut options = Options::new(schedule.messages.into(), &record);
    options.directory = Some(place.path().to_owned());
    options.producers = 1;
    options.plan = FaultPlan::Given(faults.clone());
    options.stop = interrupt.flag();
    let came = real::run(&schedule.pipeline, &options)?;
    let history = match came.ended {
        Ended::Drained => judging::history(&record, interrupt)?,
        Ended::Stopped => {
            eprintln!("stopped after {}", report::count(came.progress.effects, "effect"));
            None
        }
    };
    let Some(history) = history else {
        return Ok(Outcome::Interrupted);
    };
    let judgement = judge(&history, Question::default());
    let ink = terminal::ink();
    let planned = Schedule { faults, ..schedule.clone() };
    let mut out = title(&planned, World::Real, ink) + &events(&history);
    for planned in &came.unreached {
        out += &format!("did not strike, as its point was not reached: {planned}\n");
    }
    terminal::tell(&format!("{out}\n{}", verdict(&judgement, schedule, ink)));
    Ok(outcome(&schedule.pipeline, &judgement))
}

/// The events, one a line. Threads take steps at the same time, so there is no single sequence of steps to show.
fn events(history: &History) -> String {
    let mut table = report::table(&["line", "process", "event"]);
    for recorded in history.events.iter().take(EVENTS_SHOWN) {
        let process = history.names.process(recorded.event.process).to_owned();
        table.add_row([recorded.line.to_string(), process, recorded.event.kind.to_string()]);
    }
    let more = history.events.len().saturating_sub(EVENTS_SHOWN);
    let rest = if more > 0 {
        format!("... and {}\n", report::count_of(more as u64, "more event", "more events"))
    } else {
        String::new()
    };
    report::lines(&table) + &rest
}
