//! What travels and what is stored: a message with its identity, and the bytes of it in the log.
//!
//! Encodings are little-endian and start with a version or tag byte; they carry no checksum, which is the frame's to
//! add (`store/frame.rs`). Decoding is validation: bytes that are too short, too long or carry an unknown tag are an
//! error that says where.

use std::sync::Arc;

use delivery_model::vocab::{AttemptNumber, Epoch, MessageId, Position};

/// The application's bytes. Shared, because a message is held by queue, wire, log and handler at once.
pub type Payload = Arc<[u8]>;

/// A producer that keeps its name across restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u32);

/// What one producer was asked to send. Producers need not know of each other's ids: the same id from two producers
/// names two messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Submission {
    /// Who is to send it.
    pub producer: ProducerId,
    /// The application's id.
    pub message: MessageId,
}

/// Under what name a producer numbers its messages: numbers start anew with every session.
///
/// A producer with an outbox stays in session 0 for ever; one without takes its epoch as session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// Whose.
    pub producer: ProducerId,
    /// Which of its sessions.
    pub session: Epoch,
}

/// By what a message is recognised. The epoch is no part of it: a retry by a later incarnation is the same message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// By nothing.
    None,
    /// By the id that the application gave it, and the session that submitted it.
    Message {
        /// The application's id.
        message: MessageId,
        /// Whose id, submitted when.
        session: Session,
    },
    /// By its number in a session.
    Sequence {
        /// Who numbers.
        session: Session,
        /// Counted from 0.
        number: u64,
    },
}

/// By what a consumer's memory knows a message: its identity, or its position where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An identity other than [`Identity::None`].
    Identity(Identity),
    /// A place in the log.
    Position(Position),
}

/// A message as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The application's id: unique among the messages of its producer, and of no one else.
    pub message: MessageId,
    /// By what it is recognised.
    pub identity: Identity,
    /// Who sends.
    pub producer: ProducerId,
    /// Which incarnation of the producer sent it.
    pub epoch: Epoch,
    /// The application's bytes.
    pub payload: Payload,
}

/// One attempt on its way to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Publish {
    /// What is to be stored.
    pub record: Record,
    /// Which transmission of it this is.
    pub attempt: AttemptNumber,
}

/// What the broker says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// About which message.
    pub message: MessageId,
    /// About which transmission of it.
    pub attempt: AttemptNumber,
    /// What it says.
    pub verdict: Verdict,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Confirmed; with the position, where it is known by then.
    Acked(Option<Position>),
    /// Definitely not stored by this attempt.
    Refused,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes ended too soon.
    #[error("expected {expected} more bytes at offset {offset}, found {found}")]
    Short {
        /// Where.
        offset: usize,
        /// How many the field takes.
        expected: usize,
        /// How many are left.
        found: usize,
    },
    /// A tag that is not in use.
    #[error("unknown tag {found} of {of} at offset {offset}")]
    Tag {
        /// Of what.
        of: &'static str,
        /// Where.
        offset: usize,
        /// What stood there.
        found: u8,
    },
    /// Bytes are left over.
    #[error("{found} bytes are left over at offset {offset}")]
    Long {
        /// Where.
        offset: usize,
        /// How many.
        found: usize,
    },
}

const RECORD_VERSION: u8 = 1;

impl Record {
    /// Whose message it is.
    pub fn submission(&self) -> Submission {
        Submission { producer: self.producer, message: self.message }
    }

    /// Whether nothing in it speaks for another producer, whose messages it could otherwise be taken for.
    pub fn is_of(&self, producer: ProducerId) -> bool {
        let is_identified_so = match self.identity {
            Identity::None => true,
            Identity::Message { session, .. } | Identity::Sequence { session, .. } => session.producer == producer,
        };
        self.producer == producer && is_identified_so
    }

    /// By what a consumer's memory knows it at this position.
    pub fn key(&self, position: Position) -> Key {
        match self.identity {
            Identity::None => Key::Position(position),
            identity => Key::Identity(identity),
        }
    }

    /// The bytes that the log stores.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48 + self.payload.len());
        bytes.push(RECORD_VERSION);
        bytes.extend(self.message.0.to_le_bytes());
        bytes.extend(self.producer.0.to_le_bytes());
        bytes.extend(self.epoch.0.to_le_bytes());
        self.identity.encode(&mut bytes);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Reads what [`Record::encode`] wrote.
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
    /// Appends its bytes.
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
        bytes.extend(session.producer.0.to_le_bytes());
        bytes.extend(session.session.0.to_le_bytes());
        bytes.extend(number.to_le_bytes());
    }

    /// Reads what [`Identity::encode`] wrote.
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
    /// Its bytes, as a store may use them for a key.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(18);
        match self {
            Key::Identity(identity) => {
                bytes.push(1);
                identity.encode(&mut bytes);
            }
            Key::Position(position) => {
                bytes.push(2);
                bytes.extend(position.0.to_le_bytes());
            }
        }
        bytes
    }
}

/// Reads fixed-width fields one after another.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, offset: 0 }
    }

    /// How many bytes were read so far.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// One byte that must be this one.
    pub fn tag(&mut self, of: &'static str, expected: u8) -> Result<(), DecodeError> {
        let offset = self.offset;
        let found = self.u8()?;
        if found == expected { Ok(()) } else { Err(DecodeError::Tag { of, offset, found }) }
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.offset..];
        let Some(bytes) = rest.get(..length) else {
            return Err(DecodeError::Short { offset: self.offset, expected: length, found: rest.len() });
        };
        self.offset += length;
        Ok(bytes)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.offset..];
        self.offset = self.bytes.len();
        rest
    }

    /// Nothing may be left.
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

    /// A store on disk may have these bytes as keys, so they stay as they are.
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
