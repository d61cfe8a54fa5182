//! The broker of this project, as the process that `delivery broker` starts: one log, one group.
//!
//! A `reply` is the ack, `settled` confirms a settle. Where the pipeline numbers messages, the broker recognises a retry.

mod clients;
mod connection;

use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::Signal;

use self::clients::Reach;
use crate::address::{Address, Scheme};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, find, run};
use crate::product::{Broker, Client, Missing, Product, Setting, Trouble};
use crate::proxy::{NewFrames, delivery};
use crate::server::Server;

const SETTINGS: &[Setting] = &[
    Setting { name: "exactly-once", means: "the preset exactly-once: messages are numbered" },
    Setting { name: "at-least-once", means: "the preset at-least-once: messages have no identity" },
    Setting { name: "on-receipt", means: "as exactly-once, but acks = \"on-receipt\": acked before it is stored" },
];

/// The broker's port where none is said: that of `delivery broker`.
const SCHEME: Scheme = Scheme { word: "delivery", port: 7117 };

/// What clients decide. The broker has one log and one group, so it must be one that nobody else uses.
const AS_FOUND: &[Setting] = &[
    Setting { name: "numbered", means: "messages are numbered; the broker's pipeline is its own" },
    Setting { name: "unnumbered", means: "messages have no identity; the broker's pipeline is its own" },
];

/// The pipeline of the setting `on-receipt`, which promises nothing.
const ON_RECEIPT: &str = r#"name = "on-receipt"

[producer]
attempts   = "until-acked"
identity   = "sequence"
on-restart = "outbox"

[broker]
acks  = "on-receipt"
dedup = "sequence"

[consumer]
settles   = "after-effect"
remembers = "with-effect"
"#;

/// The product.
pub struct Delivery;

/// The program that runs if it is the command, else one that is installed or built beside it.
fn program() -> Option<PathBuf> {
    let running = std::env::current_exe().ok()?;
    if running.file_stem().is_some_and(|name| name == "delivery") {
        return Some(running);
    }
    // A test's program is in a directory below that of the command.
    let built = running.parent()?.parent()?.to_string_lossy().into_owned();
    find("delivery", &[&built])
}

impl Product for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let missing = Missing { what: "delivery".to_owned(), install: "cargo install --path proofs" };
        let said = program().and_then(|file| run(&file.to_string_lossy(), &["--version"]).ok());
        let said = said.ok_or_else(|| missing.clone())?;
        said.strip_prefix("delivery ").map(str::to_owned).ok_or(missing)
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let port = free_port()?;
        let data = place.data.to_string_lossy().into_owned();
        let mut pipeline = setting.name.to_owned();
        if setting.name == "on-receipt" {
            let file = place.logs.join("on-receipt.toml");
            std::fs::write(&file, ON_RECEIPT).map_err(Trouble::file(&file))?;
            pipeline = file.to_string_lossy().into_owned();
        }
        let arguments = ["broker", &pipeline, "--directory", &data, "--listen", &format!("127.0.0.1:{port}")];
        let launch = Launch {
            program: program().unwrap_or_else(|| "delivery".into()),
            arguments: arguments.map(str::to_owned).into(),
            user: None,
            farewell: Signal::KILL,
        };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn frames(&self) -> Option<NewFrames> {
        Some(|| Box::<delivery::Delivery>::default())
    }

    fn has_one_queue(&self) -> bool {
        true
    }

    fn recognises_retries(&self, setting: &Setting) -> bool {
        is_numbered(setting)
    }

    fn as_found(&self) -> &'static [Setting] {
        AS_FOUND
    }

    fn client(
        &self,
        setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        Ok(Arc::new(Reach::new(address.clone(), queue, patience.answer, is_numbered(setting))))
    }
}

fn is_numbered(setting: &Setting) -> bool {
    !matches!(setting.name, "at-least-once" | "unnumbered")
}
