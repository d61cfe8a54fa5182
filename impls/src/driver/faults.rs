//! The fault injector: planned faults strike at logical points, never at times.
//!
//! Every role tells the injector of each step that it has taken ([`Injector::reached`]). A loss befalls what that step
//! was about to send. A crash of the same role comes right after the step, before its next one. A crash of another role
//! is put into that role's mailbox: it is the next thing that role does, though other roles may take steps meanwhile,
//! as threads do not stop for each other.
//!
//! A plan may hold spares: a fault that takes another one's message away takes its point with it. So a kind of fault may
//! have a limit, and strikes no more often ([`Injector::at_most`]).
//!
//! Leaves out: faults that have no place in a threaded run. A fault's row says whether it has one, and a plan with another
//! is refused.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use delivery_model::schedule::{PlannedFault, Point, StepWord};
use delivery_model::vocab::{Fault, MessageId, Party, Strikes};
use thiserror::Error;

use crate::data::record::ProducerId;

/// A role that faults can befall: each is one thread's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// This producer.
    Producer(ProducerId),
    /// The broker.
    Broker,
    /// The consumer.
    Consumer,
}

/// A plan that a threaded run cannot carry out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// No driver injects it.
    #[error("{0}: a threaded run does not inject this fault")]
    Unsupported(PlannedFault),
}

/// What strikes at a point that was just reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Struck {
    /// The fault by which what the step sent is lost.
    pub lost: Option<Fault>,
    /// The role that took the step crashes now, of this.
    pub crash: Option<PlannedFault>,
}

/// What became of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each kind of fault struck.
    pub fired: BTreeMap<Fault, u64>,
    /// Faults whose point never came, or whose role had finished when it came.
    pub unreached: Vec<PlannedFault>,
}

/// Planned faults, and how far the run has come towards them.
#[derive(Debug)]
pub struct Injector {
    producers: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    watched: HashMap<(StepWord, Option<MessageId>), Watch>,
    mailboxes: BTreeMap<Role, Vec<PlannedFault>>,
    fired: BTreeMap<Fault, u64>,
    /// How often a kind may strike; one that is not here, as often as planned.
    limits: BTreeMap<Fault, u64>,
}

/// A step of a message at which something is planned. Steps without plans are not counted.
#[derive(Debug, Default)]
struct Watch {
    times: u32,
    planned: Vec<PlannedFault>,
}

impl Injector {
    /// Watches for nothing.
    pub fn idle() -> Injector {
        Injector { producers: 1, state: Mutex::default() }
    }

    /// Watches for the points of these faults. `producers` is how many share the messages ([`owner`]).
    pub fn new(plan: &[PlannedFault], producers: u32) -> Result<Injector, PlanError> {
        if let Some(fault) = plan.iter().find(|planned| !planned.fault.row().in_real_runs) {
            return Err(PlanError::Unsupported(*fault));
        }
        let mut state = State::default();
        for planned in plan {
            let Point { step, message, .. } = planned.at;
            state.watched.entry((step, message)).or_default().planned.push(*planned);
        }
        Ok(Injector { producers, state: Mutex::new(state) })
    }

    /// The same, and of each of these kinds no more than so many strike: what is planned beyond that are spares.
    pub fn at_most(self, limits: BTreeMap<Fault, u64>) -> Injector {
        self.state().limits = limits;
        self
    }

    /// This step is about to be taken: the fault that takes its place, if one strikes.
    pub fn forestalled(&self, step: StepWord, message: Option<MessageId>) -> Option<Fault> {
        let mut state = self.state();
        let watch = state.watched.get_mut(&(step, message))?;
        let next = watch.times + 1;
        let is_due = |planned: &PlannedFault| planned.at.nth == next && planned.fault.row().strikes == Strikes::Instead;
        let due = watch.planned.iter().position(is_due)?;
        let fault = watch.planned.swap_remove(due).fault;
        state.strikes(fault).then_some(fault)
    }

