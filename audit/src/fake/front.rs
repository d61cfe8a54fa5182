//! The fake behind a socket: it speaks as much of Redis's protocol as the audit's client of Redis says. So the proxy, and
//! every fault on the wire, is tested without a server.
//!
//! Its faults are those of the fake. A thread serves each connection; all threads end when the socket is dropped.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clients::Connection;
use super::{FakeBroker, Shared};
use crate::address::{Address, Scheme};
use crate::clock::Deadline;
use crate::product::{body, message};
use crate::proxy::frames::{Frames, Way};
use crate::proxy::resp::{Resp, words};
use crate::trouble::Trouble;

/// A socket at which the fake listens.
pub struct Front {
    port: u16,
    serving: Arc<Serving>,
    acceptor: Option<JoinHandle<()>>,
}

struct Serving {
    shared: Arc<Shared>,
    over: AtomicBool,
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl Front {
    /// Lets this fake listen.
    pub fn of(fake: &FakeBroker) -> Result<Front, Trouble> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Trouble::file("127.0.0.1"))?;
        let port = listener.local_addr().map_err(Trouble::file("127.0.0.1"))?.port();
        let shared = Arc::clone(&fake.shared);
        let serving = Arc::new(Serving { shared, over: AtomicBool::new(false), connections: Mutex::default() });
        let accepting = Arc::clone(&serving);
        let acceptor = thread::spawn(move || accepting.accept(&listener));
        Ok(Front { port, serving, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::local(Scheme { word: "redis", port: self.port }, self.port)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let connections = std::mem::take(&mut *self.serving.lock());
        for (stream, thread) in connections {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }
}

impl Serving {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(TcpStream, JoinHandle<()>)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            let (Ok(kept), Ok(connection)) = (stream.try_clone(), Connection::open(&self.shared)) else { continue };
            let serving = Arc::clone(self);
            let thread = thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let _ = serving.serve(&stream, &connection);
                // The other handle of it would keep it open.
                let _ = stream.shutdown(Shutdown::Both);
            });
            self.lock().push((kept, thread));
        }
    }

    /// Answers requests until the connection ends. None: it ends, because the broker does not answer.
    fn serve(&self, mut stream: &TcpStream, connection: &Connection) -> Option<()> {
        let mut unread = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            while let Ok(Some(length)) = Resp::default().length(Way::ToServer, &unread) {
                let request: Vec<u8> = unread.drain(..length).collect();
                let words: Vec<String> = words(&request)?.iter().map(|it| String::from_utf8_lossy(it).into()).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let answer = self.answer(&words, connection)?;
                stream.write_all(answer.as_bytes()).ok()?;
            }
            let count = stream.read(&mut chunk).ok().filter(|&count| count > 0)?;
            unread.extend_from_slice(&chunk[..count]);
        }
    }

    fn answer(&self, words: &[&str], connection: &Connection) -> Option<String> {
        Some(match words {
            ["XGROUP", ..] => {
                connection.call(|disk| disk.has_queue = true)?;
                "+OK\r\n".to_owned()
            }
            ["XINFO", ..] => match connection.call(|disk| disk.has_queue.then(|| disk.waiting()))? {
                None => "-ERR no such key\r\n".to_owned(),
                Some(waiting) => {
                    format!("*1\r\n*4\r\n$7\r\npending\r\n:{waiting}\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n")
                }
            },
            // All that is not settled is counted as pending.
            ["XRANGE", ..] => "*0\r\n".to_owned(),
            ["XADD", .., text] => {
                let number = message(text.as_bytes()).ok()?;
                match connection.call(|disk| disk.store(number))? {
                    Some(position) => bulk(&id(position)),
                    None => "-ERR no such key\r\n".to_owned(),
                }
            }
            ["XREADGROUP", .., "BLOCK", milliseconds, "STREAMS", stream, after] => {
                let wait = Duration::from_millis(milliseconds.parse().ok()?);
                self.read(stream, after, wait, connection)?
            }
            ["XACK", .., entry] => {
                let at = position(entry)?;
                format!(":{}\r\n", u8::from(connection.call(|disk| disk.settle(at))?))
            }
            ["DEL", ..] => {
                connection.call(|disk| disk.remove())?;
                ":1\r\n".to_owned()
            }
            _ => "+OK\r\n".to_owned(),
        })
    }

    /// The next new entry, where `after` is ">"; else the first one behind it that was handed off and not settled.
    fn read(&self, stream: &str, after: &str, wait: Duration, connection: &Connection) -> Option<String> {
        let end = Deadline::after(wait);
        let head = format!("*1\r\n*2\r\n{}", bulk(stream));
        loop {
            let found = match after {
                ">" => connection.call(|disk| disk.take_new())?,
                "0" => connection.call(|disk| disk.pending(0))?,
                entry => {
                    let behind = position(entry)? + 1;
                    connection.call(|disk| disk.pending(behind))?
                }
            };
            if let Some((message, position)) = found {
                let fields = format!("*2\r\n{}{}", bulk("body"), bulk(&body(message)));
                return Some(format!("{head}*1\r\n*2\r\n{}{fields}", bulk(&id(position))));
            }
            if after != ">" {
                return Some(format!("{head}*0\r\n"));
            }
            if end.has_passed() || self.over.load(Ordering::SeqCst) {
                return Some("*-1\r\n".to_owned());
            }
            let disk = self.shared.lock();
            drop(self.shared.changed.wait_timeout(disk, end.left()));
        }
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// The id of the entry at a position. The first entry cannot have the id 0-0.
fn id(position: u64) -> String {
    format!("{}-0", position + 1)
}

fn position(id: &str) -> Option<u64> {
    id.strip_suffix("-0")?.parse::<u64>().ok()?.checked_sub(1)
}
