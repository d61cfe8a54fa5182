//! A like scenario over turmoil: producer, broker and consumer as async tasks on a simulated network, with retries, a broker
//! that recognises them and an inbox, so that each message ends with one effect.
//!
//! Ten messages under three faults: links that lose what is sent (partition and repair), and crashes of the broker and of the
//! consumer, each at a moment drawn from the seed. What a crash keeps is each host's disk.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::time::sleep;
use turmoil::net::UdpSocket;
use turmoil::{Builder, Result, Sim};

/// The messages of a run.
pub const MESSAGES: u64 = 10;
/// The faults of a run.
pub const FAULTS: usize = 3;

const PORT: u16 = 9_000;
/// The simulated time of a step of turmoil: the longest for which a retry still comes several steps after its attempt.
const TICK: Duration = Duration::from_millis(10);
/// How long an answer is waited for.
const RETRY: Duration = Duration::from_millis(100);
/// The moments at which faults strike, in ticks. A run without faults takes about as many.
const STRIKES_BELOW: u64 = 40;
/// How long a fault lasts, in ticks.
const LASTS: u64 = 15;
/// No run needs as many.
const TICKS_MAX: u64 = 10_000;

/// What hosts say to each other: one byte for the kind, and the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Say {
    Publish = 1,
    Ack,
    Deliver,
    Settle,
}

impl Say {
    fn datagram(self, message: u64) -> [u8; 9] {
        let mut bytes = [self as u8; 9];
        bytes[1..].copy_from_slice(&message.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<(Say, u64)> {
        let (&kind, message) = bytes.split_first()?;
        let message = u64::from_le_bytes(message.try_into().ok()?);
        let all = [Say::Publish, Say::Ack, Say::Deliver, Say::Settle];
        all.into_iter().find(|it| *it as u8 == kind).map(|it| (it, message))
    }
}

/// What survives crashes.
#[derive(Default)]
struct Disks {
    /// The producer's messages that are not confirmed yet.
    outbox: BTreeSet<u64>,
    log: BTreeSet<u64>,
    settled: BTreeSet<u64>,
    /// The messages that the consumer has handled.
    inbox: BTreeSet<u64>,
    /// How many effects it has made of each message, in one transaction with its inbox.
    effects: BTreeMap<u64, u32>,
}

type Shared = Rc<RefCell<Disks>>;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The messages with one effect.
    pub once: u64,
    /// The messages with any other number of effects, or that are not settled.
    pub otherwise: u64,
    /// The faults that struck.
    pub struck: usize,
}

/// What goes wrong, and when it began.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Cut(&'static str, &'static str),
    Down(&'static str),
}

impl Trouble {
    fn drawn(choice: &mut ChaCha8Rng) -> Trouble {
        match choice.next_u32() % 4 {
            0 => Trouble::Cut("producer", "broker"),
            1 => Trouble::Cut("broker", "consumer"),
            2 => Trouble::Down("broker"),
            _ => Trouble::Down("consumer"),
        }
    }

    fn begin(self, sim: &mut Sim<'_>) {
        match self {
            Trouble::Cut(one, other) => sim.partition(one, other),
            Trouble::Down(host) => sim.crash(host),
        }
    }

