//! `explore`: the Explorer answers, shows a diagram under a state, and reports an address that is taken.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{delivery, delivery_in, place};

/// A time-out for an answer on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Explorer {
    child: Child,
    address: SocketAddr,
    pub told: Vec<String>,
    /// Its temporary files: it is killed, and cannot remove them itself.
    _temporary: TempDir,
}

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Explorer {
    /// Starts the Explorer on any free port, and reads its first output.
    pub fn start(pipeline: &str) -> Explorer {
        Explorer::start_in(Path::new("."), pipeline)
    }

    fn start_in(place: &Path, pipeline: &str) -> Explorer {
        let mut command = delivery();
        let temporary = tempfile::tempdir().expect("a directory of its own");
        command
            .env("TMPDIR", temporary.path())
            .current_dir(place)
            .args(["explore", pipeline, "--listen", "localhost:0"])
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(Result::unwrap);
        let is_last = |line: &String| line.starts_with("eventually hands-off");
        let mut told = Vec::new();
        for line in lines {
            told.push(line.clone());
            if is_last(&line) {
                break;
            }
        }
        let link = told.iter().find_map(|line| line.strip_prefix("Stateright Explorer: http://"));
        let address = link.and_then(|link| link.split_once('/')?.0.parse().ok()).expect("an address");
        Explorer { child, address, told, _temporary: temporary }
    }

    /// The body of an answer. Asks again until the Explorer listens.
    fn get(&self, path: &str) -> String {
        let began = std::iter::repeat_with(|| TcpStream::connect(self.address));
        let mut stream = began
            .inspect(|tried| {
                if tried.is_err() {
                    std::thread::park_timeout(Duration::from_millis(50))
                }
            })
            .take(1200)
            .find_map(Result::ok)
            .expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() }
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
        whole += &rest[..size];
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

#[test]
fn a_link_leads_to_a_counterexample_with_its_diagram() {
    let explorer = Explorer::start("at-least-once");
    let at = explorer.told.iter().position(|line| line.starts_with("always no-duplicate-effect")).expect("it is told");
    let [broken, link, ..] = &explorer.told[at..] else { panic!("a link below it") };
    assert!(broken.contains("violated"), "{broken}");
    let (page, choices) = link.split_once("/#/steps/").expect("a link into the Explorer");
    assert_eq!(page.trim(), format!("http://{}", explorer.address));
    // The page asks for the states that follow a path of choices, and the last choice is one of those.
    let (path, last) = choices.trim().rsplit_once('/').expect("more than one choice");
    let states: Value = serde_json::from_str(&explorer.get(&format!("/.states/{path}"))).expect("states as JSON");
    let end = &states[last.parse::<usize>().expect("a number")];
    assert!(end["svg"].as_str().expect("a diagram").contains("inventory service"), "{end}");
    assert!(end["state"].as_str().unwrap().contains("broken so far: no-duplicate-effect"), "{end}");
}

#[test]
fn its_page_names_the_pipeline_and_its_settings_wherever_it_is_started() {
    let toml = "name = \"<orders> {{claim}}\"\npromises = \"exactly-once\"\n[consumer]\nremembers = \"nothing\"\n";
    let here = place(&[("orders.toml", toml)]);
    // A user's own folder of this name is not Stateright's business.
    std::fs::create_dir(here.path().join("ui")).unwrap();
    std::fs::write(here.path().join("ui/index.htm"), "the user's own page").unwrap();
    let explorer = Explorer::start_in(here.path(), "orders.toml");
    let page = explorer.get("/");
    assert!(page.contains("<h1>&lt;orders&gt; {{claim}}</h1>"), "{page}");
    assert!(page.contains("promises exactly-once (by effect, for acked messages); 2 messages."), "{page}");
    let is_told = |line: &str| line.starts_with("remembers ") && line.ends_with("= &quot;nothing&quot;");
    assert!(page.lines().any(is_told), "{page}");
    // The script is Stateright's, whatever the page.
    assert!(explorer.get("/app.js").contains("pathSteps"));
}

#[test]
fn it_runs_to_completion_by_itself() {
    let explorer = Explorer::start("at-most-once");
    for _ in 0..600 {
        let status: Value = serde_json::from_str(&explorer.get("/.status")).expect("its status as JSON");
        if status["done"] == true {
            assert_eq!(status["unique_state_count"], 2754);
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("it did not come to an end");
}

#[test]
fn a_busy_port_is_an_error() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().unwrap().to_string();
    let ended = delivery_in(place(&[]).path(), &["explore", "--listen", &address]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{}", ended.err);
    assert!(ended.err.contains(&address) && ended.err.contains("--listen"), "{}", ended.err);
}
