//! The diagnosis of a line that is not an event. It is slow and thorough, because it reads only lines that failed.

use serde_json::error::Category;

use super::At;
use super::line::Flaw;
use super::words::Key;
use crate::document::{Node, Value, quoted};
use crate::words::Word;

/// The reason why a line could not be read.
pub(super) enum Diagnosis {
    /// The line ends inside its JSON text.
    CutOff,
    /// The line is complete, but not an event.
    Flawed(Flaw),
}

/// The diagnosis of a line that failed with this error where `expected` should stand.
pub(super) fn diagnose(line: &[u8], error: &serde_json::Error, expected: &str) -> Diagnosis {
    let flawed = |found: String| Diagnosis::Flawed(Flaw { found, expected: expected.to_owned() });
    if line.trim_ascii().is_empty() {
        return flawed("an empty line".to_owned());
    }
    match serde_json::from_slice::<Node>(line) {
        // If the tree has no flaw that this code knows, the parser's message is used.
        Ok(node) => flaw_of(&node.value, expected).map_or_else(|| flawed(words(error)), Diagnosis::Flawed),
        Err(error) if error.classify() == Category::Eof => Diagnosis::CutOff,
        Err(error) => flawed(not_json(line, &error)),
    }
}

fn not_json(line: &[u8], error: &serde_json::Error) -> String {
    match std::str::from_utf8(line) {
        Err(utf8) => format!("bytes that are not UTF-8 (column {})", utf8.valid_up_to() + 1),
        Ok(_) => words(error),
    }
}

/// The parser's message without its line number, which counts from the start of this line.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
    format!("what cannot be read as JSON ({what}, column {})", error.column())
}

fn flaw_of(value: &Value, expected: &str) -> Option<Flaw> {
    let flaw = |found: String, expected: &str| Some(Flaw { found, expected: expected.to_owned() });
    let Value::Table(entries) = value else {
        return flaw(value.to_string(), expected);
    };
    if entries.iter().any(|(key, ..)| key == "format") {
        return flaw("a second header".to_owned(), expected);
    }
    entries.iter().find_map(|(key, _, node)| match Key::from_word(key) {
        None => {
            let keys = Key::ALL.map(Key::word).join(", ");
            let expected = format!("no other keys than {keys}; what else is known stands in `attributes`, an object");
            flaw(format!("unknown key {}", quoted(key)), &expected)
        }
        Some(key) if fits(key, &node.value) => None,
        Some(key) => flaw(format!("`{key}` {}", node.value), &key.allowed()),
    })
}

/// Whether the fast path accepts such a value. It checks words by itself.
fn fits(key: Key, value: &Value) -> bool {
    match (key, value) {
        (_, Value::Null) => true,
        (Key::At, Value::Text(text)) => At::instant(text).is_some(),
        (Key::At, value) => matches!(value, Value::Integer(_) | Value::Other(_)),
        (Key::Message | Key::Position, Value::Integer(number)) => u64::try_from(*number).is_ok(),
        (Key::Message, value) => matches!(value, Value::Text(_)),
        (Key::Attributes, value) => matches!(value, Value::Table(_)),
        (Key::Attempt | Key::Delivery, Value::Integer(number)) => u32::try_from(*number).is_ok(),
        (Key::Partition, Value::Integer(number)) => u64::try_from(*number).is_ok(),
        (Key::Partition, value) => matches!(value, Value::Text(_)),
        (Key::Attempt | Key::Delivery | Key::Position, _) => false,
        (_, value) => matches!(value, Value::Text(_)),
    }
}
