//! What the parties of a round share: the history, the points at which faults are planned, and who must stop.
//!
//! A party records an event and goes on; where the event is a planned point, it goes on only after the fault has struck.
//! One thread, the one that owns the broker, strikes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use delivery_model::history::{At as Time, Extra, History};
use delivery_model::vocab::{Event, EventKind, Outcome, ProcessId, SettleOutcome};
use serde_json::value::RawValue;

use crate::clock::{Deadline, GLANCE, Stopwatch};
use crate::plan::{At, Load, Party};

/// The producer may be ahead of where it should be by this part of the messages.
const SLACK: u64 = 20;

/// Why a party's incarnation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It crashes: a new one begins.
    Crash,
    /// The round is over.
    Over,
}

/// The planned faults: each strikes when the event of this kind happens for the k-th time. An index stands for the fault.
pub struct Point {
    /// The kind of event.
    pub at: At,
    /// The number of the event, counted from 1.
    pub nth: u64,
    /// Only events of this message count; none: those of all messages do.
    pub of: Option<u64>,
}

struct State {
    history: History,
    clock: Stopwatch,
    counts: BTreeMap<At, u64>,
    /// The same for each message.
    counts_of: BTreeMap<(At, u64), u64>,
    /// The planned faults that have not been asked for.
    planned: Vec<Option<Point>>,
    asked: VecDeque<usize>,
    /// Faults on the wire that have struck and are not healed.
    on_the_wire: u64,
    tickets: u64,
    struck: u64,
    crash: Option<Party>,
    healthy: bool,
    produced: bool,
    over: bool,
    rested: bool,
}

/// What the parties share.
pub struct World<'a> {
    state: Mutex<State>,
    changed: Condvar,
    interrupt: &'a AtomicBool,
    deadline: Deadline,
    messages: u64,
    load: Load,
}

