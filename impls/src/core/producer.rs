//! The producer: keeps what the application submits, transmits it, and retries until it knows, or gives up.
//!
//! After the transactional outbox (a row lives from submit to confirmation) and Kafka's idempotent producer (producer
//! id, epoch, sequence number: KIP-98). Numbers are given at submission, in the transaction that stores the row.
//!
//! An outbox is read row by row, or by position, as change-data-capture and polling relays do (Debezium, Kafka Connect's
//! JDBC source). By position, a message's id is its row's position, and what becomes visible behind a row that was read is
//! never read. Such a producer numbers messages when it reads them.
//!
//! Left out: batching, and a bound on what waits, which is the store's capacity to set.

use std::collections::{BTreeSet, VecDeque};

use delivery_model::pipeline::{self, Attempts, OnRefusal, OnRestart, OutboxRead, Pipeline, RelayCommits};
use delivery_model::vocab::{AttemptNumber, Epoch, EventKind, MessageId, Outcome, PartitionId, Position};

use super::outbox::{Outbox, Unfinished, Waits};
use super::report::Report;
use super::steps::{ProducerSteps, Sound};
use super::time::Millis;
use super::tuning::Tuning;
use crate::data::record::{Identity, Payload, ProducerId, Publish, Record, Reply, Session, Verdict};
use crate::store::{OutboxContents, OutboxRow, OutboxStore, RecoverError, StoreError};

/// The longest payload, in bytes: what it becomes on the wire must fit into a frame, with room for what goes with it.
pub const PAYLOAD_MAX: usize = 255 << 10;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The application used this id before, and the message is unfinished.
    #[error("message {0} is unfinished already: every message needs an id of its own")]
    Unfinished(MessageId),
    /// It could never be transmitted.
    #[error("message {message} has a payload of {found} bytes, at most {PAYLOAD_MAX} are allowed")]
    TooLong {
        /// Which.
        message: MessageId,
        /// The payload's length in bytes.
        found: usize,
    },
    /// It could not be kept.
    #[error("the outbox did not take message {message}: {why}")]
    Store {
        /// Which.
        message: MessageId,
        /// Why.
        why: StoreError,
    },
}

/// One incarnation of a producer.
///
/// Calling contract: [`open`](Producer::open) it, register its [`epoch`](Producer::epoch) with the broker (again, over a new
/// connection, whenever a reply has changed it), then
/// [`submit`](Producer::submit) while it [`wants_more`](Producer::wants_more); [`transmit`](Producer::transmit) while it gives attempts and send those
/// in order; pass in what comes back with [`handle_reply`](Producer::handle_reply), the end of a connection with
/// [`handle_disconnected`](Producer::handle_disconnected), and, once all that came before it is passed in, the time with
/// [`handle_timeout`](Producer::handle_timeout) when [`poll_timeout`](Producer::poll_timeout) says so. Drain
/// [`poll_report`](Producer::poll_report) after every call. To crash it, drop it and keep its store
/// ([`into_store`](Producer::into_store)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Producer<O, S = Sound> {
    settings: pipeline::Producer,
    tuning: Tuning,
    steps: S,
    id: ProducerId,
    epoch: Epoch,
    /// The epoch in which a refusal made it start over; 0 if none did.
    renewed: Epoch,
    next_number: u64,
    /// The position below which it has read all rows, where it reads by position.
    read_to: MessageId,
    /// The finished rows behind an unfinished one, where it reads by position and stores the position after acks.
    finished: BTreeSet<MessageId>,
    outbox: Outbox,
    store: O,
    /// When a producer that was asked to stop does, whatever is left.
    stops_by: Option<Millis>,
    reports: VecDeque<Report>,
}

impl<O: OutboxStore> Producer<O> {
    /// Starts the next incarnation on what the last one left in its store.
    pub fn open(pipeline: &Pipeline, tuning: Tuning, id: ProducerId, store: O) -> Result<Self, RecoverError> {
        Producer::with_steps(pipeline, tuning, id, store, Sound)
    }
}

