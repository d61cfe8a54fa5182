//! Legal histories, mutated: every property notices what it should, and no other does.
//!
//! One event of a legal history is dropped, repeated, moved, or made to say something else. What that breaks is worked
//! out from the legal history by what the event meant in it (the only effect of a message that was acked; the settle of
//! a position that is delivered later), not by judging the result a second way.

mod mutate_legal;

use std::collections::BTreeMap;

use Mutation::*;
use delivery_model::{
    pipeline::{Level, Obligation},
    semantics::{Doubt, Finding, Judgement, PropertyId, PropertySet, Question, Rules, SettleRule, Verdict, judge},
    vocab::{
        Event,
        EventKind::{self, *},
        GroupId, MessageId, Outcome as Of, PayloadId, Position, SettleOutcome as Settled,
    },
};
use mutate_legal::{Plan, plans, record};
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::TestRunner,
};

/// A message that nobody submits.
const PHANTOM: MessageId = MessageId(999);

/// What is done to one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    Drop,
    RepeatAtOnce,
    RepeatAtEnd,
    MoveToFront,
    MoveToEnd,
    /// Make it about another message; turn an outcome's yes into a no and the reverse; let a rewind reach nothing.
    Relabel,
    /// Give it another payload.
    Recolour,
    /// Make it the next group's.
    Regroup,
    /// Set its message aside right after its effect.
    SetAside,
}

const MUTATIONS: [Mutation; 9] =
    [Drop, RepeatAtOnce, RepeatAtEnd, MoveToFront, MoveToEnd, Relabel, Recolour, Regroup, SetAside];

/// A legal history, and one of its events.
struct Case {
    rules: Rules,
    groups: u16,
    events: Vec<Event>,
    at: usize,
}

impl Case {
    fn new(plan: &Plan, at: Index) -> Self {
        let events: Vec<_> = plan.history().events.iter().map(|recorded| recorded.event).collect();
        Case { rules: plan.rules, groups: plan.groups, at: at.index(events.len()), events }
    }

    fn judged(&self, events: &[Event]) -> Judgement {
        judge(&record(&self.rules, self.groups, events), Question::default())
    }

    /// The mutated events. The end is just before things come to rest.
    fn mutate(&self, mutation: Mutation) -> Vec<Event> {
        let mut events = self.events.clone();
        let event = events[self.at];
        let end = events.len() - 1;
        match mutation {
            Drop => drop(events.remove(self.at)),
            RepeatAtOnce => events.insert(self.at, event),
            RepeatAtEnd => events.insert(end, event),
            MoveToFront => events[..=self.at].rotate_right(1),
            MoveToEnd => events[self.at..end.max(self.at)].rotate_left(usize::from(self.at < end)),
            Relabel => relabel(&mut events[self.at].kind),
            Recolour => recolour(&mut events[self.at].kind),
            // Where deliveries must come in order, another group's would come anywhere.
            Regroup if self.rules.ordered => {}
            Regroup => regroup(&mut events[self.at].kind, self.groups),
            SetAside => {
                if let Effect { message, group, .. } = event.kind {
                    events.insert(self.at + 1, Event { kind: DeadLetter { message, group }, ..event });
                }
            }
        }
        events
    }
}

fn relabel(kind: &mut EventKind) {
    match kind {
        Outcome { outcome, .. } => *outcome = if *outcome == Of::Acked { Of::Refused } else { Of::Acked },
        Submit { message, .. }
        | Attempt { message, .. }
        | Deliver { message, .. }
        | Effect { message, .. }
        | Settle { message, .. }
        | DeadLetter { message, .. } => *message = PHANTOM,
        Rewind { position, .. } => *position = Position(u64::MAX),
        Commit { .. } | Abort { .. } | Fault { .. } | Heal { .. } | Quiescent => {}
    }
}

fn recolour(kind: &mut EventKind) {
    if let Submit { payload, .. } | Deliver { payload, .. } | Effect { payload, .. } = kind {
        *payload = payload.map(|_| PayloadId(999));
    }
}

fn regroup(kind: &mut EventKind, groups: u16) {
    if let Deliver { group, .. } | Effect { group, .. } = kind {
        *group = GroupId((group.0 + 1) % groups);
    }
}

/// Facts of the legal history.
impl Case {
    fn find(&self, wanted: impl Fn(&EventKind) -> bool) -> impl Iterator<Item = usize> {
        let found = self.events.iter().enumerate().filter(move |(_, event)| wanted(&event.kind));
        found.map(|(at, _)| at).collect::<Vec<_>>().into_iter()
    }

