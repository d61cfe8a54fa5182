//! The ledger and the figures of an audit as an HTML page that loads nothing else, with the stories as pictures.

use std::fmt::Write;

use delivery_model::story::{RECORDED_STYLE, escaped};

use super::ledger::{Entry, Ledger};
use super::markdown::{About, found};
use super::pictures::{Recording, shortest};
use super::rows::Record;
use crate::theme::THEME;

const STYLE: &str = include_str!("page.css");

/// The page. `about` is left out for a run that was made just now; `left_out` tells what was not run.
pub fn html(
    about: Option<&About>,
    ledger: &Ledger,
    rows: &[Record],
    recordings: &[Recording],
    left_out: &[String],
) -> String {
    let made = about.map_or(String::new(), |it| {
        format!("<p>Made by <code>{}</code> on {} ({}).</p>", escaped(&it.command), it.date, escaped(&it.machine))
    });
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Audit of brokers</title>\n<style>\n{THEME}{STYLE}{RECORDED_STYLE}\n</style>\n</head>\n<body>\n<main>\n\
         <h1>Audit of brokers</h1>{made}\n\
         <p>A figure is what was seen on one machine, with one node of each broker, in so many rounds. That something was \
         not seen does not say that it cannot happen.</p>\n"
    );
    claims(&mut out, ledger, recordings);
    for mismatch in &ledger.mismatches {
        let because = mismatch.because.as_deref().unwrap_or("This is not settled.");
        let _ = writeln!(
            out,
            "<p><b>{} {}</b> does what the model of preset {} forbids: {} in {} rounds. {}</p>",
            escaped(&mismatch.product),
            escaped(&mismatch.setting),
            mismatch.preset,
            mismatch.finding,
            mismatch.seen,
            escaped(because)
        );
    }
    figures(&mut out, rows);
    for line in left_out {
        let _ = writeln!(out, "<p>Left out: {}</p>", escaped(line));
    }
    out + "</main>\n</body>\n</html>\n"
}

fn claims(out: &mut String, ledger: &Ledger, recordings: &[Recording]) {
    *out += "<h2>Claims</h2>\n<p>Each claim is a vendor's, told in our words. Model: what the model of the setting's preset \
        says of the finding that would speak against the claim, within 2 messages and 1 crash of the broker. Seen: the \
        rounds with that finding.</p>\n<div class=\"scroll\"><table>\n\
        <tr><th>setting<th>claim<th>finding<th>faults<th>model<th>seen<th>outcome\n";
    for entry in &ledger.entries {
        let Entry { claim, model, seen, version } = entry;
        let class = if entry.outcome() == "BROKEN" { "bad" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td>{} {}<br><b>{}</b><td>{}<br><small>{}; {}</small><td>{}<td>{}<td>{}<td class=\"{class}\">{seen}\
             <td class=\"{class}\">{}",
            escaped(&claim.product),
            escaped(version.as_deref().unwrap_or_default()),
            escaped(&claim.setting),
            escaped(&claim.says),
            escaped(&claim.source),
            escaped(&claim.of),
            claim.finding,
            claim.faults.join(", "),
            model.word(),
            entry.outcome().to_lowercase(),
        );
        if let Some((recording, story)) = shortest(recordings, claim) {
            let _ = writeln!(
                out,
                "<tr><td colspan=\"7\"><details><summary>the shortest recorded story: {}</summary>\n{}\
                 <p><small>{}</small></p></details>",
                escaped(&story.title),
                story.svg(),
                escaped(&recording.file_name())
            );
        }
    }
    *out += "</table></div>\n";
}

fn figures(out: &mut String, rows: &[Record]) {
    *out += "<h2>Figures</h2>\n<p>Lost: acked, and never delivered. Again: delivered after a confirmed settle. Unmarked: \
        again, and not marked as a redelivery. Repeated: stored more than once, and delivered so.</p>\n";
    for of_product in rows.chunk_by(|a, b| a.product == b.product) {
        let first = &of_product[0];
        let _ = writeln!(
            out,
            "<h3>{} {}</h3>\n<p>{} messages in each of {} rounds a line.</p>\n<div class=\"scroll\"><table>\n\
             <tr><th>setting<th>fault<th>load<th>acked<th>lost<th>again<th>unmarked<th>repeated<th>rounds with findings",
            escaped(&first.product),
            escaped(&first.version),
            first.messages,
            first.rounds
        );
        for row in of_product {
            let figure = |figure: u64, is_bad: bool| {
                format!("<td class=\"{}\">{figure}", if is_bad && figure > 0 { "n bad" } else { "n" })
            };
            let stored_again = row.rounds_with("retry-stored") > 0;
            let _ = writeln!(
                out,
                "<tr><td title=\"{}\">{}<td>{}<td>{}{}{}{}{}{}<td>{}",
                escaped(&row.means),
                escaped(&row.setting),
                escaped(&row.fault),
                escaped(&row.load),
                figure(row.acked, false),
                figure(row.lost, true),
                figure(row.again, true),
                figure(row.again_unmarked, true),
                figure(row.repeated, stored_again),
                escaped(&found(std::slice::from_ref(row)))
            );
        }
        *out += "</table></div>\n";
    }
}
