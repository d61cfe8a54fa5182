//! The results of an audit as data: one object for each campaign.

use serde_json::{Value, json};

use crate::campaign::{Campaign, Extent, Sums};
use crate::product::Trouble;

/// A campaign with its sums, or why it could not be run.
pub struct Row {
    /// What was run.
    pub campaign: Campaign,
    /// The product's version.
    pub version: String,
    /// What came of it.
    pub sums: Result<Sums, Trouble>,
}

impl Row {
    /// The row as a JSON object. `trouble` stands in place of the figures where there are none.
    pub fn in_json(&self, extent: &Extent) -> Value {
        let Campaign { product, setting, fault, load, .. } = self.campaign;
        let mut json = json!({
            "product": product.name(),
            "version": self.version,
            "setting": setting.name,
            "means": setting.means,
            "fault": fault.name(),
            "load": load.word(),
            "messages": extent.messages,
        });
        if let Some(server) = &self.campaign.server {
            json["server"] = server.address().to_string().into();
        }
        match &self.sums {
            Err(trouble) => json["trouble"] = trouble.to_string().into(),
            Ok(sums) => {
                let findings = sums.findings.iter().map(|(found, rounds)| (found.word().to_owned(), (*rounds).into()));
                json["rounds"] = sums.rounds.into();
                json["acked"] = sums.acked.into();
                json["lost"] = sums.lost.into();
                json["settled"] = sums.settled.into();
                json["again"] = sums.again.into();
                json["again-unmarked"] = sums.again_unmarked.into();
                json["repeated"] = sums.repeated.into();
                json["not-struck"] = sums.not_struck.into();
                json["not-returned"] = sums.not_returned.clone().into();
                json["findings"] = Value::Object(findings.collect());
            }
        }
        json
    }
}
