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

/// Where a message was polled that has a second copy.
pub struct Polls {
    /// The lowest offset.
    pub first: Option<u64>,
    /// The lowest few, as people read them.
    pub told: String,
    /// Whether one of these polls counts; not known yet.
    pub is_delivered: Option<bool>,
}

impl Polls {
    /// The polls at these offsets.
    pub fn of(offsets: &HashSet<Option<u64>>) -> Self {
        /// More of them tell nobody more.
        const SHOWN: usize = 8;
        let mut offsets: Vec<u64> = offsets.iter().flatten().copied().collect();
        offsets.sort_unstable();
        let shown = offsets.iter().take(SHOWN).map(u64::to_string).collect::<Vec<_>>().join(", ");
        let more = if offsets.len() > SHOWN { ", .." } else { "" };
        Polls { first: offsets.first().copied(), told: format!("[{shown}{more}]"), is_delivered: None }
    }
}
