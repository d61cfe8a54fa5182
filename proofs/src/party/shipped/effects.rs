//! A database in memory for any payload: the effects that were made, the inbox, and the finished positions.

use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{DecodeError, Key};
use delivery_impls::store::simulated::Progress;
use delivery_impls::store::{Change, EffectStore, Generation, StoreError};
use delivery_model::vocab::Position;

/// A database whose effects are the bytes of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    made: Vec<Vec<u8>>,
    progress: Progress,
}

impl Effects {
    /// The payloads of all effects, in the order in which they were made.
    pub fn made(&self) -> &[Vec<u8>] {
        &self.made
    }
}

impl EffectStore for Effects {
    type Effect = Vec<u8>;

    fn effect_of(&self, payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(payload.to_vec())
    }

    fn apply(&mut self, change: &Change<Vec<u8>>) -> Result<(), StoreError> {
        self.progress.apply(change)?;
        self.made.extend(change.effect.clone());
        Ok(())
    }

    fn fence(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.progress.fence(generation);
        Ok(())
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.progress.seen(key))
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        Ok(self.progress.finished().clone())
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.progress.rewind(to);
        Ok(())
    }
}
