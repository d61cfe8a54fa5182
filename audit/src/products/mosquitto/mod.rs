//! Mosquitto, by MQTT 3.1.1: one topic filter, one session that outlives its connections.
//!
//! QoS 1: PUBACK is the ack; a publish is tried again as a new one. QoS 2: PUBCOMP is the ack, and a publish that was left
//! unfinished goes on where it stood, under its packet id. To the broker, a PUBACK or a PUBREC is the settle. A PUBREC is
//! confirmed by PUBREL; a PUBACK by nothing in MQTT, so a PINGREQ follows it, and its PINGRESP says that the broker has
//! read both. MQTT has no refusal: a broker over its limits acks a message and drops it.

mod clients;
mod connection;

use std::sync::Arc;

use mqttbytes::QoS;
use rustix::process::Signal;

use self::clients::Reach;
use crate::address::{Address, Scheme};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, find};
use crate::product::{Broker, Client, Missing, Product, Setting, Trouble};
use crate::proxy::{NewFrames, mqtt};
use crate::server::Server;

const SETTINGS: &[Setting] = &[
    Setting { name: "qos1", means: "QoS 1; persistence true, as Debian has it: saved every 1,800 s" },
    Setting { name: "qos2", means: "QoS 2; persistence true, as Debian has it: saved every 1,800 s" },
    Setting { name: "qos1-saving", means: "QoS 1; persistence true; autosave_on_changes true; autosave_interval 1" },
    Setting { name: "qos2-saving", means: "QoS 2; persistence true; autosave_on_changes true; autosave_interval 1" },
];

const SCHEME: Scheme = Scheme { word: "mqtt", port: 1883 };

/// What clients decide.
const AS_FOUND: &[Setting] = &[
    Setting { name: "qos1", means: "QoS 1; the server's own settings, which the audit does not know" },
    Setting { name: "qos2", means: "QoS 2; the server's own settings, which the audit does not know" },
];

/// The product.
pub struct Mosquitto;

impl Product for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let missing = Missing { what: "mosquitto".to_owned(), install: "apt-get install mosquitto" };
        let file = find("mosquitto", &["/usr/sbin"]).ok_or_else(|| missing.clone())?;
        // Asked for help, which tells the version, it ends with the status 3.
        let said = std::process::Command::new(file).arg("-h").output().map_err(|_| missing.clone())?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let word = said.lines().find_map(|line| line.strip_prefix("mosquitto version "));
        word.map(|word| word.trim().to_owned()).ok_or(missing)
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let port = free_port()?;
        let mut lines = vec![
            format!("listener {port} 127.0.0.1"),
            "allow_anonymous true".to_owned(),
            // It would become another user, who may not write here; whoever is not root does not change.
            "user root".to_owned(),
            // Else each exchange waits some 40 ms for a delayed acknowledgement of TCP. It has nothing to do with what is kept.
            "set_tcp_nodelay true".to_owned(),
            "persistence true".to_owned(),
            format!("persistence_location {}/", place.data.display()),
        ];
        if setting.name.ends_with("-saving") {
            lines.extend(["autosave_on_changes true", "autosave_interval 1"].map(str::to_owned));
        }
        let configuration = place.logs.join("mosquitto.conf");
        std::fs::write(&configuration, lines.join("\n") + "\n").map_err(Trouble::file(&configuration))?;
        let launch = Launch {
            program: find("mosquitto", &["/usr/sbin"]).unwrap_or_else(|| "mosquitto".into()),
            arguments: vec!["-c".to_owned(), configuration.to_string_lossy().into_owned()],
            user: None,
            farewell: Signal::KILL,
        };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn frames(&self) -> Option<NewFrames> {
        Some(|| Box::<mqtt::Mqtt>::default())
    }

    fn numbers_records(&self) -> bool {
        false
    }

    /// At QoS 2, by the packet id of what was left unfinished.
    fn recognises_retries(&self, setting: &Setting) -> bool {
        setting.name.starts_with("qos2")
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
        let qos = if setting.name.starts_with("qos2") { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
        Ok(Arc::new(Reach::new(address.clone(), queue, qos, patience.answer)))
    }
}
