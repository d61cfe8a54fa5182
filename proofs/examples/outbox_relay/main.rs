//! Puts an outbox table with a polling relay through the suite, sound or with its bug.
//!
//! `cargo run -p delivery-proofs --example outbox_relay [-- --bug]`

mod claim;
mod glue;
mod outbox;

use delivery_proofs::party::Bounds;
use outbox::Bug;

fn main() -> Result<(), String> {
    let bug = match std::env::args().nth(1).as_deref() {
        None => Bug::None,
        Some("--bug") => Bug::MarkedBeforeConfirmed,
        Some(other) => return Err(format!("expected --bug or nothing, found {other}")),
    };
    match claim::suite(bug).check(Bounds::default()) {
        Ok(passed) => println!("{passed}"),
        Err(found) => print!("{found}"),
    }
    Ok(())
}
