//! Runs schedules on parties, judges every run, and makes the shortest story of one that breaks the claim.

use std::collections::BTreeMap;
use std::fmt;

use delivery_model::history::History;
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, PlannedFault, Schedule};
use delivery_model::semantics::{PropertyId, PropertySet, Question, judge};
use delivery_model::story::{Ink, Row, Story};
use delivery_model::vocab::{Event, EventKind, Fault, MessageId};
use proptest::strategy::{Strategy, ValueTree};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::record::FAULTS;
use super::world::{Opens, World};
use super::{Broker, Claim, Consumer, Producer};
use crate::simulation::kill_schedules::{KillSchedule, SEEDS};
use crate::simulation::shrink::shrink;
use crate::simulation::strategy;
use crate::simulation::{points, seeded_runner};

/// How many further runs that break the same property are made short too: one alone may not be short.
const OTHERS_SHRUNK: usize = 7;
/// The columns of a story in the output of a test.
const WIDTH: usize = 100;

/// How much is tried. What is found within bounds is found; what is not found is not proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many schedules are drawn.
    pub schedules: u32,
    /// The most messages of one, at most [`strategy::MESSAGES_MAX`].
    pub messages: u32,
    /// The most faults of one, at most [`strategy::FAULTS_MAX`].
    pub faults: u32,
    /// What they are drawn from.
    pub seed: u64,
}

impl Default for Bounds {
    /// 512 schedules of up to 4 messages and 3 faults.
    fn default() -> Self {
        Bounds { schedules: 512, messages: 4, faults: 3, seed: 1 }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { schedules, messages, faults, seed } = self;
        write!(f, "{schedules} schedules of up to {messages} messages and {faults} faults, seed {seed}")
    }
}

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What the judge reads. Its time is the number of rows of the story so far.
    pub history: History,
    /// What happened, row by row.
    pub story: Vec<Row>,
    /// For each planned fault, whether it struck.
    pub fired: Vec<bool>,
    /// It came to rest; otherwise it was cut.
    pub rests: bool,
    /// The properties that it broke, claimed or not, each with the message and a sentence.
    pub breaches: Vec<(PropertyId, MessageId, String)>,
}

impl Run {
    /// The properties that it broke.
    pub fn broken(&self) -> PropertySet {
        self.breaches.iter().map(|(property, ..)| *property).collect()
    }
}

/// Nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// In whose claim.
    pub claim: String,
    /// The bounds of the search.
    pub bounds: Bounds,
    /// How many of the runs came to rest.
    pub rested: u32,
    /// How many messages had an effect, in all runs: without any, nothing was judged.
    pub effects: u64,
    /// How often each kind of fault struck, of those that the claim survives.
    pub struck: BTreeMap<Fault, u32>,
}

impl Passed {
    /// The faults that the claim survives, and that struck in no run: nothing was shown of them.
    pub fn never_struck(&self) -> impl Iterator<Item = Fault> {
        self.struck.iter().filter(|(_, times)| **times == 0).map(|(fault, _)| *fault)
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Passed { claim, bounds, rested, effects, struck } = self;
        writeln!(f, "{claim}: nothing was found in {bounds}")?;
        writeln!(f, "{rested} runs came to rest, with {effects} effects; how often each fault struck:")?;
        struck.iter().try_for_each(|(fault, times)| writeln!(f, "  {times:>5} {fault}"))
    }
}

/// A run that breaks what is claimed, as short as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which property.
    pub property: PropertyId,
    /// Whose.
    pub claim: String,
    /// What happened to which message.
    pub what: String,
    /// The schedule: save it with [`Schedule::to_json`], and run it again with [`Suite::run`].
    pub schedule: Schedule,
    /// What happened.
    pub story: Vec<Row>,
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    /// The property, the faults and the story.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} breaks {}: {}", self.claim, self.property, self.what)?;
        let plural = if self.schedule.messages == 1 { "" } else { "s" };
        let faults = &self.schedule.faults;
        let none = if faults.is_empty() { ", without any fault" } else { ":" };
        writeln!(f, "with {} message{plural}{none}", self.schedule.messages)?;
        faults.iter().try_for_each(|planned| writeln!(f, "  {planned}"))?;
        f.write_str(&Story { rows: self.story.clone(), ..Story::default() }.text(Ink::Plain, WIDTH))
    }
}

