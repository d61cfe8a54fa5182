//! The guarantee table of the README.

use delivery_model::pipeline::Level;
use delivery_model::semantics::{PropertyId, Verdict};

use super::faults::FaultSet;
use super::labels::{harm, survivor};
use super::page::Page;
use delivery_model::numbers::count;

/// The two lines of the README between which the table stands.
pub const MARKERS: [&str; 2] = ["<!-- atlas:begin -->", "<!-- atlas:end -->"];

const HEAD: &str =
    "| pipeline | claims | at delivery | at effect | loses under | repeats under |\n|---|---|---|---|---|---|\n";

/// The table, with a sentence on its bounds before it and an explanation of its signs after it. The last line ends
/// with a line break.
pub fn markdown(pages: &[Page]) -> String {
    let messages = pages.iter().map(|page| page.messages).max().unwrap_or_default();
    let usual: Vec<&str> = FaultSet::usual().iter().map(|fault| fault.word()).collect();
    let rows: String = pages.iter().map(row).collect();
    format!(
        "What survives the usual faults, in every run of the model within {} and two faults. The usual faults, each once:\n\
         {}.\n\n\
         {HEAD}{rows}\n\
         ✗ marks a claim that does not survive. The last two columns count at the level of the claim: the single faults under\n\
         which the pipeline loses or repeats, or pairs of them where no single one is enough.\n",
        count(messages.into(), "message"),
        usual.join(", "),
    )
}

fn row(page: &Page) -> String {
    let pipeline = &page.pipeline;
    let claim = page.claim().map_or("nothing".to_owned(), |(semantics, verdict)| {
        let mark = match verdict {
            Verdict::Holds => "",
            Verdict::Violated => " ✗",
            Verdict::Unknown(_) => " ?",
        };
        let rests = if page.claims_or_dead_lettered() { ", or dead-lettered" } else { "" };
        format!("{semantics} ({}, {}){rests}{mark}", pipeline.level, pipeline.obligation)
    });
    let [delivery, effect] = Level::ALL.map(|level| survivor(&page.verdicts_as_usual(level)));
    let [loses, repeats] = ["loses", "repeats"].map(|harm| culprits(page, harm));
    format!("| {} | {claim} | {delivery} | {effect} | {loses} | {repeats} |\n", pipeline.name.replace('|', "\\|"))
}

/// The usual faults that break the claim in this way at the claim's level: single faults, or pairs if no single fault
/// does.
fn culprits(page: &Page, what: &str) -> String {
    let does = |property: PropertyId| harm(property) == what;
    let at_level = page.breaks.iter().filter(|it| it.level == page.pipeline.level && does(it.property));
    let usual: Vec<FaultSet> = at_level.map(|it| it.faults).filter(|it| it.is_within(FaultSet::usual())).collect();
    let least = usual.iter().map(|faults| faults.len()).min();
    let named: Vec<String> = usual.iter().filter(|it| Some(it.len()) == least).map(FaultSet::to_string).collect();
    if named.is_empty() { "–".to_owned() } else { named.join(", ") }
}
