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
//! A producer takes one line of the cache; once the table is full, also a place in the queue
//! ([`idle`](super::idle)).

use std::convert::Infallible;

use delivery_model::vocab::Epoch;

use delivery_impls::data::record::{ProducerId, Session};
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::idle::Idle;
use super::sessions::{AHEAD, FETCH_FROM};
use super::slots;
use super::table::Table;
use super::{Answer, Dedup, Errs, Numbered, sealed};

const TAG: u8 = 3;

/// The number of bytes of a producer in a snapshot.
const ROW_BYTES: usize = 32;

/// The width of the window, from the next number on.
const WIDTH: u64 = 128;

/// The state of every known producer.
#[derive(Clone, Debug)]
pub struct ProducerTable {
    capacity: usize,
    rows: Table<Row>,
    /// The order in which rows were idle; made when the table is full for the first time. From then on it does not grow, so
    /// rows stay where they are.
    idle: Option<Idle>,
    /// The number of messages of all producers, used as the time.
    time: u64,
    /// The id below which producers are refused unless they are in the table.
    forgotten_below: u64,
}

/// A producer.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    id: ProducerId,
    producer: ProducerState,
    /// The time of its last message.
    heard: u64,
}

const _: () = assert!(Table::<Row>::PLACE_BYTES == 64, "a producer takes one line of the cache");

impl Row {
    /// Writes what a snapshot has of it.
    fn write(&self, writer: Writer) -> Writer {
        let Row { id, producer: ProducerState { epoch, next, window }, .. } = *self;
        let session = Session { producer: id, session: epoch };
        writer.session(session).u64(next).u64(window as u64).u64((window >> 64) as u64)
    }

    /// The id in what [`Row::write`] wrote.
    #[inline]
    fn id(bytes: &[u8; ROW_BYTES]) -> ProducerId {
        ProducerId(u32::from_le_bytes(part(bytes, 0)))
    }

    /// Reads what [`Row::write`] wrote.
    #[inline]
    fn read(bytes: &[u8; ROW_BYTES], heard: u64) -> Row {
        let epoch = Epoch(u32::from_le_bytes(part(bytes, 4)));
        let (next, window) = (u64::from_le_bytes(part(bytes, 8)), u128::from_le_bytes(part(bytes, 16)));
        Row { id: Row::id(bytes), producer: ProducerState { epoch, next, window }, heard }
    }
}

/// What the table knows of a producer, by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProducerState {
    epoch: Epoch,
    /// The lowest number that is not stored.
    next: u64,
    /// The window: bit `i` stands for `next + i`. The lowest bit is clear.
    window: u128,
}

impl ProducerState {
    /// Judges a name of this producer, and remembers it if it is new. A later epoch begins anew, and an earlier one is
    /// refused.
    #[inline]
    pub fn admit(&mut self, Numbered { session, number }: Numbered) -> Answer {
        if session.session != self.epoch {
            return self.admit_of_another_epoch(session.session, number);
        }
        // As a rule numbers come in order.
        if number == self.next && self.window & 2 == 0 {
            self.window >>= 1;
            self.next += 1;
            return Answer::New;
        }
        let answer = self.judge(number);
        if answer == Answer::New {
            self.remember(number);
        }
        answer
    }

    #[cold]
    fn admit_of_another_epoch(&mut self, epoch: Epoch, number: u64) -> Answer {
        if epoch < self.epoch {
            return Answer::Forgotten;
        }
        let mut fresh = ProducerState { epoch, ..ProducerState::default() };
        let answer = fresh.judge(number);
        if answer == Answer::New {
            fresh.remember(number);
            *self = fresh;
        }
        answer
    }

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
        let (idle, time, forgotten_below) = Default::default();
        // Ids have 32 bits, so there are never more rows.
        let capacity = capacity.min(u32::MAX as usize - 1);
        ProducerTable { capacity, rows: Table::with_capacity(0), idle, time, forgotten_below }
    }

    #[inline]
    fn place(&self, hash: u64, id: ProducerId) -> Option<usize> {
        self.rows.find(hash, |row| row.id == id)
    }

    /// The state of a session's producer, which has this row; none if it is forgotten. A session that is not known yet
    /// has stored nothing.
    #[inline]
    fn known(&self, session: Session, row: Option<usize>) -> Option<ProducerState> {
        let fresh = ProducerState { epoch: session.session, ..ProducerState::default() };
        match row.map(|row| self.rows.row(row).producer) {
            Some(producer) if producer.epoch == session.session => Some(producer),
            Some(producer) => (producer.epoch < session.session).then_some(fresh),
            None => (u64::from(session.producer.0) >= self.forgotten_below).then_some(fresh),
        }
    }

    /// Judges and remembers.
    #[inline]
    fn admit_hashed(&mut self, hash: u64, name: Numbered) -> Answer {
        let id = name.session.producer;
        let Some(row) = self.place(hash, id) else {
            return self.admit_newcomer(hash, name);
        };
        let row = self.rows.row_mut(row);
        let answer = row.producer.admit(name);
        if answer == Answer::New {
            row.heard = self.time;
            self.time += 1;
        }
        answer
    }

    #[cold]
    fn admit_newcomer(&mut self, hash: u64, name: Numbered) -> Answer {
        let Some(mut producer) = self.known(name.session, None) else {
            return Answer::Forgotten;
        };
        let answer = producer.admit(name);
        if answer == Answer::New {
            self.add(hash, Row { id: name.session.producer, producer, heard: self.time });
            self.time += 1;
        }
        answer
    }

    fn add(&mut self, hash: u64, row: Row) {
        if self.rows.len() >= self.capacity {
            self.forget_quietest();
        }
        let at = self.rows.insert(hash, row, self.capacity, |row| hash_of(row.id));
        if let Some(idle) = &mut self.idle {
            idle.add(row.heard, at);
        }
    }

    /// Makes room: forgets the producer that was idle the longest.
    fn forget_quietest(&mut self) {
        let rows = &self.rows;
        let idle = self.idle.get_or_insert_with(|| rows.iter().map(|(at, row)| (row.heard, at)).collect());
        if let Some(at) = idle.take_longest(|at| rows.row(at).heard) {
            let id = rows.row(at).id;
            self.rows.remove(hash_of(id), at);
            self.forgotten_below = self.forgotten_below.max(u64::from(id.0) + 1);
        }
    }
}

