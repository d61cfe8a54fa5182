//! Seeded bugs: mistakes that real systems made or that their documents warn of, put in the place of the cores' sound
//! steps. Each is one decision taken wrongly, chosen by value, so that one build holds them all and a check can show that
//! it catches every one.
//!
//! | file | what it has of a bug |
//! |---|---|
//! | here | a row: its name, what it does, where it was seen |
//! | `producer`, `broker`, `consumer` | the step that it takes wrongly |
//! | [`kill_schedules`](crate::simulation::kill_schedules) | the schedule that brings it out, and its twin in the model |
//!
//! A bug in a decision that is no step yet needs the step too, in `impls/src/core/steps` and in its core.

mod broker;
mod consumer;
mod producer;

use delivery_model::vocab::Party;

impl Mutant {
    /// The seeded bug of this name, in capitals or not.
    pub fn named(name: &str) -> Option<Mutant> {
        Mutant::ALL.into_iter().find(|mutant| format!("{mutant:?}").eq_ignore_ascii_case(name))
    }
}

macro_rules! mutants {
    ($($party:ident { $($name:ident: $sentence:literal, $source:literal;)* })*) => {
        /// Which bug the cores have.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            /// No bug.
            #[default]
            None,
            $($(#[doc = concat!(stringify!($party), ": ", $sentence, ". Source: ", $source, ".")] $name,)*)*
        }

        /// How many seeded bugs there are.
        const COUNT: usize = [$($(stringify!($name)),*),*].len();

        impl Mutant {
            /// Every seeded bug.
            pub const ALL: [Mutant; COUNT] = [$($(Mutant::$name),*),*];

            /// What it does, in a sentence without a full stop.
            pub const fn sentence(self) -> &'static str {
                match self {
                    Mutant::None => "no bug",
                    $($(Mutant::$name => $sentence,)*)*
                }
            }

            /// Where it was seen, or what warns of it.
            pub const fn source(self) -> &'static str {
                match self {
                    Mutant::None => "",
                    $($(Mutant::$name => $source,)*)*
                }
            }

            /// Whose decision it is; nobody's, where there is no bug.
            pub const fn party(self) -> Option<Party> {
                match self {
                    Mutant::None => None,
                    $($(Mutant::$name)|* => Some(Party::$party),)*
                }
            }
        }
    };
}

