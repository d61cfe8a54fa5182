//! The state of the protocol: small, flat, without heap, and with one encoding for each situation.
//!
//! Messages are counted from 0 in here (and from 1 in steps and events). Anything that can no longer matter is cleared,
//! so that situations which differ only in it are one state.

use super::bounds::{Bound, LATE_MAX, LOG_MAX, MESSAGES_MAX, SEEN_LOST_MAX, STRAGGLERS_MAX};
use super::settings::Settings;
use crate::vocab::{DeliveryRef, Fault, MessageId, Position};

/// Where a message is between application and broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// The application has not asked yet.
    #[default]
    Unsubmitted,
    /// The producer has it and may transmit it.
    Queued,
    /// An attempt is on the wire.
    OnWire,
    /// The attempt is in the broker's receive slot.
    Received,
    /// The broker owes a confirmation, due when the record is synced.
    AckOwed,
    /// The confirmation is on its way.
    AckOnWire,
    /// A refusal is on its way.
    RefusalOnWire,
    /// The producer waits in vain: no reply will come.
    Silent,
    /// Confirmed; the producer is done with it.
    Acked,
    /// Its attempts are used up.
    GivenUp,
    /// Lost in a crash of the producer.
    Forgotten,
    /// Its row became visible behind the position of a producer that goes by positions.
    Skipped,
}

impl Phase {
    #[rustfmt::skip]
    pub(super) const ALL: [Phase; 12] = {
        use Phase::*;
        [Unsubmitted, Queued, OnWire, Received, AckOwed, AckOnWire, RefusalOnWire, Silent, Acked, GivenUp, Forgotten, Skipped]
    };

    /// An attempt was made and its outcome is not known yet.
    pub(super) fn is_outstanding(self) -> bool {
        use Phase::*;
        matches!(self, OnWire | Received | AckOwed | AckOnWire | RefusalOnWire | Silent)
    }

    /// The producer still has work with it.
    pub(super) fn is_unresolved(self) -> bool {
        self == Phase::Queued || self.is_outstanding()
    }
}

/// How far a hand-off has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stage {
    /// On its way to the consumer.
    OnWire = 1,
    /// A worker has it.
    AtWork = 2,
    /// Its effect was made and is to be remembered in memory.
    ToRemember = 3,
    /// It is to be settled.
    ToSettle = 4,
    /// Its settle is on the wire.
    Settling = 5,
    /// Its settle was confirmed and its effect is still to come.
    Confirmed = 6,
    /// A worker has it, or will, and its settle is on the wire in the background.
    SettlingAtWork = 7,
}

impl Stage {
    const ALL: [Stage; 7] = {
        use Stage::*;
        [OnWire, AtWork, ToRemember, ToSettle, Settling, Confirmed, SettlingAtWork]
    };

    /// Its settle is on the wire.
    pub fn is_settling(self) -> bool {
        matches!(self, Stage::Settling | Stage::SettlingAtWork)
    }
}

/// A hand-off: how far it is, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holding {
    /// How far it has come.
    pub stage: Stage,
    /// The consumer process that has it, 0 or 1.
    pub consumer: u8,
}

impl Holding {
    fn encode(self) -> u8 {
        self.stage as u8 | self.consumer << 3
    }

    fn decode(nibble: u8) -> Option<Self> {
        let stage = *Stage::ALL.get(usize::from(nibble & 7).checked_sub(1)?)?;
        Some(Holding { stage, consumer: nibble >> 3 })
    }
}

/// In place of what a settle covers, while it is not on the wire: the consumer knows of a later generation.
const SUPERSEDED: u8 = 0xf;

/// A hand-off that outlived its lease: where it is, how far it has come, and what its settle covers; or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct LateHand(u16);