    fn end(self, sim: &mut Sim<'_>) {
        match self {
            Trouble::Cut(one, other) => sim.repair(one, other),
            Trouble::Down(host) => sim.bounce(host),
        }
    }
}

/// One run, whose choices come from the seed.
pub fn run(seed: u64) -> Ended {
    let mut choice = ChaCha8Rng::seed_from_u64(seed);
    let disks = Shared::default();
    disks.borrow_mut().outbox.extend(1..=MESSAGES);
    let mut sim = Builder::new()
        .tick_duration(TICK)
        .simulation_duration(TICK * TICKS_MAX as u32)
        .min_message_latency(TICK)
        .max_message_latency(3 * TICK)
        .enable_random_order()
        .rng_seed(seed)
        .build();
    host(&mut sim, "producer", &disks, producer);
    host(&mut sim, "broker", &disks, broker);
    host(&mut sim, "consumer", &disks, consumer);
    // One after the other, so that none strikes a host that is down already.
    let mut due = choice.next_u64() % STRIKES_BELOW;
    let (mut left, mut current, mut struck) = (FAULTS, None, 0);
    for tick in 0..TICKS_MAX {
        if tick == due {
            match current.take() {
                None if left > 0 => {
                    let trouble = Trouble::drawn(&mut choice);
                    trouble.begin(&mut sim);
                    (left, struck, due) = (left - 1, struck + 1, tick + LASTS);
                    current = Some(trouble);
                }
                None => {}
                Some(trouble) => {
                    trouble.end(&mut sim);
                    due = tick + 1 + choice.next_u64() % STRIKES_BELOW;
                }
            }
        }
        sim.step().expect("no host fails");
        if left == 0 && current.is_none() && disks.borrow().settled.len() as u64 == MESSAGES {
            break;
        }
    }
    let disks = disks.borrow();
    let is_once = |message: &u64| disks.effects.get(message) == Some(&1) && disks.settled.contains(message);
    let once = (1..=MESSAGES).filter(is_once).count() as u64;
    Ended { once, otherwise: MESSAGES - once, struck }
}

fn host<F>(sim: &mut Sim<'_>, name: &'static str, disks: &Shared, party: fn(Shared) -> F)
where
    F: Future<Output = Result> + 'static,
{
    let disks = Rc::clone(disks);
    sim.host(name, move || party(Rc::clone(&disks)));
}

/// Publishes what is not confirmed, again and again.
async fn producer(disks: Shared) -> Result {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let mut bytes = [0; 9];
    loop {
        let unconfirmed: Vec<u64> = disks.borrow().outbox.iter().copied().collect();
        for message in unconfirmed {
            socket.send_to(&Say::Publish.datagram(message), ("broker", PORT)).await?;
        }
        let retry = sleep(RETRY);
        tokio::pin!(retry);
        loop {
            tokio::select! {
                () = &mut retry => break,
                heard = socket.recv_from(&mut bytes) => {
                    if let Some((Say::Ack, message)) = Say::read(&bytes[..heard?.0]) {
                        disks.borrow_mut().outbox.remove(&message);
                    }
                }
            }
        }
    }
}

/// Stores each message once, acks every attempt, and delivers what is not settled, again and again.
async fn broker(disks: Shared) -> Result {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let mut bytes = [0; 9];
    loop {
        let open: Vec<u64> = {
            let disks = disks.borrow();
            disks.log.difference(&disks.settled).copied().collect()
        };
        for message in open {
            socket.send_to(&Say::Deliver.datagram(message), ("consumer", PORT)).await?;
        }
        let retry = sleep(RETRY);
        tokio::pin!(retry);
        loop {
            tokio::select! {
                () = &mut retry => break,
                heard = socket.recv_from(&mut bytes) => match Say::read(&bytes[..heard?.0]) {
                    Some((Say::Publish, message)) => {
                        let is_new = disks.borrow_mut().log.insert(message);
                        socket.send_to(&Say::Ack.datagram(message), ("producer", PORT)).await?;
                        if is_new {
                            socket.send_to(&Say::Deliver.datagram(message), ("consumer", PORT)).await?;
                        }
                    }
                    Some((Say::Settle, message)) => drop(disks.borrow_mut().settled.insert(message)),
                    _ => {}
                }
            }
        }
    }
}

/// Makes the effect of each message that its inbox does not have, and settles every delivery.
async fn consumer(disks: Shared) -> Result {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let mut bytes = [0; 9];
    loop {
        let (length, _) = socket.recv_from(&mut bytes).await?;
        if let Some((Say::Deliver, message)) = Say::read(&bytes[..length]) {
            {
                let mut disks = disks.borrow_mut();
                if disks.inbox.insert(message) {
                    *disks.effects.entry(message).or_default() += 1;
                }
            }
            socket.send_to(&Say::Settle.datagram(message), ("broker", PORT)).await?;
        }
    }
}
