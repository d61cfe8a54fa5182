//! Redis Streams: one stream, one consumer group.
//!
//! `XADD` is a publish, and its reply the ack; Redis recognises no retry. `XREADGROUP` is a delivery, `XACK` a settle. A new
//! incarnation of the consumer has the old one's name, and reads its pending entries first: these are marked, because they
//! are read as such.

use std::sync::Arc;
use std::time::Duration;

use redis::streams::StreamReadReply;
use redis::{Connection, FromRedisValue, RedisError, Value, cmd};
use rustix::process::Signal;

use crate::address::{Address, Scheme};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, said};
use crate::product::{
    Broken, Broker, Client, Delivery, Missing, Product, Published, Publisher, Receiver, Setting, Settled, Trouble,
    body, message,
};
use crate::proxy::{NewFrames, resp};
use crate::server::Server;

const GROUP: &str = "inventory";
const CONSUMER: &str = "consumer-0";

const SCHEME: Scheme = Scheme { word: "redis", port: 6379 };

const SETTINGS: &[Setting] = &[
    Setting { name: "default", means: "save 3600 1 300 100 60 10000; appendonly no" },
    Setting { name: "everysec", means: "appendonly yes; appendfsync everysec" },
    Setting { name: "always", means: "appendonly yes; appendfsync always" },
];

/// The product.
pub struct Redis;

impl Product for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let missing = Missing { what: "redis-server".to_owned(), install: "apt-get install redis-server" };
        let said = said("redis-server", &[], "--version").ok_or_else(|| missing.clone())?;
        let word = said.split_whitespace().find_map(|word| word.strip_prefix("v="));
        word.map(str::to_owned).ok_or(missing)
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let port = free_port()?;
        let data = place.data.to_string_lossy().into_owned();
        let mut arguments: Vec<String> =
            ["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir", &data, "--daemonize", "no"]
                .map(str::to_owned)
                .into();
        let words: &[&str] = match setting.name {
            "everysec" => &["--appendonly", "yes", "--appendfsync", "everysec"],
            "always" => &["--appendonly", "yes", "--appendfsync", "always"],
            _ => &["--save", "3600 1 300 100 60 10000", "--appendonly", "no"],
        };
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        let launch = Launch { program: "redis-server".into(), arguments, user: None, farewell: Signal::KILL };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn frames(&self) -> Option<NewFrames> {
        Some(|| Box::<resp::Resp>::default())
    }

    fn client(
        &self,
        _setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        Ok(Arc::new(Reach { address: address.clone(), stream: queue.to_owned(), answer: patience.answer }))
    }
}

struct Reach {
    address: Address,
    stream: String,
    answer: Duration,
}

impl Reach {
    fn connect(&self) -> Result<Connection, Broken> {
        let client = redis::Client::open(self.address.url()).map_err(Broken::by)?;
        let connection = client.get_connection_with_timeout(self.answer).map_err(Broken::by)?;
        connection.set_read_timeout(Some(self.answer)).map_err(Broken::by)?;
        connection.set_write_timeout(Some(self.answer)).map_err(Broken::by)?;
        Ok(connection)
    }

    /// The group as Redis describes it; none where it is gone.
    fn group(&self, connection: &mut Connection) -> Result<Option<Group>, Broken> {
        let groups = match cmd("XINFO").arg("GROUPS").arg(&self.stream).query::<Vec<Value>>(connection) {
            Ok(groups) => groups,
            Err(error) if says(&error, "no such key") => return Ok(None),
            Err(error) => return Err(Broken::by(error)),
        };
        let Some(group) = groups.into_iter().next() else { return Ok(None) };
        let map = std::collections::BTreeMap::<String, Value>::from_redis_value(group).map_err(Broken::by)?;
        let field = |name: &str| map.get(name).cloned().unwrap_or(Value::Nil);
        let pending = u64::from_redis_value(field("pending")).map_err(Broken::by)?;
        let last = String::from_redis_value(field("last-delivered-id")).map_err(Broken::by)?;
        Ok(Some(Group { pending, last }))
    }
}

struct Group {
    pending: u64,
    last: String,
}

/// Whether the server answered with these words.
fn says(error: &RedisError, words: &str) -> bool {
    error.detail().is_some_and(|detail| detail.contains(words))
}

