//! `delivery audit`: real brokers on this machine under faults, and what the judge says of what they did.

mod documents;
mod shrunk;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use delivery_audit::address::Address;
use delivery_audit::campaign::{Campaign, Extent, Sums};
use delivery_audit::faults::{self, Fault};
use delivery_audit::findings::Finding;
use delivery_audit::place::{self, Run};
use delivery_audit::plan::{Load, Patience};
use delivery_audit::product::{Missing, Product, Setting, Trouble};
use delivery_audit::results::Row;
use delivery_audit::user_server::UserServer;
use delivery_audit::workers::{self, Shared};
use delivery_audit::{products, scheduled};
use delivery_model::numbers::{count, grouped};
use delivery_model::schedule::Schedule;
use delivery_model::story::Ink;

use self::documents::Documents;
use super::{Outcome, load, output, report, terminal};

/// What to audit, and how much of it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Products, or one of a product's settings as PRODUCT/SETTING [default: all that are installed, with their usual
    /// settings]
    #[arg(value_name = "PRODUCT")]
    products: Vec<String>,
    /// The kinds of fault; `wire` stands for all on the wire [default: all that are possible here, and of those on the wire
    /// publish-ack-lost and settle-ack-lost; with --server all]
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    faults: Vec<String>,
    /// The server to audit, which runs already: one product, faults on the wire and crashes of clients only. PRODUCT/SETTING
    /// names what clients decide, such as mosquitto/qos2
    #[arg(long, value_name = "ADDR")]
    server: Option<String>,
    /// The number of rounds for each setting, fault and load, each with a new broker
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// The number of messages in a round
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(20..=100_000))]
    messages: u64,
    /// The number of settings, faults and loads at work at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// The directory for the histories of rounds with findings; `delivery judge` tells their stories
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Run the faults and messages of this schedule (JSON) in every round. --faults says which faults stand for its crash of a
    /// broker (kill, power), else for its first fault
    #[arg(long, value_name = "FILE", conflicts_with = "messages")]
    schedule: Option<PathBuf>,
    /// The loads: whether the consumer keeps up with the producer, or lags half of the messages behind [default: both]
    #[arg(long, value_name = "LOAD", value_delimiter = ',', value_parser = load_of)]
    loads: Vec<Load>,
    /// Make the first broken round of each setting, fault and load smaller; DIR gets its history, and its schedule
    #[arg(long, requires = "record")]
    shrink: bool,
    /// The file for a page with the figures, the vendors' claims, and pictures of what --shrink found
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The file for the same as a Markdown document
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Run nothing: take the figures and histories that an earlier --record left in this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["products", "faults", "server", "rounds", "messages", "jobs", "record", "schedule", "loads", "shrink", "json"])]
    from: Option<PathBuf>,
    /// Print one JSON object for each setting, fault and load instead of tables
    #[arg(long)]
    json: bool,
}

/// A product with the settings that are wanted of it.
type Wanted = (&'static dyn Product, Vec<&'static Setting>);

