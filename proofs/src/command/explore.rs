//! `delivery explore`: the Stateright Explorer on a pipeline, with a link to each counterexample.
//!
//! The page is ours: it names the pipeline and its settings, and numbers the steps of a path as the diagram does. Its script
//! and its data are Stateright's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use delivery_model::check::graph::{Expects, Progress, Verdict, Walk};
use delivery_model::check::{Claim, Limits, Protocol, liveness};
use delivery_model::pipeline::Pipeline;
use delivery_model::story::escaped;
use delivery_proofs::theme::THEME;
use stateright::Model;

use super::address::address;
use super::{Outcome, load, report, terminal};

/// The Explorer's page, with places for what is the pipeline's.
const PAGE: &str = include_str!("explorer.html");
/// The number of times that the Explorer is asked whether it has started.
const TRIES_MAX: u32 = 100;
const TRY_EVERY: Duration = Duration::from_millis(100);
/// The longest time between two looks at the interrupt flag.
const POLL_MAX: Duration = Duration::from_millis(50);

/// The pipeline to browse, and the address of the Explorer.
#[derive(clap::Args)]
pub struct Arguments {
    /// Pipeline file (TOML), `-` for standard input, or name of a preset
    #[arg(value_name = "FILE.toml or preset", default_value = "exactly-once")]
    pipeline: PathBuf,
    /// The address to listen on; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_parser = address)]
    listen: SocketAddr,
    /// The number of messages that are submitted, 1 to 4
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    messages: u32,
}

/// Runs the Explorer until Ctrl-C.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let interrupt = terminal::Interrupt::install()?;
    let pipeline = load::pipeline(&arguments.pipeline)?;
    let protocol = Protocol::new(&pipeline, arguments.messages)?;
    let reserved = reserve(arguments.listen)?;
    let address = reserved.local_addr()?;
    let discoveries = discoveries(&pipeline, &protocol, (address, arguments.messages), &interrupt)?;
    if interrupt.is_raised() {
        eprintln!("stopped before the Explorer was started");
        return Ok(Outcome::Interrupted);
    }
    let _served = serve_page(&page(&pipeline, arguments.messages))?;
    // Who follows a printed link meets Stateright, or is refused until it listens.
    drop(reserved);
    terminal::tell(&discoveries);
    std::thread::spawn(move || {
        if let Err(error) = run_to_completion(address) {
            eprintln!("the Explorer did not start its search by itself ({error}); press its button");
        }
    });
    // The server blocks for ever, so it has a thread of its own, which ends with the process.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let server = std::thread::spawn(move || drop(protocol.checker().threads(threads).serve(address)));
    while !interrupt.is_raised() && !server.is_finished() {
        std::thread::park_timeout(POLL_MAX);
    }
    if server.is_finished() {
        bail!("the Explorer on {address} has ended by itself");
    }
    eprintln!("stopped: the Explorer is closed");
    Ok(Outcome::Interrupted)
}

/// The page, with the pipeline in it.
fn page(pipeline: &Pipeline, messages: u32) -> String {
    let claim = match pipeline.promises {
        Some(promise) => format!("promises {promise}"),
        None => "promises nothing".to_owned(),
    };
    let claim = format!("{claim} (by {}, for {} messages)", pipeline.level, pipeline.obligation);
    let parts = [
        ("{{theme}}", THEME.to_owned()),
        ("{{name}}", pipeline.name.clone()),
        ("{{claim}}", claim),
        ("{{messages}}", report::count(messages.into(), "message")),
        ("{{settings}}", pipeline.to_toml()),
    ];
    // From left to right, so that what the user wrote is not searched: it may hold the name of a place.
    let mut out = String::new();
    let mut rest = PAGE;
    while let Some((at, (placeholder, text))) =
        parts.iter().filter_map(|part| Some((rest.find(part.0)?, part))).min_by_key(|(at, _)| *at)
    {
        out += &rest[..at];
        out += &escaped(text);
        rest = &rest[at + placeholder.len()..];
    }
    out + rest
}

