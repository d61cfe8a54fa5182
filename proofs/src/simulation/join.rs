//! Joins the partial reports of all shares of a campaign to the report that one run of the whole campaign gives.
//!
//! A campaign's figures are sums over its runs, and of each property the run with the lowest number is told. So the sums and
//! the lowest numbers over all shares are those of the whole.

use std::collections::{BTreeMap, BTreeSet};

use delivery_model::history::Share;
use delivery_model::pipeline::Pipeline;
use serde_json::Value;
use thiserror::Error;

use super::campaign::{CampaignReport, Counterexample};
use super::partial::PartialReport;

/// The most missing shares that an error lists.
const LISTED_MAX: usize = 5;

/// The reason why partial reports were not joined. Each part has a name, such as its file's.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum JoinError {
    /// There is no part.
    #[error("found no partial report; expected all shares of a campaign")]
    Nothing,
    /// Two parts are not of the same campaign.
    #[error("{name}: {what}: found {found}; expected {expected} as in {first}, as both must be shares of one campaign")]
    Differs {
        /// The part.
        name: String,
        /// The part with which it was compared.
        first: String,
        /// What differs.
        what: String,
        /// What the part has.
        found: String,
        /// What the first part has.
        expected: String,
    },
    /// A share is given twice.
    #[error("{name}: share {share} is given twice; it is also in {other}")]
    Twice {
        /// The later part.
        name: String,
        /// The earlier part.
        other: String,
        /// Which share.
        share: Share,
    },
    /// Shares are not given.
    #[error("{missing} missing; found {found} of {of} shares in {names}")]
    Missing {
        /// The shares.
        missing: String,
        /// How many are given.
        found: usize,
        /// How many there are.
        of: u32,
        /// The parts.
        names: String,
    },
}

/// The report of the whole campaign, from those of all its shares in any order. Each comes with its name for errors.
pub fn join(parts: Vec<(String, PartialReport)>) -> Result<PartialReport, JoinError> {
    let (first, whole) = parts.first().ok_or(JoinError::Nothing)?;
    let mut by_index = BTreeMap::new();
    for (name, part) in &parts {
        if let Some((what, found, expected)) = difference(part, whole) {
            return Err(JoinError::Differs { name: name.clone(), first: first.clone(), what, found, expected });
        }
        if let Some(other) = by_index.insert(part.share.index(), name) {
            return Err(JoinError::Twice { name: name.clone(), other: other.clone(), share: part.share });
        }
    }
    let of = whole.share.of();
    if by_index.len() < of as usize {
        let missing = (1..=of).filter(|index| !by_index.contains_key(index)).map(|index| format!("{index}/{of}"));
        let mut names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        let missing = listed(missing, of as usize - by_index.len());
        return Err(JoinError::Missing { missing, found: by_index.len(), of, names: names.join(", ") });
    }
    let (seed, schedules) = (whole.seed, whole.schedules);
    let empty = |(pipeline, _): &(Pipeline, _)| (pipeline.clone(), CampaignReport::empty(pipeline, 0));
    let mut pipelines: Vec<(Pipeline, CampaignReport)> = whole.pipelines.iter().map(empty).collect();
    for (_, part) in parts {
        for ((_, report), (_, of_part)) in pipelines.iter_mut().zip(part.pipelines) {
            add(report, of_part);
        }
    }
    let pipelines = pipelines.into_iter().map(|(pipeline, report)| (pipeline, finished(report))).collect();
    Ok(PartialReport { share: Share::WHOLE, seed, schedules, pipelines })
}

fn listed(mut shares: impl Iterator<Item = String>, count: usize) -> String {
    let shown = shares.by_ref().take(LISTED_MAX).collect::<Vec<_>>().join(", ");
    match count {
        1 => format!("share {shown} is"),
        _ if count <= LISTED_MAX => format!("shares {shown} are"),
        _ => format!("shares {shown} and {} more are", count - LISTED_MAX),
    }
}

/// What the part has other than the first part: its name, what was found, what is expected.
fn difference(part: &PartialReport, first: &PartialReport) -> Option<(String, String, String)> {
    let figures = |it: &PartialReport| [it.seed, it.schedules.into(), it.share.of().into(), it.pipelines.len() as u64];
    let names = ["seed", "schedules", "number of shares", "number of pipelines"].map(str::to_owned).into_iter();
    let mut differing = names
        .zip(figures(part))
        .zip(figures(first))
        .map(|((what, found), expected)| (what, found.to_string(), expected.to_string()));
    differing.find(|(_, found, expected)| found != expected).or_else(|| {
        let both = part.pipelines.iter().zip(&first.pipelines);
        let (nth, ((found, _), (expected, _))) = both.enumerate().find(|(_, (part, first))| part.0 != first.0)?;
        let json = |pipeline| serde_json::to_value(pipeline).expect("a pipeline is written as JSON");
        let (key, found, expected) = differing_setting(&json(found), &json(expected))?;
        Some((format!("pipeline {}: {key}", nth + 1), found, expected))
    })
}

