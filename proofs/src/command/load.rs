//! Reading what the user names: pipelines by file or preset, schedules, histories.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;

/// A text file of at most this size is read: no input exhausts memory.
const TEXT_BYTES_MAX: u64 = 1 << 30;

/// The pipelines named, or the reference pipelines if none is.
pub fn pipelines(names: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Pipeline>> {
    if names.is_empty() {
        return Ok(presets::REFERENCES
            .iter()
            .map(|name| presets::named(name).expect("references are presets"))
            .collect());
    }
    names.iter().map(|name| pipeline(name.as_ref())).collect()
}

/// The pipeline in this file, or the preset of this name. A file wins.
pub fn pipeline(name: &Path) -> anyhow::Result<Pipeline> {
    if !name.exists()
        && let Some(word) = name.to_str()
    {
        if let Some(preset) = presets::named(word) {
            return Ok(preset);
        }
        if !word.ends_with(".toml") && !word.contains(std::path::MAIN_SEPARATOR) {
            let known: Vec<&str> = presets::ALL.iter().map(|(name, _)| *name).collect();
            bail!("{word}: neither a file nor a preset; presets: {}", known.join(", "));
        }
    }
    let stem = name.file_stem().map_or_else(|| "pipeline".to_owned(), |stem| stem.to_string_lossy().into_owned());
    Pipeline::from_toml(&text(name)?, &stem).with_context(|| name.display().to_string())
}

/// The text of a file.
pub fn text(path: &Path) -> anyhow::Result<String> {
    let named = || path.display().to_string();
    let about = fs::metadata(path).with_context(named)?;
    if about.is_dir() {
        bail!("{}: a file is expected, this is a directory", path.display());
    }
    if about.len() > TEXT_BYTES_MAX {
        bail!("{}: {} bytes; at most {TEXT_BYTES_MAX} are read", path.display(), about.len());
    }
    let bytes = fs::read(path).with_context(named)?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        anyhow::anyhow!("{}: line {line}: not UTF-8", path.display())
    })
}