impl LateHand {
    /// Three bits of stage, one of consumer, three of position, four of what its settle covers.
    pub(super) const BITS: u32 = 11;
    /// The bits that say whose it is.
    pub(super) const CONSUMER: u64 = 1 << 3;
    /// The bits that say what its settle covers.
    pub(super) const UPTO: u64 = 0xf << 7;

    fn new(position: usize, holding: Holding, upto: u8) -> Self {
        LateHand(u16::from(holding.encode()) | (position as u16) << 4 | u16::from(upto) << 7)
    }

    fn is_none(self) -> bool {
        self.0 == 0
    }

    fn position(self) -> usize {
        usize::from(self.0 >> 4 & 7)
    }

    fn holding(self) -> Option<Holding> {
        Holding::decode((self.0 & 0xf) as u8)
    }

    fn upto(self) -> u8 {
        (self.0 >> 7) as u8
    }

    /// Its consumer knows of a later generation, and its settle is not on the wire.
    fn is_superseded(self) -> bool {
        self.upto() == SUPERSEDED
    }

    pub(super) fn to_bits(self) -> u64 {
        self.0.into()
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        LateHand(bits as u16)
    }
}

/// A message with the identity it was sent under, in one byte: message and sequence number in two bits each, session in
/// three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record(u8);

impl Record {
    pub(super) fn new(message: usize, session: u8, sequence: u8) -> Self {
        debug_assert!(message < 4 && session < 8 && sequence < 4, "{message} {session} {sequence}");
        Record(message as u8 | sequence << 2 | session << 4)
    }

    /// Which message, from 0.
    pub(super) fn message(self) -> usize {
        usize::from(self.0 & 3)
    }

    /// The session its identity belongs to.
    pub(super) fn session(self) -> u8 {
        self.0 >> 4
    }

    /// Its sequence number in that session.
    pub(super) fn sequence(self) -> u8 {
        self.0 >> 2 & 3
    }

    pub(super) fn to_byte(self) -> u8 {
        self.0
    }

    pub(super) fn from_byte(byte: u8) -> Self {
        Record(byte)
    }
}

/// The record of a hand-off that the log has lost; or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lost(u8);

impl Lost {
    pub(super) const BITS: u32 = 8;

    fn new(record: Record) -> Self {
        Lost(record.to_byte() + 1)
    }

    fn record(self) -> Option<Record> {
        self.0.checked_sub(1).map(Record)
    }

    pub(super) fn to_byte(self) -> u8 {
        self.0
    }

    pub(super) fn from_byte(byte: u8) -> Self {
        Lost(byte)
    }
}

/// A record that the log has lost, and which consumers remember it, as two bits; or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct SeenLost {
    pub(super) record: Lost,
    pub(super) by: u8,
}

/// A transmission in the broker's hands or late on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transmission {
    /// What it carries.
    pub record: Record,
    /// The producer's incarnation that sent it.
    pub epoch: u8,
    /// Nobody waits for a reply to it.
    pub straggler: bool,
}

/// Eight counters of four bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Nibbles(u32);

impl Nibbles {
    pub(super) fn at(self, index: usize) -> u8 {
        (self.0 >> (4 * index)) as u8 & 0xf
    }

    pub(super) fn to_bits(self) -> u32 {
        self.0
    }

    pub(super) fn from_bits(bits: u32) -> Self {
        Nibbles(bits)
    }

    pub(super) fn set(&mut self, index: usize, value: u8) {
        self.0 = self.0 & !(0xf << (4 * index)) | u32::from(value) << (4 * index);
    }
}

/// How many counters of four bits stand in one word: a word of an image has less than 64 bits.
pub(super) const FAULTS_PER_WORD: usize = 15;
/// How many words hold a counter of each fault.
pub(super) const FAULT_WORDS: usize = Fault::ALL.len().div_ceil(FAULTS_PER_WORD);

