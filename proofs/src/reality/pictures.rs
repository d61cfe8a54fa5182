//! The recorded stories of an audit: small histories that `delivery audit --shrink` wrote, one a finding at most.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use delivery_model::history::{History, ReadOptions};
use delivery_model::pipeline::Level;
use delivery_model::semantics::{Question, judge};
use delivery_model::story::RecordedStory;

use super::claims::Claim;
use super::rows::Record;

/// A history of one row.
#[derive(Clone, Debug)]
pub struct Recording {
    product: String,
    setting: String,
    fault: String,
    path: PathBuf,
    history: History,
}

impl Recording {
    /// The small histories in this directory that belong to one of the rows, in the order of the rows.
    pub fn in_directory(directory: &Path, rows: &[Record]) -> Result<Vec<Recording>, String> {
        let mut found = Vec::new();
        for row in rows {
            let Record { product, setting, fault, load, .. } = row;
            let path = directory.join(format!("{product}-{setting}-{fault}-{load}-small.jsonl"));
            if !path.is_file() {
                continue;
            }
            let shown = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let file = File::open(&path).map_err(|error| shown(&error))?;
            let history = History::read(BufReader::new(file), ReadOptions::default()).map_err(|error| shown(&error))?;
            let [product, setting, fault] = [product, setting, fault].map(Clone::clone);
            found.push(Recording { product, setting, fault, path, history });
        }
        Ok(found)
    }

    /// The file's name.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What the judge says of it that speaks against this claim, as a story.
    fn against(&self, claim: &Claim) -> Option<RecordedStory> {
        // A queue that is gone shows as the loss of its messages.
        let finding = if claim.finding == "queue-forgotten" { "acked-not-lost" } else { &claim.finding };
        let judgement = judge(&self.history, Question::default());
        let violation = judgement.violations.iter().find(|it| it.property.word() == finding)?;
        RecordedStory::of(&self.history, std::slice::from_ref(violation), Level::Delivery).pop()
    }
}

/// The shortest story that speaks against a claim.
pub fn shortest<'a>(recordings: &'a [Recording], claim: &Claim) -> Option<(&'a Recording, RecordedStory)> {
    let is_meant = |it: &&Recording| {
        it.product == claim.product && it.setting == claim.setting && claim.faults.contains(&it.fault)
    };
    let told = recordings.iter().filter(is_meant).filter_map(|it| Some((it, it.against(claim)?)));
    told.min_by_key(|(recording, story)| (story.rows.len(), recording.history.events.len()))
}
