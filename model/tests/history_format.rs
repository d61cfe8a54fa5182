//! Histories as JSON Lines: what is read, what is refused in which words, and that writing and reading agree.

mod common;

use common::{changed, changes, history};
use delivery_model::history::*;
use delivery_model::pipeline::{Level, Obligation, Pipeline};
use delivery_model::vocab::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

const HEADER: &str = r#"{"format":"delivery-history","version":1}"#;

fn read(text: impl AsRef<[u8]>) -> Result<History, HistoryError> {
    History::read(text.as_ref(), ReadOptions::default())
}

fn read_cut(text: impl AsRef<[u8]>) -> Result<History, HistoryError> {
    History::read(text.as_ref(), ReadOptions { truncated_tail: TruncatedTail::NameAndIgnore })
}

/// The bytes are refused with this message.
fn refused(bytes: impl AsRef<[u8]>, expected: Expect) {
    let bytes = bytes.as_ref();
    expected.assert_eq(&read(bytes).expect_err(&String::from_utf8_lossy(bytes)).to_string());
}

/// A history with these lines after the header is refused with this message.
fn line_refused(lines: &str, expected: Expect) {
    refused(format!("{HEADER}\n{lines}\n"), expected);
}

/// The events of a history with these lines after the header.
fn events(lines: &str) -> Vec<EventKind> {
    let history = read(format!("{HEADER}\n{lines}\n")).unwrap_or_else(|error| panic!("{lines}\n{error}"));
    history.events.iter().map(|recorded| recorded.event.kind).collect()
}

fn written(history: &History) -> Vec<u8> {
    let mut bytes = Vec::new();
    history.write(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_events_of_the_contract_are_read() {
    let message = MessageId(7);
    let (group, attempt, delivery) = (GroupId(0), Some(AttemptNumber(1)), Some(DeliveryNumber(1)));
    let position = Some(Position(12));
    let expected = [
        EventKind::Submit { message, payload: None },
        EventKind::Attempt { message, attempt, payload: None },
        EventKind::Outcome { message, attempt, outcome: Outcome::Acked, position: None },
        EventKind::Deliver { message, group, position, delivery, payload: None },
        EventKind::Effect { message, group, payload: None },
        EventKind::Settle { message, group, position, delivery, outcome: SettleOutcome::Ok },
        EventKind::DeadLetter { message, group },
        EventKind::Fault { fault: Fault::BrokerCrash },
        EventKind::Heal { fault: Fault::BrokerCrash },
        EventKind::Rewind { group, position: Position(3) },
        EventKind::Quiescent,
    ];
    let history = read(include_str!("samples/contract.jsonl")).unwrap();
    assert_eq!(history.events.iter().map(|recorded| recorded.event.kind).collect::<Vec<_>>(), expected);
    assert_eq!(history.events.iter().map(|recorded| recorded.line).collect::<Vec<_>>(), (2..=12).collect::<Vec<_>>());
    assert_eq!(history.names.groups().collect::<Vec<_>>(), ["inventory"]);
    assert_eq!(history.names.process(history.events[6].event.process), "broker-0");
}

#[test]
fn what_was_read_from_the_contract_is_written_in_its_very_bytes() {
    let text = include_str!("samples/contract.jsonl");
    assert_eq!(String::from_utf8(written(&read(text).unwrap())).unwrap(), text);
}

#[test]
fn every_sample_is_read() {
    let mut samples = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/histories")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let history = read(std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            assert!(history.events.len() >= 7);
            samples += 1;
        }
    }
    assert_eq!(samples, 6);
}

