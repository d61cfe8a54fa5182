//! What the parties say to each other, as the bodies of frames: enough to write a client in another language.
//!
//! # A connection
//!
//! TCP, one connection a client. Each direction is a sequence of frames (see [`frame`](super::frame): magic, version,
//! length, two CRC-32C, then the body). A frame with an empty body is a heartbeat: it means nothing, and keeps a
//! connection alive. The broker sends one whenever it was silent for 3 s; a client does likewise, even while it waits for
//! an answer.
//!
//! A client says `hello` first, with the shared secret or none (where the broker has none, any will do); the broker
//! answers only if it is wrong, with `denied`, and closes. Then the client may say its `settings`, and the broker answers
//! only if they differ from its own: with `unfit`, which names the setting, and closes. A client that says none is not asked
//! for any, and is not compared. Then the client becomes a producer with `register`, or a
//! consumer with `subscribe`, and stays one. Each may follow at once, without waiting for an answer. Whatever else comes, or
//! comes out of turn, ends the connection.
//!
//! | who | may say |
//! |---|---|
//! | who has said nothing | `hello` |
//! | who has said hello | `settings`, `register`, `subscribe` or `rewind` |
//! | a producer | `publish`, in its own name |
//! | a consumer | `settle`, `release`, `has`, `finished`, `leave` |
//!
//! A client closes by closing. The broker, when it stops, closes its sending half, and waits for the client to close.
//!
//! # A producer
//!
//! It waits for `registered`, then sends `publish`, as many ahead of their replies as its pipeline's `in-flight` says.
//! Every `reply` names message and attempt, and replies come in any order. What comes under which settings:
//!
//! * `acks = "after-sync"`: one `reply` to each attempt, once the message is on disk or it is refused. Of attempts at a
//!   message that is under way, each gets its reply when the first one does.
//! * `acks = "on-receipt"`: `acked` at once, without a position, and nothing if it could not be stored after all.
//! * `acks = "never"`: none.
//!
//! No reply for a while (the clients here wait 200 ms): unknown; send it again, under the same identity and the next
//! attempt number (attempts count from 1 for each message). `refused` means that this attempt is not stored: it comes
//! from an older epoch than one that registered, or is numbered past the next number, or the disk is full.
//!
//! The identity must be of the kind that the broker's `dedup` goes by; it recognises nothing by another one, and stores
//! every attempt then.
//!
//! * Sequence numbers count from 0 in each session, by one a message: the next one is stored, an older one confirmed
//!   again, a later one refused. A number belongs to one message for ever; an attempt that gives it to another message is
//!   never answered, or, when the record that has it was dropped, taken for a retry of that one.
//! * A producer that keeps its unfinished messages over restarts uses session 0 for ever, and goes on counting. One that
//!   does not takes its epoch for the session.
//!
//! Epochs count incarnations: a producer that restarts registers a higher one than ever before, and where the broker
//! fences, numbered messages of lower ones are refused from then on. `registered` says that the epoch was noted, not that
//! it is the newest. After a cut a producer connects anew, registers the same epoch, and sends what was not confirmed
//! again. Its id is its alone: when a connection registers an id and an epoch that is no older, the one before is cut off.
//! Message ids need to be unique with one producer only; its id is part of every identity, and a record or an identity in
//! another one's name ends the connection.
//!
//! # A consumer
//!
//! `subscribe` has no answer but `hand off`s, up to `workers` at once (512 at most; 0: none). Each ends with a `settle`
//! that finishes it, answered by `settled`, with a `release`, or with its lease: after 30 s, or with the connection. A
//! position that is not settled by then is handed off again, under another lease; whoever settles under the old one is
//! told `refused`. A settle frees the worker before it is answered, so that the next `hand off` may come before `settled`.
//! A settle without an answer may have happened, or the disk was full: release the hand, and it comes again if it is not
//! settled.
//!
//! There is one consumer at a time. When another connection subscribes, the one before is cut off.
//!
//! Where the pipeline settles single positions (`commits = "each"`, and not `settles = "with-effect"`), the settle's flag
//! is 0, its position the hand's, and `hands`, `has` and `committed` are empty or do not come. Otherwise the consumer
//! follows a cursor: its settles may cover every position below one (no further than the log's end), it says with `has`
//! which positions it has behind it or at work, with `hands` on which it is at work while it subscribes, and is told what
//! is settled or set aside with `committed`. Each of these replaces what was said before; at most 8,192 runs of positions
//! are said, the lowest. A consumer that stores its positions with its effects says with `finished`, now and then, below
//! which one nobody needs the records any more; the broker, which has no other way to know, may drop them.
//!
//! Whoever has said hello and nothing else may reset the group with `rewind`: `rewound` says that everything from that
//! position on is delivered again (durably so, and a consumer that was there was cut off), `not in log` that there is no
//! such position, or no more. A consumer that keeps its own positions winds them back after `rewound`, and subscribes then.
//!
//! Before it goes a consumer says `leave`, finishes what it has until `left` comes, and closes.
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
//! | not reading, with the system's buffers full | 10 to 20 s, or 1,024 frames that wait |
//! | connections | 512; one more is closed at once, and may try again |
//!
//! Who exceeds one, sends what is no frame, no message, or out of turn, is cut off: what was queued for it is written as
//! far as it reads, then the connection closes, without a word about why. The broker tells its operators (on standard
//! error), and goes on serving everybody else. A client that was cut off waits a little longer each time before it comes
//! again.
//!
//! # Bodies
//!
//! A tag of one byte and fields of fixed width, little-endian, without padding.
//!
//! | to the broker | tag | fields |
//! |---|---|---|
//! | `register` | 1 | producer u32, epoch u32 |
//! | `publish` | 2 | attempt u32 (from 1), record |
//! | `subscribe` | 3 | consumer u8 (0), workers u32, count u32, so many hands, positions |
//! | `settle` | 4 | hand, flag (0: this position, 1: every position below it), position u64, flag (1: finishes) |
//! | `release` | 5 | hand |
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
//! | `hand off` | 3 | hand, consumer u8, generation u32 (0), delivery u32 (from 1; 0: not counted), record |
//! | `settled` | 4 | hand, outcome u8 (0 ok, 1 refused, 2 unknown) |
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
//! | hand | position u64, lease: incarnation u32, number u32; said back as it came |
//! | positions | runs up to the end: first u64, first after u64 |
//! | verdict | 0: refused; 1: acked; 2: acked, position u64 |
//! | flag | 0 or 1 |
//!
//! The `settings` are those of a pipeline's three parties, all of them, as UTF-8 without other control characters than the
//! end of each line: `broker.dedup = "sequence"`, the name with its section, and the value as TOML has it. The name is that
//! under which the broker shall speak of the client, such as `consumer-0`. The reason is UTF-8 too, for people.
//!
//! New messages get new tags, and old ones keep their fields: who does not know a message does not say it, and is not told
//! what only its answer could be. A change of another kind would be another version of the frame.
//!
//! A `settle` that does not finish leaves the worker busy: it is for consumers that settle before they handle, and
//! `release` the hand after that.
//!
//! The payload of the order service is its own affair ([`Order`](crate::inventory::Order)): version u8 (1), article
//! u32, quantity u32.
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

