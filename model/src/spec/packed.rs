//! A state as a few words, as short as the settings allow.
//!
//! What the settings rule out is said not to be used, and takes no bits. Nothing relies on that being right: a value
//! that does not fit stops the search. Everything has its place, whatever the state and the settings. What is read
//! starts as [`State::default`].
//!
//! It stands beside the state and not with the checker, because it writes every private field of the state, which nobody
//! else may. What it is put beside (the properties' own memory) and how rows are kept is the checker's.

use super::bounds::{LATE_MAX, LOG_MAX, MESSAGES_MAX, STRAGGLERS_MAX};
use super::settings::Settings;
use super::state::{
    FAULT_WORDS, FAULTS_PER_WORD, LateHand, Lost, MessageIndex, Nibbles, Phase, Record, State, Transmission,
};
use crate::bits::{Bits, Lanes, ones};
use crate::pipeline::{DeadLettering, Dedup, Identity, OnRestart, Overflow, Remembers, Settles};
use crate::vocab::Fault;

/// The words of a state's image.
pub const WORDS: usize = 12 + FAULT_WORDS;

const MESSAGES: u32 = MESSAGES_MAX as u32;
const LOG: u32 = LOG_MAX as u32;
/// A message with its number and its session.
const RECORD: u32 = 7;
/// The same where there are no more sessions than two bits tell apart.
const RECORD_OF_FEW: u32 = 6;
/// How many late hand-offs stand in the same word as the live ones, and as what those cover.
const LATE_BESIDE: usize = 2;

/// What a word of an image is about. Each word is about one part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The producer, the wires to the broker, and what the broker has received and remembers of producers.
    Publishing,
    /// The broker's log.
    Log,
    /// The group, its hand-offs and its consumers.
    Delivering,
    /// How often each fault has struck.
    Faults,
}

/// The part that each word is about.
pub(super) const PARTS: [Part; WORDS] = {
    let mut parts = [Part::Delivering; WORDS];
    (parts[0], parts[1], parts[2], parts[8]) = (Part::Publishing, Part::Log, Part::Publishing, Part::Publishing);
    parts[6] = Part::Faults;
    let mut more = 13;
    while more < WORDS {
        parts[more] = Part::Faults;
        more += 1;
    }
    parts
};

/// Passes every field of the state to one of the words.
#[inline(always)]
pub(super) fn code<B: Bits>(layout: &Layout, state: &mut State, words: [&mut B; WORDS]) {
    let [
        first,
        second,
        third,
        fourth,
        fifth,
        sixth,
        seventh,
        eighth,
        ninth,
        tenth,
        live_lost,
        late_lost,
        seen_lost,
        more @ ..,
    ] = words;
    producer_and_slot(layout, state, first);
    log(layout, state, second);
    identities(layout, state, third);
    nibbles(&mut state.live, LOG, LOG, fourth);
    late(layout, state, 0..LATE_BESIDE, fourth);
    consumers(layout, state, fifth);
    nibbles(&mut state.live_upto, LOG, layout.live_upto, sixth);
    late(layout, state, LATE_BESIDE..2 * LATE_BESIDE, sixth);
    faults(layout, state, 0, seventh);
    more.into_iter().zip(1..).for_each(|(bits, word)| faults(layout, state, word, bits));
    outbox(layout, state, third);
    late(layout, state, 2 * LATE_BESIDE..LATE_MAX, eighth);
    for place in 0..STRAGGLERS_MAX {
        layout.transmission(&mut state.stragglers[place], place < layout.stragglers, ninth);
    }
    nibbles(&mut state.attempts_left, MESSAGES, layout.attempts, ninth);
    progress(layout, state, tenth);
    lost(layout, &mut state.live_lost, live_lost);
    lost(layout, &mut state.late_lost, late_lost);
    self::seen_lost(layout, state, seen_lost);
}

