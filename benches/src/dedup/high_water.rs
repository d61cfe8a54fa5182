//! A high-water mark for every session: a number that is not above it is a duplicate. Pulsar's deduplication cursor
//! and RabbitMQ's stream writers work like this.
//!
//! It takes eight bytes a session. It does not know which numbers below the mark were stored and which were skipped,
//! and calls all of them duplicates. So it is correct only if numbers come in order: after a gap, the attempt that
//! fills it is confirmed and lost.

use std::collections::BTreeMap;
use std::convert::Infallible;

use delivery_impls::data::record::Session;
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::{Answer, Dedup, Errs, Numbered};

const TAG: u8 = 1;

/// The highest number of every session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HighWater {
    highest: BTreeMap<Session, u64>,
}

impl Dedup for HighWater {
    const ERRS: Errs = Errs::Suppresses;
    type Name = Numbered;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        let is_above = self.highest.get(&session).is_none_or(|highest| number > *highest);
        Ok(if is_above { Answer::New } else { Answer::Duplicate })
    }

    /// Certain for the highest number, which was stored, and for all above it, which were not.
    fn is_certain(&self, Numbered { session, number }: Numbered) -> Result<bool, Infallible> {
        Ok(self.highest.get(&session).is_none_or(|highest| number >= *highest))
    }

    fn remember(&mut self, Numbered { session, number }: Numbered) -> Result<(), Infallible> {
        let highest = self.highest.entry(session).or_insert(number);
        *highest = number.max(*highest);
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        Writer::new(TAG).by_session(self.highest, Writer::u64).finish()
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        snapshot::read(TAG, &bytes, |reader| {
            let highest = snapshot::by_session(reader, |reader| Ok(reader.u64()?))?;
            Ok(HighWater { highest })
        })
    }
}
