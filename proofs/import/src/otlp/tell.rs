//! From spans to events: which message each speaks of, and what happened to it when.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use delivery_model::history::{At, PartitionName};
use delivery_model::vocab::{Outcome, SettleOutcome};
use serde_json::json;

use super::identity::{Key, Messages};
use super::mapping::{AckedBy, EffectOf, Mapping, Role};
use super::read::{Context, Read, Shared, Span, SpanRole, Told, place};
use super::wire::Code;
use crate::report::ImportReport;
use crate::row::{Name, Row, What};

/// The events of all spans.
pub fn rows(read: Read, mapping: &Mapping, report: &mut ImportReport) -> Vec<Row> {
    let mut messages = Messages::default();
    let keys = keys(&read, &mut messages);
    if messages.clashes > 0 {
        report
            .note(format!("messages with different ids that share a link or a place stay two ({})", messages.clashes));
    }
    let names = messages.names();
    let groups = groups(&read);
    let mut teller =
        Teller { mapping, group: "".into(), rows: Vec::new(), submits: HashMap::new(), received: HashMap::new() };
    let mut order: Vec<usize> = (0..read.spans.len()).collect();
    // A process follows its receive, and a send its create, whatever the order of the file.
    let rank = |role| match role {
        SpanRole::Messaging(Role::Create) => 0,
        SpanRole::Messaging(Role::Receive) => 1,
        _ => 2,
    };
    order.sort_by_key(|&at| (rank(read.spans[at].role), read.spans[at].start));
    for at in order {
        let span = &read.spans[at];
        teller.group = Arc::clone(&groups[at]);
        for (told, key) in span.messages.iter().zip(&keys[at]) {
            let Some(key) = key else {
                report
                    .dropped
                    .count(&format!("{} of messages that nothing tells apart: no id, place, key or link", word(span)));
                continue;
            };
            teller.tell(span, told, &names[&messages.message(key)], report);
        }
    }
    teller.rows
}

fn word(span: &Span) -> &'static str {
    match span.role {
        SpanRole::Messaging(Role::Create) => "creates",
        SpanRole::Messaging(Role::Send) => "sends",
        SpanRole::Messaging(Role::Receive) => "receives",
        SpanRole::Messaging(Role::Process) => "processes",
        SpanRole::Messaging(Role::Settle) => "settles",
        SpanRole::Messaging(Role::None) | SpanRole::Effect => "effects",
    }
}

/// A key of the message of each span and link; none where nothing tells.
fn keys(read: &Read, messages: &mut Messages) -> Vec<Vec<Option<Key>>> {
    let mut all = Vec::new();
    for span in &read.spans {
        let of_one = span.is_of_one().then(|| Key::Span(Arc::clone(&span.context.0), Arc::clone(&span.context.1)));
        let makes = span.is(Role::Create) || span.is(Role::Send);
        let keys = span.messages.iter().map(|told| {
            let made_in = made_in(read, span, told);
            let own = of_one.clone().filter(|_| makes || made_in.is_none());
            let known = [
                told.id.clone().map(Key::Id),
                made_in,
                place(told, span.topic.as_ref()),
                told.key.clone().map(Key::User),
            ];
            let known: Vec<Key> = known.into_iter().flatten().chain(own).collect();
            known.windows(2).for_each(|pair| messages.join(&pair[0], &pair[1]));
            if let Some(first) = known.first() {
                // Whoever refers to this span refers to its message. One that nothing else refers to gets a name, too.
                messages.join(first, of_one.as_ref().unwrap_or(first));
            }
            let is_told = makes
                || known.iter().any(|key| !matches!(key, Key::Span(..)))
                || known.len() > 1
                || is_linked(&known, span);
            known.into_iter().next().filter(|_| is_told)
        });
        all.push(keys.collect());
    }
    all
}

/// Whether a consumer's one key is that of another span, not of itself alone.
fn is_linked(known: &[Key], span: &Span) -> bool {
    known.iter().any(|key| match key {
        Key::Span(trace, id) => (trace, id) != (&span.context.0, &span.context.1),
        _ => true,
    })
}

/// The context in which a message was made: that of a link, else that of the nearest span of messaging above.
fn made_in(read: &Read, span: &Span, told: &Told) -> Option<Key> {
    let key = |(trace, id): &Context| Key::Span(Arc::clone(trace), Arc::clone(id));
    if let Some(link) = &told.made_in {
        // A span that is on record and tells of no one message is a context that messages share.
        return match read.by_context.get(link).map(|&at| &read.spans[at]) {
            Some(linked) if linked.is_of_one() => Some(key(link)),
            Some(_) => None,
            None if read.others.contains(link) => None,
            None => Some(key(link)),
        };
    }
    let above = read.above(span)?;
    let is_maker = above.is(Role::Create) || above.is(Role::Send);
    let is_consumer = above.is(Role::Receive) || above.is(Role::Process);
    // What a consumer's handler sends is another message.
    let speaks = match span.is(Role::Send) || span.is(Role::Create) {
        true => above.is(Role::Create),
        false => is_maker || is_consumer,
    };
    (speaks && above.is_of_one()).then(|| key(&above.context))
}

/// The consumer group of each span: its own, else that of the consumer's span above it, else the one of its service, else
/// the service.
fn groups(read: &Read) -> Vec<Shared> {
    let mut of_service: HashMap<&Shared, BTreeSet<&Shared>> = HashMap::new();
    for span in &read.spans {
        if let Some(group) = &span.group {
            of_service.entry(&span.service).or_default().insert(group);
        }
    }
    let only = |service: &Shared| of_service.get(service).filter(|groups| groups.len() == 1)?.first().copied().cloned();
    let inherited = |span: &Span| read.above(span).filter(|above| above.service == span.service)?.group.clone();
    let group = |span: &Span| span.group.clone().or_else(|| inherited(span)).or_else(|| only(&span.service));
    read.spans.iter().map(|span| group(span).unwrap_or_else(|| Arc::clone(&span.service))).collect()
}

