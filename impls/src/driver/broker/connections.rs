//! The broker's connections: who is let in, what each may say, and who is cut off and why.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use delivery_model::vocab::Position;
use thiserror::Error;

use super::super::link::{Disconnect, Link};
use super::super::run::Clock;
use super::super::secret::Secret;
use super::super::settings::Settings;
use super::super::wire::{FromBroker, ToBroker, WireError};
use super::{CONNECTIONS, Incarnation, Input, NAME};
use crate::core::broker::{Misplaced, Peer};
use crate::core::steps::Steps;
use crate::core::time::Millis;
use crate::data::record::ProducerId;
use crate::shared::arrivals::{Arrivals, Mark};
use crate::store::StoreError;

/// How long the broker waits, when it leaves, for its peers to close.
const CLOSE_TIMEOUT: Millis = Millis(2_000);

/// Why a connection ended, or had to end.
#[derive(Debug, Error)]
pub(in super::super) enum Reason {
    /// The link says so.
    #[error(transparent)]
    Disconnect(#[from] Disconnect),
    /// A frame holds no message.
    #[error("the peer sent nonsense: {0}")]
    Nonsense(#[from] WireError),
    /// A message that this peer may not send now.
    #[error("the peer sent `{found}`, expected {expected}")]
    OutOfTurn { found: &'static str, expected: &'static str },
    /// The peer does not know the secret.
    #[error("the peer does not know the secret")]
    Stranger,
    /// The peer would do something else than the broker.
    #[error("the peer has other settings: {0}")]
    Unfit(String),
    /// The peer did not say hello.
    #[error("the peer did not say who it is in {} ms", .0.as_millis())]
    Nameless(Duration),
    /// It reports a position that it may not report.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// The store has no room for what it needs.
    #[error("it cannot be served now: {0}")]
    NoRoom(StoreError),
    /// The same party has connected anew.
    #[error("another connection came in its place")]
    Replaced,
    /// The group is reset, and no lease may be live meanwhile.
    #[error("the group is reset to position {to}")]
    Rewound { to: Position },
    /// There are too many already.
    #[error("there are {CONNECTIONS} connections already")]
    Crowded,
}

/// What a connection has turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has said nothing yet.
    New,
    /// It knows the secret.
    Greeted,
    /// This producer's.
    Producer(ProducerId),
    /// A consumer's.
    Consumer,
}

/// One connection, as the broker's loop has it.
pub(super) struct Connection {
    pub link: Link,
    peer: SocketAddr,
    since: Millis,
    standing: Standing,
    arrivals: Arc<Arrivals>,
    /// How many of its announced inputs are dealt with.
    handled: u64,
    /// The instant against which deadlines are checked next.
    mark: Option<Mark<Millis>>,
}

impl Connection {
    /// Takes a mark, unless the last one is not reached yet.
    pub fn mark(&mut self, clock: Clock) {
        self.mark.get_or_insert_with(|| self.arrivals.mark(|| clock.now()));
    }

    /// What the clock said, once everything is dealt with that arrived before.
    pub fn reached(&mut self) -> Option<Millis> {
        let handled = self.handled;
        self.mark.take_if(|mark| mark.is_reached(handled)).map(|mark| mark.at)
    }

    /// Whether an announced input must be handled before deadlines are checked.
    pub fn is_awaited(&self) -> bool {
        self.mark.is_some()
    }

