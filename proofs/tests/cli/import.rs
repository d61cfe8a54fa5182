//! `import`, and `judge` of files that it reads: what goes where, compressed input, and what is refused.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::common::{Ended, delivery, delivery_in, ended};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("import/examples").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

#[test]
fn a_record_of_others_is_judged_as_it_is_and_as_its_import() {
    let here = tempfile::tempdir().expect("a folder");
    let lost = example("jepsen/kafka-lost.edn");
    let imported = delivery_in(here.path(), &["import", "jepsen", text(&lost), "-o", "history.jsonl"]);
    assert_eq!((imported.code, &*imported.out), (0, ""), "{}", imported.err);
    assert!(imported.err.contains("jepsen: 8 operations read, 16 events made"), "{}", imported.err);
    let expected = "acked-not-lost: message orders/2 was acked and is lost";
    for file in [text(&lost), "history.jsonl"] {
        let judged = delivery_in(here.path(), &["judge", file, "--expect", "at-least-once"]);
        assert_eq!(judged.code, 1, "{file}: {}", judged.err);
        assert!(judged.out.contains(expected), "{file}: {}", judged.out);
    }
    let refused = delivery_in(here.path(), &["import", "jepsen", text(&lost), "-o", "history.jsonl"]);
    assert_eq!(refused.code, 2, "a file that is there stays");
}

/// The history goes to standard output and the report does not, so that they can be piped.
#[test]
fn an_import_can_be_piped_into_the_judge() {
    let imported = run(&["import", "csv", text(&example("csv/lost.csv"))]);
    assert!(imported.out.starts_with("{\"format\":\"delivery-history\""), "{}", imported.out);
    assert!(!imported.out.contains("records read"), "{}", imported.out);
    let judged = piped(&["judge", "-"], imported.out.as_bytes());
    assert!(judged.contains("A-18 was acked and is lost"), "{judged}");
}

fn run(arguments: &[&str]) -> Ended {
    delivery_in(Path::new("."), arguments)
}

fn piped(arguments: &[&str], input: &[u8]) -> String {
    let mut child = delivery().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("it is piped").write_all(input).expect("it reads its input");
    ended(child.wait_with_output().expect("it ends")).out
}

#[test]
fn compressed_files_are_read_wherever_plain_ones_are() {
    let here = tempfile::tempdir().expect("a folder");
    let native = run(&["import", "csv", text(&example("csv/lost.csv"))]).out;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("a vector takes it");
        encoder.finish().expect("a vector takes it")
    };
    let zstd = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    // What pzstd and others put between frames for themselves: a magic number, a length, and so many bytes.
    let skippable = |kind: u8| [&[kind, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"own"].concat();
    let csv = fs::read(example("csv/lost.csv")).expect("the example is readable");
    // Two members or frames, one after the other, are one file.
    let (front, back) = csv.split_at(csv.len() / 2);
    for (name, bytes) in [
        ("history.jsonl.gz", gzip(native.as_bytes())),
        ("history.jsonl.zst", zstd(native.as_bytes())),
        ("lost.csv.gz", [gzip(front), gzip(back)].concat()),
        ("lost.csv.zst", [zstd(front), zstd(back)].concat()),
        ("skipping.csv.zst", [skippable(0x50), zstd(front), skippable(0x5f), zstd(back), skippable(0x57)].concat()),
    ] {
        fs::write(here.path().join(name), bytes).expect("the folder is writable");
        let judged = delivery_in(here.path(), &["judge", name]);
        assert!(judged.out.contains("A-18 was acked and is lost"), "{name}: {} {}", judged.out, judged.err);
    }
}

