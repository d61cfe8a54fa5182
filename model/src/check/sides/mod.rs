//! The protocol's successors, found side by side: what a step does depends on one side of the state, and is remembered
//! by that side.
//!
//! A state is kept as a row of bits, and a step as the bits that it changes. Most states have a publishing side and a
//! delivering side that were met before, each in many other states: their steps are looked up, and a successor is made
//! by changing its bits, without a state ever being unpacked. LTSmin calls this transition caching (Blom, Lisser, van de
//! Pol, Weber: "A Database Approach to Distributed State Space Generation", 2009). Beside a step stand its events, and what
//! these make of what was observed is remembered in the same way.
//!
//! What each side reads is said in `spec::reads`. It is a claim, so it is checked: with debug assertions every state is
//! also expanded in the plain way, and otherwise some are, chosen by their hash. A search that finds a difference stops.
//!
//! Strikes that read both sides, such as a crash of the broker, are taken in the plain way.

mod known;
mod observing;
mod strikes;

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use stateright::Model;

use self::known::{ChainEnds, Known, Leads, Local};
use self::observing::Observing;
use self::strikes::{Strikes, Struck};
use super::graph::{Asked, Packing, Seen, Successors};
use super::packed::{Row, Rows, Watched};
use super::protocol::Protocol;
use super::reduced::IN_A_ROW_MAX;
use super::signs;
use crate::semantics::PropertySet;
use crate::spec::bounds::MESSAGES_MAX;
use crate::spec::{self, FAULT_RUNS, Side, State};
use crate::vocab::{Fault, Step};

/// Of so many states, one is also expanded in the plain way.
const CHECKED_ONE_IN: u64 = 1_024;

/// Finds the successors of a protocol's packed moments.
pub(super) struct Sides<const WORDS: usize, const IMAGE: usize> {
    protocol: Protocol,
    rows: Rows<WORDS, 1, IMAGE>,
    /// What the steps of each side read: first publishing, then delivering.
    reads: [Row<WORDS>; 2],
    /// How often each fault has struck.
    faults: Row<WORDS>,
    observed: ObservedBits<WORDS>,
    /// Whether commuting steps are taken at once.
    is_reduced: bool,
    /// No side reads what is the other's: what the delivering side does makes no step of the publishing side commute.
    are_apart: bool,
}

/// Where what was observed stands in a row.
struct ObservedBits<const WORDS: usize> {
    /// What an event about each message reads and changes, as long as it breaks nothing.
    of_message: [Row<WORDS>; MESSAGES_MAX],
    all: Row<WORDS>,
}

/// What a thread remembers.
pub(super) struct Memory<const WORDS: usize> {
    sides: [Known<WORDS>; 2],
    strikes: Strikes<WORDS>,
    observing: Observing<WORDS>,
    /// The signs that were looked for last, and the bits of a row that are set where a property is broken that they show.
    violated: (u64, Row<WORDS>),
    /// Successors that are still to go on.
    waiting: Vec<(Option<Row<WORDS>>, Option<u8>)>,
}

/// A step that was taken: where it leads, unless beyond the bounds, and the class of its edge.
type Taken<const WORDS: usize> = (Option<Row<WORDS>>, Option<u8>);

impl<const WORDS: usize, const IMAGE: usize> Sides<WORDS, IMAGE> {
    pub(super) fn new(protocol: &Protocol, rows: Rows<WORDS, 1, IMAGE>, is_reduced: bool) -> Self {
        let layout = rows.observed();
        let of_observed = |bits| rows.select([0; spec::WORDS], bits);
        let observed = ObservedBits {
            of_message: std::array::from_fn(|message| of_observed(layout.of_message(message))),
            all: of_observed(layout.used()),
        };
        let of_state = |bits| rows.select(bits, Default::default());
        let reads = [Side::Publishing, Side::Delivering].map(|side| of_state(protocol.spec.reads(side)));
        let faults = of_state(protocol.spec.words_of_faults());
        let are_apart = protocol.spec.sides_are_apart();
        Sides { protocol: protocol.clone(), rows, reads, faults, observed, is_reduced, are_apart }
    }

    fn unpack(&self, row: &Row<WORDS>) -> Watched<1> {
        self.rows.unpack(row)
    }

    fn pack(&self, watched: Watched<1>) -> Row<WORDS> {
        self.rows.pack(watched)
    }

    /// The bits in which two states differ, but for the counts of faults; none if a value needs more bits than there are.
    fn changes(&self, before: State, after: State) -> Option<Row<WORDS>> {
        let changes = self.rows.of_state(before)? ^ self.rows.of_state(after)?;
        Some(changes ^ changes & self.faults)
    }