impl<O: OutboxStore, S: ProducerSteps> Producer<O, S> {
    /// [`Producer::open`], with the steps of the caller's choice.
    pub fn with_steps(
        pipeline: &Pipeline,
        tuning: Tuning,
        id: ProducerId,
        store: O,
        steps: S,
    ) -> Result<Self, RecoverError> {
        let settings = pipeline.producer.clone();
        let (epoch, renewed, next_number, read_to) = Default::default();
        let (finished, outbox, stops_by, reports) = Default::default();
        let mut producer = Producer {
            settings,
            tuning,
            steps,
            id,
            epoch,
            renewed,
            next_number,
            read_to,
            finished,
            outbox,
            store,
            stops_by,
            reports,
        };
        producer.begin()?;
        Ok(producer)
    }

    /// Starts over on the store that `empty` makes an empty one, in the room that this producer took. It is then equal to one
    /// that is opened on an empty store.
    pub fn start_over(&mut self, empty: impl FnOnce(&mut O)) -> Result<(), RecoverError> {
        empty(&mut self.store);
        self.finished.retain(|_| false);
        self.outbox.clear();
        self.reports.clear();
        self.stops_by = None;
        self.begin()
    }

    /// Takes up what the store has.
    fn begin(&mut self) -> Result<(), RecoverError> {
        let OutboxContents { epoch, session, next_number, position, rows } = self.store.recover()?;
        self.epoch = self.steps.next_epoch(epoch);
        self.store.begin(self.epoch)?;
        let keeps_session = self.settings.on_restart == OnRestart::Outbox;
        self.next_number = if keeps_session { self.steps.first_number(next_number) } else { 0 };
        self.renewed = if keeps_session { session } else { Epoch(0) };
        self.read_to = position;
        rows.into_iter().filter(|row| row.message >= position).for_each(|row| self.take_up(row));
        Ok(())
    }

    /// A row of the last incarnation: transmitted under its own number if it has one, else under a new one.
    fn take_up(&mut self, row: OutboxRow) {
        let identity = match self.steps.number_of_row(row.number) {
            Some(number) => self.identity(row.message, number),
            None => self.first_identity(row.message),
        };
        self.queue(row.message, row.payload, identity);
    }

    /// The incarnation: register it with the broker before transmitting.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whose incarnation it is.
    pub fn id(&self) -> ProducerId {
        self.id
    }

    /// Whether it wants to be submitted more: the application shall not be far ahead of what is finished, nor go on once the
    /// producer is to stop.
    pub fn wants_more(&self) -> bool {
        self.stops_by.is_none() && self.outbox.len() < self.tuning.ahead
    }

    /// It is to stop, by then at the latest. What it has not got through then stays in its store. Only the first call counts.
    pub fn stop(&mut self, by: Millis) {
        self.stops_by.get_or_insert(by);
    }

    /// Whether a producer that is to stop does so now: nothing is left, or it has tried for long enough.
    pub fn may_stop(&self, now: Millis) -> bool {
        self.stops_by.is_some_and(|by| self.outbox.is_empty() || now >= by)
    }

    /// Takes a message. When it returns, the message is as safe as the settings promise.
    pub fn submit(&mut self, message: MessageId, payload: Payload) -> Result<(), SubmitError> {
        if self.outbox.of(message).is_some() {
            return Err(SubmitError::Unfinished(message));
        }
        if payload.len() > PAYLOAD_MAX {
            return Err(SubmitError::TooLong { message, found: payload.len() });
        }
        let before = self.next_number;
        let identity = self.first_identity(message);
        if let Err(why) = self.keep(message, &payload, identity) {
            self.next_number = before;
            return Err(SubmitError::Store { message, why });
        }
        self.reports.push_back(Report::with(EventKind::Submit { message, payload: None }, &payload));
        // A producer that reads by position does not see a row behind its position.
        if message >= self.read_to {
            self.queue(message, payload, identity);
        }
        Ok(())
    }

