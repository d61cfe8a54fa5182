//! A broker of our own in this process that loses, repeats and forgets on command. It proves that the harness and the
//! findings notice each of these; without a switch it keeps every promise.
//!
//! Its disk is what survives [`Broker::kill`]; there is no queueing between clients and broker, so a call is answered at
//! once, or the connection is broken.

mod clients;
mod disk;
pub mod front;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::disk::Disk;
use crate::address::{Address, Scheme};
use crate::place::Place;
use crate::plan::Patience;
use crate::product::{Broken, Broker, Client, Missing, Product, Publisher, Receiver, Setting, Trouble};

/// What the fake does wrong. The words name settings of the product `fake`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Nothing.
    Honest,
    /// A kill loses the last acked records.
    LosesAckedOnKill,
    /// A power loss loses the last acked records; a kill does not.
    LosesAckedOnPower,
    /// A kill makes it forget the last confirmed settles.
    RepeatsSettled,
    /// The same, and no redelivery is marked.
    RepeatsSettledUnmarked,
    /// Redeliveries of what was not settled are not marked.
    DoesNotMark,
    /// A kill removes the queue with all that is in it.
    ForgetsQueue,
    /// It does not start again after a kill.
    DoesNotReturn,
    /// It does not recognise a retry.
    StoresRetries,
}

/// Waiting times for the fake, which answers at once.
pub const PATIENCE: Patience = Patience {
    answer: Duration::from_millis(200),
    lease: Duration::from_millis(100),
    idle: Duration::from_millis(50),
    rest: Duration::from_millis(400),
    round: Duration::from_secs(20),
};

/// The number of records or settles that a dishonest fake forgets.
pub const FORGOTTEN: usize = 5;

const SETTINGS: &[Setting] = &[
    Setting { name: "honest", means: "keeps every promise" },
    Setting { name: "loses-acked-on-kill", means: "a kill loses the last acked records" },
    Setting { name: "loses-acked-on-power", means: "a power loss loses the last acked records" },
    Setting { name: "repeats-settled", means: "a kill makes it forget the last confirmed settles" },
    Setting { name: "repeats-settled-unmarked", means: "the same, and no redelivery is marked" },
    Setting { name: "does-not-mark", means: "redeliveries are not marked" },
    Setting { name: "forgets-queue", means: "a kill removes the queue" },
    Setting { name: "does-not-return", means: "it does not start again after a kill" },
    Setting { name: "stores-retries", means: "it does not recognise a retry" },
];

const SWITCHES: [Switch; 9] = [
    Switch::Honest,
    Switch::LosesAckedOnKill,
    Switch::LosesAckedOnPower,
    Switch::RepeatsSettled,
    Switch::RepeatsSettledUnmarked,
    Switch::DoesNotMark,
    Switch::ForgetsQueue,
    Switch::DoesNotReturn,
    Switch::StoresRetries,
];

/// The fake as a product, with a setting for each switch.
pub struct Fake;

impl Product for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn scheme(&self) -> Scheme {
        Scheme { word: "fake", port: 1 }
    }

    fn client(
        &self,
        _setting: &Setting,
        address: &Address,
        _queue: &str,
        _patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        let why = "it is in this process, and listens nowhere".to_owned();
        Err(Trouble::Impossible { what: format!("a client of {address}"), why })
    }

    fn broker(&self, setting: &Setting, _place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let known = SETTINGS.iter().position(|it| it == setting).map(|index| SWITCHES[index]);
        Ok(Box::new(FakeBroker::new(known.unwrap_or(Switch::Honest), patience.answer)))
    }
}

/// What the broker's threads would share: here, what its clients reach.
struct Shared {
    disk: Mutex<Disk>,
    changed: Condvar,
    /// Which run of the broker this is; connections of earlier ones are broken. Even: it is down.
    run: AtomicU64,
    answer: Duration,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_up(&self) -> bool {
        self.run.load(Ordering::SeqCst) % 2 == 1
    }
}

/// The fake with its disk.
pub struct FakeBroker {
    shared: Arc<Shared>,
    was_killed: bool,
}

impl FakeBroker {
    /// A fake that does this wrong, with clients that wait this long for an answer.
    pub fn new(switch: Switch, answer: Duration) -> FakeBroker {
        let (disk, changed, run) = (Mutex::new(Disk::new(switch)), Condvar::new(), AtomicU64::new(0));
        FakeBroker { shared: Arc::new(Shared { disk, changed, run, answer }), was_killed: false }
    }

    fn end(&mut self, forget: impl FnOnce(&mut Disk)) {
        let mut disk = self.shared.lock();
        if self.shared.is_up() {
            self.shared.run.fetch_add(1, Ordering::SeqCst);
        }
        disk.paused = false;
        forget(&mut disk);
        drop(disk);
        self.was_killed = true;
        self.shared.changed.notify_all();
    }
}

impl Broker for FakeBroker {
    fn start(&mut self) -> Result<(), Trouble> {
        let disk = self.shared.lock();
        if self.was_killed && disk.switch == Switch::DoesNotReturn {
            return Err(Trouble::NotUp { why: "it was told not to return".to_owned() });
        }
        drop(disk);
        if !self.shared.is_up() {
            self.shared.run.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        self.end(Disk::crash);
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Trouble> {
        self.shared.lock().paused = true;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Trouble> {
        self.shared.lock().paused = false;
        self.shared.changed.notify_all();
        Ok(())
    }

    fn lose_power(&mut self) -> Result<(), Trouble> {
        self.end(Disk::lose_power);
        Ok(())
    }

    fn address(&self) -> Option<Address> {
        None
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::new(FakeClient(Arc::clone(&self.shared)))
    }
}

struct FakeClient(Arc<Shared>);

impl FakeClient {
    /// What an administrator asks the broker.
    fn ask<T>(&self, question: impl FnOnce(&mut Disk) -> T) -> Result<T, Broken> {
        let connection = clients::Connection::open(&self.0)?;
        let answer = connection.call(question);
        answer.ok_or_else(|| Broken("no answer".to_owned()))
    }
}

impl Client for FakeClient {
    fn version(&self) -> Result<Option<String>, Broken> {
        self.ask(|_| Some(env!("CARGO_PKG_VERSION").to_owned()))
    }

    fn remove(&self) -> Result<(), Broken> {
        self.ask(Disk::remove)
    }

    fn declare(&self) -> Result<(), Broken> {
        self.ask(|disk| disk.has_queue = true)
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        self.ask(|disk| disk.has_queue)
    }

    fn waiting(&self) -> Result<u64, Broken> {
        self.ask(|disk| disk.waiting())
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        Ok(Box::new(clients::Connection::open(&self.0)?))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        let connection = clients::Connection::open(&self.0)?;
        connection.call(Disk::release_all);
        Ok(Box::new(clients::Consuming { connection, taken: None }))
    }
}
