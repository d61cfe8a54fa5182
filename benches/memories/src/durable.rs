//! A durable memory in the store: an inbox table that is written when a message is stored, and looked up on disk.
//!
//! It forgets nothing and survives a restart by itself. It needs a durable transaction a message, unless it is part
//! of one that is made anyway, and a look-up on disk; and it grows without limit.

use std::convert::Infallible;

use delivery_impls::data::record::{Identity, Key};
use delivery_impls::store::{Change, EffectStore, StoreError};

use super::{Answer, Dedup, Errs};

/// All identities, in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Durable<S> {
    store: S,
}

impl<S: EffectStore> Dedup for Durable<S> {
    const ERRS: Errs = Errs::Never;
    type Name = Identity;
    type Error = StoreError;
    type Snapshot = S;
    type RecoverError = Infallible;

    fn judge(&self, id: Identity) -> Result<Answer, StoreError> {
        let is_seen = self.store.seen(&Key::Identity(id))?;
        Ok(if is_seen { Answer::Duplicate } else { Answer::New })
    }

    fn is_certain(&self, _: Identity) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn remember(&mut self, id: Identity) -> Result<(), StoreError> {
        self.store.apply(&Change { inbox: Some(Key::Identity(id)), ..Change::default() })
    }

    fn into_snapshot(self) -> S {
        self.store
    }

    fn recover(store: S) -> Result<Self, Infallible> {
        Ok(Durable { store })
    }
}
