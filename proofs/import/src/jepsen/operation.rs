//! One operation of a Jepsen history, and the two ways to write it down.
//!
//! EDN: a map an operation, one after the other or all in one vector, each with or without the tag of its record
//! (`#jepsen.history.Op{..}`). Lines: process, type, function, value and an error, with tabs between.

use std::borrow::Cow;

use clojure_reader::edn::{self, Edn};
use clojure_reader::error::{Code, Error};
use delivery_model::history::At;

use crate::Input;
use crate::error::{Flaw, ImportError, quoted};

/// How far an operation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It began.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// It may have happened.
    Info,
}

/// One operation.
#[derive(Debug)]
pub struct Operation<'a> {
    pub process: Cow<'a, str>,
    pub phase: Phase,
    pub f: Cow<'a, str>,
    pub value: Edn<'a>,
    /// Nanoseconds since the test began, or, where one of them has no time, its number.
    pub time: i64,
    /// It asked to begin again at the first message of its logs.
    pub seeks: bool,
    /// The logs that changed hands meanwhile; `nil` where there were none, and anything else where it is not said which.
    pub rebalanced: Edn<'a>,
}

impl Operation<'_> {
    /// The time as a history has it: nanoseconds since the test began, or the number of the operation.
    pub fn at(&self) -> At {
        At::Whole(u64::try_from(self.time).unwrap_or_default())
    }

    /// The process as a name.
    pub fn process_name(&self) -> String {
        match self.process.parse::<u64>() {
            Ok(number) => format!("process-{number}"),
            Err(_) => self.process.to_string(),
        }
    }

    /// Whether it is the beginning (`:invoke`) of an operation, and not its end.
    pub fn is_invocation(&self) -> bool {
        self.phase == Phase::Invoke
    }
}

/// What an operation is.
const OPERATION: &str = "an operation: a map with :process, :type (:invoke, :ok, :fail, :info), :f and :value";

/// Whether a file begins like a history, in one of the two ways.
pub fn is_history(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The start of a file may end inside a letter.
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    let text = without_comments(text);
    if fields(text.lines().next().unwrap_or_default()).is_some() {
        return true;
    }
    let inside = text.trim_start_matches(|letter: char| letter == '[' || letter == '(' || letter.is_whitespace());
    let inside = match inside.strip_prefix('#') {
        Some(tagged) => tagged.find('{').map_or("", |brace| &tagged[brace..]),
        None => inside,
    };
    // JSON has a quote where EDN has a keyword.
    inside.strip_prefix('{').is_some_and(|map| map.trim_start().starts_with(':') && map.contains(":type"))
}

fn without_comments(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        match text.strip_prefix(';') {
            Some(comment) => text = comment.split_once('\n').map_or("", |(_, rest)| rest),
            None => return text,
        }
    }
}

/// The process, type, function and value of a line, if it is one.
fn fields(line: &str) -> Option<[&str; 4]> {
    let mut fields = line.split('\t').map(str::trim);
    let [process, phase, f] = [fields.next()?, fields.next()?, fields.next()?];
    let value = fields.next().unwrap_or("nil");
    (phase_of(phase.strip_prefix(':')?).is_some() && f.starts_with(':')).then_some([process, phase, f, value])
}

fn phase_of(word: &str) -> Option<Phase> {
    match word {
        "invoke" => Some(Phase::Invoke),
        "ok" => Some(Phase::Ok),
        "fail" => Some(Phase::Fail),
        "info" => Some(Phase::Info),
        _ => None,
    }
}

/// Every operation of a history.
pub fn read(input: &Input) -> Result<Vec<Operation<'_>>, ImportError> {
    let text = std::str::from_utf8(&input.bytes).map_err(|error| {
        let line = line_of(&input.bytes, error.valid_up_to());
        Flaw::new("bytes that are not UTF-8", "text").at(&input.name, line)
    })?;
    let first = without_comments(text).lines().next().unwrap_or_default();
    let timed = if fields(first).is_some() { lines(&input.name, text)? } else { maps(&input.name, text)? };
    let are_timed = timed.iter().all(|(time, _)| time.is_some());
    let operations = timed.into_iter().enumerate().map(|(number, (time, operation))| Operation {
        time: time.filter(|_| are_timed).unwrap_or(number as i64 + 1),
        ..operation
    });
    Ok(operations.collect())
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
}

type Timed<'a> = (Option<i64>, Operation<'a>);

fn lines<'a>(file: &str, text: &'a str) -> Result<Vec<Timed<'a>>, ImportError> {
    let mut operations = Vec::new();
    for (line, text) in text.lines().enumerate() {
        if text.trim().is_empty() || text.trim_start().starts_with(';') {
            continue;
        }
        let flawed = |flaw: Flaw| flaw.at(file, line + 1);
        let Some([process, phase, f, value]) = fields(text) else {
            let expected = "a process, :invoke, :ok, :fail or :info, a function and a value, with tabs between";
            return Err(flawed(Flaw::new(quoted(text), expected)));
        };
        let value = edn::read_string(value).map_err(|error| flawed(not_edn(&error)))?;
        flat(&value, 0).map_err(flawed)?;
        let phase = phase_of(&phase[1..]).expect("the fields are those of an operation");
        let (process, f) = (process.strip_prefix(':').unwrap_or(process).into(), f[1..].into());
        operations.push((None, Operation { process, phase, f, value, time: 0, seeks: false, rebalanced: Edn::Nil }));
    }
    Ok(operations)
}

