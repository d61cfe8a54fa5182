//! The reader of histories. It reads and checks line by line.
//!
//! Decisions that the format leaves open: a byte order mark and Windows line ends are skipped; an empty line is an
//! error, because an event may have been lost there; a complete last line needs no line end; a `null` counts as left
//! out; the keys of a line may be in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

use serde_json::value::RawValue;

use super::diagnose::{Diagnosis, diagnose};
use super::line::{Flaw, Ids, Object, is_shown};
use super::scan::scan;
use super::words::{EventWord, Key};
use super::{
    At, Extra, FORMAT, Header, History, HistoryError, LINE_LIMIT, LISTED_MAX, MessageName, Names, PipelineOf,
    ReadOptions, Recorded, Subscribed, TooManyNames, TruncatedTail, VERSION,
};
use crate::document::{Cursor, Node, Value};
use crate::pipeline::{Pipeline, PipelineError, read_name};
use crate::vocab::{Event, GroupId, MessageId, PartitionId};

/// A reader that streams a history: the header at once, then one event after another.
///
/// As an iterator it yields each event, or the error that ends it. An event without a group belongs to the one group,
/// id 0. If a second group is named later, that is an error, because an earlier event without a group could have
/// meant either.
pub struct Reader<R> {
    lines: Lines<R>,
    options: ReadOptions,
    header: Header,
    names: Names,
    last: Option<At>,
    /// What the last line says beyond its event.
    extra: Extra,
    /// The highest number that names a message.
    highest: Option<u64>,
    /// The first line that names no group.
    ungrouped: Option<u32>,
    truncated: Option<u32>,
    /// The messages whose names are kept in brief names.
    kept: BTreeSet<MessageId>,
    /// Whether the last event is about a message of the share that is read, or about none.
    is_of_share: bool,
    /// Whether a line so far belongs to a transaction, of whichever share.
    has_transactions: bool,
    done: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(input: R, options: ReadOptions) -> Result<Reader<R>, HistoryError> {
        let mut lines = Lines { input, buffer: Vec::new(), number: 0, ended: true, numbered: options.numbered };
        if !lines.advance()? {
            return Err(HistoryError::Empty);
        }
        let header = read_header(&lines)?;
        let mut names = Names::default();
        for group in header.groups.keys() {
            names.group_id(group).map_err(|too_many| HistoryError::TooMany { line: 1, too_many })?;
        }
        let (extra, last, highest, ungrouped, truncated, kept) = Default::default();
        Ok(Reader {
            lines,
            options,
            header,
            names,
            last,
            extra,
            highest,
            ungrouped,
            truncated,
            kept,
            is_of_share: true,
            has_transactions: false,
            done: false,
        })
    }

    /// Reads the header of a history that is too large for memory: digests are kept of the names of messages and of
    /// payloads, and attributes are not read.
    pub fn brief(input: R, options: ReadOptions) -> Result<Reader<R>, HistoryError> {
        Reader::new(input, options).map(Reader::into_brief)
    }

    /// The same reader, which keeps digests from now on.
    pub(crate) fn into_brief(self) -> Reader<R> {
        Reader { names: self.names.into_brief(), ..self }
    }

    /// Reads the same history again, with the names of the first reading, and keeps the names and the attributes of these
    /// messages.
    pub fn again(
        input: R,
        options: ReadOptions,
        names: Names,
        kept: BTreeSet<MessageId>,
    ) -> Result<Reader<R>, HistoryError> {
        let reader = Reader::new(input, options)?;
        Ok(Reader { names: names.only(&kept), kept, ..reader })
    }

    /// Forgets the messages that are not remembered, in a brief reading. Those that are told can be read again.
    pub fn forget(&mut self, remembers: impl Fn(MessageId) -> bool, told: &BTreeSet<MessageId>) {
        self.names.forget(remembers, told);
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The names and payloads that have appeared so far.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What the line of the last event says beyond it.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }

    /// The input, from which lines may have been read ahead.
    pub(crate) fn input(&mut self) -> &mut R {
        &mut self.lines.input
    }

