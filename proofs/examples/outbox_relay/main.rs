//! Puts an outbox table with a polling relay through the suite, sound or with its bug.
//!
//! `cargo run -p delivery-proofs --example outbox_relay [-- --bug]`. Exit code: 0 if the sound one passes, or the bug is found; 1 if not; 2 for
//! another flag.

mod claim;
mod glue;
mod outbox;

use std::io::Write;
use std::process::ExitCode;

use delivery_proofs::party::Bounds;
use outbox::Bug;

fn main() -> ExitCode {
    let asked = std::env::args().nth(1);
    let bug = match asked.as_deref() {
        None => Bug::None,
        Some("--bug") => Bug::MarkedBeforeConfirmed,
        Some(other) => {
            eprintln!("error: found {other}; expected --bug or nothing");
            return ExitCode::from(2);
        }
    };
    let checked = claim::suite(bug).check(Bounds::default());
    let text = checked.as_ref().map_or_else(ToString::to_string, ToString::to_string);
    // A reader that has seen enough closes the pipe, and that is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let is_as_expected = checked.is_ok() == (bug == Bug::None);
    ExitCode::from(u8::from(!is_as_expected))
}
