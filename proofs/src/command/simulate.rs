//! `delivery simulate`: a campaign of random fault schedules on the cores, whole or in shares.

use std::path::PathBuf;

use anyhow::Context;
use delivery_model::history::Share;
use delivery_model::pipeline::Pipeline;
use delivery_model::semantics::{PropertyId, Verdict};
use delivery_model::story::Ink;
use delivery_model::vocab::Fault;
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::campaign::{CampaignReport, Counterexample, Extent, Progress, campaign_of};
use delivery_proofs::simulation::guided::guided_campaign;
use delivery_proofs::simulation::join::join;
use delivery_proofs::simulation::partial::PartialReport;
use delivery_proofs::simulation::run::run as replayed;
use delivery_proofs::simulation::strategy;
use delivery_proofs::verify::shown;
use serde_json::{Map, Value, json};

use super::{Outcome, Pipelines, load, output, render, report, terminal};

/// More threads than any machine has cores for, and few enough for any to start.
const THREADS_MAX: i64 = 1_024;

/// The pipelines to simulate, and the number of schedules.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pipelines: Pipelines,
    /// The number of schedules of each pipeline
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    schedules: u32,
    /// The seed of the schedules: the same seed gives the same runs
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The number of threads; the report is the same whatever it is [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=THREADS_MAX))]
    threads: Option<u16>,
    /// Make schedules from earlier ones that did something new, on one thread
    #[arg(long, conflicts_with_all = ["shard", "threads", "merge"])]
    guided: bool,
    /// Print one JSON object a pipeline instead of tables
    #[arg(long)]
    json: bool,
    /// The directory for the shrunk counterexamples, as schedules for `replay`
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Run one share of the schedules, such as 1/4, and write a partial report for `--merge`; 0 is the exit code whatever
    /// was found
    #[arg(long, value_name = "I/N", conflicts_with_all = ["json", "save"])]
    shard: Option<Share>,
    /// The new file for the partial report [default: standard output]
    #[arg(short, long, value_name = "FILE", requires = "shard")]
    output: Option<PathBuf>,
    /// Join the partial reports of all shares to the report of one whole run; `-` for standard input
    #[arg(long, value_name = "PARTIAL", num_args = 1.., conflicts_with_all = ["pipelines", "schedules", "seed", "shard", "threads"])]
    merge: Vec<PathBuf>,
}

/// Runs a campaign on each pipeline, or joins what the shares of campaigns found.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    if !arguments.merge.is_empty() {
        return merged(arguments);
    }
    let pipelines = load::pipelines(&arguments.pipelines.pipelines)?;
    if let Some(share) = arguments.shard {
        return one_share(arguments, share, pipelines, &interrupt);
    }
    arguments.save.as_deref().map_or(Ok(()), output::check_directory)?;
    let mut outcome = Outcome::Kept;
    for (index, pipeline) in pipelines.iter().enumerate() {
        let report = campaign(arguments, Share::WHOLE, pipeline, &interrupt);
        outcome = outcome.and(tell(arguments, index, pipeline, &report, arguments.seed)?);
        if interrupt.is_raised() {
            return Ok(stopped(&report));
        }
    }
    Ok(outcome)
}

/// Runs one share of the schedules, and writes the partial report.
fn one_share(
    arguments: &Arguments,
    share: Share,
    pipelines: Vec<Pipeline>,
    interrupt: &terminal::Interrupt,
) -> anyhow::Result<Outcome> {
    arguments.output.as_deref().map_or(Ok(()), output::check_new_file)?;
    let mut reports = Vec::new();
    for pipeline in pipelines {
        let report = campaign(arguments, share, &pipeline, interrupt);
        if interrupt.is_raised() {
            return Ok(stopped(&report));
        }
        reports.push((pipeline, report));
    }
    let (seed, schedules) = (arguments.seed, arguments.schedules);
    let lines = PartialReport { share, seed, schedules, pipelines: reports }.to_json_lines();
    match &arguments.output {
        Some(path) => output::write_new(path, &lines)?,
        None => terminal::print(&lines),
    }
    Ok(Outcome::Kept)
}

/// Joins the partial reports of all shares, and tells the report as one run does.
fn merged(arguments: &Arguments) -> anyhow::Result<Outcome> {
    arguments.save.as_deref().map_or(Ok(()), output::check_directory)?;
    let mut parts = Vec::new();
    for path in &arguments.merge {
        let name = load::shown(path);
        let read = PartialReport::read(&load::text(path, load::PARTIAL_REPORT)?).with_context(|| name.clone())?;
        parts.extend(read.into_iter().map(|part| (name.clone(), part)));
    }
    let whole = join(parts)?;
    let mut outcome = Outcome::Kept;
    for (index, (pipeline, report)) in whole.pipelines.iter().enumerate() {
        outcome = outcome.and(tell(arguments, index, pipeline, report, whole.seed)?);
    }
    Ok(outcome)
}

fn campaign(
    arguments: &Arguments,
    share: Share,
    pipeline: &Pipeline,
    interrupt: &terminal::Interrupt,
) -> CampaignReport {
    let (schedules, seed) = (arguments.schedules, arguments.seed);
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let extent = Extent { schedules, seed, share, threads: arguments.threads.map_or_else(cores, usize::from) };
    let bar = terminal::bar(share.numbers(schedules).len() as u64, &pipeline.name);
    let mut progress = |progress: Progress| {
        bar.set_position(progress.runs.into());
        !interrupt.is_raised()
    };
    let report = match arguments.guided {
        true => guided_campaign(pipeline, Mutant::None, schedules, seed, &mut progress),
        false => campaign_of(pipeline, Mutant::None, extent, &mut progress),
    };
    bar.finish_and_clear();
    report
}