#[inline(always)]
fn producer_and_slot<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    let phases = Lanes::<8, 4>::narrow(bytes(state.phases.map(|phase| phase as u8)));
    let phases = bits.code(phases, 4 * MESSAGES, ones(4 * layout.messages));
    let wire = Lanes::<8, 3>::narrow(bytes(state.wire.map(MessageIndex::to_byte)));
    let wire = bits.code(wire, 3 * MESSAGES, ones(3 * layout.messages));
    if B::READS {
        state.phases = each(Lanes::<8, 4>::widen(phases)).map(|place| Phase::ALL[usize::from(place)]);
        state.wire = each(Lanes::<8, 3>::widen(wire)).map(MessageIndex::from_byte);
    }
    bits.byte(&mut state.submitted, 3, 3);
    bits.byte(&mut state.sequence_next, 3, layout.sequence_next);
    bits.byte(&mut state.epoch, EPOCH, layout.epoch);
    bits.byte(&mut state.session, EPOCH, layout.session);
    layout.transmission(&mut state.slot, true, bits);
}

/// How far a producer is that goes by its outbox's positions.
#[inline(always)]
fn outbox<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    let delayed = bits.code(MessageIndex::to_byte(state.delayed).into(), 3, ones(layout.delayed));
    if B::READS {
        state.delayed = MessageIndex::from_byte(delayed as u8);
    }
    bits.byte(&mut state.read, 3, layout.read);
    bits.byte(&mut state.numbered, MESSAGES, layout.numbered);
}

#[inline(always)]
fn log<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    let log = layout.narrow(u64::from_le_bytes(state.log.map(Record::to_byte)));
    let log = bits.code(log, LOG * RECORD, ones(LOG * layout.record));
    if B::READS {
        state.log = layout.widen(log).to_le_bytes().map(Record::from_byte);
    }
    bits.byte(&mut state.log_len, 4, 4);
    bits.byte(&mut state.synced, 4, 4);
}

#[inline(always)]
fn identities<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    let identities = layout.narrow(bytes(state.identities.map(Record::to_byte)));
    let identities = bits.code(identities, MESSAGES * RECORD, ones(layout.messages * layout.record));
    bits.byte(&mut state.dedup_floor, 4, layout.dedup_floor);
    let forgot = bits.code(state.dedup_forgot.into(), 1, ones(layout.dedup_forgot));
    // A state beyond the bounds is never kept: its mark has no bits, and does not fit.
    bits.code(state.cut.is_some().into(), 1, 0);
    if B::READS {
        state.identities = each(layout.widen(identities)).map(Record::from_byte);
        state.dedup_forgot = forgot != 0;
        state.cut = None;
    }
}

/// How far the group has come, whose turn it is, and on what it fails.
#[inline(always)]
fn progress<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    bits.byte(&mut state.settled, 8, 8);
    let unsynced = bits.code((state.settled ^ state.settled_synced).into(), 8, ones(layout.unsynced_settles));
    bits.byte(&mut state.dead, 8, layout.dead);
    let unsynced_dead = bits.code((state.dead ^ state.dead_synced).into(), 8, ones(layout.unsynced_dead));
    bits.byte(&mut state.rejected, 8, layout.rejected);
    bits.byte(&mut state.vanished, 8, layout.vanished);
    bits.byte(&mut state.owner, 1, layout.owner);
    let poisoned = bits.code(MessageIndex::to_byte(state.poisoned).into(), 3, ones(layout.poison));
    let crashing = bits.code(MessageIndex::to_byte(state.crashing).into(), 3, ones(layout.crashing));
    if B::READS {
        state.settled_synced = state.settled ^ unsynced as u8;
        state.dead_synced = state.dead ^ unsynced_dead as u8;
        state.poisoned = MessageIndex::from_byte(poisoned as u8);
        state.crashing = MessageIndex::from_byte(crashing as u8);
    }
}

