//! A campaign: rounds of one product with one setting under one kind of fault, and what they add up to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery_model::schedule::Schedule;

use crate::faults::Fault;
use crate::findings::{Finding, Judged, judged};
use crate::harness::{self, Plan, Planned, ProxyRoute};
use crate::place::Run;
use crate::plan::{Load, Patience};
use crate::product::{Broker, Product, Setting, Trouble};
use crate::proxy::Proxy;
use crate::scheduled;
use crate::user_server::UserServer;

/// What a campaign runs.
#[derive(Clone)]
pub struct Campaign {
    /// The product.
    pub product: &'static dyn Product,
    /// Its setting.
    pub setting: &'static Setting,
    /// The kind of fault, which strikes once a round.
    pub fault: &'static dyn Fault,
    /// The load.
    pub load: Load,
    /// The server that the user started; none: one is started for each round.
    pub server: Option<Arc<UserServer>>,
}

/// How much a campaign runs.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The number of rounds, each with a new broker.
    pub rounds: u64,
    /// The number of messages in a round.
    pub messages: u64,
    /// The waiting times of the parties.
    pub patience: Patience,
    /// The directory for the histories of rounds with findings; none: they are not kept.
    pub record: Option<PathBuf>,
    /// The faults of every round, and its number of messages; none: one fault a round.
    pub schedule: Option<Schedule>,
}

/// What the rounds of a campaign add up to.
#[derive(Clone, Default)]
pub struct Sums {
    /// Rounds that were run.
    pub rounds: u64,
    /// Acked messages.
    pub acked: u64,
    /// Confirmed settles.
    pub settled: u64,
    /// Acked messages that never arrived.
    pub lost: u64,
    /// Deliveries after a confirmed settle.
    pub again: u64,
    /// Those of them that were not marked.
    pub again_unmarked: u64,
    /// Records of messages that were delivered by another record before: they are stored more than once.
    pub repeated: u64,
    /// The number of rounds with each finding.
    pub findings: BTreeMap<Finding, u64>,
    /// Rounds in which the fault did not strike, because its point was not reached.
    pub not_struck: u64,
    /// Why the broker did not come back, the first time.
    pub not_returned: Option<String>,
    /// The first round that broke what a broker promises, and what it broke.
    pub first_broken: Option<(Plan, Finding)>,
}

impl Sums {
    /// The number of rounds with this finding.
    pub fn rounds_with(&self, finding: Finding) -> u64 {
        self.findings.get(&finding).copied().unwrap_or(0)
    }

    fn add(&mut self, plan: &Plan, round: &harness::Round, judged: &Judged) {
        self.rounds += 1;
        self.acked += judged.counts().acked;
        self.settled += judged.counts().settled;
        self.lost += judged.lost;
        self.again += judged.again;
        self.repeated += judged.repeated;
        self.again_unmarked += judged.again_unmarked;
        self.not_struck += u64::from(!round.left_out.is_empty());
        for &finding in &judged.findings {
            *self.findings.entry(finding).or_default() += 1;
        }
        if self.first_broken.is_none() {
            let broken = judged.findings.iter().find(|finding| finding.breaks());
            self.first_broken = broken.map(|&finding| (plan.clone(), finding));
        }
        if self.not_returned.is_none() {
            self.not_returned.clone_from(&round.came_back.lost);
        }
    }
}

impl Campaign {
    /// Its name, such as `redis everysec, kill, lags`.
    pub fn name(&self) -> String {
        format!("{} {}, {}, {}", self.product.name(), self.setting.name, self.fault.name(), self.load)
    }

    /// Runs the rounds, and tells after each that it is done. When the interrupt is raised, the round at work does not
    /// count.
    pub fn run(
        &self,
        extent: &Extent,
        run: &Run,
        interrupt: &AtomicBool,
        done: &(dyn Fn() + Sync),
    ) -> Result<Sums, Trouble> {
        let mut sums = Sums::default();
        for round in 0..extent.rounds {
            let plan = self.plan(round, extent)?;
            let (ran, judged) = self.round(&plan, run, interrupt)?;
            if interrupt.load(Ordering::SeqCst) {
                break;
            }
            sums.add(&plan, &ran, &judged);
            if let Some(directory) = extent.record.as_ref().filter(|_| !judged.findings.is_empty()) {
                let path = directory.join(format!("{}-{}.jsonl", self.file_stem(), round + 1));
                File::create(&path)
                    .and_then(|file| ran.history.write(BufWriter::new(file)))
                    .map_err(Trouble::file(&path))?;
            }
            done();
        }
        Ok(sums)
    }

    /// Runs one round with a new broker.
    pub fn round(&self, plan: &Plan, run: &Run, interrupt: &AtomicBool) -> Result<(harness::Round, Judged), Trouble> {
        let directory = run.directory()?;
        let mut broker = self.broker(plan, run, &directory)?;
        let route = self.route(&*broker, plan)?;
        let ran = harness::round(&mut *broker, route.as_ref(), plan, &directory, interrupt);
        drop(broker);
        // What is left of it is removed with the run.
        let _ = std::fs::remove_dir_all(&directory);
        let ran = ran?;
        let judged = judged(&ran, self.product.recognises_retries(self.setting));
        Ok((ran, judged))
    }

    fn broker(&self, plan: &Plan, run: &Run, directory: &Path) -> Result<Box<dyn Broker>, Trouble> {
        match &self.server {
            Some(server) => Ok(Box::new(server.broker(self.product, self.setting, plan.patience)?)),
            None => {
                let own = plan.faults.iter().any(|planned| planned.fault.needs_own_file_system());
                self.product.broker(self.setting, run.place(directory, own)?, plan.patience)
            }
        }
    }

    /// The way through a proxy, where a fault is on the wire.
    fn route(&self, broker: &dyn Broker, plan: &Plan) -> Result<Option<ProxyRoute>, Trouble> {
        let is_needed = plan.faults.iter().any(|planned| planned.fault.on_the_wire().is_some());
        let frames = self.product.frames().filter(|_| is_needed);
        let (Some(frames), Some(server)) = (frames, broker.address()) else { return Ok(None) };
        let proxy = Proxy::open(server, frames)?;
        let client = self.product.client(self.setting, &proxy.address(), broker.queue(), plan.patience)?;
        Ok(Some(ProxyRoute { proxy, client }))
    }

    /// The faults that the schedule gives. Without one, the point of the fault moves through the second half of the
    /// messages, one round after another, so that it does not depend on a draw.
    fn plan(&self, round: u64, extent: &Extent) -> Result<Plan, Trouble> {
        let Some(schedule) = &extent.schedule else {
            let half = extent.messages / 2;
            let nth = half + (round + 1) * half / (extent.rounds + 1);
            let at = self.fault.at(self.load);
            return Ok(self.planned(
                extent.messages,
                vec![Planned { fault: self.fault, at, nth: nth.max(1), of: None }],
                extent,
            ));
        };
        let faults = scheduled::planned(schedule, self.fault)
            .map_err(|why| Trouble::Impossible { what: "the schedule".to_owned(), why: why.to_string() })?;
        Ok(self.planned(schedule.messages.into(), faults, extent))
    }

    fn planned(&self, messages: u64, faults: Vec<Planned>, extent: &Extent) -> Plan {
        Plan { name: self.name(), messages, load: self.load, faults, patience: extent.patience }
    }

    /// The product, its setting, the fault and the load as a file name without an ending.
    pub fn file_stem(&self) -> String {
        [self.product.name(), self.setting.name, self.fault.name(), self.load.word()].join("-")
    }
}
