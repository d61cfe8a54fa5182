//! `delivery mutants`: the kill matrix, every seeded bug against the property that must catch it, in each world.

use std::ops::BitOr;
use std::path::PathBuf;

use anyhow::bail;
use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::story::Ink;
use delivery_proofs::kill_matrix::{self, Hunt, InRealRuns, Race, Row, SHARED_BUGS, Searches};
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::kill_schedules::SEEDS;
use serde_json::{Value, json};

use super::{Outcome, output, render, report, terminal};

/// How to tell it.
#[derive(clap::Args)]
pub struct Arguments {
    /// The seeded bugs to hunt, by their names (default: all)
    #[arg(value_name = "BUG")]
    bugs: Vec<String>,
    /// One JSON object a seeded bug instead of a table
    #[arg(long)]
    json: bool,
    /// The page of the documentation instead of a table
    #[arg(long, conflicts_with_all = ["json", "bugs"])]
    markdown: bool,
    /// Run each bug for real too: threads, TCP and disk, on its own schedule
    #[arg(long, conflicts_with = "markdown")]
    real: bool,
    /// Compare guided with unguided search: schedules until each bug breaks its property, over several seeds
    #[arg(long, conflicts_with_all = ["real", "save"])]
    guided: bool,
    /// Write the schedule that brings each bug out into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// A bug's row, and what became of it in real runs, where they were asked for.
type Hunted = (Row, Option<InRealRuns>);

/// Hunts seeded bugs.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    let wanted = wanted(&arguments.bugs)?;
    arguments.save.as_deref().map_or(Ok(()), output::check_directory)?;
    if arguments.guided {
        return Ok(compared(arguments, &wanted, &interrupt));
    }
    let bar = terminal::bar(wanted.len() as u64, "seeded bugs");
    let mut hunted = Vec::new();
    for &mutant in &wanted {
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
    let show = if arguments.json || arguments.markdown { terminal::print } else { terminal::tell };
    show(&match arguments {
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
    if hunted.len() < wanted.len() {
        eprintln!("stopped: {} of {} seeded bugs were hunted", hunted.len(), wanted.len());
        return Ok(Outcome::Interrupted);
    }
    let survives = |(row, _): &Hunted| row.caught.is_none();
    Ok(Outcome::kept(!hunted.iter().any(survives)))
}

/// Searches for each bug guided and unguided, and tells how many schedules that took.
fn compared(arguments: &Arguments, wanted: &[Mutant], interrupt: &terminal::Interrupt) -> Outcome {
    let bar = terminal::bar(wanted.len() as u64, "seeded bugs");
    let mut hunts = Vec::new();
    for &mutant in wanted {
        bar.set_message(format!("seeded bugs, {mutant:?}"));
        let hunt = kill_matrix::hunt(mutant, &|| !interrupt.is_raised());
        if interrupt.is_raised() {
            break;
        }
        hunts.push(hunt);
        bar.inc(1);
    }
    bar.finish_and_clear();
    match arguments {
        Arguments { json: true, .. } => {
            let object = |hunt: &Hunt| {
                let of = |it: &Searches| json!({ "median": it.median(), "worst": it.worst() });
                let name = format!("{:?}", hunt.mutant);
                json!({ "mutant": name, "unguided": of(&hunt.unguided), "guided": of(&hunt.guided) })
            };
            terminal::print(&hunts.iter().map(|hunt| format!("{}\n", object(hunt))).collect::<String>());
        }
        Arguments { markdown: true, .. } => terminal::print(&kill_matrix::guided_markdown(&hunts)),
        _ => terminal::tell(&compared_in_words(&hunts)),
    }
    if hunts.len() < wanted.len() {
        eprintln!("stopped: {} of {} seeded bugs were hunted", hunts.len(), wanted.len());
        return Outcome::Interrupted;
    }
    Outcome::Kept
}

fn compared_in_words(hunts: &[Hunt]) -> String {
    let mut table = report::table(&["seeded bug", "unguided", "worst", "guided", "worst"]);
    for Hunt { mutant, unguided, guided } in hunts {
        let figures = [unguided.median(), unguided.worst(), guided.median(), guided.worst()];
        table.add_row([format!("{mutant:?}")].into_iter().chain(figures.map(kill_matrix::schedules)));
    }
    let [fewer, more, as_many] = kill_matrix::compared(hunts, Searches::median);
    format!(
        "{}\nschedules until the property is broken, of at most {}: the median of {} seeds,\nand the worst\n\n\
         guided search takes fewer for {}, more for {more}, as many for {as_many}\n",
        report::lines(&table),
        report::grouped(kill_matrix::UNGUIDED_MAX.into()),
        kill_matrix::SEARCH_SEEDS.len(),
        report::count(fewer as u64, "seeded bug"),
    )
}

/// The bugs of these names, each once; all, if there are no names.
fn wanted(names: &[String]) -> anyhow::Result<Vec<Mutant>> {
    let mut wanted = Vec::new();
    for name in names {
        let Some(mutant) = Mutant::named(name) else {
            let known = Mutant::ALL.map(|mutant| format!("{mutant:?}")).join(", ");
            bail!("{name}: not a seeded bug; expected one of {known}");
        };
        if !wanted.contains(&mutant) {
            wanted.push(mutant);
        }
    }
    Ok(if names.is_empty() { Mutant::ALL.to_vec() } else { wanted })
}

fn in_words(hunted: &[Hunted], ink: Ink) -> String {
    let mut titles = vec!["seeded bug", "model", "lockstep", "simulation", "unguided"];
    titles.extend(hunted.iter().any(|(_, real)| real.is_some()).then_some("real"));
    let mut table = report::table(&titles);
    for (row, real) in hunted {
        table.add_row(cells(row, ink).into_iter().chain(real.map(in_real)));
    }
    // What catches each bug, and its source, stand below its line.
    let told = report::lines(&table);
    let mut lines = told.lines();
    let mut out = format!("{}\n", lines.next().unwrap_or_default());
    for (line, (row, real)) in lines.zip(hunted) {
        out += &format!("{line}\n{}{}", caught_by(row, *real, ink), below(row.mutant.source()));
    }
    if is_everything(hunted) {
        out += &format!("\n{}", shared(ink));
    }
    out + "\n" + &summary(hunted, ink)
}

fn is_everything(hunted: &[Hunted]) -> bool {
    hunted.len() == Mutant::ALL.len()
}

/// A text below a row, indented and no wider than the terminal.
fn below(text: &str) -> String {
    let width = terminal::width().max(20);
    let mut out = String::from(" ");
    let mut column = 1;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 2 && column + 1 + length > width {
            out += "\n ";
            column = 1;
        }
        out += &format!(" {word}");
        column += 1 + length;
    }
    out + "\n"
}

fn caught_by(row: &Row, real: Option<InRealRuns>, ink: Ink) -> String {
    let by = match row.caught {
        None => ink.bad(&format!("survives ({})", row.property)),
        Some(_) => ink.good(row.property.word()),
    };
    let race = row.race.map(|Race { name, runs, .. }| {
        let runs = report::count(runs, "run");
        below(&format!("under loom, the same mistake: {name}, {runs}"))
    });
    let otherwise = match real {
        Some(InRealRuns::Killed { by, .. }) if by != row.property => below(&format!("in the real run by {by}")),
        _ => String::new(),
    };
    format!("  {by}\n{otherwise}{}", race.unwrap_or_default())
}

fn cells(row: &Row, ink: Ink) -> [String; 5] {
    let number = |number: usize| report::grouped(number as u64);
    let interleavings =
        row.caught.as_ref().map_or_else(|| ink.bad("no"), |caught| report::grouped(caught.interleavings));
    let states = row
        .twin
        .as_ref()
        .map_or_else(|| "none".to_owned(), |twin| twin.states.map_or_else(|| ink.bad("keeps it"), number));
    let parted = row.parted.map_or_else(|| "no".to_owned(), |parted| format!("step {}", parted.at));
    let unguided = row.unguided.map_or_else(
        || format!("> {}", report::grouped(kill_matrix::UNGUIDED_MAX.into())),
        |schedules| report::grouped(schedules.into()),
    );
    [format!("{:?}", row.mutant), states, parted, interleavings, unguided]
}

/// The seeded bugs of what threads share, as loom's tests left them.
fn shared(ink: Ink) -> String {
    let mut table = report::table(&["shared part, broken", "loom", "fails by"]);
    for bug in SHARED_BUGS {
        for Race { caught_by, runs, .. } in bug.races() {
            table.add_row([bug.name.to_owned(), report::grouped(runs), ink.good(caught_by)]);
        }
    }
    report::lines(&table)
}

fn in_real(real: InRealRuns) -> String {
    match real {
        InRealRuns::Killed { run, elapsed, .. } => format!("run {run}, {:.1} s", elapsed.as_secs_f64()),
        InRealRuns::Asserted { run } => format!("run {run}, panic"),
        InRealRuns::Kept { runs } => format!("{} kept", report::count(runs.into(), "run")),
        InRealRuns::NotInjected(_) => "no fault".to_owned(),
    }
}

fn summary(hunted: &[Hunted], ink: Ink) -> String {
    let survivors = hunted.iter().filter(|(row, _)| row.caught.is_none()).count();
    let is_real = hunted.iter().any(|(_, real)| real.is_some());
    let mut out = format!(
        "model: states until the setting that amounts to the bug breaks the property\n\
         lockstep: where the cores with the bug part from the model\n\
         simulation: interleavings of its schedule until the property is broken,\n  of at most {SEEDS}\n\
         unguided: random schedules with the same faults until it is, of at most {}\n",
        report::grouped(kill_matrix::UNGUIDED_MAX.into()),
    );
    if is_everything(hunted) {
        out += "loom: runs until an assertion fails, from cargo test -p delivery-loom\n";
    }
    if is_real {
        out += "real: the run of its schedule that breaks the property, and all runs' seconds;\n  \
                no fault: no driver injects one of its faults\n";
    }
    out += &format!(
        "\n{} caught in the simulation; {}\n",
        report::count((hunted.len() - survivors) as u64, "seeded bug"),
        match survivors {
            0 => ink.good("none survives"),
            1 => ink.bad("1 survives"),
            some => ink.bad(&format!("{} survive", report::grouped(some as u64))),
        }
    );
    out + &idle(hunted)
}

/// The properties that no bug breaks; nothing, unless all bugs were hunted.
fn idle(hunted: &[Hunted]) -> String {
    let broken = hunted.iter().filter_map(|(row, _)| row.caught.as_ref()).map(|caught| caught.broken);
    let broken = broken.fold(PropertySet::EMPTY, PropertySet::bitor);
    let idle: Vec<&str> = PropertyId::ALL.iter().filter(|it| !broken.contains(**it)).map(|it| it.word()).collect();
    if idle.is_empty() || !is_everything(hunted) {
        return String::new();
    }
    format!("properties that none of them breaks: {}\n", idle.join(", "))
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
        "loom": row.race.map(|race| json!({ "race": race.name, "runs": race.runs })),
        "real": real.map(|real| match real {
            InRealRuns::Killed { by, run, elapsed } => {
                json!({ "killed-in-run": run, "by": by, "seconds": elapsed.as_secs_f64() })
            }
            InRealRuns::Asserted { run } => json!({ "asserted-in-run": run }),
            InRealRuns::Kept { runs } => json!({ "kept-in-runs": runs }),
            InRealRuns::NotInjected(fault) => json!({ "not-injected": fault }),
        }),
    })
}
