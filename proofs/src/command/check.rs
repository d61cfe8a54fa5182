//! `delivery check`: the verdicts of model and simulation on each pipeline, whether they agree, and the shortest
//! story of a broken promise.

use std::path::PathBuf;
use std::time::Duration;

use delivery_model::check::graph::{Completeness, Cut};
use delivery_model::check::{Claim, Limits, LivenessFinding, Violation};
use delivery_model::pipeline::{FaultBudget, Pipeline, Semantics};
use delivery_model::semantics::{PropertySet, Verdict};
use delivery_model::story::Ink;
use delivery_proofs::simulation::strategy;
use delivery_proofs::verify::{Bounds, Broken, Verified, Watcher, verify};
use serde_json::{Value, json};

use super::render::{self, Broke, Run};
use super::{Outcome, Pipelines, load, output, report, terminal};

const MESSAGES: u32 = 2;
const SCHEDULES: u32 = 5_000;
const SEED: u64 = 1;

/// The pipelines to check, and the bounds of the search.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pipelines: Pipelines,
    /// The number of messages that the model submits, 1 to 4
    #[arg(long, default_value_t = MESSAGES, value_parser = clap::value_parser!(u32).range(1..=4))]
    messages: u32,
    /// Do not judge whole runs, for which all orders of steps are searched: many times fewer states. Of whole runs, only
    /// losses in runs without end are then judged
    #[arg(long, visible_alias = "reduced")]
    safety: bool,
    /// Search all orders of steps for the other verdicts too, and not one order of those that commute: the same verdicts,
    /// more slowly
    #[arg(long)]
    all_orders: bool,
    /// The number of states at which a search of the model stops: 100 million take 6 to 8 GB, and twice that where whole
    /// runs are judged
    #[arg(long, value_name = "N", default_value_t = Limits::default().states_max, value_parser = clap::value_parser!(u32).range(1..))]
    states: u32,
    /// The number of random schedules of the simulation
    #[arg(long, value_name = "N", default_value_t = SCHEDULES)]
    schedules: u32,
    /// The seed of the random schedules
    #[arg(long, value_name = "S", default_value_t = SEED)]
    seed: u64,
    /// Print one JSON object a pipeline instead of tables
    #[arg(long)]
    json: bool,
    /// The directory for the counterexamples, as schedules for `replay`
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

impl Default for Arguments {
    fn default() -> Self {
        let (pipelines, save) = (Pipelines::default(), None);
        let (safety, all_orders, json) = (false, false, false);
        let states = Limits::default().states_max;
        Arguments {
            pipelines,
            messages: MESSAGES,
            safety,
            all_orders,
            states,
            schedules: SCHEDULES,
            seed: SEED,
            json,
            save,
        }
    }
}

/// Checks each pipeline.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    // All pipelines are read before the first one is checked, so that bad input is reported at once.
    let pipelines = load::pipelines(&arguments.pipelines.pipelines)?;
    arguments.save.as_deref().map_or(Ok(()), output::check_directory)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut outcome = Outcome::Kept;
    for (index, pipeline) in pipelines.iter().enumerate() {
        let (verified, took) = verified(pipeline, arguments, threads, &interrupt)?;
        outcome = outcome.and(Outcome::of(pipeline, verified.claims(pipeline), &verified.verdicts()));
        outcome = outcome.and(Outcome::kept(verified.disagreements().is_empty()));
        let gap = if index > 0 && !arguments.json { "\n" } else { "" };
        let told = match arguments.json {
            true => format!("{}\n", in_json(pipeline, &verified, took)),
            false => {
                let took = format!("took {:.1} s on {}", took.as_secs_f64(), report::count(threads as u64, "thread"));
                in_words(pipeline, &verified, &took, arguments, terminal::ink())
            }
        };
        let show = if arguments.json { terminal::print } else { terminal::tell };
        show(&format!("{gap}{told}"));
        if let Some(directory) = &arguments.save {
            for broken in &verified.broken {
                let path = render::save(directory, broken.property, &broken.schedule)?;
                eprintln!("written: {}", path.display());
            }
        }
        if interrupt.is_raised() {
            eprintln!("stopped: {} of {} pipelines were checked, the last one in part", index + 1, pipelines.len());
            return Ok(Outcome::Interrupted);
        }
    }
    Ok(outcome)
}

