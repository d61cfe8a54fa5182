//! beanstalkd: one tube of jobs, each with the same time to run.
//!
//! `put` is a publish, and `INSERTED` the ack; beanstalkd recognises no retry. `reserve-with-timeout` is a delivery, whose
//! job the time to run protects like a lease, in whole seconds. `delete` is the settle, and `DELETED` confirms it.
//!
//! A delivery bears no mark. A consumer can ask for the job's statistics, which count how often it was reserved, so this
//! one does. The count is in memory: after a restart it begins anew, as of the last time that the job was written.
//!
//! A tube exists as soon as a client names it, so only its jobs can be lost.

mod clients;
mod connection;

use std::sync::Arc;

use rustix::process::Signal;

use self::clients::Reach;
use crate::address::{Address, Scheme};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, find, said};
use crate::product::{Broker, Client, Missing, Product, Setting, Trouble};
use crate::server::Server;

const SCHEME: Scheme = Scheme { word: "beanstalk", port: 11300 };

const PROGRAM: &str = "beanstalkd";
const BINLOG: &str = "binlog";
const BINLOG_ALWAYS: &str = "binlog-always";

const SETTINGS: &[Setting] = &[
    Setting { name: "default", means: "without -b, as Debian starts it: jobs are in memory alone" },
    Setting { name: BINLOG, means: "-b DIR: a binlog, synced at most every 50 ms, which is the default with -b" },
    Setting { name: BINLOG_ALWAYS, means: "-b DIR -f 0: a binlog, synced at every write" },
];

/// The product.
pub struct Beanstalkd;

impl Product for Beanstalkd {
    fn name(&self) -> &'static str {
        "beanstalkd"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let missing = Missing { what: PROGRAM.to_owned(), install: "apt-get install beanstalkd" };
        let said = said(PROGRAM, &["/usr/bin"], "-v").ok_or_else(|| missing.clone())?;
        said.strip_prefix("beanstalkd ").map(str::to_owned).ok_or(missing)
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let port = free_port()?;
        let mut arguments: Vec<String> = ["-l", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned).into();
        if [BINLOG, BINLOG_ALWAYS].contains(&setting.name) {
            arguments.extend(["-b".to_owned(), place.data.to_string_lossy().into_owned()]);
        }
        if setting.name == BINLOG_ALWAYS {
            arguments.extend(["-f", "0"].map(str::to_owned));
        }
        let program = find(PROGRAM, &["/usr/bin"]).unwrap_or_else(|| PROGRAM.into());
        let launch = Launch { program, arguments, user: None, farewell: Signal::KILL };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn client(
        &self,
        _setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        Ok(Arc::new(Reach { address: address.clone(), tube: queue.to_owned(), patience }))
    }
}
