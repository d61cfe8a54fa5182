//! Writes a pipeline as TOML or JSON, with every setting spelt out, so that the text says all there is to say.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::ser::{Serialize, Serializer};

use super::settings::{BROKER, CONSUMER, PRODUCER, Setting, TOP};
use super::{FaultBudget, Pipeline};
use crate::document::{Node, Value};
use crate::vocab::Fault;

impl Pipeline {
    /// The pipeline as TOML that loads as the same value, every setting spelt out.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let (sections, top): (Vec<_>, _) =
            self.to_entries().into_iter().partition(|(_, _, node)| matches!(node.value, Value::Table(_)));
        write_settings(&mut text, &top);
        for (key, _, node) in &sections {
            let Value::Table(settings) = &node.value else { continue };
            text.push_str(&format!("\n[{key}]\n"));
            write_settings(&mut text, settings);
        }
        text
    }

    /// The settings of the three parties, every one spelt out: `broker.dedup` is `"sequence"`. Parties that work together
    /// must agree on them. What is claimed of the pipeline, and the faults that it must survive, are left out.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        for (section, _, node) in self.to_entries() {
            let Value::Table(entries) = node.value else { continue };
            if section == "faults" {
                continue;
            }
            for (key, _, node) in entries {
                let mut value = String::new();
                write_value(&mut value, &node.value);
                settings.insert(format!("{section}.{key}"), value);
            }
        }
        settings
    }

    fn to_entries(&self) -> Vec<Entry> {
        let mut entries = section(TOP, self);
        let sections = [
            ("producer", section(PRODUCER, &self.producer)),
            ("broker", section(BROKER, &self.broker)),
            ("consumer", section(CONSUMER, &self.consumer)),
            ("faults", faults(&self.faults)),
        ];
        entries.extend(sections.map(|(key, settings)| entry(key, Value::Table(settings))));
        entries
    }
}

impl Serialize for Pipeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value::Table(self.to_entries()).serialize(serializer)
    }
}

type Entry = (String, Option<u32>, Node);

fn entry(key: &str, value: Value) -> Entry {
    (key.to_owned(), None, Node::from(value))
}

fn section<S>(settings: &[Setting<S>], section: &S) -> Vec<Entry> {
    let written = settings.iter().map(|setting| entry(setting.key, (setting.write)(section)));
    written.filter(|(_, _, node)| node.value != Value::Null).collect()
}

/// Kinds without a budget are left out; a budget of nothing is an empty table.
fn faults(budget: &FaultBudget) -> Vec<Entry> {
    if *budget == FaultBudget::NONE {
        return Vec::new();
    }
    let times = |times: u32| Value::Integer(times.into());
    let kinds = budget.kinds().map(|fault: Fault| entry(fault.word(), times(budget.of(fault))));
    std::iter::once(entry("total", times(budget.total))).chain(kinds).collect()
}

fn write_settings(text: &mut String, settings: &[Entry]) {
    let width = settings.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
    for (key, _, node) in settings {
        text.push_str(&format!("{key:width$} = "));
        write_value(text, &node.value);
        text.push('\n');
    }
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Text(value) => write_text(text, value),
        value => text.push_str(&value.to_string()),
    }
}

/// A TOML basic string: quotes, backslashes and control characters are escaped.
fn write_text(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => write!(text, "\\u{:04X}", u32::from(c)).expect("a String takes all text"),
            c => text.push(c),
        }
    }
    text.push('"');
}
