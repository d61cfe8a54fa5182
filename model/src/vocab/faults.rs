//! Faults: what may go wrong. One row declares a fault; what it does to the protocol's state and to the running cores
//! stands in `spec/faults.rs` and in the simulation.

use serde::{Deserialize, Serialize};

use super::StepWord::{self, *};
use super::step::{Target, target};
use super::{DeliveryRef, MessageId, Position};
use crate::words::words;

/// What is declared of a kind of fault, besides its word and its [meaning](Fault::meaning).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRow {
    /// Its abbreviation: two letters, the head of its column in tables.
    pub code: &'static str,
    /// How it relates to the point at which a schedule plans it.
    pub strikes: Strikes,
    /// The moves at which a schedule can plan it.
    pub at: &'static [StepWord],
    /// Whether a threaded run injects it.
    pub in_real_runs: bool,
    /// How often it may strike where a pipeline has no `[faults]`.
    pub budget: u32,
}

/// How a kind of fault relates to the point at which a schedule plans it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strikes {
    /// It befalls what the move put on its way. (`of`)
    Of,
    /// It comes before the move, whose outcome it decides. (`of`)
    Before,
    /// It takes the place of the move, which counts as passed. (`of`)
    Instead,
    /// It comes right after the move. (`after`)
    After,
}

impl Strikes {
    /// The key that documents use.
    pub const fn word(self) -> &'static str {
        match self {
            Strikes::Of | Strikes::Before | Strikes::Instead => "of",
            Strikes::After => "after",
        }
    }

    /// Whether it must strike before the move is taken.
    pub const fn comes_first(self) -> bool {
        matches!(self, Strikes::Before | Strikes::Instead)
    }
}

const PUBLISHING: &[StepWord] = &[Submit, Attempt, Receive, ReceiveLate, Append, Sync, Ack, TakeReply, TimeOut];
const CONSUMING: &[StepWord] = &[HandOff, Deliver, Handle, Remember, Settle, RecordSettle];
const ANY: &[StepWord] = &StepWord::ALL;
/// Its record may still be owed.
#[rustfmt::skip]
const BEFORE_IT_IS_SETTLED: &[StepWord] = &[
    Submit, Attempt, Receive, ReceiveLate, Append, Sync, Ack, TakeReply, TimeOut, HandOff, Deliver, Handle, Remember, Settle,
];

