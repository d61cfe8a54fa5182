//! The messages between broker and clients, as the bodies of frames. This page is enough to write a client in another
//! language.
//!
//! # A connection
//!
//! TCP, one connection a client. Each direction is a sequence of frames (see [`frame`](super::frame): magic, version,
//! length, two CRC-32C, then the body). A frame with an empty body is a heartbeat: it has no meaning and keeps a
//! connection alive. The broker sends one whenever it was silent for 3 s; a client must do the same, even while it
//! waits for an answer.
//!
//! The client's first message is `hello`, with the shared secret or none (if the broker has none, it accepts any). If
//! the secret is wrong, the broker answers `denied` and closes; otherwise it does not answer. Next the client may
//! send its `settings`. If they differ from the broker's, the broker answers `unfit`, which names the setting, and
//! closes; otherwise it does not answer. The settings of a client that sends none are not compared. Then the client
//! becomes a producer with `register`, or a consumer with `subscribe`, for the rest of the connection. Each message
//! may follow the last one at once, without waiting for an answer. Any other message, or one at the wrong time, ends
//! the connection.
//!
//! | client | may send |
//! |---|---|
//! | before its hello | `hello` |
//! | after its hello | `settings`, `register`, `subscribe` or `rewind` |
//! | a producer | `publish`, with its own producer id |
//! | a consumer | `settle`, `release`, `has`, `finished`, `leave` |
//!
//! A client ends by closing its connection. A broker that stops closes its sending direction and waits for the client
//! to close.
//!
//! # A producer
//!
//! It waits for `registered`, then sends `publish`, as many ahead of their replies as its pipeline's `in-flight`
//! says. Every `reply` names message and attempt, and replies come in any order. The replies depend on the settings:
//!
//! * `acks = "after-sync"`: one `reply` to each attempt, once the message is durable or refused. Attempts at a
//!   message that is being stored get their replies together with the first one.
//! * `acks = "on-receipt"`: `acked` at once, without a position, and no reply if it could not be stored after that.
//! * `acks = "never"`: no reply.
//!
//! An attempt without a reply for a while (the clients here wait 200 ms) is unknown: send the message again under the
//! same identity, with the next attempt number (attempts of each message count from 1). `refused` means that this
//! attempt is not stored: its epoch is older than one that registered, its number is higher than the next one, or the
//! disk is full.
//!
//! The identity must be of the kind that the broker's `dedup` uses. By an identity of another kind the broker
//! recognises nothing, and stores every attempt.
//!
//! * Sequence numbers count from 0 in each session, by one a message: the next number is stored, an older one is
//!   confirmed again, a later one is refused. A number belongs to one message permanently. An attempt that gives it to
//!   another message gets no reply; if the record with this number was dropped, the attempt is taken for a retry of
//!   that record.
//! * A producer that keeps its unfinished messages over restarts uses session 0 always, and continues its numbers. A
//!   producer that does not keep them uses its epoch as the session.
//!
//! Epochs count incarnations: a producer that restarts registers a higher epoch than ever before. If the broker
//! fences, numbered messages of lower epochs are refused from then on. `registered` says that the epoch is stored,
//! not that it is the newest. After the loss of a connection a producer connects again, registers the same epoch, and
//! sends all unconfirmed messages again. A producer id belongs to one producer: when a connection registers an id
//! with an epoch that is no older, the earlier connection of this id is closed. Message ids must be unique for one
//! producer only, as its id is part of every identity. A record or an identity with another producer's id ends the
//! connection.
//!
//! # A consumer
//!
//! `subscribe` is answered by `hand off` messages only, up to `workers` at once (512 at most; 0: none). Each delivery
//! ends in one of three ways: with a `settle` that finishes it, answered by `settled`; with a `release`; or with its
//! lease, which ends after 30 s or with the connection. A position that is not settled by then is handed off again
//! under another lease, and a settle under the old lease is answered `refused`. A settle frees the worker before it
//! is answered, so the next `hand off` may come before `settled`. A settle without an answer may be recorded or not,
//! or the disk was full: release the delivery, and it comes again if it is not settled.
//!
//! There is one consumer at a time. When another connection subscribes, the earlier one is closed.
//!
//! If the pipeline settles single positions (`commits = "each"`, and not `settles = "with-effect"`), the settle's
//! flag is 0, its position is that of the delivery, and `deliveries`, `has` and `committed` are empty or not sent.
//! Otherwise the consumer follows a cursor. Its settles may cover every position below one (not beyond the log's
//! end). It sends with `has` the positions that it has finished or works on, and with `subscribe` the deliveries that
//! it works on; `committed` tells it which positions are settled or set aside. Each of these messages replaces the
//! last one of its kind, and has at most 8,192 ranges of positions, the lowest. A consumer that stores its positions
//! with its effects sends `finished` now and then: no record below this position is needed any more, and the broker,
//! which has no other way to know, may drop them.
//!
//! A client that has sent only `hello` and `settings` may reset the group with `rewind`. `rewound` says that every
//! position from this one on is delivered again; the reset is durable, and the connection of the consumer is closed.
//! `not in log` says that the log does not have this position, or no longer. A consumer that keeps its own positions
//! resets them after `rewound`, and then subscribes.
//!
//! A consumer that ends sends `leave`, finishes its deliveries until `left` comes, and closes.
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | body of a frame | 262,144 bytes |
//! | payload | 261,120 bytes |
//! | settings | 16,384 bytes |
//! | from connecting to `register` or `subscribe` | 5 s |
//! | without a byte, a heartbeat at least | 15 s |
//! | from a frame's first byte to its last | 10 s |
//! | refusal of bytes by a client, with the system's buffers full | 10 to 20 s, or 1,024 frames that wait |
//! | connections | 512; a further one is closed at once, and may try again |
//!
//! A client that exceeds a limit, or sends bytes that are no frame, a body that is no message, or a message at the
//! wrong time, is disconnected: messages that are queued for it are written as far as it reads, then the connection
//! closes without a reason. The broker reports the reason to its operators (on standard error) and continues to serve
//! the other clients. A client that was disconnected should wait longer before each new connection.
//!
//! # Bodies
//!
//! A tag of one byte and fields of fixed width, little-endian, without padding.
//!
//! | to the broker | tag | fields |
//! |---|---|---|
//! | `register` | 1 | producer u32, epoch u32 |
//! | `publish` | 2 | attempt u32 (from 1), record |
//! | `subscribe` | 3 | consumer u8 (0), workers u32, count u32, that many deliveries, positions |
//! | `settle` | 4 | delivery, flag (0: this position, 1: every position below it), position u64, flag (1: finishes) |
//! | `release` | 5 | delivery |
//! | `has` | 6 | positions |
//! | `hello` | 7 | secret, up to the end |
//! | `leave` | 8 | |
//! | `finished` | 9 | position u64 |
//! | `rewind` | 10 | position u64 |
//! | `settings` | 11 | name: length u8, bytes; settings, up to the end |
//!
//! | from the broker | tag | fields |
//! |---|---|---|
//! | `registered` | 1 | |
//! | `reply` | 2 | message u64, attempt u32, verdict |
//! | `hand off` | 3 | delivery, consumer u8, generation u32 (0), number u32 (from 1; 0: not counted), record |
//! | `settled` | 4 | delivery, outcome u8 (0 ok, 1 refused, 2 unknown) |
//! | `committed` | 5 | positions |
//! | `denied` | 6 | |
//! | `left` | 7 | |
//! | `rewound` | 8 | |
//! | `not in log` | 9 | start u64, end u64 |
//! | `unfit` | 10 | reason, up to the end |
//!
//! | part | bytes |
//! |---|---|
//! | record | version u8 (1), message u64, producer u32, epoch u32, identity, payload up to the end |
//! | identity | 0; or 1, producer u32, session u32, message id u64; or 2, producer u32, session u32, sequence number u64 |
//! | delivery | position u64, lease: incarnation u32, number u32; sent back as it came |
//! | positions | ranges up to the end: first u64, first after u64 |
//! | verdict | 0: refused; 1: acked; 2: acked, position u64 |
//! | flag | 0 or 1 |
//!
//! The `settings` are all settings of a pipeline's three parties, as UTF-8 without control characters other than the
//! end of each line, such as `broker.dedup = "sequence"`: the name with its section, and the value as in TOML. The
//! name is that of the client in the broker's messages, such as `consumer-0`. The reason is UTF-8 too, for people.
//!
//! New messages get new tags, and the fields of existing ones do not change. A client that does not know a message
//! does not send it, and so gets no answer to it. Any other change would need a new version of the frame.
//!
//! A `settle` that does not finish leaves the worker busy. It is for consumers that settle before they handle; they
//! `release` the delivery after that.
//!
//! The payload belongs to the application. That of the order service ([`Order`](crate::inventory::Order)) is: version
//! u8 (1), article u32, quantity u32.
//!
//! Decoding is validation: a body that is too short, too long or has an unknown tag is an error that says where.
//!
//! The first attempt of producer 3, epoch 2, at its message 7, an order for 3 of article 9, numbered 0 in session 2:
//!
//! ```
//! # use delivery_impls::{data::record::*, inventory::{Order, Sku}};
//! # use delivery_impls::driver::wire::ToBroker;
//! # use delivery_model::vocab::{AttemptNumber, Epoch, MessageId};
//! # let session = Session { producer: ProducerId(3), session: Epoch(2) };
//! # let record = Record {
//! #     message: MessageId(7), identity: Identity::Sequence { session, number: 0 }, producer: ProducerId(3),
//! #     epoch: Epoch(2), payload: Order { sku: Sku(9), quantity: 3 }.encode(),
//! # };
//! # let publish = ToBroker::Publish(Publish { record, attempt: AttemptNumber(1) });
//! assert_eq!(publish.encode(), [
//!     2, 1, 0, 0, 0,                                          // publish, attempt
//!     1, 7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0,      // record: version, message, producer, epoch
//!     2, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,      // identity: numbered, producer, session, number
//!     1, 9, 0, 0, 0, 3, 0, 0, 0,                              // payload: version, article, quantity
//! ]);
//! ```

