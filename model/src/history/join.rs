//! The joining of the parts that several processes recorded into one history.
//!
//! The times of all parts must come from one clock, such as the monotonic clock of the machine on which all processes
//! ran. A process records an event before any other can act on it. So an effect has a later time than its cause, and
//! the order of times is a possible order of events. Of events at equal times, that of the earlier part in the list
//! comes first.
//!
//! A part has `quiescent` when its process came to rest. The whole came to rest when every part did and only faults
//! happened in any of them after that; then, and only then, the joined history ends with one `quiescent`. A truncated
//! part did not come to rest.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{At, Extra, Header, History, MessageName, Names, PipelineOf, Recorded, TooManyNames};
use crate::vocab::{Event, EventKind};

/// The reason why parts cannot be joined. Parts are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JoinError {
    /// Two parts have different headers.
    #[error("part {part} is of {found}; expected {expected}, as part 0 is")]
    Header {
        /// The part that differs from part 0.
        part: usize,
        /// Its pipeline.
        found: String,
        /// The pipeline of part 0.
        expected: String,
    },
    /// Two parts have events of the same process.
    #[error("part {part} has events of {process}, and so has part {other}; expected every process in one part")]
    Process {
        /// The later part.
        part: usize,
        /// The earlier part.
        other: usize,
        /// The process.
        process: String,
    },
    /// Two parts submit a message of the same id. A consumer's events would not tell which of the two they are about.
    #[error("part {part} submits message {message}, and so does part {other}; expected every message in one part")]
    Message {
        /// The later part.
        part: usize,
        /// The earlier part.
        other: usize,
        /// The message id.
        message: String,
    },
    /// The times of two parts are of different kinds.
    #[error("part {part} has times such as {found}; expected times of the same kind as {expected}, as part 0 has")]
    OtherTime {
        /// The part that differs from part 0.
        part: usize,
        /// One of its times.
        found: String,
        /// A time of part 0.
        expected: String,
    },
    /// The events of a part name no group, but the parts have several.
    #[error("part {part} names no `group`; expected one, as the parts name several")]
    WhichGroup {
        /// The part without a group.
        part: usize,
    },
    /// The joined history has more names than a history can hold.
    #[error(transparent)]
    TooMany(#[from] TooManyNames),
}

impl History {
    /// Joins parts into the history that one recorder would have written. Its lines are numbered as in its own file.
    pub fn join(parts: &[History]) -> Result<History, JoinError> {
        check_headers(parts)?;
        check_times(parts)?;
        check_processes(parts)?;
        check_messages(parts)?;
        let mut joined =
            History { header: parts.first().map(|part| part.header.clone()).unwrap_or_default(), ..History::default() };
        let mut left: Vec<&[Recorded]> = parts.iter().map(|part| &part.events[..]).collect();
        while let Some(part) = earliest(&left) {
            let (next, later) = left[part].split_first().expect("it has an event");
            left[part] = later;
            if next.event.kind != EventKind::Quiescent {
                let (from, names) = (&parts[part].names, &mut joined.names);
                let event = translate(&next.event, from, names)?;
                let extra = parts[part].extra(next.line).cloned().unwrap_or_default();
                let transaction = extra.transaction.map(|id| names.transaction_id(from.transaction(id))).transpose()?;
                joined.push_with(next.at, event, Extra { transaction, ..extra });
            }
        }
        check_groups(parts, &joined.names)?;
        joined.truncated = parts.iter().find_map(|part| part.truncated);
        if let Some((at, rest)) = rest(parts, &mut joined.names)? {
            joined.push(at, rest);
        }
        Ok(joined)
    }
}

/// The part with the earliest next event.
fn earliest(left: &[&[Recorded]]) -> Option<usize> {
    let heads = left.iter().enumerate().filter_map(|(part, events)| Some((part, events.first()?.at)));
    let first = heads.reduce(|earliest, other| if other.1 < earliest.1 { other } else { earliest });
    first.map(|(part, _)| part)
}

fn check_headers(parts: &[History]) -> Result<(), JoinError> {
    let name = |header: &Header| match &header.pipeline {
        Some(PipelineOf::Whole(pipeline)) => format!("{}, with settings of its own", pipeline.name),
        Some(PipelineOf::Named(name)) => name.clone(),
        None => "no pipeline".to_owned(),
    };
    match parts.iter().position(|part| part.header != parts[0].header) {
        None => Ok(()),
        Some(part) => {
            let (found, expected) = (name(&parts[part].header), name(&parts[0].header));
            Err(JoinError::Header { part, found, expected })
        }
    }
}

