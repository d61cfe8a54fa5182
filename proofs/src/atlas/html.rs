//! The atlas as one HTML file that loads no other file: tables, and every story as a sequence diagram that unfolds.

use std::fmt::Write;

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::presets;
use delivery_model::semantics::{PropertyId, Verdict, Verdicts};
use delivery_model::story::svg_endless;
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::labels::{count, counted, harm, initial, letter, survivor, thousands};
use super::page::{Break, Page, undecided};
use super::search::Story;

const STYLE: &str = include_str!("atlas.css");

/// The HTML file.
pub fn html(pages: &[Page]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Proof of Delivery: atlas</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}",
        introduction(pages)
    );
    out += &overview(pages);
    let mut diagrams = 0;
    for (place, page) in pages.iter().enumerate() {
        section(&mut out, place, page, &mut diagrams);
    }
    out + "</main>\n</body>\n</html>\n"
}

fn introduction(pages: &[Page]) -> String {
    let messages = pages.iter().map(|page| page.messages).max().unwrap_or_default();
    let states = thousands(pages.iter().map(|page| page.states).sum());
    let semantics = Semantics::ALL.into_iter().rev().map(|it| (initial(it), it.word()));
    let legend = semantics.chain([('-', "none")]);
    let legend: String = legend
        .map(|(letter, word)| format!("<span class=\"cell {}\">{letter}</span> {word} ", class(letter)))
        .collect();
    let columns = Fault::ALL.map(|fault| format!("<b>{}</b> {fault}", fault.row().code)).join(" · ");
    format!(
        "<h1>Which delivery semantics survives which faults</h1>\n\
         <p>Each pipeline against no fault, every single fault and every pair of faults, in every run of the model within {}, \
         each fault at most once ({states} states). Two letters: what survives at the level of deliveries, and at the level of \
         effects. A claim is judged under any two of the usual faults, marked *. A debt that stays open \
         in a fair run without end is a loss.</p>\n\
         <p class=\"legend\">{legend}<span class=\"cell unsure\">e l m</span> nothing stronger; a bound of the model was met, so \
         that this is unknown <span class=\"cell idle\">·</span> the fault cannot strike</p>\n\
         <p class=\"legend\">{columns}</p>\n",
        count(messages, "message")
    )
}

fn overview(pages: &[Page]) -> String {
    let mut out = String::from("<div class=\"scroll\"><table>\n<tr><th>pipeline<th>claims<th>no fault");
    for fault in Fault::ALL {
        let usual = if FaultSet::usual().contains(fault) { "*" } else { "" };
        let _ = write!(out, "<th><abbr title=\"{fault}\">{}{usual}</abbr>", fault.row().code);
    }
    out += "<th>usual<th>any\n";
    for (place, page) in pages.iter().enumerate() {
        let name = escaped(&page.pipeline.name);
        let _ =
            write!(out, "<tr><th class=\"name\"><a href=\"#{}\">{name}</a><td>{}", anchor(place, page), claim(page));
        for faults in std::iter::once(FaultSet::NONE).chain(FaultSet::singles()) {
            cell(&mut out, page, faults);
        }
        let all = FaultSet::none_singles_and_pairs();
        survivors(&mut out, Level::ALL.map(|level| page.verdicts_as_usual(level)), "any two of the usual faults");
        survivors(&mut out, Level::ALL.map(|level| page.verdicts_if_any(level, all.clone())), "any two faults");
        out.push('\n');
    }
    out + "</table></div>\n"
}

fn claim(page: &Page) -> String {
    let Some((semantics, verdict)) = page.claim() else { return "nothing".to_owned() };
    let mark = match verdict {
        Verdict::Holds if page.claims_or_dead_lettered() => "<span class=\"kept\">✓</span> or dead-lettered",
        Verdict::Holds => "<span class=\"kept\">✓</span>",
        Verdict::Violated => "<span class=\"broken\">✗</span>",
        Verdict::Unknown(_) => "?",
    };
    format!("{semantics}, {} {mark}", page.pipeline.level)
}

fn cell(out: &mut String, page: &Page, faults: FaultSet) {
    if faults.is_within(page.strikes) {
        survivors(out, Level::ALL.map(|level| page.verdicts(level, faults)), &faults.to_string());
    } else {
        let _ = write!(out, "<td class=\"cell idle\" title=\"{faults}: cannot strike\">·");
    }
}

