//! OpenTelemetry traces, as the Collector's file exporter writes them: lines of OTLP as JSON.
//!
//! A span that creates or sends a message is its submit; a send is also an attempt, and what came of it; a receive is a
//! delivery; a process is the effect, and a delivery where no receive was; a settle is a settle. Which spans are what, and
//! what counts as acked, is the [`Mapping`]. Which spans speak of one message: [`identity`].

mod identity;
mod mapping;
mod read;
mod tell;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use delivery_model::history::{EventWord, Header, Subscribed};
use delivery_model::pipeline::Level;
use delivery_model::words::Word;

pub use self::mapping::Mapping;
use crate::build::{self, End, Rows};
use crate::error::{Flaw, ImportError, quoted};
use crate::report::ImportReport;
use crate::row::{Name, Row, What};
use crate::{Format, Imported, Input, Options};

/// The default mapping, as people read it.
pub const DEFAULT_MAPPING: &str = mapping::DEFAULT;

/// Whether a file begins like OTLP with traces.
pub(crate) fn is_traces(start: &[u8]) -> bool {
    let has = |word: &[u8]| start.windows(word.len()).any(|window| window == word);
    start.trim_ascii_start().starts_with(b"{") && (has(b"\"resourceSpans\"") || has(b"\"resource_spans\""))
}

/// Imports the files as one history.
pub(crate) fn import(inputs: &[Input], options: &Options) -> Result<Imported, ImportError> {
    let mut report = ImportReport::new(Format::Otlp, "spans");
    let default = Mapping::default();
    let mapping = options.mapping.as_ref().unwrap_or(&default);
    let file = inputs.first().map_or("otlp", |input| &input.name);
    let read = read::spans(inputs, mapping, &mut report)?;
    let is_sampled = read.is_sampled;
    let rows = tell::rows(read, mapping, &mut report);
    let mut header = Header { level: Some(level(&rows, mapping)), groups: groups(&rows), ..Header::default() };
    header.complete = complete(&rows, mapping, is_sampled, &mut report).map_err(|flaw| flaw.of(file))?;
    let end = if options.quiescent { End::AtRest } else { End::Open };
    if end == End::Open {
        report.note("traces do not tell that nothing more comes, so that losses are unknown; --quiescent says it");
    }
    let history = build::history(Rows { rows, header, end }, &mut report).map_err(|flaw| flaw.of(file))?;
    Ok(Imported { history, report })
}

/// The effect level where every group that is given messages has effects, else the delivery level.
fn level(rows: &[Row], mapping: &Mapping) -> Level {
    match mapping.level.as_deref() {
        Some("delivery") => return Level::Delivery,
        Some(_) => return Level::Effect,
        None => {}
    }
    let groups =
        |what| rows.iter().filter(|row| row.what == what).map(|row| row.group.as_deref()).collect::<HashSet<_>>();
    let (given, effected) = (groups(What::Deliver), groups(What::Effect));
    if !effected.is_empty() && given.is_subset(&effected) { Level::Effect } else { Level::Delivery }
}

/// The topics of each group, where producers and consumers call them the same. A broker that routes (an exchange to a queue)
/// has other names on the other side; then every group owes every message.
fn groups(rows: &[Row]) -> BTreeMap<String, Subscribed> {
    let submits = rows.iter().filter(|row| row.what == What::Submit);
    let sent: HashMap<&Name, &str> =
        submits.filter_map(|row| Some((row.message.as_ref()?, row.topic.as_deref()?))).collect();
    let mut topics: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.what == What::Deliver) {
        let (Some(group), Some(message)) = (row.group.as_deref(), row.message.as_ref()) else { continue };
        match (row.topic.as_deref(), sent.get(message)) {
            (Some(topic), Some(sent)) if topic != *sent => return BTreeMap::new(),
            (None, _) => return BTreeMap::new(),
            (Some(topic), _) => drop(topics.entry(group).or_default().insert(topic)),
        }
    }
    let all: BTreeSet<&str> = sent.values().copied().chain(topics.values().flatten().copied()).collect();
    let told = topics.into_iter().filter(|(_, topics)| topics.len() < all.len());
    told.map(|(group, topics)| {
        let topics = topics.into_iter().map(build::shown).collect();
        (build::shown(group), Subscribed { topics })
    })
    .collect()
}

/// What is on record without gaps; none: everything.
fn complete(
    rows: &[Row],
    mapping: &Mapping,
    is_sampled: bool,
    report: &mut ImportReport,
) -> Result<Option<BTreeSet<EventWord>>, Flaw> {
    use EventWord::{Attempt, DeadLetter, Deliver, Effect, Outcome, Rewind, Settle, Submit};
    if let Some(words) = &mapping.complete {
        let word = |word: &String| {
            let all: Vec<&str> = EventWord::ALL.iter().map(|word| word.word()).collect();
            EventWord::from_word(word)
                .ok_or_else(|| Flaw::new(format!("complete {}", quoted(word)), format!("some of {}", all.join(", "))))
        };
        return words.iter().map(word).collect::<Result<_, _>>().map(Some);
    }
    let without = |missing: &[EventWord]| EventWord::ALL.into_iter().filter(|word| !missing.contains(word)).collect();
    if is_sampled {
        report.note("the traces are sampled: what is missing in them may have happened");
        return Ok(Some(without(&[Submit, Attempt, Outcome, Deliver, Effect, Settle, DeadLetter, Rewind])));
    }
    let submitted: HashSet<&Name> =
        rows.iter().filter(|row| row.what == What::Submit).filter_map(|row| row.message.as_ref()).collect();
    let given = rows.iter().filter(|row| matches!(row.what, What::Deliver | What::Effect));
    let strange: HashSet<&Name> =
        given.filter_map(|row| row.message.as_ref()).filter(|message| !submitted.contains(message)).collect();
    if strange.is_empty() {
        return Ok(None);
    }
    report.note(format!(
        "the record of sends has gaps: messages that were delivered, and whose sends are not on record ({})",
        strange.len()
    ));
    Ok(Some(without(&[Submit, Attempt, Outcome])))
}