/// Everything that producer, wires, broker and consumer know, and the faults that have struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    // Producer.
    pub(super) phases: [Phase; MESSAGES_MAX],
    pub(super) identities: [Record; MESSAGES_MAX],
    pub(super) attempts_left: Nibbles,
    pub(super) submitted: u8,
    pub(super) sequence_next: u8,
    pub(super) epoch: u8,
    /// The session of new identities, where a refusal begins one; else it follows from the epoch, and this is 0.
    pub(super) session: u8,
    /// The message whose row has its position, and is not committed yet.
    pub(super) delayed: Option<MessageIndex>,
    /// The producer has read its outbox up to here, and no row before it will be read that becomes visible later. 0 where
    /// that makes no difference.
    pub(super) read: u8,
    /// The messages that have a number, as bits, where they get it when they are read.
    pub(super) numbered: u8,
    // Wires.
    pub(super) wire: [Option<MessageIndex>; MESSAGES_MAX],
    pub(super) stragglers: [Option<Transmission>; STRAGGLERS_MAX],
    // Broker.
    pub(super) slot: Option<Transmission>,
    pub(super) log: [Record; LOG_MAX],
    pub(super) log_len: u8,
    pub(super) synced: u8,
    pub(super) dedup_floor: u8,
    /// A restart forgot the memory in front of an empty log: no floor can say so.
    pub(super) dedup_forgot: bool,
    pub(super) settled: u8,
    pub(super) settled_synced: u8,
    pub(super) dead: u8,
    /// The part of `dead` that a crash cannot forget.
    pub(super) dead_synced: u8,
    /// The part of `dead` that is no dead letter which could be put back. Kept only where one may be.
    pub(super) vanished: u8,
    /// What consumers asked to be set aside.
    pub(super) rejected: u8,
    pub(super) handed: Nibbles,
    // Hand-offs, by position.
    pub(super) live: Nibbles,
    pub(super) live_upto: Nibbles,
    /// By position, and of one position in the order in which their leases ended; the rest is empty.
    pub(super) late: [LateHand; LATE_MAX],
    /// What live and late hand-offs are of, where the log has lost that record: positions come again.
    pub(super) live_lost: [Lost; LOG_MAX],
    pub(super) late_lost: [Lost; LATE_MAX],
    // Consumers.
    pub(super) seen: [u8; 2],
    /// What consumers remember of records that the log has lost, where they go by identity.
    pub(super) seen_lost: [SeenLost; SEEN_LOST_MAX],
    pub(super) done: [u8; 2],
    pub(super) owner: u8,
    // Faults.
    pub(super) fired: [u64; FAULT_WORDS],
    pub(super) poisoned: Option<MessageIndex>,
    pub(super) crashing: Option<MessageIndex>,
    pub(super) cut: Option<Bound>,
}

/// A message, counted from 0 and never more than [`MESSAGES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageIndex(std::num::NonZeroU8);

impl MessageIndex {
    pub(super) fn new(index: usize) -> Self {
        MessageIndex(std::num::NonZeroU8::new(index as u8 + 1).expect("an index plus one is not zero"))
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0.get()) - 1
    }

    /// The message counted from 1, and 0 for none.
    pub(super) fn to_byte(message: Option<Self>) -> u8 {
        message.map_or(0, |message| message.0.get())
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        std::num::NonZeroU8::new(byte).map(MessageIndex)
    }
}

/// A step's message id as an index.
pub(super) fn index(message: MessageId) -> usize {
    message.0 as usize - 1
}

/// An index as a step's message id.
pub(super) fn id(index: usize) -> MessageId {
    MessageId(index as u64 + 1)
}

/// The bit of a position in a byte of marks.
pub(super) fn bit(position: usize) -> u8 {
    1 << position
}

/// The positions of a byte of marks, lowest first.
pub(super) fn positions(marks: u8) -> impl Iterator<Item = usize> {
    (0..LOG_MAX).filter(move |&position| marks & bit(position) != 0)
}

/// The bits of the first `count` positions.
pub(super) fn below(count: usize) -> u8 {
    ((1u16 << count) - 1) as u8
}