/// The bytes of a field that begins here.
#[inline]
fn part<const N: usize>(bytes: &[u8; ROW_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|nth| bytes[at + nth])
}

#[inline]
fn hash_of(id: ProducerId) -> u64 {
    slots::hash(id.0.into(), 0)
}

impl Dedup for ProducerTable {
    const ERRS: Errs = Errs::Refuses;
    type Name = Numbered;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        let row = self.place(hash_of(session.producer), session.producer);
        Ok(self.known(session, row).map_or(Answer::Forgotten, |producer| producer.judge(number)))
    }

    fn is_certain(&self, Numbered { session, .. }: Numbered) -> Result<bool, Infallible> {
        let row = self.place(hash_of(session.producer), session.producer);
        Ok(self.known(session, row).is_some())
    }

    fn remember(&mut self, name: Numbered) -> Result<(), Infallible> {
        self.admit(name).map(drop)
    }

    fn admit(&mut self, name: Numbered) -> Result<Answer, Infallible> {
        Ok(self.admit_hashed(hash_of(name.session.producer), name))
    }

    fn admit_all(&mut self, names: &[Numbered], answers: &mut Vec<Answer>) -> Result<(), Infallible> {
        if self.rows.len() < FETCH_FROM {
            return super::one_by_one(self, names, answers);
        }
        answers.reserve(names.len());
        // The row of a name is fetched while others before it are judged.
        let mut hashes = [0; AHEAD];
        for step in 0..names.len() + AHEAD {
            if let Some(judged) = step.checked_sub(AHEAD) {
                answers.push(self.admit_hashed(hashes[judged % AHEAD], names[judged]));
            }
            if let Some(name) = names.get(step) {
                hashes[step % AHEAD] = hash_of(name.session.producer);
                self.rows.prefetch(hashes[step % AHEAD]);
            }
        }
        Ok(())
    }

    /// The rows from the longest idle on, so that the order says what the times say.
    fn into_snapshot(self) -> Vec<u8> {
        let mut order: Vec<(u64, usize)> = self.rows.iter().map(|(at, row)| (row.heard, at)).collect();
        order.sort_unstable();
        let each = |writer: Writer, (_, at): (u64, usize)| self.rows.row(at).write(writer);
        let head = Writer::new(TAG).u64(self.capacity as u64).u64(self.forgotten_below);
        sealed::seal(head.list(order.into_iter(), each))
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        sealed::read(TAG, &bytes, |reader| {
            let (capacity, forgotten_below, count) = (reader.u64()?, reader.u64()?, reader.u64()?);
            let is_plausible = (1..u64::from(u32::MAX)).contains(&capacity) && count <= capacity;
            snapshot::expect(reader, is_plausible, "no more producers than there is room for")?;
            let mut table = ProducerTable { forgotten_below, ..ProducerTable::new(capacity as usize) };
            // A count that lies ends here, before anything is reserved for it.
            let rows = reader.bytes(count as usize * ROW_BYTES)?.as_chunks::<ROW_BYTES>().0;
            table.rows = Table::with_capacity(rows.len());
            let mut hashes = [0; AHEAD];
            for step in 0..rows.len() + AHEAD {
                if let Some(nth) = step.checked_sub(AHEAD) {
                    let row = Row::read(&rows[nth], nth as u64);
                    let hash = hashes[nth % AHEAD];
                    let is_plausible = row.producer.window & 1 == 0 && row.producer.next <= u64::MAX - WIDTH;
                    snapshot::expect(reader, is_plausible, "a window that starts with what is missing")?;
                    let is_first = table.rows.insert_first(hash, row, |other| other.id == row.id);
                    snapshot::expect(reader, is_first, "every producer once")?;
                }
                if let Some(row) = rows.get(step) {
                    hashes[step % AHEAD] = hash_of(Row::id(row));
                    table.rows.prefetch(hashes[step % AHEAD]);
                }
            }
            Ok(ProducerTable { time: count, ..table })
        })
    }
}
