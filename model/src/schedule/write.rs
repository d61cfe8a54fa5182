//! Writes a schedule as its JSON document: the same schedule, the same bytes.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{FORMAT, Interleaving, PlannedFault, Schedule, Strikes, VERSION};
use crate::pipeline::Pipeline;
use crate::vocab::Step;

#[derive(Serialize)]
struct Document<'a> {
    format: &'a str,
    version: u32,
    pipeline: &'a Pipeline,
    messages: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    faults: &'a [PlannedFault],
    order: Order<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Order<'a> {
    Seed(u64),
    Steps(&'a [Step]),
}

impl Schedule {
    /// The schedule as a JSON document over several lines, which loads as the same value.
    pub fn to_json(&self) -> String {
        let order = match &self.interleaving {
            Interleaving::Seeded(seed) => Order::Seed(*seed),
            Interleaving::Exact(steps) => Order::Steps(steps),
        };
        let Schedule { pipeline, messages, faults, .. } = self;
        let document = Document { format: FORMAT, version: VERSION, pipeline, messages: *messages, faults, order };
        serde_json::to_string_pretty(&document).expect("every key is a text, and nothing else can fail") + "\n"
    }
}

impl Serialize for PlannedFault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("fault", &self.fault)?;
        map.serialize_entry(Strikes::by(self.fault).0.word(), &self.at.step)?;
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