/// What a hand-off says besides the payload: its own fields, and those of a record with the longest identity.
const HAND_OFF_HEAD: usize = 26 + 34;
const _: () = assert!(HAND_OFF_HEAD + PAYLOAD_MAX <= BODY_MAX, "what is stored can be handed off");

/// How many runs of positions are said at most, the lowest ones: half of a body. Whoever is not told of a position takes
/// it for not settled, or not there yet, and learns better later.
const RUNS_MAX: usize = BODY_MAX / 2 / 16;

/// Why a body holds nothing that a client may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// It is no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What is stored must fit into a hand-off, or nobody could ever be handed it.
    #[error("a payload of {found} bytes, at most {PAYLOAD_MAX} are allowed")]
    PayloadTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// Settings, or the name of whose they are, that are none.
    #[error("settings that are no lines of `name = value` in printable text, {SETTINGS_MAX} bytes at most")]
    Settings,
    /// A lease gives the right to settle its own position.
    #[error("a settle of position {found} alone, under a lease of position {leased}")]
    OtherPosition {
        /// What it would settle.
        found: Position,
        /// What was handed off.
        leased: Position,
    },
}

/// What a client says to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBroker {
    /// The first message: a peer comes, with the shared secret, or with nothing where none is asked for.
    Hello(Secret),
    /// A peer goes by these settings, and the broker must too.
    Settings {
        /// What it is called.
        name: String,
        /// Which they are.
        settings: Settings,
    },
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
        hands: Vec<DeliveryId>,
        /// As in [`ToBroker::Has`].
        has: Positions,
    },
    /// A consumer that follows a cursor has these positions behind it, settled or not. Replaces what it said before.
    Has(Positions),
    /// A consumer is done.
    Settle(SettleRequest),
    /// A consumer is over with a hand-off without settling it.
    Release(DeliveryId),
    /// A consumer will go: it wants no more hand-offs.
    Leave,
    /// A consumer that keeps its positions with its effects has every position below this one behind it for good: nobody
    /// needs those records any more.
    Finished(Position),
    /// The group is to be reset: this position and all later ones are to be delivered again.
    Rewind(Position),
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
        hand: DeliveryId,
        /// What.
        outcome: SettleOutcome,
    },
    /// The secret is wrong: the connection ends.
    Denied,
    /// The peer's settings are not the broker's, for this reason: the connection ends.
    Unfit(String),
    /// No more hand-offs will come: all of them were sent before this.
    Left,
    /// The group was reset.
    Rewound,
    /// It cannot be reset to where the log has nothing.
    NotInLog {
        /// The earliest record that was not dropped.
        start: Position,
        /// One past the last record.
        end: Position,
    },
}

