//! The pieces of which the JSON Schemas are made. Draft 2020-12; keys stand in the order in which they are given.

use crate::document::{Node, Value};
use crate::pipeline::NAME_LIMIT;

/// A whole schema file.
pub(super) fn file(title: &str, schema: Value) -> String {
    let head = table([("$schema", text("https://json-schema.org/draft/2020-12/schema")), ("title", text(title))]);
    serde_json::to_string_pretty(&with(head, schema)).expect("keys are texts and values are finite") + "\n"
}

pub(super) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().map(Node::from).collect())
}

pub(super) fn table<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.into(), None, Node::from(value))).collect())
}

/// All that two tables say.
pub(super) fn with(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Table(mut first), Value::Table(second)) => {
            first.extend(second);
            Value::Table(first)
        }
        (first, second) => unreachable!("{first} and {second} are not two tables"),
    }
}

/// The same schema with a sentence for people.
pub(super) fn said(schema: Value, sentence: &str) -> Value {
    with(schema, table([("description", text(sentence))]))
}

pub(super) fn is_a(kind: &str) -> Value {
    table([("type", text(kind))])
}

pub(super) fn constant(word: &str) -> Value {
    table([("const", text(word))])
}

pub(super) fn number(low: u64, high: u64) -> Value {
    let bound = |number: u64| Value::Integer(number.into());
    with(is_a("integer"), table([("minimum", bound(low)), ("maximum", bound(high))]))
}

pub(super) fn one_of(words: impl IntoIterator<Item = &'static str>) -> Value {
    table([("enum", list(words.into_iter().map(text)))])
}

pub(super) fn any(schemas: impl IntoIterator<Item = Value>) -> Value {
    table([("anyOf", list(schemas))])
}

/// A text that people will read: not empty, no control characters.
pub(super) fn shown() -> Value {
    let pattern = text(r"^[^\u0000-\u001f\u007f-\u009f]*$");
    with(is_a("string"), table([("minLength", Value::Integer(1)), ("pattern", pattern)]))
}

/// A date and time as in RFC 3339.
pub(super) fn date_time() -> Value {
    let pattern = text(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$");
    with(is_a("string"), table([("format", text("date-time")), ("pattern", pattern)]))
}

/// An object with any keys, whose values are such.
pub(super) fn map_of(value: Value) -> Value {
    with(is_a("object"), table([("additionalProperties", value)]))
}

/// A pipeline's name.
pub(super) fn name() -> Value {
    with(shown(), table([("maxLength", Value::Integer(NAME_LIMIT as i128))]))
}

/// An object that has these keys and no others; some of them it must have.
pub(super) fn closed<K: Into<String>>(
    properties: impl IntoIterator<Item = (K, Value)>,
    required: impl IntoIterator<Item = &'static str>,
) -> Value {
    let properties = table([("properties", table(properties)), ("additionalProperties", Value::Bool(false))]);
    with(is_a("object"), with(properties, table([("required", list(required.into_iter().map(text)))])))
}

pub(super) fn list_of(limit: usize, item: Value) -> Value {
    with(is_a("array"), table([("maxItems", Value::Integer(limit as i128)), ("items", item)]))
}
