//! The protocol between producer, broker and consumer, as a transition system in micro-steps.
//!
//! [`Spec::moves`] lists what the parties may do next, [`Spec::faults`] what may go wrong, and [`Spec::take`] does it and
//! says which events it was. A crash can fall between any two steps. A crash and the restart after it are one step: what a
//! party that is down would miss is what the wires lose at that moment, so a separate "down" period would show nothing new.
//!
//! Three readings that keep it honest and finite:
//!
//! * A time-out strikes only when nothing of an attempt is left on the way, and a lease ends by itself only when nothing
//!   of its hand-off is left. So every retry has a fault (or `acks = "never"`) behind it; a lease that ends too early is
//!   the fault `lease-expiry`.
//! * Everything on a wire between two parties vanishes when either crashes. A message that arrives all the same is the
//!   run in which it arrived just before, or the fault `producer-zombie`.
//! * Only synced records are handed off, unless `hands-off` says otherwise.
//!
//! Architecture Invariant: nothing here knows what "exactly once" means. The spec says what happens; `semantics` judges.
//!
//! What is left out: time (a deadline is a step that may be taken), sizes of payloads, more than one producer, more than
//! one group, several brokers (a follower is what a failover leaves). Bounds of the state's encoding are in [`bounds`].

mod batch;
pub mod bounds;
mod broker;
mod commuting;
mod consumer;
mod describe;
mod faults;
mod group;
mod packed;
mod producer;
mod reads;
mod settings;
mod state;
mod state_view;

use std::ops::ControlFlow;

use crate::bits::Bits;
use crate::pipeline::Pipeline;
use crate::vocab::{Event, EventKind, Fault, GroupId, Move, Position, ProcessId, Step, Strike};

use packed::Layout;
pub use packed::WORDS;
pub use reads::{FAULT_RUNS, Side, run_of};
pub use settings::Settings;
pub use state::{Holding, Phase, Stage, State};
pub use state_view::StateView;

/// The processes of a model's events, by [`ProcessId`].
pub const PROCESSES: [&str; 5] = ["producer-0", "broker-0", "consumer-0", "consumer-1", "faults"];
const PRODUCER: ProcessId = ProcessId(0);
const BROKER: ProcessId = ProcessId(1);
const CONSUMERS: [ProcessId; 2] = [ProcessId(2), ProcessId(3)];
const FAULTS: ProcessId = ProcessId(4);
/// The one consumer group of a model.
pub const GROUP: GroupId = GroupId(0);

/// The protocol under one pipeline's settings, for a number of messages.
#[derive(Clone, Debug)]
pub struct Spec {
    settings: Settings,
    layout: Layout,
}

/// The events of one step, in order. No step has more than six: an effect and a settle for each delivery of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Events {
    events: [Option<Event>; 6],
    len: usize,
}

/// Whoever is told of the events of a step as they happen.
trait Witness {
    fn push(&mut self, process: ProcessId, kind: EventKind);
}

impl Witness for Events {
    fn push(&mut self, process: ProcessId, kind: EventKind) {
        self.events[self.len] = Some(Event { process, kind });
        self.len += 1;
    }
}

/// A closure that is called with each event. The call is dynamic, so that the steps are compiled once, and not once for each
/// closure.
struct Telling<'a>(&'a mut dyn FnMut(&Event));

impl Witness for Telling<'_> {
    #[inline]
    fn push(&mut self, process: ProcessId, kind: EventKind) {
        self.0(&Event { process, kind });
    }
}

impl Events {
    /// The events, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events[..self.len].iter().flatten()
    }
}

impl Spec {
    /// The protocol of this pipeline for `messages` messages (1 to [`bounds::MESSAGES_MAX`]).
    pub fn new(pipeline: &Pipeline, messages: u32) -> Result<Self, bounds::TooManyMessages> {
        let settings = Settings::new(pipeline, messages)?;
        Ok(Spec { layout: Layout::new(&settings), settings })
    }

