//! Writes a schedule as its JSON document: the same schedule, the same bytes.
//!
//! Each fault and each step stands on a line of its own, so that a person can read, compare and delete them.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{FORMAT, Interleaving, PlannedFault, Schedule, VERSION};

impl Schedule {
    /// The schedule as a JSON document over several lines, which loads as the same value.
    pub fn to_json(&self) -> String {
        let pipeline = pretty(&self.pipeline).replace('\n', "\n  ");
        let mut members = vec![
            format!("  \"format\": \"{FORMAT}\""),
            format!("  \"version\": {VERSION}"),
            format!("  \"pipeline\": {pipeline}"),
            format!("  \"messages\": {}", self.messages),
        ];
        if !self.faults.is_empty() {
            members.push(format!("  \"faults\": {}", lines("  ", &self.faults)));
        }
        members.push(match &self.interleaving {
            Interleaving::Seeded(seed) => format!("  \"order\": {{ \"seed\": {seed} }}"),
            Interleaving::Exact(steps) => {
                format!("  \"order\": {{\n    \"steps\": {}\n  }}", lines("    ", steps))
            }
            Interleaving::Endless { steps, from } => {
                format!("  \"order\": {{\n    \"steps\": {},\n    \"loop\": {from}\n  }}", lines("    ", steps))
            }
        });
        format!("{{\n{}\n}}\n", members.join(",\n"))
    }
}

const INFALLIBLE: &str = "keys are texts and values are finite, which is all that JSON asks for";

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect(INFALLIBLE)
}

/// A list with each item on a line of its own.
fn lines(indent: &str, items: &[impl Serialize]) -> String {
    if items.is_empty() {
        return "[]".to_owned();
    }
    let item = |item| format!("{indent}  {}", serde_json::to_string(item).expect(INFALLIBLE));
    format!("[\n{}\n{indent}]", items.iter().map(item).collect::<Vec<_>>().join(",\n"))
}

impl Serialize for PlannedFault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("fault", &self.fault)?;
        map.serialize_entry(self.fault.row().strikes.word(), &self.at.step)?;
        if let Some(message) = self.at.message {
            map.serialize_entry("message", &message)?;
        }
        map.serialize_entry("time", &self.at.nth)?;
        if let Some(records) = self.keeps {
            map.serialize_entry("keeps", &records)?;
        }
        if let Some(position) = self.to {
            map.serialize_entry("to", &position)?;
        }
        map.end()
    }
}
