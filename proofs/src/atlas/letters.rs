//! The short forms that tables use, and the words for them.

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::{PropertyId, Verdict, Verdicts};
use delivery_model::vocab::Fault;

use super::faults::FaultSet;

/// A fault's column: two letters.
pub(super) fn code(fault: Fault) -> &'static str {
    match fault {
        Fault::PublishLost => "pl",
        Fault::PublishRefused => "pr",
        Fault::PublishAckLost => "pa",
        Fault::PublishDuplicated => "pd",
        Fault::PublishReordered => "po",
        Fault::ProducerCrash => "pc",
        Fault::ProducerZombie => "pz",
        Fault::BrokerCrash => "bc",
        Fault::DeliveryLost => "dl",
        Fault::ConsumerCrash => "cc",
        Fault::SettleLost => "sl",
        Fault::LeaseExpiry => "le",
        Fault::DedupForgotten => "df",
        Fault::Poison => "ps",
        Fault::Rewind => "rw",
    }
}

/// A set of faults by their columns.
pub(super) fn codes(faults: FaultSet) -> String {
    faults.iter().map(code).collect::<Vec<_>>().join("+")
}

/// What survives, as a letter.
pub(super) fn letter(verdicts: &Verdicts) -> char {
    match verdicts.strongest() {
        Some(Semantics::ExactlyOnce) => 'E',
        Some(Semantics::AtLeastOnce) => 'L',
        Some(Semantics::AtMostOnce) => 'M',
        None if Semantics::ALL.into_iter().any(|it| matches!(verdicts.of(it), Verdict::Unknown(_))) => '?',
        None => '-',
    }
}

/// What survives, as a word.
pub(super) fn survivor(verdicts: &Verdicts) -> &'static str {
    match (verdicts.strongest(), letter(verdicts)) {
        (Some(semantics), _) => semantics.word(),
        (None, '?') => "unknown",
        (None, _) => "none",
    }
}

/// What a breach of a property does, as a verb.
pub(super) fn harm(property: PropertyId) -> &'static str {
    match property {
        PropertyId::NoDuplicateDelivery | PropertyId::NoDuplicateEffect => "repeats",
        PropertyId::AckedNotLost | PropertyId::SubmittedNotLost => "loses",
        other => other.word(),
    }
}

/// What is counted at a level, in the plural.
pub(super) fn counted(level: Level) -> &'static str {
    match level {
        Level::Delivery => "deliveries",
        Level::Effect => "effects",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_faults_share_a_column() {
        assert_eq!(Fault::ALL.map(code).into_iter().collect::<BTreeSet<_>>().len(), Fault::ALL.len());
    }
}
