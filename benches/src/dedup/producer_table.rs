//! A table of producers: id, epoch, next number, and a window of 128 numbers from there on.
//!
//! The next number is the lowest that is not stored, and the window does not slide past it: a number beyond the
//! window is refused as a gap until the missing number has come. So all numbers below the next one are known to be
//! stored, numbers may come in any order within the window (as with several attempts in flight), and there are no
//! errors about a producer that is in the table.
//!
//! The table has a capacity. When it is full, it forgets the producer that was idle the longest, and refuses every
//! new producer whose id is not above that one's, whether it was ever seen or not: ids must be given out in rising
//! order, and a refused producer asks for a new one. An older epoch of a known producer is refused too.
//!
//! A producer takes forty bytes and two tree entries.

use std::collections::BTreeMap;
use std::convert::Infallible;

use delivery_model::vocab::Epoch;

use delivery_impls::data::record::{ProducerId, Session};
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::{Answer, Dedup, Errs, Numbered};

const TAG: u8 = 3;

/// The width of the window, from the next number on.
const WIDTH: u64 = 128;

/// The state of every known producer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProducerTable {
    capacity: usize,
    producers: BTreeMap<ProducerId, Producer>,
    /// The producers by the time of their last message, the longest idle first.
    heard: BTreeMap<u64, ProducerId>,
    /// The number of messages of all producers, used as the time.
    time: u64,
    /// The id below which producers are refused unless they are in the table.
    forgotten_below: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Producer {
    epoch: Epoch,
    /// The lowest number that is not stored.
    next: u64,
    /// The window: bit `i` stands for `next + i`. The lowest bit is clear.
    window: u128,
    heard: u64,
}

impl Producer {
    fn judge(self, number: u64) -> Answer {
        match number.checked_sub(self.next) {
            None => Answer::Duplicate,
            Some(ahead) if ahead >= WIDTH => Answer::Gap,
            Some(ahead) if self.window >> ahead & 1 == 1 => Answer::Duplicate,
            Some(_) => Answer::New,
        }
    }

    fn remember(&mut self, number: u64) {
        let Some(ahead) = number.checked_sub(self.next).filter(|ahead| *ahead < WIDTH) else {
            return;
        };
        self.window |= 1 << ahead;
        let run = self.window.trailing_ones();
        self.window = self.window.checked_shr(run).unwrap_or(0);
        self.next += u64::from(run);
    }
}

impl ProducerTable {
    /// A table for at most `capacity` producers.
    ///
    /// # Panics
    ///
    /// If the capacity is 0.
    pub fn new(capacity: usize) -> ProducerTable {
        assert!(capacity > 0, "a table without room refuses every producer");
        let (producers, heard, time, forgotten_below) = Default::default();
        ProducerTable { capacity, producers, heard, time, forgotten_below }
    }

    /// The state of a session's producer; none if it is forgotten. A session that is not known yet has stored
    /// nothing.
    fn known(&self, session: Session) -> Option<Producer> {
        let fresh = Producer { epoch: session.session, ..Producer::default() };
        match self.producers.get(&session.producer) {
            Some(producer) if producer.epoch == session.session => Some(*producer),
            Some(producer) => (producer.epoch < session.session).then_some(fresh),
            None => (u64::from(session.producer.0) >= self.forgotten_below).then_some(fresh),
        }
    }

    /// Makes room: forgets the producer that was idle the longest.
    fn forget_quietest(&mut self) {
        if let Some((_, quietest)) = self.heard.pop_first() {
            self.producers.remove(&quietest);
            self.forgotten_below = self.forgotten_below.max(u64::from(quietest.0) + 1);
        }
    }
}

impl Dedup for ProducerTable {
    const ERRS: Errs = Errs::Refuses;
    type Name = Numbered;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        Ok(self.known(session).map_or(Answer::Forgotten, |producer| producer.judge(number)))
    }

    fn is_certain(&self, Numbered { session, .. }: Numbered) -> Result<bool, Infallible> {
        Ok(self.known(session).is_some())
    }

    fn remember(&mut self, Numbered { session, number }: Numbered) -> Result<(), Infallible> {
        let Some(mut producer) = self.known(session) else {
            return Ok(());
        };
        match self.producers.get(&session.producer) {
            Some(before) => drop(self.heard.remove(&before.heard)),
            None if self.producers.len() >= self.capacity => self.forget_quietest(),
            None => {}
        }
        producer.remember(number);
        producer.heard = self.time;
        self.time += 1;
        self.heard.insert(producer.heard, session.producer);
        self.producers.insert(session.producer, producer);
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let by_session = self.producers.into_iter().map(|(id, producer)| {
            let session = Session { producer: id, session: producer.epoch };
            (session, producer)
        });
        let each = |writer: Writer, producer: Producer| {
            let (low, high) = (producer.window as u64, (producer.window >> 64) as u64);
            writer.u64(producer.next).u64(low).u64(high).u64(producer.heard)
        };
        let head = Writer::new(TAG).u64(self.capacity as u64).u64(self.time).u64(self.forgotten_below);
        head.by_session(by_session.collect::<BTreeMap<_, _>>(), each).finish()
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        snapshot::read(TAG, &bytes, |reader| {
            let (capacity, time, forgotten_below) = (reader.u64()?, reader.u64()?, reader.u64()?);
            snapshot::expect(reader, time < u64::MAX, "fewer times than can be counted")?;
            let by_session = snapshot::by_session(reader, |reader| {
                let (next, low, high, heard) = (reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?);
                let window = u128::from(low) | u128::from(high) << 64;
                let is_plausible = window & 1 == 0 && heard < time && next <= u64::MAX - WIDTH;
                snapshot::expect(
                    reader,
                    is_plausible,
                    "a window that starts with what is missing, heard of before now",
                )?;
                Ok((next, window, heard))
            })?;
            let mut table = ProducerTable { time, forgotten_below, ..ProducerTable::new(usize::MAX) };
            let entries = by_session.len();
            for (Session { producer, session: epoch }, (next, window, heard)) in by_session {
                table.producers.insert(producer, Producer { epoch, next, window, heard });
                table.heard.insert(heard, producer);
            }
            let is_plausible = [table.producers.len(), table.heard.len()] == [entries; 2]
                && (1..=usize::MAX as u64).contains(&capacity)
                && entries as u64 <= capacity;
            snapshot::expect(
                reader,
                is_plausible,
                "no more producers than there is room for, each once and at its own time",
            )?;
            Ok(ProducerTable { capacity: capacity as usize, ..table })
        })
    }
}
