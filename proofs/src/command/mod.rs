//! The verbs, their arguments and their exit codes.

mod address;
mod atlas;
#[cfg(feature = "audit")]
mod audit;
mod bench_report;
mod broker;
mod check;
mod completions;
mod consume;
mod explore;
mod import;
mod judge;
mod load;
mod man;
mod mutants;
mod output;
mod produce;
mod render;
mod replay;
mod report;
mod role;
mod run;
mod simulate;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use delivery_model::pipeline::{Level, Obligation, Pipeline, Semantics};
use delivery_model::presets;
use delivery_model::semantics::{Verdict, Verdicts};

/// The exit code for input that cannot be used.
pub const BAD_INPUT: u8 = 2;
/// The exit code after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Does a message pipeline lose or repeat messages? One definition of the delivery semantics, checked on a model and on
/// running code.
#[derive(Parser)]
#[command(name = "delivery", version)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Check pipelines on the model and on the simulated implementation [default: the three reference pipelines]
    Check(check::Arguments),
    /// Browse a pipeline's states in the Stateright Explorer
    Explore(explore::Arguments),
    /// Run generated fault schedules on the simulated implementation
    Simulate(simulate::Arguments),
    /// Show the story of one schedule
    Replay(replay::Arguments),
    /// Run the implementation for real: threads, TCP, disk
    Run(run::Arguments),
    /// Run the broker as a process of its own
    Broker(broker::Arguments),
    /// Run a producer, the order service, as a process of its own
    Produce(produce::Arguments),
    /// Run the consumer, the inventory service, as a process of its own
    Consume(consume::Arguments),
    /// Judge a recorded history, or the parts of one
    Judge(judge::Arguments),
    /// Turn what others recorded (OpenTelemetry, Jepsen, Kafka's verifiable clients, CSV) into a history
    Import(import::Arguments),
    /// Show which semantics survive which faults, for every preset
    Atlas(atlas::Arguments),
    /// Run real brokers under faults, and judge what they do
    #[cfg(feature = "audit")]
    Audit(audit::Arguments),
    /// Show which property catches each seeded bug
    Mutants(mutants::Arguments),
    /// Gather what the benches measured into one page, or into Markdown
    Report(bench_report::Arguments),
    /// Print a script that completes the command line in a shell
    Completions(completions::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
}

/// The result of a verb, from best to worst: of two results, the worse one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// What is promised or expected holds.
    Kept,
    /// The answer is not known: a bound was met, the run did not come to rest, or the record contradicts itself.
    Unknown,
    /// What is promised or expected is broken.
    Broken,
    /// Ctrl-C ended the verb before there was an answer.
    Interrupted,
}

/// The exit codes, as `--help` and the README list them.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  what is promised or expected holds
    1  it is broken
    2  bad input
    3  unknown: a bound was met, the run did not come to rest, or the record contradicts itself
  130  interrupted";

impl Outcome {
    fn kept(kept: bool) -> Self {
        if kept { Outcome::Kept } else { Outcome::Broken }
    }

    /// The outcome of a pipeline's claims. A pipeline that claims nothing asks for an answer, so "unknown" is not
    /// success.
    fn of(pipeline: &Pipeline, claims: Verdict, verdicts: &Verdicts) -> Self {
        let claims_nothing = pipeline.promises.is_none() && !pipeline.ordered;
        if claims_nothing { Outcome::answered(verdicts) } else { claims.into() }
    }

    /// The outcome where nothing is claimed or expected: whether every verdict is known.
    fn answered(verdicts: &Verdicts) -> Self {
        if verdicts.is_unknown() { Outcome::Unknown } else { Outcome::Kept }
    }

    fn and(self, other: Outcome) -> Self {
        self.max(other)
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds => Outcome::Kept,
            Verdict::Unknown(_) => Outcome::Unknown,
            Verdict::Violated => Outcome::Broken,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Kept => 0,
            Outcome::Broken => 1,
            Outcome::Unknown => 3,
            Outcome::Interrupted => INTERRUPTED,
        })
    }
}

