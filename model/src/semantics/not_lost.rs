//! acked-not-lost: at quiescence, acked(m) => m counted at the level, or dead-lettered where allowed.
//! submitted-not-lost: at quiescence, submitted(m) => the same.
//!
//! One formula for the two obligations: an obligation makes a debt, an arrival at the level pays it, in either order
//! and for good. It speaks of whole runs: a debt that is open when nothing more can happen is broken, and so is one that
//! stays open for ever in a fair run without end. A publish whose outcome is unknown is no ack: it may be lost where the obligation is `acked`, and may
//! arrive all the same.

use super::{Automaton, Breach, Property, PropertyId, Rules, finite::finite};
use crate::history::EventWord;
use crate::pipeline::{Level, Obligation};
use crate::vocab::{Event, EventKind, Outcome};

/// The property for the obligation `acked`.
pub struct AckedNotLost;

/// The property for the obligation `submitted`.
pub struct SubmittedNotLost;

/// What the group owes its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Debt {
    /// Nothing was promised yet.
    #[default]
    None,
    /// It was promised and has not arrived.
    Owed,
    /// It arrived, promised or not, or was set aside where that is allowed: nothing is owed any more.
    Paid,
}

finite!(Debt in 2 bits: None, Owed, Paid);

impl Debt {
    fn owe(&mut self) {
        if *self == Debt::None {
            *self = Debt::Owed;
        }
    }

    fn pay(&mut self, rules: &Rules, event: &Event) {
        let paid = match event.kind {
            EventKind::Deliver { .. } => rules.level == Level::Delivery,
            EventKind::Effect { .. } => rules.level == Level::Effect,
            EventKind::DeadLetter { .. } => rules.dead_letters,
            _ => false,
        };
        if paid {
            *self = Debt::Paid;
        }
    }
}

impl Property for AckedNotLost {
    const ID: PropertyId = PropertyId::AckedNotLost;
    const WORD: &'static str = "acked-not-lost";
    const FORMULA: &'static str = "at quiescence, acked(m) => m counted at the level, or dead-lettered where allowed";
    const NEEDS_QUIESCENCE: bool = true;
    const SPEAKS_OF_ENDLESS_RUNS: bool = true;
    const SEEN_BY: &'static [EventWord] = &[EventWord::Outcome];
    const IS_USUAL: bool = true;
    type State = Debt;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(rules: &Rules) -> bool {
        rules.obligation == Obligation::Acked
    }
}

impl Automaton<()> for AckedNotLost {
    fn observe(rules: &Rules, debt: &mut Debt, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
        match event.kind {
            EventKind::Outcome { outcome: Outcome::Acked, .. } => debt.owe(),
            _ => debt.pay(rules, event),
        }
        Ok(())
    }

    fn at_quiescence(_: &Rules, debt: &Debt, _: &(), _: usize) -> Result<(), Breach> {
        if *debt == Debt::Owed { Err(Breach::AckedLost) } else { Ok(()) }
    }
}

impl Property for SubmittedNotLost {
    const ID: PropertyId = PropertyId::SubmittedNotLost;
    const WORD: &'static str = "submitted-not-lost";
    const FORMULA: &'static str =
        "at quiescence, submitted(m) => m counted at the level, or dead-lettered where allowed";
    const NEEDS_QUIESCENCE: bool = true;
    const SPEAKS_OF_ENDLESS_RUNS: bool = true;
    const SEEN_BY: &'static [EventWord] = &[EventWord::Submit];
    const IS_USUAL: bool = false;
    type State = Debt;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(rules: &Rules) -> bool {
        rules.obligation == Obligation::Submitted
    }
}

impl Automaton<()> for SubmittedNotLost {
    fn observe(rules: &Rules, debt: &mut Debt, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
        match event.kind {
            EventKind::Submit { .. } => debt.owe(),
            _ => debt.pay(rules, event),
        }
        Ok(())
    }

    fn at_quiescence(_: &Rules, debt: &Debt, _: &(), _: usize) -> Result<(), Breach> {
        if *debt == Debt::Owed { Err(Breach::SubmittedLost) } else { Ok(()) }
    }
}