/// The records of hand-offs that the log has lost.
#[inline(always)]
fn lost<B: Bits>(layout: &Layout, records: &mut [Lost; LOG_MAX], bits: &mut B) {
    const HALF: usize = LOG_MAX / 2;
    const WIDTH: u32 = Lost::BITS * HALF as u32;
    let used = ones(layout.lost * HALF as u32);
    for half in records.as_chunks_mut::<HALF>().0 {
        let found = bits.code(u32::from_le_bytes(half.map(Lost::to_byte)).into(), WIDTH, used);
        if B::READS {
            *half = (found as u32).to_le_bytes().map(Lost::from_byte);
        }
    }
}

#[inline(always)]
fn seen_lost<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    let (record, by) = if layout.lost > 0 { (layout.lost, layout.seen_lost) } else { (0, 0) };
    for seen in &mut state.seen_lost {
        let found = bits.code(seen.record.to_byte().into(), Lost::BITS, ones(record));
        bits.byte(&mut seen.by, 2, by);
        if B::READS {
            seen.record = Lost::from_byte(found as u8);
        }
    }
}

#[inline(always)]
fn consumers<B: Bits>(layout: &Layout, state: &mut State, bits: &mut B) {
    nibbles(&mut state.handed, LOG, layout.handed, bits);
    let ([seen, seen_by_other], [done, done_by_other]) = (&mut state.seen, &mut state.done);
    bits.byte(seen, 8, layout.seen);
    bits.byte(done, 8, layout.done);
    bits.byte(seen_by_other, 8, layout.seen_by_other);
    bits.byte(done_by_other, 8, layout.done_by_other);
}

/// How often each fault of a word struck: four bits each, and no more than the largest budget needs where that is less.
#[inline(always)]
fn faults<B: Bits>(layout: &Layout, state: &mut State, word: usize, bits: &mut B) {
    let fired = &mut state.fired[word];
    let narrow = match layout.count {
        1 => Lanes::<4, 1>::narrow(*fired),
        2 => Lanes::<4, 2>::narrow(*fired),
        _ => *fired,
    };
    let found = bits.code(narrow, 4 * FAULTS_PER_WORD as u32, layout.fired[word]);
    if B::READS {
        *fired = match layout.count {
            1 => Lanes::<4, 1>::widen(found),
            2 => Lanes::<4, 2>::widen(found),
            _ => found,
        };
    }
}

/// Some of the hand-offs that have outlived their lease.
#[inline(always)]
fn late<B: Bits>(layout: &Layout, state: &mut State, places: std::ops::Range<usize>, bits: &mut B) {
    for place in places {
        let used = if place < layout.late { layout.late_hand } else { 0 };
        let found = bits.code(state.late[place].to_bits(), LateHand::BITS, used);
        if B::READS {
            state.late[place] = LateHand::from_bits(found);
        }
    }
}

#[inline(always)]
fn nibbles<B: Bits>(nibbles: &mut Nibbles, count: u32, used: u32, bits: &mut B) {
    let found = bits.code(nibbles.to_bits().into(), 4 * count, ones(4 * used));
    if B::READS {
        *nibbles = Nibbles::from_bits(found as u32);
    }
}

/// What is kept of each message, as the bytes of a word.
#[inline(always)]
fn bytes(values: [u8; MESSAGES_MAX]) -> u64 {
    u32::from_le_bytes(values).into()
}

#[inline(always)]
fn each(bytes: u64) -> [u8; MESSAGES_MAX] {
    (bytes as u32).to_le_bytes()
}

/// The bits of an epoch.
const EPOCH: u32 = 3;

