//! The documents of an audit: the page, the Markdown document, and the rows that are kept beside recorded histories.

use std::path::Path;

use anyhow::{Context, ensure};
use delivery_audit::campaign::Extent;
use delivery_audit::results::Row;
use delivery_proofs::reality::{About, Claims, Ledger, Record, Recording, html, markdown, rows};

use super::super::{Outcome, load, output, terminal};

/// The rows in a directory of `--record`.
const ROWS: &str = "run.jsonl";

/// Where and when they were made, if somebody wrote that down.
const ABOUT: &str = "about.toml";

/// The documents that are wanted.
pub struct Documents<'a> {
    /// The page.
    pub html: Option<&'a Path>,
    /// The Markdown document.
    pub ledger: Option<&'a Path>,
}

impl Documents<'_> {
    /// Whether they can be written.
    pub fn check(&self) -> anyhow::Result<()> {
        self.html.into_iter().chain(self.ledger).try_for_each(output::check_file)
    }

    /// Writes those of a run that has just ended, and its rows. Returns what became of the claims, in words.
    pub fn of_rows(&self, rows: &[Row], extent: &Extent, left_out: &[String]) -> anyhow::Result<String> {
        let json: Vec<serde_json::Value> = rows.iter().map(|row| row.in_json(extent)).collect();
        if let Some(directory) = &extent.record {
            let path = directory.join(ROWS);
            let lines: String = json.iter().map(|row| format!("{row}\n")).collect();
            std::fs::write(&path, lines).with_context(|| path.display().to_string())?;
        }
        let records = json.into_iter().map(serde_json::from_value).collect::<Result<Vec<Record>, _>>();
        let records = records.context("a row is read as it was written")?;
        self.write(None, &records, extent.record.as_deref(), left_out)
    }

    /// Writes those of an earlier run.
    pub fn of_directory(&self, directory: &Path) -> anyhow::Result<Outcome> {
        let path = directory.join(ROWS);
        let named = || path.display().to_string();
        let records = rows(&load::text(&path, load::ROWS)?).with_context(named)?;
        ensure!(!records.is_empty(), "{}: no rows; expected rows of `delivery audit --json`", path.display());
        let about = directory.join(ABOUT);
        let about: Option<About> = match about.is_file() {
            true => {
                Some(toml::from_str(&load::text(&about, load::ROWS)?).with_context(|| about.display().to_string())?)
            }
            false => None,
        };
        let claims = self.write(about.as_ref(), &records, Some(directory), &[])?;
        terminal::tell(claims.trim_start());
        Ok(Outcome::Kept)
    }

    fn write(
        &self,
        about: Option<&About>,
        records: &[Record],
        recorded: Option<&Path>,
        left_out: &[String],
    ) -> anyhow::Result<String> {
        let mut claims = Claims::kept()?;
        claims.claims.retain(|claim| records.iter().any(|row| row.product == claim.product));
        let ledger = Ledger::new(&claims, records);
        let recordings = recorded.map(|directory| Recording::in_directory(directory, records)).transpose();
        let recordings = recordings.map_err(anyhow::Error::msg)?.unwrap_or_default();
        if let Some(path) = self.html {
            let page = html(about, &ledger, records, &recordings, left_out);
            std::fs::write(path, page).with_context(|| path.display().to_string())?;
        }
        if let Some(path) = self.ledger {
            let document = markdown(about, &ledger, records, &recordings);
            std::fs::write(path, document).with_context(|| path.display().to_string())?;
        }
        Ok(ledger.in_words())
    }
}
