//! Runs a reference pipeline for real, under faults, and goes on where an earlier run in the same directory was killed.
//!
//! `cargo run --release -p delivery-proofs --example run_for_real -- DIRECTORY exactly-once 10000`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use delivery_model::presets;
use delivery_proofs::real::{self, FaultPlan, Options};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, name, messages] = &arguments[..] else {
        bail!("expected a directory, the name of a pipeline and a number of messages");
    };
    let directory = PathBuf::from(directory);
    let pipeline = presets::named(name).with_context(|| format!("there is no pipeline {name}"))?;
    std::fs::create_dir_all(&directory)?;
    let mut options = Options::new(messages.parse()?, &directory.join("history.jsonl"));
    options.directory = Some(directory);
    options.plan = FaultPlan::Generated { each: 20, seed: 1 };
    options.progress = Some(Arc::new(|progress| {
        if progress.effects > 0 && progress.effects.is_multiple_of(100) {
            println!("{progress:?}");
        }
    }));
    let report = real::run(&pipeline, &options)?;
    let seconds = report.elapsed.as_secs_f64();
    println!(
        "{:?} after {seconds:.1} s: {:?}, {:.0} effects a second",
        report.ended,
        report.progress,
        report.throughput()
    );
    report.fired.iter().for_each(|(fault, times)| println!("{fault}: {times}"));
    report.unreached.iter().for_each(|fault| println!("never came: {fault}"));
    Ok(())
}