    /// Writes the row that a restart will find, where it is to find one.
    fn keep(&mut self, message: MessageId, payload: &Payload, identity: Identity) -> Result<(), StoreError> {
        let number = match self.settings.on_restart {
            OnRestart::Forgets => return Ok(()),
            OnRestart::Outbox => identity.number(),
            OnRestart::Resubmits => None,
        };
        self.steps.row_of_submitted(&mut self.store, message, payload, number)
    }

    fn queue(&mut self, message: MessageId, payload: Payload, identity: Identity) {
        let waits = Waits::ForAttempt(Millis::default());
        self.outbox.put(message, Unfinished { payload, identity, attempts: 0, waits });
    }

    /// The message to be attempted next and the earliest time for it, if the window has room.
    pub fn next_attempt(&self) -> Option<(MessageId, Millis)> {
        if self.outbox.in_flight() >= self.steps.window(self.settings.in_flight) as usize {
            return None;
        }
        match self.outbox.first_queued()? {
            (message, Unfinished { waits: Waits::ForAttempt(earliest), .. }) => Some((message, *earliest)),
            (_, Unfinished { waits: Waits::ForReply(_), .. }) => None,
        }
    }

    /// Transmits the next message, if its time has come and the window has room.
    pub fn transmit(&mut self, now: Millis) -> Result<Option<Publish>, StoreError> {
        let Some((message, _)) = self.next_attempt().filter(|(_, earliest)| *earliest <= now) else {
            return Ok(None);
        };
        let mut unfinished = self.outbox.take(message).expect("it is queued");
        if unfinished.attempts > 0 {
            let (steps, own) = (self.steps.clone(), unfinished.identity);
            unfinished.identity = steps.identity_of_retry(own, || self.next_identity(message));
            let latest = self.outbox.iter().last().map(|(_, other)| &other.payload);
            unfinished.payload = steps.payload_of_retry(unfinished.payload, latest);
        }
        if self.reads_by_position() {
            self.read(message, &mut unfinished)?;
        }
        self.steps.row_of_transmitted(&mut self.store, message)?;
        unfinished.attempts = unfinished.attempts.saturating_add(1).min(self.attempts_counted());
        let attempt = self.number(unfinished.attempts);
        unfinished.waits = Waits::ForReply(now + self.tuning.reply_timeout);
        let payload = Payload::clone(&unfinished.payload);
        let record = Record { message, identity: unfinished.identity, producer: self.id, epoch: self.epoch, payload };
        let kind = EventKind::Attempt { message, attempt, payload: None };
        self.reports.push_back(Report::with(kind, &record.payload));
        let publish = Publish { record, attempt: AttemptNumber(unfinished.attempts) };
        self.outbox.put(message, unfinished);
        Ok(Some(publish))
    }

    /// Notes that this row is read, before it is transmitted: it gets its number, and the position moves past it.
    fn read(&mut self, message: MessageId, unfinished: &mut Unfinished) -> Result<(), StoreError> {
        if self.numbers_when_read() && unfinished.identity == Identity::None {
            unfinished.identity = self.next_identity(message);
            if self.settings.on_restart == OnRestart::Outbox {
                self.store.insert(message, &unfinished.payload, unfinished.identity.number())?;
            }
        }
        if message >= self.read_to {
            self.read_to = MessageId(message.0 + 1);
            if self.relay_commits() == RelayCommits::BeforePublish {
                self.store.advance(self.read_to)?;
            }
        }
        Ok(())
    }

    fn reads_by_position(&self) -> bool {
        self.steps.reads(self.settings.outbox) == OutboxRead::Cursor && self.settings.on_restart != OnRestart::Forgets
    }

    fn relay_commits(&self) -> RelayCommits {
        self.steps.relay_commits(self.settings.relay_commits)
    }

    fn numbers_when_read(&self) -> bool {
        self.reads_by_position() && self.settings.identity == pipeline::Identity::Sequence
    }

    /// The identity of a message that is not read yet; none, if it gets its number then.
    fn first_identity(&mut self, message: MessageId) -> Identity {
        if self.numbers_when_read() { Identity::None } else { self.next_identity(message) }
    }

