//! The atlas as tables and stories for a terminal of 120 columns.

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::{PropertyId, Verdict};
use delivery_model::story::{Ink, text};
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::letters::{code, codes, counted, harm, letter};
use super::page::{Break, Page};

/// No line is longer.
pub const WIDTH: usize = 120;
const NAME: usize = 23;
const CLAIM: usize = 28;
/// Where the lists of fault sets begin.
const LIST: usize = 24;

/// What survives each single fault, what survives any pair, and what breaks what.
pub fn overview(pages: &[Page], ink: Ink) -> String {
    let mut out = format!("{}\n\n{}", bounds(pages), head(ink));
    pages.iter().for_each(|page| out += &row(page, ink));
    out += &format!("\n{}", legend());
    for page in pages {
        out += &format!("\n{}\n{}", title(page, ink), breaks(page));
    }
    out
}

fn bounds(pages: &[Page]) -> String {
    let messages = pages.iter().map(|page| page.messages).max().unwrap_or_default();
    let states: usize = pages.iter().map(|page| page.states).sum();
    let incomplete: Vec<&str> =
        pages.iter().filter(|page| !page.is_complete()).map(|page| page.pipeline.name.as_str()).collect();
    let complete = if incomplete.is_empty() {
        "complete".to_owned()
    } else {
        format!("a bound was cut in {}", incomplete.join(", "))
    };
    format!(
        "within {messages} messages, each fault once, two at most in one run: every run, {complete} ({states} states)"
    )
}

fn head(ink: Ink) -> String {
    let columns: String = Fault::ALL.iter().map(|&fault| format!(" {}", code(fault))).collect();
    let line = format!("{:NAME$}{:CLAIM$}{:>4}{columns}  usual any", "PIPELINE", "CLAIM", "none");
    format!("{}\n", ink.strong(&line))
}

fn row(page: &Page, ink: Ink) -> String {
    let pipeline = &page.pipeline;
    let claim = page.claim().map_or_else(String::new, |(semantics, verdict)| {
        let mark = if verdict == Verdict::Holds { ' ' } else { '!' };
        format!("{mark}{semantics}, {}", pipeline.level)
    });
    let claim = format!("{claim:CLAIM$}");
    let claim = if claim.starts_with('!') { ink.bad(&claim) } else { claim };
    let none = survivors(page, std::iter::once(FaultSet::NONE), ink);
    let singles: String = FaultSet::singles()
        .map(|faults| match faults.is_within(page.strikes) {
            true => format!(" {}", survivors(page, std::iter::once(faults), ink)),
            false => "  .".to_owned(),
        })
        .collect();
    let usual = FaultSet::none_singles_and_pairs().filter(|faults| faults.is_within(FaultSet::usual()));
    let usual = survivors(page, usual, ink);
    let any = survivors(page, FaultSet::none_singles_and_pairs(), ink);
    format!("{:NAME$}{claim}  {none}{singles}     {usual}  {any}\n", shortened(&pipeline.name, NAME - 1))
}

/// The letters of what survives at delivery and at effect.
fn survivors(page: &Page, sets: impl Iterator<Item = FaultSet> + Clone, ink: Ink) -> String {
    let paint = |letter: char| match letter {
        'E' => ink.good("E"),
        '-' => ink.bad("-"),
        '?' => ink.unsure("?"),
        other => other.to_string(),
    };
    let letters = Level::ALL.map(|level| paint(letter(&page.verdicts_if_any(level, sets.clone()))));
    letters.concat()
}

fn legend() -> String {
    let faults: Vec<String> = Fault::ALL.iter().map(|&fault| format!("{} {fault}", code(fault))).collect();
    let semantics = "two letters: what survives at delivery and at effect: E exactly-once, L at-least-once, M at-most-once, - none of them";
    let rest = "? unknown (a bound was cut); . the fault cannot strike here; ! the claim does not survive the usual faults; usual: any \
                two of the faults that a pipeline must survive when it names none; any: any two of all";
    let lines = [semantics.to_owned(), rest.to_owned(), faults.join("   ")];
    lines.iter().map(|line| wrapped(line, "  ", 0)).collect()
}

fn title(page: &Page, ink: Ink) -> String {
    let pipeline = &page.pipeline;
    format!("{}, {} messages count", ink.strong(&pipeline.name), pipeline.obligation)
}

/// One paragraph a promise: the minimal sets of faults that break it.
fn breaks(page: &Page) -> String {
    let mut out = String::new();
    for level in Level::ALL {
        let promises = page.rules(level).required_by(Semantics::ExactlyOnce);
        for property in promises.iter() {
            let sets: Vec<FaultSet> = page.breaks_of(level, property).map(|it| it.faults).collect();
            if sets.is_empty() && property == PropertyId::Integrity {
                continue;
            }
            let label = format!("  {} {}", harm(property), counted(level));
            out += &wrapped(&listed(&sets), &format!("{label:LIST$}"), LIST);
        }
    }
    out
}

/// Single faults by name, pairs by their columns.
fn listed(sets: &[FaultSet]) -> String {
    if sets.is_empty() {
        return "never".to_owned();
    }
    let named = sets.iter().filter(|it| it.len() < 2).map(FaultSet::to_string);
    let coded = sets.iter().filter(|it| it.len() == 2).map(|&it| codes(it));
    named.chain(coded).collect::<Vec<_>>().join(", ")
}

/// The story of each minimal set of faults that breaks a promise.
pub fn stories(page: &Page, ink: Ink) -> String {
    page.breaks.iter().map(|broken| told(page, broken, ink)).collect()
}

fn told(page: &Page, broken: &Break, ink: Ink) -> String {
    let Break { level, property, faults, story: run } = broken;
    let title = format!("{}: {} {} under {faults}", page.pipeline.name, harm(*property), counted(*level));
    format!("\n{} ({property}, {run})\n\n{}", ink.strong(&title), text(&page.rows(broken), ink))
}

fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}

/// The words in lines of at most [`WIDTH`], behind a label, the later lines indented.
fn wrapped(words: &str, label: &str, indent: usize) -> String {
    let mut lines = vec![label.to_owned()];
    let mut room = WIDTH.saturating_sub(label.chars().count());
    for word in words.split(' ') {
        let length = word.chars().count();
        let line = lines.last_mut().expect("there is a line");
        if length + 1 > room {
            lines.push(format!("{:1$}{word}", "", indent.max(2)));
            room = WIDTH - indent.max(2) - length;
        } else {
            let gap = if line.trim().is_empty() || line.ends_with(' ') { "" } else { " " };
            *line += &format!("{gap}{word}");
            room -= length + gap.len();
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}