    /// The settings, compiled.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Calls `found` with every move that is enabled, until it breaks.
    pub fn moves(&self, state: &State, found: &mut dyn FnMut(Move) -> ControlFlow<()>) -> ControlFlow<()> {
        producer::moves(&self.settings, state, found)?;
        broker::moves(&self.settings, state, found)?;
        batch::moves(&self.settings, state, found)
    }

    /// Calls `found` with every fault that may strike now.
    pub fn faults(&self, state: &State, found: &mut dyn FnMut(Strike)) {
        faults::strikes(&self.settings, state, found);
    }

    /// Calls `found` with every step that is possible: every move, then every fault.
    #[inline]
    pub fn steps(&self, state: &State, found: &mut dyn FnMut(Step)) {
        let _ = self.moves(state, &mut |it| {
            found(Step::Move(it));
            ControlFlow::Continue(())
        });
        self.faults(state, &mut |it| found(Step::Fault(it)));
    }

    /// A fault of this kind may strike once more in this run, as far as its budget and the encoding go.
    pub fn may_strike(&self, state: &State, fault: Fault) -> bool {
        faults::may_strike(&self.settings, state, fault)
    }

    /// No move is enabled: the run may end here.
    pub fn is_quiescent(&self, state: &State) -> bool {
        self.moves(state, &mut |_| ControlFlow::Break(())).is_continue()
    }

    /// The position is to be handed off as soon as its turn comes: it is durable, not settled and not set aside, nobody has
    /// a lease on it, and whoever follows the log by a position of its own has not passed it.
    pub fn is_waiting(&self, state: &State, position: Position) -> bool {
        broker::is_waiting(&self.settings, state, position.0 as usize)
    }

    /// Passes every field of a state to one of these words.
    #[inline(always)]
    pub fn code<B: Bits>(&self, state: &mut State, words: [&mut B; WORDS]) {
        packed::code(&self.layout, state, words);
    }

    /// Takes an enabled step and says which events it was.
    ///
    /// # Panics
    /// May panic or leave nonsense when the step is not enabled.
    pub fn take(&self, state: &mut State, step: Step) -> Events {
        let mut events = Events::default();
        self.witnessed(state, step, &mut events);
        events
    }

    /// Takes an enabled step and tells of its events as they happen.
    ///
    /// # Panics
    /// May panic or leave nonsense when the step is not enabled.
    #[inline]
    pub fn take_telling(&self, state: &mut State, step: Step, mut tell: impl FnMut(&Event)) {
        self.witnessed(state, step, &mut Telling(&mut tell));
    }

    fn witnessed(&self, state: &mut State, step: Step, events: &mut impl Witness) {
        match step {
            Step::Move(it) => self.act(state, it, events),
            Step::Fault(strike) => {
                let fault = strike.fault();
                events.push(FAULTS, EventKind::Fault { fault });
                state.mark_fired(fault);
                faults::take(&self.settings, state, strike, events);
            }
        }
    }

    fn act(&self, state: &mut State, it: Move, events: &mut impl Witness) {
        use Move::*;
        let settings = &self.settings;
        match it {
            Submit { message } => producer::submit(settings, state, message, events),
            Attempt { message } => producer::attempt(settings, state, message, events),
            TakeReply { message } => producer::take_reply(settings, state, message, events),
            TimeOut { message } => producer::time_out(settings, state, message, events),
            Receive { message } => broker::receive(settings, state, message),
            ReceiveLate { message } => broker::receive_late(state, message),
            Append { .. } => broker::append(settings, state),
            Sync => broker::sync(state),
            SyncSettles => broker::sync_settles(state),
            Ack { message } => broker::ack(state, message),
            HandOff { position } => broker::hand_off(settings, state, position),
            DeadLetter { position } => broker::dead_letter(settings, state, position, events),
            RecordSettle { hand } => batch::record_settle(settings, state, hand, events),
            Deliver { hand } => consumer::deliver(state, hand, events),
            Handle { hand } => batch::handle(settings, state, hand, events),
            Remember { hand } => consumer::remember(settings, state, hand),
            Settle { hand } => batch::settle(settings, state, hand),
        }
    }
}
