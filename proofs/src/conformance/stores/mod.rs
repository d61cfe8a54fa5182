//! Store conformance: random operations with crashes anywhere, and the same answers as a plain value that knows no disk.
//!
//! A [`Place`] says how a store is opened on what is left, and how it dies. Each suite draws sequences of operations, and
//! a sequence that fails is shrunk.
//!
//! ```
//! use delivery_impls::store::simulated::SimulatedOutbox;
//! use delivery_proofs::conformance::stores::{self, InMemory};
//!
//! // Every call of an outbox is durable when it returns, so that a crash changes nothing.
//! let survives_all = |_: &mut SimulatedOutbox| {};
//! stores::outbox(64, || InMemory::new(survives_all)).unwrap();
//! ```
//!
//! Left out: disks that return other bytes than were written, and two processes at one store.

mod effects;
mod journal;
mod outbox;

use std::fmt;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

pub use effects::{EffectPlace, effects};
pub use journal::journal;
pub use outbox::outbox;

use delivery_impls::store::Journal;

/// Where one store lives: a directory, a schema, a piece of memory. A new place is empty.
pub trait Place {
    /// What lives there.
    type Store;

    /// Opens the store on what the place holds.
    fn open(&mut self) -> Self::Store;

    /// The process dies, and for a journal the machine: what was not synced may be lost. The store is opened again next.
    fn crash(&mut self, store: Self::Store) {
        drop(store);
    }
}

/// What a disk can do to a journal beside crashing. False where it cannot: then it is not asked again.
pub trait Disk: Place<Store: Journal> {
    /// A slow sync has made the oldest so many records durable, and the others not yet.
    fn sync_slowly(&mut self, store: &mut Self::Store, records: usize) -> bool {
        let _ = (store, records);
        false
    }

    /// So many bytes are all that there is room for, counted as [`delivery_impls::store::frame`] frames records.
    fn limit(&mut self, store: &mut Self::Store, bytes: u64) -> bool {
        let _ = (store, bytes);
        false
    }
}

/// A store in memory, and what a crash does to it.
pub struct InMemory<S, F> {
    store: S,
    crash: F,
}

impl<S: Default, F: FnMut(&mut S)> InMemory<S, F> {
    /// An empty store.
    pub fn new(crash: F) -> Self {
        InMemory { store: S::default(), crash }
    }
}

impl<S: Default, F: FnMut(&mut S)> Place for InMemory<S, F> {
    type Store = S;

    fn open(&mut self) -> S {
        std::mem::take(&mut self.store)
    }

    fn crash(&mut self, mut store: S) {
        (self.crash)(&mut store);
        self.store = store;
    }
}

/// A store that breaks its contract: the shortest operations that show it, and the result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Nonconforming {
    /// Which contract.
    pub contract: &'static str,
    /// What it answered, and what was expected.
    pub why: String,
    /// The operations, in order.
    pub operations: Vec<String>,
}

impl fmt::Display for Nonconforming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}, after", self.contract, self.why)?;
        self.operations.iter().enumerate().try_for_each(|(at, it)| writeln!(f, "{:>4} {it}", at + 1))
    }
}

/// The same operations are drawn every time.
const SEED: [u8; 32] = [7; 32];
/// The most operations of a sequence.
const OPERATIONS_MAX: usize = 24;

/// Draws so many sequences of operations, and checks each. One that fails is shrunk.
fn run<O: fmt::Debug + Clone>(
    contract: &'static str,
    cases: u32,
    operation: impl Strategy<Value = O>,
    check: impl Fn(&[O]) -> Result<(), String>,
) -> Result<(), Nonconforming> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let sequences = proptest::collection::vec(operation, 0..OPERATIONS_MAX);
    let found = runner.run(&sequences, |operations| check(&operations).map_err(TestCaseError::fail));
    found.map_err(|error| match error {
        proptest::test_runner::TestError::Fail(why, operations) => {
            let operations = operations.iter().map(|operation| format!("{operation:?}")).collect();
            Nonconforming { contract, why: why.message().to_owned(), operations }
        }
        proptest::test_runner::TestError::Abort(why) => {
            Nonconforming { contract, why: why.message().to_owned(), operations: Vec::new() }
        }
    })
}

/// What was found must be what was expected.
fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}, not {expected:?}")) }
}