/// The widest help.
const HELP_MAX: usize = 100;

/// The arguments of this process. Where they are none, says why or helps, and ends the process.
pub fn arguments() -> Arguments {
    let columns = terminal::width().min(HELP_MAX);
    let options = textwrap::Options::new(columns).subsequent_indent("       ");
    let codes: Vec<String> = EXIT_CODES.lines().map(|line| textwrap::fill(line, &options)).collect();
    let matches: ArgMatches = command().after_help(codes.join("\n")).term_width(columns).get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line. The verbs that take a pipeline list the presets in their help.
fn command() -> Command {
    Arguments::command().after_help(EXIT_CODES).mut_subcommands(|verb| match takes_pipelines(&verb) {
        true => verb.after_help(format!("Presets:\n{}", listed_presets())),
        false => verb,
    })
}

fn takes_pipelines(verb: &Command) -> bool {
    verb.get_arguments().any(|argument| argument.get_id().as_str().starts_with("pipeline"))
}

fn preset_names() -> Vec<&'static str> {
    presets::ALL.iter().map(|(name, _)| *name).collect()
}

/// The presets in lines that fit 80 columns.
fn listed_presets() -> String {
    let options = textwrap::Options::new(78).initial_indent("  ").subsequent_indent("  ");
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(&preset_names().join(", "), options)
}

/// Runs the verb that the arguments name. An error means bad input.
pub fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    match arguments.verb.unwrap_or_else(|| Verb::Check(check::Arguments::default())) {
        Verb::Check(arguments) => check::run(&arguments),
        Verb::Explore(arguments) => explore::run(&arguments),
        Verb::Simulate(arguments) => simulate::run(&arguments),
        Verb::Replay(arguments) => replay::run(&arguments),
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Broker(arguments) => broker::run(&arguments),
        Verb::Produce(arguments) => produce::run(&arguments),
        Verb::Consume(arguments) => consume::run(&arguments),
        Verb::Judge(arguments) => judge::run(&arguments),
        Verb::Import(arguments) => import::run(&arguments),
        Verb::Atlas(arguments) => atlas::run(&arguments),
        #[cfg(feature = "audit")]
        Verb::Audit(arguments) => audit::run(&arguments),
        Verb::Mutants(arguments) => mutants::run(&arguments),
        Verb::Report(arguments) => bench_report::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments, command()),
        Verb::Man(arguments) => man::run(&arguments, command()),
    }
}

/// The words of `--level`.
#[derive(Clone, Copy, ValueEnum)]
enum LevelWord {
    Delivery,
    Effect,
}

impl From<LevelWord> for Level {
    fn from(word: LevelWord) -> Level {
        match word {
            LevelWord::Delivery => Level::Delivery,
            LevelWord::Effect => Level::Effect,
        }
    }
}

/// The words of `--obligation`.
#[derive(Clone, Copy, ValueEnum)]
enum ObligationWord {
    Acked,
    Submitted,
}

impl From<ObligationWord> for Obligation {
    fn from(word: ObligationWord) -> Obligation {
        match word {
            ObligationWord::Acked => Obligation::Acked,
            ObligationWord::Submitted => Obligation::Submitted,
        }
    }
}

/// The words of `--expect`.
#[derive(Clone, Copy, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "these are the field's words")]
enum SemanticsWord {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

impl From<SemanticsWord> for Semantics {
    fn from(word: SemanticsWord) -> Semantics {
        match word {
            SemanticsWord::AtMostOnce => Semantics::AtMostOnce,
            SemanticsWord::AtLeastOnce => Semantics::AtLeastOnce,
            SemanticsWord::ExactlyOnce => Semantics::ExactlyOnce,
        }
    }
}

/// The pipelines to work on: files or presets.
#[derive(clap::Args, Default)]
struct Pipelines {
    /// Pipeline files (TOML), `-` for standard input, or names of presets
    #[arg(value_name = "FILE.toml or preset")]
    pipelines: Vec<PathBuf>,
}
