//! Partial judgements: what the judge of one share of a history found, in a form from which several make one judgement.
//!
//! A partial judgement has the figures of its share, and the lines of the messages that are told: of each property, the
//! first that broke it. Messages are judged apart from each other, so the figures add up, and the first of the whole are
//! among the first of the shares. What is not one message's own is carried along: the lines that are about no message, and
//! where each message was stored. Order is a producer's, not a message's, and a transaction has several messages: where
//! order is claimed, or a transaction is on record, all lines are carried.
//!
//! The format is lines of text: the figures as JSON, the history's header, then lines of the history, each after its number
//! and a tab. After the number of a line of which only the place of its message matters stands `@`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::contradictions::{Acting, Contradicted};
use super::judge::judging;
use super::judging::{AtRest, Broken, Totals};
use super::streamed::{Threads, read_once};
use super::transactions::resolved;
use super::{Counts, Doubt, Judge, Judgement, PartitionedPosition, PropertyId, Question};
use crate::history::{At, History, HistoryError, Joined, LINE_LIMIT, PLACE, ReadOptions, Reader, placed, read_line};
use crate::pipeline::{Level, Obligation, Semantics};
use crate::vocab::{EventKind, GroupId};

/// The `format` of a partial judgement.
pub const PARTIAL_FORMAT: &str = "delivery-partial-judgement";
const VERSION: u32 = 1;

/// The group of a history that names none.
const UNNAMED: &str = "";

/// The longest first line, in bytes: a history has at most 65,536 groups, each with a name.
const FIGURES_LIMIT: usize = 64 << 20;

/// The number of places that are remembered, so that most are written once.
const PLACES: usize = 1 << 16;

/// The reason why a share was not judged, or partial judgements were not joined.
#[derive(Debug, Error)]
pub enum PartialError {
    /// The history could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A partial judgement could not be read, or not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A horizon needs the time of every event, and a share has its own.
    #[error("a horizon is for a whole history, not for a share")]
    Horizon,
    /// The input is not a partial judgement.
    #[error("part {part}: found {found}; expected a partial judgement, as `judge --shard` writes it")]
    NotPartial {
        /// Which, counted from 1.
        part: usize,
        /// What stands there.
        found: String,
    },
    /// Two partial judgements do not belong together.
    #[error("part {part}: found {what} other than in part 1; expected shares of one history, judged alike")]
    Differs {
        /// Which, counted from 1.
        part: usize,
        /// What differs.
        what: &'static str,
    },
    /// A share is missing or given twice.
    #[error(
        "found {found} events in all parts; expected {expected}, as the last line shows: a share is missing or twice"
    )]
    Incomplete {
        /// How many events the parts have.
        found: u64,
        /// How many the history has.
        expected: u64,
    },
}

/// A joined judgement: the name of the history, the lines that are told, the judgement, and what was expected.
type Joint = (String, History, Judgement, Option<Semantics>);

/// The first line of a partial judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Figures {
    format: String,
    version: u32,
    name: String,
    asked: Asked,
    /// All lines are carried.
    whole: bool,
    events: u64,
    common: u64,
    counts: Counts,
    broken: BTreeMap<PropertyId, Count>,
    at_rest: BTreeMap<PropertyId, Count>,
    silent: BTreeMap<PropertyId, Count>,
    contradicted: Contradicted,
    late: u64,
    last: Option<(u32, At)>,
    rest: bool,
    truncated: Option<u32>,
    groups: BTreeMap<String, Acting>,
}

/// The question, which must be the same for all shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Asked {
    level: Option<Level>,
    obligation: Option<Obligation>,
    expect: Option<Semantics>,
}

/// How often a property was broken, and why a breach was withheld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Count {
    breaches: u64,
    withheld: Option<Doubt>,
}

impl From<Question> for Asked {
    fn from(Question { level, obligation, expect, .. }: Question) -> Self {
        Asked { level, obligation, expect }
    }
}

impl From<Asked> for Question {
    fn from(Asked { level, obligation, expect }: Asked) -> Self {
        Question { level, obligation, expect, ..Question::default() }
    }
}

fn counted(broken: &Broken) -> BTreeMap<PropertyId, Count> {
    let count = |&property: &PropertyId| Count {
        breaches: broken.breaches[property as usize],
        withheld: broken.withheld[property as usize],
    };
    PropertyId::ALL.iter().map(|property| (*property, count(property))).filter(|it| it.1 != Count::default()).collect()
}

fn broken(counted: &BTreeMap<PropertyId, Count>) -> Broken {
    let mut broken = Broken::default();
    for (&property, count) in counted {
        broken.breaches[property as usize] = count.breaches;
        broken.withheld[property as usize] = count.withheld;
    }
    broken
}