/// Audits products.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let documents = Documents { html: arguments.html.as_deref(), ledger: arguments.ledger.as_deref() };
    documents.check()?;
    if let Some(directory) = &arguments.from {
        return documents.of_directory(directory);
    }
    let wanted = wanted(&arguments.products, arguments.server.is_some())?;
    let server = arguments.server.as_deref().map(|text| server(text, &wanted)).transpose()?;
    let mut faults = wanted_faults(&arguments.faults, server.is_some())?;
    let schedule = match &arguments.schedule {
        None => None,
        Some(path) => {
            let named = || path.display().to_string();
            let schedule = Schedule::from_json(&load::text(path, load::SCHEDULE)?).with_context(named)?;
            faults = scheduled::ways(&schedule, &faults, !arguments.faults.is_empty()).with_context(named)?;
            Some(schedule)
        }
    };
    if let Some(directory) = &arguments.record {
        output::check_directory(directory)?;
        std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    let mut left_out = Vec::new();
    if server.is_some() {
        leave_the_server_alone(&mut faults, !arguments.faults.is_empty() || schedule.is_some(), &mut left_out)?;
    }
    let mut installed = Vec::new();
    for (product, settings) in wanted {
        match version(product, settings[0], server.as_deref())? {
            Ok(version) => installed.push((product, settings, version)),
            Err(missing) => left_out.push(format!("product {}: {missing}", product.name())),
        }
    }
    if arguments.products.is_empty() && server.is_none() {
        for (product, settings, _) in &mut installed {
            settings.retain(|setting| {
                let is_usual = product.is_usual(setting);
                if !is_usual {
                    left_out.push(format!("setting {0}/{1}: name it to audit it", product.name(), setting.name));
                }
                is_usual
            });
        }
    }
    let interrupt = terminal::Interrupt::install_for_servers()?;
    let (run, cleaned) = Run::begin(&place::base())?;
    for directory in cleaned {
        eprintln!("cleaned up after an audit that was killed: {}", directory.display());
    }
    for fault in std::mem::take(&mut faults) {
        match fault.possible(&run.directory()?) {
            Ok(()) => faults.push(fault),
            Err(why) => left_out.push(format!("fault {}: {why}", fault.name())),
        }
    }
    for (product, settings, version) in installed.iter_mut().filter(|_| server.is_none()) {
        settings.retain(|setting| match product.supports(setting) {
            Ok(()) => true,
            Err(why) => {
                left_out.push(format!("setting {} of {} {version}: {why}", setting.name, product.name()));
                false
            }
        });
    }
    // A fault that means nothing for a product is not missing, unless nothing else is left.
    let named_is_missing = server.is_none() && !arguments.products.is_empty() && !left_out.is_empty();
    let loads = if arguments.loads.is_empty() { Load::ALL.to_vec() } else { arguments.loads.clone() };
    let campaigns = campaigns(&installed, &faults, &loads, server.as_ref(), &mut left_out);
    let bar = terminal::bar(campaigns.len() as u64 * arguments.rounds, "rounds");
    let extent = Extent {
        rounds: arguments.rounds,
        messages: schedule.as_ref().map_or(arguments.messages, |it| it.messages.into()),
        patience: Patience::LOCAL,
        record: arguments.record.clone(),
        schedule,
    };
    let mut rows = Vec::new();
    let (campaigns, versions): (Vec<Campaign>, Vec<String>) = campaigns.into_iter().unzip();
    let flag = interrupt.flag();
    let shared = Shared { extent: &extent, run: &run, interrupt: &flag, done: &|| bar.inc(1) };
    let one_at_a_time = server.is_some() && campaigns.iter().any(|campaign| campaign.product.has_one_queue());
    let jobs = if one_at_a_time { 1 } else { usize::from(arguments.jobs) };
    workers::run_all(&campaigns, jobs, shared, &mut |number, sums| {
        if interrupt.is_raised() {
            // What was run in part says nothing.
            return;
        }
        let row = Row { campaign: campaigns[number].clone(), version: versions[number].clone(), sums };
        if arguments.json {
            terminal::print(&format!("{}\n", row.in_json(&extent)));
        }
        rows.push(row);
    });
    let shrunk = if arguments.shrink { shrunk::all(&rows, &extent, &run, &interrupt, jobs, &bar)? } else { Vec::new() };
    bar.finish_and_clear();
    drop(run);
    for queue in server.iter().flat_map(|server| server.left()) {
        eprintln!("could not be removed: {queue}");
    }
    let claims = documents.of_rows(&rows, &extent, &left_out)?;
    if arguments.json {
        left_out.iter().for_each(|line| eprintln!("left out: {line}"));
    } else {
        let told = in_words(&rows, &extent, &left_out, terminal::ink());
        terminal::tell(&(told + &claims + &shrunk::in_words(&shrunk)));
    }
    if interrupt.is_raised() {
        return Ok(Outcome::Interrupted);
    }
    let nothing = if rows.is_empty() || named_is_missing { Outcome::Unknown } else { Outcome::Kept };
    Ok(rows.iter().map(outcome).fold(nothing, Outcome::and))
}

/// The server that the user started, for exactly one product.
fn server(text: &str, wanted: &[Wanted]) -> anyhow::Result<Arc<UserServer>> {
    let [(product, _)] = wanted else {
        bail!("--server audits one server: name exactly one product, found {}", wanted.len());
    };
    let address = Address::parse(text, product.scheme()).context("--server")?;
    Ok(Arc::new(UserServer::new(address)))
}

/// Keeps the faults that do not strike the server itself. It is an error to name another one.
fn leave_the_server_alone(
    faults: &mut Vec<&'static dyn Fault>,
    are_named: bool,
    left_out: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (strike, spare): (Vec<_>, Vec<_>) = faults.drain(..).partition(|fault| fault.strikes_the_server());
    let names = |faults: &[&dyn Fault]| faults.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(", ");
    if are_named && !strike.is_empty() {
        let known: Vec<_> = faults::ALL.into_iter().filter(|fault| !fault.strikes_the_server()).collect();
        bail!("--server leaves the server alone, so not {}; allowed are {}", names(&strike), names(&known));
    }
    left_out.extend(
        strike.iter().map(|fault| format!("fault {}: it strikes the server, which --server spares", fault.name())),
    );
    *faults = spare;
    Ok(())
}

