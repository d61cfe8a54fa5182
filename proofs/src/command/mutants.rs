//! `delivery mutants`: the kill matrix, every seeded bug against the property that must catch it, in each world.

use std::ops::BitOr;
use std::path::PathBuf;

use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::story::Ink;
use delivery_proofs::kill_matrix::{self, InRealRuns, Row};
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::kill_schedules::SEEDS;
use serde_json::{Value, json};

use super::{Outcome, output, render, report, terminal};

/// How to tell it.
#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object a seeded bug instead of a table
    #[arg(long)]
    json: bool,
    /// The page of the documentation instead of a table
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Run each bug for real too: threads, TCP and disk, on its own schedule
    #[arg(long, conflicts_with = "markdown")]
    real: bool,
    /// Write the schedule that brings each bug out into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// A bug's row, and what became of it in real runs, where they were asked for.
type Hunted = (Row, Option<InRealRuns>);

/// Hunts every seeded bug.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    arguments.save.as_deref().map_or(Ok(()), output::check_directory)?;
    let bar = terminal::bar(Mutant::ALL.len() as u64, "seeded bugs");
    let mut hunted = Vec::new();
    for mutant in Mutant::ALL {
        bar.set_message(format!("seeded bugs, {mutant:?}"));
        let keep_going = || !interrupt.is_raised();
        let row = kill_matrix::row(mutant, &keep_going);
        let real = arguments.real.then(|| kill_matrix::in_real_runs(mutant, mutant, &keep_going)).transpose()?;
        if interrupt.is_raised() {
            // What was hunted in part says nothing.
            break;
        }
        hunted.push((row, real));
        bar.inc(1);
    }
    bar.finish_and_clear();
    terminal::print(&match arguments {
        Arguments { json: true, .. } => hunted.iter().map(|(row, real)| format!("{}\n", in_json(row, *real))).collect(),
        Arguments { markdown: true, .. } => {
            let rows: Vec<Row> = hunted.iter().map(|(row, _)| row.clone()).collect();
            kill_matrix::markdown(&rows)
        }
        _ => in_words(&hunted, terminal::ink()),
    });
    if let Some(directory) = &arguments.save {
        for (row, _) in &hunted {
            let Some(caught) = &row.caught else { continue };
            let path = render::save(directory, row.property, &caught.schedule)?;
            eprintln!("written: {}", path.display());
        }
    }
    if hunted.len() < Mutant::ALL.len() {
        eprintln!("stopped: {} of {} seeded bugs were hunted", hunted.len(), Mutant::ALL.len());
        return Ok(Outcome::Interrupted);
    }
    let survives = |(row, _): &Hunted| row.caught.is_none();
    Ok(Outcome::kept(!hunted.iter().any(survives)))
}

fn in_words(hunted: &[Hunted], ink: Ink) -> String {
    let mut titles = vec!["seeded bug", "caught by", "model", "lockstep", "simulation", "unguided"];
    titles.extend(hunted.iter().any(|(_, real)| real.is_some()).then_some("real"));
    let mut table = report::table(&titles);
    for (row, real) in hunted {
        table.add_row(cells(row, ink).into_iter().chain(real.map(in_real)));
    }
    // Each bug's source stands below its line.
    let told = report::lines(&table);
    let mut lines = told.lines();
    let mut out = format!("{}\n", lines.next().unwrap_or_default());
    for (line, (row, _)) in lines.zip(hunted) {
        out += &format!("{line}\n  {}\n", row.mutant.source());
    }
    out + "\n" + &summary(hunted, ink)
}

fn cells(row: &Row, ink: Ink) -> [String; 6] {
    let number = |number: usize| report::grouped(number as u64);
    let (by, interleavings) = match &row.caught {
        None => (ink.bad(&format!("survives ({})", row.property)), ink.bad("no")),
        Some(caught) => (ink.good(row.property.word()), report::grouped(caught.interleavings)),
    };
    let states = row
        .twin
        .as_ref()
        .map_or_else(|| "none".to_owned(), |twin| twin.states.map_or_else(|| ink.bad("keeps it"), number));
    let parted = row.parted.map_or_else(|| "no".to_owned(), |parted| format!("step {}", parted.at));
    let unguided = row.unguided.map_or_else(
        || format!("over {}", report::grouped(kill_matrix::UNGUIDED_MAX.into())),
        |schedules| report::grouped(schedules.into()),
    );
    [format!("{:?}", row.mutant), by, states, parted, interleavings, unguided]
}

fn in_real(real: InRealRuns) -> String {
    match real {
        InRealRuns::Killed { run, elapsed } => format!("run {run}, {:.1} s", elapsed.as_secs_f64()),
        InRealRuns::Asserted { run } => format!("run {run}, assertion"),
        InRealRuns::Kept { runs } => format!("not in {}", report::count(runs.into(), "run")),
        InRealRuns::NotInjected(_) => "no fault".to_owned(),
    }
}

fn summary(hunted: &[Hunted], ink: Ink) -> String {
    let survivors = hunted.iter().filter(|(row, _)| row.caught.is_none()).count();
    let broken = hunted.iter().filter_map(|(row, _)| row.caught.as_ref()).map(|caught| caught.broken);
    let broken = broken.fold(PropertySet::EMPTY, PropertySet::bitor);
    let idle: Vec<&str> = PropertyId::ALL.iter().filter(|it| !broken.contains(**it)).map(|it| it.word()).collect();
    let mut out = format!(
        "model: states until the setting that amounts to the bug breaks the property\n\
         lockstep: where the cores with the bug part from the model\n\
         simulation: interleavings of its schedule until the property is broken, of at most {SEEDS}\n\
         unguided: random schedules with the same faults until it is, of at most {}\n\n\
         {} caught in the simulation; {}\n",
        report::grouped(kill_matrix::UNGUIDED_MAX.into()),
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

fn in_json(row: &Row, real: Option<InRealRuns>) -> Value {
    let broken = row.caught.iter().flat_map(|caught| caught.broken.iter());
    json!({
        "mutant": format!("{:?}", row.mutant),
        "property": row.property,
        "caught": row.caught.is_some(),
        "breaks": broken.collect::<Vec<_>>(),
        "parts-from-the-model-at-step": row.parted.map(|parted| parted.at),
        "does": row.mutant.sentence(),
        "source": row.mutant.source(),
        "twin": row.twin.as_ref().map(|twin| json!({ "settings": twin.settings, "states": twin.states })),
        "interleavings": row.caught.as_ref().map(|caught| caught.interleavings),
        "unguided-schedules": row.unguided,
        "real": real.map(|real| match real {
            InRealRuns::Killed { run, elapsed } => json!({ "killed-in-run": run, "seconds": elapsed.as_secs_f64() }),
            InRealRuns::Asserted { run } => json!({ "asserted-in-run": run }),
            InRealRuns::Kept { runs } => json!({ "kept-in-runs": runs }),
            InRealRuns::NotInjected(fault) => json!({ "not-injected": fault }),
        }),
    })
}
