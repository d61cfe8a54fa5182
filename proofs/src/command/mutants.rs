//! `delivery mutants`: every seeded bug against the property that must catch it, and against the model.

use std::ops::BitOr;
use std::path::PathBuf;

use delivery_model::schedule::Schedule;
use delivery_model::semantics::{PropertyId, PropertySet, Rules};
use delivery_model::story::Ink;
use delivery_proofs::lockstep;
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::campaign::broken_by;
use delivery_proofs::simulation::kill_schedules::{SEEDS, kill_schedule};
use delivery_proofs::simulation::run::run as simulated;
use serde_json::{Value, json};

use super::{Outcome, output, render, report, terminal};

/// The model beside which the cores walk has so many messages, as many as its own checks.
const MESSAGES: u32 = 2;

/// How to tell it.
#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object a seeded bug instead of a table
    #[arg(long)]
    json: bool,
    /// Write the schedule that brings each bug out into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// What became of one seeded bug.
struct Hunted {
    mutant: Mutant,
    /// The property that must catch it.
    property: PropertyId,
    /// A schedule of which it breaks that property, and all that it breaks there.
    caught: Option<(Schedule, PropertySet)>,
    /// After how many steps the cores with the bug part from the model.
    parted: Option<usize>,
}

/// Hunts every seeded bug.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    arguments.save.as_deref().map_or(Ok(()), output::check_directory)?;
    let bar = terminal::bar(Mutant::ALL.len() as u64, "seeded bugs");
    let mut hunted = Vec::new();
    for mutant in Mutant::ALL {
        bar.set_message(format!("seeded bugs, {mutant:?}"));
        let it = hunt(mutant, &interrupt)?;
        if interrupt.is_raised() {
            // What was hunted in part says nothing.
            break;
        }
        hunted.push(it);
        bar.inc(1);
    }
    bar.finish_and_clear();
    terminal::print(&match arguments.json {
        true => hunted.iter().map(|it| format!("{}\n", in_json(it))).collect(),
        false => in_words(&hunted, terminal::ink()),
    });
    if let Some(directory) = &arguments.save {
        for it in &hunted {
            let Some((schedule, _)) = &it.caught else { continue };
            let path = render::save(directory, it.property, schedule)?;
            eprintln!("written: {}", path.display());
        }
    }
    if hunted.len() < Mutant::ALL.len() {
        eprintln!("stopped: {} of {} seeded bugs were hunted", hunted.len(), Mutant::ALL.len());
        return Ok(Outcome::Interrupted);
    }
    let survives = |it: &Hunted| it.caught.is_none();
    Ok(Outcome::kept(!hunted.iter().any(survives)))
}

fn hunt(mutant: Mutant, interrupt: &terminal::Interrupt) -> anyhow::Result<Hunted> {
    let kill = kill_schedule(mutant).expect("every seeded bug has one");
    let rules = Rules::from(&kill.schedule.pipeline);
    let caught = kill.catches(mutant).map(|schedule| {
        let run = simulated(&schedule, mutant).expect("it ran before");
        (schedule, broken_by(&run, rules))
    });
    // The model must be able to suffer what the kill schedule's faults are, and so has them in its budget.
    let mut pipeline = kill.schedule.pipeline.clone();
    for planned in &kill.schedule.faults {
        pipeline.faults = pipeline.faults.with(planned.fault, pipeline.faults.of(planned.fault).max(1));
    }
    let walked = lockstep::walk(&pipeline, MESSAGES, mutant, &mut |_, _| !interrupt.is_raised())?;
    let parted = walked.parted.map(|parted| parted.path.len() + 1);
    Ok(Hunted { mutant, property: kill.property, caught, parted })
}

fn in_words(hunted: &[Hunted], ink: Ink) -> String {
    let mut table = report::table(&["seeded bug", "caught by", "breaks also", "parts from the model"]);
    for it in hunted {
        let (by, also) = match &it.caught {
            None => (ink.bad(&format!("survives ({})", it.property)), String::new()),
            Some((_, broken)) => {
                let others = broken.iter().filter(|property| *property != it.property).map(PropertyId::word);
                (ink.good(it.property.word()), others.collect::<Vec<_>>().join(", "))
            }
        };
        let parted = it.parted.map_or_else(|| "no".to_owned(), |at| format!("at step {at}"));
        table.add_row([format!("{:?}", it.mutant), by, also, parted]);
    }
    let survivors = hunted.iter().filter(|it| it.caught.is_none()).count();
    let broken = hunted.iter().filter_map(|it| it.caught.as_ref()).map(|(_, broken)| *broken);
    let broken = broken.fold(PropertySet::EMPTY, PropertySet::bitor);
    let idle: Vec<&str> = PropertyId::ALL.iter().filter(|it| !broken.contains(**it)).map(|it| it.word()).collect();
    let mut out = format!(
        "{}\n{} caught in the simulation, each under at most {SEEDS} interleavings of its schedule; {}\n",
        report::lines(&table),
        report::count((hunted.len() - survivors) as u64, "seeded bug"),
        match survivors {
            0 => ink.good("none survives"),
            some => ink.bad(&format!("{} survive", report::grouped(some as u64))),
        }
    );
    if !idle.is_empty() {
        out += &format!("properties that none of them breaks: {}\n", idle.join(", "));
    }
    out
}

fn in_json(it: &Hunted) -> Value {
    let broken = it.caught.iter().flat_map(|(_, broken)| broken.iter());
    json!({
        "mutant": format!("{:?}", it.mutant),
        "property": it.property,
        "caught": it.caught.is_some(),
        "breaks": broken.collect::<Vec<_>>(),
        "parts-from-the-model-at-step": it.parted,
    })
}