    /// Where a known step leads.
    fn take(
        &self,
        row: Row<WORDS>,
        local: &Local<WORDS>,
        struck: &Struck<WORDS>,
        observing: &mut Observing<WORDS>,
    ) -> Option<Row<WORDS>> {
        let mut next = match local.leads {
            Leads::Beyond => return None,
            Leads::Nowhere => {
                panic!("a step needs more bits than its settings are said to use:\n{:?}", self.unpack(&row))
            }
            Leads::To(changes) => row ^ changes,
        };
        if let Some(fault) = local.run.checked_sub(FAULT_RUNS) {
            next = next ^ struck.marks[usize::from(fault)];
        }
        if local.told != 0 {
            next = next ^ observing.changes(self, &row, local.told);
        }
        Some(next)
    }

    /// Calls `taken` with every step of a moment, in the order of the protocol's; returns the moment's signs.
    fn steps(
        &self,
        class: Option<&StepClass<'_>>,
        memory: &mut Memory<WORDS>,
        row: &Row<WORDS>,
        taken: &mut impl FnMut(Taken<WORDS>),
    ) -> u64 {
        let struck = memory.strikes.of(self, row);
        let Memory { sides: [publishing, delivering], strikes, observing, .. } = memory;
        let publishing = publishing.of(self, Side::Publishing, row, class, observing);
        let delivering = delivering.of(self, Side::Delivering, row, class, observing);
        let struck = strikes.at(struck);
        let mut signs = struck.signs;
        if self.is_reduced
            && let Some(local) =
                publishing.commuting(struck.may_strike).or_else(|| delivering.commuting(struck.may_strike))
        {
            taken((self.take(*row, local, struck, observing), class.map(|_| local.class)));
            return signs | signs::of_properties(local.breaks);
        }
        let (publishing, delivering) = (publishing.steps, delivering.steps);
        let mut breaks = PropertySet::EMPTY;
        let is_move = |local: &Local<WORDS>| local.run < FAULT_RUNS;
        if !publishing.first().is_some_and(is_move) && !delivering.first().is_some_and(is_move) {
            signs |= signs::REST;
        }
        let (mut one, mut other) = (publishing.iter().peekable(), delivering.iter().peekable());
        let mut anywhere = struck.anywhere;
        loop {
            let run_of = |local: Option<&&Local<WORDS>>| local.map_or(u8::MAX, |local| local.run);
            let (first, second) = (run_of(one.peek()), run_of(other.peek()));
            let next = first.min(second);
            if anywhere != 0 && FAULT_RUNS + (anywhere.trailing_zeros() as u8) < next {
                let fault = Fault::ALL[anywhere.trailing_zeros() as usize];
                breaks |= self.strike_anywhere(class, row, fault, taken);
                anywhere &= anywhere - 1;
                continue;
            }
            let Some(local) = (if first <= second { one.next() } else { other.next() }) else { break };
            if local.run >= FAULT_RUNS && struck.may_strike >> (local.run - FAULT_RUNS) & 1 == 0 {
                continue;
            }
            breaks |= local.breaks;
            taken((self.take(*row, local, struck, observing), class.map(|_| local.class)));
        }
        signs | signs::of_properties(breaks)
    }

    /// Takes the strikes of a kind that reads both sides.
    #[inline(never)]
    fn strike_anywhere(
        &self,
        class: Option<&StepClass<'_>>,
        row: &Row<WORDS>,
        fault: Fault,
        taken: &mut impl FnMut(Taken<WORDS>),
    ) -> PropertySet {
        let watched = self.unpack(row);
        let mut breaks = PropertySet::EMPTY;
        self.protocol.spec.strikes(&watched.state, fault, &mut |strike| {
            let step = Step::Fault(strike);
            self.protocol.breaks(&watched.state, step, |property, _| breaks.insert(property));
            let mut next = watched;
            let Watched { state, observed: [observed] } = &mut next;
            self.protocol.spec.take_telling(state, step, |event| self.protocol.monitor.observe(observed, event));
            taken(((!next.state.is_cut()).then(|| self.pack(next)), class.map(|class| class(&step))));
        });
        breaks
    }

