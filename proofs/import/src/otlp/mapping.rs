//! The mapping from spans to events: a TOML file, with a default that is read the same way.

use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{Flaw, ImportError, quoted};

/// The default, as people read it.
pub const DEFAULT: &str = include_str!("default.toml");

/// How spans are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub(crate) operation: Operations,
    pub(crate) outcome: Outcomes,
    pub(crate) effect: Effects,
    pub(crate) attributes: Names,
    pub(crate) complete: Option<Vec<String>>,
    pub(crate) level: Option<String>,
}

/// What a span does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Create,
    Send,
    Receive,
    Process,
    Settle,
    #[serde(rename = "")]
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operations {
    pub attributes: Vec<String>,
    pub create: Vec<String>,
    pub send: Vec<String>,
    pub receive: Vec<String>,
    pub process: Vec<String>,
    pub settle: Vec<String>,
    pub negative: Vec<String>,
    pub producer: Role,
    pub consumer: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AckedBy {
    Position,
    StatusOk,
    Event,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcomes {
    pub acked: Vec<AckedBy>,
    pub events: Vec<String>,
    pub refused: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EffectOf {
    Process,
    Receive,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Effects {
    pub operations: Vec<EffectOf>,
    pub spans: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    pub message: Vec<String>,
    pub key: Vec<String>,
    pub topic: Vec<String>,
    pub partition: Vec<String>,
    pub position: Vec<String>,
    pub group: Vec<String>,
    pub delivery: Vec<String>,
    pub batch: Vec<String>,
    pub service: Vec<String>,
    pub instance: Vec<String>,
    pub error: Vec<String>,
    pub kind: Vec<String>,
}

impl Default for Mapping {
    fn default() -> Self {
        Mapping::read("", "the default mapping").expect("the default is a mapping")
    }
}

impl Mapping {
    /// The default, changed by the keys of this TOML.
    ///
    /// # Errors
    ///
    /// The line, what is there and what is allowed.
    pub fn read(text: &str, file: &str) -> Result<Self, ImportError> {
        let at =
            |line: usize, found: String| Flaw::new(found, "the keys and words of docs/import/otlp.md").at(file, line);
        let line_of = |span: Option<std::ops::Range<usize>>| {
            let before = span.map_or("", |span| text.get(..span.start).unwrap_or(text));
            before.bytes().filter(|byte| *byte == b'\n').count() + 1
        };
        let changes: Table =
            toml::from_str(text).map_err(|error| at(line_of(error.span()), error.message().to_owned()))?;
        let mut whole: Table = toml::from_str(DEFAULT).expect("the default is TOML");
        for (key, value) in changes {
            match (whole.get_mut(&key), value) {
                (Some(Value::Table(section)), Value::Table(changes)) => section.extend(changes),
                (_, value) => drop(whole.insert(key, value)),
            }
        }
        let mapping: Mapping = Value::Table(whole).try_into().map_err(|error: toml::de::Error| {
            // The place in the file is lost when it is laid over the default: the key is looked for.
            let message = error.message().to_owned();
            let word = message.split('`').nth(1).unwrap_or_default();
            let line = text.lines().position(|line| !word.is_empty() && line.contains(word)).map_or(1, |line| line + 1);
            at(line, message)
        })?;
        if let Some(level) = mapping.level.as_deref().filter(|level| !["delivery", "effect"].contains(level)) {
            return Err(Flaw::new(format!("level {}", quoted(level)), "delivery or effect").of(file));
        }
        Ok(mapping)
    }
}
