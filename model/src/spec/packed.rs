//! A state as a row of bits, as short as the settings allow.
//!
//! What the settings rule out takes no bits, and what belongs to a position takes none behind the log's end. Nothing relies
//! on that being right: a value that does not fit stops the search.

use super::settings::Settings;
use super::state::{MessageIndex, Nibbles, Phase, Record, State, Transmission};
use crate::bits::{Bits, Coded, coded};
use crate::pipeline::{Dedup, Identity, OnRestart, Remembers};
use crate::vocab::Fault;

coded!(Phase in 4 bits: Unsubmitted, Queued, OnWire, Received, AckOwed, AckOnWire, RefusalOnWire, Silent, Acked, GivenUp,
    Forgotten);

/// Passes every field of the state to `bits`.
pub(super) fn code(settings: &Settings, state: &mut State, bits: &mut impl Bits) {
    let (messages, may) = (usize::from(settings.messages), Possible::under(settings));
    bits.byte(&mut state.submitted, 3);
    state.phases[..messages].iter_mut().for_each(|phase| phase.code(bits));
    state.identities[..messages].iter_mut().for_each(|record| may.record(record, bits));
    nibbles(&mut state.attempts_left, if settings.attempts_max > 0 { messages } else { 0 }, bits);
    bits.byte(&mut state.sequence_next, if may.sequence { 3 } else { 0 });
    bits.byte(&mut state.epoch, if may.restart { 2 } else { 0 });
    state.wire[..messages].iter_mut().for_each(|message| message_index(message, bits));
    if may.straggle {
        state.stragglers.iter_mut().for_each(|straggler| may.transmission(straggler, bits));
    }
    may.transmission(&mut state.slot, bits);
    bits.byte(&mut state.log_len, 4);
    let records = usize::from(state.log_len);
    state.log[..records].iter_mut().for_each(|record| may.record(record, bits));
    bits.byte(&mut state.synced, 4);
    bits.byte(&mut state.dedup_floor, if settings.dedup == Dedup::None { 0 } else { 4 });
    bits.byte(&mut state.settled, 8);
    bits.byte(&mut state.settled_synced, 8);
    bits.byte(&mut state.dead, if settings.deliveries_max > 0 { 8 } else { 0 });
    hands(settings, &may, state, records, bits);
    for fault in settings.faults() {
        let times = u8::BITS - settings.budget_of(fault).leading_zeros();
        state.set_fired(fault, bits.code(state.fired(fault).into(), times) as u8);
    }
    if settings.budget_of(Fault::Poison) > 0 {
        message_index(&mut state.poisoned, bits);
    }
    bits.flag(&mut state.cut);
}

/// What consumers hold and remember.
fn hands(settings: &Settings, may: &Possible, state: &mut State, records: usize, bits: &mut impl Bits) {
    let counted = settings.deliveries_max > 0 || settings.delivers_once;
    let (late, cursor) = (if may.be_late { records } else { 0 }, settings.cursor);
    nibbles(&mut state.handed, if counted { records } else { 0 }, bits);
    nibbles(&mut state.live, records, bits);
    nibbles(&mut state.late, late, bits);
    nibbles(&mut state.live_upto, if cursor { records } else { 0 }, bits);
    nibbles(&mut state.late_upto, if cursor { late } else { 0 }, bits);
    for consumer in 0..usize::from(settings.consumers) {
        bits.byte(&mut state.seen[consumer], if settings.remembers == Remembers::Nothing { 0 } else { 8 });
        bits.byte(&mut state.done[consumer], if cursor { 8 } else { 0 });
    }
    bits.byte(&mut state.owner, u32::from(settings.consumers) - 1);
}

fn nibbles(nibbles: &mut Nibbles, count: usize, bits: &mut impl Bits) {
    *nibbles = Nibbles::from_bits(bits.code(nibbles.to_bits().into(), 4 * count as u32) as u32);
}

fn message_index(message: &mut Option<MessageIndex>, bits: &mut impl Bits) {
    let place = bits.code(message.map_or(0, |message| message.index() as u64 + 1), 3);
    *message = place.checked_sub(1).map(|index| MessageIndex::new(index as usize));
}

/// What can happen at all under some settings.
struct Possible {
    /// Messages carry sequence numbers.
    sequence: bool,
    /// The producer restarts.
    restart: bool,
    /// Identities tell sessions apart.
    session: bool,
    /// Copies and old attempts come late.
    straggle: bool,
    /// A hand-off outlives its lease.
    be_late: bool,
}

impl Possible {
    fn under(settings: &Settings) -> Self {
        let strikes = |fault| settings.budget_of(fault) > 0;
        let restart = strikes(Fault::ProducerCrash) || strikes(Fault::ProducerZombie);
        Possible {
            sequence: settings.identity == Identity::Sequence,
            restart,
            session: restart && settings.identity != Identity::None && settings.on_restart != OnRestart::Outbox,
            straggle: strikes(Fault::PublishDuplicated) || strikes(Fault::ProducerZombie),
            be_late: strikes(Fault::LeaseExpiry) || strikes(Fault::BrokerCrash),
        }
    }

    fn record(&self, record: &mut Record, bits: &mut impl Bits) {
        let message = bits.code(record.message() as u64, 2);
        let session = bits.code(record.session().into(), if self.session { 2 } else { 0 });
        let sequence = bits.code(record.sequence().into(), if self.sequence { 2 } else { 0 });
        *record = Record::new(message as usize, session as u8, sequence as u8);
    }

    fn transmission(&self, transmission: &mut Option<Transmission>, bits: &mut impl Bits) {
        let is_there = bits.code(transmission.is_some().into(), 1) != 0;
        if !is_there {
            *transmission = None;
            return;
        }
        let mut it = transmission.unwrap_or_default();
        self.record(&mut it.record, bits);
        bits.byte(&mut it.epoch, if self.restart { 2 } else { 0 });
        bits.flag(&mut it.straggler);
        *transmission = Some(it);
    }
}
