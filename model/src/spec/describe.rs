//! A state as a person would say it: one line for each party, and one for the faults so far.

use std::fmt;

use super::State;
use super::state::{Phase, Stage};
use crate::vocab::Fault;

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "order service: {}", listed(self.messages_said()))?;
        writeln!(f, "broker: {}", listed(self.broker_said()))?;
        writeln!(f, "inventory service: {}", listed(self.hands_said()))?;
        write!(f, "faults so far: {}", listed(self.faults_said()))
    }
}

fn listed(said: Vec<String>) -> String {
    if said.is_empty() { "nothing".to_owned() } else { said.join("; ") }
}

fn phase_said(phase: Phase) -> &'static str {
    match phase {
        Phase::Unsubmitted => "not submitted",
        Phase::Queued => "waits to be sent",
        Phase::OnWire => "sent, on its way",
        Phase::Received => "sent, received by the broker",
        Phase::AckOwed => "sent, the broker owes its ack",
        Phase::AckOnWire => "sent, its ack is on the way",
        Phase::RefusalOnWire => "sent, its refusal is on the way",
        Phase::Silent => "sent, no reply will come",
        Phase::Acked => "acked",
        Phase::GivenUp => "given up",
        Phase::Forgotten => "forgotten in a crash",
        Phase::Skipped => "skipped in the outbox",
    }
}

fn stage_said(stage: Stage) -> &'static str {
    match stage {
        Stage::OnWire => "on its way",
        Stage::AtWork => "at work",
        Stage::ToRemember => "effect made, to be remembered",
        Stage::ToSettle => "handled, to be settled",
        Stage::Settling => "its settle is on the way",
        Stage::SettlingAtWork => "at work, and its settle is on the way",
        Stage::Confirmed => "settled, its effect to come",
    }
}

fn positions(marks: u8) -> String {
    let listed: Vec<String> = (0..8).filter(|place| marks >> place & 1 == 1).map(|place| place.to_string()).collect();
    listed.join(", ")
}

impl State {
    fn messages_said(&self) -> Vec<String> {
        let submitted = 0..usize::from(self.submitted);
        submitted.map(|message| format!("message {} {}", message + 1, phase_said(self.phases[message]))).collect()
    }

    fn broker_said(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(received) = self.slot {
            said.push(format!("holds message {} in memory", received.record.message() + 1));
        }
        for late in self.stragglers.iter().flatten() {
            said.push(format!("a copy of message {} is still on its way to it", late.record.message() + 1));
        }
        said.extend(self.log().enumerate().map(|(position, (message, durable))| {
            let durable = if durable { "" } else { " (not synced)" };
            format!("position {position}: message {}{durable}", message + 1)
        }));
        if self.settled != 0 {
            said.push(format!("settled: {}", positions(self.settled)));
        }
        if self.dead != 0 {
            said.push(format!("dead letters: {}", positions(self.dead)));
        }
        said
    }

    fn hands_said(&self) -> Vec<String> {
        let hand_said = |(hand, holding): (crate::vocab::DeliveryRef, super::state::Holding)| {
            format!("{hand} {}", stage_said(holding.stage))
        };
        let mut said: Vec<String> = self.hands().map(hand_said).collect();
        let remembered = self.seen[0] | self.seen[1];
        if remembered != 0 {
            said.push(format!("remembers positions {}", positions(remembered)));
        }
        said
    }

    fn faults_said(&self) -> Vec<String> {
        let fired = Fault::ALL.into_iter().filter(|&fault| self.fired(fault) > 0);
        fired.map(|fault| format!("{fault} x{}", self.fired(fault))).collect()
    }
}
