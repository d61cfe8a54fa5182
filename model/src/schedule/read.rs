//! Reads a schedule from its JSON document, and checks it like any other input.

use super::point::TIME_LIMIT;
use super::{
    FAULTS_LIMIT, FORMAT, Interleaving, MESSAGES_LIMIT, PlannedFault, Point, STEPS_LIMIT, Schedule, ScheduleError,
    StepWord, VERSION,
};
use crate::document::{Cursor, Fields, Mistake, Node, Value, words_of};
use crate::numbers::{grouped, whole_number};
use crate::pipeline::Pipeline;
use crate::vocab::{Fault, MessageId, Position, Step};

impl Schedule {
    /// Loads a schedule. Errors name the path inside the document.
    pub fn from_json(text: &str) -> Result<Schedule, ScheduleError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let node = Node::from_json(text).map_err(|error| ScheduleError::NotJson { problem: error.to_string() })?;
        let document = Cursor::root(&node, None);
        document.check_format(FORMAT, VERSION)?;
        let fields = document.table(&["format", "version", "pipeline", "messages", "faults", "order"])?;
        let pipeline = Pipeline::nested(fields.required("pipeline", "a pipeline's settings")?)?;
        let messages = fields.required("messages", &whole_number(1, MESSAGES_LIMIT))?.number(1..=MESSAGES_LIMIT)?;
        let interleaving =
            fields.optional("order").map_or(Ok(Interleaving::default()), |order| read_order(order, messages))?;
        let faults = fields.optional("faults").map_or(Ok(Vec::new()), |faults| read_faults(faults, messages))?;
        match (&interleaving, fields.optional("faults")) {
            (Interleaving::Exact(_) | Interleaving::Endless { .. }, Some(field)) if !faults.is_empty() => {
                Err(field.unfit("none, as `order.steps` is exact: its faults stand among its steps").into())
            }
            _ => Ok(Schedule { pipeline, messages, faults, interleaving }),
        }
    }
}

fn read_faults(cursor: &Cursor<'_>, messages: u32) -> Result<Vec<PlannedFault>, Mistake> {
    cursor.list(FAULTS_LIMIT, "faults")?.iter().map(|item| read_fault(item, messages)).collect()
}

/// Which keys a fault has depends on its kind, so that is looked at first.
fn read_fault(cursor: &Cursor<'_>, messages: u32) -> Result<PlannedFault, Mistake> {
    let fault: Fault = cursor.peek("fault", &words_of(&Fault::ALL))?.word()?;
    let (strikes, steps) = (fault.row().strikes, fault.row().at);
    let mut keys = vec!["fault", strikes.word(), "message", "time"];
    keys.extend(PlannedFault::detail(fault));
    let fields = cursor.table(&keys)?;
    let step = fields.required(strikes.word(), &words_of(steps))?;
    let step = step.word().ok().filter(|word| steps.contains(word)).ok_or_else(|| step.unfit(words_of(steps)))?;
    let number = |key| fields.optional(key).map(|field| field.number(0..=u64::MAX)).transpose();
    Ok(PlannedFault {
        fault,
        at: Point {
            step,
            message: read_message(&fields, step, messages)?,
            nth: fields.optional("time").map_or(Ok(1), |time| time.number(1..=TIME_LIMIT))?,
        },
        keeps: number("keeps")?,
        to: number("to")?.map(Position),
    })
}

/// Every step but the sync is about a message, which must be named.
fn read_message(fields: &Fields<'_>, step: StepWord, messages: u32) -> Result<Option<MessageId>, Mistake> {
    let allowed = format!("{}, as there are {} messages", whole_number(1, messages), grouped(messages.into()));
    match (step.has_message(), fields.optional("message")) {
        (true, _) => {
            let field = fields.required("message", &allowed)?;
            let number = field.number(1..=u64::from(messages)).map_err(|_| field.unfit(allowed))?;
            Ok(Some(MessageId(number)))
        }
        (false, None) => Ok(None),
        (false, Some(field)) => Err(field.unfit("none, as a sync is about all messages")),
    }
}

fn read_order(cursor: &Cursor<'_>, messages: u32) -> Result<Interleaving, ScheduleError> {
    let fields = cursor.table(&["seed", "steps", "loop"])?;
    let repeats = fields.optional("loop");
    match (fields.optional("seed"), fields.optional("steps")) {
        (Some(seed), None) => match repeats {
            None => Ok(Interleaving::Seeded(seed.number(0..=u64::MAX)?)),
            Some(field) => Err(field.unfit("none, as only `steps` can be repeated").into()),
        },
        (None, Some(steps)) => {
            let steps = steps.list(STEPS_LIMIT, "steps")?;
            let steps = steps.iter().map(|step| read_step(step, messages)).collect::<Result<Vec<_>, _>>()?;
            match repeats {
                None => Ok(Interleaving::Exact(steps)),
                Some(field) => Ok(read_loop(field, steps)?),
            }
        }
        (seed, _) => {
            let found = if seed.is_some() { "both" } else { "neither" }.to_owned();
            let place = cursor.place().clone();
            Err(Mistake::Unfit { place, found, allowed: "either `seed` or `steps`".to_owned() }.into())
        }
    }
}

/// Where the steps begin that are repeated for ever: at one of them, and behind the last fault.
fn read_loop(field: &Cursor<'_>, steps: Vec<Step>) -> Result<Interleaving, Mistake> {
    let first = steps.iter().rposition(|step| step.fault().is_some()).map_or(0, |fault| fault + 1);
    let allowed = match steps.len() {
        end if first == end => "none, as no step comes behind the last fault".to_owned(),
        end => format!("{}: a step behind the last fault", whole_number(first as u64, (end - 1) as u64)),
    };
    let from = field.number(0..=u64::MAX).ok().and_then(|from| usize::try_from(from).ok());
    let from = from.filter(|from| (first..steps.len()).contains(from)).ok_or_else(|| field.unfit(allowed))?;
    Ok(Interleaving::Endless { steps, from })
}

/// A step is read by the words of the steps themselves. They would take more keys on a step that has none of its own,
/// and a list of the values in place of a table, hence the comparison with what would be written.
fn read_step(cursor: &Cursor<'_>, messages: u32) -> Result<Step, ScheduleError> {
    let not_a_step = |problem: String| ScheduleError::Step { place: cursor.place().clone(), problem };
    let Value::Table(entries) = cursor.value() else { return Err(cursor.unfit("a table").into()) };
    if let Ok(message) = cursor.peek("message", "") {
        message.number(1..=u64::from(messages))?;
    }
    let json = |error: serde_json::Error| not_a_step(error.to_string());
    let step: Step = serde_json::from_value(serde_json::to_value(cursor.value()).map_err(json)?).map_err(json)?;
    let written = serde_json::to_value(step).map_err(json)?;
    for (key, _, node) in entries {
        match written.get(key) {
            None => return Err(not_a_step(format!("unknown key `{key}`; allowed here: step"))),
            Some(written) if written.is_object() != matches!(node.value, Value::Table(_)) => {
                return Err(not_a_step(format!("`{key}` is {}; allowed: a table", node.value)));
            }
            Some(_) => {}
        }
    }
    Ok(step)
}
