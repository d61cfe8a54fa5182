//! The graph checker compared with Stateright's breadth-first and depth-first searches, each on one and on two
//! threads.
//!
//! All searches walk the protocol of one pipeline to its end and evaluate the same properties. Stateright evaluates
//! them one by one, because its interface requires it; the graph checker evaluates them together, and also keeps
//! parents and edges. The white-box properties look at steps, which makes them slow to evaluate one by one, so the
//! comparison is repeated with the properties of histories alone. After every timed run the number of unique states
//! must be the expected one, so a search that stops early gains nothing. The last lines show the best times side by
//! side, and how the work grows with messages and faults.
//!
//! If two threads are no faster than one, they may share a core with another process: the ratios of one run are
//! valid, the absolute times are not. Under `--test` a small instance runs once.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use delivery_benches::is_test;
use delivery_model::check::Protocol;
use delivery_model::check::graph::{Completeness, Exploration, Walk};
use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::presets;
use delivery_model::semantics::Rules;
use delivery_model::vocab::Step;
use stateright::{Checker, Model};

criterion_group!(benches, checkers);
criterion_main!(benches);

/// The fewest states with which a search is measured.
const STATES_MIN: usize = 1_000_000;

fn checkers(criterion: &mut Criterion) {
    let (messages, faults) = if is_test() { (1, 1) } else { (4, 3) };
    let pipeline = reference(faults);
    let protocol = Protocol::new(&pipeline, messages).expect("so many messages fit");
    let from_outside = Protocol::watching(&pipeline, messages, Rules::from(&pipeline).applicable());
    let walked = walk(&protocol, 1);
    let states = walked.graph.len();
    assert!(is_test() || states >= STATES_MIN, "{states} states are too few");
    compare(criterion, "every property", &protocol, states);
    compare(criterion, "properties of histories", &from_outside.expect("so many messages fit"), states);
    weigh(&walked);
    grow(messages, faults);
}

/// The exactly-once reference, with a total of this many faults in one run.
fn reference(faults: u32) -> Pipeline {
    let pipeline = presets::named("exactly-once").expect("a reference");
    // A total of 0 is no cap.
    let faults = if faults == 0 { FaultBudget::NONE } else { pipeline.faults.capped(faults) };
    Pipeline { faults, ..pipeline }
}

/// The class of an edge: whether its step is a fault.
fn class(step: &Step) -> u8 {
    u8::from(step.fault().is_some())
}

fn walk(protocol: &Protocol, threads: usize) -> Exploration<<Protocol as Model>::State> {
    protocol.run(Walk::new(protocol).checks(protocol.checks()).threads(threads).edges(class))
}

/// A search; the number is that of its threads.
#[derive(Clone, Copy, Debug)]
enum Search {
    Graph(usize),
    Bfs(usize),
    Dfs(usize),
}

const SEARCHES: [Search; 6] =
    [Search::Graph(1), Search::Graph(2), Search::Bfs(1), Search::Bfs(2), Search::Dfs(1), Search::Dfs(2)];

fn compare(criterion: &mut Criterion, watched: &str, protocol: &Protocol, states: usize) {
    let mut group = criterion.benchmark_group(watched);
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(states as u64));
    let mut best = SEARCHES.map(|_| Duration::MAX);
    for (search, best) in SEARCHES.into_iter().zip(&mut best) {
        group.bench_function(BenchmarkId::from_parameter(format!("{search:?}")), |bencher| {
            bencher.iter_custom(|times| {
                let walks = (0..times).map(|_| time(search, protocol.clone(), states));
                walks.inspect(|&took| *best = took.min(*best)).sum()
            });
        });
    }
    group.finish();
    summarize(watched, states, &best);
}

/// The time of one walk, without the time to drop its result.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn time(search: Search, protocol: Protocol, states: usize) -> Duration {
    let start = Instant::now();
    match search {
        Search::Graph(threads) => {
            let walked = walk(&protocol, threads);
            let took = start.elapsed();
            assert_eq!((walked.graph.len(), walked.completeness), (states, Completeness::Complete));
            took
        }
        Search::Bfs(threads) => finish(start, states, protocol.checker().threads(threads).spawn_bfs().join()),
        Search::Dfs(threads) => finish(start, states, protocol.checker().threads(threads).spawn_dfs().join()),
    }
}

fn finish(start: Instant, states: usize, checker: impl Checker<Protocol>) -> Duration {
    let took = start.elapsed();
    assert_eq!(checker.unique_state_count(), states);
    took
}

fn summarize(watched: &str, states: usize, best: &[Duration; SEARCHES.len()]) {
    if best.contains(&Duration::MAX) {
        return; // a filter left some out
    }
    println!("{watched}: {states} unique states, the best time of each");
    for (search, took) in SEARCHES.iter().zip(best) {
        let (search, seconds) = (format!("{search:?}"), took.as_secs_f64());
        println!("  {search:8} {seconds:7.3} s  {:6.2} M/s", states as f64 / seconds / 1e6);
    }
    let (ours, theirs) = best.split_at(2);
    let (ours, theirs) = (ours.iter().min().expect("two"), theirs.iter().min().expect("four"));
    let times = theirs.as_secs_f64() / ours.as_secs_f64();
    println!("  the graph checker is {times:.2} times as fast as Stateright's best");
}

/// The limit of bytes for a state, its edges excluded.
const BYTES_MAX: f64 = 64.0;

/// Prints the bytes of a state, and checks the limit.
fn weigh(walked: &Exploration<<Protocol as Model>::State>) {
    let (memory, states) = (walked.memory, walked.graph.len() as f64);
    let a_state = |bytes: usize| bytes as f64 / states;
    let [state, path, table] = [memory.states, memory.paths, memory.table].map(a_state);
    println!(
        "  bytes a state: {state:.1} itself, {path:.1} its path, {table:.1} the table; and {:.1} for {:.1} edges",
        a_state(memory.edges),
        walked.graph.transitions() as f64 / states,
    );
    assert!(is_test() || state + path + table <= BYTES_MAX, "more than {BYTES_MAX} bytes a state");
}

/// Prints the number of states, and the time on two threads, for up to this many messages and faults in one run.
fn grow(messages: u32, faults: u32) {
    println!("  exactly-once: states, and seconds on two threads, by messages and by faults in one run");
    println!("  {:>8}{}", "messages", (0..=faults).map(|total| format!("{total:>19} ")).collect::<String>());
    for messages in 1..=messages {
        let row: String = (0..=faults).map(|total| format!("{:>20}", cell(messages, total))).collect();
        println!("  {messages:>8}{row}");
    }
}

fn cell(messages: u32, faults: u32) -> String {
    let protocol = Protocol::new(&reference(faults), messages).expect("so many messages fit");
    let mut states = 0;
    let took = delivery_benches::time(|| states = walk(&protocol, 2).graph.len());
    format!("{states} {:.3}", took.as_secs_f64())
}
