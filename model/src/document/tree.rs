//! The tree itself, and how TOML and JSON become one.
//!
//! It keeps keys in the order of the text. A key that stands twice is refused, where `serde_json::Value` would drop one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

/// The most keys of a JSON table: more than any format here has, and few enough to look for duplicates one by one.
const KEYS_LIMIT: usize = 64;

/// A value, and the line where it stands, if its format has lines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub line: Option<u32>,
    pub value: Value,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Wide enough for both formats' integers.
    Integer(i128),
    /// A number with a fraction, one too large for an integer, or a date: nothing that a format here asks for.
    Other(String),
    Text(String),
    List(Vec<Node>),
    /// Keys with their lines, in the order of the text.
    Table(Vec<(String, Option<u32>, Node)>),
}

impl From<Value> for Node {
    fn from(value: Value) -> Node {
        Node { line: None, value }
    }
}

/// Text as an error shows it: in quotes, escaped, and not too long.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

impl fmt::Display for Value {
    /// A short description of what was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Other(value) => f.write_str(value),
            Value::Text(value) => f.write_str(&quoted(value)),
            Value::List(_) => f.write_str("a list"),
            Value::Table(_) => f.write_str("a table"),
        }
    }
}

/// The lines of a text, found by byte offset.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Lines {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines { starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn at(&self, offset: usize) -> u32 {
        self.starts.partition_point(|&start| start <= offset) as u32
    }
}

impl Node {
    /// Parses TOML; on failure gives the line and what is wrong there.
    pub fn from_toml(text: &str) -> Result<Node, (u32, String)> {
        let lines = Lines::of(text);
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let here = text.get(span.clone()).and_then(|here| here.lines().next()).filter(|here| !here.is_empty());
            let found = here.map(|here| format!(", found {}", quoted(here))).unwrap_or_default();
            (lines.at(span.start), format!("{}{found}", error.message()))
        })?;
        Ok(Node { line: None, value: toml_table(table.into_inner(), &lines) })
    }

    /// Parses JSON; on failure gives what is wrong, with line and column.
    pub fn from_json(text: &str) -> Result<Node, serde_json::Error> {
        serde_json::from_str(text)
    }
}

fn toml_table(table: DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
        let line = Some(lines.at(key.span().start));
        let node = Node { line, value: toml_value(value.into_inner(), lines) };
        (std::borrow::Cow::into_owned(key.into_inner()), line, node)
    };
    Value::Table(entries.into_iter().map(entry).collect())
}

fn toml_value(value: DeValue<'_>, lines: &Lines) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other(number.to_string()),
        },
        DeValue::Float(number) => Value::Other(number.to_string()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(items) => {
            let item = |item: toml::Spanned<DeValue<'_>>| {
                let line = Some(lines.at(item.span().start));
                Node { line, value: toml_value(item.into_inner(), lines) }
            };
            Value::List(items.into_iter().map(item).collect())
        }
        DeValue::Table(table) => toml_table(table, lines),
    }
}

impl From<&Json> for Node {
    fn from(json: &Json) -> Node {
        Node::from(match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_u64().map(i128::from).or(number.as_i64().map(i128::from)) {
                Some(integer) => Value::Integer(integer),
                None => Value::Other(number.to_string()),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(Node::from).collect()),
            Json::Object(entries) => {
                Value::Table(entries.iter().map(|(key, value)| (key.clone(), None, Node::from(value))).collect())
            }
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Node::from)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Other(format!("{number:?}")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table: Vec<(String, Option<u32>, Node)> = Vec::new();
        while let Some((key, node)) = entries.next_entry::<String, Node>()? {
            if table.iter().any(|(known, ..)| *known == key) {
                return Err(A::Error::custom(format!("the key {} stands twice in one table", quoted(&key))));
            }
            if table.len() == KEYS_LIMIT {
                return Err(A::Error::custom(format!("a table has more than {KEYS_LIMIT} keys")));
            }
            table.push((key, None, node));
        }
        Ok(Value::Table(table))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.serialize_i128(*number),
            },
            Value::Other(text) | Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter().map(|item| &item.value)),
            Value::Table(entries) => serializer.collect_map(entries.iter().map(|(key, _, node)| (key, &node.value))),
        }
    }
}
