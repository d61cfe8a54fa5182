//! What reads of memory take, as the limit of a memory of that size: one after another, where each read says where
//! the next one is, and many at once, where all places are known before.

use std::collections::BTreeMap;
use std::hint::black_box;

use delivery_benches::time_of_thread;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// The bytes of a line of the cache.
const LINE: usize = 64;
/// The fewest bytes that are measured: they stay in the first cache.
const BYTES_MIN: usize = 4096;
/// The reads of a measurement.
const READS: usize = 1 << 17;
/// The best of so many tries counts.
const TRIES: usize = 5;

#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    next: u32,
}

/// The nanoseconds of one read.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    pub dependent: f64,
    pub independent: f64,
}

/// The floors that were measured in this run, by size.
#[derive(Default)]
pub struct Floors(BTreeMap<usize, Floor>);

impl Floors {
    /// The floor of a memory of so many bytes, or up to a fifth more.
    pub fn of(&mut self, bytes: usize) -> Floor {
        let mut size = BYTES_MIN;
        while size < bytes {
            size += size / 5 / LINE * LINE;
        }
        *self.0.entry(size).or_insert_with(|| measure(size))
    }
}

fn measure(bytes: usize) -> Floor {
    let mut random = SmallRng::seed_from_u64(bytes as u64);
    let count = bytes / LINE;
    let mut order: Vec<u32> = (0..count as u32).collect();
    order.shuffle(&mut random);
    let mut lines = vec![Line::default(); count];
    for (place, next) in order.iter().zip(order.iter().cycle().skip(1)) {
        lines[*place as usize].next = *next;
    }
    // Other places at each try: those of the last one may be in the cache.
    let places: Vec<u32> = (0..READS * TRIES).map(|_| random.random_range(0..count as u32)).collect();
    let mut places = places.chunks(READS).cycle();
    let mut at = 0;
    let dependent = best(|| {
        for _ in 0..READS {
            at = lines[at as usize].next;
        }
        black_box(at);
    });
    let independent = best(|| {
        let places = places.next().expect("it goes round").iter();
        black_box(places.fold(0, |read, place| read ^ lines[*place as usize].next));
    });
    Floor { dependent, independent }
}

fn best(mut work: impl FnMut()) -> f64 {
    let tries = (0..TRIES).map(|_| time_of_thread(&mut work).as_secs_f64());
    tries.fold(f64::MAX, f64::min) * 1e9 / READS as f64
}
