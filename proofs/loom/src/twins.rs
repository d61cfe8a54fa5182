//! Broken steps that more than one test puts in the place of the sound ones.

use crate::shared::ack_window::{Marked, Slot, Steps, Word};
use crate::sync::{AtomicU64, Ordering};

/// Reads the word, then writes it: a mark in between is lost, or made twice.
#[derive(Debug)]
pub enum MarksInTwoSteps {}

impl Steps for MarksInTwoSteps {
    fn mark(word: &AtomicU64, slot: Slot, _: Word) -> Marked {
        let Some(found) = Word(word.load(Ordering::Acquire)).on(slot.lap) else {
            return Marked::LapGone;
        };
        if found.settled() >> slot.bit & 1 == 1 {
            return Marked::Again;
        }
        word.store(found.and(slot.bit).0, Ordering::Release);
        Marked::First { found }
    }
}
