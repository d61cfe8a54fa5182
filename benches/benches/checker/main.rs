//! The graph checker compared with Stateright's breadth-first and depth-first searches, each on one and on two
//! threads.
//!
//! All searches walk the protocol of one pipeline to its end and evaluate the same properties. Stateright evaluates
//! them one by one, because its interface requires it; the graph checker evaluates them together, and also keeps
//! parents and edges. The white-box properties look at steps, which makes them slow to evaluate one by one, so the
//! comparison is repeated with the properties of histories alone. The reduced search, which takes steps that commute in
//! one order only, comes to the same verdict on every property with fewer states; it keeps parents and no edges, as
//! Stateright does.
//!
//! The searches take turns, round after round, so that what else the machine does befalls them alike; criterion is then
//! given the times of each. After every timed run the number of unique states must be the expected one, so a search
//! that stops early gains nothing. The tables at the end have the best times side by side, and how the work grows with
//! messages and faults.
//!
//! SPIN searches a Promela twin of the protocol, where it and `gcc` are installed; otherwise that comparison is left out,
//! by name.
//!
//! If two threads are no faster than one, they may share a core with another process: the ratios of one run are
//! valid, the absolute times are not. Under `--test` a small instance runs once.

mod spin;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use delivery_benches::{is_test, tell};
use delivery_model::check::graph::{Completeness, Exploration, Walk};
use delivery_model::check::{Protocol, Reduced};
use delivery_model::numbers::{count, grouped};
use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::presets;
use delivery_model::semantics::{PropertySet, Rules};
use delivery_model::vocab::Step;
use delivery_proofs::figures::{Bound, Sheet};
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
    let decided = decided(&walked);
    let mut sheet = Sheet::new("checker", &about(messages, faults));
    compare(criterion, &mut sheet, "every property", &protocol, &EVERY, (states, decided));
    let from_outside = from_outside.expect("so many messages fit");
    compare(criterion, &mut sheet, "properties of histories", &from_outside, &EVERY[..6], (states, decided));
    if sheet.tables.is_empty() {
        return; // a filter left both out
    }
    beside_spin(&mut sheet, &pipeline, messages, faults);
    weigh(&mut sheet, &walked);
    grow(&mut sheet, messages, faults);
    tell(&sheet);
}

fn about(messages: u32, faults: u32) -> String {
    format!(
        "Searches of the exactly-once reference, {messages} messages, {faults} faults in one run: the graph checker (Graph), the \
         search that takes commuting steps in one order (Reduced), Stateright's breadth-first and depth-first ones (Bfs, Dfs). \
         The number is that of threads; times are the best of {ROUNDS} rounds, in which all take turns."
    )
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

/// How many checks a walk decided: properties that are broken, and faults that struck.
fn decided<S>(walked: &Exploration<S>) -> usize {
    walked.findings.iter().filter(|finding| finding.decided_by.is_some()).count()
}

/// A search; the number is that of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Graph(usize),
    Bfs(usize),
    Dfs(usize),
    Reduced(usize),
}

const EVERY: [Search; 8] = [
    Search::Graph(1),
    Search::Graph(2),
    Search::Bfs(1),
    Search::Bfs(2),
    Search::Dfs(1),
    Search::Dfs(2),
    Search::Reduced(1),
    Search::Reduced(2),
];

/// How often each search takes its turn.
const ROUNDS: usize = 7;

/// All searches have so many states, and decide so many checks.
fn compare(
    criterion: &mut Criterion,
    sheet: &mut Sheet,
    watched: &str,
    protocol: &Protocol,
    searches: &[Search],
    (states, decided): (usize, usize),
) {
    let mut group = criterion.benchmark_group(watched);
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(states as u64));
    // Measured when the first of them is asked for: a filter may leave all of them out.
    let mut rounds: Vec<Vec<Duration>> = Vec::new();
    for (place, search) in searches.iter().enumerate() {
        group.bench_function(BenchmarkId::from_parameter(format!("{search:?}")), |bencher| {
            if rounds.is_empty() {
                let count = if is_test() { 1 } else { ROUNDS };
                let round = |_| searches.iter().map(|&it| time(it, protocol.clone(), states, decided)).collect();
                rounds = (0..count).map(round).collect();
            }
            let mut turns = rounds.iter().map(|round| round[place]).cycle();
            bencher.iter_custom(|times| turns.by_ref().take(times as usize).sum());
        });
    }
    group.finish();
    if !rounds.is_empty() {
        let best = |place: usize| rounds.iter().map(|round| round[place]).min().expect("there was a round");
        let best: Vec<_> = searches.iter().enumerate().map(|(place, search)| (*search, best(place))).collect();
        summarize(sheet, watched, states, &best);
    }
}

