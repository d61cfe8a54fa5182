//! The words of a pipeline's settings. Each enum's values stand in the order in which errors and the reference list them.

use crate::words::words;

words! {
    /// The three delivery semantics.
    Semantics {
        /// Never twice.
        AtMostOnce = "at-most-once",
        /// Never lost.
        AtLeastOnce = "at-least-once",
        /// Never lost and never twice.
        ExactlyOnce = "exactly-once",
    }
}

words! {
    /// What is counted: hand-offs, or durable effects.
    #[derive(Default)]
    Level {
        /// Hand-offs that a consumer received.
        Delivery = "delivery",
        /// Durable changes that a consumer made.
        #[default]
        Effect = "effect",
    }
}

words! {
    /// Which messages must not be lost.
    #[derive(Default)]
    Obligation {
        /// Those that the broker confirmed.
        #[default]
        Acked = "acked",
        /// Every one that the application submitted.
        Submitted = "submitted",
    }
}

words! {
    /// What a dead letter is to a promise that nothing is lost.
    #[derive(Default)]
    DeadLetters {
        /// It pays the debt: the message was set aside where somebody can find it.
        #[default]
        Pay = "pay",
        /// It does not: a message that no handler finished is lost.
        AreLost = "are-lost",
    }
}

words! {
    /// By what a message is recognised.
    #[derive(Default)]
    Identity {
        /// By nothing.
        None = "none",
        /// By an id that its producer gives it.
        MessageId = "message-id",
        /// By producer id, epoch and sequence number.
        #[default]
        Sequence = "sequence",
    }
}

words! {
    /// What becomes of unfinished messages when the producer restarts.
    #[derive(Default)]
    OnRestart {
        /// They are lost.
        Forgets = "forgets",
        /// They are sent again under a fresh identity.
        Resubmits = "resubmits",
        /// They are sent again under the same identity.
        #[default]
        Outbox = "outbox",
    }
}

words! {
    /// When the broker confirms.
    #[derive(Default)]
    Acks {
        /// It never does.
        Never = "never",
        /// As soon as the attempt is received, before anything is decided about it.
        OnReceipt = "on-receipt",
        /// Once the record is durable.
        #[default]
        AfterSync = "after-sync",
        /// Once the record is durable and a follower has it.
        Replicated = "replicated",
    }
}

words! {
    /// How the broker recognises a retry.
    #[derive(Default)]
    Dedup {
        /// It does not.
        None = "none",
        /// By a set of identities that it has stored.
        MessageId = "message-id",
        /// By sequence number: the next one is stored, an older one is a duplicate and acked again, a gap is refused.
        #[default]
        Sequence = "sequence",
    }
}

words! {
    /// What the broker's restart does to its memory of seen messages.
    #[derive(Default)]
    DedupOnRestart {
        /// It is lost, whatever the log holds: an identity it does not know is accepted.
        Forgotten = "forgotten",
        /// It is made anew from the log.
        #[default]
        Rebuilt = "rebuilt",
    }
}

words! {
    /// How often the broker hands a position off.
    #[derive(Default)]
    Delivers {
        /// Once: the hand-off is recorded durably first, and never repeated.
        Once = "once",
        /// Until it is settled.
        #[default]
        UntilSettled = "until-settled",
    }
}

words! {
    /// When a settle is durable.
    #[derive(Default)]
    RecordsSettles {
        /// Some time after it was confirmed: a broker crash forgets some.
        Lazily = "lazily",
        /// Before it is confirmed.
        #[default]
        AfterSync = "after-sync",
    }
}

words! {
    /// Whether only the current delivery may settle.
    #[derive(Default)]
    Leases {
        /// A stale settle is refused; with `settles = "with-effect"`, the effect's transaction with it.
        #[default]
        Checked = "checked",
        /// A stale settle is recorded like any other.
        Unchecked = "unchecked",
    }
}

words! {
    /// When the consumer settles.
    #[derive(Default)]
    Settles {
        /// First; its handler runs once the settle is confirmed.
        BeforeEffect = "before-effect",
        /// Once its effect is durable.
        #[default]
        AfterEffect = "after-effect",
        /// Its position is stored in the effect's transaction, and it resumes from there.
        WithEffect = "with-effect",
        /// At any moment after the delivery, whatever becomes of the effect.
        InBackground = "in-background",
    }
}

