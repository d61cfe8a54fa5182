//! `delivery run`: a real run of the implementation under faults at logical points, and the judgement of its history.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use delivery_impls::core::tuning::Retention;
use delivery_impls::driver::run::{Ended, RETAINED};
use delivery_model::history::History;
use delivery_model::pipeline::{Dedup, Pipeline};
use delivery_model::semantics::{Question, judge};
use delivery_model::story::Ink;
use delivery_model::vocab::{EventKind, Fault, MessageId};
use delivery_proofs::real::{self, FaultPlan, Options, RealReport};

use super::{Outcome, judge as judging, load, output, report, terminal};

/// The default number of producers.
const PRODUCERS: u32 = 8;

/// The pipeline to run, the number of messages and faults, and the files.
#[derive(clap::Args)]
pub struct Arguments {
    /// Pipeline file (TOML), `-` for standard input, or name of a preset
    #[arg(value_name = "FILE.toml or preset", default_value = "exactly-once")]
    pipeline: PathBuf,
    /// The number of messages to submit; a resumed run counts the messages of the earlier parts
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    messages: u64,
    /// The number of producers that share the messages [default: 8; 1 where the broker remembers a window of sequence
    /// numbers, as all producers would share it]
    #[arg(long, value_name = "N")]
    producers: Option<u32>,
    /// The number of times that each kind of fault in the pipeline's budget strikes; each message at most once
    #[arg(long, value_name = "N", default_value_t = 5)]
    faults: u32,
    /// The seed of the points at which faults strike
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The number of latest records that the broker keeps although they are settled
    #[arg(long, value_name = "N", default_value_t = RETAINED)]
    retain: u64,
    /// The file for the history [default: history.jsonl in the directory; none without a directory]
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The directory of the stores. A run that was stopped or killed is resumed when it is started again on the same
    /// directory and history [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Runs a pipeline and judges the history that it recorded.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    let pipeline = load::pipeline(&arguments.pipeline)?;
    let producers = producers(&pipeline, arguments);
    if let (Some(record), None) = (&arguments.record, &arguments.directory) {
        output::check_new_file(record)?;
    }
    let temporary = terminal::temporary()?;
    let options = Options { producers, ..options(arguments, &temporary, &interrupt) };
    let came = real::run(&pipeline, &options)?;
    let ink = terminal::ink();
    terminal::tell(&in_words(&pipeline, &came, &options, arguments.faults, ink));
    if came.ended == Ended::Stopped {
        let how = match &arguments.directory {
            Some(directory) => format!("start it again on {} and it goes on", directory.display()),
            None => "nothing was kept: name a --directory to be able to go on".to_owned(),
        };
        eprintln!("stopped after {} messages; {how}", came.progress.submitted);
        return Ok(Outcome::Interrupted);
    }
    let Some(history) = judging::history(&came.history, &interrupt)? else {
        return Ok(Outcome::Interrupted);
    };
    let judgement = judge(&history, Question::default());
    terminal::tell(&format!("\n{}", judging::in_words(&pipeline.name, &history, &judgement, None, ink)));
    terminal::tell(&again(&history));
    if kept(arguments) {
        terminal::print(&format!("\nhistory: {}\n", came.history.display()));
    }
    Ok(Outcome::of(&pipeline, judging::claims(&pipeline, &judgement), &judgement.verdicts))
}

/// The number of producers. Several share the broker's one window: what one of them stores makes the broker forget
/// the numbers of another, and a number that was skipped meanwhile is then taken for an old one. It is acked, and its
/// message is lost.
fn producers(pipeline: &Pipeline, arguments: &Arguments) -> u32 {
    let is_shared = pipeline.broker.dedup == Dedup::Sequence && pipeline.broker.dedup_window > 0;
    let producers = arguments.producers.unwrap_or(if is_shared { 1 } else { PRODUCERS });
    if is_shared && producers > 1 {
        eprintln!(
            "dedup-window = {} is shared by {}: what one of them stores may push another one out of \
             it, so that a message may be stored twice, or acked and lost",
            pipeline.broker.dedup_window,
            report::count(producers.into(), "producer"),
        );
    }
    producers
}

