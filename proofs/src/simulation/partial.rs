//! Partial reports: what one share of a campaign found, as lines of JSON from which several make one report.
//!
//! The first line says which share of which campaign it is; a line for each pipeline follows. Several partial reports may
//! stand in one text, one after the other. What is read is checked like any other input: a counterexample must break its
//! property here, too. [`join`](super::join) makes one report of them.

use std::collections::BTreeMap;

use delivery_model::history::Share;
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::Schedule;
use delivery_model::semantics::{PropertyId, Rules};
use delivery_model::vocab::Fault;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::campaign::{CampaignReport, Counterexample, broken_by};
use super::run::run;
use crate::mutants::Mutant;

/// The `format` of a partial report.
pub const PARTIAL_FORMAT: &str = "delivery-partial-campaign";
const VERSION: u32 = 1;
/// Runs depend on the program that runs them.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What one share of a campaign found.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialReport {
    /// Which share.
    pub share: Share,
    /// The seed of the campaign.
    pub seed: u64,
    /// The schedules of each pipeline in the whole campaign.
    pub schedules: u32,
    /// The pipelines, each with the report of this share.
    pub pipelines: Vec<(Pipeline, CampaignReport)>,
}

/// The reason why a text is not a partial report.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct PartialError {
    /// The line, counted from 1.
    pub line: usize,
    /// What was found, and what is expected.
    pub problem: String,
}

/// The first line of a partial report.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    program: String,
    share: String,
    seed: u64,
    schedules: u32,
    pipelines: usize,
}

/// The line of one pipeline.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Figures {
    pipeline: Value,
    schedules: u32,
    steps: u64,
    events: u64,
    deliveries_and_effects: u64,
    not_quiescent: u32,
    endless: u32,
    dead_letters: u64,
    planned: BTreeMap<Fault, u64>,
    struck: BTreeMap<Fault, u64>,
    counterexamples: Vec<Found>,
}

/// The counterexample with the lowest number in the share.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Found {
    property: PropertyId,
    run: u32,
    faults_found: usize,
    schedule: Value,
}

const INFALLIBLE: &str = "keys are texts and values are finite, which is all that JSON asks for";

impl PartialReport {
    /// The report as lines of JSON, each with its line end.
    pub fn to_json_lines(&self) -> String {
        let header = Header {
            format: PARTIAL_FORMAT.to_owned(),
            version: VERSION,
            program: PROGRAM.to_owned(),
            share: self.share.to_string(),
            seed: self.seed,
            schedules: self.schedules,
            pipelines: self.pipelines.len(),
        };
        let lines = self
            .pipelines
            .iter()
            .map(|(pipeline, report)| serde_json::to_string(&Figures::new(pipeline, report)).expect(INFALLIBLE) + "\n");
        serde_json::to_string(&header).expect(INFALLIBLE) + "\n" + &lines.collect::<String>()
    }

    /// The partial reports in a text, at least one.
    pub fn read(text: &str) -> Result<Vec<PartialReport>, PartialError> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let mut reports = Vec::new();
        while let Some((line, text)) = lines.next() {
            let at = |problem: String| PartialError { line, problem };
            let (share, header) = Header::read(text).map_err(at)?;
            let mut pipelines = Vec::new();
            for nth in 1..=header.pipelines {
                let missing =
                    || at(format!("found {} of {} pipelines: the rest is cut off", nth - 1, header.pipelines));
                let (line, text) = lines.next().ok_or_else(missing)?;
                let figures = Figures::read(text, share, header.schedules);
                pipelines.push(figures.map_err(|problem| PartialError { line, problem })?);
            }
            reports.push(PartialReport { share, seed: header.seed, schedules: header.schedules, pipelines });
        }
        if reports.is_empty() {
            return Err(PartialError { line: 1, problem: expected("nothing") });
        }
        Ok(reports)
    }
}

fn expected(found: &str) -> String {
    format!("found {found}; expected a partial report, as `simulate --shard` writes it")
}

