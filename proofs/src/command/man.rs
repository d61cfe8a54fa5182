//! `delivery man`: the manual, as pages for `man`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;

use super::{Outcome, output, terminal};

/// Where the pages go.
#[derive(clap::Args)]
pub struct Arguments {
    /// The directory for the pages, one for each verb [default: the main page on standard output]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Writes the pages.
pub fn run(arguments: &Arguments, command: Command) -> anyhow::Result<Outcome> {
    // `man` fills the lines itself.
    let command = command.mut_subcommands(|verb| match super::takes_pipelines(&verb) {
        true => verb.after_help(format!("Presets: {}", super::preset_names().join(", "))),
        false => verb,
    });
    let Some(directory) = &arguments.directory else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        terminal::print(&String::from_utf8(page)?);
        return Ok(Outcome::Kept);
    };
    let named = || directory.display().to_string();
    output::check_directory(directory)?;
    std::fs::create_dir_all(directory).with_context(named)?;
    clap_mangen::generate_to(command, directory).with_context(named)?;
    eprintln!("written: {}", directory.join("delivery*.1").display());
    Ok(Outcome::Kept)
}
