//! The fast path of the reader: a line as recorders write it, in one pass over its bytes.
//!
//! Takes an object of known keys without blanks, whose values are whole numbers and texts without escapes. Says nothing
//! about any other line, be it correct or not: `serde_json` reads those. A test holds the two to the same answers.

use std::borrow::Cow;

use super::At;
use super::line::{Line, Message, Text};
use super::names::PartitionName;
use crate::vocab::{AttemptNumber, DeliveryNumber, Position};

/// A value of a line.
enum Value<'a> {
    Number(u64),
    Text(&'a str),
}

/// The line, if it has the usual form.
pub(super) fn scan(text: &str) -> Option<Line<'_>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut line = Line::default();
    scanner.expect(b'{')?;
    loop {
        scanner.expect(b'"')?;
        let key = scanner.text()?;
        scanner.expect(b':')?;
        set(&mut line, key, scanner.value()?)?;
        match scanner.next()? {
            b',' => {}
            b'}' if scanner.at == text.len() => return Some(line),
            _ => return None,
        }
    }
}

/// Sets a key that was not set before.
fn set<'a>(line: &mut Line<'a>, key: &str, value: Value<'a>) -> Option<()> {
    fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
        field.replace(value).is_none().then_some(())
    }
    let text = |value| match value {
        Value::Text(text) => Some(Text(Cow::Borrowed(text))),
        Value::Number(_) => None,
    };
    let number = |value| match value {
        Value::Number(number) => Some(number),
        Value::Text(_) => None,
    };
    let short = |value| u32::try_from(number(value)?).ok();
    match key {
        "at" => once(
            &mut line.at,
            match value {
                Value::Number(whole) => At::Whole(whole),
                Value::Text(text) => At::instant(text)?,
            },
        ),
        "process" => once(&mut line.process, text(value)?),
        "event" => once(&mut line.event, text(value)?),
        "message" => once(
            &mut line.message,
            match value {
                Value::Number(number) => Message::Number(number),
                Value::Text(text) => Message::Text(Text(Cow::Borrowed(text))),
            },
        ),
        "attempt" => once(&mut line.attempt, AttemptNumber(short(value)?)),
        "group" => once(&mut line.group, text(value)?),
        "topic" => once(&mut line.topic, text(value)?),
        "partition" => once(
            &mut line.partition,
            match value {
                Value::Number(number) => PartitionName::Number(number),
                Value::Text(text) => PartitionName::Text(text.into()),
            },
        ),
        "position" => once(&mut line.position, Position(number(value)?)),
        "delivery" => once(&mut line.delivery, DeliveryNumber(short(value)?)),
        "outcome" => once(&mut line.outcome, text(value)?),
        "transaction" => once(&mut line.transaction, text(value)?),
        "fault" => once(&mut line.fault, text(value)?),
        "payload" => once(&mut line.payload, text(value)?),
        _ => None,
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.text.as_bytes().get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// The rest of a text, whose opening quote was read.
    fn text(&mut self) -> Option<&'a str> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length + 1;
        (rest[length] == b'"').then_some(text)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.next()? {
            b'"' => self.text().map(Value::Text),
            first @ b'0'..=b'9' => {
                let mut number = u64::from(first - b'0');
                let begin = self.at;
                while let Some(digit @ b'0'..=b'9') = self.text.as_bytes().get(self.at) {
                    number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
                    self.at += 1;
                }
                // JSON has no leading zeros.
                (first != b'0' || self.at == begin).then_some(Value::Number(number))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line::Object;
    use super::super::words::Key;
    use super::*;

    fn check(text: &str) -> Result<(), TestCaseError> {
        if let Some(line) = scan(text) {
            let slow = serde_json::from_str::<Object<'_>>(text);
            let slow = slow.map_err(|error| TestCaseError::fail(format!("{text} is refused: {error}")))?;
            let told = |line: &Line<'_>| serde_json::to_string(line).expect("a line is JSON");
            prop_assert_eq!(told(&line), told(&slow.0), "{}", text);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_it_takes_serde_takes_for_the_same(
            pairs in prop::collection::vec(
                (
                    prop::sample::select(Key::ALL.map(Key::word).to_vec()),
                    prop_oneof![
                        any::<u64>().prop_map(|number| number.to_string()),
                        "[0-9]{1,21}",
                        "\"[ -~é\\t]{0,12}\"",
                        Just("\"2026-11-27T10:00:00Z\"".to_owned()),
                        Just("null".to_owned()),
                        Just("{}".to_owned()),
                        Just("-1.5".to_owned()),
                    ],
                ),
                0..8,
            ),
            end in prop_oneof![Just("}"), Just(""), Just("}}"), Just("} ")],
        ) {
            let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            check(&format!("{{{}{end}", pairs.join(",")))?;
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            check(&text)?;
        }
    }

    #[test]
    fn it_takes_what_recorders_write() {
        for text in [
            r#"{"at":1,"process":"producer-0","event":"submit","message":7}"#,
            r#"{"at":"2026-11-27T10:00:00Z","process":"p","event":"submit","message":"order-1","payload":"x"}"#,
            r#"{"at":8,"process":"consumer-0","event":"settle","message":7,"group":"inventory","partition":0,"position":12,"delivery":1,"outcome":"ok"}"#,
        ] {
            assert!(scan(text).is_some(), "{text}");
            check(text).unwrap();
        }
    }
}
