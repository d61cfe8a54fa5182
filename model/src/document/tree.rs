//! The tree of a document, and its construction from JSON.
//!
//! Keys stay in the order of the text. A key that stands twice is an error; `serde_json::Value` would drop one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Value as Json;

/// The most keys of a JSON table: more than any format here has, and few enough to look for duplicates one by one.
const KEYS_LIMIT: usize = 64;

/// A value with its line, if its format has lines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub line: Option<u32>,
    pub value: Value,
}

/// The kinds of value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A whole number, wide enough for both formats.
    Integer(i128),
    /// A number with a fraction, a number beyond `i128`, or a date: no format here allows one.
    Other(String),
    Text(String),
    List(Vec<Node>),
    /// A table: keys with their lines, in the order of the text.
    Table(Vec<(String, Option<u32>, Node)>),
}

impl From<Value> for Node {
    fn from(value: Value) -> Node {
        Node { line: None, value }
    }
}

/// The text as errors show it: quoted, escaped, and cut to 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

impl fmt::Display for Value {
    /// A short description of the value.
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

impl Node {
    /// Parses JSON. An error has the parser's message, with line and column.
    pub fn from_json(text: &str) -> Result<Node, serde_json::Error> {
        serde_json::from_str(text)
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