/// The result of checking a pipeline, and the time that it took.
fn verified(
    pipeline: &Pipeline,
    arguments: &Arguments,
    threads: usize,
    interrupt: &terminal::Interrupt,
) -> anyhow::Result<(Verified, Duration)> {
    let bounds = Bounds {
        limits: Limits {
            messages: arguments.messages,
            threads,
            states_max: arguments.states,
            reduced: !arguments.all_orders,
        },
        whole_runs: !arguments.safety,
        schedules: arguments.schedules,
        seed: arguments.seed,
    };
    let spinner = terminal::spinner(&pipeline.name);
    let watcher = Watcher {
        model: &|progress| {
            spinner.set_message(format!(
                "{}: model, {}",
                pipeline.name,
                report::count(progress.states as u64, "state")
            ));
            spinner.tick();
            !interrupt.is_raised()
        },
        campaign: &mut |progress| {
            spinner.set_message(format!(
                "{}: simulation, {} of {}",
                pipeline.name,
                report::grouped(progress.runs.into()),
                report::count(progress.of.into(), "run")
            ));
            spinner.tick();
            !interrupt.is_raised()
        },
    };
    let verified = verify(pipeline, bounds, watcher);
    let took = spinner.elapsed();
    spinner.finish_and_clear();
    Ok((verified?, took))
}

fn in_words(pipeline: &Pipeline, verified: &Verified, took: &str, arguments: &Arguments, ink: Ink) -> String {
    let mut out = title(pipeline, verified, ink);
    let mut titles = vec!["world"];
    titles.extend(Semantics::ALL.map(Semantics::word));
    let mut table = report::table(&titles);
    for (world, verdicts) in [("model", &verified.model.verdicts), ("simulation", &verified.simulated)] {
        let mut row = vec![world.to_owned()];
        let dead = verified.model.dead_letter.is_some();
        row.extend(Semantics::ALL.map(|semantics| report::resting(verdicts.of(semantics), semantics, dead, ink)));
        table.add_row(row);
    }
    out += &report::lines(&table);
    out += &format!("model: {}\n", model_bounds(pipeline, verified, arguments));
    out += &format!("simulation: {}\n", simulation_bounds(pipeline, verified));
    out += &whole_runs(verified, arguments, ink);
    out += &agreement(verified, ink);
    out += &format!("{took}\n");
    for bound in &verified.model.bounds_exceeded {
        out += &format!("{}: {bound}\n", ink.unsure("not searched in full"));
    }
    out += &never_struck(verified);
    out + &stories(pipeline, verified, arguments.messages, ink)
}

/// The faults that did not strike in the model, and what that says. Of a search that saw a part it says little.
fn never_struck(verified: &Verified) -> String {
    let model = &verified.model;
    let faults: Vec<&str> = model.never_fired.iter().map(|fault| fault.word()).collect();
    if faults.is_empty() {
        return String::new();
    }
    let what = match model.completeness {
        Completeness::Incomplete(Cut::Stopped) => "the model was interrupted before these could strike",
        _ if !model.is_complete() => "did not strike in the part of the model that was searched",
        _ => "never struck in the model, as the pipeline takes no step at which it could",
    };
    format!("{what}: {}\n", faults.join(", "))
}

/// The first line of the output, such as "orders promises exactly-once (by effect, for acked messages): holds".
fn title(pipeline: &Pipeline, verified: &Verified, ink: Ink) -> String {
    let (level, obligation) = (report::word(pipeline.level), report::word(pipeline.obligation));
    let dead = verified.model.dead_letter.is_some();
    let claims = match (pipeline.promises, pipeline.ordered) {
        (None, false) => {
            let verdicts = verified.verdicts();
            let rests = verdicts.strongest().map_or("", |holds| report::rests(Verdict::Holds, holds, dead));
            return format!(
                "{} promises nothing (by {level}, for {obligation} messages): the strongest that holds is {}\n",
                ink.strong(&pipeline.name),
                ink.strong(&format!("{}{rests}", verdicts.strongest_word()))
            );
        }
        (None, true) => "order".to_owned(),
        (Some(promise), false) => promise.word().to_owned(),
        (Some(promise), true) => format!("{} in order", promise.word()),
    };
    let claimed = verified.claims(pipeline);
    let rests = pipeline.promises.map_or("", |promise| report::rests(claimed, promise, dead));
    let verdict = report::painted(claimed, ink) + rests;
    format!("{} promises {claims} (by {level}, for {obligation} messages): {verdict}\n", ink.strong(&pipeline.name))
}

