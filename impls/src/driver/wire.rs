//! What the parties say to each other, as the bodies of frames: enough to write a client in another language.
//!
//! # A connection
//!
//! TCP, one connection a client. Each direction is a sequence of frames (see [`frame`](super::frame): magic, version,
//! length, two CRC-32C, then the body). A frame with an empty body is a heartbeat: it means nothing, and keeps a
//! connection alive. Both ends send one when they have been silent for a while, and both cut off a peer that was silent
//! for too long, that does not finish a frame it began, or that does not read ([`Limits`](super::link::Limits)).
//!
//! A client says `hello` first, with the shared secret or none; the broker answers only if it is wrong, with `denied`,
//! and closes. Then the client becomes a producer with `register`, or a consumer with `subscribe`, and stays one. Either
//! may follow `hello` at once. Whatever else comes, or comes out of turn, ends the connection.
//!
//! * A producer waits for `registered`, then sends `publish`; every `reply` names message and attempt. After a cut it
//!   connects anew, registers the same epoch, and sends what was not confirmed again, under the same identity. A new
//!   incarnation takes a higher epoch. A producer's id is its alone: of several connections that register it, the newest
//!   is listened to. Message ids need to be unique with one producer only; its id is part of every identity, and a
//!   record or an identity in another one's name ends the connection.
//! * A consumer gets up to `workers` `hand off`s at once. Each ends with a `settle` that finishes it, answered by
//!   `settled`, or with a `release`. After a cut, whatever it held is handed off again. Before it goes it says `leave`,
//!   finishes what it has until `left` comes, and closes.
//!
//! A client closes by closing. The broker, when it stops, closes its sending half, and waits for the client to close.
//!
//! # Bodies
//!
//! A tag of one byte and fields of fixed width, little-endian, without padding.
//!
//! | to the broker | tag | fields |
//! |---|---|---|
//! | `register` | 1 | producer u32, epoch u32 |
//! | `publish` | 2 | attempt u32, record |
//! | `subscribe` | 3 | consumer u8, workers u32, count u32, so many hands, positions |
//! | `settle` | 4 | hand, flag (0: one position, 1: every position below), position u64, flag (finishes) |
//! | `release` | 5 | hand |
//! | `has` | 6 | positions |
//! | `hello` | 7 | secret, up to the end |
//! | `leave` | 8 | |
//!
//! | from the broker | tag | fields |
//! |---|---|---|
//! | `registered` | 1 | |
//! | `reply` | 2 | message u64, attempt u32, verdict |
//! | `hand off` | 3 | hand, consumer u8, generation u32, delivery u32 (0: not counted), record |
//! | `settled` | 4 | hand, outcome u8 (0 ok, 1 refused, 2 unknown) |
//! | `committed` | 5 | positions |
//! | `denied` | 6 | |
//! | `left` | 7 | |
//!
//! | part | bytes |
//! |---|---|
//! | record | version u8 (1), message u64, producer u32, epoch u32, identity, payload up to the end |
//! | identity | 0; or 1, producer u32, session u32, message id u64; or 2, producer u32, session u32, sequence number u64 |
//! | hand | position u64, lease: incarnation u32, number u32 |
//! | positions | runs up to the end: first u64, first after u64 |
//! | verdict | 0: refused; 1: acked; 2: acked, position u64 |
//! | flag | 0 or 1 |
//!
//! The payload of the order service is its own affair ([`Order`](crate::core::order::Order)): version u8 (1), article
//! u32, quantity u32.
//!
//! Decoding is validation: a body that is too short, too long or has an unknown tag is an error that says where.

use delivery_model::vocab::{AttemptNumber, DeliveryNumber, Epoch, MessageId, Position, SettleOutcome};

use super::secret::Secret;
use crate::core::hand::{ConsumerId, HandId, HandOff, Lease, SettleRequest};
use crate::core::positions::Positions;
use crate::core::record::{DecodeError, ProducerId, Publish, Reader, Record, Reply, Verdict};
use crate::store::{Covers, Generation};

/// What a client says to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBroker {
    /// The first message: a peer comes, with the shared secret, or with nothing where none is asked for.
    Hello(Secret),
    /// A producer's incarnation starts, or comes back after a cut.
    Register {
        /// Whose.
        producer: ProducerId,
        /// Which incarnation.
        epoch: Epoch,
    },
    /// An attempt.
    Publish(Publish),
    /// A consumer starts, or comes back after a cut.
    Subscribe {
        /// Who.
        consumer: ConsumerId,
        /// How many hand-offs it works on at once.
        workers: u32,
        /// The hand-offs that it is still working on.
        hands: Vec<HandId>,
        /// As in [`ToBroker::Has`].
        has: Positions,
    },
    /// A consumer that follows a cursor has these positions behind it, settled or not. Replaces what it said before.
    Has(Positions),
    /// A consumer is done.
    Settle(SettleRequest),
    /// A consumer is over with a hand-off without settling it.
    Release(HandId),
    /// A consumer will go: it wants no more hand-offs.
    Leave,
}

