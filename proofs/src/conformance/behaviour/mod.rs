//! What the settings promise, asked of one party alone: short exchanges, each with a name and the property that it is
//! about.
//!
//! A simulation may never come to a certain exchange; here each is made on purpose. What the settings do not promise is
//! not asked. Of groups that follow a cursor (`commits = "prefix"` and the like) only what concerns publishing is asked.

mod broker;
mod consumer;

use std::fmt;
use std::time::Duration;

use delivery_model::pipeline::Pipeline;
use delivery_model::semantics::PropertyId;

pub use broker::broker;
pub use consumer::consumer;

use crate::party::Party;

/// What was found out about one behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its name: a sentence.
    pub name: &'static str,
    /// The property that it is about.
    pub property: PropertyId,
    /// None if the settings do not promise it; otherwise why it is not kept, if it is not.
    pub result: Option<Result<(), String>>,
}

impl Checked {
    /// The settings promise it, and the party does not keep it.
    pub fn is_broken(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            None => write!(f, "not promised  {}", self.name),
            Some(Ok(())) => write!(f, "kept          {}", self.name),
            Some(Err(why)) => write!(f, "BROKEN        {} ({}): {why}", self.name, self.property),
        }
    }
}

/// One behaviour: when it is promised, and the exchange that shows it.
struct Behaviour<T> {
    name: &'static str,
    property: PropertyId,
    promised: fn(&Pipeline) -> bool,
    check: fn(&mut T) -> Result<(), String>,
}

impl<T> Behaviour<T> {
    fn new(
        name: &'static str,
        property: PropertyId,
        promised: fn(&Pipeline) -> bool,
        check: fn(&mut T) -> Result<(), String>,
    ) -> Self {
        Behaviour { name, property, promised, check }
    }

    fn check(&self, pipeline: &Pipeline, subject: impl FnOnce() -> T) -> Checked {
        let result = (self.promised)(pipeline).then(|| (self.check)(&mut subject()));
        Checked { name: self.name, property: self.property, result }
    }
}

/// A party and its clock.
struct Bench<'a, P: Party> {
    open: &'a dyn Fn(P::Disk) -> P,
    party: Option<P>,
    now: Duration,
}

impl<'a, P: Party> Bench<'a, P> {
    fn new(open: &'a dyn Fn(P::Disk) -> P) -> Self {
        Bench { open, party: Some(open(P::Disk::default())), now: Duration::ZERO }
    }

    fn party(&mut self) -> &mut P {
        self.party.as_mut().expect("it is away only while it is opened again")
    }

    /// Everything that it says to an input.
    fn tell(&mut self, input: P::Input) -> Vec<P::Output> {
        let now = self.now;
        self.party().handle_input(now, input);
        self.drain()
    }

    /// The same, and what follows when its next deadline has come: a party may wait for more before it acts.
    fn tell_and_wait(&mut self, input: P::Input) -> Vec<P::Output> {
        let mut said = self.tell(input);
        self.wait();
        said.extend(self.drain());
        said
    }

    /// The first wanted output after an input. Later outputs are not fetched yet, so that a crash can come at that moment.
    fn ask<T>(&mut self, input: P::Input, wanted: impl FnMut(P::Output) -> Option<T>) -> Option<T> {
        let now = self.now;
        self.party().handle_input(now, input);
        std::iter::from_fn(|| self.party().poll_output()).find_map(wanted)
    }

    fn drain(&mut self) -> Vec<P::Output> {
        std::iter::from_fn(|| self.party().poll_output()).collect()
    }

    fn crash(&mut self) {
        let disk = self.party.take().expect("it is away only while it is opened again").crash();
        self.party = Some((self.open)(disk));
    }

    /// The clock moves to its next deadline. False if it has none.
    fn wait(&mut self) -> bool {
        let Some(deadline) = self.party().poll_timeout() else { return false };
        self.now = self.now.max(deadline);
        let now = self.now;
        self.party().handle_timeout(now);
        true
    }
}

/// Every position is handed off and settled for itself.
fn is_leased(pipeline: &Pipeline) -> bool {
    !pipeline.consumer.follows_cursor()
}

fn expect(is_met: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(otherwise()) }
}
