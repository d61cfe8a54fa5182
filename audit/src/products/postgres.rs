//! PostgreSQL as a queue: a table of messages, taken with `FOR UPDATE SKIP LOCKED`.
//!
//! A publish is an insert that is committed; a unique message recognises a retry. A delivery locks a row, a settle marks it
//! as done and commits. A consumer that crashes rolls back, so its redelivery bears no mark.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio_postgres::{Config, NoTls};

use crate::address::{Address, Scheme};
use crate::clock::{Deadline, GLANCE, pass};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, find, run};
use crate::product::{
    Broken, Broker, Client, Delivery, Missing, Product, Published, Publisher, Receiver, Setting, Settled, Trouble,
    body, message,
};
use crate::proxy::{NewFrames, postgres};
use crate::server::Server;
use crate::wire::Wire;

/// The server refuses to run as root, so it runs as the user of Debian's package.
const USER: &str = "postgres";

const SETTINGS: &[Setting] = &[
    Setting { name: "default", means: "synchronous_commit = on" },
    Setting { name: "async-commit", means: "synchronous_commit = off" },
];

const SCHEME: Scheme = Scheme { word: "postgres", port: 5432 };

/// The product.
pub struct Postgres;

/// The directory of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name().and_then(|name| name.to_string_lossy().parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| number(path));
    let debian = newest.map(|path| path.join("bin")).filter(|bin| bin.join("initdb").is_file());
    debian.or_else(|| find("initdb", &[])?.parent().map(Path::to_path_buf))
}

fn program(name: &str) -> Result<String, Missing> {
    let missing = Missing { what: "PostgreSQL's server".to_owned(), install: "apt-get install postgresql" };
    programs().map(|bin| bin.join(name).to_string_lossy().into_owned()).ok_or(missing)
}

impl Product for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let said = run(&program("postgres")?, &["--version"]).unwrap_or_default();
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        Ok(said.split_whitespace().nth(2).unwrap_or("of an unknown version").to_owned())
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let missing = |missing: Missing| Broken(missing.to_string());
        let (initdb, server) = (program("initdb").map_err(missing)?, program("postgres").map_err(missing)?);
        let data = place.data.to_string_lossy().into_owned();
        let user = rustix::process::geteuid().is_root().then_some(USER);
        place.copy_of_shared("postgres", |made| initialise(&initdb, made, user))?;
        let port = free_port()?;
        let commits = if setting.name == "async-commit" { "off" } else { "on" };
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("synchronous_commit={commits}"),
        ];
        let mut arguments = vec!["-D".to_owned(), data];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        // An immediate shutdown: the server removes its shared memory.
        let launch = Launch { program: server.into(), arguments, user, farewell: Signal::QUIT };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn frames(&self) -> Option<NewFrames> {
        Some(|| Box::<postgres::Postgres>::default())
    }

    /// By the unique message.
    fn recognises_retries(&self, _setting: &Setting) -> bool {
        true
    }

    fn client(
        &self,
        _setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        let mut config: Config = address.clone().or(USER, None, "postgres").url().parse().map_err(Broken::by)?;
        config.connect_timeout(patience.answer);
        Ok(Arc::new(Reach { config, table: queue.into(), answer: patience.answer }))
    }
}

/// Makes a new cluster in this directory.
fn initialise(initdb: &str, directory: &Path, user: Option<&str>) -> Result<(), Trouble> {
    let data = directory.to_string_lossy();
    let words = ["-D", &data, "-U", USER, "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"];
    let Some(user) = user else { return run(initdb, &words).map(drop) };
    run("chown", &[user, &data])?;
    let as_user = ["--reuid", user, "--regid", user, "--init-groups", "--", initdb];
    run("setpriv", &[&as_user[..], &words].concat()).map(drop)
}

struct Reach {
    config: Config,
    table: Arc<str>,
    answer: Duration,
}

/// One connection.
struct Connection {
    client: tokio_postgres::Client,
    table: Arc<str>,
    // Last, so that it ends after what uses it.
    wire: Wire,
}

impl Reach {
    fn connect(&self) -> Result<Connection, Broken> {
        let wire = Wire::new(self.answer)?;
        let (client, connection) = wire.call(self.config.connect(NoTls))?;
        wire.spawn(async move {
            // Its error is told to whoever makes the next call.
            let _ = connection.await;
        });
        Ok(Connection { client, table: Arc::clone(&self.table), wire })
    }
}

