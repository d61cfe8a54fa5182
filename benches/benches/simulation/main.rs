//! Schedules that the simulation runs and judges a second, beside a like scenario over turmoil.
//!
//! Ours: the three reference pipelines, 10 messages and 3 faults a schedule, drawn from the pipeline's kinds and points. A
//! schedule is run step by step on the real cores; every event is judged by the monitors of the guarantees, and what the
//! parties hold by those of the white-box properties. On one thread, and on two, each with half of the schedules.
//!
//! turmoil: 10 messages and 3 faults, exactly once, with retries, a broker that recognises them, and an inbox
//! ([`over_turmoil`]). What differs:
//!
//! * turmoil runs async tasks on tokio, and datagrams on a simulated IP network; ours moves one thing at a time, and no bytes
//!   are framed.
//! * turmoil steps a clock, and most of a run is waiting: its steps are 10 ms long here, so that few of them are empty. Ours
//!   has no clock, as a time-out is a step.
//! * turmoil's parties here are a page of code each. Ours are the shipped ones, with disks that lose what is not synced,
//!   leases, epochs and sequence numbers.
//! * turmoil's run is checked once, at its end; ours at every step.
//!
//! After every timed run the counts are checked: every schedule came to rest and broke no promise, the steps and events are those
//! of the same schedules on one thread, faults struck, and over turmoil every message has one effect. The
//! ratio is of the best times of turns that follow each other. Under `--test` a few schedules run once.

mod over_turmoil;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::{is_test, speed_beside_another, tell, time, time_at_once};
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_model::schedule::{PlannedFault, Point};
use delivery_model::semantics::Rules;
use delivery_model::vocab::{Fault, MessageId};
use delivery_proofs::figures::{Bound, Sheet};
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::run::Ending;
use delivery_proofs::simulation::simulator::Simulator;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = simulation
}
criterion_main!(benches);

const MESSAGES: u32 = over_turmoil::MESSAGES as u32;
const FAULTS: usize = over_turmoil::FAULTS;
const REFERENCES: [&str; 3] = ["at-most-once", "at-least-once", "exactly-once"];
/// How often each is timed for the ratios: the best counts.
const TURNS: usize = 5;

