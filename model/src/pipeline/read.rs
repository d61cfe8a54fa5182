//! Reads a pipeline from TOML or JSON, which have the same shape and are checked alike. Loading is validation.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value as Json;

use super::meaning::Clash;
use super::settings::{self, BROKER, CONSUMER, FAULTS_LIMIT, PRODUCER, Setting, TOP};
use super::{FaultBudget, Pipeline, PipelineError};
use crate::document::{Cursor, Fields, Mistake, Node, Value};
use crate::vocab::Fault;
use crate::words::Word;

/// The name of a pipeline that has none and stands in no file of its own.
const UNNAMED: &str = "pipeline";
/// The key of the cap on all faults of a run.
const TOTAL: &str = "total";

impl Pipeline {
    /// Loads a pipeline from TOML. `default_name` (the file's stem, say) is its name if the text gives none.
    ///
    /// ```
    /// # use delivery_model::pipeline::Pipeline;
    /// let pipeline = Pipeline::from_toml("[producer]\nattempts = \"once\"\n", "orders").unwrap();
    /// assert_eq!(pipeline.name, "orders");
    ///
    /// let error = Pipeline::from_toml("[producer]\nattempts = 0\n", "orders").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2, `producer.attempts`: found 0; allowed: "));
    /// ```
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str, default_name: &str) -> Result<Pipeline, PipelineError> {
        let node = Node::from_toml(text).map_err(|(line, problem)| PipelineError::NotToml { line, problem })?;
        Pipeline::from_cursor(&Cursor::root(&node, None), default_name)
    }

    /// Loads a pipeline from JSON of the TOML's shape. Errors name the path of keys; there are no lines.
    pub fn from_json(json: &Json) -> Result<Pipeline, PipelineError> {
        Pipeline::from_cursor(&Cursor::root(&Node::from(json), None), UNNAMED)
    }

    /// Loads the pipeline that stands somewhere inside another document.
    pub(crate) fn nested(cursor: &Cursor<'_>) -> Result<Pipeline, PipelineError> {
        Pipeline::from_cursor(cursor, UNNAMED)
    }

    fn from_cursor(cursor: &Cursor<'_>, default_name: &str) -> Result<Pipeline, PipelineError> {
        let mut pipeline = Pipeline::default();
        let keys: Vec<&str> =
            TOP.iter().map(|setting| setting.key).chain(["producer", "broker", "consumer", "faults"]).collect();
        let fields = cursor.table(&keys).map_err(with_section)?;
        for (key, field) in fields.iter() {
            match key {
                "producer" => read_section(PRODUCER, &mut pipeline.producer, field),
                "broker" => read_section(BROKER, &mut pipeline.broker, field),
                "consumer" => read_section(CONSUMER, &mut pipeline.consumer, field),
                "faults" => read_faults(field).map(|faults| pipeline.faults = faults),
                _ => read_setting(TOP, &mut pipeline, key, field),
            }
            .map_err(with_section)?;
        }
        if fields.optional("name").is_none() {
            pipeline.name = settings::default_name(default_name, cursor.place())?;
        }
        match pipeline.clash() {
            Some(clash) => Err(meaningless(clash, &pipeline, cursor, &fields)),
            None => Ok(pipeline),
        }
    }
}

impl<'de> Deserialize<'de> for Pipeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pipeline, D::Error> {
        let node = Node::deserialize(deserializer)?;
        Pipeline::nested(&Cursor::root(&node, None)).map_err(D::Error::custom)
    }
}

/// The same mistake, and where the key belongs, if it is one of another section.
fn with_section(mistake: Mistake) -> Mistake {
    let Mistake::UnknownKey { place, hint, allowed } = mistake else { return mistake };
    let key = place.key.rsplit('.').next().unwrap_or_default();
    let belongs = section_of(key).map(|section| format!("it belongs to {section}"));
    Mistake::UnknownKey { hint: belongs.or(hint), place, allowed }
}

/// The section that has this key.
fn section_of(key: &str) -> Option<&'static str> {
    fn has<S>(settings: &[Setting<S>], key: &str) -> bool {
        settings.iter().any(|setting| setting.key == key)
    }
    match key {
        key if has(TOP, key) => Some("the top, before all sections"),
        key if has(PRODUCER, key) => Some("[producer]"),
        key if has(BROKER, key) => Some("[broker]"),
        key if has(CONSUMER, key) => Some("[consumer]"),
        key if key == TOTAL || Fault::from_word(key).is_some() => Some("[faults]"),
        _ => None,
    }
}

fn read_section<S>(settings: &[Setting<S>], section: &mut S, cursor: &Cursor<'_>) -> Result<(), Mistake> {
    let keys: Vec<&str> = settings.iter().map(|setting| setting.key).collect();
    cursor.table(&keys)?.iter().try_for_each(|(key, field)| read_setting(settings, section, key, field))
}

fn read_setting<S>(settings: &[Setting<S>], section: &mut S, key: &str, field: &Cursor<'_>) -> Result<(), Mistake> {
    settings.iter().filter(|setting| setting.key == key).try_for_each(|setting| (setting.read)(section, field))
}

/// Kinds that are left out have no budget; a left-out total has the usual value, unless there is nothing to cap.
fn read_faults(cursor: &Cursor<'_>) -> Result<FaultBudget, Mistake> {
    let keys: Vec<&str> = std::iter::once(TOTAL).chain(Fault::ALL.map(Fault::word)).collect();
    let fields = cursor.table(&keys)?;
    let mut budget = FaultBudget::NONE;
    if fields.iter().next().is_some() {
        budget.total = FaultBudget::default().total;
    }
    for (key, field) in fields.iter() {
        let times = field.number(0..=FAULTS_LIMIT)?;
        match Fault::from_word(key) {
            Some(fault) => budget = budget.with(fault, times),
            None => budget.total = times,
        }
    }
    Ok(budget)
}

/// Says which two settings clash, beginning with one that stands in the document: the other may be left out.
fn meaningless(clash: &Clash, pipeline: &Pipeline, document: &Cursor<'_>, fields: &Fields<'_>) -> PipelineError {
    let [first, second] = clash.sides.each_ref().map(|side| {
        let (path, value) = (side.path, (side.word)(pipeline));
        let mut place = path.iter().fold(document.place().clone(), |place, key| place.child(None, key));
        let stands = line_of(fields, path);
        place.line = stands.flatten().or(place.line);
        (place, value, stands.is_some())
    });
    let (this, other) = if first.2 { (first, second) } else { (second, first) };
    let whence = match (other.2, other.0.line) {
        (false, _) => " (left out, so the default)".to_owned(),
        (true, Some(line)) if this.0.line != Some(line) => format!(" (line {line})"),
        (true, _) => String::new(),
    };
    let Clash { why, allowed, .. } = *clash;
    let other = format!("`{}` = \"{}\"{whence}", other.0.key, other.1);
    PipelineError::Meaningless { place: this.0, value: format!("\"{}\"", this.1), other, why, allowed }
}

/// Whether the setting with this path stands in the document, and on which line.
fn line_of(fields: &Fields<'_>, path: &[&str]) -> Option<Option<u32>> {
    let (first, rest) = path.split_first()?;
    let field = fields.optional(first)?;
    let Some(key) = rest.first() else { return Some(field.place().line) };
    let Value::Table(entries) = field.value() else { return None };
    entries.iter().find(|(known, ..)| known == key).map(|(_, line, _)| *line)
}
