//! Spans from the files: those of messaging, with what they say of messages, and the parents of all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::identity::Key;
use super::mapping::{Mapping, Role};
use super::wire::{self, Attributes, Batch, Code, Kind};
use crate::Input;
use crate::error::{Flaw, ImportError};
use crate::report::ImportReport;

/// A text that many spans share.
pub type Shared = Arc<str>;

/// The context of a span: its trace and its id.
pub type Context = (Arc<str>, Arc<str>);

/// Everything that the files tell.
#[derive(Default)]
pub struct Read {
    pub spans: Vec<Span>,
    /// The spans of messaging, and those that are effects by their name, by context.
    pub by_context: HashMap<Context, usize>,
    /// The spans that are on record and tell of no message.
    pub others: HashSet<Context>,
    /// The parent of every span that has one.
    pub parents: HashMap<Context, Context>,
    /// Some traces are sampled, as their state tells.
    pub is_sampled: bool,
}

/// What is told of one message: by a span, or by one of its links.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub id: Option<Shared>,
    pub key: Option<Shared>,
    pub partition: Option<Shared>,
    pub position: Option<u64>,
    pub delivery: Option<u32>,
    /// The context in which the message was made, as a link tells.
    pub made_in: Option<Context>,
}

/// A span that tells of messages.
pub struct Span {
    pub context: Context,
    pub role: SpanRole,
    pub name: Shared,
    pub process: Shared,
    /// The consumer group, as it says itself; none where it does not.
    pub group: Option<Shared>,
    pub service: Shared,
    pub topic: Option<Shared>,
    /// Nanoseconds since 1970.
    pub start: i64,
    pub end: i64,
    pub code: Code,
    /// The type of its error, if it says one.
    pub error: Option<String>,
    pub events: Vec<String>,
    pub is_negative: bool,
    /// It stands for one message, or for one a link.
    pub messages: Vec<Told>,
    /// What else it says; of a batch nothing, as that would be kept once a message.
    pub attributes: Map<String, Value>,
}

/// The kind of a span: one of messaging, or one that is an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanRole {
    Messaging(Role),
    /// One that the mapping names as an effect.
    Effect,
}

impl Span {
    pub fn is(&self, role: Role) -> bool {
        self.role == SpanRole::Messaging(role)
    }

    /// Whether it tells of one message alone, so that its context stands for that message.
    pub fn is_of_one(&self) -> bool {
        self.messages.len() == 1
    }
}

/// Reads the spans of all files.
pub fn spans(inputs: &[Input], mapping: &Mapping, report: &mut ImportReport) -> Result<Read, ImportError> {
    let mut reader = Reader { mapping, read: Read::default(), names: HashMap::new() };
    let mut pending = Vec::new();
    for input in inputs {
        for batch in serde_json::Deserializer::from_slice(&input.bytes).into_iter::<Batch>() {
            let batch = batch.map_err(|error| not_otlp(&error, input))?;
            if batch.resource_logs.is_some() {
                report.dropped.count("lines of logs");
            }
            if batch.resource_metrics.is_some() {
                report.dropped.count("lines of metrics");
            }
            for resource in batch.resource_spans {
                let service = resource.resource.attributes.text(&mapping.attributes.service);
                let instance = resource.resource.attributes.text(&mapping.attributes.instance);
                for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    report.read += 1;
                    pending.push(reader.span(span, service.as_deref(), instance.as_deref(), report));
                }
            }
        }
    }
    reader.name_processes(pending);
    Ok(reader.read)
}

fn not_otlp(error: &serde_json::Error, input: &Input) -> ImportError {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
    let found = format!("what cannot be read as OTLP ({what}, column {})", error.column());
    Flaw::new(found, r#"objects as the Collector's file exporter writes them: {"resourceSpans":[..]}"#)
        .at(&input.name, error.line())
}

struct Reader<'m> {
    mapping: &'m Mapping,
    read: Read,
    /// Texts that many spans share.
    names: HashMap<Box<str>, Shared>,
}

/// The place of a span that was kept, with its service and instance.
type Pending = Option<(usize, Shared, Option<Shared>)>;