impl Header {
    fn read(line: &str) -> Result<(Share, Header), String> {
        let value: Value = serde_json::from_str(line).map_err(|_| expected("another text"))?;
        match (&value["format"], &value["version"]) {
            (Value::String(format), _) if format != PARTIAL_FORMAT => return Err(expected(&format!("a {format}"))),
            (Value::Null, _) => return Err(expected("no `format`")),
            (_, version) if *version != VERSION => return Err(format!("version: found {version}; allowed: {VERSION}")),
            _ => {}
        }
        let header: Header = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if header.program != PROGRAM {
            let found = header.program;
            return Err(format!("written by version {found} of the program; this is {PROGRAM}, whose runs may differ"));
        }
        let share = header.share.parse().map_err(|problem| format!("share: found {}; {problem}", header.share))?;
        Ok((share, header))
    }
}

impl Figures {
    fn new(pipeline: &Pipeline, report: &CampaignReport) -> Figures {
        let by_fault = |counts: &[u64; Fault::ALL.len()]| {
            Fault::ALL.into_iter().map(|fault| (fault, counts[fault as usize])).filter(|it| it.1 > 0).collect()
        };
        Figures {
            pipeline: serde_json::to_value(pipeline).expect(INFALLIBLE),
            schedules: report.runs,
            steps: report.steps,
            events: report.events,
            deliveries_and_effects: report.deliveries_and_effects,
            not_quiescent: report.not_quiescent,
            endless: report.endless,
            dead_letters: report.dead_lettered,
            planned: by_fault(&report.planned),
            struck: by_fault(&report.fired),
            counterexamples: report.counterexamples.iter().map(Found::new).collect(),
        }
    }

    /// The pipeline and the report of a line, in this share of so many schedules.
    fn read(line: &str, share: Share, schedules: u32) -> Result<(Pipeline, CampaignReport), String> {
        // The place of the line is known; serde_json would call it line 1.
        let problem = |error: serde_json::Error| error.to_string().replace(" at line 1 column ", ", in column ");
        let figures: Figures = serde_json::from_str(line).map_err(problem)?;
        let pipeline = Pipeline::from_json(&figures.pipeline).map_err(|error| format!("pipeline: {error}"))?;
        let runs = share.numbers(schedules).len() as u32;
        if figures.schedules != runs {
            return Err(format!("schedules: found {}; share {share} of {schedules} has {runs}", figures.schedules));
        }
        let by_fault = |counts: &BTreeMap<Fault, u64>| Fault::ALL.map(|fault| counts.get(&fault).copied().unwrap_or(0));
        let mut report = CampaignReport {
            runs,
            steps: figures.steps,
            events: figures.events,
            deliveries_and_effects: figures.deliveries_and_effects,
            not_quiescent: figures.not_quiescent,
            endless: figures.endless,
            dead_lettered: figures.dead_letters,
            planned: by_fault(&figures.planned),
            fired: by_fault(&figures.struck),
            ..CampaignReport::empty(&pipeline, runs)
        };
        for found in figures.counterexamples {
            let property = found.property;
            if report.broken.contains(property) {
                return Err(format!("counterexamples: {property}: found twice; expected once"));
            }
            let found = found.read(&pipeline, share, schedules);
            let found = found.map_err(|problem| format!("counterexamples: {property}: {problem}"))?;
            report.broken.insert(property);
            report.counterexamples.push(found);
        }
        Ok((pipeline, report.judged()))
    }
}

impl Found {
    fn new(found: &Counterexample) -> Found {
        Found {
            property: found.property,
            run: found.run,
            faults_found: found.faults_found,
            schedule: serde_json::from_str(&found.schedule.to_json()).expect("a schedule is written as JSON"),
        }
    }

    /// The counterexample, which breaks its property here, too.
    fn read(self, pipeline: &Pipeline, share: Share, schedules: u32) -> Result<Counterexample, String> {
        let schedule = Schedule::from_json(&self.schedule.to_string()).map_err(|error| format!("schedule: {error}"))?;
        if schedule.pipeline != *pipeline {
            return Err("its schedule is of another pipeline".to_owned());
        }
        if self.run >= schedules || self.run % share.of() != share.index() - 1 {
            return Err(format!("run {} is not in share {share} of {schedules}", self.run));
        }
        let again = run(&schedule, Mutant::None).map_err(|error| error.to_string())?;
        if !broken_by(&again, Rules::from(pipeline)).contains(self.property) {
            return Err("its schedule does not break it".to_owned());
        }
        Ok(Counterexample { property: self.property, schedule, faults_found: self.faults_found, run: self.run })
    }
}
