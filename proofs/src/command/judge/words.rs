//! The judgement as text for people.

use delivery_model::history::History;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::Judgement;
use delivery_model::story::{Ink, RecordedStory};

use super::{promised, report, terminal};

/// The number of violations that the table shows. JSON has all that the judge reports.
const SHOWN: usize = 10;
/// The number of lines that each shown violation names.
const LINES_SHOWN: usize = 12;

/// The judgement as text for people.
pub fn in_words(name: &str, history: &History, judgement: &Judgement, expect: Option<Semantics>, ink: Ink) -> String {
    let counts = &judgement.counts;
    let rules = &judgement.rules;
    let mut out = format!(
        "{}: {}, judged by {}, {}\n\n",
        ink.strong(name),
        report::count(judgement.events, "event"),
        report::word(rules.level),
        report::word(rules.obligation)
    );
    if let Some(line) = history.truncated {
        out += &format!("line {line} was cut off and is left out: nothing can be said about what came after\n\n");
    }
    let promised = promised(history);
    out += &report::semantics(&judgement.verdicts, promised, judgement.or_dead_lettered(), ink);
    if promised.is_none() && expect.is_none() {
        let strongest = judgement.verdicts.strongest_word();
        out += &format!("nothing is promised or expected; the strongest that the history shows: {strongest}\n");
    }
    let mut table = report::table(&["property", "verdict", "breaches"]);
    for finding in &judgement.findings {
        let verdict = report::painted(finding.verdict, ink);
        table.add_row([finding.property.to_string(), verdict, report::grouped(finding.breaches)]);
    }
    out += &format!(
        "\n{}\nmessages: {} submitted, {} acked, {} refused, {} unknown, {} arrived without an ack\n\
         events: {}, {}, {}, {}, {}\n",
        report::lines(&table),
        report::grouped(counts.submitted),
        report::grouped(counts.acked),
        report::grouped(counts.refused),
        report::grouped(counts.unknown),
        report::grouped(counts.recovered),
        report::count_of(counts.delivered, "delivery", "deliveries"),
        report::count(counts.effects, "effect"),
        report::count(counts.settled, "settle"),
        report::count(counts.dead_lettered, "dead letter"),
        report::count(counts.faults, "fault")
    );
    out += &late_in_words(history, judgement);
    out += &contradictions_in_words(history, judgement, ink);
    out += &violations_in_words(history, judgement);
    if let Some(semantics) = expect {
        let verdict = judgement.verdicts.of(semantics);
        out += &format!("\nexpected {semantics}: {}\n", report::painted(verdict, ink));
    }
    out
}

/// The stories of the first violations, as sequence diagrams.
pub fn stories(history: &History, judgement: &Judgement, shown: usize, ink: Ink) -> String {
    let shown = &judgement.violations[..shown.min(judgement.violations.len())];
    let stories = RecordedStory::of(history, shown, judgement.rules.level);
    let told = shown.iter().zip(&stories).map(|(violation, story)| {
        format!("\n{}: {}\n{}", ink.bad(violation.property.word()), story.title, story.text(ink, terminal::width()))
    });
    told.collect()
}

/// What came after the horizon.
fn late_in_words(history: &History, judgement: &Judgement) -> String {
    let shown = judgement.late.iter().take(SHOWN);
    let told = shown.map(|it| format!("\nlate: message {} (line {})", history.names.message(it.message), it.line));
    let mut out: String = told.collect();
    if judgement.lates > SHOWN as u64 {
        out += &format!("\nand {} more late events", report::grouped(judgement.lates - SHOWN as u64));
    }
    if out.is_empty() {
        return out;
    }
    out + "\nlate: the horizon had passed the message, or it was never submitted; such an event counts for nothing\n"
}

fn contradictions_in_words(history: &History, judgement: &Judgement, ink: Ink) -> String {
    let mut out = String::new();
    for it in judgement.contradictions.iter().take(SHOWN) {
        let what = if it.is_note { ink.strong("note") } else { ink.unsure("contradiction") };
        let lines: Vec<String> = it.lines.iter().take(LINES_SHOWN).map(u32::to_string).collect();
        let noun = if lines.len() == 1 { "line" } else { "lines" };
        out += &format!("\n{what}: {} ({noun} {})", it.told(&history.names), lines.join(", "));
    }
    if judgement.contradicted > SHOWN as u64 {
        out += &format!("\nand {} more like these", report::grouped(judgement.contradicted - SHOWN as u64));
    }
    if out.is_empty() { out } else { out + "\n" }
}

fn violations_in_words(history: &History, judgement: &Judgement) -> String {
    let mut out = String::new();
    for violation in judgement.violations.iter().take(SHOWN) {
        let group = match judgement.groups.len() {
            0 | 1 => String::new(),
            _ => format!(" in group {}", history.names.group(violation.group)),
        };
        let lines: Vec<String> = violation.lines.iter().take(LINES_SHOWN).map(u32::to_string).collect();
        let more = if violation.lines.len() > LINES_SHOWN { ", ..." } else { "" };
        let noun = if lines.len() == 1 { "line" } else { "lines" };
        out += &format!(
            "\n{}: message {} {}{group} ({noun} {}{more})",
            violation.property,
            history.names.message(violation.message),
            violation.breach,
            lines.join(", ")
        );
    }
    let total: u64 = judgement.findings.iter().map(|finding| finding.breaches).sum();
    if total > SHOWN as u64 {
        out += &format!("\nand {} more breaches", report::grouped(total - SHOWN as u64));
    }
    if out.is_empty() { out } else { out + "\n" }
}
