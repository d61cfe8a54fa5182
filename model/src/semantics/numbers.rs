//! The numbers of messages in the judge: counted from 0 in the order in which they are first seen.

use crate::pages::Sparse;
use crate::vocab::MessageId;

/// The number of each message. The ids of messages that are named by numbers rise from 0, those of texts fall from the highest
/// id. Each half has its own table, which is small where its ids come in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    low: Sparse<u32>,
    high: Sparse<u32>,
    count: u32,
    /// The messages below this number were forgotten.
    forgotten: u32,
}

const HALF: u64 = 1 << 63;

impl Numbers {
    fn table(&self, message: MessageId) -> (&Sparse<u32>, u64) {
        if message.0 < HALF { (&self.low, message.0) } else { (&self.high, !message.0) }
    }

    /// How many messages were seen.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The number of a message that was seen and not forgotten.
    #[inline]
    pub fn get(&self, message: MessageId) -> Option<u32> {
        let (table, key) = self.table(message);
        table.get(key).filter(|nth| *nth >= self.forgotten)
    }

    /// The number of a message: the next one, if it is new. There are fewer messages than lines, so a `u32` is enough.
    #[inline]
    pub fn number(&mut self, message: MessageId) -> u32 {
        if let Some(nth) = self.get(message) {
            return nth;
        }
        let nth = self.count;
        self.count += 1;
        let (table, key) = if message.0 < HALF { (&mut self.low, message.0) } else { (&mut self.high, !message.0) };
        table.set(key, nth);
        nth
    }

    /// The messages with these numbers.
    pub fn named(&self, wanted: impl Fn(u32) -> bool) -> impl Iterator<Item = (u32, MessageId)> {
        let low = self.low.iter().map(|(key, nth)| (nth, MessageId(key)));
        let high = self.high.iter().map(|(key, nth)| (nth, MessageId(!key)));
        low.chain(high).filter(move |(nth, _)| wanted(*nth))
    }

    /// Forgets the messages below this number. Their memory is freed by [`sweep`](Numbers::sweep).
    pub fn forget_below(&mut self, nth: u32) {
        self.forgotten = nth;
    }

    /// Frees the memory of what was forgotten.
    pub fn sweep(&mut self) {
        let lowest = self.forgotten;
        self.low.retain(|_, its| its >= lowest);
        self.high.retain(|_, its| its >= lowest);
    }
}
