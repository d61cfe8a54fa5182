//! The traits by which a product is audited: one file a product implements them.
//!
//! The calling contract: a [`Broker`] is one server with one disk, and tells at which [`Address`] it listens.
//! [`Product::client`] gives a [`Client`] of any address: of the server itself, of a proxy before it, or of a server that
//! the user started. It stays valid over restarts. Each [`Publisher`] and [`Receiver`] is one connection of one incarnation: after it said
//! [`Broken`], or after an unknown outcome, the harness drops it and connects anew. No implementation may retry, reconnect
//! or resend by itself, as that would hide what the broker did.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::address::{Address, Scheme};
use crate::place::Place;
use crate::plan::Patience;
use crate::proxy::NewFrames;
pub use crate::trouble::{Broken, Trouble};

/// A kind of broker, with the settings in which it is audited.
pub trait Product: Sync {
    /// The name on the command line, such as `redis`.
    fn name(&self) -> &'static str;

    /// The settings that are audited, the product's defaults among them.
    fn settings(&self) -> &'static [Setting];

    /// Whether the setting is audited where none is named. The others are for those who ask for them: they take long, or
    /// show what another one shows.
    fn is_usual(&self, _setting: &Setting) -> bool {
        true
    }

    /// The version that is installed, such as "7.0.15".
    fn version(&self) -> Result<String, Missing>;

    /// Whether the version that is installed knows this setting.
    fn supports(&self, _setting: &Setting) -> Result<(), Trouble> {
        Ok(())
    }

    /// How addresses of its servers begin.
    fn scheme(&self) -> Scheme;

    /// The settings that its clients decide alone, for a server that the user started; the other settings of such a server
    /// are not known. Names are unique here, and may be those of [`settings`](Product::settings).
    fn as_found(&self) -> &'static [Setting] {
        AS_FOUND
    }

    /// How the frames of a connection are told apart; none: that is not known, so no fault on the wire can strike.
    fn frames(&self) -> Option<NewFrames> {
        None
    }

    /// Whether positions are the server's. Where it gives none, and clients number their attempts, a copy that the network
    /// makes cannot be told from a redelivery.
    fn numbers_records(&self) -> bool {
        true
    }

    /// Whether a server with this setting recognises a publish that is tried again, and stores it once.
    fn recognises_retries(&self, _setting: &Setting) -> bool {
        false
    }

    /// Whether a server has one queue only, so that one round at a time can use it.
    fn has_one_queue(&self) -> bool {
        false
    }

    /// A broker that is not started yet. All that it writes is below the place. Its clients wait for answers, and it waits
    /// for settles, as long as `patience` says.
    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble>;

    /// How clients reach a server at this address, with a setting of `settings` or `as_found`. All that they make on the
    /// server bears the name `queue`, which is made of letters, digits and underscores. Nothing is connected yet.
    fn client(
        &self,
        setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble>;
}

/// The name of the queue on a server that is started for one round.
pub const QUEUE: &str = "orders";

/// Clients that decide nothing.
const AS_FOUND: &[Setting] =
    &[Setting { name: "as-found", means: "the server's own settings, which the audit does not know" }];

/// Settings of a product under one name.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name, such as `everysec`. Unique in its product.
    pub name: &'static str,
    /// The configuration that the name stands for, as the product writes it.
    pub means: &'static str,
}

/// Why a product cannot be audited here, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} is not installed: {install}")]
pub struct Missing {
    /// The program that was looked for.
    pub what: String,
    /// How to install it, such as "apt-get install redis-server".
    pub install: &'static str,
}

/// One broker with its disk. The harness owns it, faults strike it.
pub trait Broker: Send {
    /// Starts it, or starts it again on the same disk. Returns when it accepts clients.
    fn start(&mut self) -> Result<(), Trouble>;

    /// Ends it at once, as SIGKILL does. What the operating system holds of its files survives.
    fn kill(&mut self) -> Result<(), Trouble>;

    /// Freezes it, as SIGSTOP does.
    fn pause(&mut self) -> Result<(), Trouble>;

    /// Lets it go on, as SIGCONT does.
    fn resume(&mut self) -> Result<(), Trouble>;

    /// Ends it together with all bytes of its disk that were not synced.
    fn lose_power(&mut self) -> Result<(), Trouble>;

    /// Where it listens; none if it is in this process and listens nowhere.
    fn address(&self) -> Option<Address>;

    /// The name of its queue.
    fn queue(&self) -> &str {
        QUEUE
    }

    /// How clients reach it directly.
    fn client(&self) -> Arc<dyn Client>;
}

/// How clients reach a broker. Valid over its restarts.
pub trait Client: Send + Sync {
    /// Whether the server accepts clients and can say what queues it has. Makes nothing, and takes no connection's session.
    fn answers(&self) -> Result<(), Broken> {
        self.has_queue().map(drop)
    }

    /// The version that the server tells, such as "7.0.15"; none where it tells none.
    fn version(&self) -> Result<Option<String>, Broken>;

    /// Makes the queue, with one consumer group. Does nothing where it exists.
    fn declare(&self) -> Result<(), Broken>;

    /// Whether the queue exists, with its consumer group.
    fn has_queue(&self) -> Result<bool, Broken>;

    /// Removes the queue and all else that this client and its connections made on the server. Connections may still be
    /// open. Does nothing where there is nothing.
    fn remove(&self) -> Result<(), Broken>;

    /// The number of messages that the broker has yet to deliver, or has delivered and waits to see settled.
    fn waiting(&self) -> Result<u64, Broken>;

    /// A connection of a new incarnation of the producer.
    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken>;

    /// A connection of a new incarnation of the consumer.
    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken>;
}

/// A producer's connection.
pub trait Publisher {
    /// Publishes a message once and waits for the broker's confirmation. Where the broker can recognise a retry, the
    /// message's identity is given to it.
    fn publish(&mut self, message: u64) -> Published;
}

/// What came of an attempt to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The broker confirmed it, at this position where it says so.
    Acked(Option<u64>),
    /// The broker said no, with this reason.
    Refused(String),
    /// A time-out or a lost connection.
    Unknown(String),
}

/// A consumer's connection. One delivery at a time is at work.
pub trait Receiver {
    /// Waits at most this long for the next delivery.
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken>;

    /// Settles the delivery that was received last, and waits for the broker's confirmation.
    fn settle(&mut self) -> Settled;
}

/// A message that was handed to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: u64,
    /// Its position, where the broker says so.
    pub position: Option<u64>,
    /// Whether the broker marked it as one that it may have delivered before.
    pub marked: bool,
}

/// What came of a settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The broker confirmed it.
    Confirmed,
    /// The broker said no, with this reason.
    Refused(String),
    /// A time-out or a lost connection.
    Unknown(String),
}

/// The body of a message.
pub fn body(message: u64) -> String {
    format!("message {message}")
}

/// The message with this body.
pub fn message(body: &[u8]) -> Result<u64, Broken> {
    let text = std::str::from_utf8(body).ok();
    let number = text.and_then(|text| text.strip_prefix("message ")?.parse().ok());
    number.ok_or_else(|| Broken(format!("a message that nobody published: {:?}", String::from_utf8_lossy(body))))
}