    fn delivered(&self, m: MessageId, g: GroupId) -> impl Iterator<Item = usize> {
        self.find(move |kind| matches!(*kind, Deliver { message, group, .. } if (message, group) == (m, g)))
    }

    fn effected(&self, m: MessageId, g: GroupId) -> impl Iterator<Item = usize> {
        self.find(move |kind| matches!(*kind, Effect { message, group, .. } if (message, group) == (m, g)))
    }

    fn settled(&self, m: MessageId, g: GroupId) -> impl Iterator<Item = usize> {
        let confirmed = |outcome| outcome == Settled::Ok;
        self.find(move |kind| {
            matches!(*kind, Settle { message, group, outcome, .. } if (message, group) == (m, g) && confirmed(outcome))
        })
    }

    fn groups(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.groups).map(GroupId)
    }

    fn arrived(&self, m: MessageId) -> bool {
        self.groups().any(|g| self.delivered(m, g).chain(self.effected(m, g)).next().is_some())
    }

    fn counted(&self, m: MessageId, g: GroupId) -> bool {
        match self.rules.level {
            Level::Delivery => self.delivered(m, g).next().is_some(),
            Level::Effect => self.effected(m, g).next().is_some(),
        }
    }

    fn set_aside(&self, m: MessageId, g: GroupId) -> bool {
        self.find(|kind| *kind == DeadLetter { message: m, group: g }).next().is_some()
    }

    fn outcomes(&self, m: MessageId) -> Vec<Of> {
        let outcome = |event: &Event| match event.kind {
            Outcome { message, outcome, .. } if message == m => Some(outcome),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    fn attempts(&self, m: MessageId) -> impl Iterator<Item = usize> {
        self.find(move |kind| matches!(*kind, Attempt { message, .. } if message == m))
    }

    /// Whether every outcome was a refusal; an attempt may have none.
    fn heard_only_refusals(&self, m: MessageId) -> bool {
        let outcomes = self.outcomes(m);
        !outcomes.is_empty() && outcomes.iter().all(|&outcome| outcome == Of::Refused)
    }

    fn refused(&self, m: MessageId) -> bool {
        self.heard_only_refusals(m) && self.attempts(m).count() == self.outcomes(m).len()
    }

    fn owed(&self, m: MessageId) -> bool {
        self.rules.obligation == Obligation::Submitted || self.outcomes(m).contains(&Of::Acked)
    }

    /// The messages that the same producer submitted, before and after this one.
    fn siblings(&self, m: MessageId) -> (Vec<MessageId>, Vec<MessageId>) {
        let submits = self.events.iter().filter_map(|event| match event.kind {
            Submit { message, .. } => Some((event.process, message)),
            _ => None,
        });
        let submits: Vec<_> = submits.collect();
        let own = submits.iter().position(|&(_, message)| message == m).expect("every message is submitted");
        let of = |part: &[(_, MessageId)]| {
            part.iter().filter(|&&(process, _)| process == submits[own].0).map(|&(_, message)| message).collect()
        };
        (of(&submits[..own]), of(&submits[own + 1..]))
    }

    /// Whether a message that the same producer submitted later was delivered in this group.
    fn followed(&self, m: MessageId, g: GroupId) -> bool {
        self.siblings(m).1.iter().any(|&later| self.delivered(later, g).next().is_some())
    }

    /// Whether, in this group, a settle of the message holds at this point: confirmed, and no rewind undid it.
    fn settle_holds(&self, m: MessageId, g: GroupId, at: usize) -> bool {
        let place = |settle: usize| match self.events[settle].kind {
            Settle { position, .. } => position,
            _ => unreachable!("it is a settle"),
        };
        let undone = |settle: usize| {
            self.find(move |kind| {
                matches!(*kind, Rewind { group, position, .. } if group == g && place(settle).is_none_or(|p| position <= p))
            })
            .any(|rewind| settle < rewind && rewind < at)
        };
        self.settled(m, g).any(|settle| settle < at && !undone(settle))
    }

    /// Whether a rewind of this group is what allows a later delivery.
    fn rewind_needed(&self, g: GroupId, rewind: usize) -> bool {
        let messages = self.find(|kind| matches!(kind, Submit { .. })).map(|at| self.message(at));
        messages.into_iter().any(|m| {
            let settled_before = self.settled(m, g).any(|settle| settle < rewind);
            settled_before && self.delivered(m, g).any(|deliver| deliver > rewind)
        })
    }

    fn message(&self, at: usize) -> MessageId {
        self.events[at].kind.message().expect("an event about a message")
    }
}

/// What a change means, by what the event meant.
impl Case {
    fn lost(&self) -> PropertyId {
        match self.rules.obligation {
            Obligation::Acked => PropertyId::AckedNotLost,
            Obligation::Submitted => PropertyId::SubmittedNotLost,
        }
    }

    fn duplicated(&self) -> PropertyId {
        match self.rules.level {
            Level::Delivery => PropertyId::NoDuplicateDelivery,
            Level::Effect => PropertyId::NoDuplicateEffect,
        }
    }

    fn expected(&self, mutation: Mutation) -> PropertySet {
        let kind = self.events[self.at].kind;
        let end = self.events.len() - 1;
        match mutation {
            Drop => self.without(kind),
            RepeatAtOnce => self.again(kind, self.at),
            RepeatAtEnd => self.again(kind, end),
            MoveToFront => self.first(kind),
            MoveToEnd => self.last(kind),
            Relabel => self.relabelled(kind),
            Recolour => self.recoloured(kind),
            Regroup => self.regrouped(kind),
            SetAside => when(matches!(kind, Effect { .. }), PropertyId::EffectOrDeadLetter),
        }
    }

    /// The event is gone.
    fn without(&self, kind: EventKind) -> PropertySet {
        use PropertyId::*;
        let counts = |level| self.rules.level == level;
        match kind {
            Submit { message: m, .. } => when(self.arrived(m), Integrity),
            // The one attempt of which nothing was heard spoke for the message.
            Attempt { message: m, .. } => {
                let silent = !self.refused(m) && self.attempts(m).last() == Some(self.at);
                when(silent && self.heard_only_refusals(m) && self.arrived(m), RefusedNotDelivered)
            }
            Deliver { message: m, group: g, .. } => {
                let missed = counts(Level::Delivery) && self.owed(m) && !self.set_aside(m, g);
                when(missed, self.lost()) | when(self.rules.ordered && self.followed(m, g), Order)
            }
            Effect { message: m, group: g, .. } => {
                let missed = counts(Level::Effect) && self.owed(m);
                let after = self.rules.settle == SettleRule::AfterEffect && self.settled(m, g).next().is_some();
                when(missed, self.lost()) | when(after, SettledAfterEffect)
            }
            Settle { message: m, group: g, outcome: Settled::Ok, .. } => {
                when(self.settle_needed(m, g), SettledAfterEffect)
            }
            DeadLetter { message: m, group: g } => {
                let skipped = self.rules.ordered && !self.refused(m) && self.followed(m, g);
                let absent = self.delivered(m, g).next().is_none();
                let missed = self.owed(m) && !self.counted(m, g);
                when(missed, self.lost()) | when(skipped && absent, Order)
            }
            Rewind { group: g, .. } => when(self.rewind_needed(g, self.at), NoDeliveryAfterSettle),
            Outcome { message: m, .. } => self.not_refused(m),
            Settle { .. } | Commit { .. } | Abort { .. } | Fault { .. } | Heal { .. } | Quiescent => PropertySet::EMPTY,
        }
    }

    /// Not every attempt of the message is refused any more: where they were, that excused a gap.
    fn not_refused(&self, m: MessageId) -> PropertySet {
        let gap = self.refused(m) && self.groups().any(|g| self.followed(m, g));
        when(self.rules.ordered && gap, PropertyId::Order)
    }

    /// Whether, where settles come first, this one is the only one before the effect and not the only one.
    fn settle_needed(&self, m: MessageId, g: GroupId) -> bool {
        let Some(effect) = self.effected(m, g).next() else { return false };
        let others = || self.settled(m, g).filter(|&settle| settle != self.at);
        let late = others().any(|settle| settle > effect);
        self.rules.settle == SettleRule::BeforeEffect && late && !others().any(|settle| settle < effect)
    }

    /// The event happens once more, at this point.
    fn again(&self, kind: EventKind, at: usize) -> PropertySet {
        use PropertyId::*;
        match kind {
            Deliver { message: m, group: g, .. } => {
                when(self.rules.level == Level::Delivery, self.duplicated())
                    | when(self.settle_holds(m, g, at), NoDeliveryAfterSettle)
            }
            Effect { .. } => when(self.rules.level == Level::Effect, self.duplicated()),
            Attempt { message: m, .. } => self.not_refused(m),
            // It answers the attempt of which nothing was heard.
            Outcome { message: m, outcome: Of::Refused, .. } => {
                let open = self.attempts(m).count() > self.outcomes(m).len();
                let answered = open && self.attempts(m).last().is_some_and(|attempt| attempt < at);
                when(answered && self.heard_only_refusals(m) && self.arrived(m), RefusedNotDelivered)
            }
            _ => PropertySet::EMPTY,
        }
    }

    /// The event comes before everything.
    fn first(&self, kind: EventKind) -> PropertySet {
        use PropertyId::*;
        match kind {
            Submit { message: m, .. } => {
                let earlier = self.siblings(m).0;
                let overtaken = |g: GroupId| {
                    let own = self.delivered(m, g).next();
                    own.is_some_and(|own| earlier.iter().any(|&m| self.delivered(m, g).any(|other| other < own)))
                };
                when(self.rules.ordered && self.groups().any(overtaken), Order)
            }
            Deliver { .. } => Integrity.into(),
            Effect { message: m, group: g, .. } => {
                let before = self.rules.settle == SettleRule::BeforeEffect && self.settled(m, g).next().is_some();
                PropertySet::from(Integrity) | when(before, SettledAfterEffect)
            }
            Settle { outcome: Settled::Ok, .. } => {
                let after = self.rules.settle == SettleRule::AfterEffect;
                PropertySet::from(NoDeliveryAfterSettle) | when(after, SettledAfterEffect)
            }
            // An outcome before its attempt is another's.
            Outcome { message: m, .. } => self.not_refused(m),
            // What was not submitted cannot be set aside from the order.
            DeadLetter { .. } => self.without(kind) - self.lost().into(),
            Rewind { .. } => self.without(kind),
            _ => PropertySet::EMPTY,
        }
    }

    /// The event comes after everything.
    fn last(&self, kind: EventKind) -> PropertySet {
        use PropertyId::*;
        let end = self.events.len() - 1;
        match kind {
            Submit { .. } | Rewind { .. } => self.without(kind),
            Attempt { message: m, .. } => self.not_refused(m),
            Deliver { message: m, group: g, .. } => {
                when(self.settle_holds(m, g, end), NoDeliveryAfterSettle)
                    | when(self.rules.ordered && self.followed(m, g), Order)
            }
            Effect { .. } => self.without(kind) - self.lost().into(),
            Settle { message: m, group: g, outcome: Settled::Ok, .. } => {
                let effect = self.effected(m, g).next();
                let early = |effect| self.settled(m, g).any(|settle| settle != self.at && settle < effect);
                let before = self.rules.settle == SettleRule::BeforeEffect;
                when(before && effect.is_some_and(|effect| !early(effect)), SettledAfterEffect)
            }
            _ => PropertySet::EMPTY,
        }
    }

    /// The event says something else: see [`relabel`].
    fn relabelled(&self, kind: EventKind) -> PropertySet {
        use PropertyId::*;
        match kind {
            Submit { message: m, .. } => {
                let owed = self.rules.obligation == Obligation::Submitted;
                let skipped = self.rules.ordered && self.groups().any(|g| self.followed(m, g));
                self.without(kind) | when(owed, SubmittedNotLost) | when(skipped, Order)
            }
            Deliver { .. } | Effect { .. } => self.without(kind) | Integrity.into(),
            Settle { outcome: Settled::Ok, .. } => {
                let after = self.rules.settle == SettleRule::AfterEffect;
                self.without(kind) | when(after, SettledAfterEffect)
            }
            Outcome { message: m, outcome: Of::Acked, .. } => when(self.arrived(m), RefusedNotDelivered),
            Outcome { message: m, .. } => {
                let absent = |g| !self.counted(m, g) && !self.set_aside(m, g);
                let lost = self.rules.obligation == Obligation::Acked && self.groups().any(absent);
                when(lost, AckedNotLost) | self.not_refused(m)
            }
            Rewind { .. } => {
                let placed = |kind: &EventKind| matches!(kind, Deliver { position: Some(_), .. });
                if self.find(placed).next().is_some() { self.without(kind) } else { PropertySet::EMPTY }
            }
            _ => self.without(kind),
        }
    }

    fn recoloured(&self, kind: EventKind) -> PropertySet {
        match kind {
            Submit { message: m, payload: Some(_) } => when(self.arrived(m), PropertyId::Integrity),
            Deliver { payload: Some(_), .. } | Effect { payload: Some(_), .. } => PropertyId::Integrity.into(),
            _ => PropertySet::EMPTY,
        }
    }

    /// The next group does it instead.
    fn regrouped(&self, kind: EventKind) -> PropertySet {
        use PropertyId::*;
        let next = |group: GroupId| GroupId((group.0 + 1) % self.groups);
        if self.groups == 1 || self.rules.ordered {
            return PropertySet::EMPTY;
        }
        match kind {
            Deliver { message: m, group: g, .. } => {
                let twice = self.rules.level == Level::Delivery && self.delivered(m, next(g)).next().is_some();
                let settled = self.settle_holds(m, next(g), self.at);
                self.without(kind) | when(twice, self.duplicated()) | when(settled, NoDeliveryAfterSettle)
            }
            Effect { message: m, group: g, .. } => {
                let twice = self.rules.level == Level::Effect && self.effected(m, next(g)).next().is_some();
                let early = self.settled(m, next(g)).next().is_some_and(|settle| self.at < settle);
                let before = self.rules.settle == SettleRule::BeforeEffect && early;
                self.without(kind) | when(twice, self.duplicated()) | when(before, SettledAfterEffect)
            }
            _ => PropertySet::EMPTY,
        }
    }
}

fn when(holds: bool, property: PropertyId) -> PropertySet {
    if holds { property.into() } else { PropertySet::EMPTY }
}

proptest! {
    // A failure prints its whole history: there is no seed to keep.
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_legal_history_breaks_nothing(plan in plans()) {
        let judgement = judge(&plan.history(), Question::default());
        prop_assert!(judgement.violated().is_empty(), "{:?}", judgement.violations);
        let counts = &judgement.counts;
        let counted = if plan.rules.level == Level::Effect { counts.effects } else { counts.delivered };
        for finding in &judgement.findings {
            let once = matches!(finding.property, PropertyId::NoDuplicateDelivery | PropertyId::NoDuplicateEffect);
            let read = if once { counted } else { counts.delivered + counts.effects } > 0;
            prop_assert_eq!(finding.verdict == Verdict::Holds, read, "{:?}", finding);
        }
    }

    #[test]
    fn a_mutated_history_breaks_what_the_mutation_says_and_nothing_else(
        plan in plans(),
        at in any::<Index>(),
        mutation in select(&MUTATIONS),
    ) {
        let case = Case::new(&plan, at);
        let mutated = case.mutate(mutation);
        let judgement = case.judged(&mutated);
        // A record that contradicts itself is no evidence of a loss, nor of what came once.
        let contradicted = |finding: &&Finding| finding.verdict == Verdict::Unknown(Doubt::Contradiction);
        let untold: PropertySet = judgement.findings.iter().filter(contradicted).map(|finding| finding.property).collect();
        prop_assert!(untold.is_empty() || judgement.contradicted > 0);
        prop_assert_eq!(
            judgement.violated(), case.expected(mutation) - untold,
            "{:?} of {:?}, number {}, in {:#?}", mutation, case.events[case.at].kind, case.at, case.events
        );
    }
}

#[test]
fn every_mutation_breaks_something_and_every_property_is_broken_by_one() {
    let mut runner = TestRunner::deterministic();
    let mut broken: BTreeMap<(Mutation, PropertyId), u32> = BTreeMap::new();
    let mut harmless = 0;
    for _ in 0..2000 {
        let (plan, at) = (plans(), any::<Index>()).new_tree(&mut runner).unwrap().current();
        let case = Case::new(&plan, at);
        for mutation in MUTATIONS {
            let expected = case.expected(mutation);
            harmless += u32::from(expected.is_empty());
            expected.iter().for_each(|property| *broken.entry((mutation, property)).or_default() += 1);
        }
    }
    for mutation in MUTATIONS {
        assert!(broken.keys().any(|&(by, _)| by == mutation), "{mutation:?} breaks nothing: {broken:?}");
    }
    for &property in PropertyId::BLACK_BOX {
        let times: u32 = broken.iter().filter(|((_, of), _)| *of == property).map(|(_, times)| times).sum();
        assert!(times >= 20, "{property} is broken {times} times: {broken:?}");
    }
    assert!(harmless > 2000, "mutations that break nothing show that nothing is noticed that should not be");
}
