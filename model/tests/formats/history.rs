//! Histories as JSON Lines: what is read as what, and that writing and reading agree.

use std::io::Read;

use delivery_model::history::*;
use delivery_model::pipeline::{Level, Obligation, Pipeline};
use delivery_model::vocab::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::history_refusals::{HEADER, line_refused, read, refused};
use crate::strategies::{changed, changes, history};

fn read_cut(text: impl AsRef<[u8]>) -> Result<History, HistoryError> {
    History::read(text.as_ref(), ReadOptions { truncated_tail: TruncatedTail::NameAndIgnore, ..ReadOptions::default() })
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
        EventKind::Outcome { message, attempt, outcome: Outcome::Acked, partition: Default::default(), position: None },
        EventKind::Deliver { message, group, partition: Default::default(), position, delivery, payload: None },
        EventKind::Effect { message, group, payload: None },
        EventKind::Settle {
            message,
            group,
            partition: Default::default(),
            position,
            delivery,
            outcome: SettleOutcome::Ok,
        },
        EventKind::DeadLetter { message, group },
        EventKind::Fault { fault: Fault::BrokerCrash },
        EventKind::Heal { fault: Fault::BrokerCrash },
        EventKind::Rewind { group, partition: Default::default(), position: Position(3) },
        EventKind::Quiescent,
    ];
    let history = read(include_str!("../samples/contract.jsonl")).unwrap();
    assert_eq!(history.events.iter().map(|recorded| recorded.event.kind).collect::<Vec<_>>(), expected);
    assert_eq!(history.events.iter().map(|recorded| recorded.line).collect::<Vec<_>>(), (2..=12).collect::<Vec<_>>());
    assert_eq!(history.names.groups().collect::<Vec<_>>(), ["inventory"]);
    assert_eq!(history.names.process(history.events[6].event.process), "broker-0");
}

#[test]
fn what_was_read_from_the_contract_is_written_in_its_very_bytes() {
    let text = include_str!("../samples/contract.jsonl");
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
fn a_header_tells_pipeline_level_and_obligation() {
    let text =
        r#"{"version":1,"pipeline":"orders","level":"delivery","obligation":"submitted","format":"delivery-history"}"#;
    let named = Header {
        pipeline: Some(PipelineOf::Named("orders".to_owned())),
        level: Some(Level::Delivery),
        obligation: Some(Obligation::Submitted),
        ..Header::default()
    };
    assert_eq!(read(text).unwrap().header, named);

    let text = r#"{"format":"delivery-history","version":1,"pipeline":{"name":"orders","ordered":true}}"#;
    let whole = Pipeline { name: "orders".to_owned(), ordered: true, ..Pipeline::default() };
    assert_eq!(read(text).unwrap().header.pipeline, Some(PipelineOf::Whole(Box::new(whole))));
    assert_eq!(read(HEADER).unwrap().header, Header::default());
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
        &format!("{none}\n{none}\n{first}\n{second}"),
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
        expect!["line 2: found more than 1,048,576 bytes; expected at most that many in a line"],
    );
    refused(
        vec![b' '; LINE_LIMIT + 1],
        expect!["line 1: found more than 1,048,576 bytes; expected at most that many in a line"],
    );

    let mut history = read(format!("{HEADER}\n{}\n", line(LINE_LIMIT))).unwrap();
    assert_eq!(written(&history).len(), HEADER.len() + LINE_LIMIT + 2);
    history.names = Names::default();
    history.names.process_id("pp").unwrap();
    let payload = "x".repeat(LINE_LIMIT);
    history.names.payload_id(&payload).unwrap();
    let error = history.write(std::io::sink()).unwrap_err();
    expect!["a history's line has 1,048,641 bytes, at most 1,048,576"].assert_eq(&error.to_string());
}

#[test]
fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let mut input = std::io::BufReader::new(std::io::repeat(b' ').take(64 * LINE_LIMIT as u64));
    assert!(History::read(&mut input, ReadOptions::default()).is_err());
    assert!(input.get_ref().limit() > 62 * LINE_LIMIT as u64);
}

#[test]
fn a_history_names_at_most_as_many_processes_as_there_are_ids() {
    let mut names = Names::default();
    for process in 0..=u16::MAX {
        assert_eq!(names.process_id(&process.to_string()).unwrap(), ProcessId(process));
    }
    assert_eq!(names.process_id("0").unwrap(), ProcessId(0));
    expect!["more than 65,536 different processes"].assert_eq(&names.process_id("one more").unwrap_err().to_string());
}

#[test]
fn a_last_line_that_was_cut_off_anywhere_is_named_and_the_rest_read_only_if_asked() {
    let text = include_str!("../samples/contract.jsonl").trim_end();
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
            r#"line 2: found no `event`; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "commit", "abort", "fault", "heal", "quiescent""#
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
