//! What a user writes: the settings of producer, broker and consumer, the promise, and the faults it must survive.
//!
//! One value configures the model and the concrete implementation. Loading is validation: a [`Pipeline`] that exists
//! is one that means something.
//!
//! # Where a word alone does not say enough
//!
//! **What is promised.** A pipeline without `promises` (and without `ordered`) claims nothing: the commands say so, and
//! tell the strongest semantics that holds. "Strongest" is the last of at-most-once, at-least-once, exactly-once that
//! holds at the pipeline's level and for its obligation; "unknown" if none is known to hold and one may.
//!
//! **Nothing is lost** is a statement about whole runs. A run that comes to rest with a debt open breaks it. So does a fair
//! run without end in which the debt stays open: every step that is offered again and again is taken again and again, and
//! still the message never arrives, or its publish never resolves. Such a run is told as a stem and a loop.
//!
//! **Dead letters.** `max-deliveries` sets a message aside that was handed off so often and not settled. With
//! `dead-letters = "pay"` that pays the debt: at-least-once and exactly-once then hold "or dead-lettered", in these words,
//! and so does the strongest semantics. With `are-lost` a dead letter is a loss like any other. Either way a message must
//! not have both an effect and a dead letter (`effect-or-dead-letter`); that is told, and is no part of a semantics.
//!
//! **`acks = "on-receipt"`** acks an attempt as soon as it is received, before anything is decided about it: before it is
//! compared with older epochs, looked up among the known identities, appended, or refused by the disk. The ack then says
//! nothing about what becomes of it.
//!
//! **`dedup = "sequence"`.** An older number is a duplicate and is acked again, whether or not its record is in the log. If
//! it is not there, the message is acked and lost, and `dedup-honesty` says why. A memory that was forgotten (by a restart
//! with `dedup-on-restart = "forgotten"`, by eviction, by `dedup-forgotten`) lets a session that it does not know begin at
//! any number, whatever the log holds.
//!
//! **`commits = "prefix"` and `"highest"`** make the group's place in the log a cursor. One consumer at a time owns it and
//! is handed what it does not have, has not finished, and nobody committed. So a position whose settle was lost is not
//! redelivered while its consumer lives: a later commit covers it, or the consumer comes again after a crash and reads from
//! what is committed. With `each`, every position has a lease of its own, and an unsettled one is handed off again.
//!
//! **The second consumer** is there only where the budget has `lease-expiry`: somebody must be able to take over while the
//! first is still at work. Where the group follows a cursor, the expiry passes the whole cursor to the other consumer, in
//! a new generation.
//!
//! **Late deliveries.** A delivery whose lease ended is late: its holder does not know, and goes on. Where settles come
//! first, it runs its handler only when its own settle is confirmed; that somebody else settled or committed the position
//! is no confirmation. Several deliveries of one position may be late at once.
//!
//! **`settles = "with-effect"`** stores the position in the transaction of the effect. With `leases = "checked"` that
//! transaction is refused as a whole once the lease has ended: neither effect nor position is stored. With `unchecked` it
//! is let through: the effect is made, unless an inbox knows the message, and the position is added to those stored.
//! Stored positions only grow, but for a rewind.
//!
//! **A crash of the broker** and its restart are one step. It loses any suffix of the log beyond the last sync, settles
//! that were recorded lazily and not synced since (log and settles are synced apart), its memory of identities (rebuilt or forgotten), and everything on the wires: attempts, acks,
//! hand-offs, settles. Late copies that a network or an old incarnation holds arrive afterwards. What consumers are at
//! work on stays in their hands: with a lease each, it is late from then on; the owner of a cursor goes on with it.
//!
//! **A rewind** strikes at any time, also while deliveries are in hand. It ends every lease, so that what is in hand comes
//! late, and the next leases are new ones: a settle from before the rewind never counts for what was handed off after it.
//! Stored positions from there on are dropped; an inbox is kept. A cursor stays with its owner, in a new generation.
//!
//! **A new generation** of a cursor begins when it passes to the other consumer, and with a rewind. Its owner goes by what
//! is committed: what it had finished but not committed is done again, and what it still has of an earlier generation is
//! no part of what it commits from then on.
//!
//! **A failed handler.** `release` gives the delivery back. `dead-letter` asks the broker to set the position aside, which a
//! broker that checks leases refuses to whoever comes late. `requeue` publishes the message again at the end of the log; its
//! consumer waits until the copy is durable, and then settles. A crash in between leaves both.
//!
//! **A dead letter** is set aside in one durable step (`dead-lettering = "with-settle"`); or published and then settled, and may
//! vanish on the way (`at-most-once`, with the fault `dead-letter-lost`); or published until that is confirmed and settled at the
//! next sync, so that a crash in between brings it, and perhaps the message, again (`at-least-once`).
//!
//! **`settles = "in-background"`** lets the settle go out at any moment after the delivery. With a cursor it covers what was
//! received. A delivery whose settle is out ends with its handling, whatever that came to.
//!
//! **A batch** gathers until the first of its deliveries is handled, and is over before the next delivery is received. Its effects
//! are made one by one, in the order of positions (`with-effect`: in one transaction), and one settle goes out for all. One
//! failure ends all of them as `on-failure` says.
//!
//! **`outbox = "cursor"`** takes a message's number for its row's position. A row that becomes visible behind one that was read is
//! never sent. The stored position is one past the last finished row that has nothing unfinished before it (`after-ack`), or
//! past every row that was read (`before-publish`). A restart goes on from there.
//!
//! **`on-refusal = "new-epoch"`** empties the wires to and from the producer, registers the next epoch, and sends all that is
//! unfinished again, numbered from 0 in a new session. With `on-restart = "outbox"` a restart keeps that session.
//!
//! **A full queue** (`capacity`) refuses, or drops the oldest record that is not settled, whether or not it is in hand. Of a
//! cursor, everything that is not committed counts.
//!
//! **Positions come again** where a crash loses what was handed off before it was durable (`hands-off = "appended"`), or where a
//! follower takes over that lacks records (`failover`). What is in hand stays what it was, and is remembered by its identity.
//! After a crash the ledger still has what was recorded of the lost positions; after a failover it does not.
//!
//! **A group without a position** begins at the first record, or behind the last durable one (`new-group`): after
//! `group-forgotten`, and, where it follows a cursor and nothing was ever committed, whenever a consumer comes again or takes over.

