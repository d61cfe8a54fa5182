//! Broker, producers and consumer as processes of their own, started, stopped and killed by a test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use delivery_model::history::{History, ReadOptions};
use delivery_model::semantics::{Judgement, Question, judge};

/// A line that a party printed, or the end of its output, with the number of the party and of its life.
#[derive(Debug)]
pub struct Said {
    pub party: usize,
    pub life: u32,
    pub line: Option<String>,
}

/// A party, with all its lives.
pub struct Party {
    number: usize,
    arguments: Vec<String>,
    directory: PathBuf,
    life: u32,
    child: Option<(Child, JoinHandle<String>)>,
    to_test: Sender<Said>,
}

impl Party {
    /// A party that is not started yet. `arguments` are the verb and its arguments without directory and pipeline.
    pub fn new(number: usize, directory: &Path, arguments: &[&str], to_test: Sender<Said>) -> Party {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Party { number, arguments, directory: directory.to_owned(), life: 0, child: None, to_test }
    }

    /// A started party for each list of arguments, numbered in this order.
    pub fn start_all(directory: &Path, arguments: &[Vec<&str>], to_test: &Sender<Said>) -> Vec<Party> {
        let parties = arguments.iter().enumerate();
        let mut parties: Vec<Party> =
            parties.map(|(number, arguments)| Party::new(number, directory, arguments, to_test.clone())).collect();
        parties.iter_mut().for_each(Party::start);
        parties
    }

    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    pub fn life(&self) -> u32 {
        self.life
    }

    /// Starts the next life.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "one life after another");
        let mut command = Command::new(env!("CARGO_BIN_EXE_delivery"));
        command.args(&self.arguments).arg("--verbose").arg("--directory").arg(&self.directory);
        command.env_remove("DELIVERY_SECRET").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command is built");
        self.life += 1;
        let (party, life, to_test) = (self.number, self.life, self.to_test.clone());
        let out = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok).map(Some);
            // The receiver is gone once the test has seen enough.
            lines.chain([None]).all(|line| to_test.send(Said { party, life, line }).is_ok())
        });
        let mut err = child.stderr.take().expect("piped");
        let err = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = err.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        self.child = Some((child, err));
    }

    /// Kills the process with SIGKILL.
    pub fn kill(&mut self) {
        let (mut child, err) = self.child.take().expect("it was started");
        child.kill().expect("it is not reaped yet");
        let status = child.wait().expect("it is gone");
        let err = err.join().expect("no panic");
        assert!(status.code().is_none_or(|code| code == 0), "{:?} failed before it was killed: {err}", self.arguments);
    }

    /// Asks the process to leave, with SIGINT as Ctrl-C does.
    pub fn interrupt(&self) {
        let (child, _) = self.child.as_ref().expect("it was started");
        let signal = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status();
        assert!(signal.expect("a shell").success());
    }

    /// Waits until the process has come to rest.
    pub fn comes_to_rest(&mut self) {
        let (code, err) = self.wait();
        assert_eq!(code, Some(0), "{err}");
    }

    /// Asks the process to leave, and waits until it has come to rest.
    pub fn leaves(&mut self) {
        self.interrupt();
        self.comes_to_rest();
    }

    /// Waits for the end of the process. Returns its exit code and its standard error.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let (mut child, err) = self.child.take().expect("it was started");
        let status = child.wait().expect("it ends");
        (status.code(), err.join().expect("no panic"))
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A free port, another one at each call. It is below the ports that the system gives to outgoing connections, so
/// that no connection takes it while a party is down.
pub fn free_port() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16 + ASKED.fetch_add(100, Ordering::Relaxed);
    let mut ports = (first..32_000).chain(20_000..first);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// The history that the party of this name recorded.
pub fn part(directory: &Path, name: &str) -> History {
    let file = std::fs::File::open(directory.join(format!("{name}.jsonl"))).expect("a part");
    History::read(BufReader::new(file), ReadOptions::default()).expect("a whole history")
}

/// The judgement of the joined parts in this directory.
pub fn judged(directory: &Path, parts: &[&str]) -> Judgement {
    let parts: Vec<History> = parts.iter().map(|name| part(directory, name)).collect();
    judge(&History::join(&parts).expect("parts of one history"), Question::default())
}
