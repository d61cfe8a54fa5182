//! The harness and the findings notice everything that the fake broker does wrong, and nothing where it does nothing wrong.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use delivery_audit::clock::pass;
use delivery_audit::fake::{FORGOTTEN, FakeBroker, Switch};
use delivery_audit::faults::{ConsumerCrash, Fault, Kill, Power, ProducerCrash, Stop, Strike};
use delivery_audit::findings::{Finding, Judged, judged};
use delivery_audit::harness::{Plan, Planned, Round, round};
use delivery_audit::plan::{At, Load, Patience};
use delivery_audit::product::Trouble;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::Verdict;

const MESSAGES: u64 = 40;
const QUICK: Patience = Patience {
    answer: Duration::from_millis(60),
    lease: Duration::from_millis(50),
    idle: Duration::from_millis(20),
    rest: Duration::from_millis(200),
    round: Duration::from_secs(20),
};

fn run(switch: Switch, faults: Vec<Planned>, load: Load) -> (Round, Judged) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut broker = FakeBroker::new(switch, QUICK.answer);
    let plan = Plan { name: format!("fake {switch:?}"), messages: MESSAGES, load, faults, patience: QUICK };
    let round = round(&mut broker, None, &plan, directory.path(), &AtomicBool::new(false)).expect("the round runs");
    let judged = judged(&round, false);
    (round, judged)
}

fn at_its_point(fault: &'static dyn Fault, load: Load) -> Planned {
    Planned { fault, at: fault.at(load), nth: MESSAGES - 5, of: None }
}

/// One fault under one load finds exactly these.
#[track_caller]
fn check(switch: Switch, fault: &'static dyn Fault, load: Load, expected: &[Finding]) -> Judged {
    let (round, judged) = run(switch, vec![at_its_point(fault, load)], load);
    assert!(round.left_out.is_empty(), "{} did not strike", fault.name());
    assert_eq!(judged.counts().faults, 1);
    assert_eq!(judged.findings, BTreeSet::from_iter(expected.iter().copied()), "{switch:?} {} {load}", fault.name());
    judged
}

#[test]
fn an_honest_broker_gives_no_finding_under_any_fault_and_load() {
    for fault in delivery_audit::faults::ALL.into_iter().filter(|fault| fault.on_the_wire().is_none()) {
        for load in Load::ALL {
            let judged = check(Switch::Honest, fault, load, &[]);
            let counts = judged.counts();
            assert_eq!((counts.submitted, counts.acked, counts.effects), (MESSAGES, MESSAGES, MESSAGES));
            assert_eq!(judged.judgement.verdicts.of(Semantics::AtLeastOnce), Verdict::Holds);
        }
    }
}

/// A kill after which the broker stays away for longer than the consumer waits for a delivery.
struct SlowReturn;

impl Fault for SlowReturn {
    fn name(&self) -> &'static str {
        "slow-return"
    }

    fn means(&self) -> &'static str {
        "a kill, and a broker that takes long to start"
    }

    fn word(&self) -> delivery_model::vocab::Fault {
        Kill.word()
    }

    fn at(&self, load: Load) -> At {
        Kill.at(load)
    }

    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.broker.kill()
    }

    fn heal(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        pass(QUICK.rest * 2, &AtomicBool::new(false));
        strike.broker.start()
    }
}

/// RabbitMQ took 16 s to come up, and the consumer ended its round instead of waiting.
#[test]
fn a_broker_that_takes_long_to_return_is_waited_for() {
    for load in Load::ALL {
        let judged = check(Switch::Honest, &SlowReturn, load, &[]);
        assert_eq!(judged.counts().effects, MESSAGES);
    }
}

#[test]
fn acked_records_that_a_kill_loses_are_found_where_there_is_a_backlog() {
    let judged = check(Switch::LosesAckedOnKill, &Kill, Load::Lags, &[Finding::AckedLost]);
    assert_eq!(judged.lost, FORGOTTEN as u64);
    assert_eq!(judged.judgement.verdicts.of(Semantics::AtLeastOnce), Verdict::Violated);
}

#[test]
fn acked_records_that_only_a_power_loss_loses_are_found_by_a_power_loss_only() {
    check(Switch::LosesAckedOnPower, &Kill, Load::Lags, &[]);
    check(Switch::LosesAckedOnPower, &Power, Load::Lags, &[Finding::AckedLost]);
}

#[test]
fn records_that_come_again_after_a_confirmed_settle_are_found() {
    for load in Load::ALL {
        let judged = check(Switch::RepeatsSettled, &Kill, load, &[Finding::AgainAfterSettle]);
        assert_eq!((judged.again, judged.again_unmarked, judged.lost), (FORGOTTEN as u64, 0, 0));
    }
}

