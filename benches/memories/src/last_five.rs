//! The rule of Kafka for idempotent producers (`ProducerStateEntry`): the last five numbers, matched exactly.
//!
//! The number after the last one is stored; one of the last five is a duplicate; any other number is refused as out
//! of order. Kafka lets a producer have five batches in flight. Here a batch is one message; in Kafka it has a first
//! and a last number, and both must match.
//!
//! It forgets the numbers before the last five, and refuses them. Left out: Kafka forgets an idle producer after a
//! day, and then accepts any number from it.

use std::convert::Infallible;

use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::sessions::{AHEAD, Sessions};
use super::{Answer, Dedup, Errs, Numbered, sealed};

const TAG: u8 = 4;

/// The number of messages that a session remembers.
const KEPT: u64 = 5;

/// The last five numbers of every session.
#[derive(Clone, Debug, Default)]
pub struct LastFive {
    last: Sessions<Last>,
}

/// The last numbers of a session. Every number follows the one before, so two numbers are enough to describe them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Last {
    number: u64,
    /// The count of remembered numbers, the last one included: at most five.
    kept: u64,
}

impl Last {
    fn judge(self, number: u64) -> Answer {
        match self.number.checked_sub(number) {
            Some(before) if before < self.kept => Answer::Duplicate,
            Some(_) => Answer::Forgotten,
            None if number == self.number + 1 => Answer::New,
            None => Answer::Gap,
        }
    }
}

impl Dedup for LastFive {
    const ERRS: Errs = Errs::Refuses;
    type Name = Numbered;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        Ok(self.last.row(session).map_or(Answer::New, |last| last.judge(number)))
    }

    fn is_certain(&self, name: Numbered) -> Result<bool, Infallible> {
        let Ok(answer) = self.judge(name);
        Ok(answer != Answer::Forgotten)
    }

    fn remember(&mut self, name: Numbered) -> Result<(), Infallible> {
        debug_assert_eq!(self.judge(name), Ok(Answer::New), "only what is new is stored");
        let Numbered { session, number } = name;
        let last = self.last.row_or_new(session, || Last { number, kept: 0 });
        *last = Last { number, kept: (last.kept + 1).min(KEPT) };
        Ok(())
    }

    fn admit_all(&mut self, names: &[Numbered], answers: &mut Vec<Answer>) -> Result<(), Infallible> {
        for batch in names.chunks(AHEAD) {
            self.last.fetch(batch.iter().map(|name| name.session));
            super::one_by_one(self, batch, answers)?;
        }
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let each = |writer: Writer, last: Last| writer.u64(last.number).u64(last.kept);
        sealed::seal(self.last.write(Writer::new(TAG), each))
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        sealed::read(TAG, &bytes, |reader| {
            let last = Sessions::read(reader, |reader| {
                let last = Last { number: reader.u64()?, kept: reader.u64()? };
                let is_plausible = (1..=KEPT).contains(&last.kept) && last.kept - 1 <= last.number;
                snapshot::expect(reader, is_plausible, "one to five numbers, none below 0")?;
                Ok(last)
            })?;
            Ok(LastFive { last })
        })
    }
}
