//! Combinations of settings that mean nothing.
//!
//! Refused is only what could never be realised, would hold vacuously or would never end. A setting that merely has
//! nothing to do (`fencing` without epochs, a window without dedup) is left alone: it changes no verdict.

use super::{Acks, Attempts, Dedup, Identity, Obligation, Pipeline};

/// Two settings that mean nothing together.
pub(super) struct Clash {
    /// Path and value of each.
    pub settings: [(&'static [&'static str], &'static str); 2],
    /// Why they mean nothing together.
    pub why: &'static str,
    /// What to write instead.
    pub allowed: &'static str,
}

const IDENTITY: &[&str] = &["producer", "identity"];
const ATTEMPTS: &[&str] = &["producer", "attempts"];
const DEDUP: &[&str] = &["broker", "dedup"];
const ACKS: &[&str] = &["broker", "acks"];
const OBLIGATION: &[&str] = &["obligation"];

impl Pipeline {
    /// Whether its settings mean something together: the part of loading that looks at more than one setting.
    pub fn means_something(&self) -> bool {
        self.clash().is_none()
    }

    pub(super) fn clash(&self) -> Option<Clash> {
        self.dedup_without_its_identity().or_else(|| self.acks_that_never_come())
    }

    fn dedup_without_its_identity(&self) -> Option<Clash> {
        let (identity, dedup) = (self.producer.identity, self.broker.dedup);
        let (why, allowed) = match (dedup, identity) {
            (Dedup::Sequence, Identity::None | Identity::MessageId) => (
                "messages carry no sequence number to go by",
                "`broker.dedup` = \"none\", or `producer.identity` = \"sequence\"",
            ),
            (Dedup::MessageId, Identity::None) => (
                "messages carry nothing to recognise them by",
                "`broker.dedup` = \"none\", or `producer.identity` = \"message-id\" or \"sequence\"",
            ),
            _ => return None,
        };
        Some(Clash { settings: [(IDENTITY, identity.word()), (DEDUP, dedup.word())], why, allowed })
    }

    fn acks_that_never_come(&self) -> Option<Clash> {
        if self.broker.acks != Acks::Never {
            return None;
        }
        let acks = (ACKS, self.broker.acks.word());
        if self.producer.attempts == Attempts::UntilAcked {
            let why = "a producer that waits for acks that never come never ends";
            let allowed =
                "`producer.attempts` = \"once\" or a number, or `broker.acks` = \"on-receipt\" or \"after-sync\"";
            return Some(Clash { settings: [(ATTEMPTS, "until-acked"), acks], why, allowed });
        }
        if self.obligation == Obligation::Acked {
            let why = "no message is ever acked, so that the obligation would hold whatever is lost";
            let allowed = "`obligation` = \"submitted\", or `broker.acks` = \"on-receipt\" or \"after-sync\"";
            return Some(Clash { settings: [(OBLIGATION, self.obligation.word()), acks], why, allowed });
        }
        None
    }
}
