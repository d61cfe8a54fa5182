//! The memory of an import is bounded by the size of its input, times a constant: also where one long text of the input is told
//! in many events. One test, as the allocator counts for the whole process.

use delivery_import::{Format, Input, Options, import};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The bytes at the peak, for each byte of input: a poll of 8 bytes is an event and a name, both twice for a while.
const BYTES_MAX: usize = 160;
/// What is there whatever the input is.
const BASE: usize = 1 << 20;

/// A long text, which stands once in an input.
fn long() -> String {
    "k".repeat(1 << 17)
}

/// Many short ones, with numbers.
fn many(one: impl Fn(usize) -> String) -> String {
    (0..1 << 12).map(one).collect()
}

fn span(name: &str, kind: u8, rest: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{}","name":"{name}","kind":{kind},"startTimeUnixNano":"1","endTimeUnixNano":"2",{rest}}}]}}]}}]}}"#,
        "1".repeat(32),
        "1".repeat(16),
    ) + "\n"
}

fn attribute(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

/// The links of a batch, each with its own message.
fn links() -> String {
    let link = |nth: usize| {
        let own = attribute("messaging.kafka.offset", &nth.to_string());
        format!(r#"{{"traceId":"2","spanId":"{nth}","attributes":[{own}]}},"#)
    };
    many(link).trim_end_matches(',').to_owned()
}

fn inputs() -> Vec<(&'static str, Format, String)> {
    let poll = |key: &str| format!("0\t:ok\t:poll\t[[:poll {{:{key} [{}]}}]]\n", many(|nth| format!("[{nth} {nth}] ")));
    let batch = |attributes: &str| {
        let receive = [attribute("messaging.operation.type", "receive"), attributes.to_owned()].join(",");
        span("poll", 5, &format!(r#""attributes":[{receive}],"links":[{}]"#, links()))
    };
    let sends = many(|nth| format!("0\t:ok\t:send\t[[:send :k [{} 7]]]\n", nth + 100_000));
    let copies = format!("0\t:ok\t:poll\t[[:poll {{:k [{}]}}]]\n", many(|nth| format!("[{nth} 7] ")));
    let line = |nth: usize| {
        format!(
            r#"{{"timestamp":1,"name":"producer_send_success","value":"{nth}","topic":"t","partition":0,"offset":{nth}}}"#
        ) + "\n"
    };
    vec![
        ("a log with short names", Format::Jepsen, poll("k")),
        ("a log with a long name", Format::Jepsen, poll(&long())),
        ("a log with one value at many offsets", Format::Jepsen, sends + &copies),
        ("a queue", Format::Jepsen, many(|nth| format!("0\t:invoke\t:enqueue\t{nth}\n0\t:ok\t:enqueue\t{nth}\n"))),
        ("a batch with short attributes", Format::Otlp, batch(&attribute("messaging.destination.name", "t"))),
        ("a batch of a topic with a long name", Format::Otlp, batch(&attribute("messaging.destination.name", &long()))),
        ("a batch with a long attribute", Format::Otlp, batch(&attribute("note", &long()))),
        (
            "a batch of a group with a long name",
            Format::Otlp,
            batch(&attribute("messaging.consumer.group.name", &long())),
        ),
        ("records", Format::KafkaVerifiable, many(line)),
        ("a table", Format::Csv, "at,event,message\n".to_owned() + &many(|nth| format!("1,submit,{nth}\n"))),
        (
            "a table with a long name of a column",
            Format::Csv,
            format!("at,event,message,{}\n", long()) + &many(|nth| format!("1,submit,{nth},x\n")),
        ),
    ]
}

#[test]
fn the_memory_of_an_import_is_bounded_by_its_input() {
    let mut beyond = Vec::new();
    for (what, format, text) in inputs() {
        let input = [Input::new("input", text)];
        let bytes = input[0].bytes.len();
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let is_read = import(format, &input, &Options::default()).is_ok();
        let peak = ALLOCATOR.peak_usage().saturating_sub(before);
        println!("{what}: {bytes} bytes, at the peak {peak}, {} times; read: {is_read}", peak / bytes);
        if peak > BASE + BYTES_MAX * bytes {
            beyond.push(what);
        }
    }
    assert_eq!(beyond, [""; 0]);
}
