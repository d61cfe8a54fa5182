//! The harness: one round of a producer and a consumer against a broker that faults strike.

mod consume;
mod files;
mod produce;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use delivery_model::history::{Extra, Header, History, PipelineOf};
use delivery_model::pipeline::{Level, Obligation};
use delivery_model::vocab::{EventKind, ProcessId};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::consume::Consumer;
use self::produce::Producer;
use self::world::{Halt, Point, World};
use crate::faults::{Fault, Strike};
use crate::plan::{At, Load, Patience};
use crate::product::{Broker, Client, Trouble};
use crate::proxy::{self, Proxy, Witness};

/// The attribute of a delivery that the broker marked as one that it may have delivered before.
pub const MARKED: &str = "redelivered";

/// A fault and the point at which it strikes.
#[derive(Clone, Copy)]
pub struct Planned {
    /// The fault.
    pub fault: &'static dyn Fault,
    /// The kind of point.
    pub at: At,
    /// The number of the point, counted from 1.
    pub nth: u64,
    /// Only points of this message count; none: those of all messages do.
    pub of: Option<u64>,
}

/// What a round does.
#[derive(Clone)]
pub struct Plan {
    /// The name of what is audited, for the history.
    pub name: String,
    /// The number of messages.
    pub messages: u64,
    /// The load.
    pub load: Load,
    /// The faults.
    pub faults: Vec<Planned>,
    /// The waiting times of the parties.
    pub patience: Patience,
}

/// A proxy in front of the broker, with the clients that connect to it: for faults on the wire.
pub struct ProxyRoute {
    /// The proxy, in front of the broker.
    pub proxy: Proxy,
    /// How clients reach the broker through it.
    pub client: Arc<dyn Client>,
}

/// What became of the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Return {
    /// Why it did not come back, if it did not.
    pub lost: Option<String>,
    /// How often it came back without its queue.
    pub queues_forgotten: u64,
}

/// A round that was run.
pub struct Round {
    /// What happened.
    pub history: History,
    /// Whether the broker came back, with its queue.
    pub came_back: Return,
    /// The planned faults that did not strike, because their points were not reached.
    pub left_out: Vec<Planned>,
}

/// Why a party ended.
enum Ended {
    By(Halt),
    Trouble(Trouble),
}

impl From<Halt> for Ended {
    fn from(halt: Halt) -> Ended {
        Ended::By(halt)
    }
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Ended {
        Ended::Trouble(trouble)
    }
}

/// Runs a round: starts the broker, which must be new, and makes its queue; publishes and consumes while faults strike;
/// and waits until nothing more can happen. Faults on the wire need a route through a proxy; without one they do not strike. `directory`
/// is for outbox and inbox, and empty. When the interrupt is raised, the round ends soon, without coming to rest. The
/// broker is left as it is.
pub fn round(
    broker: &mut dyn Broker,
    route: Option<&ProxyRoute>,
    plan: &Plan,
    directory: &Path,
    interrupt: &AtomicBool,
) -> Result<Round, Trouble> {
    broker.start()?;
    let client = route.map_or_else(|| broker.client(), |route| Arc::clone(&route.client));
    let mut history = History { header: header(plan), ..History::default() };
    let [producer, consumer, faults] = ["producer-0", "consumer-0", "faults"].map(|name| process(&mut history, name));
    history.names.group_id("inventory").expect("one group");
    let points = plan.faults.iter().map(|it| Point { at: it.at, nth: it.nth, of: it.of }).collect();
    let world = World::new(history, points, plan.messages, plan.load, plan.patience.round, interrupt);
    let producing =
        Producer { world: &world, client: client.clone(), directory, process: producer, messages: plan.messages };
    let consuming =
        Consumer { world: &world, client: client.clone(), directory, process: consumer, patience: plan.patience };
    let frame_faults: Vec<Option<proxy::Planned>> = plan.faults.iter().map(Planned::on_the_wire).collect();
    let witness = OnTheWire { world: &world, plan, process: faults };
    let mut came_back = Return::default();
    let (produced, consumed, struck) = thread::scope(|scope| {
        let service = route.map(|it| it.proxy.service(&frame_faults, plan.patience.given_up(), &witness));
        let (service, stop) = service.unzip();
        let serving = service.map(|service| scope.spawn(|| service.run()));
        client.declare()?;
        let produced = scope.spawn(|| {
            let ended = producing.run();
            if ended.is_err() {
                world.end(false);
            }
            ended
        });
        let consumed = scope.spawn(|| {
            let ended = consuming.run();
            world.end(matches!(ended, Ok(true)));
            ended
        });
        let struck = strike_all(broker, &*client, plan, &world, faults, interrupt, &mut came_back);
        world.end(false);
        let panicked = "a thread of a round does not panic";
        let ended = (produced.join().expect(panicked), consumed.join().expect(panicked), struck);
        drop(stop);
        serving.map_or(Ok(()), |serving| serving.join().expect(panicked))?;
        Ok::<_, Trouble>(ended)
    })?;
    for ended in [produced, consumed.map(|_| ())] {
        if let Err(Ended::Trouble(trouble)) = ended {
            return Err(trouble);
        }
    }
    struck?;
    let (mut history, rested, left_out) = world.into_history();
    if rested && came_back.lost.is_none() {
        let event = delivery_model::vocab::Event { process: faults, kind: EventKind::Quiescent };
        let at = history.events.last().map_or(delivery_model::history::At::Whole(0), |last| last.at);
        history.push(at, event);
    }
    Ok(Round { history, came_back, left_out: left_out.into_iter().map(|fault| plan.faults[fault]).collect() })
}