fn simulation(criterion: &mut Criterion) {
    let (schedules, over_turmoil) = if is_test() { (50, 4) } else { (5_000, 100) };
    for name in REFERENCES {
        let pipeline = presets::named(name).expect("a reference");
        let planned: Vec<Planned> = (0..schedules).map(|seed| Planned::drawn(&pipeline, seed)).collect();
        let expected = run_all(&pipeline, &planned);
        expected.check(schedules);
        let mut group = criterion.benchmark_group("schedules of 10 messages and 3 faults");
        group.throughput(Throughput::Elements(schedules));
        for threads in [1, 2] {
            group.bench_function(BenchmarkId::new(name, format!("{threads} threads")), |bench| {
                bench.iter_custom(|times| (0..times).map(|_| timed(&pipeline, &planned, threads, &expected)).sum());
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("schedules of 10 messages and 3 faults");
    group.throughput(Throughput::Elements(over_turmoil));
    group.bench_function("exactly once over turmoil", |bench| {
        bench.iter_custom(|times| (0..times).map(|_| timed_over_turmoil(over_turmoil)).sum());
    });
    group.finish();
    compare(schedules, over_turmoil);
}

/// A schedule of the bench.
struct Planned {
    faults: Vec<PlannedFault>,
    seed: u64,
}

impl Planned {
    /// Faults of different kinds, each at a point where it can strike, the first time that a run comes there.
    fn drawn(pipeline: &Pipeline, seed: u64) -> Planned {
        let mut choice = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |limit: usize| choice.next_u32() as usize % limit;
        let mut kinds: Vec<Fault> = pipeline.faults.kinds().collect();
        let mut fault = || {
            let fault = kinds.swap_remove(below(kinds.len()));
            let step = fault.row().at[below(fault.row().at.len())];
            let message = step.has_message().then(|| MessageId(1 + below(MESSAGES as usize) as u64));
            PlannedFault::new(fault, Point { step, message, nth: 1 })
        };
        Planned { faults: (0..FAULTS).map(|_| fault()).collect(), seed }
    }
}

/// What the runs of some schedules came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    runs: u64,
    rested: u64,
    steps: u64,
    events: u64,
    deliveries_and_effects: u64,
    broke: u64,
    struck: u64,
}

impl Counts {
    fn plus(mut self, other: &Counts) -> Counts {
        self.runs += other.runs;
        self.rested += other.rested;
        self.steps += other.steps;
        self.events += other.events;
        self.deliveries_and_effects += other.deliveries_and_effects;
        self.broke += other.broke;
        self.struck += other.struck;
        self
    }

    /// Every schedule was run to its rest, and no promise was broken.
    fn check(&self, schedules: u64) {
        assert_eq!((self.runs, self.rested, self.broke), (schedules, schedules, 0), "{self:?}");
        assert!(self.deliveries_and_effects > schedules * u64::from(MESSAGES), "{self:?}");
        assert!(self.struck > schedules, "few faults struck: {self:?}");
    }
}

fn run_all(pipeline: &Pipeline, planned: &[Planned]) -> Counts {
    let mut simulator = Simulator::new(pipeline, Mutant::None);
    let mut counts = Counts::default();
    let promised = Rules::from(pipeline).required_by(pipeline.promises.expect("a reference promises something"));
    for Planned { faults, seed } in planned {
        let judged = simulator.run(MESSAGES, faults, *seed);
        counts.runs += 1;
        counts.rested += u64::from(judged.ending == Ending::Rest);
        counts.steps += judged.steps as u64;
        counts.events += judged.events;
        counts.deliveries_and_effects += judged.deliveries_and_effects;
        counts.broke += u64::from(!(judged.broken & promised).is_empty());
        counts.struck += simulator.fired().iter().flatten().count() as u64;
    }
    counts
}

/// The time of all schedules on so many threads, whose counts are then checked.
fn timed(pipeline: &Pipeline, planned: &[Planned], threads: usize, expected: &Counts) -> Duration {
    let mut counts = vec![Counts::default(); threads];
    let shares = planned.chunks(planned.len().div_ceil(threads));
    let work = counts.iter_mut().zip(shares).map(|(counts, share)| move || *counts = run_all(pipeline, share));
    let took = time_at_once(work);
    assert_eq!(counts.iter().fold(Counts::default(), Counts::plus), *expected, "on {threads} threads");
    took
}

fn timed_over_turmoil(runs: u64) -> Duration {
    let mut ended = Vec::new();
    let took = time(|| ended.extend((0..runs).map(over_turmoil::run)));
    for (seed, ended) in ended.iter().enumerate() {
        let expected = over_turmoil::Ended { once: over_turmoil::MESSAGES, otherwise: 0, struck: FAULTS };
        assert_eq!(*ended, expected, "seed {seed}");
    }
    took
}

/// The best of several turns, in which each follows the others.
fn compare(schedules: u64, over_turmoil: u64) {
    let turns = if is_test() { 1 } else { TURNS };
    let a_second = |runs: u64, took: Duration| runs as f64 / took.as_secs_f64();
    let references = REFERENCES.map(|name| presets::named(name).expect("a reference"));
    let planned: Vec<Vec<Planned>> =
        references.iter().map(|pipeline| (0..schedules).map(|seed| Planned::drawn(pipeline, seed)).collect()).collect();
    let mut best = [[0.0f64; 2]; REFERENCES.len()];
    let mut best_over_turmoil = 0.0f64;
    let mut steps = [0.0; REFERENCES.len()];
    for _ in 0..turns {
        for (place, (pipeline, planned)) in references.iter().zip(&planned).enumerate() {
            let expected = run_all(pipeline, planned);
            steps[place] = expected.steps as f64 / schedules as f64;
            for threads in [1, 2] {
                let speed = a_second(schedules, timed(pipeline, planned, threads, &expected));
                best[place][threads - 1] = best[place][threads - 1].max(speed);
            }
        }
        best_over_turmoil = best_over_turmoil.max(a_second(over_turmoil, timed_over_turmoil(over_turmoil)));
    }
    let about =
        "Schedules that are run and judged, 10 messages and 3 faults each, beside a like scenario over turmoil.";
    let mut sheet = Sheet::new("simulation", about);
    let columns = ["", "schedules/s", "2 threads", "steps a schedule", "times turmoil"];
    let table = sheet.table("Schedules of 10 messages and 3 faults a second", &columns);
    for ((name, [one, two]), steps) in REFERENCES.iter().zip(best).zip(steps) {
        table.row(*name, [Some(one), Some(two), Some(steps), Some(one / best_over_turmoil)]);
    }
    table.row("over turmoil", [Some(best_over_turmoil), None, None, Some(1.0)]);
    let exactly_once = best[REFERENCES.len() - 1];
    sheet.goal("exactly-once, on one thread", exactly_once[0], "schedules/s", Bound::AtLeast(100_000.0));
    let title = "Two threads that share no data, each as a fraction of its speed alone";
    sheet.table(title, &["", "fraction"]).row("this machine", [speed_beside_another()]);
    tell(&sheet);
}