/// How much of each part is used under some settings: bits, or counters of four bits, or lanes.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    messages: u32,
    /// The bits of a record: which message, its number where there are numbers, its session where there can be several.
    record: u32,
    sequence_next: u32,
    epoch: u32,
    session: u32,
    delayed: u32,
    read: u32,
    numbered: u32,
    attempts: u32,
    owner: u32,
    poison: u32,
    crashing: u32,
    dedup_floor: u32,
    dedup_forgot: u32,
    /// Settles that a crash of the broker forgets.
    unsynced_settles: u32,
    dead: u32,
    /// The bits of a record that the log has lost, and who remembers one.
    lost: u32,
    seen_lost: u32,
    /// Dead letters that a crash of the broker forgets.
    unsynced_dead: u32,
    vanished: u32,
    rejected: u32,
    handed: u32,
    /// How many hand-offs outlive their lease at once, and the bits of one.
    late: usize,
    late_hand: u64,
    live_upto: u32,
    seen: u32,
    seen_by_other: u32,
    done: u32,
    done_by_other: u32,
    /// How many copies and old attempts come late at once.
    stragglers: usize,
    /// The bits that count the fault that may strike most often.
    count: u32,
    /// The bits that count the faults that strike.
    fired: [u64; FAULT_WORDS],
}

impl Layout {
    pub(super) fn new(settings: &Settings) -> Self {
        let strikes = |fault| settings.budget_of(fault) > 0;
        let has_epochs = settings.epochs() > 0;
        let counted = settings.deliveries_max > 0 || settings.delivers_once;
        let lazily = settings.settles_lazily && settings.consumer.settles != Settles::WithEffect;
        let remembers = settings.consumer.remembers != Remembers::Nothing;
        let both = settings.consumers > 1;
        let used = |bits: u32, needed: bool| if needed { bits } else { 0 };
        let rejects = settings.consumer.rejects_failures();
        let sets_aside = settings.deliveries_max > 0 || rejects;
        let drops = settings.broker.capacity > 0 && settings.broker.overflow == Overflow::DropOldest;
        let messages = u32::from(settings.messages);
        let (count, fired) = counters(settings);
        Layout {
            messages,
            record: record(settings),
            sequence_next: used(3, settings.producer.identity == Identity::Sequence),
            epoch: used(if settings.epochs() < 4 { 2 } else { EPOCH }, has_epochs),
            delayed: used(3, settings.reorders),
            read: used(3, settings.commits_before || settings.reads_by_position && settings.reorders),
            numbered: used(messages, settings.numbers_when_read()),
            session: used(EPOCH, settings.renews),
            attempts: used(messages, settings.attempts_max > 0),
            owner: used(1, both),
            poison: used(3, strikes(Fault::Poison)),
            crashing: used(3, strikes(Fault::HandlerCrashes)),
            dedup_floor: used(4, settings.broker.dedup != Dedup::None),
            dedup_forgot: used(1, settings.broker.dedup == Dedup::Sequence && !settings.dedup_rebuilt),
            unsynced_settles: used(8, lazily),
            dead: used(8, sets_aside || strikes(Fault::RecordExpired) || drops),
            unsynced_dead: used(8, sets_aside && settings.broker.dead_lettering == DeadLettering::AtLeastOnce),
            lost: used(Lost::BITS, settings.loses_records),
            seen_lost: used(2, remembers),
            vanished: used(8, strikes(Fault::Redrive)),
            rejected: used(8, rejects),
            handed: used(LOG, counted),
            late: late_hands(settings),
            late_hand: ones(LateHand::BITS)
                & !(if both { 0 } else { LateHand::CONSUMER })
                & !(if settings.cursor { 0 } else { LateHand::UPTO }),
            live_upto: used(LOG, settings.cursor),
            seen: used(8, remembers),
            seen_by_other: used(8, remembers && both),
            done: used(8, settings.cursor),
            done_by_other: used(8, settings.cursor && both),
            stragglers: settings.stragglers().min(STRAGGLERS_MAX as u32) as usize,
            count,
            fired,
        }
    }