    /// Names these groups, in this order, before others are.
    pub(crate) fn name_groups<'a>(&mut self, mut groups: impl Iterator<Item = &'a str>) -> Result<(), TooManyNames> {
        groups.try_for_each(|group| self.names.group_id(group).map(drop))
    }

    /// Whether a line so far belongs to a transaction, also of messages of other shares.
    pub fn has_transactions(&self) -> bool {
        self.has_transactions
    }

    /// The text of the last line that was read, without its number.
    pub fn text(&self) -> &[u8] {
        &self.lines.buffer
    }

    /// The last line, if it was truncated and ignored. It is known once every event was read.
    pub fn truncated(&self) -> Option<u32> {
        self.truncated
    }

    /// Ends the reading. Returns the header, the names, and the last line if it was truncated and ignored.
    pub fn finish(self) -> (Header, Names, Option<u32>) {
        (self.header, self.names, self.truncated)
    }

    fn read_event(&mut self) -> Result<Option<Recorded>, HistoryError> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        let number = self.lines.number;
        let text = std::str::from_utf8(&self.lines.buffer).ok();
        let read = || match text {
            Some(text) => serde_json::from_str(text),
            None => serde_json::from_slice(&self.lines.buffer),
        };
        let line = match text.and_then(scan).map_or_else(|| read().map(|Object(line)| line), Ok) {
            Ok(line) => line,
            Err(error) => match diagnose(&self.lines.buffer, &error, AN_EVENT) {
                Diagnosis::CutOff
                    if !self.lines.ended && self.options.truncated_tail == TruncatedTail::NameAndIgnore =>
                {
                    self.truncated = Some(number);
                    return Ok(None);
                }
                diagnosis => return Err(self.lines.refuse(diagnosis)),
            },
        };
        let flawed = |Flaw { found, expected }| HistoryError::Malformed { line: number, found, expected };
        let too_many = |too_many: TooManyNames| HistoryError::TooMany { line: number, too_many };

        let word = line.word().map_err(flawed)?;
        let at = line.at(word).map_err(flawed)?;
        let process = self.names.process_id(line.process(word).map_err(flawed)?).map_err(too_many)?;
        let group = match line.group().map_err(flawed)? {
            Some(name) => self.names.group_id(name).map_err(too_many)?,
            None => GroupId(0),
        };
        let message = line.message().map_err(flawed)?;
        self.is_of_share = message.is_none_or(|name| self.options.share.is_none_or(|share| share.has(name)));
        let message = match message {
            // It is not told apart from others of other shares.
            Some(_) if !self.is_of_share => Some(MessageId::default()),
            Some(MessageName::Text(name)) => {
                let message = self.names.message_id(name).map_err(too_many)?;
                if self.kept.contains(&message) {
                    self.names.keep(message, name);
                }
                Some(message)
            }
            Some(MessageName::Number(number)) => {
                self.highest = self.highest.max(Some(number));
                Some(MessageId(number))
            }
            None => None,
        };
        if let (Some(highest), Some(end)) = (self.highest, self.names.messages_end())
            && MessageId(highest) >= end
        {
            return Err(HistoryError::NumberTooHigh { line: number, highest });
        }
        let payload = line.payload.as_ref().zip(message).filter(|_| self.is_of_share);
        let payload = payload.map(|(text, message)| self.names.payload_id_of(message, &text.0));
        let payload = payload.transpose().map_err(too_many)?;
        let transaction = line.transaction().map_err(flawed)?;
        self.has_transactions |= transaction.is_some();
        let transaction = transaction.map(|name| self.names.transaction_id(name)).transpose().map_err(too_many)?;
        let has_position = word.keys().contains(&Key::Position);
        let partition = match has_position {
            true => self.names.partition_id(line.partition().map_err(flawed)?).map_err(too_many)?,
            false => PartitionId::default(),
        };
        let ids = Ids { message, group, partition, transaction, payload };
        let kind = line.kind(word, ids).map_err(flawed)?;
        self.extra = Extra {
            topic: if has_position { None } else { line.topic().map_err(flawed)?.map(Into::into) },
            transaction: transaction.filter(|_| kind.message().is_some()),
            attributes: line.attributes().map_err(flawed)?.filter(|_| self.is_kept(message)).map(RawValue::to_owned),
        };

        if line.group.is_none() && word.keys().contains(&Key::Group) {
            self.ungrouped.get_or_insert(number);
        }
        self.check_groups()?;
        self.check_time(at)?;
        Ok(Some(Recorded { at, line: number, event: Event { process, kind } }))
    }

    /// Whether what the line says beyond its event is kept.
    fn is_kept(&self, message: Option<MessageId>) -> bool {
        let of_none = || self.names.is_closed();
        !self.names.is_brief() || message.map_or_else(of_none, |message| self.kept.contains(&message))
    }

    fn check_groups(&self) -> Result<(), HistoryError> {
        match self.ungrouped {
            Some(line) if self.names.groups().len() > 1 => {
                let groups = self.names.groups().take(2).collect::<Vec<_>>().join(", ");
                Err(HistoryError::WhichGroup { line, groups })
            }
            _ => Ok(()),
        }
    }

    fn check_time(&mut self, at: At) -> Result<(), HistoryError> {
        match self.last {
            Some(last) if at.is_instant() != last.is_instant() => {
                Err(HistoryError::OtherTime { line: self.lines.number, found: at, last })
            }
            Some(last) if at < last => Err(HistoryError::TimeFalls { line: self.lines.number, found: at, last }),
            _ => {
                self.last = Some(at);
                Ok(())
            }
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Recorded, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        loop {
            let event = self.read_event().transpose();
            self.done = !matches!(event, Some(Ok(_)));
            let is_another = |recorded: &Recorded| recorded.event.kind.message().is_some() && !self.is_of_share;
            if !event.as_ref().is_some_and(|event| event.as_ref().is_ok_and(is_another)) {
                return event;
            }
        }
    }
}