mod described;
mod error;
mod meaning;
mod read;
mod settings;
mod words;
mod write;

pub(crate) use self::described::{Described, described};
pub use self::error::PipelineError;
pub(crate) use self::meaning::{CLASHES, Clash};
pub use self::settings::{Broker, Consumer, Producer};
pub(crate) use self::settings::{FAULTS_LIMIT, NAME_LIMIT, Takes, read_name};
pub use self::words::*;
use crate::vocab::Fault;

/// A whole pipeline. [`Pipeline::default`] has every setting at the value that a file leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pipeline {
    /// Its name; files without one take the file's stem.
    pub name: String,
    /// The semantics it claims.
    pub promises: Option<Semantics>,
    /// Where the claim is judged.
    pub level: Level,
    /// Which messages must not be lost.
    pub obligation: Obligation,
    /// It claims first deliveries in submission order.
    pub ordered: bool,
    /// What a dead letter is to a promise that nothing is lost.
    pub dead_letters: DeadLetters,
    /// The producer's settings.
    pub producer: Producer,
    /// The broker's settings.
    pub broker: Broker,
    /// The consumer's settings.
    pub consumer: Consumer,
    /// The faults it must survive.
    pub faults: FaultBudget,
}

/// How often a message is transmitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Attempts {
    /// Retry until the broker confirms. (`until-acked`)
    #[default]
    UntilAcked,
    /// At most this many attempts, at least 1. (`once` is 1)
    AtMost(u32),
}

/// How often each fault may strike in one run, and how many may strike in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultBudget {
    /// At most so many in one run; 0: no cap beyond the kinds' own.
    pub total: u32,
    /// By [`Fault`], in the order of [`Fault::ALL`].
    pub each: [u32; Fault::ALL.len()],
}

impl Pipeline {
    /// Whether a message can become a dead letter: after too many deliveries, or because its handler failed.
    pub fn sets_aside(&self) -> bool {
        self.broker.max_deliveries > 0 || self.consumer.rejects_failures()
    }

    /// How many consumers the group has in a model and in the simulation: a second one only where a lease or the cursor can be
    /// taken from the first.
    pub fn consumers(&self) -> u8 {
        let passes_on = self.consumer.follows_cursor() && self.faults.of(Fault::Rebalance) > 0;
        if passes_on || self.faults.of(Fault::LeaseExpiry) > 0 { 2 } else { 1 }
    }
}

