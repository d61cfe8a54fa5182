//! `delivery atlas`: pipelines against every fault and every pair of faults.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::ArgGroup;
use delivery_model::pipeline::Pipeline;
use delivery_model::presets;
use delivery_proofs::atlas::{
    FaultSet, Lookout, Progress, Scope, Surveyed, chart, html, json, markdown, section, stories, survey,
};

use super::{Outcome, load, output, terminal};

/// What to chart, and how to write it.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("form").args(["json", "markdown"]))]
pub struct Arguments {
    /// Pipeline files (TOML) or names of presets [default: every preset]
    #[arg(value_name = "FILE.toml or preset")]
    pipelines: Vec<PathBuf>,
    /// Also write everything, with a sequence diagram of each story, into one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// One JSON object a pipeline, with every story, instead of tables
    #[arg(long)]
    json: bool,
    /// The guarantee table of the README instead of tables
    #[arg(long)]
    markdown: bool,
    /// How many messages are submitted, 1 to 4
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    messages: u32,
}

/// Charts the pipelines.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    let pipelines = chosen(arguments)?;
    arguments.html.as_deref().map_or(Ok(()), output::check_file)?;
    let surveyed = surveyed(&pipelines, arguments, &interrupt)?;
    // A survey that was stopped before it had anything does not replace what an earlier one wrote.
    if let Some(path) = arguments.html.as_ref().filter(|_| !surveyed.pages.is_empty()) {
        fs::write(path, html(&surveyed.pages)).with_context(|| path.display().to_string())?;
    }
    terminal::print(&written(&surveyed, arguments));
    if !surveyed.left_out.is_empty() {
        let (charted, all) = (surveyed.pages.len(), pipelines.len());
        eprintln!("stopped: {charted} of {all} pipelines charted; left out: {}", surveyed.left_out.join(", "));
    }
    Ok(if surveyed.left_out.is_empty() { Outcome::Kept } else { Outcome::Interrupted })
}

fn chosen(arguments: &Arguments) -> anyhow::Result<Vec<Pipeline>> {
    if arguments.pipelines.is_empty() {
        return Ok(presets::ALL.iter().filter_map(|(name, _)| presets::named(name)).collect());
    }
    load::pipelines(&arguments.pipelines)
}

fn surveyed(
    pipelines: &[Pipeline],
    arguments: &Arguments,
    interrupt: &terminal::Interrupt,
) -> anyhow::Result<Surveyed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut course = Scope { messages: arguments.messages, threads, ..Scope::default() };
    if arguments.markdown && arguments.html.is_none() {
        course.faults = FaultSet::usual();
    }
    let bar = terminal::bar(1, "atlas");
    let tell = |position: Progress<'_>| {
        bar.set_length(position.all as u64);
        bar.set_position(position.done as u64);
        bar.set_message(format!("{}, {:.1} M states", position.title, position.states as f64 / 1e6));
    };
    let surveyed = survey(pipelines, course, Lookout { keep_going: &|| !interrupt.is_raised(), tell: &tell });
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
    // Stories are told of pipelines that were named; of all presets they would fill a book. The chart comes last, where
    // the eye is when the output stops.
    let named = !arguments.pipelines.is_empty();
    let stories = |page| if named { stories(page, ink) + "\n" } else { String::new() };
    let sections: String = pages.iter().map(|page| section(page, ink, width) + &stories(page) + "\n").collect();
    let more = if named { "" } else { "\nStories: name a pipeline, or write them all with --html FILE.\n" };
    sections + &chart(pages, ink, width) + more
}
