//! The settings on which a broker and its clients must agree: every setting of a pipeline's three parties, as text.
//!
//! Parties with different settings would together do what no pipeline describes, without an error. So each client
//! sends its settings when it connects, and the broker refuses a client whose settings differ from its own.

use std::collections::BTreeMap;

use delivery_model::pipeline::Pipeline;

/// The longest text of settings, in bytes. A pipeline has some thirty settings.
pub const SETTINGS_MAX: usize = 16 << 10;

/// The value of each setting, by its name: `broker.dedup` is `"sequence"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The settings of a pipeline, without its name, its claims and its faults.
    pub fn of(pipeline: &Pipeline) -> Settings {
        Settings(pipeline.settings())
    }

    /// The settings as text, one a line, such as `broker.dedup = "sequence"`.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
    }

    /// Decodes what [`Settings::to_text`] wrote. None if a line is not a setting, or the text is too long or not
    /// printable: a client may send any bytes.
    pub fn from_text(text: &[u8]) -> Option<Settings> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= SETTINGS_MAX)?;
        let setting = |line: &str| {
            let (name, value) = line.split_once(" = ").filter(|_| is_printable(line))?;
            Some((name.to_owned(), value.to_owned()))
        };
        text.lines().map(setting).collect::<Option<_>>().map(Settings)
    }

    /// The first setting of these, the broker's, that differs from the peer's, as a sentence: "broker.dedup is
    /// "sequence" at the broker and "none" at consumer-0". None if all agree.
    pub fn difference(&self, its: &Settings, peer: &str) -> Option<String> {
        let names = self.0.keys().chain(its.0.keys().filter(|name| !self.0.contains_key(*name)));
        let differing = |name: &&String| self.0.get(*name) != its.0.get(*name);
        names.into_iter().find(differing).map(|name| {
            let [own, its] = [self, its].map(|of| of.0.get(name).map_or("no setting", String::as_str));
            format!("{name} is {own} at the broker and {its} at {peer}")
        })
    }
}

/// Whether the text can be printed for operators as it is.
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
