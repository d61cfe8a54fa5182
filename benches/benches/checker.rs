//! The graph checker against Stateright's breadth-first and depth-first searches, each on one and on two threads.
//!
//! All walk the same model to its end and evaluate the same properties; the graph checker keeps parents and edges too.
//! After every timed run the number of unique states must be the known one, so a search that stops early wins nothing.
//! The last lines put the best times side by side.
//!
//! Two threads that are no faster than one may share a core with something else: the comparison within one run stands,
//! the figures do not. Under `--test` a small instance runs once.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use delivery_model::check::graph::{Completeness, Walk};
use stateright::{Checker, Model, Property};

criterion_group!(benches, checkers);
criterion_main!(benches);

/// The models to walk, each with its number of unique states and the class of its actions.
fn checkers(criterion: &mut Criterion) {
    let (managers, states) = if is_test() { (4, 1_568) } else { (8, 1_745_408) };
    compare(criterion, "two-phase commit", states, || TwoPhase(managers), TwoPhase::class);
}

fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// A way to walk a model; the number is that of threads.
#[derive(Clone, Copy, Debug)]
enum Search {
    Graph(usize),
    Bfs(usize),
    Dfs(usize),
}

const SEARCHES: [Search; 6] =
    [Search::Graph(1), Search::Graph(2), Search::Bfs(1), Search::Bfs(2), Search::Dfs(1), Search::Dfs(2)];

fn compare<M>(criterion: &mut Criterion, name: &str, states: usize, model: impl Fn() -> M, class: fn(&M::Action) -> u8)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Eq + Hash + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(states as u64));
    let mut best = SEARCHES.map(|_| Duration::MAX);
    for (search, best) in SEARCHES.into_iter().zip(&mut best) {
        group.bench_function(BenchmarkId::from_parameter(format!("{search:?}")), |bencher| {
            bencher.iter_custom(|times| {
                let walks = (0..times).map(|_| time(search, model(), class, states));
                walks.inspect(|&took| *best = took.min(*best)).sum()
            });
        });
    }
    group.finish();
    summarize(name, states, &best);
    weigh(&model(), class);
}

/// How long one walk takes, without what its result takes to drop.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn time<M>(search: Search, model: M, class: fn(&M::Action) -> u8, states: usize) -> Duration
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Eq + Hash + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let start = Instant::now();
    match search {
        Search::Graph(threads) => {
            let walked = Walk::new(&model).threads(threads).edges(class).run();
            let took = start.elapsed();
            assert_eq!((walked.graph.len(), walked.completeness), (states, Completeness::Complete));
            took
        }
        Search::Bfs(threads) => finish(start, states, model.checker().threads(threads).spawn_bfs().join()),
        Search::Dfs(threads) => finish(start, states, model.checker().threads(threads).spawn_dfs().join()),
    }
}

fn finish<M: Model>(start: Instant, states: usize, checker: impl Checker<M>) -> Duration
where
    M::State: Hash,
{
    let took = start.elapsed();
    assert_eq!(checker.unique_state_count(), states);
    took
}

fn summarize(name: &str, states: usize, best: &[Duration; SEARCHES.len()]) {
    if best.contains(&Duration::MAX) {
        return; // a filter left some out
    }
    println!("{name}: {states} unique states, the best time of each");
    for (search, took) in SEARCHES.iter().zip(best) {
        println!(
            "  {:8} {:7.3} s  {:6.2} M/s",
            format!("{search:?}"),
            took.as_secs_f64(),
            states as f64 / took.as_secs_f64() / 1e6
        );
    }
    let (ours, theirs) = best.split_at(2);
    let (ours, theirs) = (ours.iter().min().expect("two"), theirs.iter().min().expect("four"));
    println!(
        "  the graph checker is {:.2} times as fast as Stateright's best",
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

/// Bytes a state, which must stay within the checker's promise.
fn weigh<M>(model: &M, class: fn(&M::Action) -> u8)
where
    M: Model + Sync,
    M::State: Clone + Eq + Hash + Send + Sync,
{
    let walked = Walk::new(model).edges(class).run();
    let (memory, states) = (walked.memory, walked.graph.len() as f64);
    let overhead = (memory.paths + memory.table) as f64 / states;
    println!(
        "  bytes a state: {} its own, {overhead:.1} path and table, {:.1} edges; {:.1} edges a state",
        size_of::<M::State>(),
        memory.edges as f64 / states,
        walked.graph.transitions() as f64 / states,
    );
    assert!(overhead <= 64.0, "at most 64 bytes a state apart from its own and its edges, found {overhead}");
}

/// Two-phase commit after Gray and Lamport, "Consensus on Transaction Commit" (2006), with so many resource managers: a
/// protocol with a flat state of 49 bytes.
struct TwoPhase(usize);

const MANAGERS_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Commit {
    /// 0 working, 1 prepared, 2 committed, 3 aborted.
    managers: [u8; MANAGERS_MAX],
    told: [u8; MANAGERS_MAX],
    heard: [u8; MANAGERS_MAX],
    /// 0 none yet, 2 commit, 3 abort.
    decision: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Hear(usize),
    Decide(u8),
    Prepare(usize),
    GiveUp(usize),
    Obey(usize),
}

impl TwoPhase {
    fn class(action: &Move) -> u8 {
        u8::from(matches!(action, Move::GiveUp(_)))
    }
}

impl Model for TwoPhase {
    type State = Commit;
    type Action = Move;

    fn init_states(&self) -> Vec<Commit> {
        let none = [0; MANAGERS_MAX];
        vec![Commit { managers: none, told: none, heard: none, decision: 0 }]
    }

    fn actions(&self, state: &Commit, actions: &mut Vec<Move>) {
        if state.decision == 0 {
            actions.extend(state.heard[..self.0].iter().all(|&heard| heard == 1).then_some(Move::Decide(2)));
            actions.push(Move::Decide(3));
        }
        for manager in 0..self.0 {
            if state.decision == 0 && state.told[manager] == 1 {
                actions.push(Move::Hear(manager));
            }
            if state.managers[manager] == 0 {
                actions.extend([Move::Prepare(manager), Move::GiveUp(manager)]);
            }
            if state.decision != 0 {
                actions.push(Move::Obey(manager));
            }
        }
    }

    fn next_state(&self, state: &Commit, action: Move) -> Option<Commit> {
        let mut next = *state;
        match action {
            Move::Hear(manager) => next.heard[manager] = 1,
            Move::Decide(decision) => next.decision = decision,
            Move::Prepare(manager) => (next.managers[manager], next.told[manager]) = (1, 1),
            Move::GiveUp(manager) => next.managers[manager] = 3,
            Move::Obey(manager) => next.managers[manager] = state.decision,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("consistent", |_, state: &Commit| {
            !(state.managers.contains(&2) && state.managers.contains(&3))
        })]
    }
}