#[test]
fn a_file_that_is_no_history_is_refused() {
    refused("", expect![[r#"line 1: found nothing; expected the header {"format":"delivery-history","version":1}"#]]);
    refused(
        "\n",
        expect![[r#"line 1: found an empty line; expected the header {"format":"delivery-history","version":1}"#]],
    );
    refused(
        "orders\n",
        expect![[
            r#"line 1: found what cannot be read as JSON (expected value, column 1); expected the header {"format":"delivery-history","version":1}"#
        ]],
    );
    refused("[1]\n", expect!["line 1, the document: found a list; allowed: a table"]);
    refused("{}\n", expect![[r#"line 1, `format`: missing; expected "delivery-history""#]]);
    refused(
        "{\"at\":1,\"process\":\"producer-0\",\"event\":\"submit\",\"message\":7}\n",
        expect![[r#"line 1, `format`: missing; expected "delivery-history""#]],
    );
    refused(
        b"\xff\xfe{\x00",
        expect![[
            r#"line 1: found bytes that are not UTF-8 (column 1); expected the header {"format":"delivery-history","version":1}"#
        ]],
    );
    refused(
        "{\"format\":\"delivery-his",
        expect!["line 1: cut off after 23 bytes, without an end; expected a whole line"],
    );
}

#[test]
fn a_header_of_another_format_is_refused_with_what_is_expected() {
    refused(
        r#"{"format":"delivery-schedule","version":1}"#,
        expect![[r#"line 1, `format`: found "delivery-schedule"; allowed: "delivery-history""#]],
    );
    refused(r#"{"format":"delivery-history"}"#, expect!["line 1, `version`: missing; expected 1"]);
    refused(
        r#"{"format":"delivery-history","version":2,"zone":"utc"}"#,
        expect!["line 1, `version`: found 2; allowed: 1"],
    );
    refused(r#"{"format":"delivery-history","version":"1"}"#, expect![[r#"line 1, `version`: found "1"; allowed: 1"#]]);
    refused(
        r#"{"format":"delivery-history","version":1,"levle":"effect"}"#,
        expect!["line 1, `levle`: unknown key; allowed here: format, version, pipeline, level, obligation"],
    );
    refused(
        r#"{"format":"delivery-history","version":1,"level":"message"}"#,
        expect![[r#"line 1, `level`: found "message"; allowed: "delivery", "effect""#]],
    );
    refused(
        r#"{"format":"delivery-history","version":1,"obligation":true}"#,
        expect![[r#"line 1, `obligation`: found true; allowed: "acked", "submitted""#]],
    );
    refused(
        r#"{"format":"delivery-history","version":1,"pipeline":7}"#,
        expect!["line 1, `pipeline`: found 7; allowed: a text of 1 to 100 characters without control characters"],
    );
    refused(
        r#"{"format":"delivery-history","version":1,"pipeline":{"producer":{"attempts":0}}}"#,
        expect![[
            r#"line 1, `pipeline.producer.attempts`: found 0; allowed: "once", "until-acked", or a whole number from 1 to 1000"#
        ]],
    );
    refused(
        r#"{"format":"delivery-history","version":1,"pipeline":{"producer":{"identity":"none"}}}"#,
        expect![[
            r#"line 1, `pipeline.producer.identity`: "none" means nothing together with `pipeline.broker.dedup` = "sequence" (left out, so the default): messages carry no sequence number to go by; allowed: `broker.dedup` = "none", or `producer.identity` = "sequence""#
        ]],
    );
}

#[test]
fn a_header_tells_pipeline_level_and_obligation() {
    let text =
        r#"{"version":1,"pipeline":"orders","level":"delivery","obligation":"submitted","format":"delivery-history"}"#;
    let named = Header {
        pipeline: Some(PipelineOf::Named("orders".to_owned())),
        level: Some(Level::Delivery),
        obligation: Some(Obligation::Submitted),
    };
    assert_eq!(read(text).unwrap().header, named);

    let text = r#"{"format":"delivery-history","version":1,"pipeline":{"name":"orders","ordered":true}}"#;
    let whole = Pipeline { name: "orders".to_owned(), ordered: true, ..Pipeline::default() };
    assert_eq!(read(text).unwrap().header.pipeline, Some(PipelineOf::Whole(Box::new(whole))));
    assert_eq!(read(HEADER).unwrap().header, Header::default());
}

#[test]
fn a_line_that_is_not_an_event_is_refused_with_what_is_expected() {
    line_refused(
        "",
        expect![[
            r#"line 2: found an empty line; expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        "  \r",
        expect![[
            r#"line 2: found an empty line; expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        "submit 7",
        expect![[
            r#"line 2: found what cannot be read as JSON (expected value, column 1); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        "[]",
        expect![[
            r#"line 2: found a list; expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7},"#,
        expect![[
            r#"line 2: found what cannot be read as JSON (trailing characters, column 52); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7"#,
        expect![
            "line 2: found the beginning of a JSON text that does not end; expected a whole JSON object on each line"
        ],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit" "message":7}"#,
        expect![[
            r#"line 2: found what cannot be read as JSON (expected `,` or `}`, column 40); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        r#"{"at":1,"at":2,"process":"p","event":"submit","message":7}"#,
        expect![[
            r#"line 2: found what cannot be read as JSON (the key "at" stands twice in one table, column 14); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        HEADER,
        expect![[
            r#"line 2: found a second header; expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    refused(
        [HEADER.as_bytes(), b"\n{\"at\":1,\"process\":\"p\xff\"}\n"].concat(),
        expect![[
            r#"line 2: found bytes that are not UTF-8 (column 21); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        "{\"at\":1,\"process\":\"\\ud800\",\"event\":\"quiescent\"}",
        expect![[
            r#"line 2: found what cannot be read as JSON (unexpected end of hex escape, column 26); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
}

#[test]
fn an_unknown_key_or_word_is_refused_with_the_allowed_ones() {
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","mesage":7}"#,
        expect![[
            r#"line 2: found unknown key "mesage"; expected no other keys than at, process, event, message, attempt, group, position, delivery, outcome, fault, payload"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7,"position":3}"#,
        expect![[
            r#"line 2: found "submit" with `position`; expected no other keys than at, process, event, message, payload"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"quiescent","message":7}"#,
        expect![[r#"line 2: found "quiescent" with `message`; expected no other keys than at, process, event"#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"publish","message":7}"#,
        expect![[
            r#"line 2: found `event` "publish"; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"outcome","message":7,"outcome":"ok"}"#,
        expect![[r#"line 2: found `outcome` "ok"; expected one of "acked", "refused", "unknown""#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"settle","message":7,"outcome":"acked"}"#,
        expect![[r#"line 2: found `outcome` "acked"; expected one of "ok", "refused", "unknown""#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"fault","fault":"fire"}"#,
        expect![[
            r#"line 2: found `fault` "fire"; expected one of "publish-lost", "publish-refused", "publish-ack-lost", "publish-duplicated", "publish-reordered", "producer-crash", "producer-zombie", "broker-crash", "delivery-lost", "consumer-crash", "settle-lost", "lease-expiry", "dedup-forgotten", "poison", "rewind""#
        ]],
    );
}

#[test]
fn a_missing_key_is_refused_with_what_belongs_there() {
    line_refused(
        "{}",
        expect![[
            r#"line 2: found no `event`; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","message":7}"#,
        expect![[
            r#"line 2: found no `event`; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"process":"p","event":"submit","message":7}"#,
        expect![[r#"line 2: found "submit" without `at`; expected `at`: a number"#]],
    );
    line_refused(
        r#"{"at":1,"event":"submit","message":7}"#,
        expect![[
            r#"line 2: found "submit" without `process`; expected `process`: a name, not empty, without control characters"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit"}"#,
        expect![[
            r#"line 2: found "submit" without `message`; expected `message`: a whole number from 0 to 18446744073709551615"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":null}"#,
        expect![[
            r#"line 2: found "submit" without `message`; expected `message`: a whole number from 0 to 18446744073709551615"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"outcome","message":7}"#,
        expect![[r#"line 2: found "outcome" without `outcome`; expected one of "acked", "refused", "unknown""#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"settle","message":7}"#,
        expect![[r#"line 2: found "settle" without `outcome`; expected one of "ok", "refused", "unknown""#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"rewind","group":"g"}"#,
        expect![[
            r#"line 2: found "rewind" without `position`; expected `position`: a whole number from 0 to 18446744073709551615"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"heal"}"#,
        expect![[
            r#"line 2: found "heal" without `fault`; expected one of "publish-lost", "publish-refused", "publish-ack-lost", "publish-duplicated", "publish-reordered", "producer-crash", "producer-zombie", "broker-crash", "delivery-lost", "consumer-crash", "settle-lost", "lease-expiry", "dedup-forgotten", "poison", "rewind""#
        ]],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_what_was_found() {
    line_refused(
        r#"{"at":"1","process":"p","event":"quiescent"}"#,
        expect![[r#"line 2: found `at` "1"; expected a number"#]],
    );
    line_refused(
        r#"{"at":1e999,"process":"p","event":"quiescent"}"#,
        expect![[
            r#"line 2: found what cannot be read as JSON (number out of range, column 11); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":7,"event":"quiescent"}"#,
        expect!["line 2: found `process` 7; expected a name, not empty, without control characters"],
    );
    line_refused(
        r#"{"at":1,"process":"","event":"quiescent"}"#,
        expect![[r#"line 2: found `process` ""; expected a name, not empty, without control characters"#]],
    );
    line_refused(
        r#"{"at":1,"process":"\u001b[2J","event":"quiescent"}"#,
        expect![[r#"line 2: found `process` "\u{1b}[2J"; expected a name, not empty, without control characters"#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":1}"#,
        expect![[
            r#"line 2: found `event` 1; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":"7"}"#,
        expect![[r#"line 2: found `message` "7"; expected a whole number from 0 to 18446744073709551615"#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":-7}"#,
        expect!["line 2: found `message` -7; expected a whole number from 0 to 18446744073709551615"],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7.0}"#,
        expect!["line 2: found `message` 7.0; expected a whole number from 0 to 18446744073709551615"],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":18446744073709551616}"#,
        expect![
            "line 2: found `message` 1.8446744073709552e19; expected a whole number from 0 to 18446744073709551615"
        ],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"attempt","message":7,"attempt":4294967296}"#,
        expect!["line 2: found `attempt` 4294967296; expected a whole number from 0 to 4294967295"],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7,"payload":{"sku":1}}"#,
        expect!["line 2: found `payload` a table; expected a text"],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"effect","message":7,"group":[]}"#,
        expect!["line 2: found `group` a list; expected a name, not empty, without control characters"],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"outcome","message":7,"outcome":false}"#,
        expect!["line 2: found `outcome` false; expected a word for what came of it"],
    );
}

#[test]
fn time_may_stand_still_but_never_fall() {
    let at = |at: &str| format!(r#"{{"at":{at},"process":"p","event":"quiescent"}}"#);
    let lines = |times: &[&str]| times.iter().map(|time| at(time)).collect::<Vec<_>>().join("\n");
    assert_eq!(events(&lines(&["-1.5", "0", "0", "0.25", "1", "1.0", "18446744073709551615"])).len(), 7);
    line_refused(&lines(&["2", "1"]), expect!["line 3: found `at` 1; expected 2 or later, as time never falls"]);
    line_refused(
        &lines(&["1", "1.5", "1.25"]),
        expect!["line 4: found `at` 1.25; expected 1.5 or later, as time never falls"],
    );
    // A double cannot tell these two apart.
    line_refused(
        &lines(&["1", "9007199254740993", "9007199254740992"]),
        expect!["line 4: found `at` 9007199254740992; expected 9007199254740993 or later, as time never falls"],
    );
}

#[test]
fn a_left_out_group_is_the_one_group() {
    let effect = |group: &str| format!(r#"{{"at":1,"process":"p","event":"effect","message":7{group}}}"#);
    let (none, first, second) = (effect(""), effect(r#","group":"a""#), effect(r#","group":"b""#));
    let groups = |lines: &[&String]| {
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
        events(&lines.join("\n")).iter().map(|kind| kind.group().unwrap().0).collect::<Vec<_>>()
    };
    assert_eq!(groups(&[&none, &none]), [0, 0]);
    assert_eq!(groups(&[&none, &first, &none]), [0, 0, 0]);
    assert_eq!(groups(&[&first, &second, &first]), [0, 1, 0]);
    line_refused(
        &format!("{none}\n{first}\n{second}"),
        expect!["line 2: found no `group`; expected one, as the history names several (a, b)"],
    );
    line_refused(
        &format!("{first}\n{second}\n{none}"),
        expect!["line 4: found no `group`; expected one, as the history names several (a, b)"],
    );
    let unnamed = read(format!("{HEADER}\n{none}\n")).unwrap();
    assert_eq!((unnamed.names.group_count(), unnamed.names.group(GroupId(0))), (1, ""));
}

#[test]
fn a_producers_event_needs_no_group_where_there_are_several() {
    let lines = [
        r#"{"at":1,"process":"p","event":"submit","message":7}"#,
        r#"{"at":1,"process":"c","event":"effect","message":7,"group":"a"}"#,
        r#"{"at":1,"process":"d","event":"effect","message":7,"group":"b"}"#,
        r#"{"at":1,"process":"f","event":"fault","fault":"broker-crash"}"#,
    ];
    assert_eq!(events(&lines.join("\n")).len(), 4);
}

#[test]
fn payloads_are_equal_exactly_if_their_texts_are() {
    let submit =
        |payload: &str| format!(r#"{{"at":1,"process":"p","event":"submit","message":7,"payload":{payload}}}"#);
    let texts = [r#""é""#, r#""\u00e9""#, r#""e\u0301""#, r#""""#, "null", r#"" é""#];
    let lines: Vec<String> = texts.iter().map(|text| submit(text)).collect();
    let payloads = events(&lines.join("\n")).into_iter().map(|kind| match kind {
        EventKind::Submit { payload, .. } => payload.map(|id| id.0),
        _ => unreachable!("only submits were written"),
    });
    assert_eq!(payloads.collect::<Vec<_>>(), [Some(0), Some(0), Some(1), Some(2), None, Some(3)]);
}

#[test]
fn keys_in_any_order_windows_line_ends_and_a_byte_order_mark_are_read() {
    let lines = "\u{feff}{\"version\":1,\"format\":\"delivery-history\"}\r\n\
                 {\"message\" : 18446744073709551615,\"event\":\"sub\\u006dit\", \"process\":\"p\", \"at\":1}\r\n";
    let history = read(lines).unwrap();
    let kind = EventKind::Submit { message: MessageId(u64::MAX), payload: None };
    assert_eq!(history.events[0].event.kind, kind);
}

#[test]
fn a_line_at_the_limit_is_read_and_one_byte_more_is_refused() {
    let line = |bytes: usize| {
        let empty = r#"{"at":1,"process":"p","event":"submit","message":7,"payload":""}"#;
        empty.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - empty.len())))
    };
    assert_eq!(events(&line(LINE_LIMIT)).len(), 1);
    line_refused(
        &line(LINE_LIMIT + 1),
        expect!["line 2: found more than 1048576 bytes; expected at most so many in a line"],
    );
    refused(
        vec![b' '; LINE_LIMIT + 1],
        expect!["line 1: found more than 1048576 bytes; expected at most so many in a line"],
    );

    let mut history = read(format!("{HEADER}\n{}\n", line(LINE_LIMIT))).unwrap();
    assert_eq!(written(&history).len(), HEADER.len() + LINE_LIMIT + 2);
    history.names = Names::default();
    history.names.process_id("pp").unwrap();
    let payload = "x".repeat(LINE_LIMIT);
    history.names.payload_id(&payload).unwrap();
    let error = history.write(std::io::sink()).unwrap_err();
    expect!["a history's line has 1048641 bytes, at most 1048576"].assert_eq(&error.to_string());
}

#[test]
fn a_history_names_at_most_as_many_processes_as_there_are_ids() {
    let mut names = Names::default();
    for process in 0..=u16::MAX {
        assert_eq!(names.process_id(&process.to_string()).unwrap(), ProcessId(process));
    }
    assert_eq!(names.process_id("0").unwrap(), ProcessId(0));
    expect!["more than 65536 different processes"].assert_eq(&names.process_id("one more").unwrap_err().to_string());
}

#[test]
fn a_last_line_that_was_cut_off_anywhere_is_named_and_the_rest_read_only_if_asked() {
    let text = include_str!("samples/contract.jsonl").trim_end();
    let (whole, last) = text.rsplit_once('\n').unwrap();
    for end in 1..last.len() {
        let cut = format!("{whole}\n{}", &last[..end]);
        let error = read(&cut).unwrap_err().to_string();
        assert_eq!(error, format!("line 12: cut off after {end} bytes, without an end; expected a whole line"));
        let rest = read_cut(&cut).unwrap();
        assert_eq!((rest.truncated, rest.events.len()), (Some(12), 10));
    }
    let all = read_cut(text).unwrap();
    assert_eq!((all.truncated, all.events.len()), (None, 11));
    assert_eq!(read(text).unwrap(), all);
}

#[test]
fn a_cut_inside_a_character_an_escape_or_a_number_is_a_cut() {
    let start = br#"{"at":1,"process":"p","event":"submit","message":7,"payload":"#;
    for tail in [b"\"\xc3" as &[u8], b"\"\\", b"\"\\u00", b"nul", b"\"", b""] {
        let cut = [HEADER.as_bytes(), b"\n", start, tail].concat();
        assert_eq!(read_cut(&cut).unwrap().truncated, Some(2), "{}", String::from_utf8_lossy(tail));
    }
    for number in ["1", "1.", "1e", "-"] {
        assert_eq!(read_cut(format!("{HEADER}\n{{\"at\":{number}")).unwrap().truncated, Some(2), "{number}");
    }
}

#[test]
fn what_is_wrong_before_the_cut_is_no_cut() {
    let refused = |text: &str, expected: Expect| expected.assert_eq(&read_cut(text).unwrap_err().to_string());
    refused(
        &format!("{HEADER}\n{{\"at\":1,]"),
        expect![[
            r#"line 2: found what cannot be read as JSON (key must be a string, column 9); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    refused(
        &format!("{HEADER}\n{{\"at\":1\n"),
        expect![
            "line 2: found the beginning of a JSON text that does not end; expected a whole JSON object on each line"
        ],
    );
    refused("{\"format\":", expect!["line 1: cut off after 10 bytes, without an end; expected a whole line"]);
    refused(
        &format!("{HEADER}\n{{\"at\":1}}"),
        expect![[
            r#"line 2: found no `event`; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "fault", "heal", "quiescent""#
        ]],
    );
}

#[test]
fn a_writer_refuses_time_that_falls_or_is_no_number() {
    let record = |times: &[At]| {
        let mut names = Names::default();
        let event = Event { process: names.process_id("p").unwrap(), kind: EventKind::Quiescent };
        let mut writer = HistoryWriter::new(Vec::new(), &Header::default()).unwrap();
        times.iter().try_for_each(|&at| writer.record(&names, at, &event)).map_err(|error| error.to_string())
    };
    assert_eq!(record(&[At::Whole(1), At::Whole(1), At::Fraction(1.5)]), Ok(()));
    assert!(record(&[At::Whole(2), At::Whole(1)]).is_err());
    assert!(record(&[At::Fraction(f64::NAN)]).is_err());
    assert!(record(&[At::Fraction(f64::INFINITY)]).is_err());
}

#[test]
fn a_reader_ends_with_its_first_error() {
    let text = format!("{HEADER}\nwrong\nwrong\n");
    let reader = Reader::new(text.as_bytes(), ReadOptions::default()).unwrap();
    assert_eq!(reader.map(|event| event.is_err()).collect::<Vec<_>>(), [true]);
}

proptest! {
    #[test]
    fn a_written_history_reads_as_the_same(history in history()) {
        prop_assert_eq!(read(written(&history))?, history);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        let _ = read(&bytes);
        let _ = read_cut([HEADER.as_bytes(), b"\n", &bytes].concat());
    }

    #[test]
    fn changed_bytes_are_refused_or_read_as_what_can_be_written(history in history(), changes in changes()) {
        let bytes = changed(&written(&history), &changes);
        if let Ok(mut history) = read_cut(&bytes) {
            history.truncated = None;
            prop_assert_eq!(read(written(&history))?, history);
        }
    }

    #[test]
    fn any_history_cut_anywhere_is_whole_cut_or_too_short_for_a_header(history in history(), at: prop::sample::Index) {
        let bytes = written(&history);
        let cut = at.index(bytes.len());
        match read_cut(&bytes[..cut]) {
            Ok(rest) => {
                let lines = bytes[..cut].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
                prop_assert_eq!(1 + rest.events.len() + usize::from(rest.truncated.is_some()), lines);
                prop_assert!(history.events.iter().zip(&rest.events).all(|(whole, rest)| whole.line == rest.line));
            }
            Err(error) => prop_assert!(!bytes[..cut].contains(&b'\n'), "{}", error),
        }
    }
}
