//! Joining: retries of an attempt that is still in the loop's queue wait with it, and are no inputs of their own.
//!
//! A producer with a short time-out, or one that reconnects, sends a message again while its first attempt is in the queue.
//! This file only brings such attempts together; the core decides about them.

use std::sync::Arc;

use delivery_model::pipeline;

use super::Input;
use crate::core::broker::{AttemptKey, attempt_key};
use crate::data::record::Publish;
use crate::shared::in_flight::{InFlight, Posted};

/// An attempt, and the connection that it came over.
pub(super) type Attempt = (u64, Publish);

/// Where attempts come in, from any connection.
#[derive(Clone, Debug)]
pub(super) struct Entrance {
    in_flight: Arc<InFlight<AttemptKey, Attempt>>,
    settings: Arc<pipeline::Broker>,
}

impl Entrance {
    pub fn new(settings: &pipeline::Broker) -> Entrance {
        Entrance { in_flight: Arc::default(), settings: Arc::new(settings.clone()) }
    }

    /// What the loop is to hear of an attempt; nothing if it waits with another.
    pub fn admit(&self, connection: u64, publish: Publish) -> Option<Input> {
        let Some(key) = attempt_key(&self.settings, &publish) else {
            return Some(Input::Attempt(connection, publish));
        };
        match self.in_flight.post(key, (connection, publish)) {
            Posted::First => Some(Input::Attempts(key)),
            Posted::Added | Posted::Lost => None,
        }
    }

    /// The attempts that wait for the loop under this key, oldest first.
    pub fn take(&self, key: &AttemptKey) -> Vec<Attempt> {
        self.in_flight.take(key)
    }
}
