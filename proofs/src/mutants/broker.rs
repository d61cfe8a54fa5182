//! The broker's seeded bugs.

use delivery_impls::core::broker::PublishDecision;
use delivery_impls::core::dedup::{Familiarity, Memory};
use delivery_impls::core::deliveries::{Candidates, Deliveries, Next};
use delivery_impls::core::delivery::{ConsumerId, DeliveryId};
use delivery_impls::core::leases::Leases;
use delivery_impls::core::ledger::{Entry, Ledger};
use delivery_impls::core::log::Log;
use delivery_impls::core::steps::{BrokerSteps, Sound};
use delivery_impls::core::subscribers::Subscribers;
use delivery_impls::core::time::Millis;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{Identity, Verdict};
use delivery_impls::store::{Covers, Journal, StoreError};
use delivery_model::pipeline::{self, DedupOnRestart, RecordsSettles};
use delivery_model::vocab::{Epoch, Position};

use super::Mutant;

impl BrokerSteps for Mutant {
    fn memory_at_start<J: Journal>(&self, settings: &pipeline::Broker, log: &Log<J>, incarnation: u32) -> Memory {
        let is_rebuilt = settings.dedup_on_restart == DedupOnRestart::Rebuilt;
        match self {
            Mutant::DedupNotRebuilt if is_rebuilt && incarnation > 1 => Memory::forgotten(settings, log.end()),
            Mutant::ForgottenTakenForWhole if !is_rebuilt && incarnation > 1 => {
                Memory::new(settings, Position::default())
            }
            Mutant::WindowOneShort if is_rebuilt && settings.dedup_window > 1 => {
                let short = pipeline::Broker { dedup_window: settings.dedup_window - 1, ..settings.clone() };
                log.remembered_by(Memory::new(&short, log.start()))
            }
            Mutant::RetentionForgetsSeen if is_rebuilt => log.remembered_by(Memory::new(settings, log.start())),
            _ => Sound.memory_at_start(settings, log, incarnation),
        }
    }

    fn record_epoch<J: Journal>(&self, ledger: &mut Ledger<J>, registered: Entry) -> Result<(), StoreError> {
        match self {
            Mutant::EpochInMemory => Ok(()),
            _ => Sound.record_epoch(ledger, registered),
        }
    }

    fn is_fenced(&self, found: Epoch, newest: Option<Epoch>) -> bool {
        *self != Mutant::FencingSkipped && Sound.is_fenced(found, newest)
    }

    fn decide(&self, familiarity: Familiarity) -> PublishDecision {
        match (self, familiarity) {
            (Mutant::GapAccepted, Familiarity::Gap) => PublishDecision::Store,
            _ => Sound.decide(familiarity),
        }
    }

    fn remember_before_storing(&self, memory: &mut Memory, end: Position, identity: Identity) {
        match self {
            Mutant::SeenBeforeStored => memory.remember(end, identity),
            _ => Sound.remember_before_storing(memory, end, identity),
        }
    }

    fn remember_stored(&self, memory: &mut Memory, position: Position, identity: Identity) {
        if *self != Mutant::SeenBeforeStored {
            Sound.remember_stored(memory, position, identity);
        }
    }

    fn answer_to_failed_store(&self) -> Verdict {
        match self {
            Mutant::FailedStoreAcked => Verdict::Acked(None),
            _ => Sound.answer_to_failed_store(),
        }
    }

    fn answer_to_overflow(&self) -> Verdict {
        match self {
            Mutant::OverflowAcked => Verdict::Acked(None),
            _ => Sound.answer_to_overflow(),
        }
    }

    fn sync_copy<J: Journal>(&self, log: &mut Log<J>) -> Result<(), StoreError> {
        match self {
            Mutant::CopyUnsynced => Ok(()),
            _ => Sound.sync_copy(log),
        }
    }

    fn may_confirm(&self, position: Position, synced: Position, is_duplicate: bool) -> bool {
        match self {
            Mutant::AckBeforeSync => true,
            Mutant::DuplicateAckedBeforeSync if is_duplicate => true,
            _ => Sound.may_confirm(position, synced, is_duplicate),
        }
    }

    fn hands_off_below<J: Journal>(&self, log: &Log<J>) -> Position {
        match self {
            Mutant::HandsOffUnsynced => log.end(),
            _ => Sound.hands_off_below(log),
        }
    }

