//! How TOML becomes a tree, each value with its line. Behind the feature `toml`.

use toml::de::{DeTable, DeValue};

use super::tree::{Node, Value, quoted};

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
