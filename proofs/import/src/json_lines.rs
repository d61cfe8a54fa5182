//! JSON objects, one a line, read leniently: keys that are not asked for are no error.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::Input;
use crate::error::{Flaw, ImportError, quoted};

/// One object.
#[derive(Clone, Debug)]
pub struct Line(Map<String, Value>);

/// The first object of a file, if it begins with one. Its line may be cut off.
pub fn first(start: &[u8]) -> Option<Line> {
    let line = start.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    serde_json::from_slice(line).ok().map(Line)
}

/// The objects of a file with the numbers of their lines. Empty lines are passed over.
pub fn read(input: &Input) -> impl Iterator<Item = Result<(usize, Line), ImportError>> {
    let lines = input.bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
    lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
        let flaw = |error: serde_json::Error| {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
            let found = format!("what cannot be read as a JSON object ({what}, column {})", error.column());
            Flaw::new(found, "a JSON object in each line").at(&input.name, number + 1)
        };
        serde_json::from_slice(line).map(|object| (number + 1, Line(object))).map_err(flaw)
    })
}

impl Line {
    /// A value; none if there is no such key, or it is null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// The value of `name`, by which such lines say what they are.
    pub fn name(&self) -> Option<&str> {
        self.get("name").and_then(Value::as_str)
    }

    /// A text, or a number as a text.
    pub fn text(&self, key: &str) -> Result<Cow<'_, str>, Flaw> {
        match self.get(key) {
            Some(Value::String(text)) => Ok(text.into()),
            Some(Value::Number(number)) => Ok(number.to_string().into()),
            found => Err(flaw(key, found, "a text")),
        }
    }

    /// A whole number, which some clients write as a text.
    pub fn whole(&self, key: &str) -> Result<u64, Flaw> {
        let found = self.get(key);
        let number = match found {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| flaw(key, found, "a whole number"))
    }

    /// The objects of a list; none if there is no such list.
    pub fn list(&self, key: &str) -> impl Iterator<Item = Line> {
        let list = self.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|value| value.as_object().cloned().map(Line))
    }
}

fn flaw(key: &str, found: Option<&Value>, expected: &str) -> Flaw {
    let found = found.map_or_else(|| format!("no `{key}`"), |value| format!("`{key}` {}", quoted(&value.to_string())));
    Flaw::new(found, format!("`{key}`: {expected}"))
}