/// One producer, one broker and one kind of consumer, what they claim together, and how they are opened.
pub struct Suite<P: Producer, B: Broker, C: Consumer> {
    claim: Claim,
    opens: Opens<P, B, C>,
}

impl<P: Producer, B: Broker, C: Consumer> Suite<P, B, C> {
    /// Joins three parties. Each is opened on its disk: an empty one at first, then what its crash returned. A consumer also
    /// gets its number in the group, from 0.
    pub fn new(
        claim: Claim,
        producer: impl Fn(P::Disk) -> P + 'static,
        broker: impl Fn(B::Disk) -> B + 'static,
        consumer: impl Fn(u8, C::Disk) -> C + 'static,
    ) -> Self {
        let payload = Box::new(|message| format!("order {message}").into_bytes());
        let (producer, broker, consumer) = (Box::new(producer), Box::new(broker), Box::new(consumer));
        Suite { claim, opens: Opens { producer, broker, consumer, payload } }
    }

    /// Submits these bytes for each message, which are to be different ones, in place of "order 1", "order 2" and so on.
    pub fn with_payload(mut self, payload: impl Fn(u64) -> Vec<u8> + 'static) -> Self {
        self.opens.payload = Box::new(payload);
        self
    }

    /// What is claimed.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Schedules of the faults that the claim survives.
    pub fn schedules(&self, bounds: Bounds) -> impl Strategy<Value = Schedule> + use<P, B, C> {
        let mut pipeline = self.claim.pipeline.clone();
        let total = pipeline.faults.total;
        pipeline.faults.total = if total == 0 { bounds.faults } else { total.min(bounds.faults) };
        let is_faultless = bounds.faults == 0;
        strategy::schedules(&pipeline).prop_map(move |schedule| {
            let faults = if is_faultless { Vec::new() } else { schedule.faults };
            within(Schedule { faults, ..schedule }, bounds.messages.max(1).into())
        })
    }

    /// Runs one schedule. Of an exact order, which only parties can follow that show every step, its faults are kept and
    /// struck at their points: see [`crate::simulation::points`].
    ///
    /// # Panics
    /// If a fault of an exact order has no point: a run without it would show nothing.
    pub fn run(&self, schedule: &Schedule) -> Run {
        let (seed, faults) = match &schedule.interleaving {
            Interleaving::Seeded(seed) => (*seed, schedule.faults.clone()),
            _ => {
                let planned = points::planned(schedule);
                (0, planned.unwrap_or_else(|why| panic!("parties of other origin cannot follow this schedule: {why}")))
            }
        };
        self.seeded(schedule, &faults, seed)
    }

    fn seeded(&self, schedule: &Schedule, faults: &[PlannedFault], seed: u64) -> Run {
        let mut choice = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new(&self.opens, &self.claim, schedule, faults);
        let moves_max = 1_000 + 200 * schedule.messages as usize + 200 * faults.len();
        let rests = !(0..moves_max).all(|_| world.go(&mut choice));
        let (mut record, fired, leases) = world.finish();
        if rests {
            record.event(FAULTS, EventKind::Quiescent);
        }
        let mut run = Run { history: record.history, story: record.rows, fired, rests, breaches: Vec::new() };
        let of_leases = leases
            .into_iter()
            .map(|(property, message)| (property, message, format!("message {message}: {}", property.formula())));
        run.breaches = of_leases.chain(judged(&run)).collect();
        run
    }

    /// The first property that the claim names and the run breaks.
    pub fn failure(&self, run: &Run) -> Option<PropertyId> {
        let claimed = self.claim.properties();
        run.breaches.iter().map(|(property, ..)| *property).find(|property| claimed.contains(*property))
    }

