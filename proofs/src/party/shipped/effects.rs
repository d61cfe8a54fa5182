//! A database in memory for any payload: the effects that were made, the inbox, and the finished positions.

use delivery_impls::data::keys::Keys;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{DecodeError, Key};
use delivery_impls::store::{Change, EffectStore, Generation, StoreError};
use delivery_model::vocab::Position;

/// A database whose effects are the bytes of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    made: Vec<Vec<u8>>,
    inbox: Keys,
    finished: Positions,
    generation: Generation,
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
        if let Some(found) = change.fenced_by.filter(|found| *found < self.generation) {
            return Err(StoreError::Fenced { current: self.generation, found });
        }
        self.made.extend(change.effect.clone());
        change.inbox.iter().for_each(|key| self.inbox.insert(key));
        change.finished.iter().for_each(|covers| covers.mark(&mut self.finished));
        Ok(())
    }

    fn fence(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.generation = self.generation.max(generation);
        Ok(())
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.inbox.contains(key))
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        Ok(self.finished.clone())
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.finished.truncate(to);
        Ok(())
    }
}
