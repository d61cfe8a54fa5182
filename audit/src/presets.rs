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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products;

    #[test]
    fn every_row_names_a_setting_and_a_preset() {
        for &(product, setting, preset) in STAND_FOR {
            let known = products::ALL.iter().find(|it| it.name() == product);
            let settings = known.map(|it| it.settings()).unwrap_or_default();
            assert!(settings.iter().any(|it| it.name == setting), "{product} {setting}");
            assert!(delivery_model::presets::named(preset).is_some(), "{preset}");
        }
    }
}
