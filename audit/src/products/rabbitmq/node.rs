//! A RabbitMQ node that no other node can reach, and that ends together with all processes that it starts.
//!
//! A node runs in an Erlang virtual machine, and registers its name with the daemon epmd. By itself it would start that
//! daemon, which would outlive it. So an epmd on a port of its own is started first, as a child process of the node.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::clock;
use crate::place::{Place, free_port};
use crate::process::{Launch, Process, find};
use crate::product::{Broken, Client, Missing, Trouble};
use crate::server::UP_MAX;

/// The name of every node: it is part of their data, which is copied. Each has an epmd of its own, so they do not clash.
const NAME: &str = "audit@localhost";

/// Debian's script without the wrapper around it, which would change the user and the directories.
const DEBIAN: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Starts epmd until one answers, as somebody may hold its port for a moment, and becomes the program that is its argument.
/// A node that finds none would start one that outlives it.
const SCRIPT: &str = "until epmd -names >/dev/null 2>&1; do\n\
                        test -n \"$own\" && kill -0 $own 2>/dev/null || {\n\
                          setpriv --pdeathsig KILL epmd -address 127.0.0.1 &\n\
                          own=$!\n\
                        }\n\
                      done\n\
                      exec \"$1\"";

/// The programs that are needed.
pub struct Programs {
    /// The script that starts a node, in the directory of its version.
    pub server: PathBuf,
}

/// The programs, where all of them are installed.
pub fn programs() -> Result<Programs, Missing> {
    let missing = |what: &str| Missing { what: what.to_owned(), install: "apt-get install rabbitmq-server" };
    let debian = Some(PathBuf::from(DEBIAN)).filter(|file| file.is_file());
    let server = debian.or_else(|| find("rabbitmq-server", &[])).ok_or_else(|| missing("rabbitmq-server"))?;
    find("epmd", &[]).ok_or_else(|| missing("epmd of Erlang"))?;
    Ok(Programs { server: server.canonicalize().unwrap_or(server) })
}

/// A node and its ports.
pub struct Node {
    server: PathBuf,
    /// For clients.
    port: u16,
    /// For other nodes, of which there are none.
    distribution: u16,
    /// For epmd.
    names: u16,
}

impl Node {
    /// A node whose clients come to this port of the loopback address.
    pub fn new(port: u16) -> Result<Node, Trouble> {
        let Programs { server } = programs().map_err(|missing| Broken(missing.to_string()))?;
        Ok(Node { server, port, distribution: free_port()?, names: free_port()? })
    }

    /// What starts it with its data below `data`, and configuration and cookie below `logs`.
    pub fn launch(&self, data: &Path, logs: &Path) -> Result<Launch, Trouble> {
        let configuration = [
            ("rabbitmq.conf", format!("listeners.tcp.default = 127.0.0.1:{}\nheartbeat = 0\n", self.port)),
            ("rabbitmq-env.conf", String::new()),
            ("advanced.config", "[].\n".to_owned()),
            ("enabled_plugins", "[].\n".to_owned()),
        ];
        for (name, text) in configuration {
            let path = logs.join(name);
            std::fs::write(&path, text).map_err(Trouble::file(&path))?;
        }
        let at = |name: &str| logs.join(name).to_string_lossy().into_owned();
        let variables = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("LANG", "C.UTF-8".to_owned()),
            ("HOME", logs.to_string_lossy().into_owned()),
            ("ERL_EPMD_PORT", self.names.to_string()),
            ("RABBITMQ_NODENAME", NAME.to_owned()),
            ("RABBITMQ_DIST_PORT", self.distribution.to_string()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
            ("RABBITMQ_MNESIA_BASE", data.to_string_lossy().into_owned()),
            ("RABBITMQ_LOG_BASE", logs.to_string_lossy().into_owned()),
            // To the standard output.
            ("RABBITMQ_LOGS", "-".to_owned()),
            ("RABBITMQ_CONFIG_FILE", at("rabbitmq")),
            ("RABBITMQ_CONFIG_FILES", at("none/*.conf")),
            ("RABBITMQ_CONF_ENV_FILE", at("rabbitmq-env.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins")),
            // The script becomes the node, instead of waiting for it.
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ];
        let mut arguments = vec!["-i".to_owned()];
        arguments.extend(variables.map(|(name, value)| format!("{name}={value}")));
        arguments.extend(["sh", "-c", SCRIPT, "sh"].map(str::to_owned));
        arguments.push(self.server.to_string_lossy().into_owned());
        Ok(Launch { program: "env".into(), arguments, user: None, farewell: Signal::KILL })
    }

    /// Fills the place with the data of a node that was started once, had `prepare` done to it, and was shut down. That is
    /// done once in an audit for each `name`. So a fault cannot lose what a node writes when it starts for the first time.
    pub fn make_once(
        &self,
        place: &Place,
        name: &str,
        client: &dyn Client,
        prepare: impl Fn() -> Result<(), Broken>,
    ) -> Result<(), Trouble> {
        let made = place.copy_of_shared(&format!("rabbitmq-{name}"), |made| {
            let log = place.logs.join("making.log");
            let mut process = Process::start(&self.launch(made, &place.logs)?, &log, &place.notes)?;
            let mut last = Err(Broken("it ended".to_owned()));
            clock::until(UP_MAX, || {
                last = client.has_queue();
                last.is_ok() || process.ended().is_some()
            });
            last?;
            prepare()?;
            if process.end_within(Signal::TERM, UP_MAX) {
                return Ok(());
            }
            Err(Trouble::NotUp { why: "its first node does not end when it is told to".to_owned() })
        })?;
        let [from, to] = [&made, &place.data].map(|path| path.to_string_lossy().into_owned());
        moved(&place.data, &from, &to)
    }
}

/// Replaces the directory in the configuration of each quorum queue of copied data, which holds the absolute path.
fn moved(data: &Path, from: &str, to: &str) -> Result<(), Trouble> {
    let queues = std::fs::read_dir(data.join(NAME).join("quorum").join(NAME)).into_iter().flatten().flatten();
    for path in queues.map(|queue| queue.path().join("config")).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).map_err(Trouble::file(&path))?;
        std::fs::write(&path, text.replace(from, to)).map_err(Trouble::file(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::Write;
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    /// It ended where its port was held for a moment, and the node started one of its own, which stayed.
    #[test]
    fn epmd_is_started_until_its_port_is_free() {
        let Ok(mut node) = free_port().and_then(Node::new) else {
            // To the terminal, also where the output of tests that pass is not shown.
            let _ =
                writeln!(std::io::stderr(), "left out: epmd_is_started_until_its_port_is_free: no RabbitMQ is here");
            return;
        };
        let place = tempfile::tempdir().unwrap();
        let [data, logs, program] = ["data", "logs", "program"].map(|name| place.path().join(name));
        std::fs::create_dir(&logs).unwrap();
        std::fs::write(&program, "#!/bin/sh\nepmd -names\n").unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        node.server = program;
        let held = TcpListener::bind(("127.0.0.1", node.names)).unwrap();
        held.set_nonblocking(true).unwrap();
        let log = logs.join("server.log");
        let mut process = Process::start(&node.launch(&data, &logs).unwrap(), &log, place.path()).unwrap();
        // Each is a question to epmd, and ends without an answer.
        for _ in 0..5 {
            assert!(clock::until(Duration::from_secs(20), || held.accept().is_ok()));
        }
        drop(held);
        assert!(clock::until(Duration::from_secs(20), || process.ended().is_some()));
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("epmd: up and running"), "{said}");
    }
}
