//! What the parties say to each other, as the bodies of frames.
//!
//! A body is a tag and fixed-width fields, little-endian, with the record last where there is one; the frame around it
//! carries version and checksum. Decoding is validation: a body that is too short, too long or has an unknown tag is an
//! error that says where, and the peer that sent it is cut off.

use delivery_model::vocab::{AttemptNumber, DeliveryNumber, Epoch, MessageId, Position, SettleOutcome};

use crate::core::hand::{ConsumerId, HandId, HandOff, Lease, SettleRequest};
use crate::core::positions::Positions;
use crate::core::record::{DecodeError, ProducerId, Publish, Reader, Record, Reply, Verdict};
use crate::store::{Covers, Generation};

/// What a client says to the broker. The first message says who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBroker {
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
}

impl ToBroker {
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
