//! The abbreviations of the atlas's tables, and the words for them.

use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::{PropertyId, Verdict, Verdicts};

use super::faults::FaultSet;

/// The codes of a set of faults.
pub(super) fn codes(faults: FaultSet) -> String {
    faults.iter().map(|fault| fault.row().code).collect::<Vec<_>>().join("+")
}

/// The letter of the strongest semantics that survives. It is a small letter where a bound was met: nothing stronger
/// survives, and whether this semantics does is unknown.
pub(super) fn letter(verdicts: &Verdicts) -> char {
    let (certain, letter) = match at_best(verdicts) {
        None => return '-',
        Some(best) => (verdicts.of(best) == Verdict::Holds, initial(best)),
    };
    if certain { letter } else { letter.to_ascii_lowercase() }
}

/// The word of the strongest semantics that survives.
pub(super) fn survivor(verdicts: &Verdicts) -> String {
    match at_best(verdicts) {
        None => "none".to_owned(),
        Some(best) if verdicts.of(best) == Verdict::Holds => best.word().to_owned(),
        Some(best) => format!("unknown, {best} at best"),
    }
}

/// The letter of a semantics.
pub(super) fn initial(semantics: Semantics) -> char {
    match semantics {
        Semantics::ExactlyOnce => 'E',
        Semantics::AtLeastOnce => 'L',
        Semantics::AtMostOnce => 'M',
    }
}

/// The strongest semantics that no run broke.
fn at_best(verdicts: &Verdicts) -> Option<Semantics> {
    Semantics::ALL.into_iter().rev().find(|&semantics| verdicts.of(semantics) != Verdict::Violated)
}

/// The effect of a broken property, as a verb.
pub(super) fn harm(property: PropertyId) -> &'static str {
    match property {
        PropertyId::NoDuplicateDelivery | PropertyId::NoDuplicateEffect => "repeats",
        PropertyId::AckedNotLost | PropertyId::SubmittedNotLost => "loses",
        other => other.word(),
    }
}

/// The things that are counted at a level, in the plural.
pub(super) fn counted(level: Level) -> &'static str {
    match level {
        Level::Delivery => "deliveries",
        Level::Effect => "effects",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery_model::pipeline::{Level, Obligation};
    use delivery_model::semantics::{Doubt, Rules};

    /// Checks letter and word for these verdicts on the not-lost property and on the no-duplicate property.
    fn check(losing: Verdict, repeating: Verdict, expected: (char, &str)) {
        let rules = Rules::bare(Level::Effect, Obligation::Acked);
        let verdicts = Verdicts::new(&rules, |property| match property {
            PropertyId::AckedNotLost => losing,
            PropertyId::NoDuplicateEffect => repeating,
            _ => Verdict::Holds,
        });
        assert_eq!((letter(&verdicts), survivor(&verdicts).as_str()), expected);
    }

    #[test]
    fn what_a_bound_cut_off_is_told_as_the_best_that_it_can_be() {
        use Verdict::{Holds, Violated};
        let unknown = Verdict::Unknown(Doubt::BoundCut);
        check(Holds, Holds, ('E', "exactly-once"));
        check(Holds, Violated, ('L', "at-least-once"));
        check(Violated, Holds, ('M', "at-most-once"));
        check(Violated, Violated, ('-', "none"));
        check(unknown, unknown, ('e', "unknown, exactly-once at best"));
        check(unknown, Violated, ('l', "unknown, at-least-once at best"));
        check(Violated, unknown, ('m', "unknown, at-most-once at best"));
    }
}