    /// This role has just taken this step.
    pub fn reached(&self, role: Role, step: StepWord, message: Option<MessageId>) -> Struck {
        let mut state = self.state();
        let Some(watch) = state.watched.get_mut(&(step, message)) else {
            return Struck::default();
        };
        watch.times += 1;
        let now = watch.times;
        let due: Vec<PlannedFault> = watch.planned.extract_if(.., |planned| planned.at.nth == now).collect();
        let mut struck = Struck::default();
        for planned in due {
            let is_loss = planned.fault.row().strikes == Strikes::Of;
            match self.victim(planned, role) {
                None if is_loss && struck.lost.is_none() => {
                    struck.lost = state.strikes(planned.fault).then_some(planned.fault)
                }
                // What is lost already cannot be lost again, and a step that was taken cannot be replaced.
                None => state.mailboxes.entry(role).or_default().push(planned),
                Some(victim) if victim == role && struck.crash.is_none() => {
                    struck.crash = state.strikes(planned.fault).then_some(planned);
                }
                Some(victim) => state.mailboxes.entry(victim).or_default().push(planned),
            }
        }
        struck
    }

    /// The crash that waits for this role, if one does: the role must crash of it.
    pub fn crash_due(&self, role: Role) -> Option<PlannedFault> {
        let mut state = self.state();
        loop {
            let mailbox = state.mailboxes.get_mut(&role)?;
            let waiting = mailbox.iter().position(|planned| crashed_by(planned.fault).is_some())?;
            let due = mailbox.swap_remove(waiting);
            if state.strikes(due.fault) {
                return Some(due);
            }
        }
    }

    /// What became of the plan so far. Spares that were not needed are left out.
    pub fn tally(&self) -> Tally {
        let state = self.state();
        let waiting = state.watched.values().flat_map(|watch| &watch.planned).chain(state.mailboxes.values().flatten());
        let mut unreached: Vec<_> = waiting.filter(|planned| state.may_strike(planned.fault)).copied().collect();
        unreached.sort();
        Tally { fired: state.fired.clone(), unreached }
    }

