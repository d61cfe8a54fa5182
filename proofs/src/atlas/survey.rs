//! Charts many pipelines: the voyages are small and independent, so each thread takes the next one that is left.

use std::cell::Cell;
use std::cmp::Reverse;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery_model::pipeline::Pipeline;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::vocab::Fault;

use super::faults::FaultSet;
use super::page::Page;
use super::search::{Log, Search};

/// How far to look, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// How many messages are submitted.
    pub messages: u32,
    /// Of these faults, none, each single one and each pair strikes.
    pub faults: FaultSet,
    /// How many threads search.
    pub threads: usize,
    /// A voyage ends at so many states, and its verdicts that are not "violated" are then unknown. About 200 bytes each.
    pub states_max: u32,
}

impl Default for Scope {
    fn default() -> Self {
        Scope { messages: 2, faults: FaultSet::of(Fault::ALL), threads: 2, states_max: 10_000_000 }
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
pub struct Progress<'a> {
    /// Voyages that are over.
    pub done: usize,
    /// All voyages.
    pub all: usize,
    /// States found so far, of all voyages.
    pub states: usize,
    /// The voyage that tells it.
    pub title: &'a str,
}

/// Who is asked whether to go on, and told how far it came: many times a second, by every thread.
#[derive(Clone, Copy)]
pub struct Lookout<'a> {
    /// Says whether to go on.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// Hears where the survey is.
    pub tell: &'a (dyn Fn(Progress<'_>) + Sync),
}

/// Charts the pipelines.
pub fn survey(pipelines: &[Pipeline], course: Scope, lookout: Lookout<'_>) -> Result<Surveyed, TooManyMessages> {
    let voyages: Vec<Vec<Search>> = pipelines
        .iter()
        .map(|pipeline| Search::all(pipeline, course.messages, course.faults))
        .collect::<Result<_, _>>()?;
    let logs =
        Fleet { voyages: &voyages, course, lookout, done: AtomicUsize::new(0), states: AtomicUsize::new(0) }.run();
    let mut surveyed = Surveyed { pages: Vec::new(), left_out: Vec::new() };
    for (pipeline, logs) in pipelines.iter().zip(logs) {
        match logs.into_iter().map(OnceLock::into_inner).collect::<Option<Vec<Log>>>() {
            Some(logs) => surveyed.pages.push(Page::new(pipeline, course, &logs)),
            None => surveyed.left_out.push(pipeline.name.clone()),
        }
    }
    Ok(surveyed)
}

/// All voyages of a survey, by pipeline, and how far they have come.
struct Fleet<'a> {
    voyages: &'a [Vec<Search>],
    course: Scope,
    lookout: Lookout<'a>,
    done: AtomicUsize,
    states: AtomicUsize,
}

impl Fleet<'_> {
    /// Each voyage's log; none for those that were stopped.
    fn run(&self) -> Vec<Vec<OnceLock<Log>>> {
        let none_yet = |voyages: &Vec<Search>| voyages.iter().map(|_| OnceLock::new()).collect();
        let logs: Vec<Vec<OnceLock<Log>>> = self.voyages.iter().map(none_yet).collect();
        let (order, next) = (self.order(), AtomicUsize::new(0));
        let work = || {
            while let Some(&(pipeline, place)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(log) = self.sail_one(&self.voyages[pipeline][place]) else { return };
                logs[pipeline][place].set(log).expect("each voyage is one thread's");
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.course.threads {
                scope.spawn(work);
            }
            work();
        });
        logs
    }

    /// The longest first, so that no thread is left alone with one at the end; but a pipeline's together, so that a
    /// survey that is stopped has whole pipelines to show.
    fn order(&self) -> Vec<(usize, usize)> {
        let of_pipeline =
            |(pipeline, voyages): (usize, &Vec<Search>)| (0..voyages.len()).map(move |place| (pipeline, place));
        let mut order: Vec<(usize, usize)> = self.voyages.iter().enumerate().flat_map(of_pipeline).collect();
        order.sort_by_key(|&(pipeline, place)| {
            let voyages = &self.voyages[pipeline];
            (Reverse(voyages.iter().map(Search::weight).max()), pipeline, Reverse(voyages[place].weight()))
        });
        order
    }

    /// A voyage's log, unless it was stopped.
    fn sail_one(&self, voyage: &Search) -> Option<Log> {
        let told = Cell::new(0);
        let tell = |found: usize, over: usize| {
            let states = found - told.replace(found);
            (self.lookout.tell)(Progress {
                done: self.done.fetch_add(over, Ordering::Relaxed) + over,
                all: self.voyages.iter().map(Vec::len).sum(),
                states: self.states.fetch_add(states, Ordering::Relaxed) + states,
                title: voyage.title(),
            });
        };
        let log = voyage.run(self.course.states_max, &|progress| {
            tell(progress.states, 0);
            (self.lookout.keep_going)()
        });
        if !(self.lookout.keep_going)() {
            return None;
        }
        tell(log.states, 1);
        Some(log)
    }
}
