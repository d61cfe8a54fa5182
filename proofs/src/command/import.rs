//! `delivery import`: what others recorded, as a history; and how `judge` opens any file that it is given.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use delivery_import::{Format, Imported, Input, Mapping, Options, Table, decompressed, recognise};
use delivery_model::history::History;

use super::terminal::{Interrupt, Stoppable};
use super::{Outcome, load, output, report, terminal};

/// The bytes of a file by which its format is recognised.
const START: usize = 1 << 16;

/// The files to import, and where the history goes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The format of the files
    #[arg(value_parser = format_parser())]
    format: Format,
    /// The files, also compressed (gzip, zstd); `-` for standard input. Several files are one record
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The new file for the history [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    known: Known,
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.iter().map(|format| format.word()))
        .map(|word| Format::from_word(&word).expect("it is a possible value"))
}

/// What the user knows and the files of other formats do not say.
#[derive(clap::Args)]
pub struct Known {
    /// The record ends at rest: faults are healed, and what has not come by its end is lost
    #[arg(long)]
    quiescent: bool,
    /// OpenTelemetry: how spans are read (TOML); docs/import/otlp.md has the default
    #[arg(long, value_name = "FILE.toml")]
    mapping: Option<PathBuf>,
    /// Kafka's verifiable clients: the consumer group, which they do not name, of all files or of one [default: consumers]
    #[arg(long, value_name = "[FILE=]NAME", value_parser = group)]
    group: Vec<(Option<String>, String)>,
    /// CSV: the column that is called NAME in the file is the column KEY of a history (at, event, message, ...)
    #[arg(long, value_name = "KEY=NAME", value_parser = pair)]
    column: Vec<(String, String)>,
    /// CSV: the value TEXT of the file is the word WORD of a history (submit, acked, deliver, ...)
    #[arg(long, value_name = "WORD=TEXT", value_parser = pair)]
    word: Vec<(String, String)>,
    /// CSV without a header: its columns, in order
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    header: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, name)| !key.is_empty() && !name.is_empty());
    pair.map(|(key, name)| (key.to_owned(), name.to_owned()))
        .ok_or_else(|| "two words with = between are expected".to_owned())
}

/// A group, and the file whose group it is, if it is of one only.
fn group(text: &str) -> Result<(Option<String>, String), String> {
    let (file, name) = text.rsplit_once('=').map_or((None, text), |(file, name)| (Some(file.to_owned()), name));
    match (file.as_deref(), name) {
        (Some(""), _) | (_, "") => Err("a name, or a file and a name with = between are expected".to_owned()),
        _ => Ok((file, name.to_owned())),
    }
}

impl Known {
    fn options(&self) -> anyhow::Result<Options> {
        let mapping = self.mapping.as_deref().map(|path| {
            let text = load::text(path, load::MAPPING)?;
            Ok::<_, anyhow::Error>(Mapping::read(&text, &path.display().to_string())?)
        });
        let mapping = mapping.transpose()?;
        let header = (!self.header.is_empty()).then(|| self.header.clone());
        let table = Table { header, columns: self.column.clone(), words: self.word.clone() };
        let of_one = |(file, name): &(Option<String>, String)| Some((file.clone()?, name.clone()));
        let groups = self.group.iter().filter_map(of_one).collect();
        let of_all: Vec<&String> = self.group.iter().filter(|(file, _)| file.is_none()).map(|(_, name)| name).collect();
        if let [first, second, ..] = of_all[..] {
            bail!(
                "--group {second}: --group {first} names the group of all files; of one file, write --group FILE={second}"
            );
        }
        let group = of_all.first().map(|&name| name.clone());
        Ok(Options { quiescent: self.quiescent, mapping, group, groups, table })
    }

    /// The format that these words are only for, if it is one.
    fn format(&self) -> Option<Format> {
        let speaks_of_tables = !(self.column.is_empty() && self.word.is_empty() && self.header.is_empty());
        speaks_of_tables.then_some(Format::Csv)
    }

    /// Fails if something is said that is of no use for a history of this suite's own format.
    fn refuse(&self) -> anyhow::Result<()> {
        let said = [
            ("--quiescent", self.quiescent),
            ("--mapping", self.mapping.is_some()),
            ("--group", !self.group.is_empty()),
        ];
        match said.into_iter().find(|(_, is_said)| *is_said) {
            Some((flag, _)) => bail!("{flag} is for files of other formats; this is a history of the suite's own"),
            None => Ok(()),
        }
    }
}

