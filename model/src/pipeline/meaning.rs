//! Combinations of settings that mean nothing.
//!
//! Refused is only what could never be realised, would hold vacuously or would never end. A setting that merely has
//! nothing to do (`fencing` without epochs, a window without dedup) is left alone: it changes no verdict.

use super::{Attempts, Pipeline};

/// Two settings that mean nothing together.
pub(crate) struct Clash {
    /// The two.
    pub sides: [Side; 2],
    /// Why they mean nothing together.
    pub why: &'static str,
    /// What to write instead.
    pub allowed: &'static str,
}

/// One setting of a clash.
pub(crate) struct Side {
    /// The path of its key.
    pub path: &'static [&'static str],
    /// The words that clash; of a number, `N or more`.
    pub words: &'static [&'static str],
    /// The word that a pipeline has there; empty where it has a number, or one that does not clash.
    pub word: fn(&Pipeline) -> &'static str,
}

/// Every clash. Of several, the first is told.
pub(crate) const CLASHES: &[Clash] = &[
    Clash {
        sides: [identity(&["none", "message-id"]), dedup(&["sequence"])],
        why: "messages carry no sequence number to go by",
        allowed: "`broker.dedup` = \"none\", or `producer.identity` = \"sequence\"",
    },
    Clash {
        sides: [identity(&["none"]), dedup(&["message-id"])],
        why: "messages carry nothing to recognise them by",
        allowed: "`broker.dedup` = \"none\", or `producer.identity` = \"message-id\" or \"sequence\"",
    },
    Clash {
        sides: [ATTEMPTS_WITHOUT_END, NO_ACKS],
        why: "a producer that waits for acks that never come never ends",
        allowed: "`producer.attempts` = \"once\" or a number, or `broker.acks` = \"on-receipt\" or \"after-sync\"",
    },
    Clash {
        sides: [OWES_ACKED, NO_ACKS],
        why: "no message is ever acked, so that the obligation would hold whatever is lost",
        allowed: "`obligation` = \"submitted\", or `broker.acks` = \"on-receipt\" or \"after-sync\"",
    },
    Clash {
        sides: [BATCHES, Side { path: &["consumer", "workers"], words: &["2 or more"], word: workers }],
        why: "a batch is handled by one worker",
        allowed: "`consumer.batch` = 1, or `consumer.workers` = 1",
    },
    Clash {
        sides: [BATCHES, Side { path: &["consumer", "prefetch"], words: &["1 or more"], word: prefetch }],
        why: "a batch is what is received ahead of the worker",
        allowed: "`consumer.batch` = 1, or `consumer.prefetch` = 0",
    },
    Clash {
        sides: [BATCHES, Side { path: &["consumer", "settles"], words: &["in-background"], word: settles }],
        why: "a batch is settled as one",
        allowed: "`consumer.batch` = 1, or another word of `consumer.settles`",
    },
];

const BATCHES: Side = Side {
    path: &["consumer", "batch"],
    words: &["2 or more"],
    word: |pipeline| if pipeline.consumer.batches() { "2 or more" } else { "" },
};

fn workers(pipeline: &Pipeline) -> &'static str {
    if pipeline.consumer.workers > 1 { "2 or more" } else { "" }
}

fn prefetch(pipeline: &Pipeline) -> &'static str {
    if pipeline.consumer.prefetch > 0 { "1 or more" } else { "" }
}

fn settles(pipeline: &Pipeline) -> &'static str {
    pipeline.consumer.settles.word()
}

const fn identity(words: &'static [&'static str]) -> Side {
    Side { path: &["producer", "identity"], words, word: |pipeline| pipeline.producer.identity.word() }
}

const fn dedup(words: &'static [&'static str]) -> Side {
    Side { path: &["broker", "dedup"], words, word: |pipeline| pipeline.broker.dedup.word() }
}

const ATTEMPTS_WITHOUT_END: Side = Side {
    path: &["producer", "attempts"],
    words: &["until-acked"],
    word: |pipeline| if pipeline.producer.attempts == Attempts::UntilAcked { "until-acked" } else { "" },
};

const NO_ACKS: Side =
    Side { path: &["broker", "acks"], words: &["never"], word: |pipeline| pipeline.broker.acks.word() };

const OWES_ACKED: Side = Side { path: &["obligation"], words: &["acked"], word: |pipeline| pipeline.obligation.word() };

impl Pipeline {
    /// Whether its settings mean something together: the part of loading that looks at more than one setting.
    pub fn means_something(&self) -> bool {
        self.clash().is_none()
    }

    pub(super) fn clash(&self) -> Option<&'static Clash> {
        let clashes = |side: &Side| side.words.contains(&(side.word)(self));
        CLASHES.iter().find(|clash| clash.sides.iter().all(clashes))
    }
}