words! {
    /// What a settle covers. `prefix` and `highest` make the group's place in the log a cursor.
    #[derive(Default)]
    Commits {
        /// One position.
        #[default]
        Each = "each",
        /// Every position of the contiguous settled prefix.
        Prefix = "prefix",
        /// Every position up to the highest seen: a common mistake.
        Highest = "highest",
    }
}

words! {
    /// What the producer does when the broker refuses an attempt.
    #[derive(Default)]
    OnRefusal {
        /// It tries again, as often as its attempts allow.
        #[default]
        Retry = "retry",
        /// It drops the message, as if its attempts were used up. A time-out is no refusal.
        GiveUp = "give-up",
        /// It starts over in a new epoch, and sends all that is unfinished again under a fresh identity.
        NewEpoch = "new-epoch",
    }
}

words! {
    /// What the consumer does with a delivery whose handler failed.
    #[derive(Default)]
    OnFailure {
        /// It gives the delivery back: the broker hands the position off again.
        #[default]
        Release = "release",
        /// It goes on as if the message were handled, and a later commit covers it. Without a cursor, it is given back.
        Skip = "skip",
        /// It is set aside as a dead letter. With `settles = "with-effect"`, it is given back.
        DeadLetter = "dead-letter",
        /// It is published again at the end of the log, then settled. With `settles = "with-effect"`, it is given back.
        Requeue = "requeue",
    }
}

words! {
    /// What the consumer does with a delivery of a message that it remembers.
    #[derive(Default)]
    OnDuplicate {
        /// It settles it, without another effect.
        #[default]
        Settle = "settle",
        /// It does nothing more: the delivery is given back, or, of a cursor, passed over.
        Ignore = "ignore",
    }
}

words! {
    /// How the producer finds in its outbox what is to be sent.
    #[derive(Default)]
    OutboxRead {
        /// Row by row: what is not finished is sent.
        #[default]
        Rows = "rows",
        /// By position: what comes after the last position that was read.
        Cursor = "cursor",
    }
}

words! {
    /// When a producer that reads its outbox by position stores the position.
    #[derive(Default)]
    RelayCommits {
        /// Once the message is acked.
        #[default]
        AfterAck = "after-ack",
        /// Before the message is published.
        BeforePublish = "before-publish",
    }
}

words! {
    /// What the broker answers to an attempt that it takes for a duplicate.
    #[derive(Default)]
    AnswersDuplicates {
        /// An ack, once the record is durable.
        #[default]
        Ack = "ack",
        /// A refusal.
        Refuse = "refuse",
    }
}

words! {
    /// What the broker does with a sequence number in the middle of a session that it does not know.
    #[derive(Default)]
    ForgottenProducers {
        /// It takes it as the session's first.
        #[default]
        Accept = "accept",
        /// It refuses it, as a gap.
        Refuse = "refuse",
    }
}

words! {
    /// From when on the broker hands off a record.
    #[derive(Default)]
    HandsOff {
        /// Once it is durable.
        #[default]
        Synced = "synced",
        /// Once it is appended, durable or not.
        Appended = "appended",
    }
}

words! {
    /// How a dead letter is put into its own queue.
    #[derive(Default)]
    DeadLettering {
        /// In one durable step with the settle.
        #[default]
        WithSettle = "with-settle",
        /// It is published, then settled: it may be lost.
        AtMostOnce = "at-most-once",
        /// It is published until that is confirmed, then settled: it may come twice.
        AtLeastOnce = "at-least-once",
    }
}

words! {
    /// What the broker does with a publish that finds the queue full.
    #[derive(Default)]
    Overflow {
        /// It refuses it.
        #[default]
        Refuse = "refuse",
        /// It drops the oldest record that is not settled.
        DropOldest = "drop-oldest",
    }
}

words! {
    /// Where a group begins that has no position.
    #[derive(Default)]
    NewGroup {
        /// At the first record.
        #[default]
        Earliest = "earliest",
        /// Behind the last record.
        Latest = "latest",
    }
}

words! {
    /// Where the consumer remembers what it has seen.
    #[derive(Default)]
    Remembers {
        /// Nowhere.
        Nothing = "nothing",
        /// In memory, noted after the effect.
        InMemory = "in-memory",
        /// In an inbox that is part of the effect's transaction.
        #[default]
        WithEffect = "with-effect",
    }
}
