//! A consumer, or a producer, and the broker's end of its connection.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use delivery_impls::core::report::Report;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::driver::faults::Injector;
use delivery_impls::driver::link::{Limits, Link};
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, loopback_tuning};
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::driver::{LOOPBACK, Observer};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{PlannedFault, Point, StepWord};
use delivery_model::vocab::{EventKind, Fault, MessageId};

/// Far longer than anything here takes.
const HUNG: Duration = Duration::from_secs(20);

/// Passes on what happened.
pub struct Events(pub Mutex<Sender<EventKind>>);

impl Observer for Events {
    fn observe(&self, _: &str, report: &Report) -> io::Result<()> {
        let _ = self.0.lock().expect("no panic").send(report.kind);
        Ok(())
    }

    fn notice(&self, _: &str, _: &dyn Display) {}
}

/// How a party is started.
pub struct Setup {
    pub toml: String,
    pub tuning: Tuning,
    /// The faults that strike it.
    pub faults: Vec<PlannedFault>,
}

impl Setup {
    /// A party that has a process of its own, of a pipeline with these settings.
    pub fn new(toml: &str) -> Setup {
        let toml = format!("name = \"orders\"\n{toml}");
        Setup { toml, tuning: loopback_tuning(), faults: Vec::new() }
    }

    /// The first time that it takes this step with message 1, this fault strikes.
    pub fn struck_by(self, fault: Fault, step: StepWord) -> Setup {
        let at = Point { step, message: Some(MessageId(1)), nth: 1 };
        Setup { faults: vec![PlannedFault::new(fault, at)], ..self }
    }
}

pub struct Served {
    link: Link,
    said: Receiver<ToBroker>,
    listener: TcpListener,
    limits: Limits,
    stop: Arc<AtomicBool>,
    pub events: Receiver<EventKind>,
    pub party: JoinHandle<Result<Ended, DriverError>>,
}

impl Served {
    /// Starts a party on stores that are left as `leave` leaves them, and takes its connection.
    pub fn start(
        setup: Setup,
        leave: impl FnOnce(&Stores),
        party: impl FnOnce(&Run, SocketAddr) -> Result<Ended, DriverError> + Send + 'static,
    ) -> Served {
        let pipeline = Pipeline::from_toml(&setup.toml, "orders").expect("a pipeline");
        let directory = tempfile::tempdir().expect("a directory");
        let (event, events) = channel();
        let observer = Arc::new(Events(Mutex::new(event)));
        let stores = Stores::in_directory(directory.path());
        leave(&stores);
        let mut run = Run::new(pipeline, setup.tuning, stores, observer, Deployment::Apart);
        run.injector = Injector::new(&setup.faults, 1).expect("a run can suffer them");
        let stop = Arc::clone(&run.stop);
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let (limits, address) = (run.limits, listener.local_addr().expect("it listens"));
        let party = thread::spawn(move || {
            let _directory = directory;
            party(&run, address)
        });
        let (link, said) = accept(&listener, limits);
        Served { link, said, listener, limits, stop, events, party }
    }

    /// Cuts the connection off and takes the next one.
    pub fn hang_up(&mut self) {
        self.link.cut();
        self.accept_again();
    }

    /// Takes the next connection, after the party has ended the last one.
    pub fn accept_again(&mut self) {
        (self.link, self.said) = accept(&self.listener, self.limits);
    }

    pub fn say(&self, said: &FromBroker) {
        self.link.send_now(&said.encode());
    }

    pub fn hear(&self) -> ToBroker {
        self.said.recv_timeout(HUNG).expect("the party says something")
    }

    /// The first of what it says from now on that is of this kind.
    pub fn hear_some<T>(&self, of: impl Fn(ToBroker) -> Option<T>) -> T {
        loop {
            if let Some(wanted) = of(self.hear()) {
                return wanted;
            }
        }
    }

    /// It says nothing for so long, and does not hang up.
    pub fn waits_for(&self, time: Duration) {
        assert_eq!(self.said.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    }

    /// The first of what happens from now on that is of this kind.
    pub fn see_some<T>(&self, of: impl Fn(EventKind) -> Option<T>) -> T {
        loop {
            if let Some(wanted) = of(self.events.recv_timeout(HUNG).expect("it goes on")) {
                return wanted;
            }
        }
    }

    /// Asks it to leave.
    pub fn ask_to_leave(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Waits until it has ended by itself.
    pub fn ended(self) -> Result<Ended, DriverError> {
        self.party.join().expect("no panic")
    }

    pub fn end(self) {
        self.ask_to_leave();
        drop(self.link);
        self.party.join().expect("no panic").expect("no failure");
    }
}

fn accept(listener: &TcpListener, limits: Limits) -> (Link, Receiver<ToBroker>) {
    let (stream, _) = listener.accept().expect("it connects");
    let (heard, said) = channel();
    let link = Link::start("broker", stream, limits, move |bodies| {
        let said = |body: &Vec<u8>| ToBroker::decode(body).expect("as in the table");
        bodies.is_ok_and(|bodies| bodies.iter().all(|body| heard.send(said(body)).is_ok()))
    });
    (link.expect("two threads"), said)
}