macro_rules! faults {
    ($(
        #[doc = $sentence:literal] $(#[doc = $more:literal])*
        $name:ident $({ $field:ident: $type:ty })? = $word:literal
            { code: $code:literal, strikes: $strikes:ident $at:expr, in_real_runs: $in_real_runs:literal, budget: $budget:literal };
    )*) => {
        words! {
            /// The kinds of fault, in the order in which tables list them.
            Fault { $(#[doc = $sentence] $name = $word),* }
        }

        /// One fault: its kind, and whom or what it befalls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(tag = "step", deny_unknown_fields)]
        #[expect(missing_docs, reason = "the fields are named and documented by their types")]
        pub enum Strike {
            $(#[doc = $sentence] $(#[doc = $more])* #[serde(rename = $word)] $name $({ $field: $type })?),*
        }

        impl Fault {
            /// What is declared of it.
            pub const fn row(self) -> &'static FaultRow {
                match self {
                    $(Fault::$name => const { &FaultRow {
                        code: $code,
                        strikes: Strikes::$strikes,
                        at: $at,
                        in_real_runs: $in_real_runs,
                        budget: $budget,
                    } }),*
                }
            }
        }

        impl Strike {
            /// A fault of this kind that befalls this; none if the kind does not name such a thing.
            pub const fn at(fault: Fault, target: Target) -> Option<Strike> {
                match (fault, target) {
                    $((Fault::$name, target!($($field $field)?)) => Some(Strike::$name $({ $field })?),)*
                    _ => None,
                }
            }

            /// Its kind.
            #[inline]
            pub const fn fault(self) -> Fault {
                match self { $(Strike::$name { .. } => Fault::$name),* }
            }

            /// What it names.
            #[inline]
            pub const fn target(self) -> Target {
                match self { $(Strike::$name $({ $field })? => target!($($field $field)?)),* }
            }
        }
    };
}

faults! {
    /// An attempt vanishes on the way.
    /// It is the oldest on the wire.
    PublishLost { message: MessageId } = "publish-lost"
        { code: "pl", strikes: Of &[Attempt], in_real_runs: true, budget: 1 };
    /// The broker fails to store, and says so.
    PublishRefused { message: MessageId } = "publish-refused"
        { code: "pr", strikes: Instead &[Append], in_real_runs: true, budget: 1 };
    /// Stored, but the ack vanishes.
    PublishAckLost { message: MessageId } = "publish-ack-lost"
        { code: "pa", strikes: Of &[Ack], in_real_runs: true, budget: 1 };
    /// The network delivers one attempt twice, the copy possibly late.
    PublishDuplicated { message: MessageId } = "publish-duplicated"
        { code: "pd", strikes: Of &[Attempt], in_real_runs: false, budget: 0 };
    /// Attempt n fails, n+1 lands, n is retried.
    /// The attempt vanishes while a later message's attempt is behind it.
    PublishReordered { message: MessageId } = "publish-reordered"
        { code: "po", strikes: Of &[Attempt], in_real_runs: false, budget: 0 };
    /// The producer loses what is not in its outbox.
    /// Everything on the wire to and from it is lost too, and its successor registers.
    ProducerCrash = "producer-crash"
        { code: "pc", strikes: After PUBLISHING, in_real_runs: true, budget: 1 };
    /// An old incarnation's attempt arrives after its successor registered.
    /// The producer crashes as in `producer-crash`, and this attempt stays on the way.
    ProducerZombie { message: MessageId } = "producer-zombie"
        { code: "pz", strikes: Of &[Attempt], in_real_runs: false, budget: 0 };
    /// The broker loses any suffix of its log beyond the last sync, and its memory.
    /// The first `keeps` records survive, at least the synced ones.
    BrokerCrash { keeps: u64 } = "broker-crash"
        { code: "bc", strikes: After ANY, in_real_runs: true, budget: 1 };
    /// A hand-off vanishes.
    DeliveryLost { hand: DeliveryRef } = "delivery-lost"
        { code: "dl", strikes: Of &[HandOff], in_real_runs: true, budget: 1 };
    /// The consumer loses its memory.
    /// `consumer` is 0 unless leases expire, when the group has a second one.
    ConsumerCrash { consumer: u8 } = "consumer-crash"
        { code: "cc", strikes: After CONSUMING, in_real_runs: true, budget: 1 };
    /// The settle vanishes.
    SettleLost { hand: DeliveryRef } = "settle-lost"
        { code: "sl", strikes: Of &[Settle], in_real_runs: true, budget: 1 };
    /// The lease ends while its delivery is still on its way or at work.
    LeaseExpiry { hand: DeliveryRef } = "lease-expiry"
        { code: "le", strikes: After CONSUMING, in_real_runs: false, budget: 0 };
    /// The memory of seen messages is evicted or lost.
    DedupForgotten = "dedup-forgotten"
        { code: "df", strikes: After ANY, in_real_runs: false, budget: 0 };
    /// The handler fails once; the next handling may succeed.
    HandlerFails { hand: DeliveryRef } = "handler-fails"
        { code: "hf", strikes: Instead &[Handle], in_real_runs: true, budget: 0 };
    /// One message kills its consumer each time it is handled.
    HandlerCrashes { message: MessageId } = "handler-crashes"
        { code: "hc", strikes: Before &[Submit], in_real_runs: false, budget: 0 };
    /// One message makes its handler fail every time.
    Poison { message: MessageId } = "poison"
        { code: "ps", strikes: Before &[Submit], in_real_runs: false, budget: 0 };
    /// The consumer is reset to an earlier position.
    Rewind { position: Position } = "rewind"
        { code: "rw", strikes: After ANY, in_real_runs: false, budget: 0 };
    /// A dead letter vanishes on its way into its own queue.
    DeadLetterLost { position: Position } = "dead-letter-lost"
        { code: "xl", strikes: Instead &[DeadLetter], in_real_runs: false, budget: 0 };
    /// A dead letter is put back as a new record.
    Redrive { position: Position } = "redrive"
        { code: "rd", strikes: After ANY, in_real_runs: false, budget: 0 };
    /// An outbox row becomes visible after the next one, although its position comes first.
    CommitReordered { message: MessageId } = "commit-reordered"
        { code: "co", strikes: Before &[Submit], in_real_runs: false, budget: 0 };
    /// A follower takes over: records that it does not have are lost, synced or not.
    /// The first `keeps` records survive.
    Failover { keeps: u64 } = "failover"
        { code: "fo", strikes: After ANY, in_real_runs: false, budget: 0 };
    /// A record is dropped by age before it was settled.
    RecordExpired { position: Position } = "record-expired"
        { code: "re", strikes: After BEFORE_IT_IS_SETTLED, in_real_runs: false, budget: 0 };
    /// The group's position is lost.
    GroupForgotten = "group-forgotten"
        { code: "gf", strikes: After ANY, in_real_runs: false, budget: 0 };
    /// A cursor passes to the other consumer while its owner has work in hand.
    Rebalance = "rebalance"
        { code: "rb", strikes: After CONSUMING, in_real_runs: false, budget: 0 };
}

impl Fault {
    /// Whether its strikes name such a thing.
    pub const fn names(self, target: Target) -> bool {
        Strike::at(self, target).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_faults_share_a_code_or_a_word() {
        let distinct = |of: fn(Fault) -> &'static str| Fault::ALL.map(of).into_iter().collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(|fault| fault.row().code), Fault::ALL.len());
        assert_eq!(distinct(Fault::word), Fault::ALL.len());
    }

    #[test]
    fn a_row_has_two_letters_a_sentence_and_a_point() {
        for fault in Fault::ALL {
            let row = fault.row();
            assert_eq!(row.code.len(), 2, "{fault}");
            assert!(fault.meaning().ends_with('.'), "{fault}: {:?}", fault.meaning());
            assert!(!row.at.is_empty(), "{fault}");
        }
    }
}
