//! `delivery judge`: the verdicts on a recorded history, or on the parts that the processes of one machine recorded.

mod json;
mod read;
mod share;
mod words;

use std::path::PathBuf;

use anyhow::{Context, bail};
use delivery_model::history::{History, PipelineOf, Share};
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::semantics::{Judgement, PropertyId, Question, Verdict};
use delivery_proofs::judgement_page;

use self::read::Judged;
pub use self::read::history;
pub use self::words::in_words;
use super::terminal::Interrupt;
use super::{LevelWord, ObligationWord, Outcome, SemanticsWord, import, output, report, terminal};

/// The number of violations whose stories are told, unless the user says how many.
const STORIES_SHOWN: usize = 3;

/// The history to judge, and how to read it.
#[derive(clap::Args)]
pub struct Arguments {
    /// The history (JSON Lines), or a file of a format that `import` reads, also compressed (gzip, zstd); `-` for
    /// standard input. Several files: the parts of one history, joined by their times, which must come from one clock
    #[arg(required = true)]
    history: Vec<PathBuf>,
    /// The file for the joined history; the judgement of several parts names the lines of this file
    #[arg(long, value_name = "FILE")]
    joined: Option<PathBuf>,
    /// What is counted [default: as the history says, else effect]
    #[arg(long)]
    level: Option<LevelWord>,
    /// The messages that must not be lost [default: as the history says, else acked]
    #[arg(long)]
    obligation: Option<ObligationWord>,
    /// Exit with 1 unless the history shows this semantics
    #[arg(long, value_name = "SEMANTICS")]
    expect: Option<SemanticsWord>,
    /// Judge the rest of a history whose last line is truncated
    #[arg(long)]
    allow_truncated: bool,
    /// The number of violations whose stories are told as sequence diagrams
    #[arg(long, value_name = "N", default_value_t = STORIES_SHOWN)]
    stories: usize,
    /// The file for a page with verdicts, plots, and the first hundred stories
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Forget a message so long after the first event about it: it is lost if it has not arrived by then, and what comes
    /// later is told as late. A time such as `90s` or `1h`; a bare number where the history's times are steps
    #[arg(long, value_name = "TIME", value_parser = horizon)]
    horizon: Option<u64>,
    /// Judge one share of the messages, and write a partial judgement: from `1/4` to `4/4`, for example
    #[arg(long, value_name = "I/N", conflicts_with_all = ["merge", "html", "joined", "json", "horizon"])]
    shard: Option<Share>,
    /// Write a partial judgement of the messages that are here: the input is a part of a history, made by others
    #[arg(long, conflicts_with_all = ["shard", "merge", "html", "joined", "json", "horizon"])]
    partial: bool,
    /// Each line of the history begins with its number in the whole, and a tab
    #[arg(long)]
    numbered: bool,
    /// The new file for the partial judgement [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The files are the partial judgements of all shares of one history: join them
    #[arg(long, conflicts_with_all = ["html", "joined", "horizon", "level", "obligation", "expect", "numbered"])]
    merge: bool,
    /// The name of the history in the output [default: that of its pipeline, else of its file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    known: import::Known,
}

impl Arguments {
    fn question(&self) -> Question {
        let (level, obligation) = (self.level.map(Into::into), self.obligation.map(Into::into));
        Question { level, obligation, expect: self.expect.map(Into::into), horizon: self.horizon, endless: false }
    }
}

/// A time in nanoseconds, or a bare number of the history's own unit.
fn horizon(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
        ("s", 1_000_000_000),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let size = if unit.is_empty() { Some(1) } else { UNITS.iter().find(|it| it.0 == unit).map(|it| it.1) };
    let span = number.parse::<u64>().ok().zip(size).and_then(|(number, size)| number.checked_mul(size));
    span.filter(|span| *span > 0)
        .ok_or_else(|| "a whole number above 0 with ns, us, ms, s, min, h or d is expected, such as 90s".to_owned())
}

/// Judges a history.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::install()?;
    if let Some(path) = &arguments.joined {
        output::check_new_file(path)?;
    }
    arguments.html.as_deref().map_or(Ok(()), output::check_file)?;
    if arguments.shard.is_some() || arguments.partial {
        return share::judge(arguments, &interrupt);
    }
    if arguments.output.is_some() {
        bail!("--output is for a partial judgement, with --shard or --partial");
    }
    let judged =
        if arguments.merge { share::merged(arguments, &interrupt) } else { read::judged(arguments, &interrupt) };
    let Some(Judged { name, history, judgement, unfinished, expect }) = judged? else {
        return Ok(Outcome::Interrupted);
    };
    if let Some(path) = &arguments.html {
        std::fs::write(path, judgement_page::html(&name, &history, &judgement))
            .with_context(|| path.display().to_string())?;
    }
    let show = if arguments.json { terminal::print } else { terminal::tell };
    show(&match arguments.json {
        true => {
            let mut told = json::told(&name, &history, &judgement);
            told["worlds"]["history"]["unfinished"] = unfinished.into();
            format!("{told}\n")
        }
        false => {
            let lines = unfinished.iter().map(|part| format!("{part}, so that losses cannot be told\n"));
            in_words(&name, &history, &judgement, expect, terminal::ink())
                + &words::stories(&history, &judgement, arguments.stories, terminal::ink())
                + &lines.collect::<String>()
        }
    });
    Ok(outcome(&history, &judgement, expect))
}

/// The outcome: decided by what the user expects, else by what the history's pipeline promises, else by whether there
/// is an answer.
fn outcome(history: &History, judgement: &Judgement, expect: Option<Semantics>) -> Outcome {
    match (expect, &history.header.pipeline) {
        (Some(semantics), _) => judgement.verdicts.of(semantics).into(),
        (None, Some(PipelineOf::Whole(pipeline))) => {
            Outcome::of(pipeline, claims(pipeline, judgement), &judgement.verdicts)
        }
        (None, Some(PipelineOf::Named(_)) | None) => Outcome::answered(&judgement.verdicts),
    }
}

/// The semantics that the history's pipeline promises.
fn promised(history: &History) -> Option<Semantics> {
    match &history.header.pipeline {
        Some(PipelineOf::Whole(pipeline)) => pipeline.promises,
        Some(PipelineOf::Named(_)) | None => None,
    }
}

/// The verdict on the pipeline's promise, and on its order if it claims one.
pub fn claims(pipeline: &Pipeline, judgement: &Judgement) -> Verdict {
    let promise = pipeline.promises.map_or(Verdict::Holds, |semantics| judgement.verdicts.of(semantics));
    let order = judgement.finding(PropertyId::Order).filter(|_| pipeline.ordered);
    order.map_or(promise, |finding| promise.and(finding.verdict))
}

/// The name that the user gave, or that of the file.
fn given_name(arguments: &Arguments) -> String {
    let stem = || arguments.history[0].file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    arguments.name.clone().unwrap_or_else(stem)
}

/// The name of a history in the output.
fn name(arguments: &Arguments, history: &History) -> String {
    let pipeline = history.header.pipeline.as_ref().filter(|_| arguments.name.is_none());
    pipeline.map_or_else(|| given_name(arguments), |pipeline| pipeline.name().to_owned())
}
