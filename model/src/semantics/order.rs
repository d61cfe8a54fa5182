//! order: per producer, first deliveries come in submission order, without gaps (where the pipeline claims order).
//!
//! A producer is the process that submitted. The order is broken at once when a message is first delivered after one
//! that its producer submitted later, and at quiescence by a gap: a message that was overtaken and never delivered. A
//! message that was dead-lettered, or whose every attempt was refused, leaves no gap. Repetitions are free to come in
//! any order. Messages of which no submit was seen have no place in the order; they are integrity's business.

use super::{
    Automaton, BoundedGroupState, Breach, GroupState, Property, PropertyId, Rules, attempts::Attempts, finite::finite,
};
use crate::history::EventWord;
use crate::pages::Column;
use crate::pages::Map;
use crate::vocab::{Event, EventKind, ProcessId};

/// The property.
pub struct Order;

/// What became of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    attempts: Attempts,
    fate: Fate,
}

finite!(State { attempts: Attempts, fate: Fate });

/// Whether the message still has to find its place in the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fate {
    /// It has no place in the order yet.
    #[default]
    NotSubmitted,
    /// It has a place and must be delivered in it.
    Pending,
    /// It leaves no gap, but it may still be delivered out of order.
    DeadLettered,
    /// It was delivered, wherever in the order that was.
    Delivered,
}

finite!(Fate in 2 bits: NotSubmitted, Pending, DeadLettered, Delivered);

/// How far each producer has come.
trait Submissions {
    /// A process submits a message: it comes after all that the process submitted before.
    fn submit(&mut self, nth: usize, producer: ProcessId);

    /// Whether a message that the same process submitted later has been delivered.
    fn is_overtaken(&self, nth: usize) -> bool;

    /// The message is delivered: all that its process submitted earlier and that is not yet delivered is overtaken.
    fn overtake(&mut self, nth: usize);
}

/// How far the one producer of a model has come, which submits messages in the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frontier {
    /// The highest message that has been delivered, counted from 1.
    delivered: u8,
}

finite!(Frontier { delivered: u8 });

impl GroupState for Frontier {}

impl BoundedGroupState for Frontier {
    fn bits_used(messages: u32, _: u32) -> u32 {
        u32::BITS - messages.leading_zeros()
    }
}

impl Submissions for Frontier {
    fn submit(&mut self, _: usize, _: ProcessId) {
        // The number is the place in the order.
    }

    fn is_overtaken(&self, nth: usize) -> bool {
        nth + 1 < usize::from(self.delivered)
    }

    fn overtake(&mut self, nth: usize) {
        self.delivered = self.delivered.max(u8::try_from(nth + 1).unwrap_or(0));
    }
}

/// How far each producer of a history has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    /// By message, in the order in which they were first seen: its producer in the upper bits, and below its number among
    /// the submits of that producer, counted from 1.
    submissions: Column<u64, true>,
    progress: Map<ProcessId, Progress>,
}

/// How far one producer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    submitted: u64,
    /// The latest submission, counted from 1, that has been delivered.
    frontier: u64,
}

impl GroupState for Producers {
    fn forget_below(&mut self, nth: u32) {
        self.submissions.forget_below(nth);
    }
}

/// The bits of a submission below its producer: a history has fewer lines.
const NUMBER_BITS: u32 = 40;

impl Producers {
    fn submission(&self, nth: usize) -> Option<(ProcessId, u64)> {
        let packed = self.submissions.get(nth as u32)?;
        Some((ProcessId((packed >> NUMBER_BITS) as u16), packed & ((1 << NUMBER_BITS) - 1)))
    }
}

impl Submissions for Producers {
    fn submit(&mut self, nth: usize, producer: ProcessId) {
        if self.submission(nth).is_some() {
            return;
        }
        let progress = self.progress.entry(producer).or_default();
        progress.submitted += 1;
        self.submissions.set(nth as u32, u64::from(producer.0) << NUMBER_BITS | progress.submitted);
    }

    fn is_overtaken(&self, nth: usize) -> bool {
        self.submission(nth).is_some_and(|(producer, number)| number < self.progress[&producer].frontier)
    }

    fn overtake(&mut self, nth: usize) {
        let Some((producer, number)) = self.submission(nth) else { return };
        let progress = self.progress.entry(producer).or_default();
        progress.frontier = progress.frontier.max(number);
    }
}

impl Property for Order {
    const ID: PropertyId = PropertyId::Order;
    const WORD: &'static str = "order";
    const FORMULA: &'static str = "per producer, first deliveries come in submission order, without gaps";
    const NEEDS_QUIESCENCE: bool = true;
    const SEEN_BY: &'static [EventWord] = &[EventWord::Submit, EventWord::Deliver];
    const IS_USUAL: bool = false;
    type State = State;
    type Bounded = Frontier;
    type Unbounded = Producers;

    fn is_watched(rules: &Rules) -> bool {
        rules.ordered
    }
}

impl<G: Submissions> Automaton<G> for Order {
    fn observe(_: &Rules, state: &mut State, group: &mut G, event: &Event, nth: usize) -> Result<(), Breach> {
        if state.fate == Fate::Delivered {
            return Ok(());
        }
        state.attempts.observe(&event.kind);
        match (event.kind, state.fate) {
            (EventKind::Submit { .. }, Fate::NotSubmitted) => {
                state.fate = Fate::Pending;
                group.submit(nth, event.process);
            }
            (EventKind::DeadLetter { .. }, Fate::Pending) => state.fate = Fate::DeadLettered,
            (EventKind::Deliver { .. }, before) => {
                *state = State { attempts: Attempts::None, fate: Fate::Delivered };
                return if before == Fate::NotSubmitted { Ok(()) } else { take_place(group, nth) };
            }
            _ => {}
        }
        Ok(())
    }

    fn at_quiescence(_: &Rules, state: &State, group: &G, nth: usize) -> Result<(), Breach> {
        let missing = state.fate == Fate::Pending && state.attempts != Attempts::AllRefused;
        if missing && group.is_overtaken(nth) { Err(Breach::Skipped) } else { Ok(()) }
    }
}

/// The message is first delivered.
fn take_place(group: &mut impl Submissions, nth: usize) -> Result<(), Breach> {
    if group.is_overtaken(nth) {
        return Err(Breach::Overtaken);
    }
    group.overtake(nth);
    Ok(())
}