    /// What the broker said. A confirmation counts whichever attempt it is for; a refusal only for the last one.
    pub fn handle_reply(&mut self, now: Millis, reply: Reply) -> Result<(), StoreError> {
        let Some(unfinished) = self.outbox.of(reply.message) else {
            return Ok(());
        };
        let is_awaited = matches!(unfinished.waits, Waits::ForReply(_)) && unfinished.attempts == reply.attempt.0;
        match self.steps.verdict(reply.verdict) {
            Verdict::Acked(position) => self.confirm(reply, position),
            Verdict::Refused if is_awaited => {
                self.fail(now, reply.message, Outcome::Refused)?;
                let renews = self.settings.on_refusal == OnRefusal::NewEpoch
                    && self.settings.identity != pipeline::Identity::None;
                if renews && self.outbox.of(reply.message).is_some() { self.take_new_epoch(now) } else { Ok(()) }
            }
            Verdict::Refused => Ok(()),
        }
    }

    /// Begins the next epoch, and a session with it. No reply will come to what is in flight, and all that is unfinished gets
    /// a fresh identity. With `on-restart = "outbox"`, later incarnations keep this session.
    fn take_new_epoch(&mut self, now: Millis) -> Result<(), StoreError> {
        self.handle_disconnected(now)?;
        self.epoch = self.steps.next_epoch(Some(self.epoch));
        (self.renewed, self.next_number) = (self.epoch, 0);
        let mut numbers = Vec::new();
        for message in self.outbox.iter().map(|(message, _)| message).collect::<Vec<_>>() {
            let identity = self.first_identity(message);
            let unfinished = self.outbox.take(message).expect("it is unfinished");
            self.outbox.put(message, Unfinished { identity, ..unfinished });
            numbers.extend(identity.number().map(|number| (message, number)));
        }
        match self.settings.on_restart {
            OnRestart::Outbox => self.store.renew(self.epoch, &numbers),
            OnRestart::Forgets | OnRestart::Resubmits => self.store.begin(self.epoch),
        }
    }