impl History {
    /// Reads a whole history.
    pub fn read(input: impl BufRead, options: ReadOptions) -> Result<History, HistoryError> {
        History::collect(Reader::new(input, options)?)
    }

    /// Reads the rest of a history into memory.
    pub(crate) fn collect<R: BufRead>(mut reader: Reader<R>) -> Result<History, HistoryError> {
        let (mut events, mut extras) = (Vec::new(), BTreeMap::new());
        while let Some(recorded) = reader.next() {
            let recorded = recorded?;
            events.push(recorded);
            if !reader.extra.is_empty() {
                extras.insert(recorded.line, std::mem::take(&mut reader.extra));
            }
        }
        let (header, names, truncated) = reader.finish();
        Ok(History { header, names, events, extras, truncated, end: None })
    }

    /// Reads a part of a history: the events about the messages that the reader keeps, and those about none. `end`: the
    /// line and the time of the last event of the whole.
    pub fn excerpt<R: BufRead>(mut reader: Reader<R>, end: Option<(u32, At)>) -> Result<History, HistoryError> {
        let (mut events, mut extras) = (Vec::new(), BTreeMap::new());
        while let Some(recorded) = reader.next() {
            let recorded = recorded?;
            if recorded.event.kind.message().is_some_and(|message| !reader.kept.contains(&message)) {
                continue;
            }
            events.push(recorded);
            if !reader.extra.is_empty() {
                extras.insert(recorded.line, std::mem::take(&mut reader.extra));
            }
        }
        let (header, names, truncated) = reader.finish();
        Ok(History { header, names, events, extras, truncated, end })
    }
}

/// The lines of the input, one at a time.
struct Lines<R> {
    input: R,
    /// The current line without its end.
    buffer: Vec<u8>,
    /// The number of the line, counted from 1.
    number: u32,
    /// Whether the line has a line end.
    ended: bool,
    /// Whether lines begin with their numbers.
    numbered: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line; returns false if there is none.
    fn advance(&mut self) -> Result<bool, HistoryError> {
        let line = self.number.checked_add(1).ok_or(HistoryError::TooManyLines)?;
        self.buffer.clear();
        let bytes_and_end = LINE_LIMIT as u64 + 1;
        let read = self.input.by_ref().take(bytes_and_end).read_until(b'\n', &mut self.buffer);
        if read.map_err(|source| HistoryError::Unreadable { line, source })? == 0 {
            return Ok(false);
        }
        self.ended = self.buffer.pop_if(|last| *last == b'\n').is_some();
        if self.buffer.len() > LINE_LIMIT {
            return Err(HistoryError::TooLong { line });
        }
        if self.number == 0 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        self.number = if self.numbered { self.stated(line)? } else { line };
        Ok(true)
    }

