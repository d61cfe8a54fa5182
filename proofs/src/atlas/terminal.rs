//! The atlas for a terminal: a table of the semantics that survive, lists of the faults that break each promise, and
//! stories.
//!
//! The table is one where the terminal is wide enough, and two where it is not. 80 columns are enough.

use std::collections::BTreeMap;

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::{PropertyId, Verdict};
use delivery_model::story::Ink;
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::labels::{codes, counted, harm, initial, letter};
use super::page::{Break, Page, undecided};
use super::search::Story;
use delivery_model::numbers::{count, grouped};

/// The widths to which lines are fitted.
const WIDTHS: std::ops::RangeInclusive<usize> = 72..=120;
const NAME: usize = 23;
const CLAIM: usize = 26;
/// The width of the column of a single fault.
const SINGLE: usize = 3;
/// The column at which the lists of fault sets begin.
const LIST: usize = 24;
/// The width of a fault in the legend: its abbreviation, its name, a mark, and two blanks.
const ENTRY: usize = 24;

/// The table of what survives no fault, each single fault, any two of the usual faults and any two of all faults,
/// with its legend.
pub fn chart(pages: &[Page], ink: Ink, width: usize) -> String {
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let each = |head: String, row: &dyn Fn(&Page) -> String| {
        let rows: String = pages.iter().map(|page| format!("{}\n", row(page))).collect();
        format!("{}\n{rows}\n", ink.strong(&head))
    };
    let ends = format!("{:NAME$}{:CLAIM$}NONE  USUAL  ANY", "PIPELINE", "CLAIM");
    let ends = each(ends, &|page| format!("{}{}  {}{}", name(page), claim(page, ink), none(page, ink), any(page, ink)));
    let singles = Fault::ALL.chunks((width - NAME) / SINGLE).map(|faults| {
        let codes: String = faults.iter().map(|fault| format!(" {}", fault.row().code)).collect();
        each(format!("{:NAME$}{codes}", "PIPELINE"), &|page| name(page) + &each_single(page, faults, ink))
    });
    let tables = ends + &singles.collect::<String>();
    wrapped(&bounds(pages), "", 0, width) + "\n" + &tables + &legend(width)
}

fn bounds(pages: &[Page]) -> String {
    let messages = pages.iter().map(|page| page.messages).max().unwrap_or_default();
    let states = grouped(pages.iter().map(|page| page.states as u64).sum());
    let mut unknown: BTreeMap<FaultSet, Vec<&str>> = BTreeMap::new();
    for page in pages {
        page.bounds_met.iter().for_each(|&faults| unknown.entry(faults).or_default().push(&page.pipeline.name));
    }
    let unknown =
        unknown.iter().map(|(faults, names)| format!(" Under {faults} a bound was met in {}.", names.join(", ")));
    format!(
        "Within {}, each fault at most once, two in one run: every run of the model ({states} states).{}",
        count(messages.into(), "message"),
        unknown.collect::<String>()
    )
}

fn name(page: &Page) -> String {
    let name = &page.pipeline.name;
    if name.chars().count() < NAME {
        return format!("{name:NAME$}");
    }
    name.chars().take(NAME - 2).chain("… ".chars()).collect()
}

fn claim(page: &Page, ink: Ink) -> String {
    let Some((semantics, verdict)) = page.claim() else { return format!("{:CLAIM$}", "  nothing") };
    let rests = if page.claims_or_dead_lettered() { "†" } else { "" };
    let claim = |mark: &str| format!("{:CLAIM$}", format!("{mark} {semantics}, {}{rests}", page.pipeline.level));
    match verdict {
        Verdict::Holds => claim(" "),
        Verdict::Violated => ink.bad(&claim("✗")),
        Verdict::Unknown(_) => ink.unsure(&claim("?")),
    }
}

fn none(page: &Page, ink: Ink) -> String {
    survivors(page, std::iter::once(FaultSet::NONE), ink)
}

fn each_single(page: &Page, faults: &[Fault], ink: Ink) -> String {
    let cell = |faults: FaultSet| match faults.is_within(page.strikes) {
        true => format!(" {}", survivors(page, std::iter::once(faults), ink)),
        false => "  .".to_owned(),
    };
    faults.iter().map(|&fault| cell(FaultSet::of([fault]))).collect()
}

fn any(page: &Page, ink: Ink) -> String {
    let all = FaultSet::none_singles_and_pairs();
    let usual = all.clone().filter(|faults| faults.is_within(FaultSet::usual()));
    format!("     {}   {}", survivors(page, usual, ink), survivors(page, all, ink))
}

/// The letters of the semantics that survive at delivery and at effect.
fn survivors(page: &Page, sets: impl Iterator<Item = FaultSet> + Clone, ink: Ink) -> String {
    let paint = |letter: char| match letter {
        'E' => ink.good("E"),
        '-' => ink.bad("-"),
        other if other.is_lowercase() => ink.unsure(&other.to_string()),
        other => other.to_string(),
    };
    Level::ALL.map(|level| paint(letter(&page.verdicts_if_any(level, sets.clone())))).concat()
}

