//! A map from sessions to what a memory keeps of each, in rows one after another with an index beside them.
//!
//! Most publishes come from the session of the one before, so that row is looked at first.

use delivery_impls::data::record::{Reader, Session};
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};
use prefetch_index::prefetch_index;

use super::slots::{self, Slots};

/// The number of names of a batch that are looked up at once: as many reads as a core has under way, and some.
pub(super) const AHEAD: usize = 32;

/// The number of rows from which on a batch is worth looking up ahead: fewer stay in the caches near the core.
pub(super) const FETCH_FROM: usize = 1 << 13;

/// The hash of a session.
#[inline]
pub(super) fn hash(session: Session) -> u64 {
    slots::hash(u64::from(session.producer.0) | u64::from(session.session.0) << 32, 0)
}

#[derive(Clone, Debug)]
pub(super) struct Sessions<V> {
    index: Slots,
    rows: Vec<(Session, V)>,
    /// The row that was used last.
    last: usize,
}

impl<V> Default for Sessions<V> {
    fn default() -> Self {
        Sessions { index: Slots::with_capacity(0), rows: Vec::new(), last: 0 }
    }
}

impl<V> Sessions<V> {
    pub(super) fn row(&self, session: Session) -> Option<&V> {
        let at = self.place(session)?;
        Some(&self.rows[at].1)
    }

    /// The session's row, which is made first if there is none.
    #[inline]
    pub(super) fn row_or_new(&mut self, session: Session, new: impl FnOnce() -> V) -> &mut V {
        let at = match self.place(session) {
            Some(at) => at,
            None => self.push(session, new()),
        };
        self.last = at;
        &mut self.rows[at].1
    }

    #[inline]
    fn place(&self, session: Session) -> Option<usize> {
        if self.rows.get(self.last).is_some_and(|(last, _)| *last == session) {
            return Some(self.last);
        }
        let found = self.index.find(hash(session), |slot| self.rows[slot as usize].0 == session);
        found.map(|slot| slot as usize)
    }

    fn push(&mut self, session: Session, row: V) -> usize {
        let at = self.rows.len();
        let rows = &self.rows;
        self.index.insert(hash(session), at as u32, |slot| hash(rows[slot as usize].0));
        self.rows.push((session, row));
        at
    }

    /// Has the rows of these sessions fetched into the cache. Takes at most [`AHEAD`] of them.
    pub(super) fn fetch(&self, sessions: impl Iterator<Item = Session>) {
        if self.rows.len() < FETCH_FROM {
            return;
        }
        let (mut hashes, mut count) = ([0; AHEAD], 0);
        for (hash_of, session) in hashes.iter_mut().zip(sessions) {
            *hash_of = hash(session);
            self.index.prefetch(*hash_of);
            count += 1;
        }
        for hash in &hashes[..count] {
            if let Some(row) = self.index.guess(*hash) {
                prefetch_index(&self.rows, row as usize);
            }
        }
    }

    /// Writes a count, then a row for every session in order.
    pub(super) fn write(self, writer: Writer, each: impl Fn(Writer, V) -> Writer) -> Writer {
        let mut rows = self.rows;
        rows.sort_unstable_by_key(|(session, _)| *session);
        writer.list(rows.into_iter(), |writer, (session, row)| each(writer.session(session), row))
    }

    /// Reads what [`Sessions::write`] wrote.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        mut each: impl FnMut(&mut Reader<'_>) -> Result<V, SnapshotError>,
    ) -> Result<Self, SnapshotError> {
        let mut sessions = Sessions::default();
        for _ in 0..reader.u64()? {
            let session = snapshot::session(reader)?;
            let is_next = sessions.rows.last().is_none_or(|(last, _)| *last < session);
            snapshot::expect(reader, is_next, "sessions in rising order")?;
            let row = each(reader)?;
            sessions.push(session, row);
        }
        Ok(sessions)
    }
}
