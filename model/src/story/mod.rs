//! The story of a path of the protocol, as rows of a sequence between order service, broker and inventory service.
//!
//! Each step is one row: something that a party does by itself, or something that it sends to another. The row that breaks
//! a property is marked, and what never comes stands below the last one. A story is data; `text` writes it for a terminal,
//! `svg` draws it.

mod breaks;
mod marks;
mod markup;
mod recorded;
mod recorded_svg;
mod recorded_text;
mod svg;
mod text;

use crate::party_state::{Decision, PartyState};
use crate::pipeline::{FaultBudget, Pipeline};
use crate::spec::bounds::TooManyMessages;
use crate::spec::{Spec, State};
use crate::vocab::{DeliveryRef, EventKind, Move, SettleOutcome, Step, Strike};

pub use breaks::{Asked, Break, End};
pub use markup::escaped;
pub use recorded::{Duration, RecordedRow, RecordedStory};
pub use recorded_svg::RECORDED_STYLE;
pub use text::{Ink, WIDTH_MIN};

/// The lane of a party in the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The producer.
    OrderService,
    /// The broker.
    Broker,
    /// The consumer.
    InventoryService,
}

impl Lane {
    /// All lanes, left to right.
    pub const ALL: [Lane; 3] = [Lane::OrderService, Lane::Broker, Lane::InventoryService];

    /// The title of the lane.
    pub fn title(self) -> &'static str {
        match self {
            Lane::OrderService => "order service",
            Lane::Broker => "broker",
            Lane::InventoryService => "inventory service",
        }
    }
}

/// A row of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The party that acts.
    pub from: Lane,
    /// The party to which it sends; the same lane for what it does by itself.
    pub to: Lane,
    /// The action, in a few words.
    pub text: String,
    /// Whether the row is a fault.
    pub fault: bool,
    /// What it breaks, such as "2nd effect".
    pub breaks: Option<String>,
}

impl Row {
    /// A row that breaks nothing and is no fault.
    pub fn new(from: Lane, to: Lane, text: impl Into<String>) -> Self {
        Row { from, to, text: text.into(), fault: false, breaks: None }
    }

    /// A fault that strikes at a party.
    pub fn fault(lane: Lane, text: impl Into<String>) -> Self {
        Row { fault: true, ..Row::new(lane, lane, text) }
    }

    /// Whether it is shown as bad: a fault, or a step that breaks something.
    fn is_bad(&self) -> bool {
        self.fault || self.breaks.is_some()
    }

    /// The action, with the mark of what it breaks.
    pub fn told(&self) -> String {
        marks::marked(&self.text, self.breaks.as_ref())
    }
}

/// A story: what happens, what it breaks, and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The steps, in order.
    pub rows: Vec<Row>,
    /// The index of the first row of those that are repeated for ever, for a run without end: without any, nothing more
    /// happens, and somebody waits for ever.
    pub endless: Option<usize>,
    /// What never comes, such as "message 1 is never delivered".
    pub never: Vec<String>,
}

impl Story {
    /// The story of a path. The path must be one of `spec`.
    ///
    /// # Panics
    /// May panic if the path is not one of `spec`.
    pub fn of(spec: &Spec, path: &[Step]) -> Self {
        Story { rows: rows(spec, path), ..Story::default() }
    }

    /// The same story, of a run without end: the rows from this one on are repeated.
    pub fn endless(self, from: usize) -> Self {
        Story { endless: Some(from), ..self }
    }

    /// The same story, with marks of what it breaks. A row that breaks several things gets the different words once each.
    pub fn marked(mut self, breaks: &[Break]) -> Self {
        for Break { step, words, .. } in breaks {
            let Some(step) = step else {
                if !self.never.contains(words) {
                    self.never.push(words.clone());
                }
                continue;
            };
            let Some(row) = self.rows.get_mut(*step) else { continue };
            match &mut row.breaks {
                None => row.breaks = Some(words.clone()),
                Some(mark) if mark.split(", ").any(|it| it == words) => {}
                Some(mark) => *mark += &format!(", {words}"),
            }
        }
        self
    }
}

/// The reason why a path is not one of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStory {
    /// The protocol's state does not hold as many messages.
    #[error(transparent)]
    TooManyMessages(#[from] TooManyMessages),
    /// A step is not enabled.
    #[error("step {}, \"{step}\", is not possible there in the model", .at + 1)]
    NotOffered {
        /// The index of the step in the path, counted from 0.
        at: usize,
        /// The step.
        step: Step,
    },
}

