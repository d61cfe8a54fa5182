//! Broken steps that more than one test puts in the place of the sound ones.

use crate::shared::ack_window::{Marked, Slot, Steps, Word, settled_on};
use crate::sync::{AtomicU64, Ordering};

/// Reads the word, then writes it: a mark in between is lost, or made twice.
#[derive(Debug)]
pub enum MarksInTwoSteps {}

impl Steps for MarksInTwoSteps {
    fn mark(word: &AtomicU64, slot: Slot) -> Marked {
        let Some(settled) = settled_on(slot.lap, Word::unpack(word.load(Ordering::Acquire))) else {
            return Marked::LapGone;
        };
        let bit = 1 << slot.bit;
        if settled & bit != 0 {
            return Marked::Again;
        }
        let settled = settled | bit;
        word.store(Word { lap: slot.lap, settled }.pack(), Ordering::Release);
        Marked::First { settled }
    }
}