mutants! {
    Producer {
        OutboxRowRemovedOnAttempt: "the outbox row is removed when the message is transmitted, before \
            anything is confirmed",
            "KanishJebaMathewM/Truxify #13133: a relay marks messages as published although the publish failed";
        RowNotWritten: "the message goes out without a row in the outbox, as where database and broker are \
            written one after the other",
            "Kleppmann, Designing Data-Intensive Applications, chapter 11: dual writes";
        RowKept: "the row of a message that is confirmed stays, and the next incarnation sends it again",
            "Particular/docs.particular.net #1816: an outbox sends again what it could not mark as sent";
        TakenUpUnderNewNumber: "a row that a restart finds is sent under a new number",
            "KIP-98: without a transactional.id, idempotence ends with the producer's session";
        NumbersStartAnew: "numbers start again at 0 in a session that goes on",
            "RabbitMQ Streams, message deduplication: ids must go on after a restart";
        AckTakenAsCumulative: "a confirmation is taken for all earlier messages too, as if confirmations were \
            cumulative",
            "RabbitMQ, publisher confirms: the flag multiple says whether they are";
        RetryUnderNewIdentity: "every retry gets an identity of its own",
            "KafkaProducer: what the application sends again cannot be recognised";
        TimeOutTakenForRefusal: "a time-out is reported as a refusal, as if silence were a no",
            "Kleppmann, Designing Data-Intensive Applications, chapter 8: a request without a response may \
            have been handled";
        SilenceTakenForAck: "a time-out is reported as a confirmation",
            "Kafka, acks=0: a record counts as sent as soon as it was handed to the network";
        EpochReused: "the successor of a crashed incarnation takes its epoch",
            "KIP-98: every incarnation bumps the epoch";
        PayloadBufferReused: "an attempt that failed gives its buffer back too early, and the retry carries \
            what was put there since",
            "KAFKA-19012";
        RefusalTakenForAck: "any answer of the broker is taken for a confirmation",
            "symfony/symfony #53229: a negative confirm is swallowed";
        GivesUpOnRefusal: "a refusal ends a message that is to be tried until it is confirmed",
            "RabbitMQ, publisher confirms: a basic.nack is the publisher's to send again";
        GivesUpOnSilence: "a time-out ends a message that is to be tried until it is confirmed",
            "Kafka, delivery.timeout.ms: a send that timed out is the application's to send again";
        WindowIgnored: "more messages are in flight than the settings allow",
            "Kafka, max.in.flight.requests.per.connection: above 1, a retry may change the order";
        RowsReadByPosition: "the rows of the outbox are read by position, so that a row that commits behind a later one \
            is never read",
            "Eventuous/eventuous #222: a number given first and committed last is passed over";
        PositionStoredOnAttempt: "a relay that reads by position stores its position when it transmits, before \
            anything is confirmed",
            "GoogleCloudPlatform/pubsub #174: a relay acks at its source what has not reached Kafka yet";
    }
    Broker {
        AckBeforeSync: "the confirmation goes out when the record is appended, before it is durable",
            "Redis, appendfsync everysec: the last second of confirmed writes may be lost";
        DuplicateAckedBeforeSync: "a duplicate is confirmed at once, although the record it repeats is not \
            durable yet",
            "apache/pulsar #5243: whether a message is a duplicate is uncertain while the first is pending";
        SeenBeforeStored: "a failed write was noted as seen already, so that its retry is taken for a duplicate",
            "apache/pulsar #5218";
        FailedStoreAcked: "an attempt that could not be stored is confirmed",
            "rabbitmq/rabbitmq-server #1893: a publish to a crashed queue was acked";
        OverflowAcked: "a full queue confirms the attempt that it has no room for",
            "rabbitmq/rabbitmq-server #8966: a full queue with reject-publish drops what its transaction confirms";
        GapAccepted: "a sequence number beyond the next one is stored like any other",
            "KIP-98: such a number must be refused";
        WindowOneShort: "the memory of seen messages covers one record less than its window",
            "KAFKA-5494: a memory must be as long as what may be in flight";
        DedupNotRebuilt: "after a restart the memory of seen messages starts empty, whatever the settings say",
            "follows from the setting dedup-on-restart";
        ForgottenTakenForWhole: "a memory that a restart forgot is taken for one that never held anything, so \
            that a session that it does not know must begin at its first number",
            "KIP-360: a producer whose state the broker has lost met errors it could not go on from";
        FencingSkipped: "attempts of older epochs are stored",
            "KIP-98: zombies must be fenced";
        EpochInMemory: "a registered epoch is kept in memory only, so that a restart lets older ones in again",
            "follows from KIP-98: an epoch that fences must be durable before it counts";
        EpochsDropped: "the ledger is compacted without the registered epochs",
            "KAFKA-5490: the log cleaner must keep the last batch of every producer";
        HandsOffUnsynced: "positions are handed off before their records are durable",
            "Kafka, high watermark: what is not replicated is not given to consumers";
        HandOffNotPersisted: "a hand-off that must happen once is recorded in memory only",
            "MQTT 3.1.1, 4.3.3: with QoS 2, the receiver stores the packet identifier";
        CountsDropped: "the ledger is compacted without the counts of hand-offs, so that a restart counts \
            from the beginning",
            "cloudamqp/lavinmq #1911";
        SettleNotPersisted: "a settle is confirmed and kept in memory until the next sync, whatever the \
            settings say",
            "apache/pulsar #22709: acknowledgements were lost in restarts";
        SettleTakenAsCumulative: "a settle is recorded for every earlier position too",
            "RabbitMQ, consumer acknowledgements: the flag multiple";
        CopyUnsynced: "a message that failed is published again and settled, before the copy is durable",
            "spring-attic/spring-cloud-stream-binder-rabbit #310: a message is published again without a confirm, and \
            acked at once";
        PositionIgnored: "a group that has a position begins at the end of the log all the same when its consumer \
            comes again",
            "spring-projects/spring-kafka #110: whoever takes over what was not committed begins at the end";
        LeaseUnchecked: "a stale settle is recorded like any other",
            "nats-io/nats-server #4786";
        LeaseEndsEarly: "a lease is taken for over while its time still runs, so that the settle is refused and the \
            message delivered again",
            "apache/pulsar #3059: unacked messages were sent again with the first of them, and not each at its own end";
        WorkersIgnored: "a consumer is handed more than it has workers for",
            "apache/artemis #3024: the prefetch size was exceeded";
        WorkerNotFreed: "a delivery that has ended still counts as at work, so that nothing more is handed off",
            "apache/pulsar #22657: a consumer stayed blocked although its messages were acknowledged";
        RequeuedAtBack: "what has to be handed off again comes after what was never handed off",
            "RabbitMQ before 2.7.0, release notes: requeued messages lost their place";
        LeaseReused: "a lease that ended under its holder is granted again, so that the old holder has one \
            that is live",
            "Kleppmann, How to do distributed locking: every lock needs a token of its own";
        StaleReleaseFreesLease: "whoever gives an old lease back frees the position for all, although another \
            consumer has it now",
            "Redis, SET with NX: a lock is deleted only by whose value it holds";
        LeasesOfGoneKept: "the leases of a consumer that is gone stay, and its messages with them",
            "Redis Streams, XAUTOCLAIM: what a dead consumer had pending stays until claimed";
        DeadLetterLate: "one delivery more than allowed before a message is set aside",
            "JasperFx/wolverine #4122: a limit counts deliveries, and not redeliveries";
        LimitIgnored: "no limit on deliveries: a message that nobody can handle is handed off for ever",
            "RabbitMQ, classic queues: there is no delivery limit";
        SetAsideDropped: "a message that is set aside is dropped without a word",
            "RabbitMQ, quorum queues: at the delivery limit, without a dead-letter exchange";
        LastDeliverySetAside: "the last delivery allowed is used up as soon as it is made, so that its settle \
            is refused and the message set aside",
            "seen in the review of an earlier version of these cores";
        RewindReusesLeases: "a rewind ends every lease, and grants the same ones again",
            "seen in the review of an earlier version of these cores";
        RetentionIgnoresGroup: "retention drops by count alone, whether the group is done with a record or not",
            "Kafka, retention.bytes: segments are deleted whatever was consumed";
        RetentionForgetsSeen: "after a restart it recognises retries of the records that are left only, and \
            not of those that retention dropped",
            "NATS JetStream: message ids are made anew from stored messages";
    }
    Consumer {
        SettleBeforeEffect: "the settle is sent before the effect is made",
            "Kafka, enable.auto.commit: what poll returned is committed, handled or not";
        FailureSettled: "a message whose handler failed is settled like one that was handled",
            "Farfetch/kafkaflow #283";
        CommitTakenForConfirmation: "a position that somebody committed is taken for settled by its own \
            settle, and handled",
            "seen in the review of an earlier version of these cores";
        RefusedSettleTakenForOk: "a settle that was refused is taken for one that counts, and the message handled",
            "Kafka, CommitFailedException: the partitions are another consumer's by then";
        LostSettleTakenForOk: "a settle of which nothing was heard is taken for one that counts, and the \
            message handled",
            "NATS JetStream, double ack: only the answer to an ack says that it counts";
        CommitsHighest: "the highest finished position is committed in place of the contiguous prefix",
            "confluentinc/parallel-consumer #826";
        CommitsOneTooMany: "the commit names one position more than is finished",
            "KafkaConsumer: the committed offset is that of the next message to read";
        DoneKept: "a consumer to which the group passes back still counts as done what it finished before and \
            did not commit",
            "apache/pulsar #7683: a position counts as acknowledged before the request succeeds";
        InboxNotAsked: "the inbox is written and never asked",
            "Pattern: Idempotent consumer, microservices.io";
        InboxAfterEffect: "the inbox entry is written after the effect, in a transaction of its own",
            "Kleppmann, Designing Data-Intensive Applications, chapter 11: idempotence";
        InboxBeforeEffect: "the inbox entry is written before the effect, in a transaction of its own",
            "eventuate-tram/eventuate-tram-core #48: the id was kept where the handler failed";
        InboxByPosition: "the inbox goes by position, so that one message at two positions is two",
            "follows from KIP-98: a retry that is stored twice has two offsets";
        InboxWithoutSession: "the inbox goes by number alone, so that two sessions have the same",
            "CloudEvents 1.0: an id is unique within its source only";
        PositionsTakenForInbox: "the finished positions are asked in place of the inbox, and a rewind clears those",
            "follows from the setting settles = with-effect: a rewind clears positions";
        FenceIgnored: "a transaction of a consumer that was fenced off is let through",
            "KIP-447: offsets are committed under the group's generation";
    }
}
