//! RabbitMQ, by AMQP 0.9.1: one durable queue on one node, publisher confirms, `basic.get` one message at a time.
//!
//! `basic.ack` of a publish is the ack; a publish that is returned as unroutable is refused. RabbitMQ recognises no retry
//! and gives no positions, so each attempt has a number of its own, as its message id.
//!
//! A settle is `basic.ack`, which nothing in AMQP answers, and which the channel hands to the queue without waiting. So
//! the `basic.get` of the next message follows it, and its reply confirms the settle: a queue handles both in order. With a
//! quorum queue both are entries of its log, and the reply comes once the log is synced as far as the second. A classic
//! queue has taken the ack into its memory, and writes it a little later. An answer of the channel alone, such as that of
//! `basic.qos`, would say less: it comes before the queue has seen the ack.
//!
//! The messages that wait are those that are ready. AMQP does not tell how many are unacknowledged: the consumer that asks
//! has none, and those of a connection that ended are ready again when the broker has noticed its end.
//!
//! The queue is not new: the node that declared it has been shut down since, and each round begins with a copy of its data.
//! The setting `quorum-new` differs. A quorum queue whose node is killed within a second of its declaration never gets a
//! leader again, which would hide all else.
//!
//! A node takes several seconds to start, so a round takes as long at least, and twice that where the node is killed.

mod clients;
mod node;

use std::sync::Arc;

use self::clients::{Queue, Reach};
use self::node::{Node, programs};
use crate::address::{Address, Scheme};
use crate::place::{Place, free_port};
use crate::plan::Patience;
use crate::product::{Broker, Client, Missing, Product, QUEUE, Setting, Trouble};
use crate::proxy::{NewFrames, amqp};
use crate::server::Server;

/// A limit on deliveries that a round can reach; the default is none up to 3.x, and 20 since 4.0.
const LIMIT: u32 = 5;

const CLASSIC: &str = "classic";
const QUORUM: &str = "quorum";
const QUORUM_LIMIT: &str = "quorum-limit";
const QUORUM_NEW: &str = "quorum-new";
const TRANSIENT: &str = "classic-transient";

const SETTINGS: &[Setting] = &[
    Setting { name: CLASSIC, means: "durable classic queue; persistent messages (delivery_mode 2); confirms" },
    Setting { name: QUORUM, means: "x-queue-type quorum, 1 replica; default delivery limit; confirms" },
    Setting { name: QUORUM_LIMIT, means: "x-queue-type quorum, 1 replica; x-delivery-limit 5; confirms" },
    Setting { name: QUORUM_NEW, means: "as quorum, but the queue is declared when the round begins, not long before" },
    Setting { name: TRANSIENT, means: "durable classic queue; transient messages (delivery_mode 1); confirms" },
];

const SCHEME: Scheme = Scheme { word: "amqp", port: 5672 };

/// What clients decide.
const AS_FOUND: &[Setting] = &[
    Setting { name: CLASSIC, means: "durable classic queue; persistent messages; confirms; the server's own settings" },
    Setting { name: QUORUM, means: "x-queue-type quorum; confirms; the server's own settings" },
    Setting { name: QUORUM_LIMIT, means: "x-queue-type quorum; x-delivery-limit 5; the server's own settings" },
    Setting { name: TRANSIENT, means: "durable classic queue; transient messages; the server's own settings" },
];

/// The product.
pub struct RabbitMq;

impl Product for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn is_usual(&self, setting: &Setting) -> bool {
        matches!(setting.name, CLASSIC | QUORUM)
    }

    fn version(&self) -> Result<String, Missing> {
        let programs = programs()?;
        // Asking the program takes a virtual machine and a second; each version has a directory that is named after it.
        let parts = programs.server.components().filter_map(|part| part.as_os_str().to_str());
        let version = parts.rev().find_map(|part| part.strip_prefix("rabbitmq_server-"));
        Ok(version.unwrap_or("of an unknown version").to_owned())
    }

    fn broker(&self, setting: &Setting, place: Place, patience: Patience) -> Result<Box<dyn Broker>, Trouble> {
        let port = free_port()?;
        let node = Node::new(port)?;
        let launch = node.launch(&place.data, &place.logs)?;
        let address = Address::local(SCHEME, port);
        let client = self.client(setting, &address, QUEUE, patience)?;
        let is_new = setting.name == QUORUM_NEW;
        node.make_once(&place, setting.name, &*client, || if is_new { Ok(()) } else { client.declare() })?;
        Ok(Box::new(Server::new(launch, place, address, client)?))
    }

    fn scheme(&self) -> Scheme {
        SCHEME
    }

    fn frames(&self) -> Option<NewFrames> {
        Some(|| Box::<amqp::Amqp>::default())
    }

    fn as_found(&self) -> &'static [Setting] {
        AS_FOUND
    }

    fn numbers_records(&self) -> bool {
        false
    }

    fn client(
        &self,
        setting: &Setting,
        address: &Address,
        queue: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Client>, Trouble> {
        let queue = Queue {
            name: queue.to_owned(),
            is_quorum: [QUORUM, QUORUM_LIMIT, QUORUM_NEW].contains(&setting.name),
            delivery_limit: (setting.name == QUORUM_LIMIT).then_some(LIMIT),
            keeps_messages: setting.name != TRANSIENT,
        };
        Ok(Arc::new(Reach::new(address.clone().or("guest", Some("guest"), "%2f"), queue, patience.answer)))
    }
}