fn legend(width: usize) -> String {
    let semantics = Semantics::ALL.map(|it| format!("{} {it}", initial(it))).into_iter().rev().collect::<Vec<_>>();
    let lines = [
        format!("Two letters: what survives at delivery, and at effect: {}, - none of them.", semantics.join(", ")),
        "A small letter: nothing stronger survives; whether that does is unknown, as a bound of the model was met. A dot: the \
         fault cannot strike here. ✗ the claim does not survive the usual faults (*), any two of them in one run. A debt \
         that stays open in a fair run without end is a loss. † holds, or dead-lettered: a message may end as a dead letter, \
         which pays."
            .to_owned(),
    ];
    let lines: String = lines.iter().map(|line| wrapped(line, "  ", 2, width)).collect();
    let usual = |fault| if FaultSet::usual().contains(fault) { "*" } else { "" };
    let entries = Fault::ALL.map(|fault| format!("{:ENTRY$}", format!("{} {fault}{}", fault.row().code, usual(fault))));
    let rows = entries.chunks(((width - 2) / ENTRY).min(5)).map(|row| format!("  {}\n", row.concat().trim_end()));
    lines + &rows.collect::<String>()
}

/// The name of the pipeline, and for each promise a paragraph with the minimal sets of faults that break it.
pub fn section(page: &Page, ink: Ink, width: usize) -> String {
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let mut out = format!("{}, {} messages count\n", ink.strong(&page.pipeline.name), page.pipeline.obligation);
    for exceeded in &page.bounds_exceeded {
        out += &wrapped(&ink.unsure(&exceeded.to_string()), &format!("{:LIST$}", "  beyond the model"), LIST, width);
    }
    for level in Level::ALL {
        for property in page.rules(level).required_by(Semantics::ExactlyOnce).iter() {
            let sets: Vec<FaultSet> = page.breaks_of(level, property).map(|it| it.faults).collect();
            if !sets.is_empty() || property != PropertyId::Integrity {
                let label = format!("  {} {}", harm(property), counted(level));
                out += &wrapped(&listed(&sets, &page.bounds_met), &format!("{label:LIST$}"), LIST, width);
            }
        }
    }
    if page.pipeline.broker.max_deliveries > 0 {
        let sets: Vec<FaultSet> = page.dead_letters.iter().map(|(faults, _)| *faults).collect();
        let pays = match page.rules(page.pipeline.level).dead_letters {
            true => "; a dead letter pays the debt: a message that is not lost was delivered, or dead-lettered",
            false => "; a dead letter is a loss",
        };
        let pays = if sets.is_empty() { "" } else { pays };
        let told = listed(&sets, &page.bounds_met) + pays;
        out += &wrapped(&told, &format!("{:LIST$}", "  dead-letters messages"), LIST, width);
    }
    out
}

/// Single faults by name, pairs by abbreviation, and the sets for which it is unknown whether they break the promise.
fn listed(sets: &[FaultSet], bounds_met: &[FaultSet]) -> String {
    let named = sets.iter().filter(|it| it.len() < 2).map(FaultSet::to_string);
    let coded = sets.iter().filter(|it| it.len() == 2).map(|&it| codes(it));
    let known = if sets.is_empty() { "never".to_owned() } else { named.chain(coded).collect::<Vec<_>>().join(", ") };
    let unknown: Vec<String> = undecided(sets, bounds_met).map(codes).collect();
    if unknown.is_empty() { known } else { format!("{known} (unknown: {})", unknown.join(", ")) }
}

/// The story of each minimal set of faults that breaks a promise.
pub fn stories(page: &Page, ink: Ink, width: usize) -> String {
    let dead = |(faults, story): &(FaultSet, Story)| {
        let title = format!("{}: dead-letters a message under {faults}", page.pipeline.name);
        format!("\n{} ({story})\n\n{}", ink.strong(&title), page.told(*faults, story, None).text(ink, width))
    };
    let broken = page.breaks.iter().map(|broken| story_of_break(page, broken, ink, width));
    broken.chain(page.dead_letters.iter().map(dead)).collect()
}

fn story_of_break(page: &Page, broken: &Break, ink: Ink, width: usize) -> String {
    let Break { level, property, faults, story: run } = broken;
    let title = format!("{}: {} {} under {faults}", page.pipeline.name, harm(*property), counted(*level));
    let told = page.told(*faults, run, Some((*level, *property)));
    format!("\n{} ({property}, {run})\n\n{}", ink.strong(&title), told.text(ink, width))
}

/// The words in lines of at most `width` columns after a label. Later lines are indented.
fn wrapped(words: &str, label: &str, indent: usize, width: usize) -> String {
    let mut lines = vec![label.to_owned()];
    for word in words.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        let gap = if line.is_empty() || line.ends_with(' ') { "" } else { " " };
        if !line.trim().is_empty() && line.chars().count() + gap.len() + word.chars().count() > width {
            lines.push(format!("{:indent$}{word}", ""));
        } else {
            line.push_str(gap);
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_behind_their_label() {
        assert_eq!(wrapped("one, two, three", "  label  ", 9, 19), "  label  one, two,\n         three\n");
        assert_eq!(wrapped("too-long and so", "", 0, 5), "too-long\nand\nso\n");
    }
}