/// What the broker says to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromBroker {
    /// The incarnation is registered: it may transmit.
    Registered,
    /// What became of an attempt.
    Reply(Reply),
    /// To a consumer that follows a cursor: these positions are settled or set aside. Replaces what was said before.
    Committed(Positions),
    /// A message for the consumer.
    HandOff(HandOff),
    /// What became of a settle.
    Settled {
        /// Of which hand-off.
        hand: HandId,
        /// What.
        outcome: SettleOutcome,
    },
    /// The secret is wrong: the connection ends.
    Denied,
    /// No more hand-offs will come: all of them were sent before this.
    Left,
}

impl ToBroker {
    /// What it is called in the table above.
    pub fn name(&self) -> &'static str {
        match self {
            ToBroker::Hello(_) => "hello",
            ToBroker::Register { .. } => "register",
            ToBroker::Publish(_) => "publish",
            ToBroker::Subscribe { .. } => "subscribe",
            ToBroker::Has(_) => "has",
            ToBroker::Settle(_) => "settle",
            ToBroker::Release(_) => "release",
            ToBroker::Leave => "leave",
        }
    }

    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        match self {
            ToBroker::Register { producer, epoch } => {
                body.push(1);
                body.extend(producer.0.to_le_bytes());
                body.extend(epoch.0.to_le_bytes());
            }
            ToBroker::Publish(Publish { record, attempt }) => {
                body.push(2);
                body.extend(attempt.0.to_le_bytes());
                body.extend(record.encode());
            }
            ToBroker::Subscribe { consumer, workers, hands, has } => {
                body.extend([3, consumer.0]);
                body.extend(workers.to_le_bytes());
                body.extend((hands.len() as u32).to_le_bytes());
                hands.iter().for_each(|hand| encode_hand(hand, &mut body));
                encode_positions(has, &mut body);
            }
            ToBroker::Settle(SettleRequest { hand, covers, finishes }) => {
                body.push(4);
                encode_hand(hand, &mut body);
                let (tag, position) = match covers {
                    Covers::One(position) => (0, position),
                    Covers::Below(end) => (1, end),
                };
                body.push(tag);
                body.extend(position.0.to_le_bytes());
                body.push(u8::from(*finishes));
            }
            ToBroker::Release(hand) => {
                body.push(5);
                encode_hand(hand, &mut body);
            }
            ToBroker::Has(positions) => {
                body.push(6);
                encode_positions(positions, &mut body);
            }
            ToBroker::Hello(secret) => {
                body.push(7);
                body.extend(secret.bytes());
            }
            ToBroker::Leave => body.push(8),
        }
        body
    }

    /// Reads what [`ToBroker::encode`] wrote.
    pub fn decode(body: &[u8]) -> Result<ToBroker, DecodeError> {
        let mut reader = Reader::new(body);
        let message = match reader.u8()? {
            1 => ToBroker::Register { producer: ProducerId(reader.u32()?), epoch: Epoch(reader.u32()?) },
            2 => {
                let attempt = AttemptNumber(reader.u32()?);
                ToBroker::Publish(Publish { attempt, record: Record::decode(reader.rest())? })
            }
            3 => {
                let (consumer, workers) = (ConsumerId(reader.u8()?), reader.u32()?);
                let hands = (0..reader.u32()?).map(|_| decode_hand(&mut reader)).collect::<Result<_, _>>()?;
                ToBroker::Subscribe { consumer, workers, hands, has: decode_positions(&mut reader)? }
            }
            4 => {
                let hand = decode_hand(&mut reader)?;
                let covers = match (flag(&mut reader)?, Position(reader.u64()?)) {
                    (false, position) => Covers::One(position),
                    (true, end) => Covers::Below(end),
                };
                ToBroker::Settle(SettleRequest { hand, covers, finishes: flag(&mut reader)? })
            }
            5 => ToBroker::Release(decode_hand(&mut reader)?),
            6 => ToBroker::Has(decode_positions(&mut reader)?),
            7 => ToBroker::Hello(Secret::new(reader.rest())),
            8 => ToBroker::Leave,
            found => return Err(DecodeError::Tag { of: "message to the broker", offset: 0, found }),
        };
        reader.end()?;
        Ok(message)
    }
}