    /// Takes commuting steps until there is a choice, or one that breaks something; none if the bounds are met.
    fn go_on(&self, class: Option<&StepClass<'_>>, memory: &mut Memory<WORDS>, row: Row<WORDS>) -> Option<Row<WORDS>> {
        if !self.are_apart {
            return self.go_on_step_by_step(class, memory, row);
        }
        // None of these steps is a fault.
        let outlook = memory.strikes.of(self, &row).may_strike;
        let Memory { sides: [publishing, delivering], observing, .. } = memory;
        let mut row = row;
        // The steps of the publishing side come first, and the others make no more of them commute.
        for (known, side) in [(publishing, Side::Publishing), (delivering, Side::Delivering)] {
            let chain = known.chain(self, side, &row, outlook, class, observing);
            row = row ^ chain.changes;
            if chain.told != 0 {
                row = row ^ observing.changes(self, &row, chain.told);
            }
            match chain.ends {
                ChainEnds::NothingCommutes => {}
                ChainEnds::Breaks => break,
                ChainEnds::Beyond => return None,
            }
        }
        Some(row)
    }

    /// The same, where the steps of one side may make the other's commute.
    #[inline(never)]
    fn go_on_step_by_step(
        &self,
        class: Option<&StepClass<'_>>,
        memory: &mut Memory<WORDS>,
        row: Row<WORDS>,
    ) -> Option<Row<WORDS>> {
        let mut row = row;
        let struck = memory.strikes.of(self, &row);
        for _ in 0..IN_A_ROW_MAX {
            let Memory { sides: [publishing, delivering], strikes, observing, .. } = memory;
            let publishing = publishing.of(self, Side::Publishing, &row, class, observing);
            let delivering = delivering.of(self, Side::Delivering, &row, class, observing);
            let outlook = struck.may_strike;
            match publishing.commuting(outlook).or_else(|| delivering.commuting(outlook)) {
                Some(local) if local.breaks.is_empty() => row = self.take(row, local, strikes.at(struck), observing)?,
                _ => return Some(row),
            }
        }
        panic!("commuting steps make a circle:\n{:?}", self.unpack(&row));
    }

    /// Calls `found` with each successor; returns the moment's signs, and how many successors are beyond the bounds.
    fn each(
        &self,
        class: Option<&StepClass<'_>>,
        memory: &mut Memory<WORDS>,
        row: &Row<WORDS>,
        found: &mut impl FnMut(Row<WORDS>, Option<u8>),
    ) -> (u64, u64) {
        let mut beyond = 0;
        if !self.is_reduced {
            let signs = self.steps(class, memory, row, &mut |(next, class)| match next {
                Some(next) => found(next, class),
                None => beyond += 1,
            });
            return (signs, beyond);
        }
        let mut waiting = std::mem::take(&mut memory.waiting);
        let signs = self.steps(class, memory, row, &mut |taken| waiting.push(taken));
        for (next, its_class) in waiting.drain(..) {
            match next.and_then(|next| self.go_on(class, memory, next)) {
                Some(next) => found(next, its_class),
                None => beyond += 1,
            }
        }
        memory.waiting = waiting;
        (signs, beyond)
    }
}

/// The class of a step.
type StepClass<'a> = dyn Fn(&Step) -> u8 + Sync + 'a;

impl<M, const WORDS: usize, const IMAGE: usize> Successors<M> for Sides<WORDS, IMAGE>
where
    M: Model<Action = Step, State: Into<Watched<1>> + From<Watched<1>>>,
{
    type Packing = Rows<WORDS, 1, IMAGE>;
    type Memory = Memory<WORDS>;
    type Scratch = ();

    fn packing(&self) -> &Self::Packing {
        &self.rows
    }

    fn into_packing(self) -> Self::Packing {
        self.rows
    }

    fn memory(&self) -> Memory<WORDS> {
        Memory {
            sides: [Known::new(), Known::new()],
            strikes: Strikes::new(),
            observing: Observing::new(),
            violated: (0, Row::NONE),
            waiting: Vec::new(),
        }
    }

    fn bytes(memory: &Memory<WORDS>) -> usize {
        let [one, other] = &memory.sides;
        one.bytes() + other.bytes() + memory.strikes.bytes() + memory.observing.bytes()
    }

    fn expand(
        &self,
        asked: &Asked<'_, M>,
        memory: &mut Memory<WORDS>,
        (): &mut (),
        row: &Row<WORDS>,
        open: u64,
        found: &mut impl FnMut(Row<WORDS>, Option<u8>),
    ) -> Seen {
        memory.sides.iter_mut().for_each(Known::forget_if_full);
        let class: Option<&StepClass<'_>> = asked.class.map(|class| class as _);
        let is_checked = cfg!(debug_assertions) || FixedState::default().hash_one(row).is_multiple_of(CHECKED_ONE_IN);
        let (mut signs, beyond) = match is_checked {
            false => self.each(class, memory, row, found),
            true => {
                let mut all = Vec::new();
                let (signs, beyond) = self.each(class, memory, row, &mut |next, class| all.push((next, class)));
                self.check(asked, row, &all, beyond);
                all.into_iter().for_each(|(next, class)| found(next, class));
                (signs, beyond)
            }
        };
        let wanted = asked.checks.signs_of(open);
        if memory.violated.0 != wanted {
            let properties = signs::properties(wanted);
            let violated = self.rows.observed().of_violated(properties);
            memory.violated = (wanted, self.rows.select([0; spec::WORDS], violated));
        }
        if *row & memory.violated.1 != Row::NONE {
            signs |= signs::of_properties(self.unpack(row).observed[0].violated());
        }
        if signs & wanted & signs::REST != 0 {
            // The steps that are left are faults, and what they break has its signs.
            signs = signs & !signs::REST | signs::of_properties(self.broken_at_rest(row));
        }
        let decided = if signs & wanted != 0 { open & self.decided(asked, row) } else { 0 };
        debug_assert_eq!(decided, open & self.decided(asked, row), "signs are missing in {:?}", self.unpack(row));
        Seen { decided, beyond }
    }
}