/// The story in which a message becomes a dead letter.
fn set_aside(pipeline: &Pipeline, verified: &Verified, ink: Ink) -> Option<String> {
    let Violation { message, messages, steps, .. } = verified.model.dead_letter.as_ref()?;
    let which = message.map_or_else(String::new, |message| format!(" {message}"));
    Some(format!(
        "\n{} without being handled, which does not count as a loss: message{which} is one of them; the shortest story, {} in {}:\n{}",
        ink.unsure("messages may end as dead letters"),
        report::count(u64::from(*messages), "message"),
        report::count(steps.len() as u64, "step"),
        Run { pipeline, messages: *messages, stem: steps, cycle: &[], broken: Broke::Nothing }.told(ink)
    ))
}

fn model_bounds(pipeline: &Pipeline, verified: &Verified, arguments: &Arguments) -> String {
    let model = &verified.model;
    let all = match (model.is_complete(), model.reduced) {
        (true, false) => "all ",
        (true, true) => "all, reduced to ",
        (false, _) => "",
    };
    let states = report::count(model.states as u64, "state");
    let (messages, faults) = (report::count(arguments.messages.into(), "message"), faults(&pipeline.faults));
    match model.is_complete() {
        true => format!("{messages}, {faults}: {all}{states}"),
        false => format!("{messages}, {faults}: {states}, {}", model.completeness),
    }
}

fn simulation_bounds(pipeline: &Pipeline, verified: &Verified) -> String {
    let campaign = &verified.campaign;
    format!(
        "up to {} messages, {}: {}, {} replayed",
        strategy::MESSAGES_MAX,
        faults(&pipeline.faults),
        report::count(campaign.runs.into(), "schedule"),
        report::count_of(verified.replays.len() as u64, "story", "stories"),
    )
}

/// The number of faults in one run at most, such as "2 faults".
fn faults(budget: &FaultBudget) -> String {
    let sum = budget.each.iter().fold(0, |sum: u32, &times| sum.saturating_add(times));
    let most = if budget.total == 0 { sum } else { budget.total.min(sum) };
    match most {
        0 => "no faults".to_owned(),
        most => report::count(most.into(), "fault"),
    }
}

/// The verdicts on whole runs, with what each claim says.
fn whole_runs(verified: &Verified, arguments: &Arguments, ink: Ink) -> String {
    if arguments.safety {
        return format!(
            "whole runs in the model: {}\n",
            ink.unsure("judged only for losses in runs without end, as only safety was asked for")
        );
    }
    let mut table = report::table(&["whole runs", "verdict", "meaning"]);
    for LivenessFinding { claim, verdict, .. } in &verified.liveness {
        table.add_row([claim.word(), &report::painted(*verdict, ink), claim.meaning()]);
    }
    report::lines(&table)
}

fn agreement(verified: &Verified, ink: Ink) -> String {
    if verified.agree() {
        return format!("model and simulation {}\n", ink.good("agree"));
    }
    let disagreements = verified.disagreements().into_iter().map(|it| format!("{}: {it}\n", ink.bad("disagree")));
    let could_not_say = verified.could_not_say().into_iter().map(|it| format!("{}\n", ink.unsure(&it.to_string())));
    disagreements.chain(could_not_say).collect()
}

/// The stories of the broken properties that are wanted.
fn stories(pipeline: &Pipeline, verified: &Verified, messages: u32, ink: Ink) -> String {
    let wanted = render::wanted(pipeline, &verified.rules);
    let in_model = verified.model.violations.iter().filter(|violation| wanted.contains(violation.property));
    let told: PropertySet = in_model.clone().map(|violation| violation.property).collect();
    let only_in_cores = verified.broken.iter().filter(|it| wanted.contains(it.property) && !told.contains(it.property));
    let of_model = in_model.map(|violation| of_model(pipeline, violation, messages, ink));
    let endless = verified.liveness.iter().filter_map(|found| endless(pipeline, found, ink));
    let told = of_model.chain(only_in_cores.map(|broken| of_cores(pipeline, broken, ink))).chain(endless);
    told.chain(set_aside(pipeline, verified, ink)).collect()
}

