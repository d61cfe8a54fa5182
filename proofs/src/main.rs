//! The `delivery` command: check pipelines, explore counterexamples, replay schedules, run for real, judge histories.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(command::arguments()) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            eprintln!("error: {failure:#}");
            ExitCode::from(command::BAD_INPUT)
        }
    }
}
