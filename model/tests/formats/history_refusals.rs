//! Histories that are refused, each with its whole message.

use delivery_model::history::{History, HistoryError, ReadOptions};
use expect_test::{Expect, expect};

pub const HEADER: &str = r#"{"format":"delivery-history","version":1}"#;

pub fn read(text: impl AsRef<[u8]>) -> Result<History, HistoryError> {
    History::read(text.as_ref(), ReadOptions::default())
}

/// The bytes are refused with this message.
pub fn refused(bytes: impl AsRef<[u8]>, expected: Expect) {
    let bytes = bytes.as_ref();
    expected.assert_eq(&read(bytes).expect_err(&String::from_utf8_lossy(bytes)).to_string());
}

/// A history with these lines after the header is refused with this message.
pub fn line_refused(lines: &str, expected: Expect) {
    refused(format!("{HEADER}\n{lines}\n"), expected);
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
    refused("[1]\n", expect![[r#"line 1, the document: found a list; allowed: a table"#]]);
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
        expect![[r#"line 1: cut off after 23 bytes, without an end; expected a whole line"#]],
    );
}

#[test]
fn a_header_of_another_format_is_refused_with_what_is_expected() {
    refused(
        r#"{"format":"delivery-schedule","version":1}"#,
        expect![[r#"line 1, `format`: found "delivery-schedule"; allowed: "delivery-history""#]],
    );
    refused(r#"{"format":"delivery-history"}"#, expect![[r#"line 1, `version`: missing; expected 1"#]]);
    refused(
        r#"{"format":"delivery-history","version":2,"zone":"utc"}"#,
        expect![[r#"line 1, `version`: found 2; allowed: 1"#]],
    );
    refused(r#"{"format":"delivery-history","version":"1"}"#, expect![[r#"line 1, `version`: found "1"; allowed: 1"#]]);
    refused(
        r#"{"format":"delivery-history","version":1,"levle":"effect"}"#,
        expect![
            "line 1, `levle`: unknown key (did you mean `level`?); allowed here: format, version, pipeline, level, obligation, groups, complete"
        ],
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
        expect![[r#"line 1, `pipeline`: found 7; allowed: a text of 1 to 100 characters without control characters"#]],
    );
    refused(
        r#"{"format":"delivery-history","version":1,"pipeline":{"producer":{"attempts":0}}}"#,
        expect![[
            r#"line 1, `pipeline.producer.attempts`: found 0; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#
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
        expect![[
            r#"line 2: found the beginning of a JSON text that does not end; expected a whole JSON object on each line"#
        ]],
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
            r#"line 2: found unknown key "mesage"; expected no other keys than at, process, event, message, attempt, group, topic, partition, position, delivery, outcome, transaction, fault, payload, attributes; what else is known stands in `attributes`, an object"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7,"position":3}"#,
        expect![[
            r#"line 2: found "submit" with `position`; expected no other keys than at, process, event, message, topic, payload"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"quiescent","message":7}"#,
        expect![[r#"line 2: found "quiescent" with `message`; expected no other keys than at, process, event"#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"publish","message":7}"#,
        expect![[
            r#"line 2: found `event` "publish"; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "commit", "abort", "fault", "heal", "quiescent""#
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
            r#"line 2: found `fault` "fire"; expected one of "publish-lost", "publish-refused", "publish-ack-lost", "publish-duplicated", "publish-reordered", "producer-crash", "producer-zombie", "broker-crash", "delivery-lost", "consumer-crash", "settle-lost", "lease-expiry", "dedup-forgotten", "handler-fails", "handler-crashes", "poison", "rewind", "dead-letter-lost", "redrive", "commit-reordered", "failover", "record-expired", "group-forgotten", "rebalance""#
        ]],
    );
}

#[test]
fn a_missing_key_is_refused_with_what_belongs_there() {
    line_refused(
        "{}",
        expect![[
            r#"line 2: found no `event`; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "commit", "abort", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","message":7}"#,
        expect![[
            r#"line 2: found no `event`; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "commit", "abort", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"process":"p","event":"submit","message":7}"#,
        expect![[r#"line 2: found "submit" without `at`; expected `at`: a number, or a date and time as in RFC 3339"#]],
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
            r#"line 2: found "submit" without `message`; expected `message`: a whole number from 0 to 18,446,744,073,709,551,615, or a name, not empty, without control characters"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":null}"#,
        expect![[
            r#"line 2: found "submit" without `message`; expected `message`: a whole number from 0 to 18,446,744,073,709,551,615, or a name, not empty, without control characters"#
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
            r#"line 2: found "rewind" without `position`; expected `position`: a whole number from 0 to 18,446,744,073,709,551,615"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"heal"}"#,
        expect![[
            r#"line 2: found "heal" without `fault`; expected one of "publish-lost", "publish-refused", "publish-ack-lost", "publish-duplicated", "publish-reordered", "producer-crash", "producer-zombie", "broker-crash", "delivery-lost", "consumer-crash", "settle-lost", "lease-expiry", "dedup-forgotten", "handler-fails", "handler-crashes", "poison", "rewind", "dead-letter-lost", "redrive", "commit-reordered", "failover", "record-expired", "group-forgotten", "rebalance""#
        ]],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_what_was_found() {
    line_refused(
        r#"{"at":"1","process":"p","event":"quiescent"}"#,
        expect![[r#"line 2: found `at` "1"; expected a number, or a date and time as in RFC 3339"#]],
    );
    line_refused(
        r#"{"at":1e999,"process":"p","event":"quiescent"}"#,
        expect![[
            r#"line 2: found what cannot be read as JSON (number out of range, column 11); expected an event as one JSON object, such as {"at":1,"process":"producer-0","event":"submit","message":7}"#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":7,"event":"quiescent"}"#,
        expect![[r#"line 2: found `process` 7; expected a name, not empty, without control characters"#]],
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
            r#"line 2: found `event` 1; expected one of "submit", "attempt", "outcome", "deliver", "effect", "settle", "dead-letter", "rewind", "commit", "abort", "fault", "heal", "quiescent""#
        ]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":["7"]}"#,
        expect![
            "line 2: found `message` a list; expected a whole number from 0 to 18,446,744,073,709,551,615, or a name, not empty, without control characters"
        ],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":-7}"#,
        expect![
            "line 2: found `message` -7; expected a whole number from 0 to 18,446,744,073,709,551,615, or a name, not empty, without control characters"
        ],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7.0}"#,
        expect![
            "line 2: found `message` 7.0; expected a whole number from 0 to 18,446,744,073,709,551,615, or a name, not empty, without control characters"
        ],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":18446744073709551616}"#,
        expect![
            "line 2: found `message` 1.8446744073709552e19; expected a whole number from 0 to 18,446,744,073,709,551,615, or a name, not empty, without control characters"
        ],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"attempt","message":7,"attempt":4294967296}"#,
        expect!["line 2: found `attempt` 4294967296; expected a whole number from 0 to 4,294,967,295"],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"submit","message":7,"payload":{"sku":1}}"#,
        expect![[r#"line 2: found `payload` a table; expected a text"#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"effect","message":7,"group":[]}"#,
        expect![[r#"line 2: found `group` a list; expected a name, not empty, without control characters"#]],
    );
    line_refused(
        r#"{"at":1,"process":"p","event":"outcome","message":7,"outcome":false}"#,
        expect![[r#"line 2: found `outcome` false; expected a word for the outcome"#]],
    );
}
