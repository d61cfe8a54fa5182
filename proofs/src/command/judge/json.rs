//! The judgement as JSON.

use delivery_model::history::History;
use delivery_model::semantics::{Contradiction, Judgement, Verdict, Violation};
use delivery_model::story::{RecordedRow, RecordedStory};
use serde_json::json;

use super::{promised, report};

fn story_in_json(history: &History, story: &RecordedStory) -> serde_json::Value {
    let row = |row: &RecordedRow| {
        json!({
            "line": row.line,
            "at": row.at,
            "process": story.lanes[row.lane],
            "text": row.text,
            "breaks": row.breaks,
            "fault": row.fault,
            "attributes": history.extra(row.line).and_then(|extra| extra.attributes.as_ref()),
        })
    };
    json!({ "rows": story.rows.iter().map(row).collect::<Vec<_>>(), "never": story.never, "left-out": story.left_out })
}

/// The judgement as a JSON object.
pub fn told(name: &str, history: &History, judgement: &Judgement) -> serde_json::Value {
    let stories = RecordedStory::of(history, &judgement.violations, judgement.rules.level);
    let violation = |(violation, story): (&Violation, &RecordedStory)| {
        json!({
            "property": violation.property,
            "message": history.names.message(violation.message),
            "group": history.names.group(violation.group),
            "breach": violation.breach.to_string(),
            "line": violation.line,
            "steps": violation.lines,
            "story": story_in_json(history, story),
        })
    };
    let contradiction = |it: &Contradiction| {
        json!({
            "kind": it.kind.word(),
            "message": it.message.map(|message| history.names.message(message)),
            "group": history.names.group(it.group),
            "lines": it.lines,
            "says": it.told(&history.names),
            "note": it.is_note,
        })
    };
    let doubts = judgement.findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Unknown(doubt) => Some((finding.property.word().to_owned(), doubt.to_string().into())),
        Verdict::Holds | Verdict::Violated => None,
    });
    let properties = judgement.findings.iter().map(|it| (it.property.word().to_owned(), it.verdict.word().into()));
    json!({
        "pipeline": name,
        "promises": promised(history),
        "level": judgement.rules.level,
        "obligation": judgement.rules.obligation,
        "strongest": judgement.verdicts.strongest_word(),
        "or-dead-lettered": judgement.or_dead_lettered(),
        "worlds": {
            "history": {
                "verdicts": report::verdicts(&judgement.verdicts),
                "properties": properties.collect::<serde_json::Map<_, _>>(),
                "unknown": doubts.collect::<serde_json::Map<_, _>>(),
                "violations": judgement.violations.iter().zip(&stories).map(violation).collect::<Vec<_>>(),
                "contradictions": judgement.contradictions.iter().map(contradiction).collect::<Vec<_>>(),
                "contradicted": judgement.contradicted,
                "complete": history.truncated.is_none(),
                "events": judgement.events,
                "counts": judgement.counts,
                "late": judgement.lates,
            }
        },
        "agree": true,
    })
}
