//! The habits of those who work on this repository, each as one word: `cargo xtask WORD`.
//!
//! What a habit does is said in its row. What the words run are programs that work without them too.

mod atlas;
mod between;
mod figures;
mod ledger;
mod licences;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A habit: its word, what it does, and how.
type Habit = (&'static str, &'static str, fn() -> Result<(), String>);

const HABITS: &[Habit] = &[
    ("ci", "everything that must pass before a change is taken (.ci/run)", ci),
    ("formats", "write docs/formats, and what the formats' tests expect, as the sources say", formats),
    ("atlas", "write the README's guarantee table as the model says", atlas::write),
    ("audit", "run the audit that the repository keeps, on this machine, as root; then as ledger", ledger::audit),
    ("ledger", "write docs/AUDIT.md as the kept audit says", ledger::write),
    (
        "measure",
        "run all benches, keep their figures, on a machine with nothing else to do; then as figures",
        figures::measure,
    ),
    ("figures", "write benches/README.md, and the README's goals, as the kept figures say", figures::write),
    ("mutants", "the kill matrix: which property catches each seeded bug", mutants),
    ("licences", "compare every dependency's licence with those that deny.toml allows", licences::check),
];

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    let Some((.., habit)) = HABITS.iter().find(|(known, ..)| *known == word) else {
        eprintln!("cargo xtask WORD, where WORD is");
        HABITS.iter().for_each(|(word, does, _)| eprintln!("  {word:9} {does}"));
        return ExitCode::from(2);
    };
    match habit() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("cargo xtask {word}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_path_buf()
}

fn cargo(arguments: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(arguments.split_whitespace()).current_dir(root());
    command
}

fn run(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// What a program writes to its standard output.
fn output(mut command: Command) -> Result<String, String> {
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}

fn ci() -> Result<(), String> {
    run(Command::new(root().join(".ci/run")))
}

fn formats() -> Result<(), String> {
    let mut test = cargo("test --package delivery-model --test formats --locked");
    test.env("UPDATE_EXPECT", "1");
    run(test)
}

fn mutants() -> Result<(), String> {
    run(cargo("run --release --locked -- mutants"))
}
