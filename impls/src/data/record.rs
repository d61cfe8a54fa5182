//! Records: a message with its identity, and its encoding in the log.
//!
//! Encodings are little-endian and start with a version or tag byte. They have no checksum; the frame adds it
//! (`store/frame.rs`). Decoding is validation: bytes that are too short, too long or have an unknown tag are an error
//! that says where.

use delivery_model::vocab::{AttemptNumber, Epoch, MessageId, Position};

pub use super::payload::Payload;

/// The id of a producer, the same after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u32);

/// A message of one producer. Producers do not know each other's message ids: the same id from two producers names
/// two messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Submission {
    /// The producer that sends it.
    pub producer: ProducerId,
    /// The message id of the application.
    pub message: MessageId,
}

/// The session in which a producer numbers its messages: numbers start from 0 in every session.
///
/// A producer with an outbox stays in session 0. One without an outbox uses its epoch as the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// The producer.
    pub producer: ProducerId,
    /// The number of the session.
    pub session: Epoch,
}

/// The identity by which a message is recognised. The epoch is no part of it: a retry by a later incarnation is the
/// same message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// No identity.
    None,
    /// The message id of the application, and the session that submitted it.
    Message {
        /// The message id of the application.
        message: MessageId,
        /// The session that submitted it.
        session: Session,
    },
    /// The sequence number in a session.
    Sequence {
        /// The session.
        session: Session,
        /// The number, counted from 0.
        number: u64,
    },
}

/// The key by which a consumer's inbox knows a message: its identity, or its position if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An identity other than [`Identity::None`].
    Identity(Identity),
    /// A position of the log.
    Position(Position),
}

/// A message as the log stores it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The message id of the application, unique among the messages of its producer only.
    pub message: MessageId,
    /// The identity by which a retry is recognised.
    pub identity: Identity,
    /// The producer that sent it.
    pub producer: ProducerId,
    /// The incarnation of the producer that sent it.
    pub epoch: Epoch,
    /// The payload of the message.
    pub payload: Payload,
}

/// An attempt: one transmission of a message to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Publish {
    /// The record to store.
    pub record: Record,
    /// The number of the attempt, counted from 1.
    pub attempt: AttemptNumber,
}

/// The broker's reply to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The message.
    pub message: MessageId,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// Whether it was acked or refused.
    pub verdict: Verdict,
}

/// The verdict of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Acked, with the position if it is known by then.
    Acked(Option<Position>),
    /// Refused: this attempt is definitely not stored.
    Refused,
}

/// The reason why bytes cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes ended too soon.
    #[error("expected {expected} more bytes at offset {offset}, found {found}")]
    Short {
        /// The offset of the field.
        offset: usize,
        /// The size of the field, in bytes.
        expected: usize,
        /// The number of bytes that are left.
        found: usize,
    },
    /// A tag has an unknown value.
    #[error("unknown tag {found} of {of} at offset {offset}")]
    Tag {
        /// The name of the tag.
        of: &'static str,
        /// The offset of the tag.
        offset: usize,
        /// The value that was found.
        found: u8,
    },
    /// Bytes follow the end of the encoding.
    #[error("{found} bytes are left over at offset {offset}")]
    Long {
        /// The offset of the first of them.
        offset: usize,
        /// The number of them.
        found: usize,
    },
}

const RECORD_VERSION: u8 = 1;

impl Record {
    /// The message, by its producer and its id.
    pub fn submission(&self) -> Submission {
        Submission { producer: self.producer, message: self.message }
    }

    /// Whether producer and session in it are those of this producer. Otherwise it could be taken for a message of
    /// another one.
    pub fn is_of(&self, producer: ProducerId) -> bool {
        let is_identified_so = match self.identity {
            Identity::None => true,
            Identity::Message { session, .. } | Identity::Sequence { session, .. } => session.producer == producer,
        };
        self.producer == producer && is_identified_so
    }

