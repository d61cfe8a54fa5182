//! The presets that stand for products with their settings.

/// A row for each setting of a product for which there is a preset: product, setting, preset.
pub const STAND_FOR: &[(&str, &str, &str)] = &[
    ("nats", "default", "jetstream-r1"),
    ("nats", "sync-always", "jetstream-r1-sync-always"),
    ("redis", "default", "redis-streams"),
    ("redis", "everysec", "redis-streams-everysec"),
    ("redis", "always", "redis-streams-always"),
    ("postgres", "default", "postgres-outbox-inbox"),
    ("mosquitto", "qos1", "mosquitto-qos1"),
    ("mosquitto", "qos1-saving", "mosquitto-qos1"),
    ("mosquitto", "qos2", "mosquitto-qos2"),
    ("mosquitto", "qos2-saving", "mosquitto-qos2"),
    ("rabbitmq", "classic", "rabbitmq-classic"),
    ("rabbitmq", "quorum", "rabbitmq-quorum"),
    ("delivery", "exactly-once", "exactly-once"),
    ("delivery", "at-least-once", "at-least-once"),
];

/// The preset that stands for this setting of this product, where there is one.
pub fn preset(product: &str, setting: &str) -> Option<&'static str> {
    STAND_FOR.iter().find(|it| it.0 == product && it.1 == setting).map(|it| it.2)
}
