//! The plan of a round: how many messages, under which load, and which faults at which points.

use std::fmt;
use std::time::Duration;

/// How the consumer relates to the producer. Each load hides what the other one shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The consumer takes each message as soon as it comes.
    KeepsUp,
    /// The consumer stays half of the messages behind until the producer has finished.
    Lags,
}

impl Load {
    /// Both.
    pub const ALL: [Load; 2] = [Load::KeepsUp, Load::Lags];

    /// The word in tables and output.
    pub fn word(self) -> &'static str {
        match self {
            Load::KeepsUp => "keeps-up",
            Load::Lags => "lags",
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a frame on the wire does for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It publishes a message.
    Publish,
    /// It says that a message is stored.
    PublishAck,
    /// It hands a message to the consumer.
    Delivery,
    /// It settles a delivery.
    Settle,
    /// It says that a delivery is settled.
    SettleAck,
}

/// A kind of logical point. With a number it is a point: "the 150th acked publish".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A publish is acked.
    Acked,
    /// A message is delivered.
    Delivered,
    /// An effect is made, which the consumer has yet to settle.
    Effected,
    /// A settle is confirmed.
    Settled,
    /// A frame with this role comes to the proxy between clients and server.
    Frame(Role),
}

impl At {
    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            At::Acked => "acked publish",
            At::Delivered => "delivery",
            At::Effected => "effect",
            At::Settled => "confirmed settle",
            At::Frame(Role::Publish) => "frame of a publish",
            At::Frame(Role::PublishAck) => "frame of an ack",
            At::Frame(Role::Delivery) => "frame of a delivery",
            At::Frame(Role::Settle) => "frame of a settle",
            At::Frame(Role::SettleAck) => "frame of a settle's ack",
        }
    }
}

/// A party that can crash by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The producer.
    Producer,
    /// The consumer.
    Consumer,
}

/// How long who waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Clients, for an answer; then the outcome is unknown.
    pub answer: Duration,
    /// The broker, for a settle; then it may deliver again.
    pub lease: Duration,
    /// The consumer, for one more delivery, when all is published; then the broker is asked whether something is left.
    /// Longer than a lease, so that a redelivery is seen.
    pub idle: Duration,
    /// The consumer, for the last deliveries, when the broker says that something is left. Then the round ends without
    /// coming to rest.
    pub rest: Duration,
    /// The whole round. Then it ends without coming to rest.
    pub round: Duration,
}

impl Patience {
    /// After this time clients have given up waiting, and leases have run out.
    pub fn given_up(&self) -> Duration {
        self.answer.max(self.lease) * 5 / 4
    }

    /// For servers on the same machine.
    pub const LOCAL: Patience = Patience {
        answer: Duration::from_millis(1000),
        lease: Duration::from_millis(500),
        idle: Duration::from_millis(700),
        rest: Duration::from_secs(8),
        round: Duration::from_secs(60),
    };
}