fn survivors(out: &mut String, verdicts: [Verdicts; 2], faults: &str) {
    let [delivery, effect] = &verdicts;
    let _ = write!(
        out,
        "<td title=\"{faults}: {} at delivery, {} at effect\"><span class=\"cell {}\">{}</span><span class=\"cell {}\">{}</span>",
        survivor(delivery),
        survivor(effect),
        class(letter(delivery)),
        letter(delivery),
        class(letter(effect)),
        letter(effect),
    );
}

fn class(letter: char) -> &'static str {
    match letter {
        'E' => "exactly",
        'L' => "least",
        'M' => "most",
        '-' => "none",
        _ => "unsure",
    }
}

fn section(out: &mut String, place: usize, page: &Page, diagrams: &mut usize) {
    let exceeded = page.bounds_exceeded.iter().map(|it| format!("<br>beyond the model: {}", escaped(&it.to_string())));
    let unknown = page.bounds_met.iter().map(|faults| format!("<br>a bound of the model was met under {faults}"));
    let _ = writeln!(
        out,
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>claims {}; {} messages count; {} states{}</p>\n\
         <details><summary>settings</summary>\n<div class=\"scroll\"><pre>{}</pre></div></details>",
        anchor(place, page),
        escaped(&page.pipeline.name),
        claim(page),
        page.pipeline.obligation,
        thousands(page.states),
        exceeded.chain(unknown).collect::<String>(),
        escaped(&settings(page)),
    );
    pairs(out, page);
    for level in Level::ALL {
        for property in page.rules(level).required_by(Semantics::ExactlyOnce).iter() {
            promise(out, page, level, property, diagrams);
        }
    }
    dead_letters(out, page, diagrams);
    out.push_str("</section>\n");
}

/// The sets of faults under which messages become dead letters, with a story of each.
fn dead_letters(out: &mut String, page: &Page, diagrams: &mut usize) {
    if page.dead_letters.is_empty() {
        return;
    }
    let pays = if page.rules(page.pipeline.level).dead_letters { "pays the debt" } else { "is a loss" };
    let _ = writeln!(out, "<h3>dead-letters messages <small>(a dead letter {pays})</small></h3>");
    for (faults, story) in &page.dead_letters {
        details(out, page, *faults, story, diagrams);
    }
}

/// The settings: the file of a preset, which says what each line stands for; all settings of any other pipeline.
fn settings(page: &Page) -> String {
    let name = &page.pipeline.name;
    match presets::ALL
        .iter()
        .find(|(preset, _)| preset == name && presets::named(preset).as_ref() == Some(&page.pipeline))
    {
        Some((_, file)) => (*file).to_owned(),
        None => page.pipeline.to_toml(),
    }
}

/// The semantics that survive each pair of faults, as half a square with the single faults on its diagonal.
fn pairs(out: &mut String, page: &Page) {
    out.push_str("<details><summary>every pair of faults</summary>\n<div class=\"scroll\"><table>\n<tr><th>");
    let strikes: Vec<Fault> = page.strikes.iter().collect();
    strikes.iter().for_each(|fault| {
        let _ = write!(out, "<th><abbr title=\"{fault}\">{}</abbr>", fault.row().code);
    });
    out.push('\n');
    for (place, &first) in strikes.iter().enumerate() {
        let _ = write!(out, "<tr><th class=\"name\">{first}");
        for &second in &strikes[..=place] {
            cell(out, page, FaultSet::of([first, second]));
        }
        out.push('\n');
    }
    out.push_str("</table></div></details>\n");
}

fn promise(out: &mut String, page: &Page, level: Level, property: PropertyId, diagrams: &mut usize) {
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
        details(out, page, broken.faults, &broken.story, diagrams);
    }
}

/// A story that unfolds, under the faults that it needs.
fn details(out: &mut String, page: &Page, faults: FaultSet, story: &Story, diagrams: &mut usize) {
    *diagrams += 1;
    let _ = writeln!(
        out,
        "<details><summary>{faults} <small>({story})</small></summary>\n<div class=\"scroll\">{}</div></details>",
        diagram(page, faults, story, *diagrams)
    );
}

/// The diagram of a story. Its ids get a number, because a file has many diagrams.
fn diagram(page: &Page, faults: FaultSet, story: &Story, number: usize) -> String {
    let drawn = svg_endless(&page.rows(faults, story), story.steps.len());
    drawn.replace("id='head'", &format!("id='head-{number}'")).replace("url(#head)", &format!("url(#head-{number})"))
}

/// The anchor of a page in the file. It holds the page's place, because two pipelines may have the same name.
fn anchor(place: usize, page: &Page) -> String {
    let name = page.pipeline.name.chars().map(|it| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' });
    format!("{}-{}", place + 1, name.collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