#[test]
fn an_unmarked_redelivery_is_found_beside_the_settle_that_was_forgotten() {
    let found = [Finding::AgainAfterSettle, Finding::UnmarkedRedelivery];
    let judged = check(Switch::RepeatsSettledUnmarked, &Kill, Load::KeepsUp, &found);
    assert_eq!((judged.again, judged.again_unmarked), (FORGOTTEN as u64, FORGOTTEN as u64));
}

#[test]
fn an_unmarked_redelivery_of_what_was_not_settled_is_found() {
    let judged = check(Switch::DoesNotMark, &ConsumerCrash, Load::KeepsUp, &[Finding::UnmarkedRedelivery]);
    assert_eq!((judged.unmarked, judged.again), (1, 0));
}

#[test]
fn a_queue_that_is_gone_is_found_and_so_are_its_messages() {
    let found = [Finding::AckedLost, Finding::QueueForgotten];
    check(Switch::ForgetsQueue, &Kill, Load::Lags, &found);
}

#[test]
fn a_broker_that_does_not_come_back_is_found() {
    let judged = check(Switch::DoesNotReturn, &Kill, Load::Lags, &[Finding::DidNotReturn]);
    let verdict = judged.judgement.verdicts.of(Semantics::AtLeastOnce);
    assert!(matches!(verdict, Verdict::Unknown(_)), "nothing came to rest, so losses cannot be told: {verdict:?}");
}

#[test]
fn a_retry_that_is_stored_twice_breaks_exactly_once_and_nothing_else() {
    for (switch, verdict) in [(Switch::Honest, Verdict::Holds), (Switch::StoresRetries, Verdict::Violated)] {
        let judged = check(switch, &ProducerCrash, Load::KeepsUp, &[]);
        assert_eq!(judged.judgement.verdicts.of(Semantics::ExactlyOnce), verdict, "{switch:?}");
        assert_eq!(judged.judgement.verdicts.of(Semantics::AtLeastOnce), Verdict::Holds);
    }
}

#[test]
fn a_stopped_broker_leaves_outcomes_unknown() {
    let (round, _) = run(Switch::Honest, vec![at_its_point(&Stop, Load::Lags)], Load::Lags);
    let unknown = round.history.events.iter().filter(|it| it.event.kind.to_string().ends_with("unknown"));
    assert!(unknown.count() > 0, "a publish ran into the stop");
}

#[test]
fn several_faults_strike_in_one_round_each_at_its_point() {
    let mut faults: Vec<Planned> =
        [&Kill as &dyn Fault, &ProducerCrash, &ConsumerCrash].map(|fault| at_its_point(fault, Load::KeepsUp)).into();
    faults.push(Planned { fault: &Kill, at: At::Delivered, nth: 10, of: None });
    let (round, judged) = run(Switch::Honest, faults, Load::KeepsUp);
    assert_eq!((round.left_out.len(), judged.counts().faults), (0, 4));
    assert_eq!(judged.findings, BTreeSet::new());
}

#[test]
fn a_fault_whose_point_is_never_reached_is_named() {
    let never = Planned { fault: &Kill, at: At::Acked, nth: MESSAGES + 1, of: None };
    let (round, judged) = run(Switch::Honest, vec![never], Load::KeepsUp);
    assert_eq!((round.left_out.len(), judged.counts().faults), (1, 0));
}

#[test]
fn an_interrupt_ends_a_round_without_an_answer() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut broker = FakeBroker::new(Switch::Honest, QUICK.answer);
    let plan = Plan { name: "fake".into(), messages: MESSAGES, load: Load::Lags, faults: vec![], patience: QUICK };
    let round = round(&mut broker, None, &plan, directory.path(), &AtomicBool::new(true)).expect("the round ends");
    assert_eq!(judged(&round, false).findings, BTreeSet::from([Finding::NotAtRest]));
}

/// A pause of the producer that is longer than the consumer's wait for a delivery.
struct Pause;

impl Fault for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn means(&self) -> &'static str {
        "the producer stands still"
    }

    fn word(&self) -> delivery_model::vocab::Fault {
        Kill.word()
    }

    fn at(&self, _load: Load) -> At {
        At::Acked
    }

    fn strike(&self, _strike: &mut Strike<'_>) -> Result<(), Trouble> {
        pass(QUICK.idle * 20, &AtomicBool::new(false));
        Ok(())
    }
}

#[test]
fn a_consumer_does_not_take_a_slow_producer_for_one_that_has_finished() {
    let judged = check(Switch::Honest, &Pause, Load::KeepsUp, &[]);
    assert_eq!((judged.counts().acked, judged.counts().effects), (MESSAGES, MESSAGES));
}
