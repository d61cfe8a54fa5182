//! A log with one cursor for its group and no leases, a producer that retries with its message's id, and a consumer that
//! handles the newest of two first: all three are foreign.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use delivery_model::presets;
use delivery_proofs::conformance::behaviour::{self, Checked};
use delivery_proofs::party::{
    Bounds, Claim, Delivery, Fault, FromBroker, FromConsumer, FromProducer, Obligation, Outcome, Party, PropertyId,
    Publish, Reply, Semantics, Settle, SettleOutcome, Suite, ToBroker, ToConsumer, ToProducer,
};

const AGAIN: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// A settle moves the cursor behind its message, whatever lies before it.
    Jumps,
}

#[derive(Default)]
struct OnDisk {
    log: Vec<(u64, Vec<u8>)>,
    cursor: usize,
}

/// The broker: hands off what is behind the cursor, once in each connection.
struct Log {
    disk: OnDisk,
    bug: Bug,
    next: usize,
    settled: BTreeSet<usize>,
    says: VecDeque<FromBroker>,
}

impl Log {
    fn open(disk: OnDisk, bug: Bug) -> Log {
        Log { next: disk.cursor, disk, bug, settled: BTreeSet::new(), says: VecDeque::new() }
    }

    fn settle(&mut self, position: usize) {
        self.settled.insert(position);
        if self.bug == Bug::Jumps {
            self.disk.cursor = self.disk.cursor.max(position + 1);
        }
        while self.settled.remove(&self.disk.cursor) {
            self.disk.cursor += 1;
        }
        self.next = self.next.max(self.disk.cursor);
    }

    fn reconnect(&mut self) {
        self.next = self.disk.cursor;
        self.settled.clear();
    }
}

impl Party for Log {
    type Input = ToBroker;
    type Output = FromBroker;
    type Disk = OnDisk;

    fn handle_input(&mut self, _now: Duration, input: ToBroker) {
        match input {
            ToBroker::Publish { publish, .. } => {
                self.says.push_back(FromBroker::Reply(publish.acked()));
                if self.disk.log.iter().all(|(id, _)| *id != publish.message) {
                    self.disk.log.push((publish.message, publish.payload));
                }
            }
            ToBroker::Receive { consumer } => {
                let Some((message, payload)) = self.disk.log.get(self.next).cloned() else { return };
                let delivery = Delivery::new(self.next.to_string(), message, payload);
                self.says.push_back(FromBroker::Deliver { consumer, delivery });
                self.next += 1;
            }
            ToBroker::Settle { consumer, settle } => {
                self.settle(settle.tag.parse().expect("it is a position"));
                self.says.push_back(FromBroker::Settled { consumer, tag: settle.tag, outcome: SettleOutcome::Ok });
            }
            ToBroker::Release { .. } | ToBroker::ConsumerGone { .. } => self.reconnect(),
            ToBroker::ProducerConnected { .. } | ToBroker::ProducerGone => {}
        }
    }

    fn poll_output(&mut self) -> Option<FromBroker> {
        self.says.pop_front()
    }

    fn crash(self) -> OnDisk {
        self.disk
    }
}

/// A message that was not acked: its bytes, its attempts so far, and when the next one is due.
type Unacked = (Vec<u8>, u32, Duration);

/// The producer: its outbox is on disk.
#[derive(Default)]
struct Retrying {
    outbox: BTreeMap<u64, Unacked>,
    says: VecDeque<FromProducer>,
}

impl Retrying {
    fn open(outbox: BTreeMap<u64, Unacked>) -> Retrying {
        let due_now = |(id, (payload, attempts, _))| (id, (payload, attempts, Duration::ZERO));
        Retrying { outbox: outbox.into_iter().map(due_now).collect(), says: VecDeque::new() }
    }
}

impl Party for Retrying {
    type Input = ToProducer;
    type Output = FromProducer;
    type Disk = BTreeMap<u64, Unacked>;

    fn handle_input(&mut self, now: Duration, input: ToProducer) {
        match input {
            ToProducer::Submit(message) => {
                self.outbox.insert(message.id, (message.payload, 0, now));
                self.handle_timeout(now);
            }
            ToProducer::Reply(Reply::Acked { message, attempt, .. }) => {
                self.outbox.remove(&message);
                self.says.push_back(FromProducer::Outcome { message, attempt, outcome: Outcome::Acked });
            }
            ToProducer::Reply(Reply::Refused { .. }) => {}
        }
    }

