//! Puts a queue with visibility time-outs through the suite, sound or with one of its bugs.
//!
//! `cargo run -p delivery-proofs --example visibility_queue [-- --bug | --other-bug]`

mod claim;
mod glue;
mod queue;

use delivery_proofs::party::Bounds;
use queue::Bug;

fn main() -> Result<(), String> {
    let bug = match std::env::args().nth(1).as_deref() {
        None => Bug::None,
        Some("--bug") => Bug::HiddenFromSend,
        Some("--other-bug") => Bug::OldReceiptDeletes,
        Some(other) => return Err(format!("expected --bug, --other-bug or nothing, found {other}")),
    };
    match claim::suite(bug).check(Bounds::default()) {
        Ok(passed) => println!("{passed}"),
        Err(found) => print!("{found}"),
    }
    Ok(())
}