impl Pipeline {
    /// Whether the log can lose records that were handed off, so that their positions come again: by a crash, where what is not
    /// synced is handed off, or by a failover.
    pub fn positions_come_again(&self) -> bool {
        self.broker.hands_off == HandsOff::Appended || self.faults.of(Fault::Failover) > 0
    }

    /// Whether what is recorded of positions can be lost or come to stand for other records: then no promise about a position
    /// is one about a message.
    pub fn group_may_lose_its_place(&self) -> bool {
        self.positions_come_again()
            || self.faults.of(Fault::GroupForgotten) > 0
            || self.broker.new_group == NewGroup::Latest
    }
}

impl Acks {
    /// Whether a confirmation says what became of the attempt: it waits for the disk.
    pub fn wait_for_disk(self) -> bool {
        matches!(self, Acks::AfterSync | Acks::Replicated)
    }
}

impl Settles {
    /// Whether nothing is settled before it has its effect.
    pub fn follow_effects(self) -> bool {
        matches!(self, Settles::AfterEffect | Settles::WithEffect)
    }
}

impl Consumer {
    /// Whether the consumer follows a cursor: it commits more than single positions, or stores its positions itself.
    pub fn follows_cursor(&self) -> bool {
        self.commits != Commits::Each || self.settles == Settles::WithEffect
    }

    /// Whether the broker is asked to set a message aside whose handler failed. Where positions are stored with effects, the
    /// broker does not know what is settled, and the delivery is given back.
    pub fn rejects_failures(&self) -> bool {
        self.on_failure == OnFailure::DeadLetter && self.settles != Settles::WithEffect
    }

    /// Whether a message whose handler failed is published again. Where positions are stored with effects, there is no settle
    /// that could follow it, and the delivery is given back.
    pub fn requeues_failures(&self) -> bool {
        self.on_failure == OnFailure::Requeue && self.settles != Settles::WithEffect
    }

    /// Whether the position of a failed handler counts as finished from then on. Where the settle comes first, it has counted
    /// so before.
    pub fn skips_failures(&self) -> bool {
        self.on_failure == OnFailure::Skip && self.counts_what_it_passes_over()
    }

    /// Whether the position of a duplicate that is ignored counts as finished from then on, as one that is skipped does.
    pub fn skips_duplicates(&self) -> bool {
        self.on_duplicate == OnDuplicate::Ignore && self.counts_what_it_passes_over()
    }

    fn counts_what_it_passes_over(&self) -> bool {
        self.follows_cursor() && self.settles != Settles::BeforeEffect
    }

    /// How many deliveries it holds at once: those at work and those received ahead of the workers.
    pub fn capacity(&self) -> u32 {
        self.workers.saturating_mul(self.batch).saturating_add(self.prefetch)
    }

    /// Whether several deliveries are received, handled and settled as one.
    pub fn batches(&self) -> bool {
        self.batch > 1
    }
}

impl FaultBudget {
    /// No faults at all: what an empty `[faults]` means.
    pub const NONE: FaultBudget = FaultBudget { total: 0, each: [0; Fault::ALL.len()] };

    /// Each of these kinds once, without a cap.
    pub fn once_each(faults: impl IntoIterator<Item = Fault>) -> Self {
        faults.into_iter().fold(Self::NONE, |budget, fault| budget.with(fault, 1))
    }

    /// How often this kind may strike.
    pub fn of(&self, fault: Fault) -> u32 {
        self.each[fault as usize]
    }

    /// The same budget with this kind's share changed.
    pub fn with(mut self, fault: Fault, times: u32) -> Self {
        self.each[fault as usize] = times;
        self
    }

    /// The same budget with another total.
    pub fn capped(mut self, total: u32) -> Self {
        self.total = total;
        self
    }

    /// The kinds that may strike.
    pub fn kinds(&self) -> impl Iterator<Item = Fault> + '_ {
        Fault::ALL.into_iter().filter(|&fault| self.of(fault) > 0)
    }
}

impl Default for FaultBudget {
    /// What a left-out `[faults]` means: each of the five failure points once, two at most in one run.
    fn default() -> Self {
        FaultBudget { total: 2, each: Fault::ALL.map(|fault| fault.row().budget) }
    }
}
