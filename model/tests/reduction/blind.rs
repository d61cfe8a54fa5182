//! Rules that are blind to one kind of fault: what they leave out is missed, by the conditions and by the verdicts.

use std::ops::ControlFlow;

use delivery_model::check::graph::{Checks, Walk};
use delivery_model::check::{Moment, Protocol, audit, conditions_hold, conditions_hold_for};
use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::spec::State;
use delivery_model::vocab::{Fault, Step};
use stateright::{Model, Property};

use crate::{preset, protocol};

/// The protocol, reduced by rules that take it that one kind of fault never strikes. Unlike `Reduced`, it stops at every
/// step.
struct Blind {
    protocol: Protocol,
    to: Option<Fault>,
}

impl Blind {
    fn may_strike(&self, state: &State, fault: Fault) -> bool {
        Some(fault) != self.to && self.protocol.spec.is_in_budget(state, fault)
    }

    /// What is broken at any moment that these rules leave.
    fn broken(&self) -> PropertySet {
        let exploration = Walk::new(self).checks(self.protocol.checks()).run();
        let is_broken = |name: &str| exploration.finding(name).is_some_and(|finding| finding.decided_by.is_some());
        self.protocol.watched().iter().filter(|property| is_broken(property.word())).collect()
    }
}

impl Model for Blind {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        self.protocol.init_states()
    }

    fn actions(&self, moment: &Moment, actions: &mut Vec<Step>) {
        if moment.state.is_cut() {
            return;
        }
        let may_strike = |fault| self.may_strike(&moment.state, fault);
        let _ = self.protocol.spec.commuting(&moment.state, may_strike, &mut |it| {
            actions.push(it.into());
            ControlFlow::Continue(())
        });
        actions.truncate(1);
        if actions.is_empty() {
            self.protocol.actions(moment, actions);
        }
    }

    fn next_state(&self, moment: &Moment, step: Step) -> Option<Moment> {
        self.protocol.next_state(moment, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }

    fn within_boundary(&self, moment: &Moment) -> bool {
        self.protocol.within_boundary(moment)
    }
}

/// With one message and this fault alone: what the pipeline breaks, rules that are blind to the fault miss.
fn check_missed(fault: Fault, name: &str, missed: PropertyId) {
    let pipeline = preset(name, |it| it.faults = FaultBudget::once_each([fault]));
    let broken = |to| Blind { protocol: protocol(&pipeline, 1), to }.broken();
    let (sound, blind) = (broken(None), broken(Some(fault)));
    assert_eq!(sound - blind, missed.into(), "{name} under {fault}");
}

#[test]
fn a_rule_that_is_blind_to_a_fault_misses_what_the_fault_breaks() {
    use PropertyId::*;
    check_missed(Fault::PublishLost, "kafka-acks-0", SubmittedNotLost);
    check_missed(Fault::PublishRefused, "kafka-acks-0", SubmittedNotLost);
    check_missed(Fault::PublishAckLost, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::PublishDuplicated, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::ProducerCrash, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::ProducerZombie, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::BrokerCrash, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::DeliveryLost, "at-most-once", AckedNotLost);
    check_missed(Fault::ConsumerCrash, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::SettleLost, "at-least-once", NoDuplicateEffect);
    check_missed(Fault::Poison, "at-most-once", AckedNotLost);
}

/// Of some moment, the conditions do not hold for rules that are blind to this fault.
fn is_caught(pipeline: &Pipeline, fault: Fault) -> bool {
    let protocol = protocol(pipeline, 2);
    let graph = protocol.run(Walk::new(&protocol).checks(Checks::none()).states_max(20_000)).graph;
    let may_strike = |state: &State, other| other != fault && protocol.spec.is_in_budget(state, other);
    graph.ids().any(|id| audit(&protocol, &graph.state(id), &may_strike).is_err())
}

/// Every kind that the rules ask about. Whether a lease or a cursor can be taken away, and whether records can, they read off the settings: there is a
/// second consumer. And the references have no dead letters.
#[test]
fn a_rule_that_is_blind_to_a_fault_meets_a_moment_against_the_conditions() {
    let is_asked_about = |fault: &Fault| {
        !matches!(
            fault,
            Fault::LeaseExpiry | Fault::Rebalance | Fault::Failover | Fault::DeadLetterLost | Fault::Redrive
        )
    };
    for fault in Fault::ALL.into_iter().filter(is_asked_about) {
        let pipelined = |it: &mut Pipeline| {
            it.producer.in_flight = 2;
            it.faults = FaultBudget::once_each([fault, Fault::PublishAckLost]);
        };
        let is_caught = ["exactly-once", "at-most-once"].iter().any(|name| is_caught(&preset(name, pipelined), fault));
        assert!(is_caught, "{fault}");
    }
}

/// A search looks at the first moments before it relies on the rules.
#[test]
fn rules_that_see_no_fault_are_not_relied_on() {
    for name in ["at-most-once", "at-least-once", "exactly-once"] {
        let protocol = protocol(&preset(name, |_| {}), 2);
        assert_eq!(conditions_hold(&protocol), Ok(()), "{name}");
        assert!(conditions_hold_for(&protocol, &|_, _| false).is_err(), "{name}");
    }
}
