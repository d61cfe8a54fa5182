//! A connection that speaks MQTT 3.1.1, and sends nothing that it was not asked to send.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use mqttbytes::Error;
use mqttbytes::v4::{Connect, ConnectReturnCode, Packet, PingReq, read};

use crate::address::Address;
use crate::clock::Deadline;
use crate::product::Broken;
use crate::stream::fill;

/// No packet of an audit is larger, in bytes.
const PACKET_MAX: usize = 4096;

/// What a broker keeps for a client between its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Nothing; what it had is removed.
    Clean,
    /// Subscriptions and unfinished deliveries.
    Kept,
}

/// A connection after its CONNACK.
pub struct Connection {
    stream: TcpStream,
    unread: BytesMut,
    /// Packets that came while another one was waited for.
    arrived: VecDeque<Packet>,
    answer: Duration,
}

impl Connection {
    /// Connects under this client id. Answers are waited for as long as `answer` says. Returns whether the broker had a
    /// session, too.
    pub fn open(address: &Address, id: &str, session: Session, answer: Duration) -> Result<(Connection, bool), Broken> {
        let stream = address.connect(answer).map_err(Broken::by)?;
        let mut connection = Connection { stream, unread: BytesMut::new(), arrived: VecDeque::new(), answer };
        let mut connect = Connect::new(id);
        connect.clean_session = session == Session::Clean;
        // No packet is sent to keep the connection alive: each is part of what is audited.
        connect.keep_alive = 0;
        if let Some((user, password)) = address.user() {
            connect.set_login(user, password);
        }
        connection.send(|buffer| connect.write(buffer))?;
        let connack = connection.await_packet(|packet| match packet {
            Packet::ConnAck(connack) => Some(connack.clone()),
            _ => None,
        })?;
        match connack.code {
            ConnectReturnCode::Success => Ok((connection, connack.session_present)),
            other => Err(Broken(format!("the broker refuses the connection: {other:?}"))),
        }
    }

    /// Sends what this writes.
    pub fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<usize, Error>) -> Result<(), Broken> {
        let mut buffer = BytesMut::new();
        write(&mut buffer).map_err(|error| Broken(format!("{error:?}")))?;
        self.stream.write_all(&buffer).map_err(Broken::by)
    }

    /// The next packet, if one comes in time.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Broken> {
        match self.arrived.pop_front() {
            Some(packet) => Ok(Some(packet)),
            None => self.read(Deadline::after(wait)),
        }
    }

    /// Waits for the packet of which this makes something. Others are kept for [`next`](Connection::next).
    pub fn await_packet<T>(&mut self, wanted: impl Fn(&Packet) -> Option<T>) -> Result<T, Broken> {
        if let Some((place, found)) = self.arrived.iter().enumerate().find_map(|(at, it)| Some((at, wanted(it)?))) {
            self.arrived.remove(place);
            return Ok(found);
        }
        let deadline = Deadline::after(self.answer);
        while let Some(packet) = self.read(deadline)? {
            match wanted(&packet) {
                Some(found) => return Ok(found),
                None => self.arrived.push_back(packet),
            }
        }
        Err(Broken("no answer in time".to_owned()))
    }

    /// Waits until the broker has handled all that was sent: it handles a connection's packets in order, and answers this
    /// one.
    pub fn ping(&mut self) -> Result<(), Broken> {
        self.send(|buffer| PingReq.write(buffer))?;
        self.await_packet(|packet| (*packet == Packet::PingResp).then_some(()))
    }

    /// The number of messages that came and were not taken.
    pub fn arrived(&self) -> u64 {
        self.arrived.iter().filter(|packet| matches!(packet, Packet::Publish(_))).count() as u64
    }

    fn read(&mut self, deadline: Deadline) -> Result<Option<Packet>, Broken> {
        loop {
            match read(&mut self.unread, PACKET_MAX) {
                Ok(packet) => return Ok(Some(packet)),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(Broken(format!("no packet of MQTT: {error:?}"))),
            }
            if !fill::<PACKET_MAX>(&mut self.stream, &mut self.unread, deadline)? {
                return Ok(None);
            }
        }
    }
}
