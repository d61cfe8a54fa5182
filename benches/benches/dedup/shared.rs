//! A table of producers that two threads share: ours in parts, each behind a lock, and concurrent maps of others.
//!
//! A producer's publishes come over one connection, so each thread has producers of its own.

use std::sync::Mutex;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use dashmap::DashMap;
use delivery_benches::{is_test, time_at_once};
use delivery_impls::data::record::ProducerId;
use delivery_memories::{Answer, Dedup, Errs, Numbered, ProducerState, ProducerTable};
use foldhash::fast::FixedState;

use crate::ALLOCATED;
use crate::loads::{self, LONG, Load, Share};
use crate::oracle::{self, Wrong};
use crate::table::{Row, Rows};

const THREADS: usize = 2;
/// The parts of our table: so many that two threads seldom want the same.
const PARTS: usize = 64;
/// The publishes that a connection reads at once.
const BATCH: usize = 1024;

/// A memory that several threads ask at once.
trait Shared: Sync {
    fn admit_all(&self, names: &[Numbered], answers: &mut Vec<Answer>);
}

/// Tables of producers, by the lowest bits of the producer's id.
struct Parts(Vec<Mutex<ProducerTable>>);

impl Shared for Parts {
    fn admit_all(&self, names: &[Numbered], answers: &mut Vec<Answer>) {
        for batch in names.chunks(BATCH) {
            // The names of each part, and where their answers belong.
            let (mut parts, mut places) = (vec![Vec::new(); PARTS], vec![Vec::new(); PARTS]);
            for (place, name) in batch.iter().enumerate() {
                let part = name.session.producer.0 as usize % PARTS;
                parts[part].push(*name);
                places[part].push(place);
            }
            let first = answers.len();
            answers.resize(first + batch.len(), Answer::New);
            let mut of_part = Vec::new();
            for ((part, names), places) in self.0.iter().zip(parts).zip(places) {
                of_part.clear();
                let Ok(()) = part.lock().expect("no panic in between").admit_all(&names, &mut of_part);
                for (place, answer) in places.into_iter().zip(&of_part) {
                    answers[first + place] = *answer;
                }
            }
        }
    }
}

/// A map of others: what it does with one name.
struct Map<F>(F);

impl<F: Fn(Numbered) -> Answer + Sync> Shared for Map<F> {
    fn admit_all(&self, names: &[Numbered], answers: &mut Vec<Answer>) {
        answers.extend(names.iter().map(|name| (self.0)(*name)));
    }
}

fn parts(producers: u32) -> Box<dyn Shared> {
    let part = || Mutex::new(ProducerTable::new((producers as usize).div_ceil(PARTS) + 1));
    Box::new(Parts((0..PARTS).map(|_| part()).collect()))
}

fn dashmap(_: u32) -> Box<dyn Shared> {
    let states = DashMap::<ProducerId, ProducerState, FixedState>::default();
    Box::new(Map(move |name: Numbered| states.entry(name.session.producer).or_default().admit(name)))
}

fn scc(_: u32) -> Box<dyn Shared> {
    let states = scc::HashMap::<ProducerId, ProducerState, FixedState>::default();
    Box::new(Map(move |name: Numbered| states.entry_sync(name.session.producer).or_default().get_mut().admit(name)))
}

/// Its values do not change in place, so a state is behind a lock of its own.
struct Papaya(papaya::HashMap<ProducerId, Mutex<ProducerState>, FixedState>);

impl Shared for Papaya {
    fn admit_all(&self, names: &[Numbered], answers: &mut Vec<Answer>) {
        let states = self.0.pin();
        answers.extend(names.iter().map(|name| {
            let state = states.get_or_insert_with(name.session.producer, Mutex::default);
            state.lock().expect("no panic in between").admit(*name)
        }));
    }
}

fn papaya(_: u32) -> Box<dyn Shared> {
    Box::new(Papaya(papaya::HashMap::default()))
}

/// Makes a memory for so many producers.
type New = fn(u32) -> Box<dyn Shared>;

const ENTRANTS: [(&str, Errs, New); 4] = [
    ("producer-table", Errs::Refuses, parts),
    ("dashmap", Errs::Never, dashmap),
    ("papaya", Errs::Never, papaya),
    ("scc", Errs::Never, scc),
];

/// Measures the memories that two threads share.
pub fn compare(criterion: &mut Criterion, rows: &mut Rows) {
    let (count, name) = if is_test() { (1000, "1k") } else { (1_000_000, "1m") };
    let mut load = loads::producers(format!("shared-{name}"), count, Share::Uniform, LONG);
    // Each thread's publishes together, in their order.
    load.items.sort_by_key(|item| item.producer as usize % THREADS);
    let split = load.items.partition_point(|item| (item.producer as usize).is_multiple_of(THREADS));
    let mut group = criterion.benchmark_group(format!("dedup/{}", load.id));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(LONG as u64));
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(300));
    for (id, errs, new) in ENTRANTS {
        let mut run: Option<Run> = None;
        group.bench_function(id, |bencher| {
            let run = run.get_or_insert_with(|| Run::new(&load, || new(count)));
            bencher.iter_custom(|iterations| (0..iterations).map(|_| run.once(&load, split)).sum());
        });
        if let Some(run) = run {
            let ns = run.best.as_secs_f64() * 1e9 / LONG as f64;
            rows.add(Row::new(&load, id, errs, ns, run.bytes, run.wrong));
        }
    }
}

struct Run {
    memory: Box<dyn Shared>,
    names: Vec<Numbered>,
    runs: u64,
    bytes: usize,
    best: Duration,
    wrong: Wrong,
}

impl Run {
    fn new(load: &Load, new: impl FnOnce() -> Box<dyn Shared>) -> Run {
        let before = ALLOCATED.current_usage();
        let memory = new();
        for names in load.warm().chunks(LONG) {
            let mut answers = Vec::new();
            memory.admit_all(names, &mut answers);
            assert!(answers.iter().all(|answer| *answer == Answer::New), "{}: what comes first is new", load.id);
        }
        let bytes = ALLOCATED.current_usage().saturating_sub(before);
        Run { memory, names: Vec::new(), runs: 0, bytes, best: Duration::MAX, wrong: Wrong::default() }
    }

    fn once(&mut self, load: &Load, split: usize) -> Duration {
        load.names(self.runs, &mut self.names);
        self.runs += 1;
        let (first, second) = self.names.split_at(split);
        let mut answers = [first, second].map(|names| Vec::with_capacity(names.len()));
        let memory = &*self.memory;
        let work = [first, second].into_iter().zip(&mut answers);
        let took = time_at_once(work.map(|(names, answers)| move || memory.admit_all(names, answers)));
        self.wrong = oracle::judge(load, &answers.concat());
        self.best = self.best.min(took);
        took
    }
}