struct Teller<'m> {
    mapping: &'m Mapping,
    /// The consumer group of the span that is being told.
    group: Shared,
    rows: Vec<Row>,
    /// Where the submit of each message stands among the rows.
    submits: HashMap<Name, usize>,
    /// The receives that no process followed yet, of each message and group: when each began, and its row.
    received: HashMap<(Name, Shared), VecDeque<(i64, usize)>>,
}

impl Teller<'_> {
    fn tell(&mut self, span: &Span, told: &Told, message: &Name, report: &mut ImportReport) {
        let role = match span.role {
            SpanRole::Messaging(role) => role,
            SpanRole::Effect => {
                self.effect(span, told, message, report);
                return;
            }
        };
        match role {
            Role::Create => self.submit(span, told, message),
            Role::Send => {
                self.submit(span, told, message);
                self.push(span, told, message, span.start, What::Attempt);
                self.push(span, told, message, span.end, What::Outcome(self.outcome(span, told)));
            }
            Role::Receive => {
                let received = self.received.entry((message.clone(), Arc::clone(&self.group))).or_default();
                received.push_back((span.start, self.rows.len()));
                self.push(span, told, message, span.end, What::Deliver);
                if self.is_effect(EffectOf::Receive) {
                    self.effect(span, told, message, report);
                }
            }
            Role::Process => {
                let received = self.received.get_mut(&(message.clone(), Arc::clone(&self.group)));
                let is_before = |receives: &&mut VecDeque<(i64, usize)>| {
                    receives.front().is_some_and(|(start, _)| *start <= span.start)
                };
                match received.filter(is_before).and_then(VecDeque::pop_front) {
                    // A receive may last until its messages are processed: they were delivered before that began.
                    Some((_, row)) if self.rows[row].at > At::Instant(span.start) => {
                        self.rows[row].at = At::Instant(span.start);
                    }
                    Some(_) => {}
                    None => self.push(span, told, message, span.start, What::Deliver),
                }
                if self.is_effect(EffectOf::Process) {
                    self.effect(span, told, message, report);
                }
            }
            Role::Settle if span.is_negative => report.dropped.count("negative settles: the message is not done"),
            Role::Settle => {
                let outcome = if span.code == Code::Error { SettleOutcome::Unknown } else { SettleOutcome::Ok };
                self.push(span, told, message, span.end, What::Settle(outcome));
            }
            Role::None => {}
        }
    }

    /// Whether such spans are effects: where spans are named, they alone count.
    fn is_effect(&self, of: EffectOf) -> bool {
        self.mapping.effect.spans.is_empty() && self.mapping.effect.operations.contains(&of)
    }

    fn effect(&mut self, span: &Span, told: &Told, message: &Name, report: &mut ImportReport) {
        match span.code {
            Code::Error => report.dropped.count("effects of spans that ended with an error: taken as none"),
            Code::Ok | Code::Unset => self.push(span, told, message, span.end, What::Effect),
        }
    }

    /// A message is submitted once, when it is first made.
    fn submit(&mut self, span: &Span, told: &Told, message: &Name) {
        match self.submits.get(message) {
            Some(&at) => {
                let row = &mut self.rows[at];
                if row.at > At::Instant(span.start) {
                    row.at = At::Instant(span.start);
                }
                if row.topic.is_none() {
                    row.topic.clone_from(&span.topic);
                }
            }
            None => {
                self.submits.insert(message.clone(), self.rows.len());
                self.push(span, told, message, span.start, What::Submit);
            }
        }
    }

    fn outcome(&self, span: &Span, told: &Told) -> Outcome {
        let outcomes = &self.mapping.outcome;
        if span.code == Code::Error || span.error.is_some() && span.code != Code::Ok {
            let error = span.error.as_deref().unwrap_or_default();
            let is_refused = outcomes.refused.iter().any(|refused| !refused.is_empty() && error.ends_with(&**refused));
            return if is_refused { Outcome::Refused } else { Outcome::Unknown };
        }
        let says = |by: &AckedBy| match by {
            AckedBy::Position => told.position.is_some(),
            AckedBy::StatusOk => span.code == Code::Ok,
            AckedBy::Event => span.events.iter().any(|event| outcomes.events.contains(event)),
            AckedBy::Ended => true,
        };
        if outcomes.acked.iter().any(says) { Outcome::Acked } else { Outcome::Unknown }
    }

    fn push(&mut self, span: &Span, told: &Told, message: &Name, at: i64, what: What) {
        let is_consumers = matches!(what, What::Deliver | What::Effect | What::Settle(_));
        let mut attributes = span.attributes.clone();
        attributes.insert("trace".to_owned(), json!(&*span.context.0));
        attributes.insert("span".to_owned(), json!(format!("{} {}", span.context.1, span.name).trim_end()));
        let row = Row::new(At::Instant(at), Arc::clone(&span.process), what).about(message.clone());
        self.rows.push(Row {
            group: is_consumers.then(|| Arc::clone(&self.group)),
            topic: span.topic.clone(),
            partition: told.partition.as_deref().map(partition),
            position: told.position,
            delivery: told.delivery.filter(|_| what != What::Effect),
            attributes: Some(attributes),
            ..row
        });
    }
}

fn partition(name: &str) -> PartitionName {
    match Name::of(name) {
        Name::Number(number) => PartitionName::Number(number),
        Name::Text(text) => PartitionName::Text(text),
    }
}