impl FromBroker {
    /// The body of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        match self {
            FromBroker::Registered => body.push(1),
            FromBroker::Reply(Reply { message, attempt, verdict }) => {
                body.push(2);
                body.extend(message.0.to_le_bytes());
                body.extend(attempt.0.to_le_bytes());
                encode_verdict(verdict, &mut body);
            }
            FromBroker::HandOff(HandOff { hand, consumer, generation, delivery, record }) => {
                body.push(3);
                encode_hand(hand, &mut body);
                body.push(consumer.0);
                body.extend(generation.0.to_le_bytes());
                // Deliveries count from 1, so 0 is free to say that this one was not counted.
                body.extend(delivery.map_or(0, |delivery| delivery.0).to_le_bytes());
                body.extend(record.encode());
            }
            FromBroker::Committed(positions) => {
                body.push(5);
                encode_positions(positions, &mut body);
            }
            FromBroker::Settled { hand, outcome } => {
                body.push(4);
                encode_hand(hand, &mut body);
                body.push(match outcome {
                    SettleOutcome::Ok => 0,
                    SettleOutcome::Refused => 1,
                    SettleOutcome::Unknown => 2,
                });
            }
            FromBroker::Denied => body.push(6),
            FromBroker::Left => body.push(7),
        }
        body
    }

    /// Reads what [`FromBroker::encode`] wrote.
    pub fn decode(body: &[u8]) -> Result<FromBroker, DecodeError> {
        let mut reader = Reader::new(body);
        let message = match reader.u8()? {
            1 => FromBroker::Registered,
            2 => {
                let (message, attempt) = (MessageId(reader.u64()?), AttemptNumber(reader.u32()?));
                FromBroker::Reply(Reply { message, attempt, verdict: decode_verdict(&mut reader)? })
            }
            3 => {
                let hand = decode_hand(&mut reader)?;
                let (consumer, generation) = (ConsumerId(reader.u8()?), Generation(reader.u32()?));
                let delivery = Some(reader.u32()?).filter(|number| *number > 0).map(DeliveryNumber);
                let record = Record::decode(reader.rest())?;
                FromBroker::HandOff(HandOff { hand, consumer, generation, delivery, record })
            }
            4 => FromBroker::Settled { hand: decode_hand(&mut reader)?, outcome: decode_outcome(&mut reader)? },
            5 => FromBroker::Committed(decode_positions(&mut reader)?),
            6 => FromBroker::Denied,
            7 => FromBroker::Left,
            found => return Err(DecodeError::Tag { of: "message from the broker", offset: 0, found }),
        };
        reader.end()?;
        Ok(message)
    }
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    tagged(reader, "flag", |byte| match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })
}

fn decode_outcome(reader: &mut Reader<'_>) -> Result<SettleOutcome, DecodeError> {
    tagged(reader, "settle outcome", |byte| match byte {
        0 => Some(SettleOutcome::Ok),
        1 => Some(SettleOutcome::Refused),
        2 => Some(SettleOutcome::Unknown),
        _ => None,
    })
}

/// A byte that stands for a value.
fn tagged<T>(reader: &mut Reader<'_>, of: &'static str, value: impl FnOnce(u8) -> Option<T>) -> Result<T, DecodeError> {
    let offset = reader.offset();
    let found = reader.u8()?;
    value(found).ok_or(DecodeError::Tag { of, offset, found })
}

fn encode_hand(hand: &HandId, body: &mut Vec<u8>) {
    body.extend(hand.position.0.to_le_bytes());
    body.extend(hand.lease.incarnation.to_le_bytes());
    body.extend(hand.lease.number.to_le_bytes());
}

fn decode_hand(reader: &mut Reader<'_>) -> Result<HandId, DecodeError> {
    let position = Position(reader.u64()?);
    Ok(HandId { position, lease: Lease { incarnation: reader.u32()?, number: reader.u32()? } })
}

/// Positions as their runs, so that a long history with few holes is a short body.
fn encode_positions(positions: &Positions, body: &mut Vec<u8>) {
    for (start, end) in positions.runs() {
        body.extend(start.0.to_le_bytes());
        body.extend(end.0.to_le_bytes());
    }
}

/// Runs up to the end of the body. A run that is empty or backwards adds nothing.
fn decode_positions(reader: &mut Reader<'_>) -> Result<Positions, DecodeError> {
    let mut positions = Positions::default();
    while reader.end().is_err() {
        positions.insert_run(reader.u64()?, reader.u64()?);
    }
    Ok(positions)
}

fn encode_verdict(verdict: &Verdict, body: &mut Vec<u8>) {
    match verdict {
        Verdict::Refused => body.push(0),
        Verdict::Acked(None) => body.push(1),
        Verdict::Acked(Some(position)) => {
            body.push(2);
            body.extend(position.0.to_le_bytes());
        }
    }
}

fn decode_verdict(reader: &mut Reader<'_>) -> Result<Verdict, DecodeError> {
    let has_position = tagged(reader, "verdict", |byte| match byte {
        0 => Some(None),
        1 => Some(Some(false)),
        2 => Some(Some(true)),
        _ => None,
    })?;
    Ok(match has_position {
        None => Verdict::Refused,
        Some(false) => Verdict::Acked(None),
        Some(true) => Verdict::Acked(Some(Position(reader.u64()?))),
    })
}