    /// Who crashes; none if the fault is a loss.
    fn victim(&self, planned: PlannedFault, role: Role) -> Option<Role> {
        Some(match crashed_by(planned.fault)? {
            Party::Broker => Role::Broker,
            Party::Consumer => Role::Consumer,
            Party::Producer => match (planned.at.message, role) {
                (Some(message), _) => Role::Producer(owner(message, self.producers)),
                (None, Role::Producer(_)) => role,
                (None, _) => Role::Producer(ProducerId(0)),
            },
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete when the lock is released, even by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_strike(&self, fault: Fault) -> bool {
        let fired = self.fired.get(&fault).copied().unwrap_or(0);
        self.limits.get(&fault).is_none_or(|limit| fired < *limit)
    }

    /// Whether it strikes, and is counted.
    fn strikes(&mut self, fault: Fault) -> bool {
        let may = self.may_strike(fault);
        if may {
            *self.fired.entry(fault).or_default() += 1;
        }
        may
    }
}

/// The party that the fault crashes, if it is a crash that a threaded run injects.
pub fn crashed_by(fault: Fault) -> Option<Party> {
    match fault {
        Fault::ProducerCrash => Some(Party::Producer),
        Fault::BrokerCrash => Some(Party::Broker),
        Fault::ConsumerCrash => Some(Party::Consumer),
        _ => None,
    }
}

/// Which of so many producers a message belongs to: they take turns, so that each has its share of every stretch.
pub fn owner(message: MessageId, producers: u32) -> ProducerId {
    ProducerId((message.0.saturating_sub(1) % u64::from(producers)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(fault: Fault, step: StepWord, message: u64, nth: u32) -> PlannedFault {
        PlannedFault::new(fault, Point { step, message: Some(MessageId(message)), nth })
    }

    const NOTHING: Struck = Struck { lost: None, crash: None };
    const LOST: Struck = Struck { lost: Some(Fault::PublishLost), ..NOTHING };

    #[test]
    fn a_fault_strikes_at_its_time_of_its_step_of_its_message_and_only_then() {
        let injector = Injector::new(&[planned(Fault::PublishLost, StepWord::Attempt, 2, 2)], 1).unwrap();
        let producer = Role::Producer(ProducerId(0));
        let reached = |step, message| injector.reached(producer, step, Some(MessageId(message)));
        assert_eq!(reached(StepWord::Attempt, 1), NOTHING);
        assert_eq!(reached(StepWord::Attempt, 2), NOTHING);
        assert_eq!(reached(StepWord::Receive, 2), NOTHING);
        assert_eq!(reached(StepWord::Attempt, 2), LOST);
        assert_eq!(reached(StepWord::Attempt, 2), NOTHING);
        assert_eq!(injector.tally(), Tally { fired: [(Fault::PublishLost, 1)].into(), unreached: vec![] });
    }

    #[test]
    fn a_crash_of_the_same_role_is_now_and_of_another_waits_for_it() {
        let plan = [
            planned(Fault::BrokerCrash, StepWord::Append, 1, 1),
            planned(Fault::ProducerCrash, StepWord::Append, 5, 1),
        ];
        let injector = Injector::new(&plan, 3).unwrap();
        let struck = injector.reached(Role::Broker, StepWord::Append, Some(MessageId(1)));
        assert_eq!(struck, Struck { crash: Some(plan[0]), ..NOTHING });
        assert_eq!(injector.reached(Role::Broker, StepWord::Append, Some(MessageId(5))), NOTHING);
        let due = |producer| injector.crash_due(Role::Producer(ProducerId(producer)));
        assert_eq!(due(0), None);
        assert_eq!(due(1), Some(plan[1]), "message 5 is the second of three producers'");
        assert_eq!(due(1), None, "once");
    }

    #[test]
    fn what_is_lost_already_is_not_lost_again_and_crashes_nobody() {
        let planned = [planned(Fault::PublishLost, StepWord::Attempt, 1, 1); 2];
        let injector = Injector::new(&planned, 1).unwrap();
        let producer = Role::Producer(ProducerId(0));
        assert_eq!(injector.reached(producer, StepWord::Attempt, Some(MessageId(1))), LOST);
        assert_eq!(injector.crash_due(producer), None);
        assert_eq!(injector.tally().unreached, planned[..1]);
    }

    #[test]
    fn what_takes_the_place_of_a_step_strikes_before_it_and_once() {
        let (step, message) = (StepWord::Handle, Some(MessageId(1)));
        let second = planned(Fault::HandlerFails, step, 1, 2);
        let injector = Injector::new(&[second, second], 1).unwrap();
        let handle = || (injector.forestalled(step, message), injector.reached(Role::Consumer, step, message));
        assert_eq!(handle(), (None, NOTHING), "it is the first time");
        assert_eq!(handle(), (Some(Fault::HandlerFails), NOTHING), "the spare one is no loss");
        assert_eq!(handle(), (None, NOTHING));
        assert_eq!(injector.tally(), Tally { fired: [(Fault::HandlerFails, 1)].into(), unreached: vec![second] });
    }

    #[test]
    fn a_point_that_never_came_is_told() {
        let never = planned(Fault::SettleLost, StepWord::Settle, 9, 1);
        let injector = Injector::new(&[never], 1).unwrap();
        assert_eq!(injector.tally(), Tally { fired: BTreeMap::new(), unreached: vec![never] });
    }

    #[test]
    fn a_kind_with_a_limit_strikes_no_more_often_and_its_spares_are_not_missed() {
        let losses = (1..=4).map(|message| planned(Fault::PublishLost, StepWord::Attempt, message, 1));
        let crashes = (1..=4).map(|message| planned(Fault::BrokerCrash, StepWord::Attempt, message, 1));
        let plan: Vec<PlannedFault> = losses.chain(crashes).collect();
        let limits = BTreeMap::from([(Fault::PublishLost, 2), (Fault::BrokerCrash, 3)]);
        let injector = Injector::new(&plan, 1).unwrap().at_most(limits.clone());
        let producer = Role::Producer(ProducerId(0));
        let lost = (1..=4)
            .filter(|message| injector.reached(producer, StepWord::Attempt, Some(MessageId(*message))).lost.is_some());
        assert_eq!(lost.collect::<Vec<_>>(), [1, 2]);
        assert_eq!(std::iter::from_fn(|| injector.crash_due(Role::Broker)).count(), 3);
        assert_eq!(injector.tally(), Tally { fired: limits, unreached: vec![] });
    }

    #[test]
    fn a_fault_that_no_driver_injects_is_refused() {
        let poison = planned(Fault::Poison, StepWord::Submit, 1, 1);
        assert_eq!(Injector::new(&[poison], 1).unwrap_err(), PlanError::Unsupported(poison));
    }
}
