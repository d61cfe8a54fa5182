//! The figures of the benches that the repository keeps: measured anew, or their documents written anew.

use std::fs;

use crate::{between, cargo, output, root, run};

/// The kept figures.
const KEPT: &str = "benches/figures.json";

/// Criterion takes fewer samples with `--quick`; the sheets, with their ratios and goals, are the same.
const COMMAND: &str = "bench -p delivery-benches";

/// Runs all benches from nothing, keeps their figures, and writes the documents.
pub(crate) fn measure() -> Result<(), String> {
    let fresh = root().join("target/figures");
    let _ = fs::remove_dir_all(&fresh);
    let mut benches = cargo(&format!("{COMMAND} --locked"));
    benches.args(["--", "--quick"]);
    benches.env("CRITERION_HOME", &fresh);
    run(benches)?;
    let mut report = cargo(&format!("run --release --locked -- report --save {KEPT} --criterion"));
    report.arg(&fresh).arg("--command").arg(format!("cargo {COMMAND} -- --quick"));
    run(report)?;
    write()
}

/// Writes benches/README.md and the README's goals as the kept figures say.
pub(crate) fn write() -> Result<(), String> {
    let report = format!("run --release --locked -- report --from {KEPT} --markdown benches/README.md --goals");
    let goals = output(cargo(&report))?;
    between::write(&root().join("README.md"), "figures", &goals)
}
