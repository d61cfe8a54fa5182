//! Figures as an HTML page that loads nothing else.

use std::fmt::Write;

use delivery_model::story::escaped;

use super::gathered::{About, Gathered};
use super::markdown::command_of;
use super::plot::plot;
use super::sheet::{Sheet, Table};
use crate::theme::THEME;

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn html(gathered: &Gathered) -> String {
    let About { date, machine, command, versions } = &gathered.about;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>What the guarantees cost</title>\n<style>\n{THEME}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>What the guarantees cost</h1>\n<p>Made by <code>{}</code> on {}.<br>{}.<br><small>{}</small></p>\n\
         <p>Ratios are of one run, in which the compared take turns. Absolute times are those of this machine on this day. \
         Each timed run ends with a check of what it did.</p>\n",
        escaped(command),
        escaped(date),
        escaped(machine),
        escaped(&versions.join(", "))
    );
    goals(&mut out, &gathered.sheets);
    for sheet in &gathered.sheets {
        let _ = writeln!(
            out,
            "<h2 id=\"{0}\">{0}</h2>\n<p>{1}</p>\n<p><code>{2}</code></p>",
            escaped(&sheet.bench),
            escaped(&sheet.about),
            escaped(&command_of(&sheet.bench))
        );
        sheet.tables.iter().for_each(|table| self::table(&mut out, table));
    }
    out += "<h2 id=\"times\">Times</h2>\n<p>What criterion estimated: the time of an element where a group counts them, else of \
        an iteration. A whisker is the 95 % interval.</p>\n";
    for group in gathered.groups() {
        let _ = write!(out, "<h3>{}</h3>\n{}", escaped(&group[0].group), plot(group));
    }
    out + "</main>\n</body>\n</html>\n"
}

fn goals(out: &mut String, sheets: &[Sheet]) {
    if sheets.iter().all(|sheet| sheet.goals.is_empty()) {
        return;
    }
    *out += "<h2>Goals</h2>\n<div class=\"scroll\"><table>\n<tr><th>bench<th>figure of<th class=\"n\">figure<th>unit<th>goal<th>\n";
    for (sheet, goal) in sheets.iter().flat_map(|sheet| sheet.goals.iter().map(move |goal| (sheet, goal))) {
        let _ = writeln!(
            out,
            "<tr><td><a href=\"#{0}\">{0}</a><td>{1}<td class=\"n\">{2}<td>{3}<td>{4}<td class=\"{5}\">{5}",
            escaped(&sheet.bench),
            escaped(&goal.of),
            goal.shown(),
            escaped(&goal.unit),
            goal.bound,
            goal.word()
        );
    }
    *out += "</table></div>\n";
}

fn table(out: &mut String, table: &Table) {
    let class = |place: usize| if place > 0 && table.is_of_numbers(place) { " class=\"n\"" } else { "" };
    let _ = write!(out, "<h3>{}</h3>\n<div class=\"scroll\"><table>\n<tr>", escaped(&table.title));
    for (place, head) in table.columns.iter().enumerate() {
        let _ = write!(out, "<th{}>{}", class(place), escaped(head));
    }
    *out += "\n";
    for (name, cells) in &table.rows {
        let _ = write!(out, "<tr><td>{}", escaped(name));
        for (place, cell) in (1..).zip(cells) {
            let _ = write!(out, "<td{}>{}", class(place), escaped(&cell.to_string()));
        }
        *out += "\n";
    }
    *out += "</table></div>\n";
}