impl State {
    /// How often this fault has struck: its mark, set by the fault alone.
    pub fn fired(&self, fault: Fault) -> u8 {
        let (word, at) = Self::counter(fault);
        (self.fired[word] >> at) as u8 & 0xf
    }

    /// The kinds of fault that have struck, in the order of [`Fault::ALL`].
    pub fn faults_fired(&self) -> impl Iterator<Item = Fault> {
        let of_word = |(word, &fired): (usize, &u64)| {
            let mut rest = fired;
            std::iter::from_fn(move || {
                let at = (rest != 0).then(|| rest.trailing_zeros() as usize / 4)?;
                rest &= !(0xf << (4 * at));
                Some(Fault::ALL[word * FAULTS_PER_WORD + at])
            })
        };
        self.fired.iter().enumerate().flat_map(of_word)
    }

    pub(super) fn mark_fired(&mut self, fault: Fault) {
        let (word, at) = Self::counter(fault);
        self.fired[word] += 1 << at;
    }

    /// Where the counter of a fault stands: in which word, and from which bit on.
    pub(super) const fn counter(fault: Fault) -> (usize, u32) {
        let place = fault as usize;
        (place / FAULTS_PER_WORD, 4 * (place % FAULTS_PER_WORD) as u32)
    }

    pub(super) fn fired_total(&self) -> u32 {
        let pairs = |word: u64| (word & 0x0f0f_0f0f_0f0f_0f0f) + (word >> 4 & 0x0f0f_0f0f_0f0f_0f0f);
        self.fired.iter().flat_map(|&word| pairs(word).to_le_bytes()).map(u32::from).sum()
    }

    /// A bound of the encoding was met on the way here: this run is not followed further.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// The bound that was met on the way here.
    pub fn cut(&self) -> Option<Bound> {
        self.cut
    }

    /// Where the message is between application and broker; `message` counts from 0.
    pub fn phase(&self, message: usize) -> Phase {
        self.phases[message]
    }

    /// The producer's epoch.
    pub fn epoch(&self) -> u8 {
        self.epoch
    }

    /// The broker's log: message, counted from 0, and whether the record is durable.
    pub fn log(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.log[..self.log_len.into()]
            .iter()
            .enumerate()
            .map(|(position, record)| (record.message(), position < self.synced.into()))
    }

    /// The hand-off, if there is such a one.
    pub fn holding(&self, hand: DeliveryRef) -> Option<Holding> {
        let position = hand.position.0 as usize;
        match hand.late {
            0 => Holding::decode(self.live.at(position)),
            _ => self.late[self.late_place(hand)?].holding(),
        }
    }