impl<const WORDS: usize, const IMAGE: usize> Sides<WORDS, IMAGE> {
    /// What is broken where nothing more happens.
    #[inline(never)]
    fn broken_at_rest(&self, row: &Row<WORDS>) -> PropertySet {
        let Watched { state, observed: [observed] } = self.unpack(row);
        let mut broken = self.protocol.monitor.at_quiescence(&observed);
        self.protocol.breaks_at_rest(&state, |property, _| broken.insert(property));
        broken
    }

    /// What a moment decides.
    #[inline(never)]
    fn decided<M>(&self, asked: &Asked<'_, M>, row: &Row<WORDS>) -> u64
    where
        M: Model<Action = Step, State: Into<Watched<1>> + From<Watched<1>>>,
    {
        let state: M::State = self.rows.unpack(row);
        let mut steps = Vec::new();
        asked.model.actions(&state, &mut steps);
        asked.checks.decided_by(&state, &steps)
    }

    /// Compares the successors of a moment with those that the model gives.
    #[inline(never)]
    fn check<M>(&self, asked: &Asked<'_, M>, row: &Row<WORDS>, found: &[(Row<WORDS>, Option<u8>)], beyond: u64)
    where
        M: Model<Action = Step, State: Into<Watched<1>> + From<Watched<1>>>,
    {
        let state: M::State = self.rows.unpack(row);
        let mut steps = Vec::new();
        asked.model.actions(&state, &mut steps);
        let (mut all, mut found) = (0, found.iter());
        for step in steps {
            let class = asked.class.map(|class| class(&step));
            let Some(next) = asked.model.next_state(&state, step) else { continue };
            if !asked.model.within_boundary(&next) {
                all += 1;
            } else if found.next() != Some(&(self.rows.pack(next), class)) {
                panic!(
                    "what {step:?} does was remembered wrongly: it reads more than it is said to\n{:?}",
                    self.unpack(row)
                );
            }
        }
        let more = found.next();
        assert!(more.is_none() && all == beyond, "steps that are none were remembered:\n{:?}", self.unpack(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::graph::Walk;
    use crate::check::packed::image;
    use crate::presets;

    const WORDS: usize = image(1);

    /// Walks over the exactly-once reference, with sides about which something else is said than is true.
    fn walk(lie: impl FnOnce(&mut Sides<WORDS, WORDS>)) -> usize {
        let pipeline = presets::named("exactly-once").expect("a preset");
        let protocol = Protocol::new(&pipeline, 2).expect("two messages fit");
        let mut sides = Sides::new(&protocol, Rows::of(&protocol), false);
        lie(&mut sides);
        Walk::new(&protocol).checks(protocol.checks()).run_over(sides).graph.len()
    }

    #[test]
    fn sides_that_read_what_they_are_said_to_give_every_state() {
        assert_eq!(walk(|_| {}), 16_993);
    }

    /// Consumers deliver what is in the log.
    #[test]
    #[should_panic(expected = "was remembered wrongly")]
    fn a_side_that_reads_more_than_it_is_said_to_is_noticed() {
        let log = |sides: &Sides<WORDS, WORDS>| sides.reads[0] & sides.reads[1];
        walk(|sides| sides.reads[1] = sides.reads[1] ^ log(sides));
    }

    /// An effect that was made is remembered of its message.
    #[test]
    #[should_panic(expected = "was remembered wrongly")]
    fn an_event_that_touches_more_than_it_is_said_to_is_noticed() {
        walk(|sides| sides.observed.of_message = [Row::NONE; MESSAGES_MAX]);
    }
}
