//! Partial judgements: of one share of a history, and joined to that of the whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, bail};
use delivery_model::semantics::{PartialError, judge_parts, judge_share};

use super::super::terminal::Interrupt;
use super::super::{Outcome, import, output, terminal};
use super::read::{Judged, Source, options};
use super::{Arguments, given_name};

/// Judges a share, and writes its partial judgement.
pub fn judge(arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let [path] = arguments.history.as_slice() else {
        bail!("a share is of one history; join the parts of a joint one first, with --joined");
    };
    if let Some(path) = &arguments.output {
        output::check_new_file(path)?;
    }
    let first = import::Opened::new(path, interrupt)?;
    if !arguments.numbered
        && let Some(format) = first.format()
    {
        bail!("{}: a file of format {}; import it first", path.display(), format.word());
    }
    let (name, progress) = (first.name().to_owned(), first.progress());
    let mut source = Source::new(first, path)?;
    let out: Box<dyn Write> = match &arguments.output {
        Some(path) => Box::new(File::create_new(path).with_context(|| path.display().to_string())?),
        None => Box::new(io::stdout().lock()),
    };
    let open = || source.open(path, interrupt);
    let judged =
        judge_share(&given_name(arguments), open, options(arguments), arguments.question(), BufWriter::new(out));
    let stopped = interrupt.is_raised();
    if (stopped || judged.is_err())
        && let Some(path) = &arguments.output
    {
        // What is not whole is of no use.
        std::fs::remove_file(path).with_context(|| path.display().to_string())?;
    }
    if stopped {
        eprintln!("stopped: {}; no partial judgement is written", terminal::how_far(&progress));
        return Ok(Outcome::Interrupted);
    }
    match judged {
        // The reader of standard output has closed it.
        Err(PartialError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Kept),
        judged => judged.map(|()| Outcome::Kept).with_context(|| name),
    }
}

/// The judgement of the whole, from the partial judgements that the user named; none after Ctrl-C.
pub fn merged(arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Option<Judged>> {
    let open = || {
        let opened = arguments.history.iter().map(|path| import::Opened::new(path, interrupt));
        opened.collect::<anyhow::Result<Vec<_>>>().map_err(|error| io::Error::other(format!("{error:#}")))
    };
    let judged = judge_parts(open);
    if interrupt.is_raised() {
        eprintln!("stopped: nothing is judged");
        return Ok(None);
    }
    let (given, history, judgement, expect) = judged.with_context(|| {
        let names = arguments.history.iter().enumerate();
        let names = names.map(|(part, path)| format!("part {} {}", part + 1, path.display()));
        names.collect::<Vec<_>>().join(", ")
    })?;
    let named = history.header.pipeline.as_ref().map(|pipeline| pipeline.name().to_owned());
    let name = arguments.name.clone().or(named).unwrap_or(given);
    Ok(Some(Judged { name, history, judgement, unfinished: Vec::new(), expect }))
}