/// Makes Stateright serve this page: it looks for `ui/index.htm` in the current directory at every request, and takes its
/// own page only if there is none. So the current directory becomes one that has nothing else; no path is read after this.
fn serve_page(page: &str) -> anyhow::Result<tempfile::TempDir> {
    let place = terminal::temporary()?;
    let write = || {
        std::fs::create_dir(place.path().join("ui"))?;
        std::fs::write(place.path().join("ui/index.htm"), page)?;
        std::env::set_current_dir(place.path())
    };
    write().with_context(|| format!("cannot write the Explorer's page below {}", place.path().display()))?;
    Ok(place)
}

/// Takes the address until Stateright does, which would panic on a busy one. Port 0 becomes a free port.
fn reserve(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; another address can be given with --listen"))
}

/// The links to the shortest path to each broken property and to each fault, found by the graph checker on the same
/// model.
fn discoveries(
    pipeline: &Pipeline,
    protocol: &Protocol,
    (address, messages): (SocketAddr, u32),
    interrupt: &terminal::Interrupt,
) -> anyhow::Result<String> {
    let ink = terminal::ink();
    let limits = Limits { messages, ..Limits::default() };
    let spinner = terminal::spinner(&pipeline.name);
    let goes_on = |progress: &Progress| {
        let states = report::count(progress.states as u64, "state");
        spinner.set_message(format!("{}: {states}", pipeline.name));
        spinner.tick();
        !interrupt.is_raised()
    };
    let exploration = Walk::new(protocol).threads(2).keep_going(goes_on).run();
    let mut out = format!(
        "{}: {} within {}, {}\nStateright Explorer: http://{address}/ (Ctrl-C ends it)\n\n",
        ink.strong(&pipeline.name),
        report::count(exploration.graph.len() as u64, "state"),
        report::count(messages.into(), "message"),
        exploration.completeness,
    );
    // A link is longer than a column of a table may be, so it has a line of its own.
    let mut tell = |claim: String, verdict: String, place: Option<String>| {
        let link = place.map_or_else(String::new, |place| format!("  http://{address}/{place}\n"));
        out += &format!("{claim}: {verdict}\n{link}");
    };
    for finding in &exploration.findings {
        let place = finding.decided_by.map(|state| {
            let path = exploration.graph.path_to(protocol, state);
            path.explorer_link().expect("a path from the walk starts in an initial state")
        });
        let (claim, verdict) = match (finding.check.expects, finding.verdict) {
            (Expects::Always, Verdict::Holds) => ("always", ink.good("holds")),
            (Expects::Always, Verdict::Violated) => ("always", ink.bad("violated") + ", by this path"),
            (Expects::Sometimes, Verdict::Holds) => ("sometimes", "reached by this path".to_owned()),
            (Expects::Sometimes, Verdict::Violated) => ("sometimes", ink.bad("never reached")),
            (_, Verdict::Unknown) => ("", ink.unsure("unknown")),
        };
        tell(format!("{claim} {}", finding.check.name), verdict, place);
    }
    for found in liveness(pipeline, Claim::of(pipeline), limits, &goes_on)? {
        let stem = found.broken_by.as_ref().and_then(|run| protocol.explorer_link(&run.stem));
        let then = if stem.is_some() { ", after this path and then without end" } else { "" };
        let claim = format!("eventually {} ({})", found.claim, found.claim.meaning());
        tell(claim, report::painted(found.verdict, ink) + then, stem);
    }
    spinner.finish_and_clear();
    Ok(out)
}

/// Starts the search of Stateright's on-demand checker, which searches nothing until it is asked to.
fn run_to_completion(address: SocketAddr) -> std::io::Result<()> {
    let mut tries = 0;
    let mut stream = loop {
        match TcpStream::connect_timeout(&address, TRY_EVERY) {
            Ok(stream) => break stream,
            Err(error) if tries == TRIES_MAX => return Err(error),
            Err(_) => {
                tries += 1;
                std::thread::park_timeout(TRY_EVERY);
            }
        }
    };
    write!(
        stream,
        "POST /.runtocompletion HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
