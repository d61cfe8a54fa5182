//! The ledger: every claim with what the model says of it and what the rows say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::claims::{Claim, Claims, Named};
use super::model::{Answer, Models};
use super::rows::Record;
use super::stand_for::preset;

/// The findings that both the model and an audit speak of.
const SHARED: [&str; 2] = ["acked-not-lost", "no-delivery-after-settle"];

/// The outcome of a claim against which something was seen.
const BROKEN: &str = "BROKEN";

/// The faults that crash a broker, which is what the model's search lets strike.
const CRASHES: [&str; 2] = ["kill", "power"];

/// How often a finding was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of rounds with it.
    pub with: u64,
    /// The number of rounds.
    pub rounds: u64,
}

impl Seen {
    /// In the rows of this product with this setting under one of these faults.
    fn of(rows: &[Record], product: &str, setting: &str, faults: &[&str], finding: &str) -> Seen {
        let is_meant =
            |row: &&Record| row.product == product && row.setting == setting && faults.contains(&row.fault.as_str());
        rows.iter().filter(is_meant).fold(Seen::default(), |seen, row| Seen {
            with: seen.with + row.rounds_with(finding),
            rounds: seen.rounds + row.rounds,
        })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rounds {
            0 => f.write_str("not audited"),
            rounds => write!(f, "{} of {rounds}", self.with),
        }
    }
}

/// A line of the ledger.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The claim.
    pub claim: Claim,
    /// What the model says of the finding that would speak against it.
    pub model: Answer,
    /// How often that was seen.
    pub seen: Seen,
    /// The version that was seen.
    pub version: Option<String>,
}

impl Entry {
    /// The outcome of the claim, in one or two words.
    pub fn outcome(&self) -> &'static str {
        match (self.seen, self.claim.admits) {
            (Seen { rounds: 0, .. }, _) => "not audited",
            (Seen { with: 0, .. }, false) => "kept",
            (Seen { with: 0, .. }, true) => "admitted, not seen",
            (_, true) => "as admitted",
            (_, false) => BROKEN,
        }
    }
}

/// Something that was seen and that the model of the preset forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The product.
    pub product: String,
    /// Its setting.
    pub setting: String,
    /// The preset.
    pub preset: String,
    /// The finding, by its word.
    pub finding: &'static str,
    /// How often it was seen.
    pub seen: Seen,
    /// Why the preset stays as it is, if that is named.
    pub because: Option<String>,
}

/// The ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// A line for each claim.
    pub entries: Vec<Entry>,
    /// The differences between model and reality.
    pub mismatches: Vec<Mismatch>,
    /// The named differences that were not seen, as "product setting: finding".
    pub not_seen: Vec<String>,
}

impl Ledger {
    /// Puts these claims beside these rows, and beside the models of the presets that stand for the settings.
    pub fn new(claims: &Claims, rows: &[Record]) -> Ledger {
        let mut models = Models::default();
        let entries = claims.claims.iter().map(|claim| {
            let Claim { product, setting, finding, faults, .. } = claim;
            let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
            let of_it = |row: &&Record| row.product == *product && row.setting == *setting;
            Entry {
                claim: claim.clone(),
                model: models.answer(preset(product, setting), finding),
                seen: Seen::of(rows, product, setting, &faults, finding),
                version: rows.iter().find(of_it).map(|row| row.version.clone()),
            }
        });
        let entries = entries.collect();
        let pairs: BTreeSet<(&str, &str)> =
            rows.iter().map(|row| (row.product.as_str(), row.setting.as_str())).collect();
        let mut mismatches = Vec::new();
        for (product, setting) in pairs {
            let Some(preset) = preset(product, setting) else { continue };
            for finding in SHARED {
                let seen = Seen::of(rows, product, setting, &CRASHES, finding);
                if seen.with > 0 && models.answer(Some(preset), finding) == Answer::Forbids {
                    let named = claims.named.iter().find(|named| named.is_of(product, setting, finding));
                    let because = named.map(|named| named.because.clone());
                    let (product, setting, preset) = (product.to_owned(), setting.to_owned(), preset.to_owned());
                    mismatches.push(Mismatch { product, setting, preset, finding, seen, because });
                }
            }
        }
        let is_seen = |named: &Named| mismatches.iter().any(|it| named.is_of(&it.product, &it.setting, it.finding));
        let not_seen = claims.named.iter().filter(|named| !is_seen(named));
        let not_seen = not_seen.map(|it| format!("{} {}: {}", it.product, it.setting, it.finding)).collect();
        Ledger { entries, mismatches, not_seen }
    }

