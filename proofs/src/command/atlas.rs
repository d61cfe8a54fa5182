//! `delivery atlas`: the semantics of each pipeline under every fault and every pair of faults.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::ArgGroup;
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_proofs::atlas::{
    Callbacks, FaultSet, Progress, Scope, Surveyed, chart, html, json, markdown, section, stories, survey,
};

use super::{Outcome, load, output, terminal};

/// The pipelines to search, and the form of the output.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("form").args(["json", "markdown"]))]
pub struct Arguments {
    /// Pipeline files (TOML), `-` for standard input, or names of presets [default: every preset]
    #[arg(value_name = "FILE.toml or preset")]
    pipelines: Vec<PathBuf>,
    /// Also write all results, with a sequence diagram of each story, into one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one JSON object a pipeline, with every story, instead of tables
    #[arg(long)]
    json: bool,
    /// Print the guarantee table of the README instead of tables
    #[arg(long)]
    markdown: bool,
    /// The number of messages that are submitted, 1 to 4
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    messages: u32,
}

/// Searches the pipelines and writes the results.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    let pipelines = chosen(arguments)?;
    arguments.html.as_deref().map_or(Ok(()), output::check_file)?;
    let surveyed = surveyed(&pipelines, arguments, &interrupt)?;
    // A survey that was stopped before its first page does not replace the file of an earlier one.
    if let Some(path) = arguments.html.as_ref().filter(|_| !surveyed.pages.is_empty()) {
        fs::write(path, html(&surveyed.pages)).with_context(|| path.display().to_string())?;
    }
    let show = if arguments.json || arguments.markdown { terminal::print } else { terminal::tell };
    show(&written(&surveyed, arguments));
    if !surveyed.left_out.is_empty() {
        let (searched, all) = (surveyed.pages.len(), pipelines.len());
        eprintln!("stopped: {searched} of {all} pipelines searched; left out: {}", surveyed.left_out.join(", "));
    }
    Ok(if surveyed.left_out.is_empty() { Outcome::Kept } else { Outcome::Interrupted })
}

fn chosen(arguments: &Arguments) -> anyhow::Result<Vec<Pipeline>> {
    if arguments.pipelines.is_empty() {
        // The table in the README has one row a family.
        let count = if arguments.markdown { presets::FAMILIES } else { presets::ALL.len() };
        return Ok(presets::ALL[..count].iter().filter_map(|(name, _)| presets::named(name)).collect());
    }
    load::pipelines(&arguments.pipelines)
}

fn surveyed(
    pipelines: &[Pipeline],
    arguments: &Arguments,
    interrupt: &terminal::Interrupt,
) -> anyhow::Result<Surveyed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut scope = Scope { messages: arguments.messages, threads, ..Scope::default() };
    if arguments.markdown && arguments.html.is_none() {
        scope.faults = FaultSet::usual();
    }
    let bar = terminal::bar(1, "atlas");
    let progress = |position: Progress<'_>| {
        bar.set_length(position.all as u64);
        bar.set_position(position.done as u64);
        bar.set_message(format!("{}, {:.1} M states", position.title, position.states as f64 / 1e6));
    };
    let surveyed = survey(pipelines, scope, Callbacks { keep_going: &|| !interrupt.is_raised(), progress: &progress });
    bar.finish_and_clear();
    Ok(surveyed?)
}

fn written(surveyed: &Surveyed, arguments: &Arguments) -> String {
    let pages = &surveyed.pages;
    if arguments.json {
        return pages.iter().map(|page| format!("{}\n", json(page))).collect();
    }
    if arguments.markdown {
        return markdown(pages);
    }
    let (ink, width) = (terminal::ink(), terminal::width());
    // Stories are printed only for pipelines that the user named: those of all presets would be too many. The table
    // comes last, because it is then in view when the output stops.
    let named = !arguments.pipelines.is_empty();
    let told = |page| if named { stories(page, ink, width) + "\n" } else { String::new() };
    let sections: String = pages.iter().map(|page| section(page, ink, width) + &told(page) + "\n").collect();
    let more = if named { "" } else { "\nStories: name a pipeline, or write them all with --html FILE.\n" };
    sections + &chart(pages, ink, width) + more
}