/// The first setting that differs: its path, and both values.
fn differing_setting(found: &Value, expected: &Value) -> Option<(String, String, String)> {
    let keys = found.as_object()?.keys().chain(expected.as_object()?.keys());
    let mut differing =
        keys.map(|key| (key, &found[key], &expected[key])).filter(|(_, found, expected)| found != expected);
    let (key, found, expected) = differing.next()?;
    Some(match differing_setting(found, expected) {
        Some((inner, found, expected)) => (format!("{key}.{inner}"), found, expected),
        None => (key.clone(), found.to_string(), expected.to_string()),
    })
}

/// Adds the report of a share.
fn add(report: &mut CampaignReport, share: CampaignReport) {
    report.schedules += share.schedules;
    report.add_figures(&share);
    report.counterexamples.extend(share.counterexamples);
}

/// The report with the first counterexample of each property, in the order in which one campaign finds them.
fn finished(mut report: CampaignReport) -> CampaignReport {
    let number = |found: &Counterexample| (found.run, found.property);
    report.counterexamples.sort_by_key(number);
    let mut told = BTreeSet::new();
    report.counterexamples.retain(|found| told.insert(found.property));
    report.judged()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::campaign::{Extent, campaign_of};
    use super::super::pipelines::pipelines;
    use super::*;
    use crate::mutants::Mutant;

    fn ran(pipelines: &[Pipeline], schedules: u32, seed: u64, share: Share) -> PartialReport {
        let extent = Extent { share, ..Extent::whole(schedules, seed) };
        let report = |it: &Pipeline| (it.clone(), campaign_of(it, Mutant::None, extent, &mut |_| true));
        PartialReport { share, seed, schedules, pipelines: pipelines.iter().map(report).collect() }
    }

    fn share(index: u32, of: u32) -> Share {
        format!("{index}/{of}").parse().expect("it is well-formed")
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

        /// Most of these pipelines break some property in some run.
        #[test]
        fn the_shares_of_a_campaign_written_read_and_joined_are_the_whole(
            pipelines in prop::collection::vec(pipelines(), 1..=2),
            schedules in 0..20u32,
            seed: u64,
            of in 1..=5u32,
            first in 0..5u32,
        ) {
            let whole = ran(&pipelines, schedules, seed, Share::WHOLE);
            // In any order, in two files.
            let shares = (0..of).map(|nth| ran(&pipelines, schedules, seed, share((nth + first) % of + 1, of)));
            let lines: Vec<String> = shares.map(|report| report.to_json_lines()).collect();
            let (some, others) = lines.split_at(lines.len() / 2 + 1);
            let read = |lines: &[String]| if lines.is_empty() { Ok(Vec::new()) } else { PartialReport::read(&lines.concat()) };
            let parts = [read(some).unwrap(), read(others).unwrap()].concat();
            let joined = join(parts.into_iter().map(|part| (String::new(), part)).collect()).unwrap();
            prop_assert_eq!(joined, whole);
        }
    }

    /// The order of the counterexamples is that of their numbers, whichever share has them.
    #[test]
    fn the_counterexamples_of_several_shares_are_those_of_the_whole() {
        let weak = "promises = \"at-least-once\"\nproducer.in-flight = 3\nproducer.attempts = 3\n\
                    broker.acks = \"on-receipt\"\nconsumer.settles = \"before-effect\"\n";
        let pipeline = Pipeline::from_toml(weak, "weak");
        let pipelines = [pipeline.expect("it means something")];
        let shares: Vec<PartialReport> = (1..=3).map(|index| ran(&pipelines, 300, 1, share(index, 3))).collect();
        let found = |report: &PartialReport| report.pipelines[0].1.counterexamples.clone();
        let whole = found(&ran(&pipelines, 300, 1, Share::WHOLE));
        let of = shares.iter().map(|report| found(report).iter().filter(|it| whole.contains(it)).count());
        let of: Vec<usize> = of.collect();
        assert!(whole.len() > 1 && of.iter().filter(|count| **count > 0).count() > 1, "one share has all: {of:?}");
        assert!(
            shares.iter().any(|report| found(report).iter().any(|it| !whole.contains(it))),
            "no later one is left out"
        );
        let parts = shares.into_iter().rev().map(|part| (String::new(), part)).collect();
        assert_eq!(found(&join(parts).expect("all are there")), whole);
    }
}
