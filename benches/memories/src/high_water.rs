//! A high-water mark for every session: a number that is not above it is a duplicate. Pulsar's deduplication cursor
//! and RabbitMQ's stream writers work like this.
//!
//! It keeps eight bytes for a session. It does not know which numbers below the mark were stored and which were skipped,
//! and calls all of them duplicates. So it is correct only if numbers come in order: after a gap, the attempt that
//! fills it is confirmed and lost.

use std::convert::Infallible;

use delivery_impls::data::snapshot::{SnapshotError, Writer};

use super::sessions::{AHEAD, Sessions};
use super::{Answer, Dedup, Errs, Numbered, sealed};

const TAG: u8 = 1;

/// The highest number of every session.
#[derive(Clone, Debug, Default)]
pub struct HighWater {
    highest: Sessions<u64>,
}

impl Dedup for HighWater {
    const ERRS: Errs = Errs::Suppresses;
    type Name = Numbered;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        let is_above = self.highest.row(session).is_none_or(|highest| number > *highest);
        Ok(if is_above { Answer::New } else { Answer::Duplicate })
    }

    /// Certain for the highest number, which was stored, and for all above it, which were not.
    fn is_certain(&self, Numbered { session, number }: Numbered) -> Result<bool, Infallible> {
        Ok(self.highest.row(session).is_none_or(|highest| number >= *highest))
    }

    fn remember(&mut self, Numbered { session, number }: Numbered) -> Result<(), Infallible> {
        let highest = self.highest.row_or_new(session, || number);
        *highest = number.max(*highest);
        Ok(())
    }

    fn admit_all(&mut self, names: &[Numbered], answers: &mut Vec<Answer>) -> Result<(), Infallible> {
        for batch in names.chunks(AHEAD) {
            self.highest.fetch(batch.iter().map(|name| name.session));
            super::one_by_one(self, batch, answers)?;
        }
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        sealed::seal(self.highest.write(Writer::new(TAG), Writer::u64))
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        sealed::read(TAG, &bytes, |reader| {
            let highest = Sessions::read(reader, |reader| Ok(reader.u64()?))?;
            Ok(HighWater { highest })
        })
    }
}