fn maps<'a>(file: &str, text: &'a str) -> Result<Vec<Timed<'a>>, ImportError> {
    let mut operations = Vec::new();
    let (mut rest, mut line) = (without_comments(text), 1);
    let mut before = text;
    while !rest.is_empty() {
        line += line_of(before.as_bytes(), before.len() - rest.len()) - 1;
        before = rest;
        let (value, after) = edn::read(rest).map_err(|error| {
            let inside = error.line.map_or(0, |inside| inside - 1);
            not_edn(&error).at(file, line + inside)
        })?;
        flat(&value, 0).map_err(|flaw| flaw.at(file, line))?;
        match untagged(value) {
            // Jepsen writes one operation a line, older ones a vector of all: inside it lines are not known.
            Value::Sequence(values) => {
                for value in values {
                    operations.push(operation(value).map_err(|flaw| flaw.at(file, line))?);
                }
            }
            Value::Other(value) => operations.push(operation(value).map_err(|flaw| flaw.at(file, line))?),
        }
        rest = without_comments(after);
    }
    Ok(operations)
}

/// Refuses what is nested deeper than any history, because showing a value takes stack for each level.
fn flat(value: &Edn<'_>, depth: usize) -> Result<(), Flaw> {
    /// Jepsen keeps exceptions with their causes, which are some twenty levels.
    const DEPTH_MAX: usize = 128;
    if depth > DEPTH_MAX {
        return Err(Flaw::new(format!("values nested more than {DEPTH_MAX} deep"), "flatter ones"));
    }
    let inner = |value: &Edn<'_>| flat(value, depth + 1);
    match value {
        Edn::Vector(values) | Edn::List(values) => values.iter().try_for_each(inner),
        Edn::Set(values) => values.iter().try_for_each(inner),
        Edn::Map(map) => map.iter().try_for_each(|(key, value)| inner(key).and_then(|()| inner(value))),
        Edn::Tagged(_, value) => inner(value),
        _ => Ok(()),
    }
}

fn not_edn(error: &Error) -> Flaw {
    let what = match &error.code {
        Code::UnexpectedEOF => "an end inside a value".to_owned(),
        Code::UnmatchedDelimiter(letter) => format!("{letter:?} without its beginning"),
        Code::HashMapDuplicateKey => "a key twice in one map".to_owned(),
        code => format!("what cannot be read as EDN ({code:?})"),
    };
    let column = error.column.map_or_else(String::new, |column| format!(", column {column}"));
    Flaw::new(format!("{what}{column}"), "EDN")
}

enum Value<'a> {
    Sequence(Vec<Edn<'a>>),
    Other(Edn<'a>),
}

fn untagged(value: Edn<'_>) -> Value<'_> {
    match value {
        Edn::Vector(_) | Edn::List(_) => {
            let mut value = value;
            match &mut value {
                Edn::Vector(values) | Edn::List(values) => Value::Sequence(std::mem::take(values)),
                _ => Value::Sequence(Vec::new()),
            }
        }
        value => Value::Other(value),
    }
}

fn operation(mut value: Edn<'_>) -> Result<Timed<'_>, Flaw> {
    while let Edn::Tagged(_, inner) = &mut value {
        value = std::mem::replace(&mut **inner, Edn::Nil);
    }
    let Edn::Map(map) = &mut value else {
        return Err(Flaw::new(quoted(&value.to_string()), OPERATION));
    };
    let mut take = |key: &'static str| map.remove(&Edn::key(key)).unwrap_or(Edn::Nil);
    let (phase, f, process) = (take("type"), take("f"), take("process"));
    let (time, value, seeks, rebalanced) =
        (take("time"), take("value"), take("seek-to-beginning?"), take("rebalance-log"));
    let missing = |key: &str, found: &Edn<'_>| Flaw::new(format!("{key} {}", quoted(&found.to_string())), OPERATION);
    let phase = match &phase {
        Edn::Key(word) => phase_of(word),
        _ => None,
    }
    .ok_or_else(|| missing(":type", &phase))?;
    let f = name(&f).ok_or_else(|| missing(":f", &f))?;
    // The tests of Jepsen's checkers leave out what they do not need.
    let process = name(&process).unwrap_or(Cow::Borrowed("?"));
    let time = match time {
        Edn::Int(time) => Some(time),
        // Clojure's `1e9` is a double.
        Edn::Double(time) => Some(time.0 as i64),
        _ => None,
    };
    let seeks = matches!(seeks, Edn::Bool(true));
    Ok((time, Operation { process, phase, f, value, time: 0, seeks, rebalanced }))
}

/// A keyword, symbol, text or number as a name.
fn name<'a>(value: &Edn<'a>) -> Option<Cow<'a, str>> {
    match value {
        Edn::Key(name) | Edn::Symbol(name) | Edn::Str(name) => Some(name.clone()),
        Edn::Int(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// A value as people write it: a keyword without its colon, a text without quotes.
pub fn text(value: &Edn<'_>) -> String {
    match value {
        Edn::Key(text) | Edn::Str(text) | Edn::Symbol(text) => text.to_string(),
        value => value.to_string(),
    }
}