    /// Every hand-off, by position, the late ones of a position first.
    pub fn hands(&self) -> impl Iterator<Item = (DeliveryRef, Holding)> + '_ {
        let late = self.late.iter().take_while(|late| !late.is_none());
        let mut rest = late.fold(self.live.0, |marks, late| marks | 0xf << (4 * late.position()));
        let positions = std::iter::from_fn(move || {
            let position = (rest != 0).then_some(rest.trailing_zeros() / 4)?;
            rest &= !(0xf << (4 * position));
            Some(position as usize)
        });
        positions.flat_map(|position| self.late_of(position).chain(self.live_of(position)))
    }

    fn live_of(&self, position: usize) -> Option<(DeliveryRef, Holding)> {
        let hand = DeliveryRef::live(Position(position as u64));
        Some((hand, Holding::decode(self.live.at(position))?))
    }

    fn late_of(&self, position: usize) -> impl Iterator<Item = (DeliveryRef, Holding)> + '_ {
        let of_position = self.late.iter().take_while(|late| !late.is_none());
        let of_position = of_position.filter(move |late| late.position() == position);
        of_position
            .filter_map(|late| late.holding())
            .zip(1..)
            .map(move |(holding, late)| (DeliveryRef { position: Position(position as u64), late }, holding))
    }

    /// Some hand-off has outlived its lease.
    pub(super) fn has_late_hands(&self) -> bool {
        !self.late[0].is_none()
    }

    /// Where a late hand-off stands in the list of them.
    fn late_place(&self, hand: DeliveryRef) -> Option<usize> {
        let before = usize::from(hand.late.checked_sub(1)?);
        let position = hand.position.0 as usize;
        let first = self.late.iter().position(|late| !late.is_none() && late.position() == position)?;
        let place = first + before;
        (place < LATE_MAX && !self.late[place].is_none() && self.late[place].position() == position).then_some(place)
    }

    /// A hand-off of this position has outlived its lease.
    pub(super) fn has_late(&self, position: usize) -> bool {
        self.late.iter().any(|late| !late.is_none() && late.position() == position)
    }

    /// The positions settled, as the broker (or the consumer's own store) has them, and those dead-lettered, as bits.
    pub fn settled_and_dead(&self) -> (u8, u8) {
        (self.settled, self.dead)
    }

    pub(super) fn has_live_hands(&self) -> bool {
        self.live != Nibbles::default()
    }

    pub(super) fn has_hands(&self) -> bool {
        self.live != Nibbles::default() || self.has_late_hands()
    }

    /// The record that a hand-off is of.
    pub(super) fn record_of(&self, hand: DeliveryRef) -> Record {
        let place = hand.position.0 as usize;
        let lost = match hand.late {
            0 => self.live_lost[place],
            _ => self.late_place(hand).map_or(Lost::default(), |late| self.late_lost[late]),
        };
        lost.record().unwrap_or(self.log[place])
    }

    /// The log has lost the record that the hand-off is of.
    pub(super) fn is_of_lost(&self, hand: DeliveryRef) -> bool {
        match hand.late {
            0 => self.live_lost[hand.position.0 as usize] != Lost::default(),
            _ => self.late_place(hand).is_some_and(|late| self.late_lost[late] != Lost::default()),
        }
    }

    /// The log loses its records from here on. Hand-offs of them stay what they were.
    pub(super) fn lose_records(&mut self, keeps: usize) {
        for position in keeps..self.log_len.into() {
            let record = Lost::new(self.log[position]);
            if self.live.at(position) != 0 && self.live_lost[position] == Lost::default() {
                self.live_lost[position] = record;
            }
            for (late, lost) in self.late.iter().zip(&mut self.late_lost) {
                if !late.is_none() && late.position() == position && *lost == Lost::default() {
                    *lost = record;
                }
            }
        }
        self.log[keeps..].fill(Record::default());
        self.log_len = keeps as u8;
        self.synced = self.synced.min(self.log_len);
    }

    /// A consumer remembers a record that the log has lost.
    pub(super) fn remember_lost(&mut self, record: Record, consumers: u8) {
        let record = Lost::new(record);
        let is_its = |seen: &SeenLost| seen.record == record || seen.by == 0;
        let known = self.seen_lost.iter().position(|seen| seen.record == record);
        match known.or_else(|| self.seen_lost.iter().position(is_its)) {
            Some(place) => {
                self.seen_lost[place].record = record;
                self.seen_lost[place].by |= consumers;
                self.seen_lost.sort_unstable_by_key(|seen| (seen.by == 0, seen.record.0));
            }
            None => self.cut = Some(Bound::SeenLost),
        }
    }

    /// These consumers lose what they remember of lost records.
    pub(super) fn forget_lost(&mut self, consumers: u8) {
        for seen in &mut self.seen_lost {
            seen.by &= !consumers;
            if seen.by == 0 {
                *seen = SeenLost::default();
            }
        }
        self.seen_lost.sort_unstable_by_key(|seen| (seen.by == 0, seen.record.0));
    }

    /// A consumer remembers this record, which the log has lost.
    pub(super) fn has_seen_lost(&self, record: Record, consumer: usize) -> bool {
        self.seen_lost.iter().any(|seen| seen.by & bit(consumer) != 0 && seen.record == Lost::new(record))
    }

    pub(super) fn set_stage(&mut self, hand: DeliveryRef, stage: Stage) {
        let holding = self.holding(hand).expect("the hand-off exists");
        self.set_holding(hand, Some(Holding { stage, ..holding }));
    }

    /// Puts or (with `None`) ends a hand-off.
    pub(super) fn set_holding(&mut self, hand: DeliveryRef, holding: Option<Holding>) {
        let position = hand.position.0 as usize;
        let settling = holding.filter(|holding| holding.stage.is_settling());
        let upto = settling.map_or(0, |_| self.upto(hand));
        let upto = if self.is_superseded(hand) { SUPERSEDED } else { upto };
        match (self.late_place(hand), holding) {
            (None, _) => {
                if holding.is_none() {
                    self.live_lost[position] = Lost::default();
                }
                self.live.set(position, holding.map_or(0, Holding::encode));
                self.live_upto.set(position, upto);
            }
            (Some(place), Some(holding)) => self.late[place] = LateHand::new(position, holding, upto),
            (Some(place), None) => self.remove_late(place),
        }
    }

    fn remove_late(&mut self, place: usize) {
        self.late.copy_within(place + 1.., place);
        self.late[LATE_MAX - 1] = LateHand::default();
        self.late_lost.copy_within(place + 1.., place);
        self.late_lost[LATE_MAX - 1] = Lost::default();
    }

    /// How many leading positions the settle on the wire covers; 0: its own position alone.
    pub(super) fn upto(&self, hand: DeliveryRef) -> u8 {
        match hand.late {
            0 => self.live_upto.at(hand.position.0 as usize),
            _ => self.late_place(hand).map_or(0, |place| self.late[place].upto()),
        }
    }

    /// The settle on the wire covers so many leading positions.
    pub(super) fn set_upto(&mut self, hand: DeliveryRef, upto: u8) {
        let position = hand.position.0 as usize;
        match self.late_place(hand) {
            None => self.live_upto.set(position, upto),
            Some(place) => {
                let holding = self.late[place].holding().expect("the hand-off exists");
                self.late[place] = LateHand::new(position, holding, upto);
            }
        }
    }

    /// The consumer knows of a later generation than this hand-off's: that it is finished is no part of what it commits.
    pub(super) fn is_superseded(&self, hand: DeliveryRef) -> bool {
        self.late_place(hand).is_some_and(|place| self.late[place].is_superseded())
    }

    /// This consumer learns of a new generation. It goes by what is committed; nothing that it has finished or still has
    /// counts.
    pub(super) fn supersede(&mut self, consumer: u8) {
        self.done[usize::from(consumer)] = 0;
        for late in &mut self.late {
            if let Some(holding) = late.holding()
                && holding.consumer == consumer
                && !holding.stage.is_settling()
            {
                *late = LateHand::new(late.position(), holding, SUPERSEDED);
            }
        }
    }

    /// The lease of the live hand-off of this position ends, and it goes on without.
    pub(super) fn make_late(&mut self, position: Position) {
        let hand = DeliveryRef::live(position);
        let (holding, upto) = (self.holding(hand).expect("the hand-off exists"), self.upto(hand));
        let lost = self.live_lost[position.0 as usize];
        self.set_holding(hand, None);
        let position = position.0 as usize;
        if !self.late[LATE_MAX - 1].is_none() {
            self.cut = Some(Bound::LateHands);
            return;
        }
        let place = self.late.iter().position(|late| late.is_none() || late.position() > position);
        let place = place.expect("there is room");
        self.late.copy_within(place..LATE_MAX - 1, place + 1);
        self.late[place] = LateHand::new(position, holding, upto);
        self.late_lost.copy_within(place..LATE_MAX - 1, place + 1);
        self.late_lost[place] = lost;
    }

    /// Ends every hand-off of which this is true.
    pub(super) fn end_hands(&mut self, ends: impl Fn(Holding) -> bool) {
        for place in (0..LATE_MAX).rev() {
            if self.late[place].holding().is_some_and(&ends) {
                self.remove_late(place);
            }
        }
        for position in 0..LOG_MAX {
            if Holding::decode(self.live.at(position)).is_some_and(&ends) {
                self.set_holding(DeliveryRef::live(Position(position as u64)), None);
            }
        }
    }

    /// The wire's attempts, oldest first.
    pub fn wire(&self) -> impl Iterator<Item = usize> + '_ {
        self.wire.iter().flatten().map(|message| message.index())
    }

    pub(super) fn wire_push(&mut self, message: usize) {
        let free = self.wire.iter().position(Option::is_none).expect("a message is on the wire at most once");
        self.wire[free] = Some(MessageIndex::new(message));
    }

    pub(super) fn wire_remove(&mut self, message: usize) {
        let place = self.wire().position(|other| other == message).expect("the attempt is on the wire");
        self.wire.copy_within(place + 1.., place);
        self.wire[MESSAGES_MAX - 1] = None;
    }

    /// The producer keeps nothing of the message's identity.
    pub(super) fn forget_identity(&mut self, message: usize) {
        self.identities[message] = Record::default();
        self.numbered &= !bit(message);
    }

    /// The receive slot holds an attempt whose producer still waits for its outcome.
    pub(super) fn slot_holds(&self, message: usize) -> bool {
        self.slot.is_some_and(|it| !it.straggler && it.record.message() == message)
    }

    /// The receive slot holds an attempt for whose outcome the producer waits.
    pub(super) fn slot_is_awaited(&self) -> bool {
        self.slot.is_some_and(|it| !it.straggler)
    }

    /// The broker has settles, or dead letters, that a crash would forget.
    pub(super) fn has_unsynced_settles(&self) -> bool {
        self.settled != self.settled_synced || self.dead != self.dead_synced
    }

    /// The position's dead letter cannot be put back (any more).
    pub(super) fn vanish(&mut self, settings: &Settings, position: usize) {
        if settings.budget_of(Fault::Redrive) > 0 {
            self.vanished |= bit(position);
        }
    }

    /// How many leading positions are settled or set aside.
    pub(super) fn committed(&self) -> usize {
        (self.settled | self.dead).trailing_ones() as usize
    }

    /// The memory of what was stored covers the log from here on.
    pub(super) fn forget_below(&mut self, floor: u8) {
        self.dedup_floor = floor;
        self.dedup_forgot &= floor == 0;
    }

    /// Something may have been stored that the memory of it does not cover.
    pub(super) fn has_forgotten(&self) -> bool {
        self.dedup_floor > 0 || self.dedup_forgot
    }

    /// The last record that carries this identity.
    pub(super) fn last_record(&self, record: Record) -> Option<usize> {
        self.log[..self.log_len.into()].iter().rposition(|&stored| stored == record)
    }
}

/// What the tellers of stories ask.
impl State {
    /// The message of a hand-off, counted from 0.
    pub fn message_of(&self, hand: DeliveryRef) -> usize {
        self.record_of(hand).message()
    }

    /// What the broker holds in memory is already in its log.
    pub fn stored_like_slot(&self) -> bool {
        self.slot.is_some_and(|transmission| self.last_record(transmission.record).is_some())
    }

    /// The handler fails on this message, counted from 1.
    pub fn fails(&self, message: usize) -> bool {
        self.poisoned.is_some_and(|poisoned| poisoned.index() + 1 == message)
    }

    /// Whoever handles this message, counted from 1, crashes.
    pub fn kills(&self, message: usize) -> bool {
        self.crashing.is_some_and(|crashing| crashing.index() + 1 == message)
    }
}