fn stopped(report: &CampaignReport) -> Outcome {
    let runs = report::grouped(report.runs.into());
    eprintln!("stopped after {runs} of {}", report::count(report.schedules.into(), "schedule"));
    Outcome::Interrupted
}

/// Prints the report of a pipeline, and saves its counterexamples where the user says.
fn tell(
    arguments: &Arguments,
    index: usize,
    pipeline: &Pipeline,
    report: &CampaignReport,
    seed: u64,
) -> anyhow::Result<Outcome> {
    let gap = if index > 0 && !arguments.json { "\n" } else { "" };
    let told = match arguments.json {
        true => format!("{}\n", in_json(pipeline, report, seed)),
        false => in_words(arguments, pipeline, report, seed, terminal::ink()),
    };
    let show = if arguments.json { terminal::print } else { terminal::tell };
    show(&format!("{gap}{told}"));
    if let Some(directory) = &arguments.save {
        for found in &report.counterexamples {
            let path = render::save(directory, found.property, &found.schedule)?;
            eprintln!("written: {}", path.display());
        }
    }
    Ok(Outcome::of(pipeline, claims(pipeline, report), &report.verdicts))
}

/// The verdict on the promise, and on the order if it is claimed.
fn claims(pipeline: &Pipeline, report: &CampaignReport) -> Verdict {
    let promise = pipeline.promises.map_or(Verdict::Holds, |semantics| report.verdicts.of(semantics));
    let order = if pipeline.ordered { report.verdict(PropertyId::Order) } else { Verdict::Holds };
    promise.and(order)
}

fn in_words(arguments: &Arguments, pipeline: &Pipeline, report: &CampaignReport, seed: u64, ink: Ink) -> String {
    let made = if arguments.guided { "guided schedule" } else { "random schedule" };
    let mut out = format!(
        "{}: {} of up to {} messages from seed {seed}, {}\n",
        ink.strong(&pipeline.name),
        report::count(report.runs.into(), made),
        strategy::MESSAGES_MAX,
        report::count(report.steps, "step"),
    );
    if report.not_quiescent > 0 {
        out += &format!("{} of them did not come to rest\n", report::grouped(report.not_quiescent.into()));
    }
    if report.endless > 0 {
        out += &format!("{} of them go on for ever\n", report::grouped(report.endless.into()));
    }
    out += &format!(
        "
{}",
        report::semantics(&report.verdicts, pipeline.promises, report.or_dead_lettered(), ink)
    );
    out += &report::nothing_promised(pipeline, &report.verdicts, "no run broke");
    if report.dead_lettered > 0 {
        out += &format!("{}\n", report::count(report.dead_lettered, "dead letter"));
    }
    let mut table = report::table(&["fault", "planned", "struck"]);
    for fault in pipeline.faults.kinds() {
        let [planned, struck] = [report.planned, report.fired].map(|of| report::grouped(of[fault as usize]));
        table.add_row([fault.word().to_owned(), planned, struck]);
    }
    if pipeline.faults.kinds().next().is_some() {
        out += &format!("\n{}", report::lines(&table));
    }
    let wanted = render::wanted(pipeline, &report.rules);
    let is_wanted = |found: &&Counterexample| wanted.contains(found.property);
    report.counterexamples.iter().filter(is_wanted).for_each(|found| out += &counterexample(found, ink));
    out
}

fn counterexample(found: &Counterexample, ink: Ink) -> String {
    let run = replayed(&found.schedule, Mutant::None).expect("the campaign ran it before");
    let broken = shown(found.property, &found.schedule, &run);
    let faults: String = found.schedule.faults.iter().map(|planned| format!("  {planned}\n")).collect();
    let under = if faults.is_empty() { "without any fault" } else { "under these faults" };
    format!(
        "\n{}, found in run {}, shrunk from {} to {}, {under}:\n{faults}{}",
        render::broken(broken.property, broken.message, ink),
        found.run,
        report::count(found.faults_found as u64, "fault"),
        found.schedule.faults.len(),
        render::Run::of_cores(&found.schedule.pipeline, &broken).told(ink)
    )
}

fn in_json(pipeline: &Pipeline, report: &CampaignReport, seed: u64) -> Value {
    let violation = |found: &Counterexample| {
        let run = replayed(&found.schedule, Mutant::None).expect("the campaign ran it before");
        let broken = shown(found.property, &found.schedule, &run);
        let mut told = render::Run::of_cores(&found.schedule.pipeline, &broken).json(found.property, broken.message);
        told["run"] = found.run.into();
        told
    };
    let by_fault = |counts: &[u64; Fault::ALL.len()]| {
        let kinds = pipeline.faults.kinds();
        kinds.map(|fault| (fault.word().to_owned(), counts[fault as usize].into())).collect::<Map<_, _>>()
    };
    json!({
        "pipeline": pipeline.name,
        "promises": pipeline.promises,
        "level": pipeline.level,
        "obligation": pipeline.obligation,
        "strongest": report.verdicts.strongest_word(),
        "or-dead-lettered": report.or_dead_lettered(),
        "worlds": {
            "simulation": {
                "verdicts": report::verdicts(&report.verdicts),
                "violations": report.counterexamples.iter().map(violation).collect::<Vec<_>>(),
                "complete": false,
                "schedules": report.runs,
                "seed": seed,
                "steps": report.steps,
                "dead-letters": report.dead_lettered,
                "not-quiescent": report.not_quiescent,
                "endless": report.endless,
                "planned": by_fault(&report.planned),
                "struck": by_fault(&report.fired),
            }
        },
        "agree": true,
    })
}
