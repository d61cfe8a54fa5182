//! The pipelines that come with the suite, by name: three references, and what products promise.
//!
//! Their files lie in `presets/` and are written like any user's; a test loads them all. Each product's file says on top what its
//! vendor claims and whether that survives (tests of the atlas hold it to that), and beside each line which setting or
//! documented behaviour it stands for. What is left out is of no consequence there, or has its default.

use crate::pipeline::Pipeline;

/// The three reference pipelines, which `check` takes when it is given none.
pub const REFERENCES: [&str; 3] = ["at-most-once", "at-least-once", "exactly-once"];

/// Every preset: its name and its file.
pub const ALL: &[(&str, &str)] = &[
    ("at-most-once", include_str!("../presets/at-most-once.toml")),
    ("at-least-once", include_str!("../presets/at-least-once.toml")),
    ("exactly-once", include_str!("../presets/exactly-once.toml")),
    ("kafka-acks-0", include_str!("../presets/kafka-acks-0.toml")),
    ("kafka-acks-all", include_str!("../presets/kafka-acks-all.toml")),
    ("kafka-idempotent", include_str!("../presets/kafka-idempotent.toml")),
    ("kafka-transactional", include_str!("../presets/kafka-transactional.toml")),
    ("nats-core", include_str!("../presets/nats-core.toml")),
    ("jetstream", include_str!("../presets/jetstream.toml")),
    ("jetstream-msgid", include_str!("../presets/jetstream-msgid.toml")),
    ("rabbitmq-auto-ack", include_str!("../presets/rabbitmq-auto-ack.toml")),
    ("rabbitmq-confirms", include_str!("../presets/rabbitmq-confirms.toml")),
    ("redis-pubsub", include_str!("../presets/redis-pubsub.toml")),
    ("redis-streams", include_str!("../presets/redis-streams.toml")),
    ("sqs-standard", include_str!("../presets/sqs-standard.toml")),
    ("sqs-fifo", include_str!("../presets/sqs-fifo.toml")),
    ("mqtt-qos0", include_str!("../presets/mqtt-qos0.toml")),
    ("mqtt-qos1", include_str!("../presets/mqtt-qos1.toml")),
    ("mqtt-qos2", include_str!("../presets/mqtt-qos2.toml")),
    ("postgres-outbox-inbox", include_str!("../presets/postgres-outbox-inbox.toml")),
];

/// The preset of this name, if there is one.
pub fn named(name: &str) -> Option<Pipeline> {
    let (name, text) = ALL.iter().find(|(preset, _)| *preset == name)?;
    Some(Pipeline::from_toml(text, name).expect("a test loads every preset"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_loads_under_its_own_name() {
        for (name, text) in ALL {
            let pipeline = Pipeline::from_toml(text, "unnamed").unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(pipeline.name, *name);
        }
    }

    #[test]
    fn every_setting_of_a_product_says_what_it_stands_for() {
        let is_setting = |line: &&str| line.contains('=') && !line.starts_with(['#', '[']);
        let says_itself = |line: &&str| line.starts_with("name") || line.starts_with("promises");
        for (name, text) in ALL.iter().filter(|(name, _)| !REFERENCES.contains(name)) {
            let on_top = ["# ", "\n# Claim: ", "\n# Outcome: "].map(|begin| text.find(begin));
            assert!(on_top[0] == Some(0) && on_top.is_sorted() && on_top[1].is_some(), "{name}: {on_top:?}");
            for line in text.lines().filter(is_setting).filter(|line| !says_itself(line)) {
                assert!(line.contains("  # "), "{name}: {line}");
            }
        }
    }
}
