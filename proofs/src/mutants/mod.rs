//! Seeded bugs: mistakes that real systems made or that their documents warn of, put in the place of the cores' sound
//! steps. Each is one decision taken wrongly, chosen by value, so that one build holds them all and a check can show that
//! it catches every one.
//!
//! | file | in whose steps |
//! |---|---|
//! | `producer` | the producer's |
//! | `broker` | the broker's |
//! | `consumer` | the consumer's |

mod broker;
mod consumer;
mod producer;

/// Which bug the cores have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// No bug.
    #[default]
    None,

    /// Producer: the outbox row is removed when the message is transmitted, before anything is confirmed.
    OutboxRowRemovedOnAttempt,
    /// Producer: a confirmation is taken for all earlier messages too, as if confirmations were cumulative.
    AckTakenAsCumulative,
    /// Producer: every retry gets an identity of its own.
    RetryUnderNewIdentity,
    /// Producer: a time-out is reported as a refusal, as if silence were a no.
    TimeOutTakenForRefusal,
    /// Producer: the successor of a crashed incarnation takes its epoch.
    EpochReused,
    /// Producer: an attempt that failed gives its buffer back too early, and the retry carries what was put there since
    /// (KAFKA-19012).
    PayloadBufferReused,
    /// Producer: any answer of the broker is taken for a confirmation.
    RefusalTakenForAck,

    /// Broker: the confirmation goes out when the record is appended, before it is durable.
    AckBeforeSync,
    /// Broker: a duplicate is confirmed at once, although the record it repeats is not durable yet.
    DuplicateAckedBeforeSync,
    /// Broker: a failed write was noted as seen already, so that its retry is taken for a duplicate (Pulsar #5218).
    SeenBeforeStored,
    /// Broker: a sequence number beyond the next one is stored like any other.
    GapAccepted,
    /// Broker: after a restart the memory of seen messages starts empty, whatever the settings say.
    DedupNotRebuilt,
    /// Broker: a memory that a restart forgot is taken for one that never held anything, so that a session that it does
    /// not know must begin at its first number.
    ForgottenTakenForWhole,
    /// Broker: attempts of older epochs are stored.
    FencingSkipped,
    /// Broker: positions are handed off before their records are durable.
    HandsOffUnsynced,
    /// Broker: a hand-off that must happen once is recorded in memory only.
    HandOffNotPersisted,
    /// Broker: a settle is confirmed and kept in memory until the next sync, whatever the settings say.
    SettleNotPersisted,
    /// Broker: a stale settle is recorded like any other (NATS #4786).
    LeaseUnchecked,
    /// Broker: what has to be handed off again comes after what was never handed off (RabbitMQ before 2.7.0).
    RequeuedAtBack,
    /// Broker: a lease that ended under its holder is granted again, so that the old holder has one that is live.
    LeaseReused,
    /// Broker: one delivery more than allowed before a message is set aside.
    DeadLetterLate,
    /// Broker: the last delivery allowed is used up as soon as it is made, so that its settle is refused and the message
    /// set aside.
    LastDeliverySetAside,
    /// Broker: a rewind ends every lease, and grants the same ones again.
    RewindReusesLeases,
    /// Broker: retention drops by count alone, whether the group is done with a record or not.
    RetentionIgnoresGroup,
    /// Broker: after a restart it recognises retries of the records that are left only, and not of those that retention
    /// dropped (NATS JetStream makes its ids anew from stored messages).
    RetentionForgetsSeen,

    /// Consumer: the settle is sent before the effect is made.
    SettleBeforeEffect,
    /// Consumer: a position that somebody committed is taken for settled by its own settle, and handled.
    CommitTakenForConfirmation,
    /// Consumer: the highest finished position is committed in place of the contiguous prefix (parallel-consumer #826).
    CommitsHighest,
    /// Consumer: the inbox entry is written after the effect, in a transaction of its own.
    InboxAfterEffect,
    /// Consumer: the inbox entry is written before the effect, in a transaction of its own.
    InboxBeforeEffect,
    /// Consumer: the inbox goes by position, so that one message at two positions is two.
    InboxByPosition,
    /// Consumer: the finished positions are asked in place of the inbox, and a rewind clears those.
    PositionsTakenForInbox,
    /// Consumer: a transaction of a consumer that was fenced off is let through.
    FenceIgnored,
}

impl Mutant {
    /// Every seeded bug.
    pub const ALL: [Mutant; 33] = {
        use Mutant::*;
        [
            OutboxRowRemovedOnAttempt,
            AckTakenAsCumulative,
            RetryUnderNewIdentity,
            TimeOutTakenForRefusal,
            EpochReused,
            PayloadBufferReused,
            RefusalTakenForAck,
            AckBeforeSync,
            DuplicateAckedBeforeSync,
            SeenBeforeStored,
            GapAccepted,
            DedupNotRebuilt,
            ForgottenTakenForWhole,
            FencingSkipped,
            HandsOffUnsynced,
            HandOffNotPersisted,
            SettleNotPersisted,
            LeaseUnchecked,
            RequeuedAtBack,
            LeaseReused,
            DeadLetterLate,
            LastDeliverySetAside,
            RewindReusesLeases,
            RetentionIgnoresGroup,
            RetentionForgetsSeen,
            SettleBeforeEffect,
            CommitTakenForConfirmation,
            CommitsHighest,
            InboxAfterEffect,
            InboxBeforeEffect,
            InboxByPosition,
            PositionsTakenForInbox,
            FenceIgnored,
        ]
    };
}
