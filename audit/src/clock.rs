//! The clock: the one place of the audit that reads it. Brokers are real, so time is real.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The time between two looks at the interrupt flag during a wait.
pub const GLANCE: Duration = Duration::from_millis(50);

/// The time between two looks at a state that nobody signals.
const POLL: Duration = Duration::from_millis(5);

/// A point in time by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline this long from now.
    pub fn after(wait: Duration) -> Deadline {
        Deadline(now() + wait)
    }

    /// The time that is left; zero when it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }
}

/// A clock that counts from its start.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Stopwatch {
        Stopwatch(now())
    }

    /// The time since its start.
    pub fn elapsed(self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}

/// The seconds since 1970. With the number of a process it makes a name that no other audit has.
pub fn stamp() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "names on a user's server differ from those of yesterday")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Lets time pass, where passing time is the fault itself. Ends early when the flag is raised.
pub fn pass(time: Duration, stop: &AtomicBool) {
    let end = Deadline::after(time);
    while !end.has_passed() && !stop.load(Ordering::SeqCst) {
        thread::park_timeout(end.left().min(GLANCE));
    }
}

/// Asks again and again until the answer is yes, at most this long. Returns the last answer. For what another process
/// does without telling.
pub fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Deadline::after(limit);
    loop {
        if holds() {
            return true;
        }
        if end.has_passed() {
            return false;
        }
        thread::park_timeout(POLL);
    }
}

#[expect(clippy::disallowed_methods, reason = "an audit of real brokers takes real time")]
fn now() -> Instant {
    Instant::now()
}
