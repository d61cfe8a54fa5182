//! The table on top of the atlas's HTML file: a row a pipeline, a column a set of faults, a link in each cell to the story
//! behind it, and the filter of the rows.

use std::fmt::Write;

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::Verdict;
use delivery_model::story::escaped;
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::labels::{initial, letter, survivor};
use super::page::Page;
use super::places::Place;
use delivery_model::numbers::{count, grouped};

/// The title, what the letters mean, and the abbreviations of the faults.
pub(super) fn introduction(places: &[Place]) -> String {
    let pages = || places.iter().map(|place| place.page);
    let messages = pages().map(|page| page.messages).max().unwrap_or_default();
    let states = grouped(pages().map(|page| page.states as u64).sum());
    let legend = semantics_and_none().map(|(letter, word)| format!("{} {word} ", painted(letter, None))).concat();
    let columns = Fault::ALL.map(|fault| format!("<span><b>{}</b> {fault}</span>", fault.row().code)).join(" · ");
    format!(
        "<h1>Which delivery semantics survives which faults</h1>\n\
         <p>Each pipeline against no fault, every single fault and every pair of faults, in every run of the model within {}, \
         each fault at most once ({states} states). Two letters: what survives at the level of deliveries, and at the level of \
         effects; each leads to the shortest story of what does not. A claim is judged under any two of the usual faults, \
         marked *. A debt that stays open in a fair run without end is a loss.</p>\n\
         <p class=\"legend\">{legend}<span class=\"cell unsure\">e l m</span> nothing stronger; a bound of the model was met, so \
         that this is unknown <span class=\"cell idle\">·</span> the fault cannot strike</p>\n\
         <p class=\"legend\">{columns}</p>\n{}",
        count(messages.into(), "message"),
        filter()
    )
}

fn semantics_and_none() -> [(char, &'static str); 4] {
    let [most, least, exactly] = Semantics::ALL.map(|it| (initial(it), it.word()));
    [exactly, least, most, ('-', "none")]
}

/// The filter of the pipelines. The script shows it, as nothing happens without the script.
fn filter() -> String {
    let option = |value: &str, text: &str| format!("<option value=\"{value}\">{text}</option>");
    let columns = [("usual", "any two of the usual faults"), ("none", "no fault"), ("any", "any two faults")];
    let columns = columns.map(|(value, text)| option(value, text)).concat();
    let faults = Fault::ALL.map(|fault| option(fault.word(), fault.word())).concat();
    let semantics = semantics_and_none().map(|(letter, word)| option(&letter.to_string(), word)).concat();
    let levels = Level::ALL.map(|level| option(&level.to_string(), &format!("at {level}"))).into_iter().rev();
    format!(
        "<form id=\"filter\" hidden>Under <select name=\"fault\" aria-label=\"faults\">{columns}{faults}</select> survives \
         <select name=\"semantics\" aria-label=\"semantics\">{}{semantics}</select> \
         <select name=\"level\" aria-label=\"level\">{}</select> <output></output></form>\n",
        option("", "whatever"),
        levels.collect::<String>(),
    )
}

/// The table of all pipelines.
pub(super) fn overview(places: &[Place]) -> String {
    let mut out = String::from(
        "<div class=\"scroll\"><table id=\"overview\">\n<tr><th class=\"name\">pipeline<th class=\"claim\">claims<th data-under=\"none\">no fault",
    );
    for fault in Fault::ALL {
        let usual = if FaultSet::usual().contains(fault) { "*" } else { "" };
        let _ = write!(out, "<th data-under=\"{fault}\"><abbr title=\"{fault}\">{}{usual}</abbr>", fault.row().code);
    }
    out += "<th data-under=\"usual\">usual<th data-under=\"any\">any\n";
    for place in places {
        let (anchor, name) = (&place.anchor, escaped(&place.page.pipeline.name));
        let _ = write!(
            out,
            "<tr data-page=\"{anchor}\"><th class=\"name\"><a href=\"#{anchor}\">{name}</a><td class=\"claim\">{}",
            claim(place.page)
        );
        out += &cell(place, FaultSet::NONE, "none");
        for fault in Fault::ALL {
            out += &cell(place, FaultSet::of([fault]), fault.word());
        }
        let all = FaultSet::none_singles_and_pairs();
        let usual = all.clone().filter(|faults| faults.is_within(FaultSet::usual()));
        out += &survivors(place, usual, "any two of the usual faults", "usual");
        out += &survivors(place, all, "any two faults", "any");
        out.push('\n');
    }
    out + "</table></div>\n"
}

/// What a pipeline claims, and whether that survives.
pub(super) fn claim(page: &Page) -> String {
    let Some((semantics, verdict)) = page.claim() else { return "nothing".to_owned() };
    let mark = match verdict {
        Verdict::Holds if page.claims_or_dead_lettered() => "<span class=\"kept\">✓</span> or dead-lettered",
        Verdict::Holds => "<span class=\"kept\">✓</span>",
        Verdict::Violated => "<span class=\"broken\">✗</span>",
        Verdict::Unknown(_) => "?",
    };
    format!("{semantics}, {} {mark}", page.pipeline.level)
}

/// A cell of one set of faults, in the column `under`.
pub(super) fn cell(place: &Place, faults: FaultSet, under: &str) -> String {
    match faults.is_within(place.page.strikes) {
        true => survivors(place, std::iter::once(faults), &faults.to_string(), under),
        false => {
            format!("<td class=\"cell idle\" data-under=\"{under}\" title=\"{faults}: cannot strike\">·")
        }
    }
}

fn survivors(place: &Place, sets: impl Iterator<Item = FaultSet> + Clone, faults: &str, under: &str) -> String {
    let at = Level::ALL.map(|level| {
        let verdicts = place.page.verdicts_if_any(level, sets.clone());
        (level, letter(&verdicts), survivor(&verdicts), place.story_behind(level, sets.clone()))
    });
    let told = at.each_ref().map(|(level, _, survivor, _)| format!("{survivor} at {level}")).join(", ");
    let data = at.each_ref().map(|(level, letter, ..)| format!(" data-{level}=\"{letter}\"")).concat();
    let letters = at.map(|(_, letter, _, story)| painted(letter, story)).concat();
    format!("<td title=\"{faults}: {told}\" data-under=\"{under}\"{data}>{letters}")
}

/// A letter in its colour, which leads to a story where there is one.
fn painted(letter: char, story: Option<String>) -> String {
    let class = match letter {
        'E' => "exactly",
        'L' => "least",
        'M' => "most",
        '-' => "none",
        _ => "unsure",
    };
    match story {
        Some(story) => format!("<a class=\"cell {class}\" href=\"#{story}\">{letter}</a>"),
        None => format!("<span class=\"cell {class}\">{letter}</span>"),
    }
}