    fn deliveries_max(&self, max: u32) -> u32 {
        match self {
            Mutant::DeadLetterLate if max > 0 => max + 1,
            Mutant::LimitIgnored => 0,
            _ => Sound.deliveries_max(max),
        }
    }

    fn has_free_worker(&self, busy: usize, workers: u32) -> bool {
        match self {
            Mutant::WorkersIgnored => workers > 0,
            _ => Sound.has_free_worker(busy, workers),
        }
    }

    fn free(&self, subscribers: &mut Subscribers, delivery: DeliveryId) {
        if *self != Mutant::WorkerNotFreed {
            Sound.free(subscribers, delivery);
        }
    }

    fn next(&self, deliveries: &Deliveries, candidates: &Candidates<'_>) -> Option<Next> {
        if *self != Mutant::RequeuedAtBack {
            return Sound.next(deliveries, candidates);
        }
        let requeued = deliveries.in_hand();
        let has = [candidates.has, &[&requeued]].concat();
        let never_handed_off = Candidates { has: &has, ..candidates.clone() };
        Sound.next(deliveries, &never_handed_off).or_else(|| Sound.next(deliveries, candidates))
    }

    fn is_placed(&self, deliveries: &Deliveries) -> bool {
        *self != Mutant::PositionIgnored && Sound.is_placed(deliveries)
    }

    fn record_hand_off<J: Journal>(&self, ledger: &mut Ledger<J>, entry: Entry) -> Result<(), StoreError> {
        match self {
            Mutant::HandOffNotPersisted => Ok(()),
            _ => Sound.record_hand_off(ledger, entry),
        }
    }

    fn compacted(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        entries.retain(|entry| {
            !matches!(
                (self, entry),
                (Mutant::HandOffNotPersisted, Entry::Counted(..) | Entry::HandedOffOnce(..))
                    | (Mutant::CountsDropped, Entry::Counted(..))
                    | (Mutant::EpochsDropped, Entry::Registered(..))
                    | (Mutant::EpochInMemory, Entry::Registered(..))
            )
        });
        Sound.compacted(entries)
    }

    fn admits_settle(&self, deliveries: &Deliveries, delivery: DeliveryId) -> bool {
        match self {
            Mutant::LeaseUnchecked => true,
            Mutant::LastDeliverySetAside if deliveries.is_last_delivery(delivery.position) => false,
            _ => Sound.admits_settle(deliveries, delivery),
        }
    }

    fn recorded(&self, done: Covers) -> Covers {
        match (self, done) {
            (Mutant::SettleTakenAsCumulative, Covers::One(position)) => Covers::Below(Position(position.0 + 1)),
            _ => Sound.recorded(done),
        }
    }

    fn records_settles(&self, setting: RecordsSettles) -> RecordsSettles {
        match self {
            Mutant::SettleNotPersisted => RecordsSettles::Lazily,
            _ => Sound.records_settles(setting),
        }
    }

    fn is_over(&self, ends: Millis, at: Millis) -> bool {
        *self == Mutant::LeaseEndsEarly || Sound.is_over(ends, at)
    }

    fn tells_of_dead_letters(&self) -> bool {
        *self != Mutant::SetAsideDropped && Sound.tells_of_dead_letters()
    }

    fn give_back(&self, leases: &mut Leases, delivery: DeliveryId) {
        match self {
            Mutant::StaleReleaseFreesLease => {
                let live = leases.live_at(delivery.position);
                live.into_iter().for_each(|live| leases.give_back(live));
            }
            _ => Sound.give_back(leases, delivery),
        }
    }

    fn end_leases_of(&self, leases: &mut Leases, consumer: ConsumerId) {
        if *self != Mutant::LeasesOfGoneKept {
            Sound.end_leases_of(leases, consumer);
        }
    }

    fn end_lease(&self, leases: &mut Leases, position: Position) {
        Sound.end_lease(leases, position);
        if *self == Mutant::LeaseReused {
            leases.forget(position);
        }
    }

    fn incarnation_after_rewind(&self, before: u32) -> u32 {
        match self {
            Mutant::RewindReusesLeases => before,
            _ => Sound.incarnation_after_rewind(before),
        }
    }

    fn first_needed<J: Journal>(&self, log: &Log<J>, deliveries: &Deliveries, elsewhere: &Positions) -> Position {
        match self {
            Mutant::RetentionIgnoresGroup => log.synced(),
            _ => Sound.first_needed(log, deliveries, elsewhere),
        }
    }
}
