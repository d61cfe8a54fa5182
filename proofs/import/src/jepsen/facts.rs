//! What the whole record of a Kafka workload says of each message, before its events are told.

use std::collections::{HashMap, HashSet};

use super::micro::{Micro, Polled, Send, micros};
use super::names::Messages;
use super::operation::{Operation, Phase};
use crate::row::Name;

/// What is known once the whole record is read.
#[derive(Default)]
pub struct Facts {
    /// Of each message that was polled: where.
    pub polled: HashMap<Name, HashSet<Option<u64>>>,
    /// The messages that an operation polled which did happen.
    pub read: HashSet<Name>,
    /// The messages whose sends failed.
    pub refused: HashSet<Name>,
}

impl Facts {
    /// The facts of a whole record.
    pub fn of(operations: &[Operation<'_>], names: &mut Messages) -> Self {
        let mut facts = Facts::default();
        for operation in operations.iter().filter(|it| !it.is_invocation()) {
            for micro in micros(operation) {
                match micro {
                    Micro::Send(Send { key, value, .. }) if operation.phase == Phase::Fail => {
                        facts.refused.insert(names.message(key, value));
                    }
                    Micro::Send(_) => {}
                    Micro::Poll(Polled { key, offset, value }) => {
                        let message = names.message(key, value);
                        if operation.phase == Phase::Ok {
                            facts.read.insert(message.clone());
                        }
                        facts.polled.entry(message).or_default().insert(offset);
                    }
                }
            }
        }
        facts
    }
}