/// Judges the share of a history that the options name, and writes its partial judgement, under this name of the history.
/// `open` opens the history for each of two readings, at its beginning.
pub fn judge_share<R: BufRead>(
    name: &str,
    mut open: impl FnMut() -> io::Result<R>,
    options: ReadOptions,
    question: Question,
    mut out: impl Write,
) -> Result<(), PartialError> {
    if question.horizon.is_some() {
        return Err(PartialError::Horizon);
    }
    let (mut judge, names, truncated, whole) = match read_once(open()?, options, question, Threads::Two)? {
        Some((reader, judge)) => {
            let truncated = reader.truncated();
            (judge, reader.finish().1, truncated, None)
        }
        None => {
            let history = History::read(open()?, options)?;
            (judging(&history, &resolved(&history), question), history.names.clone(), history.truncated, Some(history))
        }
    };
    let Totals { events, common, counts, broken, at_rest, contradicted, lates, last, rest, truncated } =
        judge.totals(&names, truncated);
    let none = Acting { first: 1, acts: false, gets: false };
    let acting = |(id, name): (usize, &str)| {
        let group = GroupId(id as u16);
        // What a transaction takes back names its group all the same.
        let first =
            whole.as_ref().and_then(|history| history.events.iter().find(|it| it.event.kind.group() == Some(group)));
        let acting = judge.acting(group).unwrap_or(none);
        (name.to_owned(), Acting { first: first.map_or(acting.first, |it| it.line), ..acting })
    };
    let is_whole = whole.is_some() || judge.is_ordered();
    let figures = Figures {
        format: PARTIAL_FORMAT.to_owned(),
        version: VERSION,
        name: name.to_owned(),
        asked: question.into(),
        whole: is_whole,
        events,
        common,
        counts,
        broken: counted(&broken),
        at_rest: counted(&at_rest.owed),
        silent: counted(&at_rest.silent),
        contradicted,
        late: lates,
        last,
        rest,
        truncated,
        groups: if names.groups().len() == 0 {
            [(0, UNNAMED)].into_iter().map(acting).collect()
        } else {
            names.groups().enumerate().map(acting).collect()
        },
    };
    writeln!(out, "{}", serde_json::to_string(&figures).map_err(io::Error::other)?)?;
    let carried = judge.carried();
    let mut reader = Reader::again(open()?, options, names, carried.clone())?;
    out.write_all(reader.text().trim_ascii_end())?;
    out.write_all(b"\n")?;
    let mut written = vec![0_u64; PLACES];
    while let Some(recorded) = reader.next() {
        let recorded = recorded?;
        let message = recorded.event.kind.message();
        if is_whole || message.is_none_or(|message| carried.contains(&message)) {
            write!(out, "{}\t", recorded.line)?;
            out.write_all(reader.text().trim_ascii_end())?;
            out.write_all(b"\n")?;
        } else if let Some((place, line)) = placed(reader.text()) {
            let mut hasher = DefaultHasher::new();
            hasher.write(place.as_bytes());
            let hash = hasher.finish();
            let known = &mut written[hash as usize % PLACES];
            if std::mem::replace(known, hash) != hash {
                writeln!(out, "{}{PLACE}\t{line}", recorded.line)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// Joins the partial judgements of all shares of a history. `open` opens them for each of two readings, each at its
/// beginning.
///
/// Returns the history's name, what [`judge_streamed`](super::judge_streamed) returns for the whole, and the semantics that
/// it should show.
pub fn judge_parts<R: BufRead>(mut open: impl FnMut() -> io::Result<Vec<R>>) -> Result<Joint, PartialError> {
    let mut inputs = open()?;
    let (figures, header) = heads(&mut inputs)?;
    let question = Question::from(figures[0].asked);
    let groups = groups(&figures);
    let options = ReadOptions { numbered: true, ..ReadOptions::default() };
    let mut reader = Reader::new(Joined::new(inputs, &header)?, options)?;
    reader
        .name_groups(groups.iter().map(|(name, _)| *name).filter(|name| *name != UNNAMED))
        .map_err(|too_many| HistoryError::TooMany { line: 1, too_many })?;
    if figures[0].whole {
        let mut history = History::collect(reader)?;
        history.truncated = figures.iter().find_map(|it| it.truncated);
        let judgement = super::judge(&history, question);
        return Ok((figures[0].name.clone(), history, judgement, question.expect));
    }
    let mut totals = totals(&figures)?;
    let mut reader = reader.into_brief();
    let mut judge = Judge::new(reader.header(), question);
    while let Some(recorded) = reader.next() {
        let recorded = recorded?;
        if reader.input().places.front() == Some(&recorded.line) {
            reader.input().places.pop_front();
            if let EventKind::Outcome { message, partition, position: Some(position), .. } = recorded.event.kind {
                judge.place(message, PartitionedPosition { partition, position }, recorded.at);
            }
        } else {
            judge.observe(&recorded, Some(reader.extra()), reader.names());
        }
    }
    let known: BTreeMap<&str, Acting> = groups.iter().copied().collect();
    let named = reader.names().groups().enumerate();
    let unnamed = (reader.names().groups().len() == 0).then_some((0, UNNAMED));
    for (id, name) in named.chain(unnamed) {
        known.get(name).into_iter().for_each(|acting| judge.know_group(GroupId(id as u16), *acting));
    }
    judge.last = totals.last;
    totals.contradicted.same_position = judge.totals(reader.names(), totals.truncated).contradicted.same_position;
    let mut judgement = judge.conclude(&totals);
    let (_, names, _) = reader.finish();
    let mut inputs = open()?;
    let (_, header) = heads(&mut inputs)?;
    let joined = Joined::new(inputs, &header)?;
    let mut history = History::excerpt(Reader::again(joined, options, names, judgement.told())?, judgement.last)?;
    history.truncated = totals.truncated;
    judgement.tell(&history.events);
    Ok((figures[0].name.clone(), history, judgement, question.expect))
}

/// The figures of all parts, and the header of their history.
fn heads<R: BufRead>(inputs: &mut [R]) -> Result<(Vec<Figures>, String), PartialError> {
    let mut heads: Vec<(Figures, String)> = Vec::new();
    for (part, input) in (1..).zip(inputs) {
        let not_partial = |found: String| PartialError::NotPartial { part, found };
        let line = read_line(input, FIGURES_LIMIT).map_err(|error| not_partial(error.to_string()))?;
        let line = line.ok_or_else(|| not_partial("an empty file".to_owned()))?;
        let figures: Figures =
            serde_json::from_slice(&line).map_err(|error| not_partial(format!("another text ({error})")))?;
        if figures.format != PARTIAL_FORMAT || figures.version != VERSION {
            return Err(not_partial(format!("format \"{}\", version {}", figures.format, figures.version)));
        }
        let header = read_line(input, LINE_LIMIT)?.unwrap_or_default();
        let header = String::from_utf8(header).map_err(|_| not_partial("a header that is not UTF-8".to_owned()))?;
        heads.push((figures, header.trim_end().to_owned()));
    }
    let Some((first, header)) = heads.first() else { return Err(PartialError::Incomplete { found: 0, expected: 1 }) };
    for (part, (figures, its)) in (1..).zip(&heads) {
        let pairs = [
            ("a name", figures.name != first.name),
            ("a header", its != header),
            ("a question", figures.asked != first.asked),
            ("lines that are about no message", figures.common != first.common),
        ];
        if let Some((what, _)) = pairs.into_iter().find(|(_, differs)| *differs) {
            return Err(PartialError::Differs { part, what });
        }
    }
    let header = header.clone();
    // One share with transactions needs the lines of all.
    let is_whole = heads.iter().all(|(figures, _)| figures.whole);
    if let Some(part) = heads.iter().position(|(figures, _)| figures.whole != is_whole) {
        return Err(PartialError::Differs { part: part + 1, what: "transactions" });
    }
    Ok((heads.into_iter().map(|(figures, _)| figures).collect(), header))
}

/// The groups of the whole, in the order in which they are named.
fn groups(figures: &[Figures]) -> Vec<(&str, Acting)> {
    let join = |its: Acting, other: Acting| Acting {
        // A group without events in a share stands at its header.
        first: match (its.first, other.first) {
            (1, first) | (first, 1) => first,
            (first, other) => first.min(other),
        },
        acts: its.acts || other.acts,
        gets: its.gets || other.gets,
    };
    let mut groups: BTreeMap<&str, Acting> = BTreeMap::new();
    for (name, acting) in figures.iter().flat_map(|figures| &figures.groups) {
        let known = groups.get(name.as_str()).map_or(*acting, |known| join(*known, *acting));
        groups.insert(name, known);
    }
    // Where a history names one group, its lines may leave the name out.
    if groups.len() > 1
        && let Some(unnamed) = groups.remove(UNNAMED)
        && let Some(only) = groups.values_mut().next()
    {
        *only = join(*only, unnamed);
    }
    let mut groups: Vec<(&str, Acting)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, acting)| acting.first);
    groups
}

/// The figures of the whole.
fn totals(figures: &[Figures]) -> Result<Totals, PartialError> {
    let first = &figures[0];
    let mut totals = Totals {
        events: 0,
        common: first.common,
        counts: Counts { faults: first.counts.faults, ..Counts::default() },
        broken: Broken::default(),
        at_rest: AtRest::default(),
        contradicted: Contradicted::default(),
        lates: 0,
        last: None,
        rest: false,
        truncated: None,
    };
    for its in figures {
        totals.events += its.events;
        totals.counts.add(&its.counts);
        totals.broken.add(&broken(&its.broken));
        totals.at_rest.add(&AtRest { owed: broken(&its.at_rest), silent: broken(&its.silent) });
        totals.contradicted.add(its.contradicted);
        totals.lates += its.late;
        totals.truncated = totals.truncated.or(its.truncated);
        let line = |last: Option<(u32, At)>| last.map(|(line, _)| line);
        if line(its.last) > line(totals.last) {
            totals.last = its.last;
        }
    }
    // What came to rest is the share with the last line that is no fault's; faults are on record in all.
    totals.rest = figures.iter().all(|its| its.rest);
    let (found, expected) = (totals.events + totals.common, totals.last.map_or(0, |(line, _)| u64::from(line) - 1));
    if found != expected {
        return Err(PartialError::Incomplete { found, expected });
    }
    Ok(totals)
}