    /// All of it, whether there is one or not.
    #[inline(always)]
    fn transmission<B: Bits>(&self, transmission: &mut Option<Transmission>, can_be: bool, bits: &mut B) {
        let used = |bits: u32| if can_be { ones(bits) } else { 0 };
        let it = transmission.unwrap_or_default();
        let is_there = bits.code(transmission.is_some().into(), 1, used(1)) != 0;
        let record = bits.code(it.record.to_byte().into(), RECORD, used(self.record));
        let epoch = bits.code(it.epoch.into(), EPOCH, used(self.epoch));
        let straggler = bits.code(it.straggler.into(), 1, used((self.stragglers > 0).into()));
        if B::READS {
            let (record, straggler) = (Record::from_byte(record as u8), straggler != 0);
            *transmission = is_there.then_some(Transmission { record, epoch: epoch as u8, straggler });
        }
    }

    /// Records in bytes, moved together.
    #[inline(always)]
    fn narrow(&self, records: u64) -> u64 {
        match self.record {
            2 => Lanes::<8, 2>::narrow(records),
            4 => Lanes::<8, 4>::narrow(records),
            RECORD_OF_FEW => Lanes::<8, RECORD_OF_FEW>::narrow(records),
            _ => Lanes::<8, RECORD>::narrow(records),
        }
    }

    #[inline(always)]
    fn widen(&self, records: u64) -> u64 {
        match self.record {
            2 => Lanes::<8, 2>::widen(records),
            4 => Lanes::<8, 4>::widen(records),
            RECORD_OF_FEW => Lanes::<8, RECORD_OF_FEW>::widen(records),
            _ => Lanes::<8, RECORD>::widen(records),
        }
    }
}

/// The bits of a record.
fn record(settings: &Settings) -> u32 {
    let sessions = settings.renews
        || settings.epochs() > 0
            && settings.producer.identity != Identity::None
            && settings.producer.on_restart != OnRestart::Outbox;
    match (sessions, settings.producer.identity) {
        (true, _) if settings.epochs() < 4 => RECORD_OF_FEW,
        (true, _) => RECORD,
        (false, Identity::Sequence) => 4,
        (false, _) => 2,
    }
}

/// How many hand-offs can have outlived their lease at once: each end of a lease makes one more, or, of a cursor, as many
/// as its owner has; a crash of the broker as many as are at work, of leases only; a rewind as many as are in hand.
fn late_hands(settings: &Settings) -> usize {
    let at_work = settings.consumer.capacity().saturating_mul(settings.consumers.into());
    let (by_expiry, by_crash) = if settings.cursor { (LOG, 0) } else { (1, at_work) };
    let times = |fault, each: u32| u32::from(settings.budget_of(fault)).saturating_mul(each);
    let late = [
        (Fault::LeaseExpiry, by_expiry),
        (Fault::Rebalance, if settings.cursor { LOG } else { 0 }),
        (Fault::BrokerCrash, by_crash),
        (Fault::Failover, by_crash),
        (Fault::Rewind, LOG),
        (Fault::GroupForgotten, LOG),
    ];
    let most = late.iter().filter(|(fault, _)| settings.budget_of(*fault) > 0).map(|(_, each)| *each).max();
    let late = late.iter().fold(0u32, |sum, &(fault, each)| sum.saturating_add(times(fault, each)));
    let by_total = settings.budget_total().saturating_mul(most.unwrap_or(0));
    (late.min(by_total) as usize).min(LATE_MAX)
}

/// How many bits the largest counter of faults needs, if one or two, and which bits of all of them are used.
fn counters(settings: &Settings) -> (u32, [u64; FAULT_WORDS]) {
    let width = |fault| u8::BITS - settings.budget_of(fault).leading_zeros();
    let count = match settings.faults().map(width).max() {
        None | Some(1) => 1,
        Some(2) => 2,
        Some(_) => 4,
    };
    let mut fired = [0; FAULT_WORDS];
    for fault in settings.faults() {
        let (word, at) = State::counter(fault);
        fired[word] |= ones(width(fault)) << (count * at / 4);
    }
    (count, fired)
}