/// Checks that the times can be compared: all are numbers, or all are dates and times.
fn check_times(parts: &[History]) -> Result<(), JoinError> {
    let firsts = || parts.iter().enumerate().filter_map(|(part, history)| Some((part, history.events.first()?.at)));
    let Some((_, expected)) = firsts().next() else { return Ok(()) };
    match firsts().find(|(_, at)| at.is_instant() != expected.is_instant()) {
        Some((part, found)) => {
            let (found, expected) = (found.to_string(), expected.to_string());
            Err(JoinError::OtherTime { part, found, expected })
        }
        None => Ok(()),
    }
}

/// Checks that no process is in two parts. Faults and `quiescent` may be in every part, under one process name.
fn check_processes(parts: &[History]) -> Result<(), JoinError> {
    let mut known: Vec<(&str, usize)> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let mut acts = vec![false; part.names.processes().len()];
        for recorded in &part.events {
            let is_shared =
                matches!(recorded.event.kind, EventKind::Fault { .. } | EventKind::Heal { .. } | EventKind::Quiescent);
            acts[usize::from(recorded.event.process.0)] |= !is_shared;
        }
        for (process, _) in part.names.processes().zip(acts).filter(|(_, acts)| *acts) {
            if let Some((_, other)) = known.iter().find(|(name, _)| *name == process) {
                return Err(JoinError::Process { part: number, other: *other, process: process.to_owned() });
            }
            known.push((process, number));
        }
    }
    Ok(())
}

/// Checks that no message is submitted in two parts: a message has one producer, and a producer is in one part.
fn check_messages(parts: &[History]) -> Result<(), JoinError> {
    let mut known: BTreeMap<MessageName<'_>, usize> = BTreeMap::new();
    for (part, history) in parts.iter().enumerate() {
        for recorded in &history.events {
            if let EventKind::Submit { message, .. } = recorded.event.kind
                && let message = history.names.message(message)
                && let other = *known.entry(message).or_insert(part)
                && other != part
            {
                return Err(JoinError::Message { part, other, message: message.to_string() });
            }
        }
    }
    Ok(())
}

fn check_groups(parts: &[History], joined: &Names) -> Result<(), JoinError> {
    let is_of_no_group = |part: &History| {
        part.names.groups().len() == 0 && part.events.iter().any(|recorded| recorded.event.kind.group().is_some())
    };
    match parts.iter().position(is_of_no_group) {
        Some(part) if joined.groups().len() > 1 => Err(JoinError::WhichGroup { part }),
        _ => Ok(()),
    }
}

/// The `quiescent` event of the joined history, if every part came to rest.
fn rest(parts: &[History], names: &mut Names) -> Result<Option<(At, Event)>, TooManyNames> {
    let mut latest: Option<(At, Event)> = None;
    for part in parts {
        let Some(last) = part.rest() else {
            return Ok(None);
        };
        let event = translate(&last.event, &part.names, names)?;
        if latest.is_none_or(|(at, _)| at < last.at) {
            latest = Some((last.at, event));
        }
    }
    Ok(latest)
}

/// The same event with the ids of its names in `to`.
fn translate(event: &Event, from: &Names, to: &mut Names) -> Result<Event, TooManyNames> {
    use EventKind::*;
    let mut event = *event;
    event.process = to.process_id(from.process(event.process))?;
    if let Submit { message, .. }
    | Attempt { message, .. }
    | Outcome { message, .. }
    | Deliver { message, .. }
    | Effect { message, .. }
    | Settle { message, .. }
    | DeadLetter { message, .. } = &mut event.kind
        && let MessageName::Text(name) = from.message(*message)
    {
        *message = to.message_id(name)?;
    }
    if let Commit { transaction } | Abort { transaction } = &mut event.kind {
        *transaction = to.transaction_id(from.transaction(*transaction))?;
    }
    if let Submit { payload, .. } | Attempt { payload, .. } | Deliver { payload, .. } | Effect { payload, .. } =
        &mut event.kind
        && let Some(id) = payload
    {
        *id = to.payload_id(from.payload(*id))?;
    }
    if let Outcome { partition, .. } | Deliver { partition, .. } | Settle { partition, .. } | Rewind { partition, .. } =
        &mut event.kind
    {
        *partition = to.partition_id(from.partition(*partition).cloned().unwrap_or_default())?;
    }
    if let Deliver { group, .. }
    | Effect { group, .. }
    | Settle { group, .. }
    | DeadLetter { group, .. }
    | Rewind { group, .. } = &mut event.kind
        && !from.group(*group).is_empty()
    {
        *group = to.group_id(from.group(*group))?;
    }
    Ok(event)
}
