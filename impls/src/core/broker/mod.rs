//! The broker: takes messages in, keeps them, and hands them on until they are settled.
//!
//! | file | what it does | journal |
//! |---|---|---|
//! | `publishing` | receives, recognises, stores and confirms attempts | message log |
//! | `subscribing` | keeps the connected consumers, and says when the broker is drained | none |
//! | `delivering` | hands off, records settles, dead-letters | ledger |
//! | `retaining` | drops records and ledger entries that are not needed any more | both |
//!
//! Left out: more than one topic and one group.

mod delivering;
mod publishing;
mod retaining;
mod subscribing;

use std::collections::VecDeque;

use delivery_model::pipeline::{self, DedupOnRestart, Pipeline, Settles};
use delivery_model::vocab::{Epoch, Position};

use self::publishing::Owed;
pub use self::publishing::{AttemptKey, Busy, Peer, PublishDecision, Received, Waiting, attempt_key};
pub use self::retaining::RewindError;
pub use self::subscribing::{Drain, DrainEnd, Misplaced};
use super::dedup::Memory;
use super::deliveries::Deliveries;
use super::ledger::{Entry, Ledger, TOGETHER_MAX};
use super::log::Log;
use super::report::Report;
use super::steps::{BrokerSteps, Sound};
use super::subscribers::Subscribers;
use super::tuning::Tuning;
use crate::data::record::{ProducerId, Reply, Submission};
use crate::data::small_map::SmallMap;
use crate::store::{Journal, RecoverError, StoreError};

/// What of the broker survives a crash: its two journals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Journals<J> {
    /// The message log.
    pub log: J,
    /// The ledger of the deliveries.
    pub ledger: J,
}

/// A broker of one topic and one consumer group.
///
/// Calling contract. Publishing: [`register`](Broker::register) a producer's epoch before its attempts;
/// [`receive`](Broker::receive) an attempt, [`append_next`](Broker::append_next) it, [`sync`](Broker::sync) when it
/// suits (once for many is group commit), [`confirm_due`](Broker::confirm_due), and send what
/// [`poll_reply`](Broker::poll_reply) gives. Delivering: [`subscribe`](Broker::subscribe) a consumer, ask
/// [`next`](Broker::next) who should get what, and [`hand_off`](Broker::hand_off) or [`dead_letter`](Broker::dead_letter)
/// it; pass in what the consumer says with [`settle`](Broker::settle), [`release`](Broker::release) and the `handle_*`
/// methods, and the time with [`handle_timeout`](Broker::handle_timeout) when [`poll_timeout`](Broker::poll_timeout) says
/// so. Drain [`poll_report`](Broker::poll_report) after every call. From time to time, [`drop_below`](Broker::drop_below)
/// what is [`droppable`](Broker::droppable), and [`compact_ledger`](Broker::compact_ledger) if it
/// [`is_ledger_long`](Broker::is_ledger_long).
///
/// After an error that is not definite, the contents of the disk are unknown: drop the broker and open it anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broker<J, S = Sound> {
    settings: pipeline::Broker,
    /// Positions that the group stores by itself need no record here.
    settles: Settles,
    /// The log can lose records that were handed off.
    positions_come_again: bool,
    tuning: Tuning,
    steps: S,
    log: Log<J>,
    memory: Memory,
    epochs: SmallMap<ProducerId, Epoch>,
    /// Each producer's newest incarnation that is connected, and its connection.
    connected: SmallMap<ProducerId, (Epoch, Peer)>,
    slot: Option<Received>,
    owed: SmallMap<Submission, Owed>,
    replies: VecDeque<(Peer, Reply)>,
    ledger: Ledger<J>,
    /// With more entries than that it is worthwhile to compact it.
    ledger_max: u64,
    /// Nothing is dropped below here any more: there was no room for what would have stayed.
    drops_from: Position,
    /// The ledger had no room yet for this incarnation's start.
    start: Option<Entry>,
    deliveries: Deliveries,
    subscribers: Subscribers,
    draining: Option<Drain>,
    reports: VecDeque<Report>,
}

/// What of the broker is to be made durable next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// The log, up to this position. A separate syncer may sync it ([`Broker::handle_synced`]).
    Log(Position),
    /// The ledger alone: [`Broker::sync`] does it.
    Ledger,
}

