//! The protocol of PostgreSQL, version 3: a frame is all messages of one step, such as a statement with its values up to
//! `Sync`, or all of its answer up to `ReadyForQuery`. A part of a step alone would be an error of the protocol.
//!
//! A statement that inserts is a publish, one that updates or deletes is a settle; in a transaction, its commit is. A row
//! that is locked by a `SELECT` is a delivery. Left out: COPY, and TLS.

use std::collections::{BTreeMap, VecDeque};

use super::frames::{Frames, Named, Unreadable, Way};
use crate::plan::Role;

/// `SSLRequest` and `GSSENCRequest`: the server answers with one byte.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// A step that waits for its answer.
struct Asked {
    statement: Statement,
    /// Whether the proxy sent it, and not the client.
    is_copy: bool,
}

/// What a statement does for a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Statement {
    Insert,
    Settle,
    Take,
    Commit,
    Rollback,
    Other,
}

/// One connection.
#[derive(Default)]
pub struct Postgres {
    /// The client has asked for encryption, and has no answer yet.
    asks_for_encryption: bool,
    /// The client has said who it is.
    started: bool,
    prepared: BTreeMap<Vec<u8>, Statement>,
    asked: VecDeque<Asked>,
    in_transaction: bool,
    /// What was written in the transaction at work.
    written: Option<Role>,
}

/// A message's type, its body, and its length with both.
type Parts<'a> = (u8, &'a [u8], usize);

/// The first message.
fn message(bytes: &[u8]) -> Result<Option<Parts<'_>>, Unreadable> {
    let Some(&[kind, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length < 4 || !kind.is_ascii_alphanumeric() {
        return Err(Unreadable);
    }
    Ok(bytes.get(5..=length).map(|body| (kind, body, length + 1)))
}

/// The messages of a frame, each with its type and body.
fn messages(mut frame: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, body, length) = message(frame).ok()??;
        frame = &frame[length..];
        Some((kind, body))
    })
}

/// The length of all messages up to the first that is of one of these types.
fn up_to(bytes: &[u8], ends: &[u8]) -> Result<Option<usize>, Unreadable> {
    let mut at = 0;
    while let Some((kind, _, length)) = message(&bytes[at..])? {
        at += length;
        if ends.contains(&kind) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

impl Frames for Postgres {
    fn length(&self, way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable> {
        match way {
            // The first message has no type.
            Way::ToServer if !self.started => {
                let Some(length) = unread.first_chunk() else { return Ok(None) };
                let length = u32::from_be_bytes(*length) as usize;
                if !(8..=10_000).contains(&length) {
                    return Err(Unreadable);
                }
                Ok(Some(length).filter(|&length| length <= unread.len()))
            }
            Way::ToServer => up_to(unread, b"SQXpF"),
            Way::ToClient if self.asks_for_encryption => Ok(Some(1)),
            // What a server says by itself, and while the client signs on, is one message.
            Way::ToClient if self.asked.is_empty() => Ok(message(unread)?.map(|(_, _, length)| length)),
            Way::ToClient => up_to(unread, b"Z"),
        }
    }

    fn named(&mut self, way: Way, frame: &[u8]) -> Named {
        match way {
            Way::ToServer if !self.started => self.first(frame),
            Way::ToServer => self.question(frame),
            Way::ToClient if std::mem::take(&mut self.asks_for_encryption) => Named::new("encryption", None),
            Way::ToClient => self.answer(frame),
        }
    }

    fn passed(&mut self, way: Way, copies: usize) {
        let statement = self.asked.back().map(|asked| asked.statement);
        match (way, copies, statement) {
            (Way::ToServer, 0, _) => drop(self.asked.pop_back()),
            (Way::ToServer, 2, Some(statement)) => self.asked.push_back(Asked { statement, is_copy: true }),
            _ => {}
        }
    }
}

impl Postgres {
    fn first(&mut self, frame: &[u8]) -> Named {
        let code = frame.get(4..8).map(|code| u32::from_be_bytes(code.try_into().expect("four bytes")));
        self.asks_for_encryption = code.is_some_and(|code| ENCRYPTION.contains(&code));
        self.started = !self.asks_for_encryption;
        Named::new(if self.started { "startup" } else { "encryption" }, None)
    }

    fn question(&mut self, frame: &[u8]) -> Named {
        let mut statement = Statement::Other;
        let mut asks = false;
        for (kind, body) in messages(frame) {
            let mut texts = body.split(|&byte| byte == 0);
            match kind {
                b'P' => {
                    let (name, text) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
                    self.prepared.insert(name.to_owned(), Statement::of(text));
                }
                // A portal's name, then that of its statement.
                b'B' => {
                    let name = texts.nth(1).unwrap_or_default();
                    statement = self.prepared.get(name).copied().unwrap_or(Statement::Other);
                }
                b'Q' => (statement, asks) = (Statement::of(texts.next().unwrap_or_default()), true),
                b'S' | b'F' => asks = true,
                _ => {}
            }
        }
        if asks {
            self.asked.push_back(Asked { statement, is_copy: false });
        }
        let writes = match statement {
            Statement::Insert => Some(Role::Publish),
            Statement::Settle => Some(Role::Settle),
            _ => None,
        };
        if self.in_transaction && statement != Statement::Commit {
            self.written = writes.or(self.written);
            return Named::new(statement.name(), None);
        }
        Named::new(statement.name(), if statement == Statement::Commit { self.written } else { writes })
    }

    fn answer(&mut self, frame: &[u8]) -> Named {
        let Some(Asked { statement, is_copy }) = self.asked.pop_front() else { return Named::new("message", None) };
        let (mut rows, mut errors) = (false, false);
        for (kind, body) in messages(frame) {
            match kind {
                b'D' => rows = true,
                b'E' => errors = true,
                b'Z' => self.in_transaction = body.first().is_some_and(|&state| state != b'I'),
                _ => {}
            }
        }
        let role = match statement {
            Statement::Insert if !self.in_transaction => Some(Role::PublishAck),
            Statement::Settle if !self.in_transaction => Some(Role::SettleAck),
            Statement::Commit if self.written == Some(Role::Publish) => Some(Role::PublishAck),
            Statement::Commit if self.written == Some(Role::Settle) => Some(Role::SettleAck),
            Statement::Take if rows => Some(Role::Delivery),
            _ => None,
        };
        if !self.in_transaction {
            self.written = None;
        }
        let name = format!("answer to {}", statement.name());
        Named { swallowed: is_copy, role: role.filter(|_| !is_copy && !errors), ..Named::new(name, None) }
    }
}

impl Statement {
    fn of(text: &[u8]) -> Statement {
        let text = String::from_utf8_lossy(text).to_uppercase();
        match text.split_whitespace().next() {
            Some("INSERT") => Statement::Insert,
            Some("UPDATE" | "DELETE") => Statement::Settle,
            Some("SELECT") if text.contains("FOR UPDATE") => Statement::Take,
            Some("COMMIT" | "END") => Statement::Commit,
            Some("ROLLBACK" | "ABORT") => Statement::Rollback,
            _ => Statement::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Statement::Insert => "INSERT",
            Statement::Settle => "UPDATE",
            Statement::Take => "SELECT FOR UPDATE",
            Statement::Commit => "COMMIT",
            Statement::Rollback => "ROLLBACK",
            Statement::Other => "step",
        }
    }
}