impl<'a> World<'a> {
    /// A world in which nothing has happened.
    pub fn new(
        history: History,
        points: Vec<Point>,
        messages: u64,
        load: Load,
        limit: Duration,
        interrupt: &'a AtomicBool,
    ) -> World<'a> {
        let state = State {
            history,
            clock: Stopwatch::start(),
            counts: BTreeMap::new(),
            counts_of: BTreeMap::new(),
            planned: points.into_iter().map(Some).collect(),
            asked: VecDeque::new(),
            on_the_wire: 0,
            tickets: 0,
            struck: 0,
            crash: None,
            healthy: true,
            produced: false,
            over: false,
            rested: false,
        };
        World {
            state: Mutex::new(state),
            changed: Condvar::new(),
            interrupt,
            deadline: Deadline::after(limit),
            messages,
            load,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this holds, or the round is over.
    fn wait(&self, holds: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            state.over |= self.interrupt.load(Ordering::SeqCst) || self.deadline.has_passed();
            if state.over || holds(&state) {
                return state;
            }
            state = self.changed.wait_timeout(state, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Records an event of a party, and lets the faults strike that are planned here.
    pub fn record(&self, party: Party, process: ProcessId, kind: EventKind, extra: Extra) -> Result<(), Halt> {
        let mut state = self.lock();
        state.push(process, kind, extra);
        let Some((at, message)) = point(&kind) else { return self.end_of(state, party) };
        let count = state.counts.entry(at).or_default();
        *count += 1;
        let nth = *count;
        let of_message = state.counts_of.entry((at, message)).or_default();
        *of_message += 1;
        let nth_of = *of_message;
        let is_due = |point: &Point| match point.of {
            None => point.nth == nth,
            Some(of) => of == message && point.nth == nth_of,
        };
        let due = |it: &Option<Point>| it.as_ref().is_some_and(|point| point.at == at && is_due(point));
        let due: Vec<usize> = (0..state.planned.len()).filter(|&fault| due(&state.planned[fault])).collect();
        for fault in due {
            state.planned[fault] = None;
            state.asked.push_back(fault);
            state.tickets += 1;
        }
        let ticket = if state.asked.is_empty() { state.struck } else { state.tickets };
        drop(state);
        self.changed.notify_all();
        let state = self.wait(|state| state.struck >= ticket);
        self.end_of(state, party)
    }

    fn end_of(&self, mut state: MutexGuard<'_, State>, party: Party) -> Result<(), Halt> {
        if state.over {
            return Err(Halt::Over);
        }
        if state.crash == Some(party) {
            state.crash = None;
            return Err(Halt::Crash);
        }
        Ok(())
    }

    /// Records an event of nobody in particular.
    pub fn note(&self, process: ProcessId, kind: EventKind, attributes: Option<String>) {
        let attributes = attributes.map(|json| RawValue::from_string(json).expect("attributes are JSON"));
        self.lock().push(process, kind, Extra { attributes, ..Extra::default() });
    }

    /// Waits until a fault is asked for, or the round is over. The broker is not to be used until the fault is healed.
    pub fn next_fault(&self) -> Option<usize> {
        let mut state = self.wait(|state| !state.asked.is_empty());
        if state.over {
            return None;
        }
        state.healthy = false;
        state.asked.pop_front()
    }

    /// The fault has struck; whoever waits for that goes on.
    pub fn struck(&self, crash: Option<Party>) {
        let mut state = self.lock();
        state.struck += 1;
        state.crash = crash.or(state.crash);
        drop(state);
        self.changed.notify_all();
    }

    /// A fault on the wire has struck. Nobody waits for it: only the proxy has met its point.
    pub fn struck_on_the_wire(&self, index: usize, process: ProcessId, kind: EventKind, attributes: String) {
        let mut state = self.lock();
        state.planned[index] = None;
        state.on_the_wire += 1;
        drop(state);
        self.note(process, kind, Some(attributes));
    }

    /// A fault on the wire is healed: what it held back has been sent.
    pub fn healed_on_the_wire(&self, process: ProcessId, kind: EventKind) {
        self.note(process, kind, None);
        self.lock().on_the_wire -= 1;
        self.changed.notify_all();
    }

    /// The fault is healed: the broker can be used.
    pub fn healed(&self) {
        self.lock().healthy = true;
        self.changed.notify_all();
    }

    /// Waits until the broker can be used. Returns whether it could not be when this was called.
    pub fn wait_until_healthy(&self) -> Result<bool, Halt> {
        let waits = !self.lock().healthy;
        let state = self.wait(|state| state.healthy);
        if state.over { Err(Halt::Over) } else { Ok(waits) }
    }

    /// Waits a moment before another attempt.
    pub fn wait_a_moment(&self) -> Result<(), Halt> {
        let moment = Deadline::after(GLANCE);
        let state = self.wait(|_| moment.has_passed());
        if state.over { Err(Halt::Over) } else { Ok(()) }
    }

    /// How many messages a consumer that lags leaves: half of them, at least one.
    fn behind(&self) -> u64 {
        (self.messages / 2).max(1)
    }

    /// Waits until the consumer may take one more message: at once if it is to keep up; else when it is more than half of
    /// the messages behind, or the producer has finished.
    pub fn wait_to_consume(&self) -> Result<(), Halt> {
        let behind = self.behind();
        let may = |state: &State| self.load == Load::KeepsUp || state.produced || state.backlog() > behind;
        let state = self.wait(may);
        if state.over { Err(Halt::Over) } else { Ok(()) }
    }

    /// Waits until the producer may publish one more message: when the consumer is no further behind than it should be.
    /// After the first fault that is at once, as what the broker lost would count as a backlog for ever.
    pub fn wait_to_produce(&self) -> Result<(), Halt> {
        let behind = match self.load {
            Load::KeepsUp => 0,
            Load::Lags => self.behind(),
        };
        let most = behind + (self.messages / SLACK).max(1);
        let state = self.wait(|state| state.tickets > 0 || state.backlog() < most);
        if state.over { Err(Halt::Over) } else { Ok(()) }
    }

    /// The producer has finished.
    pub fn produced(&self) {
        self.lock().produced = true;
        self.changed.notify_all();
    }

    /// Whether the producer has finished and the broker can be used.
    pub fn is_produced(&self) -> bool {
        let state = self.lock();
        state.produced && state.healthy && state.asked.is_empty() && state.on_the_wire == 0
    }

    /// The round is over; `rested`: nothing more can happen.
    pub fn end(&self, rested: bool) {
        let mut state = self.lock();
        state.over = true;
        state.rested |= rested;
        drop(state);
        self.changed.notify_all();
    }

    /// The history, whether the round came to rest, and which faults were planned and did not strike.
    pub fn into_history(self) -> (History, bool, Vec<usize>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let left = (0..state.planned.len()).filter(|&fault| state.planned[fault].is_some());
        let left = left.chain(state.asked.iter().copied()).collect();
        (state.history, state.rested, left)
    }
}

impl State {
    /// The messages that were acked and have no effect yet.
    fn backlog(&self) -> u64 {
        let count = |at| self.counts.get(&at).copied().unwrap_or(0);
        count(At::Acked).saturating_sub(count(At::Effected))
    }

    fn push(&mut self, process: ProcessId, kind: EventKind, extra: Extra) {
        let nanoseconds = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.history.push_with(Time::Whole(nanoseconds), Event { process, kind }, extra);
    }
}

/// The kind of point that an event is, and of which message.
fn point(kind: &EventKind) -> Option<(At, u64)> {
    match *kind {
        EventKind::Outcome { outcome: Outcome::Acked, message, .. } => Some((At::Acked, message.0)),
        EventKind::Deliver { message, .. } => Some((At::Delivered, message.0)),
        EventKind::Effect { message, .. } => Some((At::Effected, message.0)),
        EventKind::Settle { outcome: SettleOutcome::Ok, message, .. } => Some((At::Settled, message.0)),
        _ => None,
    }
}
