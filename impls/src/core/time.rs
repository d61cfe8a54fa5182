//! Time in the cores: a number that the driver passes in.
//!
//! Architecture Invariant: no code below the drivers reads a clock.

use std::ops::Add;

/// Milliseconds since a moment that the driver chose. A simulation may leave it at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Add for Millis {
    type Output = Millis;

    fn add(self, later_by: Millis) -> Millis {
        Millis(self.0.saturating_add(later_by.0))
    }
}

/// The back-off of a producer: `base`, doubled with every attempt, at most `max`, plus jitter.
///
/// The jitter spreads the retries of producers that failed together. It is computed from a seed and the attempt, so a
/// producer waits equally long in every run; a seed of 0 means no jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackOff {
    /// The wait before the second attempt.
    pub base: Millis,
    /// The longest wait, before jitter.
    pub max: Millis,
    /// The seed of the jitter; 0: none.
    pub seed: u64,
}

impl Default for BackOff {
    fn default() -> Self {
        BackOff { base: Millis(10), max: Millis(1_000), seed: 0 }
    }
}

impl BackOff {
    /// The wait after attempt `failed` (counted from 1) of the message with this `salt`. Jitter adds up to half of
    /// it.
    pub fn after(&self, failed: u32, salt: u64) -> Millis {
        let doublings = failed.saturating_sub(1).min(32);
        let wait = self.base.0.saturating_mul(1 << doublings).min(self.max.0);
        if self.seed == 0 {
            return Millis(wait);
        }
        let spread = mix(self.seed ^ mix(mix(salt) ^ u64::from(failed)));
        Millis(wait + spread % (wait / 2 + 1))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let back_off = BackOff { base: Millis(10), max: Millis(35), seed: 0 };
        let waits: Vec<u64> = (1..=4).map(|failed| back_off.after(failed, 7).0).collect();
        assert_eq!(waits, [10, 20, 35, 35]);
    }

    #[test]
    fn jitter_spreads_messages_and_repeats_for_the_same_seed() {
        let back_off = BackOff { seed: 9, ..BackOff::default() };
        let waits: Vec<Millis> = (0..8).map(|salt| back_off.after(3, salt)).collect();
        assert_eq!(waits, (0..8).map(|salt| back_off.after(3, salt)).collect::<Vec<_>>());
        assert!(waits.iter().all(|wait| (40..=60).contains(&wait.0)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }

    /// The wait of one message's second attempt is not related to that of another message's first.
    #[test]
    fn the_attempt_and_the_message_do_not_stand_for_each_other() {
        let back_off = BackOff { base: Millis(1_000_000), max: Millis(1_000_000), seed: 9 };
        let mut waits: Vec<u64> =
            (1..9).flat_map(|failed| (1..9).map(move |salt| back_off.after(failed, salt).0)).collect();
        waits.sort();
        waits.dedup();
        assert_eq!(waits.len(), 64, "{waits:?}");
    }

    #[test]
    fn jitter_adds_up_to_half_of_the_wait() {
        let check = |wait, expected: &[u64]| {
            let back_off = BackOff { base: Millis(wait), max: Millis(wait), seed: 3 };
            let mut waits: Vec<u64> = (0..64).map(|salt| back_off.after(1, salt).0).collect();
            waits.sort();
            waits.dedup();
            assert_eq!(waits, expected, "{wait}");
        };
        check(0, &[0]);
        check(1, &[1]);
        check(4, &[4, 5, 6]);
        check(5, &[5, 6, 7]);
    }

    /// A later build repeats a recorded run only if it waits equally long.
    #[test]
    fn the_same_seed_waits_equally_long_in_every_build() {
        // The first outputs of SplitMix64 from seed 0, each computed from the state before it.
        let states = [0_u64, 1, 2].map(|turns| turns.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert_eq!(states.map(mix), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        let waits = |seed| {
            let back_off = BackOff { base: Millis(1_000_000), max: Millis(1_000_000), seed };
            [(1, 1), (2, 1), (3, 4)].map(|(failed, salt)| back_off.after(failed, salt).0)
        };
        assert_eq!(waits(9), [1_137_755, 1_154_366, 1_378_802]);
        assert_eq!(waits(10), [1_044_987, 1_101_177, 1_396_134]);
    }
}