fn of_model(pipeline: &Pipeline, violation: &Violation, looked_at: u32, ink: Ink) -> String {
    let Violation { property, message, messages, steps, cycle, needs, is_shortest } = violation;
    let ends = match (cycle.is_empty(), needs) {
        (true, None) => String::new(),
        (true, Some(setting)) => format!(", which needs {setting}"),
        (false, _) => " and a loop that is repeated for ever".to_owned(),
    };
    let beyond = match *messages > looked_at {
        true => format!(", beyond the {} of the search", report::count(looked_at.into(), "message")),
        false => String::new(),
    };
    format!(
        "\n{}; {}, {} in {}{ends}{beyond}:\n{}",
        render::broken(*property, *message, ink),
        if *is_shortest { "the shortest story" } else { "a story" },
        report::count(u64::from(*messages), "message"),
        report::count(steps.len() as u64, "step"),
        of_violation(pipeline, violation).told(ink)
    )
}

fn of_violation<'a>(pipeline: &'a Pipeline, violation: &'a Violation) -> Run<'a> {
    let Violation { property, message, messages, steps, cycle, .. } = violation;
    Run { pipeline, messages: *messages, stem: steps, cycle, broken: Broke::One(*property, *message) }
}

/// A run that does not end. It is shown also if the pipeline promises nothing, because a party then waits without end. A run
/// that never pays a debt is shown as the story of the property that it breaks.
fn endless(pipeline: &Pipeline, found: &LivenessFinding, ink: Ink) -> Option<String> {
    let run = found.broken_by.as_ref().filter(|_| found.claim != Claim::Arrives)?;
    Some(format!(
        "\n{}, broken for message {} ({}); a run that does not end:\n{}",
        ink.bad(found.claim.word()),
        run.message,
        found.claim.meaning(),
        render::endless(pipeline, run, ink)
    ))
}

fn of_cores(pipeline: &Pipeline, broken: &Broken, ink: Ink) -> String {
    let messages = broken.schedule.messages;
    format!(
        "\n{} in the simulation only, with {}:\n{}",
        render::broken(broken.property, broken.message, ink),
        report::count(messages.into(), "message"),
        Run::of_cores(pipeline, broken).told(ink)
    )
}

fn in_json(pipeline: &Pipeline, verified: &Verified, took: Duration) -> Value {
    let (model, campaign) = (&verified.model, &verified.campaign);
    let of_model: Vec<Value> = model
        .violations
        .iter()
        .map(|it| {
            let mut told = of_violation(pipeline, it).json(it.property, it.message);
            it.needs.into_iter().for_each(|setting| told["needs"] = setting.into());
            told
        })
        .collect();
    let of_cores: Vec<Value> =
        verified.broken.iter().map(|it| Run::of_cores(pipeline, it).json(it.property, it.message)).collect();
    let disagreements: Vec<String> = verified.disagreements().iter().map(ToString::to_string).collect();
    json!({
        "pipeline": pipeline.name,
        "promises": pipeline.promises,
        "level": pipeline.level,
        "obligation": pipeline.obligation,
        "strongest": verified.verdicts().strongest_word(),
        "or-dead-lettered": model.dead_letter.is_some(),
        "worlds": {
            "model": {
                "verdicts": report::verdicts(&model.verdicts),
                "violations": of_model,
                "dead-letter": model.dead_letter.as_ref().map(|it| json!({ "message": it.message, "steps": it.steps })),
                "complete": model.is_complete(),
                "states": model.states,
                "reduced": model.reduced,
                "depth": model.depth,
                "liveness": verified.liveness.iter().map(liveness).collect::<Vec<_>>(),
                // Nobody knows of a search that saw a part.
                "never-fired": model.is_complete().then_some(&model.never_fired),
                "bounds-exceeded": model.bounds_exceeded,
            },
            "simulation": {
                "verdicts": report::verdicts(&verified.simulated),
                "violations": of_cores,
                "complete": false,
                "schedules": campaign.runs,
                "replayed": verified.replays.len(),
                "steps": campaign.steps,
                "endless": campaign.endless,
            },
        },
        "seconds": took.as_secs_f64(),
        "agree": verified.agree(),
        "disagreements": disagreements,
        "could-not-say": verified.could_not_say().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn liveness(found: &LivenessFinding) -> Value {
    let run = found.broken_by.as_ref();
    json!({
        "claim": found.claim.word(),
        "verdict": found.verdict.word(),
        "message": run.map(|run| run.message),
        "stem": run.map(|run| &run.stem),
        "cycle": run.map(|run| &run.cycle),
    })
}