#[test]
fn what_is_not_of_the_format_is_named_with_its_line() {
    let here = tempfile::tempdir().expect("a folder");
    fs::write(here.path().join("cut.edn"), "{:type :ok, :f :poll, :process 1}\n{:type :ok, :f ")
        .expect("it is writable");
    let refused = delivery_in(here.path(), &["import", "jepsen", "cut.edn"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("cut.edn: line 2: found an end inside a value"), "{}", refused.err);
    let mixed = run(&["judge", text(&example("csv/lost.csv")), text(&example("jepsen/queue-lost.txt"))]);
    assert_eq!(mixed.code, 2);
    assert!(mixed.err.contains("found jepsen; expected csv"), "{}", mixed.err);
}

#[test]
fn traces_are_judged_with_what_their_owner_knows_of_them() {
    let lost = example("otlp/lost.jsonl");
    let judged = run(&["judge", text(&lost), "--quiescent", "--expect", "at-least-once"]);
    assert_eq!(judged.code, 1, "{}", judged.err);
    assert!(judged.out.contains("message orders/0/13 was acked and is lost"), "{}", judged.out);
    let open = run(&["judge", text(&lost), "--expect", "at-least-once"]);
    assert_eq!(open.code, 3, "whether more comes is not told: {}", open.out);
    assert!(open.err.contains("--quiescent says it"), "{}", open.err);
    let here = tempfile::tempdir().expect("a folder");
    fs::write(here.path().join("mapping.toml"), "[effect]\nspan = []\n").expect("it is writable");
    let refused = delivery_in(here.path(), &["judge", text(&lost), "--mapping", "mapping.toml"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("mapping.toml: line 2: found unknown field `span`"), "{}", refused.err);
}

#[test]
fn what_only_other_formats_take_is_refused_for_a_history() {
    let here = tempfile::tempdir().expect("a folder");
    let history = run(&["import", "csv", text(&example("csv/lost.csv"))]).out;
    fs::write(here.path().join("history.jsonl"), history).expect("it is writable");
    for flags in [&["--quiescent"][..], &["--group", "g"], &["--column", "at=time"]] {
        let refused = delivery_in(here.path(), &[&["judge", "history.jsonl"], flags].concat());
        assert_eq!(refused.code, 2, "{flags:?}: {}", refused.out);
    }
}

#[test]
fn files_that_are_all_empty_are_refused_and_one_beside_others_is_not() {
    let here = tempfile::tempdir().expect("a folder");
    fs::write(here.path().join("empty.jsonl"), "").expect("it is writable");
    let refused = delivery_in(here.path(), &["import", "kafka-verifiable", "empty.jsonl"]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert!(refused.err.contains("empty.jsonl: found an empty file; expected kafka-verifiable"), "{}", refused.err);
    let producer = example("kafka-verifiable/producer.jsonl");
    let taken = delivery_in(here.path(), &["import", "kafka-verifiable", text(&producer), "empty.jsonl"]);
    assert_eq!(taken.code, 0, "{}", taken.err);
}

#[test]
fn a_consumer_can_be_of_a_group_of_its_own() {
    let (producer, lost) =
        (example("kafka-verifiable/producer.jsonl"), example("kafka-verifiable/consumer-lost.jsonl"));
    let import = |groups: &[&str]| {
        let files = ["import", "kafka-verifiable", text(&producer), text(&lost)];
        run(&[&files[..], &groups.iter().flat_map(|group| ["--group", group]).collect::<Vec<_>>()].concat())
    };
    for (groups, expected) in [
        (&[][..], r#""group":"consumers""#),
        (&["mail"], r#""group":"mail""#),
        (&["mail", "consumer-lost.jsonl=stock"], r#""group":"stock""#),
    ] {
        let imported = import(groups);
        assert!(imported.out.contains(expected), "{groups:?}: {} {}", imported.out, imported.err);
    }
    for (groups, expected) in [
        (&["mail", "stock"][..], "--group stock: --group mail names the group of all files"),
        (&["other.jsonl=stock"], "other.jsonl: found no such file"),
        (&["=stock"], "a name, or a file and a name with = between are expected"),
    ] {
        let refused = import(groups);
        assert_eq!(refused.code, 2, "{groups:?}: {}", refused.out);
        assert!(refused.err.contains(expected), "{groups:?}: {}", refused.err);
    }
}
