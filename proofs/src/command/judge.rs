//! `delivery judge`: the verdicts on a recorded history, or on the parts that the processes of one machine recorded.

use std::path::{Path, PathBuf};

use anyhow::Context;
use delivery_model::history::{History, PipelineOf, ReadOptions, TruncatedTail};
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::semantics::{Contradiction, Judgement, PropertyId, Question, Verdict, Violation, judge};
use delivery_model::story::{Ink, RecordedRow, RecordedStory};
use delivery_proofs::judgement_page;
use serde_json::json;

use super::terminal::Interrupt;
use super::{LevelWord, ObligationWord, Outcome, SemanticsWord, import, output, report, terminal};

/// The number of violations that the table shows. JSON has all that the judge reports.
const SHOWN: usize = 10;
/// The number of lines that each shown violation names.
const LINES_SHOWN: usize = 12;
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
    #[command(flatten)]
    known: import::Known,
}

/// Judges a history.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::install()?;
    if let Some(path) = &arguments.joined {
        output::check_new_file(path)?;
    }
    arguments.html.as_deref().map_or(Ok(()), output::check_file)?;
    let Some(mut opened) = import::Opened::all(&arguments.history, &interrupt)? else {
        return Ok(Outcome::Interrupted);
    };
    let (history, unfinished) = match import::foreign(&mut opened, &arguments.known) {
        _ if interrupt.is_raised() => {
            eprintln!("stopped: nothing is judged");
            return Ok(Outcome::Interrupted);
        }
        Err(error) => return Err(error),
        Ok(Some(history)) => (history, Vec::new()),
        Ok(None) => {
            let Some(parts) = parts(opened, arguments, &interrupt)? else {
                return Ok(Outcome::Interrupted);
            };
            let unfinished = unfinished(&arguments.history, &parts);
            let Some(history) = joined(parts, arguments, &interrupt)? else {
                return Ok(Outcome::Interrupted);
            };
            (history, unfinished)
        }
    };
    terminal::spinner(&format!("judging {} events", history.events.len()));
    let expect = arguments.expect.map(Semantics::from);
    let (level, obligation) = (arguments.level.map(Into::into), arguments.obligation.map(Into::into));
    let question = Question { level, obligation, expect, endless: false };
    let judgement = judge(&history, question);
    if interrupt.is_raised() {
        eprintln!("stopped: {} events were read, and are not judged", history.events.len());
        return Ok(Outcome::Interrupted);
    }
    let name = name(arguments, &history);
    if let Some(path) = &arguments.html {
        std::fs::write(path, judgement_page::html(&name, &history, &judgement))
            .with_context(|| path.display().to_string())?;
    }
    let show = if arguments.json { terminal::print } else { terminal::tell };
    show(&match arguments.json {
        true => {
            let mut told = in_json(&name, &history, &judgement);
            told["worlds"]["history"]["unfinished"] = unfinished.into();
            format!("{told}\n")
        }
        false => {
            let lines = unfinished.iter().map(|part| format!("{part}, so that losses cannot be told\n"));
            in_words(&name, &history, &judgement, expect, terminal::ink())
                + &stories(&history, &judgement, arguments.stories, terminal::ink())
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

/// All parts that the user named; none after Ctrl-C.
fn parts(
    opened: Vec<import::Opened>,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Vec<History>>> {
    opened.into_iter().map(|input| whole(input, arguments.allow_truncated, interrupt)).collect()
}

/// The parts of a joint history that keep the whole from being quiescent, with the reason of each.
fn unfinished(paths: &[PathBuf], parts: &[History]) -> Vec<String> {
    let why = |part: &History| match (part.truncated, part.events.last(), part.rest()) {
        (Some(line), _, _) => Some(format!("is cut off in line {line}")),
        (None, _, Some(_)) => None,
        (None, Some(last), None) => Some(format!("does not end with `quiescent` but in line {}", last.line)),
        (None, None, None) => Some("has no events".to_owned()),
    };
    let told = paths.iter().zip(parts).filter_map(|(path, part)| Some(format!("{} {}", path.display(), why(part)?)));
    if parts.len() > 1 { told.collect() } else { Vec::new() }
}

/// The one history, or the joined parts; none after Ctrl-C.
fn joined(mut parts: Vec<History>, arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Option<History>> {
    terminal::spinner(&format!("joining {} parts", parts.len()));
    let history = match parts.len() {
        1 => parts.remove(0),
        _ => History::join(&parts).with_context(|| {
            let names =
                arguments.history.iter().enumerate().map(|(part, path)| format!("part {part} {}", path.display()));
            names.collect::<Vec<_>>().join(", ")
        })?,
    };
    if let Some(path) = &arguments.joined {
        let written = output::write_history(&history, path, interrupt);
        if interrupt.is_raised() {
            eprintln!("stopped while {} was written", path.display());
            return Ok(None);
        }
        written?;
    }
    Ok(Some(history))
}

/// Reads a history from a file. Returns none after Ctrl-C.
pub fn read(path: &Path, allow_truncated: bool, interrupt: &Interrupt) -> anyhow::Result<Option<History>> {
    whole(import::Opened::new(path, interrupt)?, allow_truncated, interrupt)
}

/// Reads a history. Returns none after Ctrl-C.
fn whole(mut input: import::Opened, allow_truncated: bool, interrupt: &Interrupt) -> anyhow::Result<Option<History>> {
    let truncated_tail = if allow_truncated { TruncatedTail::NameAndIgnore } else { TruncatedTail::Refuse };
    let history = History::read(&mut input, ReadOptions { truncated_tail });
    if interrupt.is_raised() {
        eprintln!("stopped: {}", input.how_far());
        return Ok(None);
    }
    history.map(Some).with_context(|| input.name().to_owned())
}

/// The verdict on the pipeline's promise, and on its order if it claims one.
pub fn claims(pipeline: &Pipeline, judgement: &Judgement) -> Verdict {
    let promise = pipeline.promises.map_or(Verdict::Holds, |semantics| judgement.verdicts.of(semantics));
    let order = judgement.finding(PropertyId::Order).filter(|_| pipeline.ordered);
    order.map_or(promise, |finding| promise.and(finding.verdict))
}

fn name(arguments: &Arguments, history: &History) -> String {
    let stem = || arguments.history[0].file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    history.header.pipeline.as_ref().map_or_else(stem, |pipeline| pipeline.name().to_owned())
}

fn story_in_json(history: &History, story: &RecordedStory) -> serde_json::Value {
    let row = |row: &RecordedRow| {
        json!({
            "line": row.line,
            "at": row.at,
            "process": story.lanes[row.lane],
            "text": row.text,
            "breaks": row.breaks,
            "fault": row.fault,
            "attributes": history.extra(row.line).and_then(|extra| extra.attributes.as_ref()),
        })
    };
    json!({ "rows": story.rows.iter().map(row).collect::<Vec<_>>(), "never": story.never, "left-out": story.left_out })
}

fn in_json(name: &str, history: &History, judgement: &Judgement) -> serde_json::Value {
    let stories = RecordedStory::of(history, &judgement.violations, judgement.rules.level);
    let violation = |(violation, story): (&Violation, &RecordedStory)| {
        json!({
            "property": violation.property,
            "message": history.names.message(violation.message),
            "group": history.names.group(violation.group),
            "breach": violation.breach.to_string(),
            "line": violation.line,
            "steps": violation.lines,
            "story": story_in_json(history, story),
        })
    };
    let contradiction = |it: &Contradiction| {
        json!({
            "kind": it.kind.word(),
            "message": it.message.map(|message| history.names.message(message)),
            "group": history.names.group(it.group),
            "lines": it.lines,
            "says": it.told(&history.names),
            "note": it.is_note,
        })
    };
    let doubts = judgement.findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Unknown(doubt) => Some((finding.property.word().to_owned(), doubt.to_string().into())),
        Verdict::Holds | Verdict::Violated => None,
    });
    let properties = judgement.findings.iter().map(|it| (it.property.word().to_owned(), it.verdict.word().into()));
    json!({
        "pipeline": name,
        "promises": promised(history),
        "level": judgement.rules.level,
        "obligation": judgement.rules.obligation,
        "strongest": judgement.verdicts.strongest_word(),
        "or-dead-lettered": judgement.or_dead_lettered(),
        "worlds": {
            "history": {
                "verdicts": report::verdicts(&judgement.verdicts),
                "properties": properties.collect::<serde_json::Map<_, _>>(),
                "unknown": doubts.collect::<serde_json::Map<_, _>>(),
                "violations": judgement.violations.iter().zip(&stories).map(violation).collect::<Vec<_>>(),
                "contradictions": judgement.contradictions.iter().map(contradiction).collect::<Vec<_>>(),
                "contradicted": judgement.contradicted,
                "complete": history.truncated.is_none(),
                "events": history.events.len(),
                "counts": judgement.counts,
            }
        },
        "agree": true,
    })
}

/// The judgement as text for people.
pub fn in_words(name: &str, history: &History, judgement: &Judgement, expect: Option<Semantics>, ink: Ink) -> String {
    let counts = &judgement.counts;
    let rules = &judgement.rules;
    let mut out = format!(
        "{}: {}, judged by {}, {}\n\n",
        ink.strong(name),
        report::count(history.events.len() as u64, "event"),
        report::word(rules.level),
        report::word(rules.obligation)
    );
    if let Some(line) = history.truncated {
        out += &format!("line {line} was cut off and is left out: nothing can be said about what came after\n\n");
    }
    let promised = promised(history);
    out += &report::semantics(&judgement.verdicts, promised, judgement.or_dead_lettered(), ink);
    if promised.is_none() && expect.is_none() {
        let strongest = judgement.verdicts.strongest_word();
        out += &format!("nothing is promised or expected; the strongest that the history shows: {strongest}\n");
    }
    let mut table = report::table(&["property", "verdict", "breaches"]);
    for finding in &judgement.findings {
        let verdict = report::painted(finding.verdict, ink);
        table.add_row([finding.property.to_string(), verdict, report::grouped(finding.breaches)]);
    }
    out += &format!(
        "\n{}\nmessages: {} submitted, {} acked, {} refused, {} unknown, {} arrived without an ack\n\
         events: {}, {}, {}, {}, {}\n",
        report::lines(&table),
        report::grouped(counts.submitted),
        report::grouped(counts.acked),
        report::grouped(counts.refused),
        report::grouped(counts.unknown),
        report::grouped(counts.recovered),
        report::count_of(counts.delivered, "delivery", "deliveries"),
        report::count(counts.effects, "effect"),
        report::count(counts.settled, "settle"),
        report::count(counts.dead_lettered, "dead letter"),
        report::count(counts.faults, "fault")
    );
    out += &contradictions_in_words(history, judgement, ink);
    out += &violations_in_words(history, judgement);
    if let Some(semantics) = expect {
        let verdict = judgement.verdicts.of(semantics);
        out += &format!("\nexpected {semantics}: {}\n", report::painted(verdict, ink));
    }
    out
}

/// The stories of the first violations, as sequence diagrams.
fn stories(history: &History, judgement: &Judgement, shown: usize, ink: Ink) -> String {
    let shown = &judgement.violations[..shown.min(judgement.violations.len())];
    let stories = RecordedStory::of(history, shown, judgement.rules.level);
    let told = shown.iter().zip(&stories).map(|(violation, story)| {
        format!("\n{}: {}\n{}", ink.bad(violation.property.word()), story.title, story.text(ink, terminal::width()))
    });
    told.collect()
}

fn contradictions_in_words(history: &History, judgement: &Judgement, ink: Ink) -> String {
    let mut out = String::new();
    for it in judgement.contradictions.iter().take(SHOWN) {
        let what = if it.is_note { ink.strong("note") } else { ink.unsure("contradiction") };
        let lines: Vec<String> = it.lines.iter().take(LINES_SHOWN).map(u32::to_string).collect();
        let noun = if lines.len() == 1 { "line" } else { "lines" };
        out += &format!("\n{what}: {} ({noun} {})", it.told(&history.names), lines.join(", "));
    }
    if judgement.contradicted > SHOWN as u64 {
        out += &format!("\nand {} more like these", report::grouped(judgement.contradicted - SHOWN as u64));
    }
    if out.is_empty() { out } else { out + "\n" }
}

fn violations_in_words(history: &History, judgement: &Judgement) -> String {
    let mut out = String::new();
    for violation in judgement.violations.iter().take(SHOWN) {
        let group = match judgement.groups.len() {
            0 | 1 => String::new(),
            _ => format!(" in group {}", history.names.group(violation.group)),
        };
        let lines: Vec<String> = violation.lines.iter().take(LINES_SHOWN).map(u32::to_string).collect();
        let more = if violation.lines.len() > LINES_SHOWN { ", ..." } else { "" };
        let noun = if lines.len() == 1 { "line" } else { "lines" };
        out += &format!(
            "\n{}: message {} {}{group} ({noun} {}{more})",
            violation.property,
            history.names.message(violation.message),
            violation.breach,
            lines.join(", ")
        );
    }
    let total: u64 = judgement.findings.iter().map(|finding| finding.breaches).sum();
    if total > SHOWN as u64 {
        out += &format!("\nand {} more breaches", report::grouped(total - SHOWN as u64));
    }
    if out.is_empty() { out } else { out + "\n" }
}