/// Imports files as one history. The report goes to standard error.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::install()?;
    if let Some(path) = &arguments.output {
        output::check_new_file(path)?;
    }
    let options = arguments.known.options()?;
    let Some(opened) = Opened::all(&arguments.files, &interrupt)? else {
        return Ok(Outcome::Interrupted);
    };
    let imported = import(arguments.format, opened, &options);
    if interrupt.is_raised() {
        eprintln!("stopped: nothing is written");
        return Ok(Outcome::Interrupted);
    }
    let Imported { history, report } = imported?;
    eprintln!("{report}");
    match &arguments.output {
        Some(path) => output::write_history(&history, path, &interrupt)?,
        None => {
            let mut text = Vec::new();
            history.write(&mut text)?;
            terminal::print(&String::from_utf8(text)?);
        }
    }
    Ok(if interrupt.is_raised() { Outcome::Interrupted } else { Outcome::Kept })
}

/// A file that is open for reading, decompressed, with its first bytes at hand.
pub struct Opened {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    bar: indicatif::ProgressBar,
    format: Option<Format>,
}

impl Opened {
    /// Opens a file, or standard input (`-`), and recognises its format.
    pub fn new(path: &Path, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let is_stdin = path.as_os_str() == "-";
        // The length of a device or a pipe is not known.
        let length = path.metadata().ok().filter(|file| file.is_file() && !is_stdin).map(|file| file.len());
        let bar = terminal::bytes(&format!("reading {name}"), length);
        let file: Box<dyn Read> = match is_stdin {
            true => Box::new(io::stdin()),
            false => Box::new(load::open(path).with_context(|| name.clone())?),
        };
        let mut input = decompressed(Stoppable::new(file, interrupt, &bar)).with_context(|| name.clone())?;
        let mut start = Vec::new();
        input.by_ref().take(START as u64).read_to_end(&mut start).with_context(|| name.clone())?;
        let format = recognise(&start);
        let reader = BufReader::with_capacity(START, Box::new(io::Cursor::new(start).chain(input)) as Box<dyn Read>);
        Ok(Opened { name, reader, bar, format })
    }

    /// Opens all files; none after Ctrl-C.
    pub fn all(paths: &[PathBuf], interrupt: &Interrupt) -> anyhow::Result<Option<Vec<Self>>> {
        let opened = paths.iter().map(|path| Opened::new(path, interrupt)).collect::<Result<Vec<_>, _>>();
        if interrupt.is_raised() {
            eprintln!("stopped: nothing was read");
            return Ok(None);
        }
        opened.map(Some)
    }

    /// The path that the user named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format of others that the file has; none: it may be a history.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The progress of the reading.
    pub fn progress(&self) -> indicatif::ProgressBar {
        self.bar.clone()
    }

    /// How much was read.
    pub fn how_far(&self) -> String {
        terminal::how_far(&self.bar)
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl BufRead for Opened {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The history that files of a format of others are; none if the files are histories of this suite's own format.
pub fn foreign(opened: &mut Vec<Opened>, known: &Known) -> anyhow::Result<Option<History>> {
    if let Some(format) = known.format() {
        // A table with names of its own is not recognised by its header.
        opened.iter_mut().for_each(|it| it.format = it.format.or(Some(format)));
    }
    let Some(first) = opened.iter().find_map(|it| it.format) else {
        known.refuse()?;
        return Ok(None);
    };
    if let Some(other) = opened.iter().find(|it| it.format != Some(first)) {
        let what = other.format.map_or("no such file", Format::word);
        bail!("{}: found {what}; expected {}, like the other files", other.name, first.word());
    }
    let Imported { history, report } = import(first, std::mem::take(opened), &known.options()?)?;
    eprintln!("{report}");
    eprintln!("  note: lines are those of the history, which `delivery import {}` writes", first.word());
    Ok(Some(history))
}

fn import(format: Format, opened: Vec<Opened>, options: &Options) -> anyhow::Result<Imported> {
    let mut inputs = Vec::new();
    for mut file in opened {
        let bytes = load::within(&mut file, load::RECORD).with_context(|| file.name.clone())?;
        inputs.push(Input::new(file.name.clone(), bytes));
    }
    if let Some(first) = inputs.first().filter(|_| inputs.iter().all(|input| input.bytes.is_empty())) {
        bail!("{}: found an empty file; expected {}", first.name, format.word());
    }
    terminal::spinner(&format!("importing {}", report::count(inputs.len() as u64, "file")));
    Ok(delivery_import::import(format, &inputs, options)?)
}