/// The version of what is audited, or why it is not there. A server of the user that does not answer is an error.
fn version(
    product: &'static dyn Product,
    setting: &Setting,
    server: Option<&UserServer>,
) -> anyhow::Result<Result<String, Missing>> {
    let Some(server) = server else { return Ok(product.version()) };
    let told = server.version(product, setting, Patience::LOCAL).map_err(|trouble| match trouble {
        Trouble::Broken(why) => {
            let why = why.0.lines().collect::<Vec<_>>().join("; ");
            anyhow!("{} at {} does not answer: {why}", product.name(), server.address())
        }
        other => other.into(),
    })?;
    Ok(Ok(told.unwrap_or_else(|| "of an unknown version".to_owned())))
}

/// What the user named; everything, where nothing is named. The settings of a server `as_found` are those of its clients.
fn wanted(words: &[String], as_found: bool) -> anyhow::Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let all: Vec<String> = products::ALL.iter().map(|product| product.name().to_owned()).collect();
    for word in if words.is_empty() { &all } else { words } {
        let (name, setting) = word.split_once('/').map_or((word.as_str(), None), |(name, it)| (name, Some(it)));
        let Some(&product) = products::ALL.iter().find(|product| product.name() == name) else {
            bail!("product {name:?} is unknown; known are {}", all.join(", "));
        };
        let known = if as_found { product.as_found() } else { product.settings() };
        let settings: Vec<&Setting> = known.iter().filter(|it| setting.is_none_or(|name| it.name == name)).collect();
        if settings.is_empty() {
            let is_the_servers = as_found && product.settings().iter().any(|it| Some(it.name) == setting);
            let known: Vec<&str> = known.iter().map(|it| it.name).collect();
            if is_the_servers {
                let (setting, known) = (setting.unwrap_or_default(), known.join(", "));
                bail!("{name}/{setting} is set in the server, which --server takes as it is; allowed are {known}");
            }
            bail!("setting {:?} of {name} is unknown; known are {}", setting.unwrap_or_default(), known.join(", "));
        }
        match wanted.iter_mut().find(|(it, _)| it.name() == name) {
            Some((_, known)) => known.extend(settings),
            None => wanted.push((product, settings)),
        }
    }
    Ok(wanted)
}

fn wanted_faults(words: &[String], all: bool) -> anyhow::Result<Vec<&'static dyn Fault>> {
    let known: BTreeSet<&str> = faults::ALL.iter().map(|fault| fault.name()).chain([faults::WIRE]).collect();
    if let Some(unknown) = words.iter().find(|word| !known.contains(word.as_str())) {
        let known: Vec<&str> = faults::ALL.iter().map(|fault| fault.name()).chain([faults::WIRE]).collect();
        bail!("fault {unknown:?} is unknown; known are {}", known.join(", "));
    }
    let is_named =
        |fault: &dyn Fault, word: &str| word == fault.name() || word == faults::WIRE && fault.on_the_wire().is_some();
    let is_wanted = |fault: &&dyn Fault| match words {
        [] => all || faults::is_usual(*fault),
        words => words.iter().any(|word| is_named(*fault, word)),
    };
    Ok(faults::ALL.into_iter().filter(is_wanted).collect())
}

fn load_of(word: &str) -> Result<Load, String> {
    let known = Load::ALL.map(Load::word).join(", ");
    Load::ALL.into_iter().find(|load| load.word() == word).ok_or_else(|| format!("known are {known}"))
}

fn campaigns(
    installed: &[(&'static dyn Product, Vec<&'static Setting>, String)],
    faults: &[&'static dyn Fault],
    loads: &[Load],
    server: Option<&Arc<UserServer>>,
    left_out: &mut Vec<String>,
) -> Vec<(Campaign, String)> {
    let mut campaigns = Vec::new();
    for (product, settings, version) in installed {
        let possible_for = |fault: &&'static dyn Fault| match fault.possible_for(*product) {
            Ok(()) => true,
            Err(why) => {
                left_out.push(format!("fault {why}"));
                false
            }
        };
        let possible: Vec<_> = faults.iter().copied().filter(possible_for).collect();
        for &setting in settings {
            for &fault in &possible {
                for &load in loads {
                    let campaign = Campaign { product: *product, setting, fault, load, server: server.cloned() };
                    campaigns.push((campaign, version.clone()));
                }
            }
        }
    }
    campaigns
}