use delivery_model::vocab::{AttemptNumber, DeliveryNumber, Epoch, MessageId, Position, SettleOutcome};

use thiserror::Error;

use super::frame::BODY_MAX;
use super::secret::Secret;
use super::settings::{SETTINGS_MAX, Settings, is_printable};
use crate::core::delivery::{ConsumerId, DeliveryId, HandOff, Lease, SettleRequest};
use crate::core::producer::PAYLOAD_MAX;
use crate::data::positions::Positions;
use crate::data::record::{DecodeError, ProducerId, Publish, Reader, Record, Reply, Verdict};
use crate::store::{Covers, Generation};

/// The size of a hand-off without the payload: its own fields, and those of a record with the longest identity.
const HAND_OFF_HEAD: usize = 26 + 34;
const _: () = assert!(HAND_OFF_HEAD + PAYLOAD_MAX <= BODY_MAX, "what is stored can be handed off");

/// The most ranges of positions in one message, half of a body. The lowest ranges are sent. A position that was left
/// out counts as not settled, or not there yet, until a later message has it.
const RUNS_MAX: usize = BODY_MAX / 2 / 16;

/// The reason why a body is not a message that a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The body cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The payload is too long: a record must fit into a hand-off, or it could never be delivered.
    #[error("a payload of {found} bytes, at most {PAYLOAD_MAX} are allowed")]
    PayloadTooLong {
        /// The length in bytes.
        found: usize,
    },
    /// The settings, or the name of the client, cannot be decoded.
    #[error("the settings are not lines of `name = value` in printable text, {SETTINGS_MAX} bytes at most")]
    Settings,
    /// A settle of a single position under the lease of another position.
    #[error("a settle of position {found} alone, under a lease of position {leased}")]
    OtherPosition {
        /// The position in the settle.
        found: Position,
        /// The position of the lease.
        leased: Position,
    },
}