impl ToBroker {
    /// What it is called in the table above.
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
            ToBroker::Leave => "leave",
            ToBroker::Finished(_) => "finished",
            ToBroker::Rewind(_) => "rewind",
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

    /// Reads what [`ToBroker::encode`] wrote.
    pub fn decode(body: &[u8]) -> Result<ToBroker, WireError> {
        let mut reader = Reader::new(body);
        let message = match reader.u8()? {
            1 => ToBroker::Register { producer: ProducerId(reader.u32()?), epoch: Epoch(reader.u32()?) },
            2 => {
                let attempt = AttemptNumber(reader.u32()?);
                let record = Record::decode(reader.rest())?;
                if record.payload.len() > PAYLOAD_MAX {
                    return Err(WireError::PayloadTooLong { found: record.payload.len() });
                }
                ToBroker::Publish(Publish { attempt, record })
            }
            3 => {
                let (consumer, workers) = (ConsumerId(reader.u8()?), reader.u32()?);
                let hands = (0..reader.u32()?).map(|_| decode_hand(&mut reader)).collect::<Result<_, _>>()?;
                ToBroker::Subscribe { consumer, workers, hands, has: decode_positions(&mut reader)? }
            }
            4 => {
                let hand = decode_hand(&mut reader)?;
                let covers = match (flag(&mut reader)?, Position(reader.u64()?)) {
                    (false, found) if found != hand.position => {
                        return Err(WireError::OtherPosition { found, leased: hand.position });
                    }
                    (false, position) => Covers::One(position),
                    (true, end) => Covers::Below(end),
                };
                ToBroker::Settle(SettleRequest { hand, covers, finishes: flag(&mut reader)? })
            }
            5 => ToBroker::Release(decode_hand(&mut reader)?),
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
            8 => FromBroker::Rewound,
            9 => FromBroker::NotInLog { start: Position(reader.u64()?), end: Position(reader.u64()?) },
            // It is shown to people as it is.
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

fn encode_hand(hand: &DeliveryId, body: &mut Vec<u8>) {
    body.extend(hand.position.0.to_le_bytes());
    body.extend(hand.lease.incarnation.to_le_bytes());
    body.extend(hand.lease.number.to_le_bytes());
}

fn decode_hand(reader: &mut Reader<'_>) -> Result<DeliveryId, DecodeError> {
    let position = Position(reader.u64()?);
    Ok(DeliveryId { position, lease: Lease { incarnation: reader.u32()?, number: reader.u32()? } })
}

/// Positions as their runs, so that a long history with few holes is a short body, and never a longer one than a body
/// may be.
fn encode_positions(positions: &Positions, body: &mut Vec<u8>) {
    for (start, end) in positions.runs().take(RUNS_MAX) {
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