/// Lets every fault strike that is asked for, until the round is over.
fn strike_all(
    broker: &mut dyn Broker,
    client: &dyn Client,
    plan: &Plan,
    world: &World<'_>,
    process: ProcessId,
    interrupt: &AtomicBool,
    came_back: &mut Return,
) -> Result<(), Trouble> {
    while let Some(index) = world.next_fault() {
        let Planned { fault, .. } = plan.faults[index];
        let mut strike = Strike::new(broker, plan.patience, interrupt);
        fault.strike(&mut strike)?;
        world.note(process, EventKind::Fault { fault: fault.word() }, Some(plan.faults[index].attributes()));
        world.struck(strike.crashed());
        match fault.heal(&mut strike) {
            Err(Trouble::NotUp { why }) => {
                came_back.lost = Some(why);
                return Ok(());
            }
            other => other?,
        }
        if !client.has_queue()? {
            came_back.queues_forgotten += 1;
            client.declare()?;
        }
        world.note(process, EventKind::Heal { fault: fault.word() }, None);
        world.healed();
    }
    Ok(())
}

impl Planned {
    /// The exact name of the fault, and its point.
    fn attributes(&self) -> String {
        let of = self.of.map_or_else(String::new, |message| format!(" of message {message}"));
        json!({ "by": self.fault.name(), "at": format!("{} {}{of}", self.at.word(), self.nth) }).to_string()
    }

    fn on_the_wire(&self) -> Option<proxy::Planned> {
        match (self.at, self.fault.on_the_wire()) {
            (At::Frame(role), Some(fault)) => Some(proxy::Planned { role, nth: self.nth, fault }),
            _ => None,
        }
    }
}

/// Notes what the proxy does.
struct OnTheWire<'a> {
    world: &'a World<'a>,
    plan: &'a Plan,
    process: ProcessId,
}

impl Witness for OnTheWire<'_> {
    fn struck(&self, index: usize) {
        let planned = &self.plan.faults[index];
        let kind = EventKind::Fault { fault: planned.fault.word() };
        self.world.struck_on_the_wire(index, self.process, kind, planned.attributes());
    }

    fn healed(&self, index: usize) {
        let kind = EventKind::Heal { fault: self.plan.faults[index].fault.word() };
        self.world.healed_on_the_wire(self.process, kind);
    }
}

/// The history says how it is to be judged: the consumer has an inbox, so each hand-off counts, not each effect.
fn header(plan: &Plan) -> Header {
    Header {
        pipeline: Some(PipelineOf::Named(plan.name.clone())),
        level: Some(Level::Delivery),
        obligation: Some(Obligation::Acked),
        ..Header::default()
    }
}

fn process(history: &mut History, name: &str) -> ProcessId {
    history.names.process_id(name).expect("a history has few processes")
}

/// An event's extra that says one thing.
fn attributes(key: &str, value: &Value) -> Extra {
    let json = json!({ key: value }).to_string();
    Extra { attributes: Some(RawValue::from_string(json).expect("it is JSON")), ..Extra::default() }
}
