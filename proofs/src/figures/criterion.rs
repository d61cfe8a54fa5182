//! The files that criterion leaves: for each function of a group its times, as estimated from its samples.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why there are no figures.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NothingFound {
    /// A file or directory cannot be read, or is not what it should be.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file or directory.
        path: String,
        /// Why.
        why: String,
    },
    /// There are no results.
    #[error("{path}: no results of a bench; expected what `cargo bench -p delivery-benches` leaves")]
    Empty {
        /// The directory.
        path: String,
    },
}

impl NothingFound {
    pub(super) fn unreadable(path: &Path, why: &dyn Display) -> NothingFound {
        NothingFound::Unreadable { path: path.display().to_string(), why: why.to_string() }
    }
}

/// The time that criterion estimated for one function of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The group.
    pub group: String,
    /// The function in it; empty where the group has only parameters.
    pub function: String,
    /// The parameter, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The nanoseconds of an iteration: the lower end of the 95 % interval, the estimate, the upper end.
    pub nanoseconds: [f64; 3],
    /// The number of elements in an iteration, if the group says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
}

impl Estimate {
    /// The nanoseconds of an element, or of an iteration where nothing is counted.
    pub(super) fn each(&self) -> [f64; 3] {
        self.nanoseconds.map(|time| time / self.elements.map_or(1.0, |elements| elements as f64))
    }

    /// Function and parameter, as one name.
    pub(super) fn name(&self) -> String {
        match (&*self.function, &self.parameter) {
            (function, None) => function.to_owned(),
            ("", Some(parameter)) => parameter.clone(),
            (function, Some(parameter)) => format!("{function}, {parameter}"),
        }
    }
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Statistic,
    slope: Option<Statistic>,
}

#[derive(Deserialize)]
struct Statistic {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// All that criterion's directory has of its latest runs, in the order of the names.
pub(super) fn estimates(directory: &Path) -> Result<Vec<Estimate>, NothingFound> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let new = folder.join("new");
        if new.join("benchmark.json").is_file() {
            found.push(estimate(&new)?);
            continue;
        }
        let entries = fs::read_dir(&folder).map_err(|error| NothingFound::unreadable(&folder, &error))?;
        let mut below: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        below.sort();
        folders.extend(below);
    }
    found.sort_by(|a, b| (&a.group, &a.function).cmp(&(&b.group, &b.function)));
    Ok(found)
}

fn estimate(new: &Path) -> Result<Estimate, NothingFound> {
    let benchmark: Benchmark = read(&new.join("benchmark.json"))?;
    let estimates: Estimates = read(&new.join("estimates.json"))?;
    // The slope exists where criterion could vary the number of iterations; it is then what criterion itself prints.
    let Statistic { confidence_interval, point_estimate } = estimates.slope.unwrap_or(estimates.mean);
    let elements = benchmark.throughput.and_then(|throughput| throughput.get("Elements")?.as_u64());
    Ok(Estimate {
        group: benchmark.group_id,
        function: benchmark.function_id.unwrap_or_default(),
        parameter: benchmark.value_str,
        nanoseconds: [confidence_interval.lower_bound, point_estimate, confidence_interval.upper_bound],
        elements,
    })
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, NothingFound> {
    let text = fs::read_to_string(path).map_err(|error| NothingFound::unreadable(path, &error))?;
    serde_json::from_str(&text).map_err(|error| NothingFound::unreadable(path, &error))
}