impl Reader<'_> {
    fn shared(&mut self, text: &str) -> Shared {
        if let Some(shared) = self.names.get(text) {
            return Arc::clone(shared);
        }
        let shared: Shared = text.into();
        self.names.insert(text.into(), Arc::clone(&shared));
        shared
    }

    fn context(&mut self, trace: &str, span: &str) -> Context {
        (self.shared(&trace.to_ascii_lowercase()), self.shared(&span.to_ascii_lowercase()))
    }

    fn span(
        &mut self,
        span: wire::Span,
        service: Option<&str>,
        instance: Option<&str>,
        report: &mut ImportReport,
    ) -> Pending {
        let names = &self.mapping.attributes;
        self.read.is_sampled |= is_sampled(&span.trace_state);
        let context = self.context(&span.trace_id, &span.span_id);
        if !span.parent_span_id.is_empty() {
            let parent = self.context(&span.trace_id, &span.parent_span_id);
            self.read.parents.insert(context.clone(), parent);
        }
        let Some(role) = self.role(&span) else {
            report.dropped.count("spans that are not of messaging");
            self.read.others.insert(context);
            return None;
        };
        let time =
            |number: wire::Number| number.0.and_then(|number| i64::try_from(number).ok()).filter(|time| *time > 0);
        let (start, end) = (time(span.start_time_unix_nano), time(span.end_time_unix_nano));
        let Some((start, end)) = start.or(end).zip(end.or(start)) else {
            report.dropped.count("spans without a time between 1970 and 2262");
            return None;
        };
        let Some(messages) = self.messages(&span, role, report) else {
            self.read.others.insert(context);
            return None;
        };
        let group = span.attributes.text(&names.group);
        let operation_name =
            span.attributes.get("messaging.operation.name").and_then(Value::as_str).unwrap_or_default();
        let is_negative = self.mapping.operation.negative.iter().any(|word| word == operation_name);
        let exceptions = span.events.iter().find_map(|event| event.attributes.text(&names.error));
        let mut attributes: Map<String, Value> = match messages.len() {
            1 => span.attributes.entries().map(|(key, value)| (key.clone(), value.clone())).collect(),
            _ => Map::new(),
        };
        if messages.len() == 1 && !span.status.message.is_empty() {
            attributes.insert("status".to_owned(), span.status.message.into());
        }
        let service = self.shared(service.unwrap_or("process"));
        let kept = Span {
            context: context.clone(),
            role,
            name: self.shared(&span.name.chars().take(120).collect::<String>()),
            process: Arc::clone(&service),
            group: group.map(|group| self.shared(&group)),
            service: Arc::clone(&service),
            topic: span.attributes.text(&names.topic).map(|topic| self.shared(&topic)),
            start,
            end: end.max(start),
            code: span.status.code,
            error: span.attributes.text(&names.error).or(exceptions),
            events: span.events.into_iter().map(|event| event.name).collect(),
            is_negative,
            messages,
            attributes,
        };
        let place = self.read.spans.len();
        self.read.spans.push(kept);
        self.read.by_context.insert(context, place);
        Some((place, service, instance.map(|instance| self.shared(instance))))
    }

    fn role(&self, span: &wire::Span) -> Option<SpanRole> {
        let Mapping { operation, effect, attributes, .. } = self.mapping;
        if effect.spans.contains(&span.name) {
            return Some(SpanRole::Effect);
        }
        let words = [
            (&operation.create, Role::Create),
            (&operation.send, Role::Send),
            (&operation.receive, Role::Receive),
            (&operation.process, Role::Process),
            (&operation.settle, Role::Settle),
            (&operation.negative, Role::Settle),
        ];
        let told = operation.attributes.iter().find_map(|key| {
            let word = span.attributes.get(key)?.as_str()?;
            words.iter().find(|(words, _)| words.iter().any(|it| it == word)).map(|(_, role)| *role)
        });
        if let Some(role) = told {
            return Some(SpanRole::Messaging(role));
        }
        if !span.attributes.any_begins("messaging.") {
            return None;
        }
        let kind = match span.kind {
            Kind::Other => span.attributes.text(&attributes.kind).map_or(Kind::Other, |word| Kind::of(&word)),
            kind => kind,
        };
        let role = match kind {
            Kind::Producer => operation.producer,
            Kind::Consumer => operation.consumer,
            Kind::Other => Role::None,
        };
        (role != Role::None).then_some(SpanRole::Messaging(role))
    }

    /// The messages that a span tells of; none if it tells of none that can be known.
    fn messages(&mut self, span: &wire::Span, role: SpanRole, report: &mut ImportReport) -> Option<Vec<Told>> {
        let own = self.told(&span.attributes);
        let batch = span.attributes.whole(&self.mapping.attributes.batch);
        let is_own = own.id.is_some() || own.position.is_some() || own.key.is_some();
        match (batch, span.links.len()) {
            (Some(0), _) => {
                report.dropped.count("spans of no message: receives that brought nothing");
                None
            }
            (_, 0) if batch.is_some_and(|count| count > 1) && !is_own => {
                report.dropped.count("batches that do not link to their messages");
                None
            }
            (_, 0) => Some(vec![own]),
            (_, 1) => {
                let link = &span.links[0];
                let linked = self.told(&link.attributes);
                let made_in = Some(self.context(&link.trace_id, &link.span_id));
                Some(vec![Told {
                    id: own.id.or(linked.id),
                    key: own.key.or(linked.key),
                    partition: own.partition.or(linked.partition),
                    position: own.position.or(linked.position),
                    delivery: own.delivery.or(linked.delivery),
                    made_in,
                }])
            }
            _ if role == SpanRole::Effect => Some(vec![own]),
            _ => {
                let links = span.links.iter();
                Some(
                    links
                        .map(|link| {
                            let linked = self.told(&link.attributes);
                            let made_in = Some(self.context(&link.trace_id, &link.span_id));
                            Told { partition: linked.partition.or_else(|| own.partition.clone()), made_in, ..linked }
                        })
                        .collect(),
                )
            }
        }
    }

    fn told(&mut self, attributes: &Attributes) -> Told {
        let names = &self.mapping.attributes;
        let text = |keys: &[String]| attributes.text(keys);
        let (id, key, partition) = (text(&names.message), text(&names.key), text(&names.partition));
        Told {
            id: id.map(|id| self.shared(&id)),
            key: key.map(|key| self.shared(&key)),
            partition: partition.map(|partition| self.shared(&partition)),
            position: attributes.whole(&names.position),
            delivery: attributes
                .whole(&names.delivery)
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number > 0),
            made_in: None,
        }
    }

    /// Names the processes: by their service, and by their instance, too, where a service has several.
    fn name_processes(&mut self, pending: Vec<Pending>) {
        let mut instances: HashMap<Shared, BTreeSet<Shared>> = HashMap::new();
        for (_, service, instance) in pending.iter().flatten() {
            if let Some(instance) = instance {
                instances.entry(Arc::clone(service)).or_default().insert(Arc::clone(instance));
            }
        }
        for (place, service, instance) in pending.into_iter().flatten() {
            let is_one = instances.get(&service).is_none_or(|instances| instances.len() < 2);
            if let Some(instance) = instance.filter(|_| !is_one) {
                self.read.spans[place].process = self.shared(&format!("{service}/{instance}"));
            }
        }
    }
}

/// Whether a trace state tells that traces are left out: `ot=th:8` or `ot=p:2`, in OpenTelemetry's own part.
fn is_sampled(state: &str) -> bool {
    let parts = state.split(',').filter_map(|member| member.trim().strip_prefix("ot="));
    parts.flat_map(|part| part.split(';')).any(|field| match field.split_once(':') {
        // A threshold or an exponent of zero keeps every trace.
        Some(("th" | "p", value)) => !value.trim_matches('0').is_empty(),
        _ => false,
    })
}

impl Read {
    /// The nearest span of messaging above this one.
    pub fn above(&self, span: &Span) -> Option<&Span> {
        /// Deeper calls are no messaging.
        const DEPTH_MAX: usize = 64;
        let parents = std::iter::successors(self.parents.get(&span.context), |context| self.parents.get(context));
        parents.take(DEPTH_MAX).find_map(|context| self.by_context.get(context).map(|&at| &self.spans[at]))
    }
}

/// The key that a place in a log is; none without a position or a topic.
pub fn place(told: &Told, topic: Option<&Shared>) -> Option<Key> {
    let partition = told.partition.clone().unwrap_or_default();
    Some(Key::Place(Arc::clone(topic?), partition, told.position?))
}
