//! Retries of what is under way: they join the first attempt on their way in, and are told what it is told.
//!
//! A producer that waits too briefly for a slow disk, or comes back over a new connection, sends again what the broker
//! is about to confirm. Such a retry never reaches the loop. The attempt that leads carries a [`Handle`]: wherever it is
//! dropped without a reply (its connection is gone, its incarnation crashed), the next one that joined leads in its place.
//!
//! Architecture Invariant: attempts of different epochs never join each other. Whether an older epoch may still store is
//! for fencing to decide, and a newer one must not be refused along with it.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use delivery_model::pipeline::{self, Acks, Dedup};
use delivery_model::vocab::Epoch;

use super::Input;
use crate::core::broker::Peer;
use crate::data::record::{Identity, Publish, Reply};
use crate::driver::wire::ToBroker;
use crate::shared::handle::Handle;
use crate::shared::in_flight::{Entered, InFlight};

/// By what attempts at the same message are recognised.
type Key = (Identity, Epoch);

/// An attempt, and the connection that it came over.
type Attempt = (u64, Publish);

/// The attempt at this message that leads. Settled when it has a reply.
pub(super) type Lead = Handle<Key, Box<dyn Fn(Key) + Send + Sync>>;

/// Where attempts come in, from any connection.
#[derive(Clone, Debug)]
pub(super) struct Entrance {
    in_flight: Arc<InFlight<Key, Attempt>>,
    /// Retries are recognised at all, and each attempt gets one reply.
    joins: bool,
    to_broker: SyncSender<Input>,
}

impl Entrance {
    pub fn new(settings: &pipeline::Broker, to_broker: SyncSender<Input>) -> Entrance {
        let joins = settings.dedup != Dedup::None && settings.acks == Acks::AfterSync;
        Entrance { in_flight: Arc::default(), joins, to_broker }
    }

    /// What the loop is to hear of an attempt; nothing if it joined another.
    pub fn admit(&self, connection: u64, publish: Publish) -> Option<Input> {
        let key = (publish.record.identity, publish.record.epoch);
        if !self.joins || key.0 == Identity::None {
            return Some(Input::Said(connection, ToBroker::Publish(publish)));
        }
        match self.in_flight.enter(key, (connection, publish)) {
            Entered::Leads(attempt) => Some(self.leads(key, attempt)),
            // One too many is lost, as it might be on its way; its producer tries again.
            Entered::Joined | Entered::Full(_) => None,
        }
    }

    /// The leader has a reply: who else is to be told, over which connection.
    pub fn finish(&self, lead: &Lead, reply: Reply) -> impl Iterator<Item = (Peer, Reply)> + use<> {
        lead.settle().expect("an attempt has one reply");
        let joined = self.in_flight.finish(&lead.delivery()).into_iter();
        joined.map(move |(connection, publish)| (Peer(connection), Reply { attempt: publish.attempt, ..reply }))
    }

    fn leads(&self, key: Key, (connection, publish): Attempt) -> Input {
        let entrance = self.clone();
        Input::Leads(connection, publish, Lead::new(key, Box::new(move |key| entrance.pass_on(key))))
    }

    /// The leader is gone without a reply: the next one leads.
    fn pass_on(&self, key: Key) {
        if let Some(next) = self.in_flight.hand_over(&key) {
            // Without waiting for room, as the loop itself may have dropped the leader. What finds none is dropped, and
            // so passes on in turn, until nobody is left.
            let _ = self.to_broker.try_send(self.leads(key, next));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use delivery_model::vocab::{AttemptNumber, MessageId};

    use super::*;
    use crate::data::record::{ProducerId, Record, Session, Verdict};

    fn entrance(settings: &pipeline::Broker) -> (Entrance, Receiver<Input>) {
        let (to_broker, inputs) = sync_channel(2);
        (Entrance::new(settings, to_broker), inputs)
    }

    fn attempt(epoch: u32, attempt: u32) -> Publish {
        let (producer, epoch, message) = (ProducerId(1), Epoch(epoch), MessageId(7));
        let identity = Identity::Sequence { session: Session::default(), number: 3 };
        Publish {
            record: Record { message, identity, producer, epoch, payload: [].into() },
            attempt: AttemptNumber(attempt),
        }
    }

    fn lead(input: Option<Input>) -> (u64, Lead) {
        match input {
            Some(Input::Leads(connection, _, lead)) => (connection, lead),
            _ => panic!("it leads"),
        }
    }

    #[test]
    fn a_retry_is_told_what_the_first_attempt_is_told() {
        let (entrance, _inputs) = entrance(&pipeline::Broker::default());
        let (_, first) = lead(entrance.admit(1, attempt(0, 1)));
        assert!(entrance.admit(1, attempt(0, 2)).is_none());
        assert!(entrance.admit(2, attempt(0, 3)).is_none());
        let reply = Reply { message: MessageId(7), attempt: AttemptNumber(1), verdict: Verdict::Refused };
        let told: Vec<_> = entrance.finish(&first, reply).collect();
        let reply = |attempt| Reply { attempt: AttemptNumber(attempt), ..reply };
        assert_eq!(told, [(Peer(1), reply(2)), (Peer(2), reply(3))]);
        drop(first);
        lead(entrance.admit(1, attempt(0, 4)));
    }

    #[test]
    fn a_retry_leads_when_the_first_attempt_is_dropped() {
        let (entrance, inputs) = entrance(&pipeline::Broker::default());
        let first = entrance.admit(1, attempt(0, 1));
        assert!(entrance.admit(2, attempt(0, 2)).is_none());
        drop(first);
        let (connection, second) = lead(inputs.try_recv().ok());
        assert_eq!(connection, 2);
        assert!(entrance.admit(3, attempt(0, 3)).is_none());
        drop((second, inputs));
        lead(entrance.admit(4, attempt(0, 4)));
    }

    #[test]
    fn attempts_join_where_retries_are_recognised_and_confirmed_once_and_the_epoch_is_the_same() {
        let check = |settings: pipeline::Broker, second: Publish, joins: bool| {
            let (entrance, _inputs) = entrance(&settings);
            let _first = entrance.admit(1, attempt(0, 1));
            assert_eq!(entrance.admit(1, second).is_none(), joins, "{settings:?}");
        };
        let settings = pipeline::Broker::default;
        check(settings(), attempt(0, 2), true);
        check(settings(), attempt(1, 2), false);
        check(pipeline::Broker { dedup: Dedup::None, ..settings() }, attempt(0, 2), false);
        check(pipeline::Broker { acks: Acks::OnReceipt, ..settings() }, attempt(0, 2), false);
        let mut unnamed = attempt(0, 2);
        unnamed.record.identity = Identity::None;
        check(settings(), unnamed, false);
    }
}
