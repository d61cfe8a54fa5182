//! The story of one message of a recorded history: what each process did with it, in the order of the record.
//!
//! Lanes are the processes of the record. The step that breaks a property is marked; the story of a loss ends with what
//! never came. Faults between the first and the last step are shown beside it, and the ends of its own transactions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::marks::Counted;
use crate::history::{At, History, Recorded};
use crate::pipeline::Level;
use crate::semantics::{LINES_TOLD, Violation};
use crate::vocab::{EventKind, MessageId, ProcessId, TransactionId};

/// The most faults that a story shows.
const FAULTS_SHOWN: usize = 12;

/// The story of a violation in a recorded history.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedStory {
    /// What is broken, such as "message 7 had its effect again".
    pub title: String,
    /// The processes that have a step, in the order of their first steps.
    pub lanes: Vec<String>,
    /// The steps, in order.
    pub rows: Vec<RecordedRow>,
    /// What never came, if the story is that of a loss.
    pub never: Option<String>,
    /// The number of steps that are left out after the last one.
    pub left_out: usize,
}

/// A step of the story.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedRow {
    /// The line of the history.
    pub line: u32,
    /// Its time.
    pub at: At,
    /// The place of its process among the lanes.
    pub lane: usize,
    /// The step, in a few words.
    pub text: String,
    /// What it breaks, such as "2nd effect".
    pub breaks: Option<String>,
    /// Whether it is a fault.
    pub fault: bool,
    /// Its attributes, as JSON.
    pub attributes: Option<String>,
}

impl RecordedStory {
    /// The story of each of these violations, which the judge found in this history, at this level.
    pub fn of(history: &History, violations: &[Violation], level: Level) -> Vec<RecordedStory> {
        let record = Sorted::new(history, violations);
        violations.iter().map(|violation| RecordedStory::one(history, &record, violation, level)).collect()
    }

    fn one(history: &History, record: &Sorted, violation: &Violation, level: Level) -> RecordedStory {
        let events = record.steps(history, violation);
        let shown = events.len().min(LINES_TOLD);
        // The step that breaks is always shown.
        let breaking = violation.line.and_then(|line| events.iter().position(|it| it.line == line));
        let shown = breaking.map_or(shown, |place| shown.max(place + 1));
        let mut told = Telling { history, lanes: Vec::new(), counted: Counted::default() };
        let rows = events[..shown].iter().map(|recorded| told.row(recorded, violation)).collect();
        RecordedStory {
            title: format!("message {} {}", history.names.message(violation.message), violation.breach),
            rows,
            never: never(history, violation, level, &events),
            left_out: events.len() - shown,
            lanes: told.lanes.iter().map(|&lane| history.names.process(lane).to_owned()).collect(),
        }
    }

    /// The time of a row as its margin shows it: since the first row, where times are dates.
    pub(super) fn time(&self, row: &RecordedRow) -> String {
        let first = self.rows.first().map_or(row.at, |first| first.at);
        match (row.at, row.at.since(first)) {
            (At::Instant(_), Some(span)) => format!("+{}", Duration(span)),
            (at, _) => at.to_string(),
        }
    }
}

/// The part of a history that stories are made of, sorted in one pass over it.
struct Sorted {
    of_message: BTreeMap<MessageId, Vec<Recorded>>,
    /// Faults, and the ends of transactions.
    around: Vec<Recorded>,
}

impl Sorted {
    fn new(history: &History, violations: &[Violation]) -> Self {
        let named = violations.iter().map(|violation| (violation.message, Vec::new()));
        let mut sorted = Sorted { of_message: named.collect(), around: Vec::new() };
        for recorded in &history.events {
            match recorded.event.kind {
                EventKind::Fault { .. } | EventKind::Heal { .. } => sorted.around.push(*recorded),
                EventKind::Commit { .. } | EventKind::Abort { .. } => sorted.around.push(*recorded),
                kind => {
                    let its = kind.message().and_then(|message| sorted.of_message.get_mut(&message));
                    its.into_iter().for_each(|its| its.push(*recorded));
                }
            }
        }
        sorted
    }

    /// The events about the message in the violation's group, the faults among them, and the ends of its transactions.
    fn steps(&self, history: &History, violation: &Violation) -> Vec<Recorded> {
        let is_its = |it: &&Recorded| it.event.kind.group().is_none_or(|group| group == violation.group);
        let mut steps: Vec<Recorded> = self.of_message[&violation.message].iter().filter(is_its).copied().collect();
        let Some((first, last)) = steps.first().zip(steps.last()) else { return steps };
        // After the last step of a lost message, a fault may tell why nothing more came.
        let lines = first.line..=if violation.line.is_some() { last.line } else { u32::MAX };
        let its: BTreeSet<TransactionId> = steps.iter().filter_map(|it| history.extra(it.line)?.transaction).collect();
        let is_told = |it: &&Recorded| match it.event.kind {
            EventKind::Commit { transaction } | EventKind::Abort { transaction } => its.contains(&transaction),
            _ => true,
        };
        steps.extend(self.around.iter().filter(|it| lines.contains(&it.line)).filter(is_told).take(FAULTS_SHOWN));
        steps.sort_by_key(|it| it.line);
        steps
    }
}

