//! OTLP as JSON: the parts of it that tell of messages. Unknown keys are passed over, as the protocol asks.

use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One line of the Collector's file exporter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    #[serde(default, alias = "resource_spans", deserialize_with = "nullable")]
    pub resource_spans: Vec<ResourceSpans>,
    #[serde(default)]
    pub resource_logs: Option<IgnoredAny>,
    #[serde(default)]
    pub resource_metrics: Option<IgnoredAny>,
}

/// The spans of one process.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans {
    #[serde(default, deserialize_with = "nullable")]
    pub resource: Resource,
    /// Called `instrumentationLibrarySpans` until 2022.
    #[serde(default, alias = "scope_spans", alias = "instrumentationLibrarySpans", deserialize_with = "nullable")]
    pub scope_spans: Vec<ScopeSpans>,
}

#[derive(Default, Deserialize)]
pub struct Resource {
    #[serde(default, deserialize_with = "nullable")]
    pub attributes: Attributes,
}

#[derive(Deserialize)]
pub struct ScopeSpans {
    #[serde(default, deserialize_with = "nullable")]
    pub spans: Vec<Span>,
}

/// One span.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    #[serde(default, alias = "trace_id", deserialize_with = "nullable")]
    pub trace_id: String,
    #[serde(default, alias = "span_id", deserialize_with = "nullable")]
    pub span_id: String,
    #[serde(default, alias = "parent_span_id", deserialize_with = "nullable")]
    pub parent_span_id: String,
    #[serde(default, alias = "trace_state", deserialize_with = "nullable")]
    pub trace_state: String,
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    #[serde(default, deserialize_with = "kind")]
    pub kind: Kind,
    #[serde(default, alias = "start_time_unix_nano")]
    pub start_time_unix_nano: Number,
    #[serde(default, alias = "end_time_unix_nano")]
    pub end_time_unix_nano: Number,
    #[serde(default, deserialize_with = "nullable")]
    pub attributes: Attributes,
    #[serde(default, deserialize_with = "nullable")]
    pub events: Vec<SpanEvent>,
    #[serde(default, deserialize_with = "nullable")]
    pub links: Vec<Link>,
    #[serde(default, deserialize_with = "nullable")]
    pub status: Status,
}

#[derive(Deserialize)]
pub struct SpanEvent {
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub attributes: Attributes,
}

/// What a span refers to: for a consumer, the context in which a message was made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    #[serde(default, alias = "trace_id", deserialize_with = "nullable")]
    pub trace_id: String,
    #[serde(default, alias = "span_id", deserialize_with = "nullable")]
    pub span_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub attributes: Attributes,
}

#[derive(Default, Deserialize)]
pub struct Status {
    #[serde(default, deserialize_with = "code")]
    pub code: Code,
    #[serde(default, deserialize_with = "nullable")]
    pub message: String,
}

/// What a span says of how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Code {
    #[default]
    Unset,
    Ok,
    Error,
}

/// The role of a span in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Producer,
    Consumer,
    #[default]
    Other,
}

/// A number, which JSON encoders of 64 bits write as a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number(pub Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Number(match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }))
    }
}

/// The attributes of a span, a link, an event or a resource.
#[derive(Default)]
pub struct Attributes(Map<String, Value>);

impl Attributes {
    /// A value; none if it is not there or empty.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// The first of these attributes that is there, as a text.
    pub fn text(&self, keys: &[String]) -> Option<String> {
        keys.iter().find_map(|key| match self.get(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        })
    }

    /// The first of these attributes that is there and a whole number, or the text of one.
    pub fn whole(&self, keys: &[String]) -> Option<u64> {
        keys.iter().find_map(|key| match self.get(key)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// Whether an attribute begins like this.
    pub fn any_begins(&self, start: &str) -> bool {
        self.0.keys().any(|key| key.starts_with(start))
    }

    pub fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<KeyValue>::deserialize(deserializer)?;
        Ok(Attributes(pairs.into_iter().map(|KeyValue { key, value }| (key, plain(value))).collect()))
    }
}

#[derive(Deserialize, Serialize)]
struct KeyValue {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Value,
}

/// The value that an OTLP value stands for: `{"stringValue":"a"}` is `"a"`.
fn plain(value: Value) -> Value {
    let Value::Object(mut value) = value else { return Value::Null };
    let mut take = |key: &str| value.remove(key);
    if let Some(plain) = take("stringValue").or_else(|| take("boolValue")).or_else(|| take("doubleValue")) {
        return plain;
    }
    if let Some(bytes) = take("bytesValue") {
        return bytes;
    }
    match take("intValue") {
        Some(Value::String(text)) => return text.parse::<i64>().map_or(Value::String(text), Value::from),
        Some(number) => return number,
        None => {}
    }
    let list = |value: Option<Value>| match value {
        Some(Value::Object(mut list)) => match list.remove("values") {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    if let Some(values) = take("arrayValue") {
        return list(Some(values)).into_iter().map(plain).collect();
    }
    let pairs = list(take("kvlistValue")).into_iter();
    let pairs = pairs.filter_map(|pair| serde_json::from_value::<KeyValue>(pair).ok());
    let object: Map<String, Value> = pairs.map(|KeyValue { key, value }| (key, plain(value))).collect();
    if object.is_empty() { Value::Null } else { Value::Object(object) }
}

/// A value, or its default for `null`.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) if number.as_u64() == Some(4) => Kind::Producer,
        Value::Number(number) if number.as_u64() == Some(5) => Kind::Consumer,
        Value::String(word) => Kind::of(&word),
        _ => Kind::Other,
    })
}

impl Kind {
    /// The kind with this word, with or without `SPAN_KIND_`.
    pub fn of(word: &str) -> Kind {
        match word.to_ascii_uppercase().trim_start_matches("SPAN_KIND_") {
            "PRODUCER" => Kind::Producer,
            "CONSUMER" => Kind::Consumer,
            _ => Kind::Other,
        }
    }
}

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) if number.as_u64() == Some(1) => Code::Ok,
        Value::Number(number) if number.as_u64() == Some(2) => Code::Error,
        Value::String(word) if word == "STATUS_CODE_OK" => Code::Ok,
        Value::String(word) if word == "STATUS_CODE_ERROR" => Code::Error,
        _ => Code::Unset,
    })
}
