//! What the parties tell each other and the suite: plain values, of which each party uses as much as it has.

use delivery_model::vocab::{Outcome, SettleOutcome};

/// What the application submits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The application's id, counted from 1.
    pub id: u64,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// By what a retry is recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// By nothing.
    #[default]
    None,
    /// By the message's id, in this session of the producer (0, unless it submits anew on purpose).
    Message {
        /// Which session.
        session: u32,
    },
    /// By a number in a session.
    Sequence {
        /// Which session.
        session: u32,
        /// Counted from 0.
        number: u64,
    },
}

/// An attempt on its way from producer to broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Publish {
    /// Which message.
    pub message: u64,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Which transmission of it, counted from 1.
    pub attempt: u32,
    /// By what a retry of it is recognised.
    pub identity: Identity,
    /// The producer's incarnation, where it counts them.
    pub epoch: u32,
}

impl Publish {
    /// An attempt of a producer without identities and epochs.
    pub fn new(message: u64, payload: impl Into<Vec<u8>>, attempt: u32) -> Publish {
        Publish { message, payload: payload.into(), attempt, identity: Identity::None, epoch: 0 }
    }

    /// The reply that it is stored, of a broker without positions.
    pub fn acked(&self) -> Reply {
        Reply::Acked { message: self.message, attempt: self.attempt, position: None }
    }

    /// The reply that it is not stored, and never will be.
    pub fn refused(&self) -> Reply {
        Reply::Refused { message: self.message, attempt: self.attempt }
    }
}

/// What the broker says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It is stored, as safely as the broker claims.
    Acked {
        /// Which message.
        message: u64,
        /// Which transmission of it.
        attempt: u32,
        /// Its place in the log, where there is one.
        position: Option<u64>,
    },
    /// It is not stored, and never will be by this attempt.
    Refused {
        /// Which message.
        message: u64,
        /// Which transmission of it.
        attempt: u32,
    },
}

impl Reply {
    /// Which message it is about.
    pub fn message(&self) -> u64 {
        match *self {
            Reply::Acked { message, .. } | Reply::Refused { message, .. } => message,
        }
    }
}

/// A message on its way from broker to consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// The right to settle this delivery: a receipt handle, a delivery tag. Another one for every delivery, unless a
    /// position in a log is all that is settled.
    pub tag: String,
    /// Which message.
    pub message: u64,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// By what a consumer may recognise it, where the broker hands that on.
    pub identity: Identity,
    /// Its place in the log, where there is one.
    pub position: Option<u64>,
    /// Which delivery of it, counted from 1, where that is counted.
    pub number: Option<u32>,
}

impl Delivery {
    /// A delivery by a broker that keeps ids and bytes and nothing else.
    pub fn new(tag: impl Into<String>, message: u64, payload: impl Into<Vec<u8>>) -> Delivery {
        let (tag, payload) = (tag.into(), payload.into());
        Delivery { tag, message, payload, identity: Identity::None, position: None, number: None }
    }
}

/// A consumer's word that it is done with a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settle {
    /// Which delivery.
    pub tag: String,
    /// The settle ends the delivery. Otherwise its handler is still to run, and a [`FromConsumer::Release`] follows.
    pub finishes: bool,
}

impl Settle {
    /// It is done with this delivery.
    pub fn new(tag: impl Into<String>) -> Settle {
        Settle { tag: tag.into(), finishes: true }
    }
}

/// The inputs of a producer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ToProducer {
    /// The application submits a message.
    Submit(Message),
    /// The broker answers.
    Reply(Reply),
}

/// What a producer says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FromProducer {
    /// To the broker, before anything else: this incarnation has begun. Only where it counts incarnations.
    Connect {
        /// Which incarnation.
        epoch: u32,
    },
    /// To the broker: an attempt.
    Publish(Publish),
    /// To the application: the outcome of an attempt.
    Outcome {
        /// Which message.
        message: u64,
        /// Which transmission of it.
        attempt: u32,
        /// The outcome.
        outcome: Outcome,
    },
}

/// The inputs of a broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ToBroker {
    /// An incarnation of the producer has begun, and will publish.
    ProducerConnected {
        /// Which incarnation.
        epoch: u32,
    },
    /// The producer's connection is cut.
    ProducerGone,
    /// An attempt arrives.
    Publish {
        /// The attempt.
        publish: Publish,
        /// It comes over a closed connection, or as a copy: no answer is expected.
        late: bool,
    },
    /// A consumer has room for one message: nothing is on its way to it. The broker is asked again whenever something
    /// changed, and need not remember. A broker that pushes may ignore this, and deliver unasked.
    Receive {
        /// Which consumer, counted from 0.
        consumer: u8,
    },
    /// A consumer settles.
    Settle {
        /// Which consumer.
        consumer: u8,
        /// What it settles.
        settle: Settle,
    },
    /// A consumer ends a delivery without settling it.
    Release {
        /// Which consumer.
        consumer: u8,
        /// Which delivery.
        tag: String,
    },
    /// A consumer's connection is cut.
    ConsumerGone {
        /// Which consumer.
        consumer: u8,
    },
}

/// What a broker says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FromBroker {
    /// To the producer.
    Reply(Reply),
    /// To a consumer: a message.
    Deliver {
        /// Which consumer.
        consumer: u8,
        /// The message.
        delivery: Delivery,
    },
    /// To a consumer: the outcome of its settle. A broker that does not answer settles never sends it.
    Settled {
        /// Which consumer.
        consumer: u8,
        /// Which delivery.
        tag: String,
        /// The outcome.
        outcome: SettleOutcome,
    },
    /// It set a message aside after too many deliveries.
    DeadLetter {
        /// Which message.
        message: u64,
    },
}

/// The inputs of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ToConsumer {
    /// A message arrives.
    Deliver(Delivery),
    /// The outcome of its settle; unknown, if the settle or the answer was lost.
    Settled {
        /// Which delivery.
        tag: String,
        /// The outcome.
        outcome: SettleOutcome,
    },
}

/// What a consumer says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FromConsumer {
    /// The durable change was made. The suite records it; no party receives it.
    Effect {
        /// Of which message.
        message: u64,
        /// With which bytes.
        payload: Vec<u8>,
    },
    /// To the broker.
    Settle(Settle),
    /// To the broker: the delivery ends without a settle.
    Release {
        /// Which delivery.
        tag: String,
    },
}