impl Client for Reach {
    fn version(&self) -> Result<Option<String>, Broken> {
        let Connection { client, wire, .. } = self.connect()?;
        let row = wire.call(client.query_one("SHOW server_version", &[]))?;
        // "15.18 (Debian 15.18-0+deb12u1)"
        Ok(row.get::<_, String>(0).split_whitespace().next().map(str::to_owned))
    }

    fn declare(&self) -> Result<(), Broken> {
        let Connection { client, table, wire } = self.connect()?;
        let columns = "position bigserial PRIMARY KEY, body text NOT NULL UNIQUE, done boolean NOT NULL DEFAULT false";
        wire.call(client.batch_execute(&format!("CREATE TABLE IF NOT EXISTS {table} ({columns})")))
    }

    /// Whoever still has a row of it locked is gone, or will be soon.
    fn remove(&self) -> Result<(), Broken> {
        let Connection { client, table, wire } = self.connect()?;
        wire.call(client.batch_execute(&format!("DROP TABLE IF EXISTS {table}")))
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        let Connection { client, table, wire } = self.connect()?;
        let row = wire.call(client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&&*table]))?;
        Ok(row.get(0))
    }

    fn waiting(&self) -> Result<u64, Broken> {
        let Connection { client, table, wire } = self.connect()?;
        let row = wire.call(client.query_one(&format!("SELECT count(*) FROM {table} WHERE NOT done"), &[]))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        Ok(Box::new(self.connect()?))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        Ok(Box::new(Consuming { connection: self.connect()?, at_work: None }))
    }
}

impl Publisher for Connection {
    fn publish(&mut self, message: u64) -> Published {
        let Connection { client, table, wire } = self;
        let recognise = "ON CONFLICT (body) DO UPDATE SET body = excluded.body RETURNING position";
        let insert = format!("INSERT INTO {table} (body) VALUES ($1) {recognise}");
        let body = body(message);
        let inserted = wire.call(async {
            Ok::<_, String>(match client.query_one(&insert, &[&body]).await {
                Ok(row) => Published::Acked(Some(row.get::<_, i64>(0).unsigned_abs())),
                // An error that the server reports rolls the transaction back.
                Err(error) if error.as_db_error().is_some() && !client.is_closed() => {
                    Published::Refused(error.to_string())
                }
                Err(error) => Published::Unknown(error.to_string()),
            })
        });
        inserted.unwrap_or_else(|Broken(why)| Published::Unknown(why))
    }
}

struct Consuming {
    connection: Connection,
    at_work: Option<i64>,
}

impl Consuming {
    fn take(&mut self) -> Result<Option<Delivery>, Broken> {
        let Connection { client, table, wire } = &self.connection;
        let first = "WHERE NOT done ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED";
        let take = format!("SELECT position, body FROM {table} {first}");
        wire.call(client.batch_execute("BEGIN"))?;
        let Some(row) = wire.call(client.query_opt(&take, &[]))? else {
            wire.call(client.batch_execute("ROLLBACK"))?;
            return Ok(None);
        };
        let (at, body): (i64, String) = (row.get(0), row.get(1));
        self.at_work = Some(at);
        Ok(Some(Delivery { message: message(body.as_bytes())?, position: Some(at.unsigned_abs()), marked: false }))
    }
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        let end = Deadline::after(wait);
        loop {
            let taken = self.take()?;
            if taken.is_some() || end.has_passed() {
                return Ok(taken);
            }
            // A table tells nobody that it has a new row.
            pass(GLANCE.min(end.left()) / 10, &std::sync::atomic::AtomicBool::new(false));
        }
    }

    fn settle(&mut self) -> Settled {
        let Some(at) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        let Connection { client, table, wire } = &self.connection;
        let done = wire.call(async {
            client.execute(&format!("UPDATE {table} SET done = true WHERE position = $1"), &[&at]).await?;
            client.batch_execute("COMMIT").await
        });
        done.map_or_else(|Broken(why)| Settled::Unknown(why), |()| Settled::Confirmed)
    }
}
