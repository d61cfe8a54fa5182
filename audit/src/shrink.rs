//! Shrinking: from a round with a finding to a smaller one that still shows it.
//!
//! Real brokers do not do the same thing twice, so a smaller round is taken when most of a few tries show the finding.

use std::sync::atomic::{AtomicBool, Ordering};

use delivery_model::history::History;

use crate::campaign::Campaign;
use crate::findings::Finding;
use crate::harness::{Plan, Planned};
use crate::place::Run;
use crate::trouble::Trouble;

/// The number of rounds of each candidate. More than half must show the finding.
const TRIES: u64 = 3;

/// The number of rounds of the result.
const CONFIRMATIONS: u64 = 5;

/// A round that was shrunk.
pub struct Shrunk {
    /// What it runs.
    pub plan: Plan,
    /// What it shows.
    pub finding: Finding,
    /// The number of rounds that showed it.
    pub shown: u64,
    /// The number of rounds that were run of it.
    pub rounds: u64,
    /// The shortest history that shows it.
    pub history: History,
}

/// Makes a round smaller: drops faults, then messages. None where most rounds do not show the finding, or the interrupt is
/// raised before one was seen.
pub fn shrink(
    campaign: &Campaign,
    plan: &Plan,
    finding: Finding,
    run: &Run,
    interrupt: &AtomicBool,
) -> Result<Option<Shrunk>, Trouble> {
    let search = Search { campaign, finding, run, interrupt };
    let mut plan = plan.clone();
    if !search.shows(&plan)? {
        return Ok(None);
    }
    let mut fault = 0;
    while fault < plan.faults.len() {
        let mut fewer = plan.clone();
        fewer.faults.remove(fault);
        if search.shows(&fewer)? {
            plan = fewer;
        } else {
            fault += 1;
        }
    }
    // From few messages to more: small rounds are quick. Then between the last that did not show it and the first that did.
    let (mut without, mut messages) = (0, 1);
    while messages < plan.messages {
        let smaller = of_size(&plan, messages);
        if search.shows(&smaller)? {
            plan = smaller;
            break;
        }
        without = messages;
        messages *= 2;
    }
    while plan.messages - without > 1 {
        let between = without + (plan.messages - without) / 2;
        let smaller = of_size(&plan, between);
        if search.shows(&smaller)? {
            plan = smaller;
        } else {
            without = between;
        }
    }
    search.confirmed(plan)
}

/// The plan with this many messages, its points moved in proportion.
fn of_size(plan: &Plan, messages: u64) -> Plan {
    let moved = |point: u64| (point * messages).div_ceil(plan.messages).max(1);
    let fault = |planned: &Planned| match planned.of {
        None => Planned { nth: moved(planned.nth), ..*planned },
        Some(of) => Planned { of: Some(moved(of)), ..*planned },
    };
    Plan { messages, faults: plan.faults.iter().map(fault).collect(), ..plan.clone() }
}

struct Search<'a> {
    campaign: &'a Campaign,
    finding: Finding,
    run: &'a Run,
    interrupt: &'a AtomicBool,
}

impl Search<'_> {
    /// The history of one round, if it shows the finding.
    fn once(&self, plan: &Plan) -> Result<Option<History>, Trouble> {
        if self.interrupt.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let (round, judged) = self.campaign.round(plan, self.run, self.interrupt)?;
        Ok(judged.findings.contains(&self.finding).then_some(round.history))
    }

    /// Whether most tries show it.
    fn shows(&self, plan: &Plan) -> Result<bool, Trouble> {
        let (mut shown, mut not_shown) = (0, 0);
        while shown.max(not_shown) <= TRIES / 2 {
            match self.once(plan)? {
                Some(_) => shown += 1,
                None => not_shown += 1,
            }
        }
        Ok(shown > not_shown)
    }

    fn confirmed(&self, plan: Plan) -> Result<Option<Shrunk>, Trouble> {
        let mut shown = 0;
        let mut shortest: Option<History> = None;
        for _ in 0..CONFIRMATIONS {
            if let Some(history) = self.once(&plan)? {
                shown += 1;
                if shortest.as_ref().is_none_or(|it| history.events.len() < it.events.len()) {
                    shortest = Some(history);
                }
            }
        }
        let finding = self.finding;
        Ok(shortest.map(|history| Shrunk { plan, finding, shown, rounds: CONFIRMATIONS, history }))
    }
}
