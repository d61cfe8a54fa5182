//! Reading of the files that the user names: pipelines (by file or preset), schedules and secrets. Each kind of text
//! has a limit, which counts the bytes that are read: the length that the system reports for a device or a pipe is 0.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_model::words::closest;

use super::report;

/// A kind of text, and the most bytes of it that are read.
#[derive(Clone, Copy)]
pub struct Kind {
    what: &'static str,
    bytes_max: u64,
}

/// The limit for a file to import, decompressed: an importer holds it, and what it makes of it, in memory.
pub const RECORD: Kind = Kind { what: "a file to import", bytes_max: 1 << 30 };
/// The limit for a pipeline, which has some thirty settings, and comments.
const PIPELINE: Kind = Kind { what: "a pipeline", bytes_max: 1 << 20 };
/// The limit for a schedule: an exact interleaving takes some 60 bytes a step.
pub const SCHEDULE: Kind = Kind { what: "a schedule", bytes_max: 16 << 20 };
/// The limit for a mapping of spans, which has some thirty lists, and comments.
pub const MAPPING: Kind = Kind { what: "a mapping", bytes_max: 1 << 20 };
/// The limit for the partial reports in a file: a pipeline takes some 5,000 bytes, and each counterexample as many.
pub const PARTIAL_REPORT: Kind = Kind { what: "partial reports", bytes_max: 64 << 20 };
/// The limit for the rows of an audit: each takes some 500 bytes.
#[cfg(feature = "audit")]
pub const ROWS: Kind = Kind { what: "rows of an audit", bytes_max: 16 << 20 };
/// The limit for the figures of the benches: each takes some 200 bytes.
pub const FIGURES: Kind = Kind { what: "figures of benches", bytes_max: 16 << 20 };
/// The limit for a secret, which travels in one message of at most 256 KiB.
pub const SECRET: Kind = Kind { what: "a secret", bytes_max: 4 << 10 };

/// The pipelines that the user named, or the reference pipelines if there are none.
pub fn pipelines(names: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Pipeline>> {
    if names.is_empty() {
        return Ok(presets::REFERENCES
            .iter()
            .map(|name| presets::named(name).expect("references are presets"))
            .collect());
    }
    if names.iter().filter(|name| is_standard_input(name.as_ref())).count() > 1 {
        bail!("standard input (-) is named twice, and can be read once");
    }
    names.iter().map(|name| pipeline(name.as_ref())).collect()
}

/// The pipeline in this file or on standard input (`-`), or the preset of this name. If file and preset exist, the file
/// is taken.
pub fn pipeline(name: &Path) -> anyhow::Result<Pipeline> {
    if !is_standard_input(name)
        && !name.exists()
        && let Some(word) = name.to_str()
    {
        if let Some(preset) = presets::named(word) {
            return Ok(preset);
        }
        if !word.ends_with(".toml") && !word.contains(std::path::MAIN_SEPARATOR) {
            let meant = closest(word, presets::ALL.iter().map(|(name, _)| *name));
            let guess = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"));
            bail!("{word}: neither a file nor a preset{guess}; presets:\n{}", super::listed_presets());
        }
    }
    let stem = name.file_stem().filter(|_| !is_standard_input(name));
    let stem = stem.map_or_else(|| "pipeline".to_owned(), |stem| stem.to_string_lossy().into_owned());
    Pipeline::from_toml(&text(name, PIPELINE)?, &stem).with_context(|| shown(name))
}

/// Whether this is what users write for standard input.
fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The path as errors show it.
pub fn shown(path: &Path) -> String {
    if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The text of a file, a device or a pipe, or of standard input (`-`).
pub fn text(path: &Path, kind: Kind) -> anyhow::Result<String> {
    let bytes = bytes(path, kind).with_context(|| shown(path))?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        anyhow::anyhow!("{}: line {line}: not UTF-8", shown(path))
    })
}

fn bytes(path: &Path, kind: Kind) -> anyhow::Result<Vec<u8>> {
    let input: Box<dyn Read> = match is_standard_input(path) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(open(path)?),
    };
    within(input, kind)
}

/// All bytes of an input that has no more than its kind may have.
pub fn within(input: impl Read, Kind { what, bytes_max }: Kind) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        bail!("found more than {} bytes; expected at most that many for {what}", report::grouped(bytes_max));
    }
    Ok(bytes)
}

/// Opens a file, a device or a pipe for reading; a directory is an error.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_dir() {
        true => Err(io::Error::new(io::ErrorKind::IsADirectory, "a file is expected, this is a directory")),
        false => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_does_not_end_is_refused() {
        let kind = || Kind { what: "a test", bytes_max: 1_000 };
        assert_eq!(within(io::repeat(7).take(1_000), kind()).expect("so many are allowed").len(), 1_000);
        let refused = within(io::repeat(7), kind()).expect_err("it does not end").to_string();
        assert_eq!(refused, "found more than 1,000 bytes; expected at most that many for a test");
    }
}
