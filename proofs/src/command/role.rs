//! What `delivery broker`, `delivery produce` and `delivery consume` share: one party in a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use delivery_impls::driver::run::Ended;
use delivery_impls::driver::secret::Secret;
use delivery_proofs::real::{Party, PartyRole};

use super::{Outcome, load, report, terminal};

/// The default address of the broker.
pub const BROKER: &str = "127.0.0.1:7117";

/// The environment variable that may hold the shared secret.
const SECRET: &str = "DELIVERY_SECRET";

/// The arguments that all parties share.
#[derive(clap::Args)]
pub struct Common {
    /// Pipeline file (TOML), `-` for standard input, or name of a preset, the same for all parties
    #[arg(value_name = "FILE.toml or preset", default_value = "exactly-once")]
    pipeline: PathBuf,
    /// The directory of the party's stores. Started again on the same directory, the party goes on where it was
    /// stopped or killed
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// The file for the party's part of the history [default: its name in the directory, such as broker-0.jsonl]
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The file of the secret that all parties share, needed if the broker does not listen on the loopback address;
    /// the environment variable DELIVERY_SECRET can hold the secret instead
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Print every event on standard output, once it is recorded
    #[arg(long)]
    verbose: bool,
}

/// Runs a party until it has nothing left to do, or Ctrl-C asks it to leave.
pub fn run(common: &Common, role: PartyRole) -> anyhow::Result<Outcome> {
    let pipeline = load::pipeline(&common.pipeline)?;
    let secret = secret(common.secret_file.as_deref())?;
    let interrupt = terminal::Interrupt::install_for_party()?;
    let name = role.name();
    let mut part = Party::new(role, common.directory.clone());
    part.record = common.record.clone().unwrap_or(part.record);
    part.secret = secret;
    part.stop = interrupt.flag();
    part.listeners.notice = Some(Arc::new(|process, notice| eprintln!("{process}: {notice}")));
    if common.verbose {
        part.listeners.event = Some(Arc::new(|process, kind| terminal::print(&format!("{process} {kind}\n"))));
    }
    let listening = |address: SocketAddr| terminal::print(&format!("{name} listens on {address}\n"));
    let came = part.take(&pipeline, listening)?;
    if came.reconciled > 0 {
        eprintln!("{name}: {} written from the stores", report::count(came.reconciled, "event"));
    }
    let rest = match came.ended {
        Ended::Drained => "came to rest",
        Ended::Stopped => "stopped, and left some in its stores",
    };
    eprintln!("{name}: {rest}; history: {}", part.record.display());
    Ok(match came.ended {
        Ended::Drained => Outcome::Kept,
        Ended::Stopped => Outcome::Interrupted,
    })
}

/// The secret from its file, else from the environment, else none.
fn secret(file: Option<&Path>) -> anyhow::Result<Secret> {
    let (text, from) = match file {
        Some(path) => (load::text(path, load::SECRET)?, path.display().to_string()),
        None => match std::env::var(SECRET) {
            Ok(text) => (text, SECRET.to_owned()),
            Err(std::env::VarError::NotPresent) => return Ok(Secret::default()),
            Err(error) => return Err(error).context(SECRET),
        },
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() < Secret::BYTES_MIN {
        bail!("{from}: found a secret of {} bytes; expected at least {}", text.len(), Secret::BYTES_MIN);
    }
    Ok(Secret::new(text))
}
