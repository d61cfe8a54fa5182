//! A judgement as one HTML file that loads no other file: verdicts, counts, plots, and the first stories as diagrams.

mod plots;

use std::fmt::Write;

use delivery_model::history::History;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Judgement, Verdict};
use delivery_model::story::{RECORDED_STYLE, RecordedStory, escaped};

use delivery_model::numbers::{count, grouped};

/// The most stories of a page.
pub const STORIES_MAX: usize = 100;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of a history that was judged.
pub fn html(name: &str, history: &History, judgement: &Judgement) -> String {
    let name = escaped(name);
    let rules = &judgement.rules;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}: judgement</title>\n<style>\n{STYLE}{RECORDED_STYLE}\n</style>\n</head>\n<body>\n<main>\n\
         <h1>{name}</h1>\n<p>{}, judged by {}, {} messages count.</p>\n",
        count(history.events.len() as u64, "event"),
        rules.level,
        rules.obligation
    );
    verdicts(&mut out, judgement);
    properties(&mut out, judgement);
    counts(&mut out, judgement);
    stories(&mut out, history, judgement);
    out += "<h2>From submit to arrival</h2>\n";
    out += &plots::latency(history, rules.level);
    out += "<h2>Repeats and losses over time</h2>\n";
    out += &plots::over_time(history, judgement);
    contradictions(&mut out, history, judgement);
    let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

fn verdicts(out: &mut String, judgement: &Judgement) {
    out.push_str("<h2>Verdicts</h2>\n<div class=\"scroll\"><table>\n<tr><th>semantics<th>verdict\n");
    for semantics in Semantics::ALL {
        let _ = writeln!(out, "<tr><td>{semantics}<td>{}", verdict(judgement.verdicts.of(semantics)));
    }
    out.push_str("</table></div>\n");
}

fn properties(out: &mut String, judgement: &Judgement) {
    out.push_str("<div class=\"scroll\"><table>\n<tr><th>property<th>verdict<th>breaches\n");
    for finding in &judgement.findings {
        let breaches = grouped(finding.breaches);
        let _ = writeln!(
            out,
            "<tr><td>{}<td>{}<td class=\"number\">{breaches}",
            finding.property,
            verdict(finding.verdict)
        );
    }
    out.push_str("</table></div>\n");
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Holds => "<span class=\"holds\">holds</span>".to_owned(),
        Verdict::Violated => "<span class=\"violated\">violated</span>".to_owned(),
        Verdict::Unknown(doubt) => format!("<span class=\"unknown\">unknown</span>: {}", escaped(&doubt.to_string())),
    }
}

fn counts(out: &mut String, judgement: &Judgement) {
    let counts = &judgement.counts;
    let rows = [
        ("messages submitted", counts.submitted),
        ("messages acked", counts.acked),
        ("messages refused", counts.refused),
        ("messages whose outcome is unknown", counts.unknown),
        ("messages that arrived without an ack", counts.recovered),
        ("deliveries", counts.delivered),
        ("effects", counts.effects),
        ("settles", counts.settled),
        ("dead letters", counts.dead_lettered),
        ("faults", counts.faults),
    ];
    out.push_str("<h2>Counts</h2>\n<div class=\"scroll\"><table>\n");
    for (what, count) in rows {
        let _ = writeln!(out, "<tr><td>{what}<td class=\"number\">{}", grouped(count));
    }
    out.push_str("</table></div>\n");
}

fn contradictions(out: &mut String, history: &History, judgement: &Judgement) {
    if judgement.contradictions.is_empty() {
        return;
    }
    out.push_str("<h2>Where the record contradicts itself</h2>\n<ul>\n");
    for it in &judgement.contradictions {
        let lines: Vec<String> = it.lines.iter().map(u32::to_string).collect();
        let told = escaped(&it.told(&history.names));
        let _ = writeln!(out, "<li>{}{told} (line {})", if it.is_note { "note: " } else { "" }, lines.join(", "));
    }
    out.push_str("</ul>\n");
}

fn stories(out: &mut String, history: &History, judgement: &Judgement) {
    let all: u64 = judgement.findings.iter().map(|finding| finding.breaches).sum();
    out.push_str("<h2 id=\"stories\">Stories</h2>\n");
    if all == 0 {
        out.push_str("<p class=\"holds\">Nothing was broken.</p>\n");
        return;
    }
    let shown = &judgement.violations[..judgement.violations.len().min(STORIES_MAX)];
    let _ = writeln!(
        out,
        "<p>{} of {} breaches. Hover over a step for its time and attributes.</p>",
        shown.len(),
        grouped(all)
    );
    out.push_str("<p class=\"filter\"><label>property <select id=\"property\"><option value=\"\">all");
    for finding in judgement.findings.iter().filter(|finding| finding.breaches > 0) {
        let _ = write!(out, "<option>{}", finding.property);
    }
    out.push_str(
        "</select></label> <label>message <input id=\"message\" size=\"24\"></label> <span id=\"left\"></span></p>\n",
    );
    let stories = RecordedStory::of(history, shown, judgement.rules.level);
    for (place, (violation, story)) in shown.iter().zip(&stories).enumerate() {
        let group = history.names.group(violation.group);
        let group = if judgement.groups.len() > 1 { format!(" in group {group}") } else { String::new() };
        let _ = writeln!(
            out,
            "<details class=\"story\" data-property=\"{}\" data-message=\"{}\"{}><summary>{}: {}{}</summary>\n\
             <div class=\"scroll\">{}</div></details>",
            violation.property,
            escaped(&history.names.message(violation.message).to_string()),
            if place == 0 { " open" } else { "" },
            violation.property,
            escaped(&story.title),
            escaped(&group),
            story.svg()
        );
    }
}
