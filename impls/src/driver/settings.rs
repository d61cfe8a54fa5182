//! The settings on which a broker and its peers must agree: every setting of a pipeline's parties, as text.
//!
//! Parties that go by different settings do something else than any of their pipelines says, and nobody notices. So each
//! says its settings when it connects, and the broker refuses those that differ from its own.

use std::collections::BTreeMap;

use delivery_model::pipeline::Pipeline;

/// The longest text of settings, in bytes: a pipeline has some thirty.
pub const SETTINGS_MAX: usize = 16 << 10;

/// What each setting is, by its name: `broker.dedup` is `"sequence"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// A pipeline's. Its name, its claims and its faults are not among them.
    pub fn of(pipeline: &Pipeline) -> Settings {
        Settings(pipeline.settings())
    }

    /// A line each, such as `broker.dedup = "sequence"`.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
    }

    /// Reads what [`Settings::to_text`] wrote. None if a line is no setting, or the text is too long or holds what does not
    /// print: it may come from anybody.
    pub fn from_text(text: &[u8]) -> Option<Settings> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= SETTINGS_MAX)?;
        let setting = |line: &str| {
            let (name, value) = line.split_once(" = ").filter(|_| is_printable(line))?;
            Some((name.to_owned(), value.to_owned()))
        };
        text.lines().map(setting).collect::<Option<_>>().map(Settings)
    }

    /// The first setting that is another one at the broker, whose settings these are: "broker.dedup is "sequence" at the
    /// broker and "none" at consumer-0". None if a peer may work with it.
    pub fn difference(&self, its: &Settings, peer: &str) -> Option<String> {
        let names = self.0.keys().chain(its.0.keys().filter(|name| !self.0.contains_key(*name)));
        let differing = |name: &&String| self.0.get(*name) != its.0.get(*name);
        names.into_iter().find(differing).map(|name| {
            let [own, its] = [self, its].map(|of| of.0.get(name).map_or("no setting", String::as_str));
            format!("{name} is {own} at the broker and {its} at {peer}")
        })
    }
}

/// Whether text can be shown to operators as it is.
pub(super) fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use delivery_model::pipeline::{Dedup, Level};

    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written_and_fit_themselves() {
        let settings = Settings::of(&Pipeline::default());
        assert_eq!(Settings::from_text(settings.to_text().as_bytes()), Some(settings.clone()));
        assert!(settings.to_text().contains("broker.dedup = \"sequence\"\n"), "{}", settings.to_text());
        assert_eq!(settings.difference(&settings, "consumer-0"), None);
    }

    #[test]
    fn what_differs_is_told_by_name_and_claims_do_not_count() {
        let own = Settings::of(&Pipeline::default());
        let mut pipeline = Pipeline { name: "another".into(), level: Level::Delivery, ..Pipeline::default() };
        assert_eq!(own.difference(&Settings::of(&pipeline), "consumer-0"), None);
        pipeline.broker.dedup = Dedup::None;
        let expected = "broker.dedup is \"sequence\" at the broker and \"none\" at consumer-0";
        assert_eq!(own.difference(&Settings::of(&pipeline), "consumer-0").as_deref(), Some(expected));
        let mut newer = own.clone();
        newer.0.insert("producer.hope".into(), "true".into());
        let expected = "producer.hope is no setting at the broker and true at producer-3";
        assert_eq!(own.difference(&newer, "producer-3").as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_list_of_settings_is_refused() {
        for text in [&b"broker.dedup"[..], b"\xff = 1", b"a = \x1b[31m", &[b'a'; SETTINGS_MAX + 1]] {
            assert_eq!(Settings::from_text(text), None, "{text:?}");
        }
    }
}
