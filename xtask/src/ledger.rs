//! The audit that the repository keeps: run anew, or its document written anew.

use std::fs;
use std::process::Command;

use super::{cargo, output, root, run};

/// Where the rows and histories of the kept run are.
const KEPT: &str = "proofs/src/reality/run";

const COMMAND: &str = "delivery audit --shrink --record DIR";

/// Audits everything that is installed here, keeps its rows and its small histories, and writes the document.
pub fn audit() -> Result<(), String> {
    let fresh = root().join("target/audit");
    let _ = fs::remove_dir_all(&fresh);
    let mut audit = cargo("run --release --locked -- audit --shrink --record");
    audit.arg(&fresh);
    // 1: it found something.
    let status = audit.status().map_err(|error| format!("{audit:?}: {error}"))?;
    if !matches!(status.code(), Some(0 | 1)) {
        return Err(format!("{audit:?}: {status}"));
    }
    let kept = root().join(KEPT);
    let shown = |error: std::io::Error| error.to_string();
    for entry in fs::read_dir(&kept).map_err(shown)?.flatten() {
        if entry.file_name().to_string_lossy().contains("-small.json") {
            fs::remove_file(entry.path()).map_err(shown)?;
        }
    }
    for entry in fs::read_dir(&fresh).map_err(shown)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "run.jsonl" || name.contains("-small.json") {
            fs::copy(entry.path(), kept.join(name)).map_err(shown)?;
        }
    }
    let said = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        output(command).map(|text| text.trim().to_owned())
    };
    let (date, kernel, cores) = (said("date", &["-u", "+%F"])?, said("uname", &["-sr"])?, said("nproc", &[])?);
    let about = format!("date = \"{date}\"\nmachine = \"{cores} cores, {kernel}, ext4\"\ncommand = \"{COMMAND}\"\n");
    fs::write(kept.join("about.toml"), about).map_err(shown)?;
    write()
}

/// Writes docs/AUDIT.md as the kept run says.
pub fn write() -> Result<(), String> {
    run(cargo(&format!("run --release --locked -- audit --from {KEPT} --ledger docs/AUDIT.md")))
}