    /// How many claims came to what, which were broken, and where model and reality differ.
    pub fn in_words(&self) -> String {
        if self.entries.iter().all(|entry| entry.seen.rounds == 0) {
            return String::new();
        }
        let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &self.entries {
            *sums.entry(entry.outcome()).or_default() += 1;
        }
        let sums: Vec<String> =
            sums.iter().map(|(outcome, count)| format!("{count} {}", outcome.to_lowercase())).collect();
        let mut out = format!("\nvendors' claims: {}\n", sums.join(", "));
        for Entry { claim, seen, .. } in self.entries.iter().filter(|entry| entry.outcome() == BROKEN) {
            out += &format!(
                "  broken: {} {}: {} ({} in {seen} rounds)\n",
                claim.product, claim.setting, claim.says, claim.finding
            );
        }
        for it in &self.mismatches {
            let because = it.because.as_deref().unwrap_or("this is not settled");
            let (product, setting, preset) = (&it.product, &it.setting, &it.preset);
            out += &format!(
                "  the model of preset {preset} forbids what {product} {setting} does: {} in {} rounds; {because}\n",
                it.finding, it.seen
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reality::rows;

    const ROWS: &str = r#"
{"product": "redis", "version": "7", "setting": "always", "means": "", "fault": "kill", "load": "lags", "messages": 20, "rounds": 5, "findings": {"acked-not-lost": 2}}
{"product": "redis", "version": "7", "setting": "always", "means": "", "fault": "power", "load": "lags", "messages": 20, "rounds": 5, "findings": {}}
"#;

    fn claims(admits: bool, named: Vec<Named>) -> Claims {
        let text = |text: &str| text.to_owned();
        let claim = Claim {
            product: text("redis"),
            setting: text("always"),
            says: text("nothing is lost"),
            source: text("docs"),
            of: text("7"),
            finding: text("acked-not-lost"),
            faults: vec![text("kill"), text("power")],
            admits,
        };
        let other = Claim { setting: text("everysec"), ..claim.clone() };
        Claims { claims: vec![claim, other], named }
    }

    fn ledger(admits: bool, named: Vec<Named>) -> Ledger {
        Ledger::new(&claims(admits, named), &rows(ROWS).unwrap())
    }

    #[test]
    fn a_claim_is_broken_by_what_was_seen_unless_the_vendor_admits_it() {
        let broken = ledger(false, vec![]);
        let outcomes: Vec<_> = broken.entries.iter().map(Entry::outcome).collect();
        assert_eq!(outcomes, ["BROKEN", "not audited"]);
        assert_eq!(broken.entries[0].seen.to_string(), "2 of 10");
        assert_eq!(ledger(true, vec![]).entries[0].outcome(), "as admitted");
        assert!(broken.in_words().contains("broken: redis always: nothing is lost"), "{}", broken.in_words());
    }

    #[test]
    fn what_the_model_forbids_and_an_audit_saw_is_a_mismatch_until_it_is_named() {
        let open = ledger(false, vec![]);
        assert_eq!(open.mismatches.len(), 1);
        assert_eq!((open.mismatches[0].finding, &open.mismatches[0].because), ("acked-not-lost", &None));
        let named = |finding: &str| Named {
            product: "redis".to_owned(),
            setting: "always".to_owned(),
            finding: finding.to_owned(),
            because: "of a bug in version 7".to_owned(),
        };
        let settled = ledger(false, vec![named("acked-not-lost"), named("no-delivery-after-settle")]);
        assert_eq!(settled.mismatches[0].because.as_deref(), Some("of a bug in version 7"));
        assert_eq!(settled.not_seen, ["redis always: no-delivery-after-settle"]);
    }
}
