//! A page as one JSON object, with the words that `check --json` uses.

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::Verdicts;
use delivery_model::vocab::Fault;
use serde_json::{Map, Value, json};

use super::faults::FaultSet;
use super::page::{Break, Page};
use super::search::Story;

/// The page as one JSON object.
pub fn json(page: &Page) -> Value {
    let pipeline = &page.pipeline;
    let results: Vec<Value> = FaultSet::none_singles_and_pairs().map(|faults| result(page, faults)).collect();
    json!({
        "pipeline": pipeline.name,
        "promises": pipeline.promises,
        "level": pipeline.level,
        "obligation": pipeline.obligation,
        "bounds": { "messages": page.messages, "each-fault": 1, "faults": 2, "exceeded": page.bounds_exceeded },
        "complete": page.is_complete(),
        "cut": page.bounds_met.iter().map(|&faults| words(faults)).collect::<Vec<_>>(),
        "states": page.states,
        "usual-faults": { "faults": words(FaultSet::usual()), "levels": levels(|level| page.verdicts_as_usual(level)) },
        "or-dead-lettered": page.claims_or_dead_lettered(),
        "dead-letters": page.dead_letters.iter().map(|(faults, story)| dead_letter(*faults, story)).collect::<Vec<_>>(),
        "strike": words(page.strikes),
        "results": results,
        "violations": page.breaks.iter().map(violation).collect::<Vec<_>>(),
    })
}

fn words(faults: FaultSet) -> Vec<&'static str> {
    faults.iter().map(Fault::word).collect()
}

fn levels(verdicts: impl Fn(Level) -> Verdicts) -> Value {
    let by_level = Level::ALL.map(|level| {
        let verdicts = verdicts(level);
        let each = Semantics::ALL.map(|it| (it.word().to_owned(), Value::from(verdicts.of(it).word())));
        let each: Map<String, Value> = each.into_iter().collect();
        (level.word().to_owned(), json!({ "strongest": verdicts.strongest_word(), "verdicts": each }))
    });
    Value::Object(by_level.into_iter().collect())
}

fn result(page: &Page, faults: FaultSet) -> Value {
    json!({
        "faults": words(faults),
        "strikes": faults.is_within(page.strikes),
        "levels": levels(|level| page.verdicts(level, faults)),
    })
}

fn dead_letter(faults: FaultSet, story: &Story) -> Value {
    json!({ "faults": words(faults), "messages": story.messages, "steps": story.steps })
}

fn violation(broken: &Break) -> Value {
    json!({
        "level": broken.level,
        "property": broken.property,
        "faults": words(broken.faults),
        "messages": broken.story.messages,
        "steps": broken.story.steps,
        "loop": broken.story.cycle,
    })
}
