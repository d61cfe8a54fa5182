//! What the judge keeps of each message of a large history, as the allocator counts it: little of what is on its way, next
//! to nothing of what is through. One test, because the count is of the whole process.

use std::fmt::Write;

use delivery_model::history::{ReadOptions, Reader};
use delivery_model::semantics::{Judge, Question};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MESSAGES: u64 = 200_000;

/// A history of messages that are acked, and that arrive if they are through. `texts`: they are named by texts.
fn history(texts: bool, payloads: bool, through: bool) -> String {
    let mut out = String::from("{\"format\":\"delivery-history\",\"version\":1}\n");
    let mut at = 0;
    let mut line = |rest: String| {
        at += 1;
        writeln!(out, "{{\"at\":{at},\"process\":\"p\",{rest}}}").expect("it is in memory");
    };
    for number in 0..MESSAGES {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let name = if texts { format!("\"{mixed:032x}\"") } else { number.to_string() };
        let payload = if payloads { format!(",\"payload\":\"{mixed:016x}\"") } else { String::new() };
        line(format!("\"event\":\"submit\",\"message\":{name}{payload}"));
        line(format!("\"event\":\"attempt\",\"message\":{name}"));
        line(format!("\"event\":\"outcome\",\"message\":{name},\"outcome\":\"acked\",\"position\":{number}"));
        if through {
            line(format!("\"event\":\"deliver\",\"message\":{name},\"group\":\"g\",\"position\":{number}{payload}"));
            line(format!("\"event\":\"effect\",\"message\":{name},\"group\":\"g\""));
            line(format!(
                "\"event\":\"settle\",\"message\":{name},\"group\":\"g\",\"position\":{number},\"outcome\":\"ok\""
            ));
        }
    }
    out
}

/// The bytes a message that the judge keeps of this history.
fn kept(text: &str) -> f64 {
    let before = ALLOCATOR.current_usage();
    let mut reader = Reader::brief(text.as_bytes(), ReadOptions::default()).expect("it is a history");
    let mut judge = Judge::new(reader.header(), Question::default());
    judge.read(&mut reader).expect("its lines are events");
    let kept = ALLOCATOR.current_usage() - before;
    let judgement = judge.finish(reader.names(), None);
    assert_eq!(judgement.counts.acked, MESSAGES);
    kept as f64 / MESSAGES as f64
}

#[test]
fn a_message_on_its_way_takes_64_bytes_and_one_that_is_through_16() {
    for (texts, payloads, through, most) in [
        (false, false, false, 64.0),
        (true, false, false, 64.0),
        (true, true, false, 64.0),
        (false, false, true, 16.0),
        (false, true, true, 16.0),
    ] {
        let kept = kept(&history(texts, payloads, through));
        assert!(kept < most, "texts {texts}, payloads {payloads}, through {through}: {kept} bytes a message");
    }
}