    fn poll_output(&mut self) -> Option<FromProducer> {
        self.says.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.outbox.values().map(|(.., due)| *due).min()
    }

    fn handle_timeout(&mut self, now: Duration) {
        for (&message, (payload, attempts, due)) in self.outbox.iter_mut().filter(|(_, (.., due))| *due <= now) {
            (*attempts, *due) = (*attempts + 1, now + AGAIN);
            self.says.push_back(FromProducer::Publish(Publish::new(message, payload.clone(), *attempts)));
        }
    }

    fn crash(self) -> BTreeMap<u64, Unacked> {
        self.outbox
    }
}

/// The consumer: waits for two messages, a second at most, and handles the newest first. Its inbox is on disk.
#[derive(Default)]
struct NewestFirst {
    inbox: BTreeSet<u64>,
    waiting: Vec<Delivery>,
    handles: bool,
    due: Option<Duration>,
    settles: Option<Settle>,
}

impl NewestFirst {
    fn open(_number: u8, inbox: BTreeSet<u64>) -> NewestFirst {
        NewestFirst { inbox, ..NewestFirst::default() }
    }
}

impl Party for NewestFirst {
    type Input = ToConsumer;
    type Output = FromConsumer;
    type Disk = BTreeSet<u64>;

    fn handle_input(&mut self, now: Duration, input: ToConsumer) {
        let ToConsumer::Deliver(delivery) = input else { return };
        self.waiting.push(delivery);
        self.due.get_or_insert(now + AGAIN);
        self.handles |= self.waiting.len() == 2;
    }

    fn poll_output(&mut self) -> Option<FromConsumer> {
        if let Some(settle) = self.settles.take() {
            return Some(FromConsumer::Settle(settle));
        }
        let Some(Delivery { tag, message, payload, .. }) = self.handles.then(|| self.waiting.pop()).flatten() else {
            if self.handles {
                (self.handles, self.due) = (false, None);
            }
            return None;
        };
        if !self.inbox.insert(message) {
            return Some(FromConsumer::Settle(Settle::new(tag)));
        }
        self.settles = Some(Settle::new(tag));
        Some(FromConsumer::Effect { message, payload })
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.due
    }

    fn handle_timeout(&mut self, _now: Duration) {
        self.handles = true;
    }

    fn crash(self) -> BTreeSet<u64> {
        self.inbox
    }
}

fn suite(bug: Bug) -> Suite<Retrying, Log, NewestFirst> {
    use Fault::*;
    let claim = Claim::new("cursor-log", Semantics::ExactlyOnce)
        .for_all(Obligation::Submitted)
        .surviving([PublishLost, PublishRefused, PublishAckLost, PublishDuplicated, ProducerCrash, ProducerZombie])
        .surviving([BrokerCrash, ConsumerCrash, SettleLost]);
    Suite::new(claim, Retrying::open, move |disk| Log::open(disk, bug), NewestFirst::open)
}

#[test]
fn nothing_is_found_in_the_sound_ones() {
    super::foreign::passes(&suite(Bug::None));
}

/// The consumer crashes between what two fetches of its outputs say: after the settle of the newest, before the effect of
/// the older one.
#[test]
fn a_cursor_that_jumps_is_found_by_a_crash_between_two_outputs() {
    let found =
        suite(Bug::Jumps).check(Bounds { schedules: 8_000, ..Bounds::default() }).expect_err("the bug is found");
    assert_eq!(found.property, PropertyId::SubmittedNotLost, "{found}");
    let faults: Vec<Fault> = found.schedule.faults.iter().map(|planned| planned.fault).collect();
    assert_eq!(faults, [Fault::ConsumerCrash], "{found}");
}

#[test]
fn what_a_log_without_leases_promises_is_asked_of_it() {
    let mut pipeline = presets::named("exactly-once").expect("it exists");
    pipeline.broker.fencing = false;
    pipeline.faults = pipeline.faults.with(Fault::DeliveryLost, 0);
    let broken = |bug| {
        let checked = behaviour::broker(&pipeline, move |disk| Log::open(disk, bug));
        checked.into_iter().filter(Checked::is_broken).map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(broken(Bug::None), [""; 0]);
    assert_eq!(broken(Bug::Jumps), ["a settle settles no earlier message"]);
    let checked = behaviour::consumer(&pipeline, NewestFirst::open);
    assert_eq!(checked.into_iter().filter(Checked::is_broken).collect::<Vec<_>>(), []);
}
