//! The judge of a large history: events a second beside a pass that only parses the same lines, and bytes a message.
//!
//! The parse-only pass reads each line with `simd-json` and buffers that are used again, and looks at nothing. The judge reads,
//! checks and judges the lines in one pass. Both take the same bytes in memory, in one run. Each judged pass ends with a
//! check of the counts and the verdicts.
//!
//! Memory is counted by the allocator, with the history's text outside of the count: what the judge keeps of messages that
//! are through, and of messages that are all on their way (acked, and not yet delivered).

use std::fmt::Write;
use std::io::BufRead;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::{is_test, tell, time};
use delivery_model::history::{History, ReadOptions, Reader};
use delivery_model::numbers::grouped;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Judge, Judgement, Question, Threads, Verdict, judge, judge_streamed};
use delivery_proofs::figures::Sheet;
use peak_alloc::PeakAlloc;
use simd_json::{Buffers, Tape};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

criterion_group!(benches, judges);
criterion_main!(benches);

/// A history of messages that all go the usual way, a few at a time on their way.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    texts: bool,
    payloads: bool,
    partitions: u64,
    /// How many messages are on their way at once.
    window: u64,
    /// No message is delivered.
    stops_at_ack: bool,
}

const IN_ORDER: Kind =
    Kind { name: "in order", texts: false, payloads: false, partitions: 1, window: 1, stops_at_ack: false };

const KINDS: [Kind; 6] = [
    IN_ORDER,
    Kind { name: "in order, payloads", payloads: true, ..IN_ORDER },
    Kind { name: "64 at once, 3 partitions", window: 64, partitions: 3, ..IN_ORDER },
    Kind { name: "names are texts", texts: true, ..IN_ORDER },
    Kind { name: "all on their way", stops_at_ack: true, ..IN_ORDER },
    Kind { name: "all on their way, texts, payloads", texts: true, payloads: true, stops_at_ack: true, ..IN_ORDER },
];

impl Kind {
    fn text(self, messages: u64) -> String {
        let mut out = String::from("{\"format\":\"delivery-history\",\"version\":1}\n");
        let mut at = 0;
        let mut line = |rest: String| {
            at += 1;
            let _ = writeln!(out, "{{\"at\":{at},{rest}}}");
        };
        let mix = |number: u64| u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let name = |number: u64| if self.texts { format!("\"{:032x}\"", mix(number)) } else { number.to_string() };
        let payload = |number: u64| {
            if self.payloads { format!(",\"payload\":\"{:016x}\"", mix(number + 7) as u64) } else { String::new() }
        };
        let place = |number: u64| {
            format!("\"partition\":{},\"position\":{}", number % self.partitions, number / self.partitions)
        };
        let mut begin = 0;
        while begin < messages {
            let window = begin..(begin + self.window).min(messages);
            for number in window.clone() {
                let (name, payload, place) = (name(number), payload(number), place(number));
                line(format!("\"process\":\"producer-0\",\"event\":\"submit\",\"message\":{name}{payload}"));
                line(format!("\"process\":\"producer-0\",\"event\":\"attempt\",\"message\":{name},\"attempt\":1"));
                line(format!(
                    "\"process\":\"producer-0\",\"event\":\"outcome\",\"message\":{name},\"attempt\":1,\"outcome\":\"acked\",{place}"
                ));
            }
            // What is on its way at once arrives in another order.
            for number in window.clone().rev().filter(|_| !self.stops_at_ack) {
                let (name, payload, place) = (name(number), payload(number), place(number));
                line(format!(
                    "\"process\":\"consumer-0\",\"event\":\"deliver\",\"message\":{name},\"group\":\"inventory\",{place},\"delivery\":1{payload}"
                ));
                line(format!(
                    "\"process\":\"consumer-0\",\"event\":\"effect\",\"message\":{name},\"group\":\"inventory\""
                ));
                line(format!(
                    "\"process\":\"consumer-0\",\"event\":\"settle\",\"message\":{name},\"group\":\"inventory\",{place},\"delivery\":1,\"outcome\":\"ok\""
                ));
            }
            begin = window.end;
        }
        if !self.stops_at_ack {
            line("\"process\":\"faults\",\"event\":\"quiescent\"".to_owned());
        }
        out
    }
}

