//! How many states the reduction saves: `cargo run --release -p delivery-model --example reduction [MESSAGES [STATES_MAX]]`.
//!
//! One line a preset, under the usual faults: states of the walk over all steps, of the reduced walk, how many times fewer
//! that are, and how long both took, on one thread. A walk that is cut at so many states is marked with "more than".

use std::time::{Duration, Instant};

use delivery_model::check::graph::{Completeness, Cut, Exploration, Walk};
use delivery_model::check::{Protocol, Reduced};
use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::presets;

/// How much a walk saw, and in what time.
struct Seen {
    states: usize,
    is_cut: bool,
    took: Duration,
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u32>().expect("a number"));
    let messages = numbers.next().unwrap_or(2);
    let states_max = numbers.next().unwrap_or(u32::MAX);
    println!("| pipeline | states | reduced | times fewer | seconds | reduced |\n|---|--:|--:|--:|--:|--:|");
    for (name, _) in presets::ALL {
        let preset = presets::named(name).expect("a preset");
        let usual = Pipeline { faults: FaultBudget::default(), ..preset };
        println!("| {name} {}", row(&usual, messages, states_max));
    }
}

fn row(pipeline: &Pipeline, messages: u32, states_max: u32) -> String {
    let protocol = Protocol::new(pipeline, messages).expect("1 to 4 messages");
    let reduced = Reduced(protocol.clone());
    let full = timed(|| protocol.run(Walk::new(&protocol).checks(protocol.checks()).states_max(states_max)));
    let less = timed(|| protocol.run(Walk::new(&reduced).checks(protocol.checks()).states_max(states_max)));
    let more = |seen: &Seen| if seen.is_cut { "more than " } else { "" };
    format!(
        "| {}{} | {}{} | {}{:.1} | {:.2} | {:.2} |",
        more(&full),
        full.states,
        more(&less),
        less.states,
        more(&full),
        full.states as f64 / less.states as f64,
        full.took.as_secs_f64(),
        less.took.as_secs_f64(),
    )
}

fn timed<S>(walk: impl FnOnce() -> Exploration<S>) -> Seen {
    #[expect(clippy::disallowed_methods, reason = "how long it takes is the question")]
    let started = Instant::now();
    let exploration = walk();
    let is_cut = exploration.completeness == Completeness::Incomplete(Cut::States);
    Seen { states: exploration.graph.len(), is_cut, took: started.elapsed() }
}