    /// Draws schedules, runs and judges them. Of the first run that breaks the claim, and of the next few that break the same
    /// property, the shortest story is told.
    pub fn check(&self, bounds: Bounds) -> Result<Passed, Box<Failure>> {
        let strategy = self.schedules(bounds);
        let mut runner = seeded_runner(bounds.seed);
        let drawn = (0..bounds.schedules).map(|_| strategy.new_tree(&mut runner).expect("nothing is filtered out"));
        let mut drawn = drawn.map(|tree| tree.current());
        let Pipeline { name: claim, faults, .. } = self.claim.pipeline.clone();
        let struck = faults.kinds().map(|fault| (fault, 0)).collect();
        let mut passed = Passed { claim, bounds, rested: 0, effects: 0, struck };
        while let Some(schedule) = drawn.next() {
            let run = self.run(&schedule);
            if let Some(property) = self.failure(&run) {
                let others = drawn.filter(|other| self.run(other).broken().contains(property)).take(OTHERS_SHRUNK);
                let found = std::iter::once(schedule).chain(others).map(|found| self.shortest(found, property));
                let cost = |it: &Failure| (it.schedule.messages, it.schedule.faults.len(), it.story.len());
                return Err(Box::new(found.min_by_key(cost).expect("one was found")));
            }
            passed.rested += u32::from(run.rests);
            let is_effect = |kind: &EventKind| matches!(kind, EventKind::Effect { .. });
            passed.effects += run.history.events.iter().filter(|it| is_effect(&it.event.kind)).count() as u64;
            let struck = schedule.faults.iter().zip(&run.fired).filter(|(_, fired)| **fired);
            struck.for_each(|(planned, _)| *passed.struck.entry(planned.fault).or_default() += 1);
        }
        Ok(passed)
    }

    /// Runs a kill schedule: the story of a seeded bug of ours, on your parties. None if no interleaving tried breaks its
    /// property.
    pub fn finds(&self, kill: &KillSchedule) -> Option<Box<Failure>> {
        let seeded = |seed| Schedule { interleaving: Interleaving::Seeded(seed), ..kill.schedule.clone() };
        let breaks = |schedule: &Schedule| self.run(schedule).broken().contains(kill.property);
        let found = (0..SEEDS).map(seeded).find(breaks)?;
        Some(Box::new(self.shortest(found, kill.property)))
    }

    /// The shortest story that was found of a schedule that breaks this property.
    pub fn shortest(&self, schedule: Schedule, property: PropertyId) -> Failure {
        let breaks = |run: &Run| run.breaches.iter().find(|(broken, ..)| *broken == property).cloned();
        let mut fails = |candidate: &Schedule| {
            let run = self.run(candidate);
            breaks(&run).map(|_| run.story.len())
        };
        let schedule = shrink(schedule, &mut fails);
        let run = self.run(&schedule);
        let (_, _, what) = breaks(&run).expect("what was kept fails");
        let claim = self.claim.pipeline.name.clone();
        Failure { property, claim, what, schedule, story: run.story }
    }
}

/// The same schedule with so many messages at most. Points of messages beyond are those of the others.
fn within(mut schedule: Schedule, messages: u64) -> Schedule {
    schedule.messages = ((u64::from(schedule.messages) - 1) % messages) as u32 + 1;
    for planned in &mut schedule.faults {
        let fewer = |message: MessageId| MessageId((message.0 - 1) % u64::from(schedule.messages) + 1);
        planned.at.message = planned.at.message.map(fewer);
    }
    schedule
}

/// What the judge says. A run that was cut is judged as one that never ends, if its second half brought nothing new.
fn judged(run: &Run) -> Vec<(PropertyId, MessageId, String)> {
    let judgement = judge(&run.history, Question { endless: !run.rests && goes_round(run), ..Question::default() });
    let told = judgement.violations.iter().map(|violation| {
        (violation.property, violation.message, format!("message {} {}", violation.message, violation.breach))
    });
    told.collect()
}

fn goes_round(run: &Run) -> bool {
    let is_new = |event: &Event| matches!(event.kind, EventKind::Effect { .. } | EventKind::DeadLetter { .. });
    let half = run.history.events.len() / 2;
    !run.history.events[half..].iter().any(|recorded| is_new(&recorded.event))
}
