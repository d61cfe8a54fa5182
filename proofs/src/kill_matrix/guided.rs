//! Guided search against unguided: how many schedules each takes until a seeded bug breaks its property.
//!
//! Both get the bug's pipeline and the faults of its kill schedule, and the same seeds. [`guided_markdown`] writes it down.

use std::cmp::Ordering;
use std::fmt::Write;
use std::ops::ControlFlow;

use delivery_model::pipeline::Pipeline;

use super::UNGUIDED_MAX;
use crate::mutants::Mutant;
use crate::simulation::campaign::schedules_until;
use crate::simulation::guided::guided_until;
use crate::simulation::kill_schedules::kill_schedule;

/// The seeds of the searches: an odd number of them, so that one is the median.
pub const SEARCH_SEEDS: [u64; 7] = [1, 2, 3, 4, 5, 6, 7];

/// How many schedules the searches of several seeds took, fewest first; none where [`UNGUIDED_MAX`] were not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searches([Option<u32>; SEARCH_SEEDS.len()]);

/// Both searches for one seeded bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// The seeded bug.
    pub mutant: Mutant,
    /// Schedules drawn at random.
    pub unguided: Searches,
    /// Schedules made from those that did something new.
    pub guided: Searches,
}

impl Searches {
    fn of(search: impl Fn(u64) -> Option<u32>) -> Searches {
        let mut took = SEARCH_SEEDS.map(search);
        took.sort_by_key(|schedules| schedules.unwrap_or(u32::MAX));
        Searches(took)
    }

    /// What half of the searches did not exceed.
    pub fn median(&self) -> Option<u32> {
        self.0[SEARCH_SEEDS.len() / 2]
    }

    /// What the longest search took.
    pub fn worst(&self) -> Option<u32> {
        self.0[SEARCH_SEEDS.len() - 1]
    }

    /// How many schedules all searches ran.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|schedules| u64::from(schedules.unwrap_or(UNGUIDED_MAX))).sum()
    }
}

/// Searches for a seeded bug in both ways. `keep_going` is asked before each schedule; after a no, the result says nothing.
///
/// # Panics
/// If the bug has no kill schedule.
pub fn hunt(mutant: Mutant, keep_going: &dyn Fn() -> bool) -> Hunt {
    let kill = kill_schedule(mutant).expect("every seeded bug has a kill schedule");
    let pipeline = Pipeline { faults: kill.budget(), ..kill.schedule.pipeline.clone() };
    let step = |_| if keep_going() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let unguided = |seed| schedules_until(&pipeline, mutant, kill.property, seed, UNGUIDED_MAX, &step);
    let guided = |seed| guided_until(&pipeline, mutant, kill.property, seed, UNGUIDED_MAX, &step);
    Hunt { mutant, unguided: Searches::of(unguided), guided: Searches::of(guided) }
}

/// A number of schedules, or that the most were not enough.
pub fn schedules(number: Option<u32>) -> String {
    number.map_or_else(|| format!("over {UNGUIDED_MAX}"), |schedules| schedules.to_string())
}

/// How often guided searches had the lower and the higher figure, and how often both had the same.
pub fn compared(hunts: &[Hunt], figure: impl Fn(&Searches) -> Option<u32> + Copy) -> [usize; 3] {
    [Ordering::Less, Ordering::Greater, Ordering::Equal]
        .map(|wanted| hunts.iter().filter(|hunt| order(hunt, figure) == wanted).count())
}

/// How the guided search's figure compares with the unguided one's.
fn order(hunt: &Hunt, figure: impl Fn(&Searches) -> Option<u32>) -> Ordering {
    let [guided, unguided] = [&hunt.guided, &hunt.unguided].map(|it| figure(it).unwrap_or(u32::MAX));
    guided.cmp(&unguided)
}

/// The names of some of the bugs.
fn names(hunts: &[Hunt], is_meant: impl Fn(&Hunt) -> bool) -> String {
    let names: Vec<String> = hunts.iter().filter(|it| is_meant(it)).map(|it| format!("{:?}", it.mutant)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The page of the documentation: what `delivery mutants --guided --markdown` prints. It is the same in every run of the same
/// build.
pub fn guided_markdown(hunts: &[Hunt]) -> String {
    let mut page = String::new();
    let [fewer, more, as_many] = compared(hunts, Searches::median);
    let [fewer_at_worst, more_at_worst, as_many_at_worst] = compared(hunts, Searches::worst);
    let total = |of: fn(&Hunt) -> &Searches| hunts.iter().map(|hunt| of(hunt).total()).sum::<u64>();
    let (seeds, bugs) = (SEARCH_SEEDS.len(), hunts.len());
    let (all_guided, all_unguided) = (total(|hunt| &hunt.guided), total(|hunt| &hunt.unguided));
    let found = |it: &Searches| it.median().is_some();
    let only_guided = names(hunts, |hunt| found(&hunt.guided) && !found(&hunt.unguided));
    let by_neither = names(hunts, |hunt| !found(&hunt.guided) && !found(&hunt.unguided));
    let hindered = names(hunts, |hunt| found(&hunt.unguided) && order(hunt, Searches::median).is_gt());
    write!(
        page,
        "<!-- Made by `delivery mutants --guided --markdown`; a test keeps it true. -->\n\n\
         # Guided against unguided search\n\n\
         Schedules until a seeded bug breaks its property, over {seeds} seeds, at most {UNGUIDED_MAX} each. Both searches get \
         the bug's pipeline and the kinds of fault of its kill schedule ([the kill matrix](kill-matrix.md)).\n\n\
         * Unguided: each schedule is drawn at random, as `delivery simulate` draws it.\n\
         * Guided: a schedule is kept if it came to a step, after a fault, in a world of a shape, that none before it came to. \
         Two of three schedules are made from a kept one by small changes; the others are drawn at random. \
         `delivery simulate --guided` searches so.\n\n\
         | of {bugs} seeded bugs | guided takes fewer | guided takes more | as many |\n|---|---|---|---|\n\
         | median | {fewer} | {more} | {as_many} |\n\
         | worst | {fewer_at_worst} | {more_at_worst} | {as_many_at_worst} |\n\n\
         All searches together ran {all_unguided} schedules unguided, and {all_guided} guided.\n\n\
         * Found by half of the guided searches, and by fewer of the unguided ones: {only_guided}.\n\
         * Guidance does not help, as the median is higher: {hindered}. Most of these need one fault in the right place, and \
         what is left is luck.\n\
         * Found by less than half of either: {by_neither}.\n\n\
         | seeded bug | unguided, median | unguided, worst | guided, median | guided, worst |\n|---|---|---|---|---|\n"
    )
    .expect("a string takes everything");
    for Hunt { mutant, unguided, guided } in hunts {
        let [a, b, c, d] = [unguided.median(), unguided.worst(), guided.median(), guided.worst()].map(schedules);
        writeln!(page, "| {mutant:?} | {a} | {b} | {c} | {d} |").expect("a string takes everything");
    }
    page
}
