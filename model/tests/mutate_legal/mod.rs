//! Legal histories at random: several producers, several consumer groups, retries, refusals, losses that are allowed,
//! redeliveries, dead letters, rewinds.
//!
//! Every event is given a time, each later than what it must follow; sorting by time interleaves the messages at random.

use delivery_model::{
    history::{At, Header, History, Names, PipelineOf},
    pipeline::{DeadLetters, Level, Obligation, Pipeline, Settles},
    semantics::{Rules, SettleRule},
    vocab::{
        Event,
        EventKind::{self, *},
        GroupId, MessageId, Outcome as Of, PayloadId, Position, ProcessId, SettleOutcome as Settled,
    },
};
use proptest::{
    bool::weighted,
    collection::vec,
    prelude::{Strategy, any},
    sample::select,
};

/// A history in the making.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rules: Rules,
    pub groups: u16,
    /// Where an event may say its position, it does.
    pub positions: bool,
    /// Where an event may say its payload, it does.
    pub payloads: bool,
    /// Every group is reset to this position when all is done.
    pub rewind: Option<u64>,
    pub lives: Vec<Life>,
}

/// What becomes of one message.
#[derive(Clone, Debug)]
pub struct Life {
    producer: u16,
    /// How many attempts are refused before the last one.
    refusals: usize,
    last: Last,
    /// It arrives, if it may as well not.
    arrives: bool,
    dead_lettered: bool,
    /// How often it is delivered again before its effect, if it may be.
    again: usize,
    settled: bool,
    /// Times from one event to the next.
    gaps: Vec<u32>,
}

/// What comes of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Last {
    Acked,
    Unknown,
    Refused,
    /// Nothing is heard of it.
    Silent,
}

/// Any legal history.
pub fn plans() -> impl Strategy<Value = Plan> {
    let rules = (select(&Level::ALL), select(&Obligation::ALL), any::<bool>(), any::<bool>());
    let rules = rules.prop_map(|(level, obligation, ordered, before)| {
        let settle = if before { SettleRule::BeforeEffect } else { SettleRule::AfterEffect };
        Rules { ordered, settle, ..Rules::bare(level, obligation) }
    });
    let rewind = proptest::option::of(0..3_u64);
    (rules, 1..3_u16, any::<bool>(), any::<bool>(), rewind, vec(lives(), 1..6)).prop_map(
        |(rules, groups, positions, payloads, rewind, lives)| {
            // A rewind delivers again, which is no trouble where effects are counted.
            let rewind = rewind.filter(|_| rules.level == Level::Effect && !rules.ordered);
            Plan { rules, groups, positions, payloads, rewind, lives }
        },
    )
}

fn lives() -> impl Strategy<Value = Life> {
    let last = select(&[Last::Acked, Last::Acked, Last::Unknown, Last::Refused, Last::Silent]);
    let booleans = (any::<bool>(), weighted(0.2), weighted(0.8));
    (0..2_u16, 0..3_usize, last, booleans, 0..3_usize, vec(1..30_u32, 24)).prop_map(
        |(producer, refusals, last, (arrives, dead_lettered, settled), again, gaps)| Life {
            producer,
            refusals,
            last,
            arrives,
            dead_lettered,
            again,
            settled,
            gaps,
        },
    )
}

impl Plan {
    /// The history, and the names of its groups.
    pub fn history(&self) -> History {
        let mut timed = self.timed();
        timed.sort_by_key(|&(time, _)| time);
        let mut events: Vec<_> = timed.into_iter().map(|(_, event)| event).collect();
        events.push(Event { process: ProcessId(9), kind: Quiescent });
        record(&self.rules, self.groups, &events)
    }

    fn timed(&self) -> Vec<(u32, Event)> {
        let mut timed = Vec::new();
        let mut submitted = 0;
        // Where first deliveries are in order, none comes before this.
        let mut floor = [[0; 2]; 2];
        for (index, life) in self.lives.iter().enumerate() {
            let mut of = Chain { plan: self, life, index, time: submitted, gap: 0, timed: &mut timed };
            of.publish();
            submitted = of.time_of_submit();
            for group in 0..self.groups {
                let floor = &mut floor[usize::from(life.producer)][usize::from(group)];
                of.time = if self.rules.ordered { submitted.max(*floor) } else { submitted };
                *floor = of.consume(GroupId(group)).unwrap_or(*floor);
            }
        }
        if let Some(position) = self.rewind {
            self.rewind(position, &mut timed);
        }
        timed
    }

    /// Resets every group when all is done; what is delivered again has had its effect.
    fn rewind(&self, position: u64, timed: &mut Vec<(u32, Event)>) {
        let mut time = timed.iter().map(|&(time, _)| time).max().unwrap_or(0);
        let process = ProcessId(5);
        for group in (0..self.groups).map(GroupId) {
            time += 1;
            timed.push((
                time,
                Event { process, kind: Rewind { group, partition: Default::default(), position: Position(position) } },
            ));
            for (index, life) in self.lives.iter().enumerate().skip(position as usize) {
                if life.settled && self.arrives(life) && !life.dead_lettered {
                    let mut of = Chain { plan: self, life, index, time, gap: 0, timed };
                    of.deliver(group);
                    of.settle(group, Settled::Ok);
                }
            }
        }
    }