impl Client for Reach {
    fn version(&self) -> Result<Option<String>, Broken> {
        let told: String = cmd("INFO").arg("server").query(&mut self.connect()?).map_err(Broken::by)?;
        Ok(told.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|version| version.trim().to_owned()))
    }

    fn remove(&self) -> Result<(), Broken> {
        cmd("DEL").arg(&self.stream).exec(&mut self.connect()?).map_err(Broken::by)
    }

    fn declare(&self) -> Result<(), Broken> {
        let made = cmd("XGROUP").arg(&["CREATE", &self.stream, GROUP, "0", "MKSTREAM"]).exec(&mut self.connect()?);
        match made {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(Broken::by(error)),
            _ => Ok(()),
        }
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        Ok(self.group(&mut self.connect()?)?.is_some())
    }

    fn waiting(&self) -> Result<u64, Broken> {
        let mut connection = self.connect()?;
        let Some(group) = self.group(&mut connection)? else { return Ok(0) };
        let after = format!("({}", group.last);
        let ahead: Vec<Value> =
            cmd("XRANGE").arg(&[&self.stream, &after, "+"]).query(&mut connection).map_err(Broken::by)?;
        Ok(group.pending + ahead.len() as u64)
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        Ok(Box::new(Producing { connection: self.connect()?, stream: self.stream.clone() }))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        let (connection, stream) = (self.connect()?, self.stream.clone());
        Ok(Box::new(Consuming { connection, stream, pending_after: Some("0".to_owned()), at_work: None }))
    }
}

struct Producing {
    connection: Connection,
    stream: String,
}

impl Publisher for Producing {
    fn publish(&mut self, message: u64) -> Published {
        let added = cmd("XADD").arg(&[&self.stream, "*", "body", &body(message)]).query::<String>(&mut self.connection);
        match added {
            Ok(id) => Published::Acked(position(&id)),
            // The server answered, and with a no.
            Err(error) if error.code().is_some() && !error.is_io_error() => Published::Refused(error.to_string()),
            Err(error) => Published::Unknown(error.to_string()),
        }
    }
}

struct Consuming {
    connection: Connection,
    stream: String,
    /// The pending entries of an earlier incarnation are read after this id; none: all are read.
    pending_after: Option<String>,
    at_work: Option<String>,
}

impl Consuming {
    fn read(&mut self, after: &str, wait: Duration) -> Result<Option<(String, u64)>, Broken> {
        let block = wait.as_millis().max(1).to_string();
        let read = ["GROUP", GROUP, CONSUMER, "COUNT", "1", "BLOCK", &block, "STREAMS", &self.stream, after];
        let reply: Option<StreamReadReply> =
            cmd("XREADGROUP").arg(&read).query(&mut self.connection).map_err(Broken::by)?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        let Some(entry) = entries.into_iter().next() else { return Ok(None) };
        let body: String = entry.get("body").ok_or_else(|| Broken("an entry without a body".to_owned()))?;
        Ok(Some((entry.id, message(body.as_bytes())?)))
    }
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        let mut found = None;
        if let Some(after) = self.pending_after.clone() {
            found = self.read(&after, wait)?;
            self.pending_after = found.as_ref().map(|(id, _)| id.clone());
        }
        let marked = found.is_some();
        if found.is_none() {
            found = self.read(">", wait)?;
        }
        Ok(found.map(|(id, message)| {
            let position = position(&id);
            self.at_work = Some(id);
            Delivery { message, position, marked }
        }))
    }

    fn settle(&mut self) -> Settled {
        let Some(id) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        match cmd("XACK").arg(&[&self.stream, GROUP, &id]).query::<u64>(&mut self.connection) {
            Ok(1) => Settled::Confirmed,
            Ok(_) => Settled::Refused("the entry is not pending".to_owned()),
            Err(error) if error.code().is_some() && !error.is_io_error() => Settled::Refused(error.to_string()),
            Err(error) => Settled::Unknown(error.to_string()),
        }
    }
}

/// An entry's id, milliseconds and a sequence number, as one number.
fn position(id: &str) -> Option<u64> {
    let (milliseconds, sequence) = id.split_once('-')?;
    let (milliseconds, sequence) = (milliseconds.parse::<u64>().ok()?, sequence.parse::<u64>().ok()?);
    (sequence < 1 << 20).then_some((milliseconds << 20) | sequence)
}