/// The time of one walk, without the time to drop its result.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn time(search: Search, protocol: Protocol, states: usize, expected: usize) -> Duration {
    let start = Instant::now();
    match search {
        Search::Graph(threads) => {
            let walked = walk(&protocol, threads);
            let took = start.elapsed();
            assert_eq!((walked.graph.len(), walked.completeness), (states, Completeness::Complete));
            took
        }
        Search::Reduced(threads) => {
            let reduced = Reduced(protocol.clone());
            let walked = protocol.run(Walk::new(&reduced).checks(protocol.checks()).threads(threads));
            let took = start.elapsed();
            assert_eq!((decided(&walked), walked.completeness), (expected, Completeness::Complete));
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

fn summarize(sheet: &mut Sheet, watched: &str, states: usize, best: &[(Search, Duration)]) {
    let title = format!("{watched}: {} unique states", grouped(states as u64));
    add_times(sheet, &title, states, best.iter().map(|(search, took)| (format!("{search:?}"), *took)));
    let best_of = |is_one: fn(Search) -> bool| {
        best.iter().filter(|(search, _)| is_one(*search)).map(|(_, took)| took.as_secs_f64()).reduce(f64::min)
    };
    let theirs = best_of(|it| matches!(it, Search::Bfs(_) | Search::Dfs(_))).expect("four");
    let ours = best_of(|it| matches!(it, Search::Graph(_))).expect("two");
    let [one, two] = [best_of(|it| it == Search::Graph(1)), best_of(|it| it == Search::Graph(2))];
    let of = format!("graph checker, {watched}");
    sheet.goal(&of, theirs / ours, "times as fast as Stateright's best", Bound::AtLeast(5.0));
    let gain = one.expect("it ran") / two.expect("it ran");
    sheet.goal(&of, gain, "times as fast on two threads as on one", Bound::AtLeast(1.7));
    if let Some(reduced) = best_of(|it| matches!(it, Search::Reduced(_))) {
        let of = format!("the same verdict by the reduced search, {watched}");
        sheet.goal(&of, theirs / reduced, "times as fast as Stateright's best", Bound::AtLeast(20.0));
    }
}

/// A table of the time that each search took.
fn add_times(sheet: &mut Sheet, title: &str, states: usize, times: impl Iterator<Item = (String, Duration)>) {
    let table = sheet.table(title, &["search", "s", "M states/s"]);
    for (search, took) in times {
        let seconds = took.as_secs_f64();
        table.row(search, [seconds, states as f64 / seconds / 1e6]);
    }
}

/// How the graph checker and SPIN fare on the protocol where nothing is watched, in turns on one thread.
fn beside_spin(sheet: &mut Sheet, pipeline: &Pipeline, messages: u32, faults: u32) {
    let verifier = match spin::Verifier::new(messages, faults) {
        Ok(verifier) => verifier,
        Err(spin::Missing(tool)) => return eprintln!("left out: SPIN: {tool} is not installed"),
    };
    let protocol = Protocol::watching(pipeline, messages, PropertySet::EMPTY).expect("so many messages fit");
    let [mut ours, mut theirs] = [Duration::MAX; 2];
    let mut states = 0;
    for _ in 0..if is_test() { 1 } else { ROUNDS } {
        ours = ours.min(delivery_benches::time(|| states = walk(&protocol, 1).graph.len()));
        let (stored, took) = verifier.search();
        assert_eq!(stored, states, "the Promela twin has other states than the protocol");
        theirs = theirs.min(took);
    }
    let title = format!("nothing watched: {} unique states, one thread", grouped(states as u64));
    let times = [("Graph(1)", ours), ("SPIN on a Promela twin", theirs)];
    add_times(sheet, &title, states, times.into_iter().map(|(search, took)| (search.to_owned(), took)));
}

/// The limit of bytes for a state, its edges excluded.
const BYTES_MAX: f64 = 64.0;

/// The bytes of a state; and their limit is checked.
fn weigh(sheet: &mut Sheet, walked: &Exploration<<Protocol as Model>::State>) {
    let (memory, states) = (walked.memory, walked.graph.len() as f64);
    let a_state = |bytes: usize| bytes as f64 / states;
    let [state, path, table, edges] = [memory.states, memory.paths, memory.table, memory.edges].map(a_state);
    let edges_of = format!("its edges, {:.1} of them", walked.graph.transitions() as f64 / states);
    let rows = sheet.table("the graph checker's memory", &["what", "bytes a state"]);
    rows.row("the state", [state]).row("its path", [path]).row("the table", [table]).row(edges_of, [edges]);
    assert!(is_test() || state + path + table <= BYTES_MAX, "more than {BYTES_MAX} bytes a state");
}

/// The number of states, and the time on two threads, for up to this many messages and faults in one run.
fn grow(sheet: &mut Sheet, messages: u32, faults: u32) {
    let heads: Vec<String> = (0..=faults).map(|total| count(total.into(), "fault")).collect();
    let columns: Vec<&str> = ["messages"].into_iter().chain(heads.iter().map(String::as_str)).collect();
    let table =
        sheet.table("unique states, and seconds on two threads, by messages and by faults in one run", &columns);
    for messages in 1..=messages {
        table.row(messages.to_string(), (0..=faults).map(|total| cell(messages, total)));
    }
}

fn cell(messages: u32, faults: u32) -> String {
    let protocol = Protocol::new(&reference(faults), messages).expect("so many messages fit");
    let mut states = 0;
    let took = delivery_benches::time(|| states = walk(&protocol, 2).graph.len());
    format!("{} ({:.3} s)", grouped(states as u64), took.as_secs_f64())
}
