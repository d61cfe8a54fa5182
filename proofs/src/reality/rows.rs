//! The rows of an audit as data: what `delivery audit --json` prints, one JSON object a line.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

/// The run that this repository keeps.
const KEPT: &str = include_str!("run/run.jsonl");

/// One product with one setting under one kind of fault and one load: its rounds, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The product, such as "redis".
    pub product: String,
    /// Its version.
    pub version: String,
    /// The setting, such as "everysec".
    pub setting: String,
    /// The configuration that the setting stands for.
    pub means: String,
    /// The fault, such as "kill".
    pub fault: String,
    /// The load, such as "lags".
    pub load: String,
    /// The number of messages in a round.
    pub messages: u64,
    /// The number of rounds.
    #[serde(default)]
    pub rounds: u64,
    /// Acked messages that never arrived.
    #[serde(default)]
    pub lost: u64,
    /// Deliveries after a confirmed settle.
    #[serde(default)]
    pub again: u64,
    /// Those of them that were not marked as redeliveries.
    #[serde(default)]
    pub again_unmarked: u64,
    /// Messages that the broker stored more than once.
    #[serde(default)]
    pub repeated: u64,
    /// Acked messages.
    #[serde(default)]
    pub acked: u64,
    /// Rounds in which the fault did not strike.
    #[serde(default)]
    pub not_struck: u64,
    /// The number of rounds with each finding, by its word.
    #[serde(default)]
    pub findings: BTreeMap<String, u64>,
    /// Why it could not be run, if it could not.
    #[serde(default)]
    pub trouble: Option<String>,
}

impl Record {
    /// The number of rounds with a finding of this word.
    pub fn rounds_with(&self, finding: &str) -> u64 {
        self.findings.get(finding).copied().unwrap_or(0)
    }
}

/// A line that is no row.
#[derive(Debug, Error)]
#[error("line {line}: {error}; expected a row of `delivery audit --json`")]
pub struct RowError {
    /// Its number, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub error: serde_json::Error,
}

/// Reads rows. Empty lines are skipped.
pub fn rows(text: &str) -> Result<Vec<Record>, RowError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| serde_json::from_str(line).map_err(|error| RowError { line: at + 1, error })).collect()
}

/// The rows of the run that this repository keeps.
pub fn kept() -> &'static [Record] {
    static ROWS: LazyLock<Vec<Record>> = LazyLock::new(|| rows(KEPT).expect("a test reads them"));
    &ROWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_run_can_be_read_and_a_bad_line_is_named() {
        assert!(kept().iter().all(|row| !row.product.is_empty()));
        let error = rows("\n{\"product\": 1}\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2: invalid type: integer `1`, expected a string"), "{error}");
    }
}
