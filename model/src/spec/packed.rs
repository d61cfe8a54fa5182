//! A state as a row of bits, as short as the settings allow.
//!
//! What the settings rule out takes no bits, and what belongs to a position takes none behind the log's end. Nothing relies
//! on that being right: a value that does not fit stops the search. What is read starts as [`State::default`].

use super::settings::Settings;
use super::state::{MessageIndex, Nibbles, Phase, Record, State, Transmission};
use crate::bits::{Bits, Coded, coded};
use crate::pipeline::{Dedup, Identity, OnRestart, Remembers};
use crate::vocab::Fault;

coded!(Phase in 4 bits: Unsubmitted, Queued, OnWire, Received, AckOwed, AckOnWire, RefusalOnWire, Silent, Acked, GivenUp,
    Forgotten);

/// Passes every field of the state to `bits`.
#[inline(always)]
pub(super) fn code<B: Bits>(settings: &Settings, layout: &Layout, state: &mut State, bits: &mut B) {
    let messages = usize::from(settings.messages);
    bits.group(|bits| {
        bits.byte(&mut state.submitted, 3);
        state.phases[..messages].iter_mut().for_each(|phase| phase.code(bits));
        state.wire[..messages].iter_mut().for_each(|message| message_index(message, bits));
        bits.byte(&mut state.sequence_next, if layout.sequence { 3 } else { 0 });
        bits.byte(&mut state.epoch, if layout.restart { 2 } else { 0 });
        layout.transmission(&mut state.slot, bits);
    });
    nibbles(&mut state.attempts_left, if settings.attempts_max > 0 { messages } else { 0 }, bits);
    if layout.straggle {
        state.stragglers.iter_mut().for_each(|straggler| layout.transmission(straggler, bits));
    }
    bits.byte(&mut state.log_len, 4);
    let records = usize::from(state.log_len);
    bits.group(|bits| state.log[..records].iter_mut().for_each(|record| layout.record(record, bits)));
    bits.group(|bits| {
        state.identities[..messages].iter_mut().for_each(|record| layout.record(record, bits));
        bits.byte(&mut state.synced, 4);
        bits.byte(&mut state.dedup_floor, if settings.dedup == Dedup::None { 0 } else { 4 });
        bits.byte(&mut state.settled, 8);
        bits.byte(&mut state.settled_synced, 8);
        bits.byte(&mut state.dead, if settings.deliveries_max > 0 { 8 } else { 0 });
        bits.flag(&mut state.cut);
    });
    hands(settings, layout, state, records, bits);
    bits.group(|bits| {
        for &(fault, width) in &layout.faults {
            let times = bits.code(state.fired(fault).into(), width);
            if B::READS {
                state.set_fired(fault, times as u8);
            }
        }
        if layout.poison {
            message_index(&mut state.poisoned, bits);
        }
    });
}

/// What consumers hold and remember.
#[inline(always)]
fn hands<B: Bits>(settings: &Settings, layout: &Layout, state: &mut State, records: usize, bits: &mut B) {
    let counted = settings.deliveries_max > 0 || settings.delivers_once;
    let (late, cursor) = (if layout.late { records } else { 0 }, settings.cursor);
    nibbles(&mut state.handed, if counted { records } else { 0 }, bits);
    nibbles(&mut state.live, records, bits);
    nibbles(&mut state.late, late, bits);
    nibbles(&mut state.live_upto, if cursor { records } else { 0 }, bits);
    nibbles(&mut state.late_upto, if cursor { late } else { 0 }, bits);
    bits.group(|bits| {
        for consumer in 0..usize::from(settings.consumers) {
            bits.byte(&mut state.seen[consumer], if settings.remembers == Remembers::Nothing { 0 } else { 8 });
            bits.byte(&mut state.done[consumer], if cursor { 8 } else { 0 });
        }
        bits.byte(&mut state.owner, u32::from(settings.consumers) - 1);
    });
}

#[inline(always)]
fn nibbles<B: Bits>(nibbles: &mut Nibbles, count: usize, bits: &mut B) {
    *nibbles = Nibbles::from_bits(bits.code(nibbles.to_bits().into(), 4 * count as u32) as u32);
}

#[inline(always)]
fn message_index<B: Bits>(message: &mut Option<MessageIndex>, bits: &mut B) {
    let place = bits.code(message.map_or(0, |message| message.index() as u64 + 1), 3);
    if B::READS {
        *message = place.checked_sub(1).map(|index| MessageIndex::new(index as usize));
    }
}

/// What some settings leave possible, and so needs bits.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Messages carry sequence numbers.
    sequence: bool,
    /// The producer restarts.
    restart: bool,
    /// Identities tell sessions apart.
    session: bool,
    /// Copies and old attempts come late.
    straggle: bool,
    /// A hand-off outlives its lease.
    late: bool,
    /// A message fails its handler.
    poison: bool,
    /// The faults that strike, and the bits that count them.
    faults: Vec<(Fault, u32)>,
}

impl Layout {
    pub(super) fn new(settings: &Settings) -> Self {
        let strikes = |fault| settings.budget_of(fault) > 0;
        let restart = strikes(Fault::ProducerCrash) || strikes(Fault::ProducerZombie);
        let counted = |fault| (fault, u8::BITS - settings.budget_of(fault).leading_zeros());
        Layout {
            sequence: settings.identity == Identity::Sequence,
            restart,
            session: restart && settings.identity != Identity::None && settings.on_restart != OnRestart::Outbox,
            straggle: strikes(Fault::PublishDuplicated) || strikes(Fault::ProducerZombie),
            late: strikes(Fault::LeaseExpiry) || strikes(Fault::BrokerCrash),
            poison: strikes(Fault::Poison),
            faults: settings.faults().map(counted).collect(),
        }
    }

    #[inline(always)]
    fn record<B: Bits>(&self, record: &mut Record, bits: &mut B) {
        let message = bits.code(record.message() as u64, 2);
        let session = bits.code(record.session().into(), if self.session { 2 } else { 0 });
        let sequence = bits.code(record.sequence().into(), if self.sequence { 2 } else { 0 });
        if B::READS {
            *record = Record::new(message as usize, session as u8, sequence as u8);
        }
    }

    #[inline(always)]
    fn transmission<B: Bits>(&self, transmission: &mut Option<Transmission>, bits: &mut B) {
        if bits.code(transmission.is_some().into(), 1) == 0 {
            return;
        }
        let it = transmission.get_or_insert_default();
        self.record(&mut it.record, bits);
        bits.byte(&mut it.epoch, if self.restart { 2 } else { 0 });
        bits.flag(&mut it.straggler);
    }
}
