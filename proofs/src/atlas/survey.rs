//! The survey of many pipelines. Its searches are small and independent: each thread takes the next one that is left.

use std::cell::Cell;
use std::cmp::Reverse;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery_model::pipeline::Pipeline;
use delivery_model::spec::bounds::TooManyMessages;

use super::page::Page;
use super::scope::Scope;
use super::search::{Findings, Search};

/// The result of a survey.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The pages of the pipelines whose searches all ended, in the order in which the pipelines were given.
    pub pages: Vec<Page>,
    /// The names of the pipelines that have no page because the survey was stopped.
    pub left_out: Vec<String>,
}

/// The progress of a survey.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The number of searches that have ended.
    pub done: usize,
    /// The number of all searches.
    pub all: usize,
    /// The number of states found so far by all searches.
    pub states: usize,
    /// The name of the pipeline whose search reports.
    pub title: &'a str,
}

/// The callbacks of a survey. Every thread calls them many times a second.
#[derive(Clone, Copy)]
pub struct Callbacks<'a> {
    /// Returns whether the survey should go on.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// Receives the progress of the survey.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

/// Searches all pipelines and makes a page of each.
pub fn survey(pipelines: &[Pipeline], scope: Scope, callbacks: Callbacks<'_>) -> Result<Surveyed, TooManyMessages> {
    let searches: Vec<Vec<Search>> = pipelines
        .iter()
        .map(|pipeline| Search::all(pipeline, scope.messages, scope.faults))
        .collect::<Result<_, _>>()?;
    let run = Run { searches: &searches, scope, callbacks, done: AtomicUsize::new(0), states: AtomicUsize::new(0) };
    let findings = run.findings();
    let mut surveyed = Surveyed { pages: Vec::new(), left_out: Vec::new() };
    for (pipeline, findings) in pipelines.iter().zip(findings) {
        match findings.into_iter().map(OnceLock::into_inner).collect::<Option<Vec<Findings>>>() {
            Some(findings) => surveyed.pages.push(Page::new(pipeline, scope, &findings)),
            None => surveyed.left_out.push(pipeline.name.clone()),
        }
    }
    Ok(surveyed)
}

/// The searches of a survey, by pipeline, and the counters of their progress.
struct Run<'a> {
    searches: &'a [Vec<Search>],
    scope: Scope,
    callbacks: Callbacks<'a>,
    done: AtomicUsize,
    states: AtomicUsize,
}

impl Run<'_> {
    /// The findings of each search; empty for a search that was stopped.
    fn findings(&self) -> Vec<Vec<OnceLock<Findings>>> {
        let none_yet = |searches: &Vec<Search>| searches.iter().map(|_| OnceLock::new()).collect();
        let findings: Vec<Vec<OnceLock<Findings>>> = self.searches.iter().map(none_yet).collect();
        let (order, next) = (self.order(), AtomicUsize::new(0));
        let work = || {
            while let Some(&(pipeline, place)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(found) = self.run_one(&self.searches[pipeline][place]) else { return };
                findings[pipeline][place].set(found).expect("one thread runs each search");
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.scope.threads {
                scope.spawn(work);
            }
            work();
        });
        findings
    }

    /// The order in which threads take the searches, by pipeline and place. Longer searches come first, so that no
    /// thread is left with a long one at the end. Searches of one pipeline stay together, so that a survey that is
    /// stopped has whole pages.
    fn order(&self) -> Vec<(usize, usize)> {
        let of_pipeline =
            |(pipeline, searches): (usize, &Vec<Search>)| (0..searches.len()).map(move |place| (pipeline, place));
        let mut order: Vec<(usize, usize)> = self.searches.iter().enumerate().flat_map(of_pipeline).collect();
        order.sort_by_key(|&(pipeline, place)| {
            let searches = &self.searches[pipeline];
            (Reverse(searches.iter().map(Search::weight).max()), pipeline, Reverse(searches[place].weight()))
        });
        order
    }

    /// Runs one search. Returns none if the survey was stopped.
    fn run_one(&self, search: &Search) -> Option<Findings> {
        let reported = Cell::new(0);
        let report = |found: usize, over: usize| {
            let states = found - reported.replace(found);
            (self.callbacks.progress)(Progress {
                done: self.done.fetch_add(over, Ordering::Relaxed) + over,
                all: self.searches.iter().map(Vec::len).sum(),
                states: self.states.fetch_add(states, Ordering::Relaxed) + states,
                title: search.title(),
            });
        };
        let found = search.run(self.scope.states_max, &|progress| {
            report(progress.states, 0);
            (self.callbacks.keep_going)()
        });
        if !(self.callbacks.keep_going)() {
            return None;
        }
        report(found.states, 1);
        Some(found)
    }
}