/// What never came of a message that is lost, and how much of the history follows its last step.
fn never(history: &History, violation: &Violation, level: Level, steps: &[Recorded]) -> Option<String> {
    if violation.line.is_some() {
        return None;
    }
    let mut counted = Counted::default();
    steps.iter().for_each(|it| counted.count(&it.event.kind));
    let never = counted.never(history.names.message(violation.message), violation.breach, level)?;
    let its_last = steps.iter().rev().find(|it| it.event.kind.message().is_some())?;
    let (last, end) = history.last()?;
    let later = last - its_last.line;
    let (events, follow) = if later == 1 { ("event", "follows") } else { ("events", "follow") };
    let time = match (its_last.at, end.since(its_last.at)) {
        (At::Instant(_), Some(nanoseconds)) => format!(" in {}", Duration(nanoseconds)),
        _ => String::new(),
    };
    Some(format!("{never}; {later} more {events} of the history {follow}{time}"))
}

struct Telling<'a> {
    history: &'a History,
    lanes: Vec<ProcessId>,
    counted: Counted,
}

impl Telling<'_> {
    fn row(&mut self, recorded: &Recorded, violation: &Violation) -> RecordedRow {
        let process = recorded.event.process;
        let lane = self.lanes.iter().position(|lane| *lane == process).unwrap_or_else(|| {
            self.lanes.push(process);
            self.lanes.len() - 1
        });
        self.counted.count(&recorded.event.kind);
        let text = self.text(&recorded.event.kind);
        let is_breaking = violation.line == Some(recorded.line) && self.can_break(&recorded.event.kind, violation);
        let attributes = self.history.extra(recorded.line).and_then(|extra| extra.attributes.as_ref());
        RecordedRow {
            line: recorded.line,
            at: recorded.at,
            lane,
            text,
            breaks: is_breaking.then(|| self.counted.mark(violation.breach)),
            fault: matches!(recorded.event.kind, EventKind::Fault { .. }),
            attributes: attributes.map(|json| json.get().to_owned()),
        }
    }

    /// A commit may bring the step that breaks, at its own line.
    fn can_break(&self, kind: &EventKind, violation: &Violation) -> bool {
        kind.message().is_none_or(|message| message == violation.message)
    }

    fn text(&self, kind: &EventKind) -> String {
        use EventKind::*;
        let name = |message: MessageId| self.history.names.message(message);
        let place = |partition, position: Option<crate::vocab::Position>| match (
            position,
            self.history.names.partition(partition),
        ) {
            (Some(position), Some(partition)) => format!("position {position} of {partition}"),
            (Some(position), None) => format!("position {position}"),
            (None, Some(partition)) => partition.to_string(),
            (None, None) => String::new(),
        };
        let after = |text: String, word: &str| if text.is_empty() { text } else { format!(" {word} {text}") };
        match *kind {
            Submit { message, .. } => format!("submit {}", name(message)),
            Attempt { message, attempt, .. } => match attempt {
                Some(attempt) => format!("attempt {attempt} at {}", name(message)),
                None => format!("attempt at {}", name(message)),
            },
            Outcome { message, outcome, partition, position, .. } => {
                format!("{} {}{}", outcome.word(), name(message), after(place(partition, position), "at"))
            }
            Deliver { message, partition, position, delivery, .. } => {
                let number = delivery.map_or(String::new(), |number| format!(", delivery {number}"));
                format!("receive {}{}{number}", name(message), after(place(partition, position), "from"))
            }
            Effect { message, .. } => format!("effect of {}", name(message)),
            Settle { message, outcome, .. } => format!("settle {}: {}", name(message), outcome.word()),
            DeadLetter { message, .. } => format!("dead-letter {}", name(message)),
            Rewind { partition, position, .. } => format!("rewind to {}", place(partition, Some(position))),
            Commit { transaction } => format!("commit {}", self.history.names.transaction(transaction)),
            Abort { transaction } => format!("abort {}", self.history.names.transaction(transaction)),
            Fault { fault } => fault.to_string(),
            Heal { fault } => format!("end of {fault}"),
            Quiescent => "quiescent".to_owned(),
        }
    }
}

/// A time span in the unit that suits it: "3 s", "250 ms", "2 h".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(
    /// In nanoseconds.
    pub u64,
);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 6] = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "min"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "µs"),
            (1, "ns"),
        ];
        let (size, unit) = UNITS.into_iter().find(|(size, _)| self.0 >= *size).unwrap_or((1, "ns"));
        let tenths = self.0 / (size / 10).max(1);
        match (size > 1 && tenths < 100, tenths % 10) {
            (true, tenth @ 1..) => write!(f, "{}.{tenth} {unit}", tenths / 10),
            _ => write!(f, "{} {unit}", self.0 / size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_people_do() {
        let spans = [0, 999, 1_500, 3_000_000_000, 3_240_000_000, 59_900_000_000, 7_200_000_000_000];
        let told = spans.map(|span| Duration(span).to_string());
        assert_eq!(told, ["0 ns", "999 ns", "1.5 µs", "3 s", "3.2 s", "59 s", "2 h"]);
    }
}
