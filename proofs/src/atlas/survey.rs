//! Charts many pipelines: the voyages are small and independent, so each thread takes the next one that is left.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery_model::pipeline::Pipeline;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::page::Page;
use super::voyage::{Log, Voyage};

/// How far to look, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// How many messages are submitted.
    pub messages: u32,
    /// Of these faults, none, each single one and each pair strikes.
    pub faults: FaultSet,
    /// How many threads search.
    pub threads: usize,
    /// A voyage ends at so many states, and its verdicts that are not "violated" are then unknown.
    pub states_max: u32,
}

impl Default for Course {
    fn default() -> Self {
        Course { messages: 2, faults: FaultSet::of(Fault::ALL), threads: 2, states_max: 50_000_000 }
    }
}

/// What a survey brought home.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The pipelines that were charted, in the order in which they were given.
    pub pages: Vec<Page>,
    /// The names of those that were not, because the survey was stopped.
    pub left_out: Vec<String>,
}

/// How far a survey has come.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// Voyages that are over.
    pub done: usize,
    /// All voyages.
    pub all: usize,
    /// The one that was just finished.
    pub title: &'a str,
}

/// Charts the pipelines. `keep_going` is asked many times a second, by every thread; `tell` hears of each finished voyage.
pub fn survey(
    pipelines: &[Pipeline],
    course: Course,
    keep_going: &(dyn Fn() -> bool + Sync),
    tell: &(dyn Fn(Position<'_>) + Sync),
) -> Result<Surveyed, TooManyMessages> {
    let voyages: Vec<Vec<Voyage>> = pipelines
        .iter()
        .map(|pipeline| Voyage::all(pipeline, course.messages, course.faults))
        .collect::<Result<_, _>>()?;
    let mut logs = sail_all(voyages.iter().flatten().collect(), course, keep_going, tell).into_iter();
    let mut surveyed = Surveyed { pages: Vec::new(), left_out: Vec::new() };
    for (pipeline, voyages) in pipelines.iter().zip(&voyages) {
        let of_pipeline: Vec<Option<Log>> = logs.by_ref().take(voyages.len()).collect();
        match of_pipeline.into_iter().collect::<Option<Vec<Log>>>() {
            Some(logs) => surveyed.pages.push(Page::new(pipeline, course, &logs)),
            None => surveyed.left_out.push(pipeline.name.clone()),
        }
    }
    Ok(surveyed)
}

/// The voyages' logs, in their order; none for those that were stopped. The longest are begun first, so that no thread is
/// left alone with one at the end.
fn sail_all(
    voyages: Vec<&Voyage>,
    course: Course,
    keep_going: &(dyn Fn() -> bool + Sync),
    tell: &(dyn Fn(Position<'_>) + Sync),
) -> Vec<Option<Log>> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut order: Vec<usize> = (0..voyages.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(voyages[place].weight()));
    let logs: Vec<Mutex<Option<Log>>> = voyages.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let voyage = voyages[place];
            let log = voyage.sail(course.states_max, &|_| keep_going());
            if !keep_going() {
                return;
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            tell(Position { done, all: voyages.len(), title: &voyage.title() });
            *logs[place].lock().expect("no thread panics with a log") = Some(log);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..course.threads {
            scope.spawn(work);
        }
        work();
    });
    logs.into_iter().map(|log| log.into_inner().expect("no thread panics with a log")).collect()
}
