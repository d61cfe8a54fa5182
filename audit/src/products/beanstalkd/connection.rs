//! A connection that speaks the protocol of beanstalkd: one line a command, one line an answer, and bytes after some lines.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::address::Address;
use crate::clock::Deadline;
use crate::product::Broken;
use crate::stream::fill;

/// So much is read at once, in bytes.
const READ_MAX: usize = 4096;

/// No answer of an audit has more bytes.
const BYTES_MAX: usize = 65_536;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    answer: Duration,
}

impl Connection {
    /// Connects. Answers are waited for as long as `answer` says.
    pub fn open(address: &Address, answer: Duration) -> Result<Connection, Broken> {
        let stream = address.connect(answer).map_err(Broken::by)?;
        Ok(Connection { stream, unread: Vec::new(), answer })
    }

    /// Sends a command, which is one line or one with bytes after it, and waits for the line that answers it.
    pub fn ask(&mut self, command: &str) -> Result<String, Broken> {
        self.stream.write_all(format!("{command}\r\n").as_bytes()).map_err(Broken::by)?;
        let line = self.line(Deadline::after(self.answer))?;
        String::from_utf8(line).map_err(Broken::by)
    }

    /// The bytes that come after an answer, and a line's end after them.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        if count > BYTES_MAX {
            return Err(Broken(format!("an answer of {count} bytes; at most {BYTES_MAX} are read")));
        }
        let deadline = Deadline::after(self.answer);
        while self.unread.len() < count + 2 {
            self.read(deadline)?;
        }
        let bytes = self.unread.drain(..count).collect();
        self.unread.drain(..2);
        Ok(bytes)
    }

    fn line(&mut self, deadline: Deadline) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = self.unread.drain(..end).collect();
                self.unread.drain(..2);
                return Ok(line);
            }
            if self.unread.len() > BYTES_MAX {
                return Err(Broken(format!("a line of more than {BYTES_MAX} bytes")));
            }
            self.read(deadline)?;
        }
    }

    fn read(&mut self, deadline: Deadline) -> Result<(), Broken> {
        match fill::<READ_MAX>(&mut self.stream, &mut self.unread, deadline)? {
            true => Ok(()),
            false => Err(Broken("no answer in time".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::address::Scheme;

    fn address_of(listener: &TcpListener) -> Address {
        Address::local(Scheme { word: "beanstalk", port: 1 }, listener.local_addr().unwrap().port())
    }

    /// Answers come in pieces, and two at once; each is read to its end and no further.
    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = address_of(&listener);
        let broker = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for piece in ["RESERVED 7 ", "4\r", "\na\r\nb\r\nDELETED\r\n"] {
                stream.write_all(piece.as_bytes()).unwrap();
            }
            stream
        });
        let mut connection = Connection::open(&address, Duration::from_secs(5)).unwrap();
        let _stream = broker.join().unwrap();
        assert_eq!(connection.ask("reserve").unwrap(), "RESERVED 7 4");
        assert_eq!(connection.bytes(4).unwrap(), b"a\r\nb");
        assert_eq!(connection.ask("delete 7").unwrap(), "DELETED");
        assert!(connection.bytes(BYTES_MAX + 1).is_err());
    }

    #[test]
    fn a_broker_that_does_not_answer_is_waited_for_no_longer_than_that() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut connection = Connection::open(&address_of(&listener), Duration::from_millis(20)).unwrap();
        assert_eq!(connection.ask("stats"), Err(Broken("no answer in time".to_owned())));
    }
}