/// The protocol of a pipeline, with a budget that is enough for every fault of the path. The path must be one of its
/// paths.
pub fn spec_for(pipeline: &Pipeline, messages: u32, path: &[Step]) -> Result<Spec, NoStory> {
    let spec = Spec::new(&Pipeline { faults: enough_for(path, pipeline.faults), ..pipeline.clone() }, messages)?;
    let mut state = State::default();
    for (at, &step) in path.iter().enumerate() {
        if !offers(&spec, &state, step) {
            return Err(NoStory::NotOffered { at, step });
        }
        spec.take(&mut state, step);
    }
    Ok(spec)
}

fn enough_for(path: &[Step], budget: FaultBudget) -> FaultBudget {
    let faults = || path.iter().filter_map(Step::fault);
    let each = faults().fold(budget, |budget, fault| {
        let times = faults().filter(|it| *it == fault).count() as u32;
        budget.with(fault, budget.of(fault).max(times))
    });
    if budget.total == 0 { each } else { each.capped(budget.total.max(faults().count() as u32)) }
}

fn offers(spec: &Spec, state: &State, wanted: Step) -> bool {
    let mut offered = false;
    spec.steps(state, &mut |step| offered |= step == wanted);
    offered
}

/// The rows of a path, step by step.
fn rows(spec: &Spec, path: &[Step]) -> Vec<Row> {
    let mut state = State::default();
    path.iter()
        .map(|&step| {
            let before = state;
            let decision = spec.look(&before).received().map(|received| received.decision);
            let events = spec.take(&mut state, step);
            let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
            row((&before, &state), decision, step, &kinds)
        })
        .collect()
}

fn row((before, after): (&State, &State), decided: Option<Decision>, step: Step, events: &[EventKind]) -> Row {
    use Lane::*;
    let it = match step {
        Step::Move(it) => it,
        Step::Fault(strike) => return fault_row(before, strike),
    };
    let (from, to, text) = match it {
        Move::Submit { message } => (OrderService, OrderService, format!("submits order {message}")),
        Move::Attempt { message } => (OrderService, Broker, format!("publish {message}")),
        Move::Receive { message } => (Broker, Broker, format!("receives {message}")),
        Move::ReceiveLate { message } => (Broker, Broker, format!("receives a late copy of {message}")),
        Move::Append { message } => (Broker, Broker, format!("{} {message}", decision(before, decided))),
        Move::Sync => (Broker, Broker, "syncs".to_owned()),
        Move::SyncSettles => (Broker, Broker, "syncs its settles".to_owned()),
        Move::Ack { message } => (Broker, OrderService, format!("ack {message}")),
        Move::TakeReply { message } => {
            (OrderService, OrderService, format!("{} {message}{}", reply(events), new_epoch(before, after)))
        }
        Move::TimeOut { message } => (OrderService, OrderService, format!("hears nothing of {message}")),
        Move::HandOff { position } => (Broker, InventoryService, handed(before, position.0)),
        Move::DeadLetter { position } => (Broker, Broker, format!("sets position {position} aside (dead letter)")),
        Move::Deliver { hand } => (InventoryService, InventoryService, format!("receives {}", message(before, hand))),
        Move::Handle { hand } => (InventoryService, InventoryService, handled(before, hand, events)),
        Move::Remember { hand } => {
            (InventoryService, InventoryService, format!("notes {} as seen, in memory", message(before, hand)))
        }
        Move::Settle { hand } => settle(before, after, hand),
        Move::RecordSettle { hand } => (Broker, Broker, recorded(hand, events)),
    };
    Row::new(from, to, text)
}

