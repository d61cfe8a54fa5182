//! The atlas as one HTML file that loads no other file: tables, and every story as a sequence diagram that unfolds.

use std::fmt::Write;

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::story::{self, escaped};
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::labels::{counted, harm};
use super::overview::{cell, claim, introduction, overview};
use super::page::{Break, Page, undecided};
use super::places::{Place, TOP};
use super::search::Story;
use crate::reality::{self, Record};
use crate::theme::THEME;
use delivery_model::numbers::grouped;

const STYLE: &str = include_str!("atlas.css");
const SCRIPT: &str = include_str!("atlas.js");

/// The HTML file.
pub fn html(pages: &[Page]) -> String {
    let places = Place::of(pages);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Proof of Delivery: atlas</title>\n<style>\n{THEME}{STYLE}</style>\n</head>\n<body id=\"{TOP}\">\n<main>\n{}{}",
        introduction(&places),
        overview(&places)
    );
    let mut diagrams = 0;
    for place in &places {
        section(&mut out, place, &mut diagrams);
    }
    out + &format!(
        "</main>\n<a class=\"up\" href=\"#{TOP}\" aria-label=\"back to top\">↑ top</a>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn section(out: &mut String, place: &Place, diagrams: &mut usize) {
    let page = place.page;
    let exceeded = page.bounds_exceeded.iter().map(|it| format!("<br>beyond the model: {}", escaped(&it.to_string())));
    let unknown = page.bounds_met.iter().map(|faults| format!("<br>a bound of the model was met under {faults}"));
    let _ = writeln!(
        out,
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>claims {}; {} messages count; {} states{}</p>\n\
         <details><summary>settings</summary>\n<div class=\"scroll\"><pre>{}</pre></div></details>",
        place.anchor,
        escaped(&page.pipeline.name),
        claim(page),
        page.pipeline.obligation,
        grouped(page.states as u64),
        exceeded.chain(unknown).collect::<String>(),
        escaped(&settings(page)),
    );
    pairs(out, place);
    seen(out, place);
    for level in Level::ALL {
        for property in page.rules(level).required_by(Semantics::ExactlyOnce).iter() {
            promise(out, place, level, property, diagrams);
        }
    }
    dead_letters(out, place, diagrams);
    out.push_str("</section>\n");
}

/// What the audit saw of the products for which the preset stands.
fn seen(out: &mut String, place: &Place) {
    let page = place.page;
    let stands_for = |row: &&Record| reality::preset(&row.product, &row.setting) == Some(page.pipeline.name.as_str());
    let rows: Vec<&Record> = reality::kept().iter().filter(|row| row.rounds > 0).filter(stands_for).collect();
    if rows.is_empty() || preset_file(page).is_none() {
        return;
    }
    out.push_str(
        "<h3>seen in reality <small>(real brokers under real faults; docs/AUDIT.md)</small></h3>\n<div class=\"scroll\"><table>\n\
         <tr><th>broker<th>setting<th>fault<th>load<th>acked<th>lost<th>again<th>rounds with findings\n",
    );
    for row in rows {
        let Record { product, version, setting, fault, load, acked, lost, again, .. } = row;
        let _ = writeln!(
            out,
            "<tr><td>{} {}<td>{}<td>{}<td>{}<td>{acked}<td>{lost}<td>{again}<td>{}",
            escaped(product),
            escaped(version),
            escaped(setting),
            escaped(fault),
            escaped(load),
            escaped(&reality::found(std::slice::from_ref(row)))
        );
    }
    out.push_str("</table></div>\n");
}

/// The sets of faults under which messages become dead letters, with a story of each.
fn dead_letters(out: &mut String, place: &Place, diagrams: &mut usize) {
    let page = place.page;
    if page.dead_letters.is_empty() {
        return;
    }
    let pays = if page.rules(page.pipeline.level).dead_letters { "pays the debt" } else { "is a loss" };
    let _ = writeln!(out, "<h3>dead-letters messages <small>(a dead letter {pays})</small></h3>");
    for (faults, story) in &page.dead_letters {
        let told = page.told(*faults, story, None);
        details(out, (&place.dead_letter(*faults), &told), *faults, story, diagrams);
    }
}

/// The settings: the file of a preset, which says what each line stands for; all settings of any other pipeline.
fn settings(page: &Page) -> String {
    preset_file(page).map_or_else(|| page.pipeline.to_toml(), str::to_owned)
}

/// The file of the preset that the pipeline is, unchanged; none if it is no preset.
fn preset_file(page: &Page) -> Option<&'static str> {
    let name = &page.pipeline.name;
    let (_, file) = presets::ALL.iter().find(|(preset, _)| preset == name)?;
    (presets::named(name).as_ref() == Some(&page.pipeline)).then_some(*file)
}

/// The semantics that survive each pair of faults, as half a square with the single faults on its diagonal.
fn pairs(out: &mut String, place: &Place) {
    out.push_str("<details><summary>every pair of faults</summary>\n<div class=\"scroll\"><table>\n<tr><th>");
    let strikes: Vec<Fault> = place.page.strikes.iter().collect();
    strikes.iter().for_each(|fault| {
        let _ = write!(out, "<th><abbr title=\"{fault}\">{}</abbr>", fault.row().code);
    });
    out.push('\n');
    for (row, &first) in strikes.iter().enumerate() {
        let _ = write!(out, "<tr><th class=\"name\">{first}");
        for &second in &strikes[..=row] {
            out.push_str(&cell(place, FaultSet::of([first, second]), "pair"));
        }
        out.push('\n');
    }
    out.push_str("</table></div></details>\n");
}

fn promise(out: &mut String, place: &Place, level: Level, property: PropertyId, diagrams: &mut usize) {
    let page = place.page;
    let breaks: Vec<&Break> = page.breaks_of(level, property).collect();
    let sets: Vec<FaultSet> = breaks.iter().map(|it| it.faults).collect();
    let (does, what) = (harm(property), counted(level));
    if breaks.is_empty() && property == PropertyId::Integrity {
        return;
    }
    let _ = writeln!(out, "<h3>{does} {what} <small>({property})</small></h3>");
    if breaks.is_empty() {
        out.push_str("<p class=\"kept\">never</p>\n");
    }
    undecided(&sets, &page.bounds_met).for_each(|faults| {
        let _ = writeln!(out, "<p>unknown under {faults}</p>");
    });
    for broken in breaks {
        let told = page.told(broken.faults, &broken.story, Some((level, property)));
        details(out, (&place.story(broken), &told), broken.faults, &broken.story, diagrams);
    }
}

/// A story that unfolds, under the faults that it needs.
fn details(
    out: &mut String,
    (anchor, told): (&str, &story::Story),
    faults: FaultSet,
    story: &Story,
    diagrams: &mut usize,
) {
    *diagrams += 1;
    let words: Vec<&str> = faults.iter().map(|fault| fault.word()).collect();
    let _ = writeln!(
        out,
        "<details id=\"{anchor}\" data-faults=\"{}\"><summary>{faults} <small>({story})</small></summary>\n<div class=\"scroll\">{}</div></details>",
        words.join(" "),
        diagram(told, *diagrams)
    );
}

/// The diagram of a story. Its ids get a number, because a file has many diagrams.
fn diagram(story: &story::Story, number: usize) -> String {
    let drawn = story.svg();
    drawn.replace("id='head'", &format!("id='head-{number}'")).replace("url(#head)", &format!("url(#head-{number})"))
}