    /// The number with which the line begins. `line` counts the lines that were read.
    fn stated(&mut self, line: u32) -> Result<u32, HistoryError> {
        let tab = self.buffer.iter().position(|&byte| byte == b'\t');
        let digits = tab.and_then(|tab| std::str::from_utf8(&self.buffer[..tab]).ok());
        let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| *number > self.number);
        let Some((tab, number)) = tab.zip(number) else {
            let expected = format!("a number above {}, and a tab before the line's text", self.number);
            return Err(HistoryError::Malformed { line, found: "a line without its number".to_owned(), expected });
        };
        self.buffer.drain(..=tab);
        Ok(number)
    }

    fn refuse(&self, diagnosis: Diagnosis) -> HistoryError {
        let line = self.number;
        match diagnosis {
            Diagnosis::CutOff if !self.ended => HistoryError::Truncated { line, bytes: self.buffer.len() },
            Diagnosis::CutOff => HistoryError::Malformed {
                line,
                found: "the beginning of a JSON text that does not end".to_owned(),
                expected: "a whole JSON object on each line".to_owned(),
            },
            Diagnosis::Flawed(Flaw { found, expected }) => HistoryError::Malformed { line, found, expected },
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const A_HEADER: &str = r#"the header {"format":"delivery-history","version":1}"#;
const AN_EVENT: &str =
    r#"an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#;

fn read_header<R: BufRead>(line: &Lines<R>) -> Result<Header, HistoryError> {
    let node: Node = match serde_json::from_slice(&line.buffer) {
        Ok(node) => node,
        Err(error) => return Err(line.refuse(diagnose(&line.buffer, &error, A_HEADER))),
    };
    let header = || -> Result<Header, PipelineError> {
        let cursor = Cursor::root(&node, Some(1));
        cursor.check_format(FORMAT, VERSION)?;
        let fields = cursor.table(&["format", "version", "pipeline", "level", "obligation", "groups", "complete"])?;
        Ok(Header {
            pipeline: fields.optional("pipeline").map(read_pipeline).transpose()?,
            level: fields.optional("level").map(Cursor::word).transpose()?,
            obligation: fields.optional("obligation").map(Cursor::word).transpose()?,
            groups: fields.optional("groups").map(read_groups).transpose()?.unwrap_or_default(),
            complete: fields.optional("complete").map(read_complete).transpose()?,
        })
    };
    header().map_err(HistoryError::Header)
}

/// The groups that subscribe to some topics only: each with its list.
fn read_groups(cursor: &Cursor<'_>) -> Result<BTreeMap<String, Subscribed>, PipelineError> {
    let mut groups = BTreeMap::new();
    for (name, cursor) in cursor.entries(r#"a table such as {"inventory":{"topics":["orders"]}}"#)? {
        if !is_shown(name) {
            return Err(cursor.unfit("a group's name is not empty and has no control characters").into());
        }
        let topics = cursor.table(&["topics"])?.required("topics", "the group's topics")?.list(LISTED_MAX, "topics")?;
        let topic = |cursor: &Cursor<'_>| cursor.text("the name of a topic").map(str::to_owned);
        groups.insert(name.to_owned(), Subscribed { topics: topics.iter().map(topic).collect::<Result<_, _>>()? });
    }
    Ok(groups)
}

fn read_complete(cursor: &Cursor<'_>) -> Result<BTreeSet<EventWord>, PipelineError> {
    Ok(cursor.list(EventWord::ALL.len(), "kinds of events")?.iter().map(Cursor::word).collect::<Result<_, _>>()?)
}

fn read_pipeline(cursor: &Cursor<'_>) -> Result<PipelineOf, PipelineError> {
    match cursor.value() {
        Value::Table(_) => Ok(PipelineOf::Whole(Box::new(Pipeline::nested(cursor)?))),
        _ => Ok(PipelineOf::Named(read_name(cursor)?.to_owned())),
    }
}