    /// Whether this peer may say this now.
    pub fn may_say(&self, said: &ToBroker) -> Result<(), Reason> {
        use ToBroker::*;
        let (is_fine, expected) = match self.standing {
            Standing::New => (matches!(said, Hello(_)), "`hello`"),
            Standing::Greeted => {
                let is_first = matches!(said, Settings { .. } | Register { .. } | Subscribe { .. } | Rewind(_));
                (is_first, "`settings`, `register`, `subscribe` or `rewind`")
            }
            Standing::Producer(producer) => {
                let is_its_own = matches!(said, Publish(publish) if publish.record.is_of(producer));
                (is_its_own, "`publish` in the name of the producer that it registered")
            }
            Standing::Consumer => {
                let is_of_consumer =
                    matches!(said, Has(_) | Settle(_) | Release(_) | Reject(_) | Requeue(_) | Leave | Finished(_));
                (is_of_consumer, "`has`, `settle`, `release`, `reject`, `requeue`, `leave` or `finished`")
            }
        };
        if is_fine { Ok(()) } else { Err(Reason::OutOfTurn { found: said.name(), expected }) }
    }
}

impl<S: Steps> Incarnation<'_, S> {
    /// Takes a connection in. One that cannot be served is dropped, and its peer tries again.
    pub(super) fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.connections.len() >= CONNECTIONS {
            self.notice(peer, &Reason::Crowded);
            return;
        }
        // Whoever comes now would be sent away at once. (Where all run together, the consumer may still come back.)
        if self.run.is_leaving() {
            return;
        }
        let number = *self.next_connection;
        *self.next_connection += 1;
        let (to_broker, entrance, clock) = (self.to_broker.clone(), self.entrance.clone(), self.run.clock());
        let arrivals = Arc::new(Arrivals::new());
        let announced = Arc::clone(&arrivals);
        // Only what a producer says in its own name may join what is under way; the rest is for the loop to refuse.
        let mut registered = None;
        let mut input_of = move |said: Result<ToBroker, Reason>| {
            if let Ok(ToBroker::Register { producer, .. }) = said {
                registered = Some(producer);
            }
            match said {
                Ok(ToBroker::Publish(publish)) if registered.is_some_and(|producer| publish.record.is_of(producer)) => {
                    entrance.admit(number, publish)
                }
                // No deadline waits for an attempt, so all but those are announced.
                Ok(said) => Some(Input::Said(number, announced.arrive(|| clock.now()), said)),
                Err(reason) => Some(Input::Closed(number, reason)),
            }
        };
        let link = Link::start(&format!("broker {number}"), stream, self.run.limits, move |bodies| {
            let mut goes_on = true;
            let mut inputs = Vec::new();
            match bodies {
                Ok(bodies) => {
                    for body in bodies {
                        let said = ToBroker::decode(&body).map_err(Reason::from);
                        goes_on = said.is_ok();
                        inputs.extend(input_of(said));
                        if !goes_on {
                            break;
                        }
                    }
                }
                Err(reason) => inputs.extend(input_of(Err(reason.into()))),
            }
            (inputs.is_empty() || to_broker.send(Input::Read(inputs)).is_ok()) && goes_on
        });
        match link {
            Ok(link) => {
                let (since, standing) = (self.run.now(), Standing::New);
                let connection = Connection { link, peer, since, standing, arrivals, handled: 0, mark: None };
                self.connections.insert(number, connection);
            }
            Err(why) => self.notice(peer, &Reason::Disconnect(Disconnect::Io(why))),
        }
    }

    /// Whether a connection stands and may say this; one that may not is cut off. What a connection of an earlier
    /// incarnation said is lost, as it would be in the memory of a process that died.
    pub(super) fn is_heard(&mut self, connection: u64, said: &ToBroker) -> bool {
        match self.connections.get(&connection).map(|speaker| speaker.may_say(said)) {
            None => false,
            Some(Ok(())) => true,
            Some(Err(reason)) => {
                self.cut_off(connection, &reason);
                false
            }
        }
    }

    /// Checks a peer's secret, and answers its hello.
    pub(super) fn greet(&mut self, connection: u64, offered: &Secret) {
        if self.run.secret.admits(offered) {
            self.becomes(connection, Standing::Greeted);
        } else {
            self.say(connection, &FromBroker::Denied);
            self.cut_off(connection, &Reason::Stranger);
        }
    }

    /// Compares a peer's settings with the broker's own, and refuses the peer if they differ.
    pub(super) fn compare(&mut self, connection: u64, name: &str, its: &Settings) {
        if let Some(difference) = Settings::of(&self.run.pipeline).difference(its, name) {
            self.say(connection, &FromBroker::Unfit(difference.clone()));
            self.cut_off(connection, &Reason::Unfit(difference));
        }
    }

    pub(super) fn becomes(&mut self, connection: u64, standing: Standing) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.standing = standing;
        }
    }

    /// Says it, if the connection still stands.
    pub(super) fn say(&self, connection: u64, message: &FromBroker) {
        if let Some(connection) = self.connections.get(&connection) {
            connection.link.send(&message.encode());
        }
    }

    /// Sends what was said to all of them. Once a turn is enough, as nobody is answered before it is over.
    pub(super) fn flush(&self) {
        self.connections.values().for_each(|connection| connection.link.flush());
    }

    /// Ends a connection, and forgets its peer. What is queued for it is written out as far as it still reads.
    pub(super) fn cut_off(&mut self, connection: u64, reason: &Reason) {
        let Some(ended) = self.connections.remove(&connection) else {
            return;
        };
        // A peer that closes is no news.
        if !matches!(reason, Reason::Disconnect(Disconnect::Closed)) {
            self.notice(ended.peer, reason);
        }
        self.core.disconnect(Peer(connection));
        if let Some((_, gone)) = self.subscriber.take_if(|(its, _)| *its == connection) {
            self.core.unsubscribe(gone);
        }
    }

    /// An input of this connection that was announced is dealt with.
    pub(super) fn handled(&mut self, connection: u64) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.handled += 1;
        }
    }

    /// Cuts off who did not say in time who it is.
    pub(super) fn cut_off_the_nameless(&mut self) {
        let (patience, clock) = (self.run.limits.hello, self.run.clock());
        let is_over = |connection: &mut Connection| {
            let is_nameless = matches!(connection.standing, Standing::New | Standing::Greeted);
            let since = connection.since + Millis(patience.as_millis() as u64);
            is_nameless && {
                connection.mark(clock);
                connection.reached().is_some_and(|now| since < now)
            }
        };
        let nameless = self.connections.iter_mut().filter_map(|(&number, it)| is_over(it).then_some(number));
        let nameless: Vec<u64> = nameless.collect();
        nameless.into_iter().for_each(|number| self.cut_off(number, &Reason::Nameless(patience)));
    }

    /// The broker is about to leave: producers get what they are owed, and learn that nothing more will come.
    pub(super) fn dismiss_producers(&mut self) {
        let is_producer = |connection: &&mut Connection| matches!(connection.standing, Standing::Producer(_));
        self.connections.values_mut().filter(is_producer).for_each(|connection| connection.link.finish());
    }

    /// Says everything that is to be said, and waits a little for the peers to close: what they still write would make
    /// the operating system throw away what they have not read.
    pub(super) fn take_leave(&mut self) {
        self.connections.values_mut().for_each(|connection| connection.link.finish());
        let until = self.run.now() + CLOSE_TIMEOUT;
        while !self.connections.is_empty() && self.run.now() < until {
            let Ok(input) = self.inputs.recv_timeout(self.run.patience(Some(until))) else { continue };
            for input in input.each() {
                if let Input::Closed(connection, _) = input {
                    self.connections.remove(&connection);
                }
            }
        }
        self.connections.values().for_each(|connection| connection.link.cut());
    }

    fn notice(&self, peer: SocketAddr, reason: &Reason) {
        self.run.notice(NAME, &format_args!("{peer} cut off: {reason}"));
    }
}
