//! All figures of one run of the benches, as they are kept.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use super::criterion::NothingFound;
use super::criterion::{Estimate, estimates};
use super::sheet::{SHEETS, Sheet};

/// The figures of one run of the benches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gathered {
    /// Where, when and with what the benches were run.
    pub about: About,
    /// What the benches said, in the order of their names.
    pub sheets: Vec<Sheet>,
    /// What criterion measured, in the order of the names.
    pub estimates: Vec<Estimate>,
}

/// Where, when and with what the benches were run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The day, such as "2026-11-28".
    pub date: String,
    /// Processor, cores, memory and system.
    pub machine: String,
    /// The command that made the figures.
    pub command: String,
    /// The compiler, and the crates that are compared, each with its version.
    pub versions: Vec<String>,
}

impl Gathered {
    /// Gathers what benches left in criterion's directory.
    pub fn in_directory(directory: &Path, about: About) -> Result<Gathered, NothingFound> {
        let estimates = estimates(directory)?;
        let mut sheets: Vec<Sheet> = Vec::new();
        for entry in fs::read_dir(directory.join(SHEETS)).into_iter().flatten().flatten() {
            let path = entry.path();
            let text = fs::read_to_string(&path).map_err(|error| NothingFound::unreadable(&path, &error))?;
            let sheet: Sheet = serde_json::from_str(&text).map_err(|error| NothingFound::unreadable(&path, &error))?;
            check(&sheet).map_err(|why| NothingFound::unreadable(&path, &why))?;
            sheets.push(sheet);
        }
        sheets.sort_by(|a, b| a.bench.cmp(&b.bench));
        if estimates.is_empty() && sheets.is_empty() {
            return Err(NothingFound::Empty { path: directory.display().to_string() });
        }
        Ok(Gathered { about, sheets, estimates })
    }

    /// Reads what [`Gathered::to_json`] wrote. The error names the place.
    pub fn from_json(text: &str) -> Result<Gathered, String> {
        let gathered: Gathered = serde_json::from_str(text).map_err(|error| error.to_string())?;
        gathered.sheets.iter().try_for_each(check)?;
        Ok(gathered)
    }

    /// The figures as JSON, for [`Gathered::from_json`].
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("maps have words for keys") + "\n"
    }

    /// The groups of criterion, each with its estimates.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Estimate]> {
        self.estimates.chunk_by(|a, b| a.group == b.group)
    }
}

/// Whether each row fits its table.
fn check(sheet: &Sheet) -> Result<(), String> {
    for table in &sheet.tables {
        if let Some((name, cells)) = table.rows.iter().find(|(_, cells)| cells.len() + 1 != table.columns.len()) {
            let (found, expected) = (cells.len() + 1, table.columns.len());
            return Err(format!("{}: row {name:?} has {found} cells, expected {expected}", table.title));
        }
    }
    Ok(())
}
