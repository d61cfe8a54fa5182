//! The pipelines that come with the suite, by name: three references, and what products promise.
//!
//! Their files lie in `presets/` and are written like any user's; a test loads them all. Each product's file says on top what its
//! vendor claims and whether that survives (tests of the atlas hold it to that), and beside each line which setting or
//! documented behaviour it stands for. What is left out is of no consequence there, or has its default.

use crate::pipeline::Pipeline;

/// The three reference pipelines, which `check` takes when it is given none.
pub const REFERENCES: [&str; 3] = ["at-most-once", "at-least-once", "exactly-once"];

/// The first so many presets are the references and one reading of each family of products, which the README's table has. The
/// others split families by how a product is run.
pub const FAMILIES: usize = 20;

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        /// Every preset: its name and its file.
        pub const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../presets/", $name, ".toml")))),*];
    };
}

// A new preset is its file and its line here.
presets! {
    "at-most-once",
    "at-least-once",
    "exactly-once",
    "kafka-acks-0",
    "kafka-acks-all",
    "kafka-idempotent",
    "kafka-transactional",
    "nats-core",
    "jetstream",
    "jetstream-msgid",
    "rabbitmq-auto-ack",
    "rabbitmq-confirms",
    "redis-pubsub",
    "redis-streams",
    "sqs-standard",
    "sqs-fifo",
    "mqtt-qos0",
    "mqtt-qos1",
    "mqtt-qos2",
    "postgres-outbox-inbox",
    "kafka-auto-commit",
    "kafka-retry-topic",
    "kafka-replicated",
    "kafka-connect-source",
    "jetstream-r1",
    "jetstream-r1-sync-always",
    "jetstream-workqueue-msgid",
    "rabbitmq-classic",
    "rabbitmq-quorum",
    "rabbitmq-dlx",
    "mosquitto-qos1",
    "mosquitto-qos2",
    "redis-streams-everysec",
    "redis-streams-always",
    "redis-streams-failover",
    "sidekiq",
    "sidekiq-superfetch",
    "celery-acks-late",
    "bullmq",
    "pubsub-exactly-once",
    "azure-service-bus-peek-lock",
    "debezium-outbox",
    "postgres-outbox-cursor",
    "good-job",
}

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
