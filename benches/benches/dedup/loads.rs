//! The loads: sequences of message names with retries among them, made before the clock starts.
//!
//! A load is run again and again with the numbers that follow, so that what was new stays new. Its items are
//! therefore relative: the n-th run of a producer's items begins where the one before ended.

use std::collections::HashSet;

use delivery_impls::data::record::{ProducerId, Session};
use delivery_memories::{Id, Numbered};
use delivery_model::vocab::Epoch;
use foldhash::fast::FixedState;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// The items of a run that stays in the caches.
pub const SHORT: usize = 1 << 15;
/// The items of a run that does not.
pub const LONG: usize = 1 << 16;
/// A retry repeats one of so many latest messages of its producer. The shortest memory has five.
const IN_FLIGHT: u64 = 4;

/// A kind of names.
pub trait Named: Copy {
    /// The name of a producer's message.
    fn of(producer: u32, number: u64) -> Self;
}

impl Named for Numbered {
    fn of(producer: u32, number: u64) -> Numbered {
        Numbered { session: Session { producer: ProducerId(producer), session: Epoch(0) }, number }
    }
}

impl Named for Id {
    fn of(_: u32, number: u64) -> Id {
        // Ids of applications come in no order. Multiplication by an odd number maps each number to another one.
        let mix = |number: u64, by: u64| (number ^ number >> 29).wrapping_mul(by);
        Id(mix(mix(number, 0x9e37_79b9_7f4a_7c15), 0xbf58_476d_1ce4_e5b9), mix(number, 0x94d0_49bb_1331_11eb))
    }
}

/// A publish: its producer, and its message's distance from the first one of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    pub producer: u32,
    pub ahead: i64,
}

/// A load.
pub struct Load {
    /// Its name in the report.
    pub id: String,
    pub items: Vec<Item>,
    /// How many messages of each producer are in it, retries not counted.
    fresh: Vec<u64>,
    /// How many messages of each producer were published before the first run.
    pub before: u64,
    /// How far a message may be ahead of the lowest one of its producer that has not come yet, plus one.
    pub ahead_max: u64,
    /// The entries that a memory has, by which its bytes are divided: producers, or ids.
    pub entries: u64,
}

impl Load {
    fn new(id: String, items: Vec<Item>, producers: u32, before: u64, entries: u64) -> Load {
        let mut fresh = vec![0; producers as usize];
        let (mut ahead_max, mut lowest) = (0, vec![0_i64; producers as usize]);
        let mut ahead: HashSet<Item, FixedState> = HashSet::default();
        for item in &items {
            let producer = item.producer as usize;
            fresh[producer] = fresh[producer].max((item.ahead + 1).max(0) as u64);
            ahead_max = ahead_max.max((item.ahead + 1 - lowest[producer]).max(0) as u64);
            ahead.insert(*item);
            while ahead.remove(&Item { producer: item.producer, ahead: lowest[producer] }) {
                lowest[producer] += 1;
            }
        }
        Load { id, items, fresh, before, ahead_max, entries }
    }

    /// What is published before the first run, so that each producer is known and each window is full.
    pub fn warm<N: Named>(&self) -> Vec<N> {
        let mut producers: Vec<u32> = (0..self.fresh.len() as u32).collect();
        producers.shuffle(&mut random(self.before));
        let of = |producer: u32| (0..self.before).map(move |number| N::of(producer, number));
        producers.into_iter().flat_map(of).collect()
    }

    /// The names of the n-th run.
    pub fn names<N: Named>(&self, run: u64, names: &mut Vec<N>) {
        names.clear();
        names.extend(self.items.iter().map(|&Item { producer, ahead }| {
            let first = self.before + run * self.fresh[producer as usize];
            N::of(producer, first.wrapping_add_signed(ahead))
        }));
    }
}

fn random(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

/// One producer, of whose publishes this share are retries, and whose messages are shuffled in blocks of this length.
pub fn one_producer(id: &str, retries: f64, block: usize) -> Load {
    let mut random = random(1);
    let mut order: Vec<i64> = (0..SHORT as i64).collect();
    order.chunks_mut(block).for_each(|block| block.shuffle(&mut random));
    // The last block is whole, so that the next run finds no gap.
    let fresh = (SHORT as f64 * (1.0 - retries)) as usize / block * block;
    let (mut items, mut next) = (Vec::with_capacity(SHORT), 0);
    while next < fresh {
        let is_retry = next > 0 && random.random_bool(retries);
        let at = if is_retry { next - random.random_range(1..=next.min(IN_FLIGHT as usize)) } else { next };
        next += usize::from(!is_retry);
        items.push(Item { producer: 0, ahead: order[at] });
    }
    Load::new(id.to_owned(), items, 1, 1, 1)
}

/// Blackouts: this many messages of one producer are stored, and none of their acks arrives, so all are sent again.
pub fn blackouts(id: &str, messages: i64, before: u64, entries: u64) -> Load {
    let rounds = (SHORT as i64 / messages / 2).max(1);
    let twice = |round: i64| (0..2).flat_map(move |_| round * messages..(round + 1) * messages);
    let items = (0..rounds).flat_map(twice).map(|ahead| Item { producer: 0, ahead });
    Load::new(id.to_owned(), items.collect(), 1, before, entries)
}

/// Who publishes next.
#[derive(Clone, Copy)]
pub enum Share {
    /// Each producer as often as any other.
    Uniform,
    /// The n-th producer one n-th as often as the first (Zipf's law).
    Zipf,
}

/// Many producers, each in order; one publish in ten is a retry.
pub fn producers(id: String, producers: u32, share: Share, publishes: usize) -> Load {
    let mut random = random(producers.into());
    let mut until = 0.0;
    let shares = (1..=producers).map(|nth| {
        until += match share {
            Share::Uniform => 1.0,
            Share::Zipf => 1.0 / f64::from(nth),
        };
        until
    });
    let shares: Vec<f64> = shares.collect();
    // The busy producers are anywhere in a table.
    let mut ids: Vec<u32> = (0..producers).collect();
    ids.shuffle(&mut random);
    let mut next = vec![0_i64; producers as usize];
    let items = (0..publishes).map(|_| {
        let drawn = random.random_range(0.0..until);
        let producer = ids[shares.partition_point(|share| *share <= drawn)];
        let next = &mut next[producer as usize];
        let is_retry = *next > 0 && random.random_bool(0.1);
        *next += i64::from(!is_retry);
        Item { producer, ahead: *next - 1 }
    });
    Load::new(id, items.collect(), producers, 1, producers.into())
}

/// Ids, of which so many are remembered; one publish in ten is a retry of any one of these.
pub fn ids(id: String, remembered: u64, publishes: usize) -> Load {
    let mut random = random(remembered);
    let mut next = 0_i64;
    let items = (0..publishes).map(|_| {
        let is_retry = random.random_bool(0.1);
        let ahead = if is_retry { next - random.random_range(1..=remembered as i64) } else { next };
        next += i64::from(!is_retry);
        Item { producer: 0, ahead }
    });
    Load::new(id, items.collect(), 1, 2 * remembered, remembered)
}
