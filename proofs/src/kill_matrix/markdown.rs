//! The kill matrix as a page of the documentation: what `delivery mutants --markdown` prints.

use std::fmt::Write;

use super::{Row, UNGUIDED_MAX};
use crate::mutants::{Mutant, Party};
use crate::simulation::kill_schedules::SEEDS;

/// The page. What it says is the same in every run of the same build.
pub fn markdown(rows: &[Row]) -> String {
    let mut page = opening(rows);
    for (party, title) in [(Party::Producer, "Producer"), (Party::Broker, "Broker"), (Party::Consumer, "Consumer")] {
        let of_party = || rows.iter().filter(|row| row.mutant.party() == Some(party));
        line(&mut page, &format!("\n## {title}\n"));
        line(&mut page, "| seeded bug | property | twin in the model | model | lockstep | simulation | unguided |");
        line(&mut page, "|---|---|---|---|---|---|---|");
        of_party().for_each(|row| line(&mut page, &cells(row)));
        line(&mut page, "\n| seeded bug | what it does | source |\n|---|---|---|");
        of_party().for_each(|row| line(&mut page, &explained(row.mutant)));
    }
    page
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a string takes everything");
}

fn opening(rows: &[Row]) -> String {
    let survivors = rows.iter().filter(|row| row.caught.is_none()).count();
    let twins = rows.iter().filter(|row| row.twin.is_some()).count();
    let found = rows.iter().filter(|row| row.unguided.is_some()).count();
    let mut page = String::new();
    line(&mut page, "<!-- Made by `delivery mutants --markdown`; a test keeps it true. -->\n\n# The kill matrix\n");
    line(
        &mut page,
        &format!(
            "{} seeded bugs; {survivors} survive. Each is one decision of the cores taken wrongly (`proofs/src/mutants`), and is \
         caught by the property that is named for it. `delivery mutants` hunts them all.\n",
            rows.len(),
        ),
    );
    line(
        &mut page,
        &format!(
            "| column | what was run | number |\n|---|---|---|\n\
         | model | the twin: the kill schedule's pipeline with the setting that amounts to the same mistake; {twins} bugs \
         have one | states until the property is broken |\n\
         | lockstep | spec and cores beside each other, breadth first, under the kill schedule's faults | the step at which \
         they part, and which it is |\n\
         | simulation | the kill schedule, under at most {SEEDS} interleavings | interleavings until the property is \
         broken |\n\
         | unguided | random schedules of the same pipeline and the same kinds of fault, at most {UNGUIDED_MAX}; {found} \
         bugs are found so | schedules until the property is broken |",
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
    let (mutant, property) = (row.mutant, row.property);
    format!("| {mutant:?} | {property} | {settings} | {states} | {parted} | {caught} | {unguided} |")
}

fn explained(mutant: Mutant) -> String {
    format!("| {mutant:?} | {} | {} |", mutant.sentence(), mutant.source())
}
