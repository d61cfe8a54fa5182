//! Broken rounds made smaller: their files, and the commands that run them again.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use delivery_audit::campaign::Extent;
use delivery_audit::findings::Finding;
use delivery_audit::harness::Plan;
use delivery_audit::place::Run;
use delivery_audit::results::Row;
use delivery_audit::scheduled;
use delivery_audit::shrink::{Shrunk, shrink};
use delivery_audit::workers;
use delivery_model::numbers::count;
use delivery_model::presets;
use delivery_proofs::reality::preset;
use indicatif::ProgressBar;

use super::super::terminal::Interrupt;

/// What became of a row's first broken round.
pub struct Smaller {
    /// What was audited, such as "redis everysec, kill, lags".
    name: String,
    finding: Finding,
    found: Option<Found>,
}

/// A smaller round with its files.
struct Found {
    shrunk: Shrunk,
    history: PathBuf,
    /// The command that runs it again.
    replay: String,
}

/// Shrinks the first broken round of each row, on this many workers.
pub fn all(
    rows: &[Row],
    extent: &Extent,
    run: &Run,
    interrupt: &Interrupt,
    jobs: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Smaller>> {
    let directory = extent.record.as_deref().context("--shrink needs --record")?;
    let first_broken = |row: &Row| row.sums.as_ref().ok().and_then(|sums| sums.first_broken.clone());
    let broken: Vec<(&Row, Plan, Finding)> =
        rows.iter().filter_map(|row| first_broken(row).map(|(plan, finding)| (row, plan, finding))).collect();
    bar.set_length(bar.length().unwrap_or(0) + broken.len() as u64);
    bar.set_message("making broken rounds smaller");
    let flag = interrupt.flag();
    let mut all = Vec::new();
    let work = |(row, plan, finding): &(&Row, Plan, Finding)| -> anyhow::Result<Smaller> {
        let shrunk = shrink(&row.campaign, plan, *finding, run, &flag)?;
        let found = shrunk.map(|shrunk| write(row, shrunk, directory)).transpose()?;
        bar.inc(1);
        Ok(Smaller { name: row.campaign.name(), finding: *finding, found })
    };
    workers::in_order(&broken, jobs, &flag, work, &mut |_, smaller| all.push(smaller));
    all.into_iter().collect()
}

fn write(row: &Row, shrunk: Shrunk, directory: &Path) -> anyhow::Result<Found> {
    let campaign = &row.campaign;
    let [history, schedule] =
        ["jsonl", "json"].map(|ending| directory.join(format!("{}-small.{ending}", campaign.file_stem())));
    let file = File::create(&history).with_context(|| history.display().to_string())?;
    shrunk.history.write(BufWriter::new(file)).with_context(|| history.display().to_string())?;
    let (product, setting) = (campaign.product.name(), campaign.setting.name);
    let pipeline = preset(product, setting).and_then(presets::named);
    let pipeline = pipeline.or_else(|| presets::named("at-least-once")).expect("the reference is there");
    let document = scheduled::schedule(pipeline, shrunk.plan.messages, &shrunk.plan.faults).to_json();
    std::fs::write(&schedule, document).with_context(|| schedule.display().to_string())?;
    let replay = format!(
        "delivery audit {product}/{setting} --faults {} --loads {} --schedule {}",
        campaign.fault.name(),
        campaign.load,
        schedule.display()
    );
    Ok(Found { shrunk, history, replay })
}

/// What became of the broken rounds, in words.
pub fn in_words(all: &[Smaller]) -> String {
    let mut out = String::new();
    for Smaller { name, finding, found } in all {
        out += &match found {
            None => {
                format!("\n{name}: finding {finding} is not shown by most rounds, so that it cannot be made smaller\n")
            }
            Some(Found { shrunk, history, replay }) => format!(
                "\n{name}: finding {finding} with {} and {}, in {} of {} rounds\n  replay: {replay}\n  story:  delivery judge {}\n",
                count(shrunk.plan.messages, "message"),
                count(shrunk.plan.faults.len() as u64, "fault"),
                shrunk.shown,
                shrunk.rounds,
                history.display()
            ),
        };
    }
    out
}