fn fault_row(before: &State, strike: Strike) -> Row {
    use Lane::*;
    let (lane, text) = match strike {
        Strike::PublishLost { message } => (OrderService, format!("publish {message} is lost on the way")),
        Strike::PublishReordered { message } => (OrderService, format!("publish {message} fails, a later one goes on")),
        Strike::PublishDuplicated { message } => {
            (OrderService, format!("the network makes a copy of publish {message}"))
        }
        Strike::PublishRefused { message } => (Broker, format!("fails to store {message}, and says so")),
        Strike::PublishAckLost { message } => (Broker, format!("the ack of {message} is lost on the way")),
        Strike::ProducerCrash => (OrderService, "crashes and restarts".to_owned()),
        Strike::ProducerZombie { message } => {
            (OrderService, format!("is replaced; its old publish {message} lingers on the way"))
        }
        Strike::BrokerCrash { keeps } => (Broker, crash(before, keeps)),
        Strike::DeliveryLost { hand } => (Broker, format!("the hand-off of {} is lost", message(before, hand))),
        Strike::ConsumerCrash { .. } => (InventoryService, "crashes and restarts".to_owned()),
        Strike::SettleLost { hand } => {
            (InventoryService, format!("the settle of position {} is lost on the way", hand.position))
        }
        Strike::LeaseExpiry { hand } => (Broker, format!("the lease of position {} ends early", hand.position)),
        Strike::DedupForgotten => (Broker, "forgets what it has seen".to_owned()),
        Strike::HandlerFails { hand } => (InventoryService, format!("the handler fails on {}", message(before, hand))),
        Strike::Poison { message } => (InventoryService, format!("order {message} will fail its handler every time")),
        Strike::HandlerCrashes { message } => {
            (InventoryService, format!("order {message} will kill its consumer every time"))
        }
        Strike::DeadLetterLost { position } => (Broker, format!("the dead letter of position {position} is lost")),
        Strike::Redrive { position } => (Broker, format!("the dead letter of position {position} is put back")),
        Strike::CommitReordered { message } => {
            (OrderService, format!("order {message} takes its row's position, and commits later"))
        }
        Strike::Failover { keeps } => (Broker, failover(before, keeps)),
        Strike::RecordExpired { position } => (Broker, format!("position {position} expires")),
        Strike::GroupForgotten => (Broker, "forgets the group's position".to_owned()),
        Strike::Rebalance => (InventoryService, "the partition passes to the other consumer".to_owned()),
        Strike::Rewind { position } => (InventoryService, format!("is rewound to position {position}")),
    };
    Row::fault(lane, text)
}

fn decision(before: &State, decided: Option<Decision>) -> &'static str {
    match decided {
        Some(Decision::Duplicate) if before.stored_like_slot() => "recognises as a duplicate:",
        Some(Decision::Duplicate) => "takes for a duplicate, without a record:",
        Some(Decision::Refuse) => "refuses",
        Some(Decision::Store) | None => "appends",
    }
}

fn reply(events: &[EventKind]) -> &'static str {
    use crate::vocab::Outcome::*;
    match events {
        [EventKind::Outcome { outcome: Acked, .. }, ..] => "learns: acked",
        [EventKind::Outcome { outcome: Refused, .. }, ..] => "learns: refused",
        _ => "learns nothing of",
    }
}

fn new_epoch(before: &State, after: &State) -> &'static str {
    if before.epoch() == after.epoch() { "" } else { ", and starts over in a new epoch" }
}

fn message(state: &State, hand: DeliveryRef) -> usize {
    state.message_of(hand) + 1
}

fn handed(state: &State, position: u64) -> String {
    let (message, _) = state.log().nth(position as usize).expect("a hand-off is of a record in the log");
    format!("deliver {} (position {position})", message + 1)
}

fn handled(before: &State, hand: DeliveryRef, events: &[EventKind]) -> String {
    let message = message(before, hand);
    let made = events.iter().any(|event| matches!(event, EventKind::Effect { .. }));
    let stored = events.iter().any(|event| matches!(event, EventKind::Settle { .. }));
    match (made, stored) {
        (true, true) => format!("reserves stock for {message} and stores its position"),
        (true, false) => format!("reserves stock for {message}"),
        (false, true) => format!("has seen {message}: stores its position only"),
        (false, false) if before.kills(message) => format!("crashes on {message}, and restarts"),
        (false, false) if before.fails(message) => format!("fails to handle {message}"),
        (false, false) => format!("has seen {message}: nothing to do"),
    }
}

fn settle(before: &State, after: &State, hand: DeliveryRef) -> (Lane, Lane, String) {
    if after.holding(hand).is_some_and(|holding| holding.stage.is_settling()) {
        (Lane::InventoryService, Lane::Broker, format!("settle position {}", hand.position))
    } else {
        let text = format!("notes {} as done", message(before, hand));
        (Lane::InventoryService, Lane::InventoryService, text)
    }
}

fn recorded(hand: DeliveryRef, events: &[EventKind]) -> String {
    let refused = |event: &EventKind| matches!(event, EventKind::Settle { outcome: SettleOutcome::Refused, .. });
    let verb = if events.iter().any(refused) { "refuses the stale settle of" } else { "records as settled:" };
    format!("{verb} position {}", hand.position)
}

fn failover(before: &State, keeps: u64) -> String {
    match before.log().count() as u64 - keeps {
        0 => "fails; its follower has every record and takes over".to_owned(),
        1 => "fails; its follower lacks the last record and takes over".to_owned(),
        lost => format!("fails; its follower lacks the last {lost} records and takes over"),
    }
}

fn crash(before: &State, keeps: u64) -> String {
    match before.log().count() as u64 - keeps {
        0 => "crashes and restarts".to_owned(),
        1 => "crashes, loses the last record of its log, and restarts".to_owned(),
        lost => format!("crashes, loses the last {lost} records of its log, and restarts"),
    }
}