fn judges(criterion: &mut Criterion) {
    let messages = if is_test() { 1_000 } else { 100_000 };
    let text = IN_ORDER.text(messages);
    let events = text.lines().count() as u64 - 1;
    let mut group = criterion.benchmark_group("judge");
    group.throughput(Throughput::Elements(events)).sample_size(10);
    group.bench_function("parse only", |bencher| bencher.iter(|| assert_eq!(parse(&text), events + 1)));
    group.bench_function("read", |bencher| bencher.iter(|| assert_eq!(read(&text), events)));
    for (name, threads) in [("judge, one thread", Threads::One), ("judge, two threads", Threads::Two)] {
        group.bench_function(name, |bencher| bencher.iter(|| check(&streamed(&text, threads), messages)));
    }
    group.bench_function("judge in memory", |bencher| bencher.iter(|| check(&whole(&text), messages)));
    group.finish();
    let mut sheet = Sheet::new(
        "judge",
        "Recorded histories: parsed, read with all checks, and judged; the best of runs that take turns.",
    );
    ratios(&mut sheet, &text, messages);
    let messages = if is_test() { 1_000 } else { 1_000_000 };
    let title = format!("what the judge keeps, {} messages", grouped(messages));
    let table = sheet.table(&title, &["history", "bytes a message"]);
    for kind in KINDS {
        table.row(kind.name, [weigh(kind, messages)]);
    }
    table.row("in order, the whole history in memory", [weigh_whole(messages)]);
    tell(&sheet);
}

/// Each pass in turn, best of so many.
fn ratios(sheet: &mut Sheet, text: &str, messages: u64) {
    let rounds = if is_test() { 1 } else { 9 };
    let mut best = [Duration::MAX; 4];
    for _ in 0..rounds {
        let passes: [&dyn Fn(); 4] = [
            &|| assert!(parse(text) > 0),
            &|| assert!(read(text) > 0),
            &|| check(&streamed(text, Threads::One), messages),
            &|| check(&streamed(text, Threads::Two), messages),
        ];
        for (best, pass) in best.iter_mut().zip(passes) {
            *best = time(pass).min(*best);
        }
    }
    let parsed = best[0].as_secs_f64();
    let lines = text.lines().count();
    let table = sheet.table(&format!("{} lines", grouped(lines as u64)), &["pass", "M lines/s", "times parse only"]);
    for (name, took) in ["parse only", "read", "judge", "judge, two threads"].into_iter().zip(best) {
        let took = took.as_secs_f64();
        table.row(name, [lines as f64 / took / 1e6, took / parsed]);
    }
}

/// What the judge keeps of each message, as the allocator counts it.
fn weigh(kind: Kind, messages: u64) -> f64 {
    let text = kind.text(messages);
    let before = ALLOCATOR.current_usage();
    let mut reader = Reader::brief(text.as_bytes(), ReadOptions::default()).expect("it is a history");
    let mut judge = Judge::new(reader.header(), Question::default());
    judge.read(&mut reader).expect("its lines are events");
    let kept = ALLOCATOR.current_usage() - before;
    let judgement = judge.finish(reader.names(), None);
    assert_eq!(judgement.counts.acked, messages);
    kept as f64 / messages as f64
}

/// What a history in memory takes, with the peak of its judge.
fn weigh_whole(messages: u64) -> f64 {
    let text = IN_ORDER.text(messages);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    check(&whole(&text), messages);
    let peak = ALLOCATOR.peak_usage() - before;
    peak as f64 / messages as f64
}

/// The lines as the tapes of a parser that keeps its buffers: the fastest that `simd-json` has.
fn parse(text: &str) -> u64 {
    let (mut lines, mut line) = (0, Vec::new());
    let (mut buffers, mut tape) = (Buffers::new(256), Tape::null());
    let mut input = text.as_bytes();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).expect("it is in memory") == 0 {
            return lines;
        }
        let mut its = tape.reset();
        simd_json::fill_tape(&mut line, &mut buffers, &mut its).expect("it is JSON");
        tape = its.reset();
        lines += 1;
    }
}

/// The events, read and checked.
fn read(text: &str) -> u64 {
    let reader = Reader::brief(text.as_bytes(), ReadOptions::default()).expect("it is a history");
    reader.inspect(|event| assert!(event.is_ok(), "it is an event")).count() as u64
}

fn streamed(text: &str, threads: Threads) -> Judgement {
    let judged = judge_streamed(|| Ok(text.as_bytes()), ReadOptions::default(), Question::default(), threads);
    judged.expect("it is a history").1
}

fn whole(text: &str) -> Judgement {
    let history = History::read(text.as_bytes(), ReadOptions::default()).expect("it is a history");
    judge(&history, Question::default())
}

fn check(judgement: &Judgement, messages: u64) {
    assert_eq!(judgement.verdicts.of(Semantics::ExactlyOnce), Verdict::Holds);
    assert_eq!((judgement.counts.acked, judgement.counts.effects), (messages, messages));
}
