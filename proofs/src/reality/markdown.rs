//! The ledger and the figures of an audit as a Markdown document.

use std::fmt::Write;

use delivery_model::story::Ink;
use serde::Deserialize;

use super::ledger::{Entry, Ledger, Mismatch};
use super::pictures::{Recording, shortest};
use super::rows::Record;

/// The columns of a story.
const WIDTH: usize = 100;

/// Where and when a run was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The day, such as "2026-11-28".
    pub date: String,
    /// The machine, such as "2 cores, Linux 6.1, ext4".
    pub machine: String,
    /// The command that made the run.
    pub command: String,
}

/// The document.
pub fn markdown(about: Option<&About>, ledger: &Ledger, rows: &[Record], recordings: &[Recording]) -> String {
    let made = about.map_or(String::new(), |it| {
        format!("Generated from a run of `{}` on {} ({}).\n\n", it.command, it.date, it.machine)
    });
    let mut out = format!(
        "# What real brokers do with these settings\n\n{made}\
         A figure is what was seen on this machine, with one node of each broker, in so many rounds. That something was not\n\
         seen does not say that it cannot happen. What the faults and the columns mean stands below.\n\n"
    );
    claims(&mut out, ledger, recordings);
    differences(&mut out, &ledger.mismatches);
    figures(&mut out, rows);
    out
}

fn claims(out: &mut String, ledger: &Ledger, recordings: &[Recording]) {
    *out += "## Claims\n\n\
        Each claim is a vendor's, told in our words. *Model*: what the model of the setting's preset says of the finding that\n\
        would speak against the claim, within 2 messages and 1 crash of the broker, with the audit's own producer and\n\
        consumer. *Seen*: the rounds with that finding, under the faults that are named.\n\n\
        | # | Setting | Claim | Finding against it | Faults | Model | Seen | Outcome |\n\
        |---|---|---|---|---|---|---|---|\n";
    let mut stories = String::new();
    for (number, entry) in (1..).zip(&ledger.entries) {
        let Entry { claim, model, seen, version } = entry;
        let version = version.as_deref().map_or(String::new(), |version| format!(" {version}"));
        let story = shortest(recordings, claim);
        let outcome = match (&story, entry.outcome()) {
            (Some(_), outcome) => format!("[{outcome}](#claim-{number})"),
            (None, outcome) => outcome.to_owned(),
        };
        let _ = writeln!(
            out,
            "| {number} | {}{version} `{}` | {} ({}; {}) | {} | {} | {} | {seen} | {outcome} |",
            claim.product,
            claim.setting,
            claim.says,
            claim.source,
            claim.of,
            claim.finding,
            claim.faults.join(", "),
            model.word()
        );
        if let Some((recording, story)) = story {
            let _ = writeln!(
                stories,
                "### Claim {number}\n\n{} `{}`, from `{}`:\n\n```text\n{}\n```\n",
                claim.product,
                claim.setting,
                recording.file_name(),
                story.text(Ink::Plain, WIDTH).trim_end()
            );
        }
    }
    if !stories.is_empty() {
        let _ = write!(out, "\n## The shortest recorded stories\n\n{stories}");
    }
}

fn differences(out: &mut String, mismatches: &[Mismatch]) {
    *out += "\n## Where reality does what the model of a preset forbids\n\n";
    if mismatches.is_empty() {
        *out += "Nowhere, in this run.\n";
        return;
    }
    for Mismatch { product, setting, preset, finding, seen, because } in mismatches {
        let because = because.as_deref().unwrap_or("not settled");
        let _ = writeln!(out, "- {product} `{setting}`, preset `{preset}`: {finding} in {seen} rounds. {because}");
    }
}

fn figures(out: &mut String, rows: &[Record]) {
    *out += "\n## Figures\n\n\
        Sums over the rounds; of two figures, in the first the consumer keeps up with the producer, in the second it lags half\n\
        of the messages behind. *Lost*: acked, and never delivered. *Again*: delivered after a confirmed settle. *Unmarked*:\n\
        again, and not marked as a redelivery. *Repeated*: stored more than once.\n";
    for of_product in rows.chunk_by(|a, b| a.product == b.product) {
        let first = &of_product[0];
        let _ = writeln!(
            out,
            "\n### {} {}\n\n{} messages x {} rounds.\n\n\
             | Setting | Fault | Lost | Again | Unmarked | Repeated | Rounds with findings |\n|---|---|---:|---:|---:|---:|---|",
            first.product, first.version, first.messages, first.rounds
        );
        for loads in of_product.chunk_by(|a, b| (&a.setting, &a.fault) == (&b.setting, &b.fault)) {
            let figure = |figure: fn(&Record) -> u64| {
                let told: Vec<String> = loads.iter().map(|row| figure(row).to_string()).collect();
                told.join(" / ")
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                loads[0].setting,
                loads[0].fault,
                figure(|it| it.lost),
                figure(|it| it.again),
                figure(|it| it.again_unmarked),
                figure(|it| it.repeated),
                found(loads)
            );
        }
        out.push('\n');
        let mut last = "";
        for row in of_product.iter().filter(|row| std::mem::replace(&mut last, row.setting.as_str()) != row.setting) {
            let _ = writeln!(out, "- `{}`: `{}`", row.setting, row.means);
        }
    }
}

/// The findings of both loads, each with the number of rounds.
pub fn found(loads: &[Record]) -> String {
    let rounds: u64 = loads.iter().map(|row| row.rounds).sum();
    let mut words: Vec<&String> = loads.iter().flat_map(|row| row.findings.keys()).collect();
    words.sort();
    words.dedup();
    let told = words.into_iter().map(|word| {
        let with: u64 = loads.iter().map(|row| row.rounds_with(word)).sum();
        format!("{word} {with}/{rounds}")
    });
    let troubles = loads.iter().filter_map(|row| row.trouble.clone());
    let not_struck: u64 = loads.iter().map(|row| row.not_struck).sum();
    let not_struck = (not_struck > 0).then(|| format!("not struck {not_struck}/{rounds}"));
    told.chain(not_struck).chain(troubles).collect::<Vec<_>>().join(", ")
}