    /// The key of this record at this position.
    pub fn key(&self, position: Position) -> Key {
        match self.identity {
            Identity::None => Key::Position(position),
            identity => Key::Identity(identity),
        }
    }

    /// The encoding that the log stores.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48 + self.payload.len());
        self.encode_into(&mut bytes);
        bytes
    }

    /// Adds the encoding to these bytes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.push(RECORD_VERSION);
        bytes.extend_from_slice(&self.message.0.to_le_bytes());
        bytes.extend_from_slice(&self.producer.0.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.0.to_le_bytes());
        self.identity.encode(bytes);
        bytes.extend_from_slice(&self.payload);
    }

    /// Decodes what [`Record::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.tag("record version", RECORD_VERSION)?;
        let message = MessageId(reader.u64()?);
        let producer = ProducerId(reader.u32()?);
        let epoch = Epoch(reader.u32()?);
        let identity = Identity::decode(&mut reader)?;
        Ok(Record { message, identity, producer, epoch, payload: reader.rest().into() })
    }
}

impl Identity {
    /// Its sequence number, if it has one.
    pub fn number(&self) -> Option<u64> {
        match *self {
            Identity::Sequence { number, .. } => Some(number),
            Identity::None | Identity::Message { .. } => None,
        }
    }

    /// Appends the encoding of the identity.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let (tag, session, number) = match *self {
            Identity::None => {
                bytes.push(0);
                return;
            }
            Identity::Message { message, session } => (1, session, message.0),
            Identity::Sequence { session, number } => (2, session, number),
        };
        bytes.push(tag);
        bytes.extend_from_slice(&session.producer.0.to_le_bytes());
        bytes.extend_from_slice(&session.session.0.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Decodes what [`Identity::encode`] wrote.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Identity, DecodeError> {
        let offset = reader.offset;
        let tag = reader.u8()?;
        if tag == 0 {
            return Ok(Identity::None);
        }
        let session = Session { producer: ProducerId(reader.u32()?), session: Epoch(reader.u32()?) };
        let number = reader.u64()?;
        match tag {
            1 => Ok(Identity::Message { message: MessageId(number), session }),
            2 => Ok(Identity::Sequence { session, number }),
            found => Err(DecodeError::Tag { of: "identity", offset, found }),
        }
    }
}

impl Key {
    /// The encoding of the key, for use as a key of a store.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(18);
        self.encode_into(&mut bytes);
        bytes
    }

    /// Adds the encoding to these bytes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        match self {
            Key::Identity(identity) => {
                bytes.push(1);
                identity.encode(bytes);
            }
            Key::Position(position) => {
                bytes.push(2);
                bytes.extend(position.0.to_le_bytes());
            }
        }
    }

    /// Decodes what [`Key::encode_into`] wrote.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Key, DecodeError> {
        let offset = reader.offset();
        match reader.u8()? {
            1 => Identity::decode(reader).map(Key::Identity),
            2 => reader.u64().map(|position| Key::Position(Position(position))),
            found => Err(DecodeError::Tag { of: "key", offset, found }),
        }
    }
}

