//! A run in a temporary directory, and the judgement of its history.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use delivery_impls::core::tuning::Retention;
use delivery_model::history::{History, ReadOptions};
use delivery_model::pipeline::{Level, Pipeline};
use delivery_model::presets;
use delivery_model::semantics::{Judgement, Question, judge};
use delivery_model::vocab::{EventKind, MessageId};
use delivery_proofs::real::{self, FaultPlan, Options, RealError, RealReport};
use tempfile::TempDir;

/// The preset of this name.
pub fn preset(name: &str) -> Pipeline {
    presets::named(name).expect("a preset")
}

/// A directory for the stores and the history of one run.
pub struct TestDirectory(TempDir);

impl TestDirectory {
    pub fn new() -> TestDirectory {
        TestDirectory(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn history(&self) -> PathBuf {
        self.path().join("history.jsonl")
    }

    /// The options of a run here, with `each` faults of each kind, and a broker that soon drops settled records.
    pub fn options(&self, messages: u64, each: u32) -> Options {
        let mut options = Options::new(messages, &self.history());
        options.directory = Some(self.path().to_owned());
        options.producers = 4;
        options.tuning.retention = Some(Retention { records: 16, batch: 16 });
        options.plan = FaultPlan::Generated { each, seed: 42 };
        options
    }

    /// The options of the example `run_for_real`.
    pub fn same_as_example(&self, messages: u64) -> Options {
        Options { producers: 8, ..self.options(messages, 20) }
    }

    pub fn run(&self, pipeline: &Pipeline, options: &Options) -> Result<RealReport, RealError> {
        real::run(pipeline, options)
    }

    /// The messages of the events of this kind in the history.
    pub fn messages(&self, is_it: impl Fn(EventKind) -> bool) -> BTreeSet<MessageId> {
        let history = read(&self.history());
        let kinds = history.events.iter().map(|recorded| recorded.event.kind);
        kinds.filter(|kind| is_it(*kind)).filter_map(|kind| kind.message()).collect()
    }

    /// The judgement at this level, or at the pipeline's own.
    pub fn judged(&self, level: Option<Level>) -> Judgement {
        judge(&read(&self.history()), Question { level, ..Question::default() })
    }
}

fn read(path: &Path) -> History {
    let file = File::open(path).expect("a history");
    History::read(BufReader::new(file), ReadOptions::default()).expect("a whole history")
}