impl<J: Journal> Broker<J> {
    /// Starts on what an earlier incarnation left on disk, or on empty journals.
    ///
    /// A disk without room is no reason not to: what can be done without writing is done, and what was refused is tried
    /// again. Until its start is in the ledger, the broker hands nothing off: a later incarnation could otherwise grant the
    /// very leases that this one did.
    pub fn open(pipeline: &Pipeline, tuning: Tuning, journals: Journals<J>) -> Result<Self, RecoverError> {
        Broker::with_steps(pipeline, tuning, journals, Sound)
    }
}

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// [`Broker::open`], with the steps of the caller's choice.
    pub fn with_steps(
        pipeline: &Pipeline,
        tuning: Tuning,
        journals: Journals<J>,
        steps: S,
    ) -> Result<Self, RecoverError> {
        let settings = pipeline.broker.clone();
        let log = Log::open(&settings, journals.log)?;
        let (ledger, entries) = Ledger::open(journals.ledger)?;
        let started = entries.iter().filter_map(|entry| match *entry {
            Entry::Started(incarnation) => Some(incarnation),
            _ => None,
        });
        let incarnation = started.max().unwrap_or_default() + 1;
        let epochs = entries.iter().filter_map(|entry| match *entry {
            Entry::Registered(producer, epoch) => Some((producer, epoch)),
            _ => None,
        });
        let mut broker = Broker {
            settles: pipeline.consumer.settles,
            positions_come_again: pipeline.positions_come_again(),
            tuning,
            memory: steps.memory_at_start(&settings, &log, incarnation),
            steps,
            epochs: epochs.collect(),
            connected: SmallMap::default(),
            slot: None,
            owed: SmallMap::default(),
            replies: VecDeque::new(),
            deliveries: Deliveries::replay(pipeline, tuning.numbers_max, &entries, incarnation),
            subscribers: Subscribers::default(),
            draining: None,
            reports: VecDeque::new(),
            settings,
            log,
            ledger,
            ledger_max: tuning.retention.map_or(0, |retention| retention.batch),
            drops_from: Position(0),
            start: Some(Entry::Started(incarnation)),
        };
        broker.deliveries.forget_counts_below(broker.log.start());
        match broker.record_start() {
            Err(why) if !why.is_definite() => Err(why.into()),
            Err(_) | Ok(()) => Ok(broker),
        }
    }

    /// Starts over on the journals that `empty` makes empty ones, in the room that this broker took. It is then equal to one
    /// that is opened on empty journals.
    pub fn start_over(&mut self, empty: impl Fn(&mut J)) -> Result<(), StoreError> {
        const FIRST: u32 = 1;
        self.log.start_over(&self.settings, &empty);
        self.ledger.start_over(&empty);
        self.memory = self.steps.memory_at_start(&self.settings, &self.log, FIRST);
        self.epochs.clear();
        self.connected.clear();
        self.owed.clear();
        self.replies.clear();
        self.reports.clear();
        (self.slot, self.draining, self.drops_from) = Default::default();
        self.deliveries.start_over(FIRST);
        self.subscribers.clear();
        self.ledger_max = self.tuning.retention.map_or(0, |retention| retention.batch);
        self.start = Some(Entry::Started(FIRST));
        self.record_start()
    }

    fn record_start(&mut self) -> Result<(), StoreError> {
        if let Some(entry) = self.start {
            self.ledger.record(&[entry])?;
            self.start = None;
        }
        Ok(())
    }

    /// Entries take effect when they are durable, as many at a time as are written together. An error that is definite
    /// leaves everything else as it was.
    fn note(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        for entries in entries.chunks(TOGETHER_MAX) {
            self.ledger.record(entries)?;
            entries.iter().for_each(|entry| self.deliveries.apply(*entry));
        }
        Ok(())
    }

    /// Makes durable what was appended, what was settled in memory only, and a start that found no room.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.sync_log()?;
        self.sync_settles()
    }

    /// Makes durable what was appended.
    pub fn sync_log(&mut self) -> Result<(), StoreError> {
        self.log.sync()
    }

    /// Takes in that a separate syncer has made the log durable up to this position. Returns whether that is new. If it is,
    /// settles that are in memory only are made durable too; if the ledger has no room, the next sync tries again.
    pub fn handle_synced(&mut self, end: Position) -> Result<bool, StoreError> {
        if end <= self.log.synced() {
            return Ok(false);
        }
        self.log.handle_synced(end);
        match self.sync_settles() {
            Err(why) if !why.is_definite() => Err(why),
            Err(_) | Ok(()) => Ok(true),
        }
    }

    /// Makes durable what was settled or set aside in memory only, and a start that found no room.
    pub fn sync_settles(&mut self) -> Result<(), StoreError> {
        self.record_start()?;
        self.note(&self.deliveries.unsynced())
    }

    /// Whether a [`sync`](Broker::sync) would make something durable.
    pub fn needs_sync(&self) -> bool {
        self.unsynced().is_some()
    }

    /// What is to be made durable next.
    pub fn unsynced(&self) -> Option<Unsynced> {
        if self.log.synced() < self.log.end() {
            Some(Unsynced::Log(self.log.end()))
        } else if self.deliveries.has_unsynced() || self.start.is_some() {
            Some(Unsynced::Ledger)
        } else {
            None
        }
    }

    /// The message log.
    pub fn log(&self) -> &Log<J> {
        &self.log
    }

    /// The state of the deliveries.
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// The memory of what was stored.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether a restart of this broker would come up with another memory.
    pub fn restart_changes_memory(&self) -> bool {
        match self.settings.dedup_on_restart {
            DedupOnRestart::Rebuilt => self.memory.covers() != self.memory.covers_rebuilt(),
            DedupOnRestart::Forgotten => self.memory.has_something_to_forget(),
        }
    }

    /// The memory of what was stored is evicted.
    pub fn forget_seen(&mut self) {
        self.memory.forget();
    }

    /// The next thing that took effect, oldest first.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// What a crash leaves.
    pub fn into_journals(self) -> Journals<J> {
        Journals { log: self.log.into_journal(), ledger: self.ledger.into_journal() }
    }
}
