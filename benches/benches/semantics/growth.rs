//! The three semantics over the lossy transport, by how much is lost, how many messages there are, and how many workers.
//!
//! After every run the stock is held against what the semantics promises: at-most-once repeats nothing, at-least-once
//! loses nothing, exactly-once neither. Where a tenth is lost, the first loses some and the second repeats some, or the
//! transport was none.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use delivery_model::pipeline::Semantics;
use delivery_proofs::figures::{Cell, Sheet};

use super::lossy::{self, Load, Outcome};
use super::{NAMES, reference};

/// Where the stores are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stores {
    InMemory,
    Durable,
}

impl Stores {
    fn name(self) -> &'static str {
        match self {
            Stores::InMemory => "in-memory",
            Stores::Durable => "durable",
        }
    }

    /// The messages of a run: on disk each group of them waits for syncs.
    fn messages(self, is_test: bool) -> u64 {
        match self {
            Stores::Durable if is_test => 50,
            Stores::InMemory if is_test => 200,
            Stores::InMemory => 4_000,
            Stores::Durable => 400,
        }
    }
}

/// The share that is lost in a run that must show it.
const MUCH: f64 = 0.1;
/// The workers, where their number does not change.
const WORKERS: u32 = 4;

/// Measures all of it, and adds the table.
pub fn add(criterion: &mut Criterion, sheet: &mut Sheet, is_test: bool) {
    let mut rows = Vec::new();
    for stores in [Stores::InMemory, Stores::Durable] {
        let messages = stores.messages(is_test);
        let mut group = criterion.benchmark_group(format!("semantics/{}", stores.name()));
        group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(messages));
        group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(500));
        for name in NAMES {
            let load = Load { messages, loss: MUCH, workers: WORKERS };
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| (0..iterations).map(|_| run(name, stores, load).took).sum());
            });
        }
        group.finish();
        let usual = Load { messages, loss: MUCH, workers: WORKERS };
        let mut loads = vec![Load { loss: 0.0, ..usual }, usual, Load { messages: messages * 4, ..usual }];
        if stores == Stores::InMemory {
            loads.extend([0.01, 0.3].map(|loss| Load { loss, ..usual }));
            loads.extend([1, 16].map(|workers| Load { workers, ..usual }));
        }
        rows.extend(loads.into_iter().flat_map(|load| NAMES.map(|name| (name, stores, load))));
    }
    let columns = ["semantics, stores", "messages", "loss %", "workers", "messages/s", "lost", "repeated"];
    let table = sheet.table("over a lossy transport", &columns);
    for (name, stores, load) in rows {
        let tries = if is_test { 1 } else { 3 };
        let runs: Vec<Outcome> = (0..tries).map(|_| run(name, stores, load)).collect();
        let best = runs.into_iter().min_by_key(|outcome| outcome.took).expect("at least one");
        let a_second = load.messages as f64 / best.took.as_secs_f64();
        let of_load = [load.messages as f64, load.loss * 100.0, load.workers.into(), a_second];
        let counts = [best.lost, best.repeated].map(|count| count as f64);
        table.row(format!("{name}, {}", stores.name()), of_load.into_iter().chain(counts).map(Cell::from));
    }
}

/// One run, whose outcome must be as promised.
fn run(name: &str, stores: Stores, load: Load) -> Outcome {
    let pipeline = reference(name);
    let outcome = match stores {
        Stores::InMemory => lossy::in_memory(&pipeline, load),
        Stores::Durable => {
            let folder = tempfile::tempdir().expect("a folder");
            lossy::durable(&pipeline, load, folder.path())
        }
    };
    let is_lossy = load.loss >= MUCH;
    let Outcome { lost, repeated, dropped, .. } = outcome;
    assert_eq!(load.loss > 0.0, dropped > 0, "{name}: the transport loses what it is to lose");
    match pipeline.promises.expect("a reference promises something") {
        Semantics::AtMostOnce => assert!(repeated == 0 && (lost > 0 || !is_lossy), "{name}: {outcome:?}"),
        Semantics::AtLeastOnce => assert!(lost == 0 && (repeated > 0 || !is_lossy), "{name}: {outcome:?}"),
        Semantics::ExactlyOnce => assert_eq!((lost, repeated), (0, 0), "{name}: {outcome:?}"),
    }
    assert!(load.loss > 0.0 || (lost, repeated) == (0, 0), "{name}: nothing is lost where nothing is dropped");
    outcome
}