/// What the parties did more than once, and what would have become of it without retries, or without a memory of what
/// was seen: empty if they did everything once.
fn again(history: &History) -> String {
    let (mut attempted, mut attempted_again) = (BTreeSet::new(), BTreeSet::new());
    let (mut done, mut came_again, mut done_again) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for recorded in &history.events {
        match recorded.event.kind {
            EventKind::Attempt { message, .. } if !attempted.insert(message) => {
                attempted_again.insert(message);
            }
            EventKind::Deliver { message, .. } if done.contains(&message) => {
                came_again.insert(message);
            }
            EventKind::Effect { message, .. } if !done.insert(message) => {
                done_again.insert(message);
            }
            _ => {}
        }
    }
    let messages = |found: &BTreeSet<MessageId>| report::count(found.len() as u64, "message");
    let mut out = String::new();
    if !attempted_again.is_empty() {
        out += &format!(
            "{} published again after a refusal or without an answer; a producer that tries once (at-most-once) \
             would have lost what did not get through at first\n",
            messages(&attempted_again)
        );
    }
    if !came_again.is_empty() {
        let doubled = came_again.intersection(&done_again).count();
        out += &format!("{} delivered again after the effect: ", messages(&came_again));
        out += &match came_again.len() - doubled {
            0 => "each was done twice\n".to_owned(),
            recognised => format!(
                "{} recognised, {} done twice; a consumer without a memory (at-least-once) would have done these twice\n",
                report::grouped(recognised as u64),
                report::grouped(doubled as u64)
            ),
        };
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

fn kept(arguments: &Arguments) -> bool {
    arguments.record.is_some() || arguments.directory.is_some()
}

fn options(arguments: &Arguments, temporary: &tempfile::TempDir, interrupt: &terminal::Interrupt) -> Options {
    let record = match (&arguments.record, &arguments.directory) {
        (Some(record), _) => record.clone(),
        (None, Some(directory)) => directory.join("history.jsonl"),
        (None, None) => temporary.path().join("history.jsonl"),
    };
    let bar = terminal::bar(arguments.messages, "effects");
    let mut options = Options::new(arguments.messages, &record);
    options.directory = Some(arguments.directory.as_deref().unwrap_or(temporary.path()).to_owned());
    options.plan = FaultPlan::Generated { each: arguments.faults, seed: arguments.seed };
    options.tuning.retention = Some(Retention::of(arguments.retain));
    options.stop = interrupt.flag();
    options.progress = Some(Arc::new(move |progress| bar.set_position(progress.effects)));
    options
}

fn in_words(pipeline: &Pipeline, came: &RealReport, options: &Options, planned: u32, ink: Ink) -> String {
    let mut out = format!(
        "{}: {} from {}, {} in {:.1} s ({} a second)\n",
        ink.strong(&pipeline.name),
        report::count(options.messages, "message"),
        report::count(options.producers.into(), "producer"),
        report::count(came.effects, "effect"),
        came.elapsed.as_secs_f64(),
        report::grouped(came.throughput() as u64),
    );
    if came.resumed {
        let reconciled = report::count(came.reconciled, "event");
        out += &format!("went on with an earlier run; {reconciled} of it written from the stores\n");
    }
    out += &faults(pipeline, came, options, planned.into());
    let left_out: Vec<&str> = real::left_out(pipeline).into_iter().map(|fault| fault.word()).collect();
    if !left_out.is_empty() {
        out += &format!("not injected in a real run of this pipeline: {}\n", left_out.join(", "));
    }
    out
}

/// How often each kind was planned and how often it struck, earlier parts of the run included, with the reason if the
/// two differ.
fn faults(pipeline: &Pipeline, came: &RealReport, options: &Options, planned: u64) -> String {
    let left_out = real::left_out(pipeline);
    let mut table = report::table(&["fault", "planned", "struck"]);
    let mut why = String::new();
    let mut is_empty = true;
    for fault in Fault::ALL {
        let is_planned = pipeline.faults.of(fault) > 0 && !left_out.contains(&fault);
        let planned = if is_planned { planned } else { 0 };
        let struck = came.fired.get(&fault).copied().unwrap_or(0);
        if planned > 0 || struck > 0 {
            is_empty = false;
            table.add_row([fault.word().to_owned(), report::grouped(planned), report::grouped(struck)]);
        }
        if let Some(reason) = why_not_as_planned(planned, struck, came, options) {
            why += &format!("{fault} struck {}: {reason}\n", report::count(struck, "time"));
        }
    }
    if is_empty { String::new() } else { format!("\n{}{why}", report::lines(&table)) }
}

/// The reason why a kind struck less or more often than it was planned.
fn why_not_as_planned(planned: u64, struck: u64, came: &RealReport, options: &Options) -> Option<String> {
    if struck > planned {
        let (planned, more) = (report::grouped(planned), report::grouped(struck - planned));
        return Some(format!("{planned} planned, {more} as the run was started again, which is a crash to each party"));
    }
    if struck == planned {
        return None;
    }
    Some(match came.ended {
        Ended::Stopped => "the run was stopped".to_owned(),
        Ended::Drained if planned > options.messages => {
            let messages = report::count(options.messages, "message");
            format!("a kind strikes a message once at most, and there are {messages}")
        }
        Ended::Drained => {
            "the points of the others were not reached, as other faults had taken their messages".to_owned()
        }
    })
}