/// A message from a client to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBroker {
    /// The first message of a connection, with the shared secret, or an empty one.
    Hello(Secret),
    /// The client's settings, which must be the broker's too.
    Settings {
        /// The name of the client.
        name: String,
        /// The settings.
        settings: Settings,
    },
    /// A producer's incarnation starts, or connects again.
    Register {
        /// The producer.
        producer: ProducerId,
        /// The incarnation.
        epoch: Epoch,
    },
    /// An attempt to publish.
    Publish(Publish),
    /// A consumer starts, or connects again.
    Subscribe {
        /// The consumer.
        consumer: ConsumerId,
        /// The number of deliveries that it handles at once.
        workers: u32,
        /// The deliveries that it still handles.
        hands: Vec<DeliveryId>,
        /// As in [`ToBroker::Has`].
        has: Positions,
    },
    /// The positions that a consumer that follows a cursor has finished or works on. It replaces the last message of
    /// its kind.
    Has(Positions),
    /// A consumer settles a delivery.
    Settle(SettleRequest),
    /// A consumer ends a delivery without settling it.
    Release(DeliveryId),
    /// A consumer ends a delivery whose handler failed, and whose position is to be set aside.
    Reject(DeliveryId),
    /// A consumer publishes the message of a delivery again, at the end of the log. It is durable before anything is done that
    /// the consumer says later.
    Requeue(Record),
    /// A consumer will end: it wants no more deliveries.
    Leave,
    /// A consumer that stores its positions with its effects has durably finished every position below this one: the
    /// records are needed no more.
    Finished(Position),
    /// A reset of the group: this position and all later ones are to be delivered again.
    Rewind(Position),
}