    fn last(&self, life: &Life) -> Last {
        match (life.last, self.rules.obligation) {
            (Last::Refused, Obligation::Submitted) => Last::Unknown,
            (last, _) => last,
        }
    }

    /// Whether the message arrives: it must if it is owed or if its absence would leave a gap.
    fn arrives(&self, life: &Life) -> bool {
        let may_not = self.rules.obligation == Obligation::Acked && !self.rules.ordered;
        match self.last(life) {
            Last::Refused => false,
            Last::Acked => true,
            Last::Unknown | Last::Silent => !may_not || life.arrives,
        }
    }
}

/// The events of one message, each later than the one before.
struct Chain<'a> {
    plan: &'a Plan,
    life: &'a Life,
    index: usize,
    time: u32,
    gap: usize,
    timed: &'a mut Vec<(u32, Event)>,
}

impl Chain<'_> {
    fn message(&self) -> MessageId {
        MessageId(self.index as u64 + 1)
    }

    fn position(&self) -> Option<Position> {
        self.plan.positions.then_some(Position(self.index as u64))
    }

    fn payload(&self) -> Option<PayloadId> {
        self.plan.payloads.then_some(PayloadId(self.index as u32))
    }

    fn push(&mut self, process: u16, kind: EventKind) {
        self.time += self.life.gaps[self.gap % self.life.gaps.len()];
        self.gap += 1;
        self.timed.push((self.time, Event { process: ProcessId(process), kind }));
    }

    fn time_of_submit(&self) -> u32 {
        let submit =
            |&&(_, event): &&(u32, Event)| matches!(event.kind, Submit { message, .. } if message == self.message());
        self.timed.iter().find(submit).expect("it was published").0
    }

    fn publish(&mut self) {
        let (message, payload, producer) = (self.message(), self.payload(), self.life.producer);
        self.push(producer, Submit { message, payload });
        let last = match self.plan.last(self.life) {
            Last::Acked => Some(Of::Acked),
            Last::Unknown => Some(Of::Unknown),
            Last::Refused => Some(Of::Refused),
            Last::Silent => None,
        };
        for outcome in std::iter::repeat_n(Some(Of::Refused), self.life.refusals).chain([last]) {
            self.push(producer, Attempt { message, attempt: None, payload });
            if let Some(outcome) = outcome {
                self.push(
                    producer,
                    Outcome { message, attempt: None, outcome, partition: Default::default(), position: None },
                );
            }
        }
    }

    /// What the group does with the message; when it was first delivered, if it was.
    fn consume(&mut self, group: GroupId) -> Option<u32> {
        if !self.plan.arrives(self.life) {
            return None;
        }
        let again =
            if self.plan.rules.level == Level::Effect && !self.plan.rules.ordered { self.life.again } else { 0 };
        if self.life.dead_lettered {
            (0..again).for_each(|_| self.deliver(group));
            let message = self.message();
            self.push(7, DeadLetter { message, group });
            return None;
        }
        self.deliver(group);
        let first = self.time;
        for _ in 0..again {
            self.settle(group, if self.life.arrives { Settled::Refused } else { Settled::Unknown });
            self.deliver(group);
        }
        match self.plan.rules.settle {
            SettleRule::AfterEffect => {
                self.effect(group);
                self.settle(group, if self.life.settled { Settled::Ok } else { Settled::Unknown });
            }
            SettleRule::BeforeEffect => {
                self.settle(group, if self.life.settled { Settled::Ok } else { Settled::Unknown });
                self.effect(group);
            }
        }
        Some(first)
    }

    fn deliver(&mut self, group: GroupId) {
        let (message, position, payload) = (self.message(), self.position(), self.payload());
        self.push(5, Deliver { message, group, partition: Default::default(), position, delivery: None, payload });
    }

    fn effect(&mut self, group: GroupId) {
        let (message, payload) = (self.message(), self.payload());
        self.push(5, Effect { message, group, payload });
    }

    fn settle(&mut self, group: GroupId, outcome: Settled) {
        let (message, position) = (self.message(), self.position());
        self.push(5, Settle { message, group, partition: Default::default(), position, delivery: None, outcome });
    }
}

/// The events as a history that is judged by these rules.
pub fn record(rules: &Rules, groups: u16, events: &[Event]) -> History {
    let mut pipeline = Pipeline { level: rules.level, obligation: rules.obligation, ..Pipeline::default() };
    pipeline.ordered = rules.ordered;
    pipeline.broker.max_deliveries = u32::from(rules.sets_aside);
    pipeline.dead_letters = if rules.dead_letters { DeadLetters::Pay } else { DeadLetters::AreLost };
    if rules.settle == SettleRule::BeforeEffect {
        pipeline.consumer.settles = Settles::BeforeEffect;
    }
    let header = Header { pipeline: Some(PipelineOf::Whole(Box::new(pipeline))), ..Header::default() };
    let mut names = Names::default();
    for group in 0..groups {
        names.group_id(&format!("group-{group}")).unwrap();
    }
    let mut history = History { header, names, ..History::default() };
    (0..).zip(events).for_each(|(step, &event)| history.push(At::Whole(step), event));
    history
}
