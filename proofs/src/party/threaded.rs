//! A party that runs on threads of its own, behind channels.
//!
//! The suite feeds an input and waits until the party says that it is idle: everything that the input caused is done, and
//! said. Nothing sleeps, and no answer depends on how fast a thread is. What several threads of the party do between two
//! idles is theirs to order; run such a party often, or under loom, to see more than one order.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Party;

/// The inputs of the party's thread. When the channel closes, the thread crashes: it ends without another output, and returns
/// its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<I> {
    /// An input arrived at this time.
    Input(Duration, I),
    /// Its deadline has come: it is this late.
    Timeout(Duration),
}

/// What the party's thread says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<O> {
    /// An output.
    Output(O),
    /// All inputs so far are handled. The thread sends this once after its start, and once after each input.
    Idle {
        /// Its next deadline, if no input comes before.
        wakes: Option<Duration>,
    },
}

/// A party on a thread, as the suite drives it.
pub struct Threaded<I, O, D> {
    told: Sender<Told<I>>,
    said: Receiver<Said<O>>,
    thread: JoinHandle<D>,
    outputs: VecDeque<O>,
    wakes: Option<Duration>,
}

impl<I: Send + 'static, O: Send + 'static, D: Send + 'static> Threaded<I, O, D> {
    /// Starts the party's first thread, and waits until it is idle.
    ///
    /// # Panics
    /// If it ends before that.
    pub fn spawn(body: impl FnOnce(Receiver<Told<I>>, Sender<Said<O>>) -> D + Send + 'static) -> Self {
        let (told, inputs) = channel();
        let (outputs, said) = channel();
        let thread = std::thread::spawn(move || body(inputs, outputs));
        let mut party = Threaded { told, said, thread, outputs: VecDeque::new(), wakes: None };
        party.wait();
        party
    }

    fn tell(&mut self, told: Told<I>) {
        self.told.send(told).expect("the party's thread runs until it crashes");
        self.wait();
    }

    fn wait(&mut self) {
        loop {
            match self.said.recv().expect("the party's thread says when it is idle") {
                Said::Output(output) => self.outputs.push_back(output),
                Said::Idle { wakes } => {
                    self.wakes = wakes;
                    return;
                }
            }
        }
    }
}

impl<I: Send + 'static, O: Send + 'static, D: Default + Send + 'static> Party for Threaded<I, O, D> {
    type Input = I;
    type Output = O;
    type Disk = D;

    fn handle_input(&mut self, now: Duration, input: I) {
        self.tell(Told::Input(now, input));
    }

    fn poll_output(&mut self) -> Option<O> {
        self.outputs.pop_front()
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.tell(Told::Timeout(now));
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.wakes
    }

    fn crash(self) -> D {
        drop(self.told);
        self.thread.join().expect("a crash is an end, not a panic")
    }
}