    /// Gives up waiting for a reply: the attempt's outcome is unknown. Nothing happens if none is awaited.
    pub fn time_out(&mut self, now: Millis, message: MessageId) -> Result<(), StoreError> {
        match self.outbox.of(message) {
            Some(Unfinished { waits: Waits::ForReply(_), .. }) => {
                self.fail(now, message, self.steps.outcome_of_silence())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives up on every attempt whose time is over.
    pub fn handle_timeout(&mut self, now: Millis) -> Result<(), StoreError> {
        let late = self.outbox.waiting_for_reply().filter(|(_, deadline)| *deadline <= now);
        let late: Vec<MessageId> = late.map(|(message, _)| message).collect();
        late.into_iter().try_for_each(|message| self.time_out(now, message))
    }

    /// The connection ended: no reply will come to what was sent over it.
    pub fn handle_disconnected(&mut self, now: Millis) -> Result<(), StoreError> {
        let waiting: Vec<MessageId> = self.outbox.waiting_for_reply().map(|(message, _)| message).collect();
        waiting.into_iter().try_for_each(|message| self.time_out(now, message))
    }

    /// When to call [`handle_timeout`](Producer::handle_timeout) and [`transmit`](Producer::transmit) again, and to ask
    /// whether it [`may_stop`](Producer::may_stop), if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let replies = self.outbox.waiting_for_reply().map(|(_, deadline)| deadline).min();
        let attempt = self.next_attempt().map(|(_, earliest)| earliest);
        replies.into_iter().chain(attempt).chain(self.stops_by).min()
    }

    /// The next thing that took effect, oldest first.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// What is not finished.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What a crash leaves.
    pub fn into_store(self) -> O {
        self.store
    }

    fn confirm(&mut self, reply: Reply, position: Option<Position>) -> Result<(), StoreError> {
        let Reply { message, attempt, .. } = reply;
        self.finish(message)?;
        let along = self.steps.confirmed_along(message, &self.outbox);
        along.into_iter().try_for_each(|other| self.finish(other))?;
        let attempt = self.number(attempt.0);
        let kind = EventKind::Outcome {
            message,
            attempt,
            outcome: Outcome::Acked,
            partition: PartitionId::default(),
            position,
        };
        self.reports.push_back(Report::of(kind));
        Ok(())
    }

    /// The awaited attempt did not succeed, as far as anybody knows: try again, or give up.
    fn fail(&mut self, now: Millis, message: MessageId, outcome: Outcome) -> Result<(), StoreError> {
        let mut unfinished = self.outbox.take(message).expect("a reply is awaited");
        let attempts = unfinished.attempts;
        let gives_up = outcome == Outcome::Refused && self.settings.on_refusal == OnRefusal::GiveUp;
        let may_retry = match self.settings.attempts {
            _ if gives_up => false,
            Attempts::UntilAcked => true,
            Attempts::AtMost(attempts_max) => attempts < attempts_max,
        };
        if self.steps.tries_again(outcome, may_retry) {
            unfinished.waits = Waits::ForAttempt(now + self.tuning.back_off.after(attempts, message.0));
            self.outbox.put(message, unfinished);
        } else {
            self.finish(message)?;
        }
        let attempt = self.number(attempts);
        self.reports.push_back(Report::of(EventKind::Outcome {
            message,
            attempt,
            outcome,
            partition: PartitionId::default(),
            position: None,
        }));
        Ok(())
    }

    /// Nothing is left to do for the message: its row goes.
    fn finish(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.outbox.take(message);
        if self.reads_by_position() && self.relay_commits() == RelayCommits::AfterAck {
            return self.go_past(message);
        }
        match self.settings.on_restart {
            OnRestart::Forgets => Ok(()),
            OnRestart::Outbox | OnRestart::Resubmits => self.steps.row_of_finished(&mut self.store, message),
        }
    }

    /// Notes that a row is finished, and stores the position of the first row that is not.
    fn go_past(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.finished.insert(message);
        let unfinished = self.outbox.iter().next().map_or(MessageId(u64::MAX), |(first, _)| first);
        let behind = self.finished.split_off(&unfinished);
        let passed = std::mem::replace(&mut self.finished, behind);
        if let Some(last) = passed.last() {
            self.store.advance(MessageId(last.0 + 1))?;
        }
        passed.into_iter().try_for_each(|message| self.steps.row_of_finished(&mut self.store, message))
    }

    /// The number of an attempt; none where the count stopped and several share it.
    fn number(&self, attempt: u32) -> Option<AttemptNumber> {
        (attempt < self.attempts_counted()).then_some(AttemptNumber(attempt))
    }

    /// Where the count of attempts stops. Where there are only so many, it ends before.
    fn attempts_counted(&self) -> u32 {
        match self.settings.attempts {
            Attempts::UntilAcked => self.tuning.numbers_max,
            Attempts::AtMost(_) => u32::MAX,
        }
    }

    /// The identity of a message that is new in this session.
    fn next_identity(&mut self, message: MessageId) -> Identity {
        let number = self.next_number;
        if self.settings.identity == pipeline::Identity::Sequence {
            self.next_number += 1;
        }
        self.identity(message, number)
    }

    fn identity(&self, message: MessageId, number: u64) -> Identity {
        let session = Session { producer: self.id, session: self.session() };
        match self.settings.identity {
            pipeline::Identity::None => Identity::None,
            pipeline::Identity::MessageId => Identity::Message { message, session },
            pipeline::Identity::Sequence => Identity::Sequence { session, number },
        }
    }

    /// An outbox keeps the session over restarts. Without one, numbers start again in a session of their own; an id of
    /// the application's is the same in any session, unless it is submitted anew on purpose. A refusal may begin one.
    fn session(&self) -> Epoch {
        match (self.settings.on_restart, self.settings.identity) {
            (OnRestart::Outbox, _) | (OnRestart::Forgets, pipeline::Identity::MessageId) => self.renewed,
            (OnRestart::Forgets | OnRestart::Resubmits, _) => self.epoch,
        }
    }
}
