//! SPIN on the same protocol: the Promela twin in `benches/spin`, searched by the verifier that SPIN writes in C.
//!
//! SPIN watches nothing but that no message is lost, so it is compared with a walk over the protocol where nothing is
//! watched; both must have the same number of states. Neither search leaves orders of steps out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A verifier that was built for one number of messages and of faults.
pub struct Verifier {
    /// Holds the verifier; removed with it.
    place: tempfile::TempDir,
}

/// What is missing on this machine.
#[derive(Debug)]
pub struct Missing(pub &'static str);

impl Verifier {
    /// Lets SPIN write the verifier, and builds it.
    pub fn new(messages: u32, faults: u32) -> Result<Self, Missing> {
        let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok();
        for tool in ["spin", "gcc"] {
            if !is_there(tool) {
                return Err(Missing(tool));
            }
        }
        let twin = Path::new(env!("CARGO_MANIFEST_DIR")).join("spin/exactly_once.pml");
        let verifier = Verifier { place: tempfile::tempdir().expect("a directory") };
        let defined = [format!("-DMESSAGES={messages}"), format!("-DFAULTS={faults}")];
        verifier.run(Command::new("spin").args(defined).arg("-a").arg(twin));
        // One process: there is no order of processes to reduce.
        verifier.run(Command::new("gcc").args(["-O2", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"]));
        Ok(verifier)
    }

    /// Searches all states, and returns their number and the time that it took.
    pub fn search(&self) -> (usize, Duration) {
        let mut told = Vec::new();
        let took =
            delivery_benches::time(|| told = self.run(Command::new(self.pan()).args(["-m1000000", "-w22"])).stdout);
        let told = String::from_utf8_lossy(&told);
        let errors = number_behind(&told, "errors: ");
        assert_eq!(errors, Some(0), "SPIN found a run that loses a message, or did not finish:\n{told}");
        let states = told.lines().find(|line| line.contains("states, stored"));
        let states = states.and_then(|line| line.split_whitespace().next()?.parse().ok());
        (states.expect("SPIN says how many states it stored"), took)
    }

    fn pan(&self) -> PathBuf {
        self.place.path().join("pan")
    }

    fn run(&self, command: &mut Command) -> Output {
        let ended = command.current_dir(self.place.path()).output().expect("it is there");
        assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
        ended
    }
}

/// The number that stands behind these words.
fn number_behind(text: &str, words: &str) -> Option<usize> {
    let (_, rest) = text.split_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}
