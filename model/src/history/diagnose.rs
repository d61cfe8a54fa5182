//! Says why a line is not an event. Slow and thorough, as it reads a line a second time that has already failed.

use serde_json::error::Category;

use super::line::Flaw;
use super::words::Key;
use crate::document::{Node, Value, quoted};
use crate::words::Word;

/// Why a line could not be read.
pub(super) enum Diagnosis {
    /// It ends in the middle of its JSON text.
    CutOff,
    /// It is whole, but no event.
    Flawed(Flaw),
}

/// Why `line` failed with this error.
pub(super) fn diagnose(line: &[u8], error: &serde_json::Error) -> Diagnosis {
    if line.trim_ascii().is_empty() {
        return flawed("an empty line".to_owned(), an_event());
    }
    match serde_json::from_slice::<Node>(line) {
        Ok(node) => Diagnosis::Flawed(flaw_of(&node.value).unwrap_or_else(|| {
            // Whatever the fast path refuses and the tree does not, its own words still say.
            Flaw { found: without_line(error), expected: an_event() }
        })),
        Err(error) if error.classify() == Category::Eof => Diagnosis::CutOff,
        Err(error) => flawed(not_json(line, &error), an_event()),
    }
}

fn an_event() -> String {
    "an event as one JSON object, such as {\"at\":1,\"process\":\"producer-0\",\"event\":\"submit\",\"message\":7}"
        .to_owned()
}

fn flawed(found: String, expected: String) -> Diagnosis {
    Diagnosis::Flawed(Flaw { found, expected })
}

fn not_json(line: &[u8], error: &serde_json::Error) -> String {
    match std::str::from_utf8(line) {
        Err(utf8) => format!("bytes that are not UTF-8 (column {})", utf8.valid_up_to() + 1),
        Ok(_) => without_line(error),
    }
}

/// The parser's words, which count lines from the line's own start.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
    format!("at column {}: {what}", error.column())
}

fn flaw_of(value: &Value) -> Option<Flaw> {
    let Value::Table(entries) = value else {
        return Some(Flaw { found: value.to_string(), expected: an_event() });
    };
    if entries.iter().any(|(key, ..)| key == "format") {
        return Some(Flaw { found: "a second header".to_owned(), expected: an_event() });
    }
    entries.iter().find_map(|(key, _, node)| match Key::from_word(key) {
        None => {
            let keys = Key::ALL.map(Key::word).join(", ");
            Some(Flaw { found: format!("unknown key {}", quoted(key)), expected: format!("no other keys than {keys}") })
        }
        Some(key) if fits(key, &node.value) => None,
        Some(key) => Some(Flaw { found: format!("`{key}` {}", node.value), expected: key.allowed() }),
    })
}

/// Whether the fast path takes such a value. Words are its own to check.
fn fits(key: Key, value: &Value) -> bool {
    match (key, value) {
        (_, Value::Null) => true,
        (Key::At, value) => matches!(value, Value::Integer(_) | Value::Other(_)),
        (Key::Message | Key::Position, Value::Integer(number)) => u64::try_from(*number).is_ok(),
        (Key::Attempt | Key::Delivery, Value::Integer(number)) => u32::try_from(*number).is_ok(),
        (Key::Process | Key::Event | Key::Group | Key::Outcome | Key::Fault | Key::Payload, value) => {
            matches!(value, Value::Text(_))
        }
        _ => false,
    }
}
