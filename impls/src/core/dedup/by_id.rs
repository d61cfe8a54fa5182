//! Dedup by message id: a set of identities, as in NATS JetStream (`Nats-Msg-Id`) and SQS FIFO.
//!
//! It is exact: an identity that is not remembered is never called a duplicate. It takes an entry for every record it
//! covers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use delivery_model::vocab::Position;

use super::Familiarity;
use crate::data::record::{Identity, Reader};
use crate::data::snapshot::{self, SnapshotError, Writer};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ById {
    /// The latest position of each identity.
    last: BTreeMap<Identity, Position>,
    /// The covered records in the log's order, so that the oldest are forgotten first.
    order: VecDeque<(Position, Identity)>,
}

impl ById {
    pub(super) fn judge(&self, identity: Identity) -> Familiarity {
        if self.last.contains_key(&identity) { Familiarity::Duplicate } else { Familiarity::New }
    }

    pub(super) fn remember(&mut self, position: Position, identity: Identity) {
        if identity != Identity::None {
            self.last.insert(identity, position);
            self.order.push_back((position, identity));
        }
    }

    /// The position of the latest record with this identity.
    pub(super) fn position_of(&self, identity: Identity) -> Option<Position> {
        self.last.get(&identity).copied()
    }

    pub(super) fn write(&self, writer: Writer) -> Writer {
        writer.list(self.order.iter(), |writer, (position, identity)| writer.u64(position.0).identity(*identity))
    }

    /// Decodes what [`ById::write`] wrote, for the covered positions.
    pub(super) fn read(reader: &mut Reader<'_>, covered: Range<u64>) -> Result<ById, SnapshotError> {
        let mut table = ById::default();
        let mut next = covered.start;
        snapshot::list(reader, |reader| {
            let position = reader.u64()?;
            snapshot::expect(reader, (next..covered.end).contains(&position), "covered positions in rising order")?;
            next = position + 1;
            table.remember(Position(position), Identity::decode(reader)?);
            Ok(())
        })?;
        Ok(table)
    }

    pub(super) fn forget_below(&mut self, floor: Position) {
        while let Some((position, identity)) = self.order.pop_front_if(|(position, _)| *position < floor) {
            // A later record with the same identity keeps the entry.
            if self.last.get(&identity) == Some(&position) {
                self.last.remove(&identity);
            }
        }
    }
}