/// A message from the broker to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromBroker {
    /// The incarnation is registered, and may publish.
    Registered,
    /// The reply to an attempt.
    Reply(Reply),
    /// The positions that are settled or set aside, for a consumer that follows a cursor. It replaces the last
    /// message of its kind.
    Committed(Positions),
    /// A delivery for the consumer.
    HandOff(HandOff),
    /// The answer to a settle.
    Settled {
        /// The delivery.
        hand: DeliveryId,
        /// The outcome.
        outcome: SettleOutcome,
    },
    /// The secret is wrong, and the connection ends.
    Denied,
    /// The client's settings differ from the broker's, for this reason, and the connection ends.
    Unfit(String),
    /// No more deliveries will come; all of them were sent before this.
    Left,
    /// The group was reset, durably.
    Rewound,
    /// The group cannot be reset to this position, because the log does not have it.
    NotInLog {
        /// The position of the earliest record that was not dropped.
        start: Position,
        /// The position after the last record.
        end: Position,
    },
}

impl ToBroker {
    /// The name of the message in the tables above.
    pub fn name(&self) -> &'static str {
        match self {
            ToBroker::Hello(_) => "hello",
            ToBroker::Settings { .. } => "settings",
            ToBroker::Register { .. } => "register",
            ToBroker::Publish(_) => "publish",
            ToBroker::Subscribe { .. } => "subscribe",
            ToBroker::Has(_) => "has",
            ToBroker::Settle(_) => "settle",
            ToBroker::Release(_) => "release",
            ToBroker::Reject(_) => "reject",
            ToBroker::Requeue(_) => "requeue",
            ToBroker::Leave => "leave",
            ToBroker::Finished(_) => "finished",
            ToBroker::Rewind(_) => "rewind",
        }
    }

    /// The body of the message's frame.
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
                hands.iter().for_each(|hand| encode_delivery(hand, &mut body));
                encode_positions(has, &mut body);
            }
            ToBroker::Settle(SettleRequest { hand, covers, finishes }) => {
                body.push(4);
                encode_delivery(hand, &mut body);
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
                encode_delivery(hand, &mut body);
            }
            ToBroker::Reject(hand) => {
                body.push(12);
                encode_delivery(hand, &mut body);
            }
            ToBroker::Requeue(record) => {
                body.push(13);
                body.extend(record.encode());
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
            ToBroker::Finished(end) => {
                body.push(9);
                body.extend(end.0.to_le_bytes());
            }
            ToBroker::Rewind(to) => {
                body.push(10);
                body.extend(to.0.to_le_bytes());
            }
            ToBroker::Settings { name, settings } => {
                body.push(11);
                body.push(u8::try_from(name.len()).expect("parties have short names"));
                body.extend(name.as_bytes());
                body.extend(settings.to_text().as_bytes());
            }
        }
        body
    }

    /// Decodes what [`ToBroker::encode`] wrote.
    pub fn decode(body: &[u8]) -> Result<ToBroker, WireError> {
        let mut reader = Reader::new(body);
        let message = match reader.u8()? {
            1 => ToBroker::Register { producer: ProducerId(reader.u32()?), epoch: Epoch(reader.u32()?) },
            2 => {
                let attempt = AttemptNumber(reader.u32()?);
                ToBroker::Publish(Publish { attempt, record: decode_record(&mut reader)? })
            }
            3 => {
                let (consumer, workers) = (ConsumerId(reader.u8()?), reader.u32()?);
                let hands = (0..reader.u32()?).map(|_| decode_delivery(&mut reader)).collect::<Result<_, _>>()?;
                ToBroker::Subscribe { consumer, workers, hands, has: decode_positions(&mut reader)? }
            }
            4 => {
                let hand = decode_delivery(&mut reader)?;
                let covers = match (flag(&mut reader)?, Position(reader.u64()?)) {
                    (false, found) if found != hand.position => {
                        return Err(WireError::OtherPosition { found, leased: hand.position });
                    }
                    (false, position) => Covers::One(position),
                    (true, end) => Covers::Below(end),
                };
                ToBroker::Settle(SettleRequest { hand, covers, finishes: flag(&mut reader)? })
            }
            5 => ToBroker::Release(decode_delivery(&mut reader)?),
            12 => ToBroker::Reject(decode_delivery(&mut reader)?),
            13 => ToBroker::Requeue(decode_record(&mut reader)?),
            6 => ToBroker::Has(decode_positions(&mut reader)?),
            7 => ToBroker::Hello(Secret::new(reader.rest())),
            8 => ToBroker::Leave,
            9 => ToBroker::Finished(Position(reader.u64()?)),
            10 => ToBroker::Rewind(Position(reader.u64()?)),
            11 => {
                let length = reader.u8()?.into();
                let (name, text) = reader.rest().split_at_checked(length).ok_or(WireError::Settings)?;
                let name = String::from_utf8(name.to_vec()).ok().filter(|name| is_printable(name));
                let (name, settings) = name.zip(Settings::from_text(text)).ok_or(WireError::Settings)?;
                ToBroker::Settings { name, settings }
            }
            found => return Err(DecodeError::Tag { of: "message to the broker", offset: 0, found }.into()),
        };
        reader.end()?;
        Ok(message)
    }
}

