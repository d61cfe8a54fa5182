//! The settings as the reference tells them: the tables of `settings`, with each setting's default.

use super::Pipeline;
use super::settings::{BROKER, CONSUMER, PRODUCER, Setting, TOP, Takes};
use crate::document::Value;

/// One setting, as the reference tells it.
pub(crate) struct Described {
    /// Its section; none for the settings on top.
    pub section: Option<&'static str>,
    pub key: &'static str,
    pub says: &'static str,
    pub takes: Takes,
    /// What a file that leaves it out means; [`Value::Null`] for none.
    pub default: Value,
}

/// Every setting, section by section. The budgets of `[faults]` are not among them.
pub(crate) fn described() -> Vec<Described> {
    let pipeline = Pipeline::default();
    let mut all = section(None, TOP, &pipeline);
    all.extend(section(Some("producer"), PRODUCER, &pipeline.producer));
    all.extend(section(Some("broker"), BROKER, &pipeline.broker));
    all.extend(section(Some("consumer"), CONSUMER, &pipeline.consumer));
    all
}

fn section<S>(section: Option<&'static str>, settings: &[Setting<S>], defaults: &S) -> Vec<Described> {
    let described = |setting: &Setting<S>| Described {
        section,
        key: setting.key,
        says: setting.says,
        takes: (setting.takes)(defaults),
        default: (setting.write)(defaults),
    };
    settings.iter().map(described).collect()
}