fn outcome(row: &Row) -> Outcome {
    let Ok(sums) = &row.sums else { return Outcome::Unknown };
    if sums.first_broken.is_some() {
        Outcome::Broken
    } else if sums.rounds_with(Finding::NotAtRest) > 0 || sums.not_struck > 0 {
        Outcome::Unknown
    } else {
        Outcome::Kept
    }
}

/// The tables, one a product: a line for each setting and fault, with the figures of both loads.
fn in_words(rows: &[Row], extent: &Extent, left_out: &[String], ink: Ink) -> String {
    let loads: BTreeSet<&str> = rows.iter().map(|row| row.campaign.load.word()).collect();
    let under = match (loads.len(), loads.first()) {
        (1, Some(&"lags")) => "The consumer lags half of the messages behind.\n",
        (1, _) => "The consumer keeps up with the producer.\n",
        _ => {
            "Of two figures, in the first the consumer keeps up with the producer,\n\
             in the second it lags half of the messages behind.\n"
        }
    };
    let mut out = format!(
        "{} in each of {} a figure.\n{under}\
         lost: acked, and never delivered. again: delivered after a confirmed settle.\n\
         unmarked: again, and not marked as a redelivery.\n\
         repeated: stored more than once, and delivered so.\n",
        count(extent.messages, "message"),
        count(extent.rounds, "round"),
    );
    for of_product in rows.chunk_by(|a, b| a.campaign.product.name() == b.campaign.product.name()) {
        let first = &of_product[0];
        let at = first.campaign.server.as_ref().map_or(String::new(), |server| format!(" at {}", server.address()));
        out += &format!("\n{} {}{at}\n\n", ink.strong(first.campaign.product.name()), first.version);
        let titles = ["setting", "fault", "lost", "again", "unmarked", "repeated", "notes"];
        let mut table = report::table(&titles);
        let same_cell = |a: &Row, b: &Row| {
            (a.campaign.setting, a.campaign.fault.name()) == (b.campaign.setting, b.campaign.fault.name())
        };
        let mut last = "";
        for loads in of_product.chunk_by(same_cell) {
            let Campaign { setting, fault, .. } = loads[0].campaign;
            let name = if setting.name == last { "" } else { setting.name };
            last = setting.name;
            let figure = |figure: fn(&Sums) -> u64| -> String {
                let told =
                    loads.iter().map(|row| row.sums.as_ref().map_or("?".to_owned(), |it| painted(figure(it), ink)));
                told.collect::<Vec<_>>().join(" / ")
            };
            let [lost, again, unmarked] = [figure(|it| it.lost), figure(|it| it.again), figure(|it| it.again_unmarked)];
            let repeated = figure(|it| it.repeated);
            table.add_row([name.to_owned(), fault.name().to_owned(), lost, again, unmarked, repeated, notes(loads)]);
        }
        out += &report::lines(&table);
        let mut settings: Vec<&Setting> = of_product.iter().map(|row| row.campaign.setting).collect();
        settings.dedup();
        for setting in settings {
            out += &format!("\n{}: {}", setting.name, setting.means);
        }
        out += "\n";
    }
    for line in left_out {
        out += &format!("\n{} {line}", ink.unsure("left out:"));
    }
    if left_out.is_empty() { out } else { out + "\n" }
}

fn painted(figure: u64, ink: Ink) -> String {
    if figure == 0 { grouped(figure) } else { ink.bad(&grouped(figure)) }
}

/// What else was found, with the number of rounds.
fn notes(loads: &[Row]) -> String {
    let mut notes = BTreeSet::new();
    let sums = loads.iter().filter_map(|row| row.sums.as_ref().ok());
    let rounds: u64 = sums.clone().map(|it| it.rounds).sum();
    for (finding, what) in [
        (Finding::RetryStored, "dedup failed"),
        (Finding::QueueForgotten, "queue gone"),
        (Finding::DidNotReturn, "does not come back"),
        (Finding::NotAtRest, "not at rest"),
    ] {
        let found: u64 = sums.clone().map(|it| it.rounds_with(finding)).sum();
        if found > 0 {
            notes.insert(format!("{what} {found}/{rounds}"));
        }
    }
    let not_struck: u64 = sums.map(|it| it.not_struck).sum();
    if not_struck > 0 {
        notes.insert(format!("fault did not strike {not_struck}/{rounds}"));
    }
    notes.extend(loads.iter().filter_map(|row| row.sums.as_ref().err().map(ToString::to_string)));
    notes.into_iter().collect::<Vec<_>>().join("; ")
}
