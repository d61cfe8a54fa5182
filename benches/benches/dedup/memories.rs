//! The interface of every memory that is compared, and one run of a load by it.

use std::hint::black_box;
use std::time::Duration;

use delivery_benches::{time, time_of_thread};
use delivery_memories::{Answer, Errs};

use crate::ALLOCATED;
use crate::loads::{Load, Named};
use crate::oracle::{self, Wrong};

/// A memory by which a retry is recognised, and which remembers what is new.
pub trait Recognise<N> {
    /// Answers on these names in turn.
    fn admit_all(&mut self, names: &[N], answers: &mut Vec<Answer>);
}

/// The orders of a producer's numbers that a memory takes. In any other order it refuses until the missing one comes,
/// which the loads do not wait for.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    AnyOrder,
    /// Up to so many ahead of the next one.
    Within(u64),
}

/// A memory that takes part.
#[derive(Clone, Copy)]
pub struct Entrant<N> {
    /// Its name in the report.
    pub id: &'static str,
    /// How it errs about what it forgot.
    pub errs: Errs,
    pub takes: Takes,
    /// An empty one, for so many producers or ids.
    pub new: fn(usize) -> Box<dyn Recognise<N>>,
}

impl<N> Entrant<N> {
    /// Whether it takes the numbers of this load.
    pub fn takes(&self, load: &Load) -> bool {
        match self.takes {
            Takes::AnyOrder => true,
            Takes::Within(ahead) => load.ahead_max <= ahead,
        }
    }
}

/// A memory in the middle of a load.
pub struct Run<'a, N> {
    load: &'a Load,
    memory: Box<dyn Recognise<N>>,
    names: Vec<N>,
    answers: Vec<Answer>,
    /// The answers that the oracle judged last, and what it found.
    judged: Vec<Answer>,
    pub wrong: Wrong,
    runs: u64,
    /// The bytes of the memory after the first run.
    pub bytes: usize,
    /// The shortest run.
    pub best: Duration,
    clock: Clock,
}

/// What measures a run.
pub type Clock = fn(&mut dyn FnMut()) -> Duration;

/// The time of this thread, for a memory that waits for nothing.
pub fn of_thread(work: &mut dyn FnMut()) -> Duration {
    time_of_thread(work)
}

/// The time on the wall, for a memory that waits for a disk.
pub fn on_the_wall(work: &mut dyn FnMut()) -> Duration {
    time(work)
}

impl<'a, N: Named> Run<'a, N> {
    /// A new memory, which has seen what comes before the load.
    pub fn new(load: &'a Load, clock: Clock, new: impl FnOnce() -> Box<dyn Recognise<N>>) -> Self {
        let room = load.items.len();
        let (names, mut answers) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let (judged, before) = (Vec::with_capacity(room), ALLOCATED.current_usage());
        let mut memory = new();
        for names in load.warm::<N>().chunks(room) {
            answers.clear();
            memory.admit_all(names, &mut answers);
            assert!(answers.iter().all(|answer| *answer == Answer::New), "{}: what comes first is new", load.id);
        }
        let bytes = ALLOCATED.current_usage().saturating_sub(before);
        let (wrong, runs, best) = (Wrong::default(), 0, Duration::MAX);
        let mut run = Run { load, memory, names, answers, judged, wrong, runs, bytes, best, clock };
        // The first run is of a memory that is not in the cache.
        run.once();
        run.bytes = ALLOCATED.current_usage().saturating_sub(before);
        run.best = Duration::MAX;
        run
    }

    /// Runs the load once, and has the oracle judge the answers. Returns the time of the memory alone.
    pub fn once(&mut self) -> Duration {
        self.load.names(self.runs, &mut self.names);
        self.answers.clear();
        let took = (self.clock)(&mut || self.memory.admit_all(black_box(&self.names), &mut self.answers));
        // Equal answers to names at equal distances are as right or wrong as those before.
        if self.answers != self.judged {
            self.wrong = oracle::judge(self.load, &self.answers);
            self.judged.clone_from(&self.answers);
        }
        self.runs += 1;
        self.best = self.best.min(took);
        took
    }
}