impl FromBroker {
    /// The body of the message's frame.
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
                encode_delivery(hand, &mut body);
                body.push(consumer.0);
                body.extend(generation.0.to_le_bytes());
                // Deliveries count from 1; 0 means that this one was not counted.
                body.extend(delivery.map_or(0, |delivery| delivery.0).to_le_bytes());
                body.extend(record.encode());
            }
            FromBroker::Committed(positions) => {
                body.push(5);
                encode_positions(positions, &mut body);
            }
            FromBroker::Settled { hand, outcome } => {
                body.push(4);
                encode_delivery(hand, &mut body);
                body.push(match outcome {
                    SettleOutcome::Ok => 0,
                    SettleOutcome::Refused => 1,
                    SettleOutcome::Unknown => 2,
                });
            }
            FromBroker::Denied => body.push(6),
            FromBroker::Left => body.push(7),
            FromBroker::Rewound => body.push(8),
            FromBroker::NotInLog { start, end } => {
                body.push(9);
                body.extend(start.0.to_le_bytes());
                body.extend(end.0.to_le_bytes());
            }
            FromBroker::Unfit(reason) => {
                body.push(10);
                body.extend(reason.as_bytes());
            }
        }
        body
    }

    /// Decodes what [`FromBroker::encode`] wrote.
    pub fn decode(body: &[u8]) -> Result<FromBroker, DecodeError> {
        let mut reader = Reader::new(body);
        let message = match reader.u8()? {
            1 => FromBroker::Registered,
            2 => {
                let (message, attempt) = (MessageId(reader.u64()?), AttemptNumber(reader.u32()?));
                FromBroker::Reply(Reply { message, attempt, verdict: decode_verdict(&mut reader)? })
            }
            3 => {
                let hand = decode_delivery(&mut reader)?;
                let (consumer, generation) = (ConsumerId(reader.u8()?), Generation(reader.u32()?));
                let delivery = Some(reader.u32()?).filter(|number| *number > 0).map(DeliveryNumber);
                let record = Record::decode(reader.rest())?;
                FromBroker::HandOff(HandOff { hand, consumer, generation, delivery, record })
            }
            4 => FromBroker::Settled { hand: decode_delivery(&mut reader)?, outcome: decode_outcome(&mut reader)? },
            5 => FromBroker::Committed(decode_positions(&mut reader)?),
            6 => FromBroker::Denied,
            7 => FromBroker::Left,
            8 => FromBroker::Rewound,
            9 => FromBroker::NotInLog { start: Position(reader.u64()?), end: Position(reader.u64()?) },
            // The reason is printed for people, so control characters are replaced.
            10 => FromBroker::Unfit(String::from_utf8_lossy(reader.rest()).replace(char::is_control, "?")),
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

fn encode_delivery(hand: &DeliveryId, body: &mut Vec<u8>) {
    body.extend(hand.position.0.to_le_bytes());
    body.extend(hand.lease.incarnation.to_le_bytes());
    body.extend(hand.lease.number.to_le_bytes());
}

fn decode_record(reader: &mut Reader<'_>) -> Result<Record, WireError> {
    let record = Record::decode(reader.rest())?;
    match record.payload.len() {
        found if found > PAYLOAD_MAX => Err(WireError::PayloadTooLong { found }),
        _ => Ok(record),
    }
}

fn decode_delivery(reader: &mut Reader<'_>) -> Result<DeliveryId, DecodeError> {
    let position = Position(reader.u64()?);
    Ok(DeliveryId { position, lease: Lease { incarnation: reader.u32()?, number: reader.u32()? } })
}

/// Encodes positions as ranges, so that a long history with few gaps is short. At most [`RUNS_MAX`] ranges are
/// encoded.
fn encode_positions(positions: &Positions, body: &mut Vec<u8>) {
    for (start, end) in positions.runs().take(RUNS_MAX) {
        body.extend(start.0.to_le_bytes());
        body.extend(end.0.to_le_bytes());
    }
}

/// Decodes ranges up to the end of the body. An empty or reversed range adds nothing.
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
