//! The kill matrix as a page of the documentation: what `delivery mutants --markdown` prints.

use std::fmt::Write;

use super::{ForReal, RUNS_MAX, Race, Row, SHARED_BUGS, SharedBug, UNGUIDED_MAX};
use crate::mutants::Mutant;
use crate::simulation::kill_schedules::SEEDS;
use delivery_model::vocab::Party;

/// The page. What it says is the same in every run of the same build.
pub fn markdown(rows: &[Row]) -> String {
    let mut page = opening(rows);
    for (party, title) in [(Party::Producer, "Producer"), (Party::Broker, "Broker"), (Party::Consumer, "Consumer")] {
        let of_party = || rows.iter().filter(|row| row.mutant.party() == Some(party));
        line(&mut page, &format!("\n## {title}\n"));
        line(
            &mut page,
            "| seeded bug | property | twin in the model | model | lockstep | simulation | unguided | loom | real run |",
        );
        line(&mut page, "|---|---|---|---|---|---|---|---|---|");
        of_party().for_each(|row| line(&mut page, &cells(row)));
        line(&mut page, "\n| seeded bug | what it does | source |\n|---|---|---|");
        of_party().for_each(|row| line(&mut page, &explained(row.mutant)));
    }
    shared(&mut page);
    page
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a string takes everything");
}

fn opening(rows: &[Row]) -> String {
    let count = |is_counted: fn(&Row) -> bool| rows.iter().filter(|row| is_counted(row)).count();
    let mut page = String::new();
    line(&mut page, "<!-- Made by `delivery mutants --markdown`; a test keeps it true. -->\n\n# The kill matrix\n");
    line(
        &mut page,
        &format!(
            "{} seeded bugs; {} survive.\n\n\
             * {} are decisions of the cores taken wrongly (`proofs/src/mutants`). Each is caught by the property that is \
             named for it. `delivery mutants` hunts them all.\n\
             * {} are broken steps of what threads share (`proofs/loom/tests`). Each is caught by an assertion that names the \
             mistake. `cargo test -p delivery-loom` hunts them all ([every race](races.md)).\n",
            rows.len() + SHARED_BUGS.len(),
            count(|row| row.caught.is_none()),
            rows.len(),
            SHARED_BUGS.len(),
        ),
    );
    line(
        &mut page,
        &format!(
            "| column | what was run | number |\n|---|---|---|\n\
             | model | the twin: the kill schedule's pipeline with the setting that amounts to the same mistake; {} bugs have \
             one | states until the property is broken |\n\
             | lockstep | spec and cores beside each other, breadth first, under the kill schedule's faults | the step at \
             which they part, and which it is |\n\
             | simulation | the kill schedule, under at most {SEEDS} interleavings | interleavings until the property is \
             broken |\n\
             | unguided | random schedules of the same pipeline and the same kinds of fault, at most {UNGUIDED_MAX}; {} bugs \
             are found so ([beside guided search](guided.md)) | schedules until the property is broken |\n\
             | loom | a shared part with the same mistake; {} bugs of the cores have one | runs until an assertion fails |\n\
             | real run | the kill schedule through threads, TCP and disk, at most {RUNS_MAX} times; {} bugs are killed so, and \
             a test kills them again. \"not told\": depending on the order of threads, the bug keeps the property, or sound cores \
             break it too. \"no ..\": no driver injects this fault | none, as threads take another order each time; `delivery mutants --real` tells runs and seconds |",
            count(|row| row.twin.is_some()),
            count(|row| row.unguided.is_some()),
            count(|row| row.race.is_some()),
            count(|row| matches!(row.for_real, ForReal::Killed(_))),
        ),
    );
    page
}

fn cells(row: &Row) -> String {
    let (settings, states) = match &row.twin {
        None => ("none".to_owned(), "none".to_owned()),
        Some(twin) => {
            let settings = twin.settings.iter().map(|setting| format!("`{setting}`")).collect::<Vec<_>>().join(", ");
            (settings, twin.states.map_or_else(|| "keeps it".to_owned(), |states| states.to_string()))
        }
    };
    let parted = row.parted.map_or_else(
        || "never".to_owned(),
        |parted| format!("{}, {}", parted.at, parted.step.map_or("a fault", |step| step.word())),
    );
    let caught = row.caught.as_ref().map_or_else(|| "survives".to_owned(), |it| it.interleavings.to_string());
    let unguided = row.unguided.map_or_else(|| format!("over {UNGUIDED_MAX}"), |schedules| schedules.to_string());
    let race = row.race.map_or_else(|| "none".to_owned(), |race| format!("{}, {}", race.runs, race.name));
    let real = match row.for_real {
        ForReal::Killed(by) if by == row.property => "killed".to_owned(),
        ForReal::Killed(by) => format!("killed, {by}"),
        ForReal::NotTold => "not told".to_owned(),
        ForReal::NotInjected(fault) => format!("no {fault}"),
    };
    let (mutant, property) = (row.mutant, row.property);
    format!("| {mutant:?} | {property} | {settings} | {states} | {parted} | {caught} | {unguided} | {race} | {real} |")
}

fn explained(mutant: Mutant) -> String {
    format!("| {mutant:?} | {} | {} |", mutant.sentence(), mutant.source())
}

/// The seeded bugs of what threads share, which only loom can bring out.
fn shared(page: &mut String) {
    line(page, "\n## Shared parts\n\n| seeded bug | race under loom | fails by | loom |\n|---|---|---|---|");
    for bug in SHARED_BUGS {
        for Race { name, caught_by, runs } in bug.races() {
            line(page, &format!("| {} | {name} | {caught_by} | {runs} |", bug.name));
        }
    }
    line(page, "\n| seeded bug | what it does | source |\n|---|---|---|");
    for SharedBug { name, sentence, source, .. } in SHARED_BUGS {
        line(page, &format!("| {name} | {sentence} | {source} |"));
    }
}