/// A reader of fixed-width fields, one after another.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, offset: 0 }
    }

    /// The number of bytes that were read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of bytes that are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Reads four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads one byte, which must have this value.
    pub fn tag(&mut self, of: &'static str, expected: u8) -> Result<(), DecodeError> {
        let offset = self.offset;
        let found = self.u8()?;
        if found == expected { Ok(()) } else { Err(DecodeError::Tag { of, offset, found }) }
    }

    /// Reads `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.offset..];
        let Some(bytes) = rest.get(..length) else {
            return Err(DecodeError::Short { offset: self.offset, expected: length, found: rest.len() });
        };
        self.offset += length;
        Ok(bytes)
    }

    /// Reads all bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.offset..];
        self.offset = self.bytes.len();
        rest
    }

    /// Checks that no byte is left.
    pub fn end(&self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.offset {
            0 => Ok(()),
            found => Err(DecodeError::Long { offset: self.offset, found }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let field = self.bytes(N)?.first_chunk().expect("as many bytes as were asked for");
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> impl Strategy<Value = Session> {
        (any::<u32>(), any::<u32>()).prop_map(|(p, s)| Session { producer: ProducerId(p), session: Epoch(s) })
    }

    fn identity() -> impl Strategy<Value = Identity> {
        prop_oneof![
            Just(Identity::None),
            (any::<u64>(), session()).prop_map(|(m, session)| Identity::Message { message: MessageId(m), session }),
            (any::<u64>(), session()).prop_map(|(number, session)| Identity::Sequence { session, number }),
        ]
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was_written(
            message: u64, producer: u32, epoch: u32, identity in identity(), payload: Vec<u8>,
        ) {
            let record = Record {
                message: MessageId(message), identity, producer: ProducerId(producer), epoch: Epoch(epoch),
                payload: payload.into(),
            };
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes: Vec<u8>) {
            if let Ok(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }

    #[test]
    fn errors_say_where() {
        let check = |bytes: &[u8], expected| assert_eq!(Record::decode(bytes), Err(expected));
        check(&[], DecodeError::Short { offset: 0, expected: 1, found: 0 });
        check(&[9], DecodeError::Tag { of: "record version", offset: 0, found: 9 });
        check(&[1, 0, 0], DecodeError::Short { offset: 1, expected: 8, found: 2 });
        let mut bytes = vec![1; 17];
        bytes.extend([7; 17]);
        check(&bytes, DecodeError::Tag { of: "identity", offset: 17, found: 7 });
    }

    /// A store on disk may have these bytes as keys, so the encoding must not change.
    #[test]
    fn a_key_is_a_tag_and_an_identity_or_a_position() {
        let check = |key: Key, expected: &[u8]| assert_eq!(key.encode(), expected, "{key:?}");
        let session = Session { producer: ProducerId(3), session: Epoch(4) };
        let message = Identity::Message { message: MessageId(5), session };
        let sequence = Identity::Sequence { session, number: 5 };
        check(Key::Position(Position(258)), &[2, 2, 1, 0, 0, 0, 0, 0, 0]);
        check(Key::Identity(message), &[1, 1, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
        check(Key::Identity(sequence), &[1, 2, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_reader_knows_how_far_it_is() {
        let mut reader = Reader::new(&[7; 16]);
        assert_eq!(reader.offset(), 0);
        assert_eq!((reader.u8(), reader.offset()), (Ok(7), 1));
        assert_eq!((reader.u32(), reader.offset()), (Ok(0x0707_0707), 5));
        assert_eq!((reader.u64().is_ok(), reader.offset()), (true, 13));
        assert_eq!(reader.u64(), Err(DecodeError::Short { offset: 13, expected: 8, found: 3 }));
        assert_eq!(reader.end(), Err(DecodeError::Long { offset: 13, found: 3 }));
        assert_eq!((reader.rest(), reader.offset(), reader.end()), (&[7; 3][..], 16, Ok(())));
    }

    #[test]
    fn a_record_is_of_a_producer_whom_nothing_in_it_contradicts() {
        let check = |sender, identity, expected| {
            let (message, epoch, payload) = (MessageId(5), Epoch(0), Payload::from([]));
            let record = Record { message, identity, producer: ProducerId(sender), epoch, payload };
            assert_eq!(record.is_of(ProducerId(3)), expected, "{record:?}");
        };
        let session = |producer| Session { producer: ProducerId(producer), session: Epoch(0) };
        let id = |producer| Identity::Message { message: MessageId(5), session: session(producer) };
        let sequence = |producer| Identity::Sequence { session: session(producer), number: 0 };
        for (sender, named, expected) in [(3, 3, true), (3, 4, false), (4, 3, false), (4, 4, false)] {
            check(sender, id(named), expected);
            check(sender, sequence(named), expected);
        }
        check(3, Identity::None, true);
        check(4, Identity::None, false);
    }
}
