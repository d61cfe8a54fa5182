//! `delivery completions`: completion of the command line, as a script for a shell.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};
use clap_complete::Shell;

use super::{Outcome, terminal};

/// The shell.
#[derive(clap::Args)]
pub struct Arguments {
    /// The shell; for bash, `delivery completions bash > ~/.local/share/bash-completion/completions/delivery`
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments, command: Command) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut with_presets(command), "delivery", &mut script);
    terminal::print(&String::from_utf8(script)?);
    Ok(Outcome::Kept)
}

/// The command, with the presets as the values of what is a file or a preset.
fn with_presets(command: Command) -> Command {
    let names = super::preset_names();
    command.mut_subcommands(|verb| {
        verb.mut_args(|argument: Arg| match argument.get_id().as_str() {
            "pipeline" | "pipelines" => argument.value_parser(PossibleValuesParser::new(names.clone())),
            _ => argument,
        })
    })
}
