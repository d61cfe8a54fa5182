//! `delivery report`: the figures of the benches as a page and as Markdown.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::Context;
use delivery_model::numbers::count;
use delivery_proofs::figures::{About, Gathered, html, markdown, summary};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::{Outcome, load, output, terminal};

/// What to gather, and where it goes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The directory where criterion left its results [default: $CRITERION_HOME, or criterion in cargo's target directory]
    #[arg(long, value_name = "DIR")]
    criterion: Option<PathBuf>,
    /// Take the figures that an earlier --save wrote into this file (JSON)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["criterion", "save", "command"])]
    from: Option<PathBuf>,
    /// The file that keeps the figures (JSON), for a later --from
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The file for a page with tables and plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The file for the same tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print the goals as Markdown in place of the tables
    #[arg(long)]
    goals: bool,
    /// The command that the documents name as the one that made the figures
    #[arg(long, value_name = "TEXT", default_value = "cargo bench -p delivery-benches")]
    command: String,
}

/// Gathers figures, and writes the documents that are wanted.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let documents = [&arguments.save, &arguments.html, &arguments.markdown];
    documents.into_iter().flatten().try_for_each(|path| output::check_file(path))?;
    let gathered = match &arguments.from {
        Some(path) => {
            let text = load::text(path, load::FIGURES)?;
            Gathered::from_json(&text).map_err(anyhow::Error::msg).with_context(|| load::shown(path))?
        }
        None => Gathered::in_directory(&directory(arguments.criterion.as_deref()), about(&arguments.command))?,
    };
    let texts: [fn(&Gathered) -> String; 3] = [Gathered::to_json, html, markdown];
    for (path, text) in documents.into_iter().zip(texts) {
        if let Some(path) = path {
            std::fs::write(path, text(&gathered)).with_context(|| path.display().to_string())?;
        }
    }
    if arguments.goals {
        terminal::print(&summary(&gathered));
    } else {
        let sheets: Vec<String> = gathered.sheets.iter().map(|sheet| sheet.text(terminal::width())).collect();
        terminal::print(&sheets.join("\n"));
    }
    Ok(Outcome::Kept)
}

/// Where criterion leaves its results.
fn directory(named: Option<&Path>) -> PathBuf {
    let by_variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    named
        .map(Path::to_path_buf)
        .or_else(|| by_variable("CRITERION_HOME"))
        .unwrap_or_else(|| by_variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()).join("criterion"))
}

/// This machine, today.
fn about(command: &str) -> About {
    let memory = MemoryRefreshKind::nothing().with_ram();
    let all = RefreshKind::nothing().with_memory(memory).with_cpu(CpuRefreshKind::nothing());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut machine = vec![count(cores as u64, "core")];
    // What the system does not tell is left out.
    if let Ok(system) = System::new_with_specifics(all) {
        machine.extend(system.cpus().first().map(|it| it.brand().trim().to_owned()).filter(|brand| !brand.is_empty()));
        machine.push(format!("{:.0} GiB", system.total_memory() as f64 / f64::from(1 << 30)));
    }
    let name = System::name().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    machine.push(System::kernel_version().map_or_else(|_| name.clone(), |kernel| format!("{name}, kernel {kernel}")));
    let date = jiff::Timestamp::now().strftime("%F").to_string();
    About { date, machine: machine.join(", "), command: command.to_owned(), versions: versions() }
}

/// The compiler, and what the benches are built of, where this is a checkout of the project.
fn versions() -> Vec<String> {
    let compiler = Command::new("rustc").arg("--version").output().ok();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let crates = std::fs::read_to_string("Cargo.lock").ok().and_then(|lock| crates(&lock.parse().ok()?));
    compiler.into_iter().filter(|text| !text.is_empty()).chain(crates.unwrap_or_default()).collect()
}

/// What the benches depend on and does not come from the workspace itself, with the versions that are locked.
fn crates(lock: &toml::Table) -> Option<Vec<String>> {
    let packages = lock.get("package")?.as_array()?;
    let named = |name: &str| packages.iter().find(|it| it.get("name").and_then(toml::Value::as_str) == Some(name));
    let dependencies = named("delivery-benches")?.get("dependencies")?.as_array()?;
    let version = |dependency: &str| match dependency.split_once(' ') {
        // There are several versions of it.
        Some(_) => Some(dependency.to_owned()),
        // The workspace's own packages have no source.
        None => {
            let package = named(dependency).filter(|package| package.get("source").is_some())?;
            Some(format!("{dependency} {}", package.get("version")?.as_str()?))
        }
    };
    Some(dependencies.iter().filter_map(|dependency| version(dependency.as_str()?)).collect())
}

#[cfg(test)]
mod tests {
    use super::crates;

    #[test]
    fn of_several_versions_the_benches_one_is_named_and_nothing_of_the_workspace() {
        let lock = "[[package]]\nname = \"delivery-benches\"\nversion = \"0.1.0\"\n\
            dependencies = [\"delivery-model\", \"rand 0.9.5\", \"redis\"]\n\
            [[package]]\nname = \"delivery-model\"\nversion = \"0.1.0\"\n\
            [[package]]\nname = \"rand\"\nversion = \"0.9.5\"\nsource = \"registry\"\n\
            [[package]]\nname = \"rand\"\nversion = \"0.10.4\"\nsource = \"registry\"\n\
            [[package]]\nname = \"redis\"\nversion = \"1.8.1\"\nsource = \"registry\"\n";
        let lock = lock.parse().expect("it is TOML");
        assert_eq!(crates(&lock).expect("a lock"), ["rand 0.9.5", "redis 1.8.1"]);
    }
}
