//! `delivery audit` as its users meet it. What it finds out about servers is tested beside the crate `audit`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use crate::common::{delivery, delivery_in, ended, place};

#[test]
fn an_unknown_product_setting_or_fault_is_refused_with_what_is_known() {
    let place = place(&[]);
    for (arguments, says) in [
        (&["audit", "redsi"][..], "product \"redsi\" is unknown; known are nats, redis, postgres"),
        (&["audit", "redis/never"], "setting \"never\" of redis is unknown; known are default, everysec, always"),
        (&["audit", "--faults", "kill,fire"], "fault \"fire\" is unknown; known are kill, stop, power"),
    ] {
        let refused = delivery_in(place.path(), arguments);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments:?}");
        assert!(refused.err.contains(says), "{}", refused.err);
    }
}

#[test]
fn what_is_not_installed_is_named_with_how_to_install_it_and_is_no_success() {
    let place = place(&[]);
    let mut command = delivery();
    command.args(["audit", "redis", "--faults", "kill"]).env("PATH", place.path()).env("TMPDIR", place.path());
    let told = ended(command.output().expect("it starts"));
    assert!(told.out.contains("left out: product redis: redis-server is not installed"), "{}", told.out);
    assert!(told.out.contains("apt-get install redis-server"), "{}", told.out);
    assert_eq!(told.code, 3);
}

#[test]
fn a_server_of_the_user_is_one_that_answers_of_one_product_and_is_left_alone() {
    let place = place(&[]);
    for (arguments, says) in [
        (&["audit", "redis", "nats", "--server", "localhost"][..], "name exactly one product, found 2"),
        (&["audit", "--server", "localhost"], "name exactly one product, found"),
        (&["audit", "redis", "--server", "localhost:x"], "\"localhost:x\" is no address: invalid port number"),
        (&["audit", "redis", "--server", "nats://localhost"], "known is redis://"),
        (&["audit", "redis/always", "--server", "localhost"], "redis/always is set in the server"),
        (&["audit", "redis", "--server", "localhost", "--faults", "kill"], "leaves the server alone, so not kill"),
        // Nobody listens at port 1.
        (&["audit", "redis", "--server", "127.0.0.1:1"], "redis at 127.0.0.1:1 does not answer: "),
    ] {
        let refused = delivery_in(place.path(), arguments);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments:?}");
        assert!(refused.err.contains(says), "{arguments:?}: {}", refused.err);
    }
}

/// A broker that a user started. It ends with the test.
struct Broker {
    child: Child,
    /// What it says has somewhere to go.
    _says: BufReader<ChildStdout>,
}

impl Broker {
    fn start(data: &Path) -> (Broker, String) {
        let mut command = delivery();
        command.args(["broker", "exactly-once", "--listen", "127.0.0.1:0", "--directory"]).arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut said = String::new();
        let mut says = BufReader::new(child.stdout.take().expect("a pipe"));
        says.read_line(&mut said).expect("it says where it listens");
        let (_, address) = said.trim().rsplit_once(' ').expect("an address");
        (Broker { child, _says: says }, address.to_owned())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }
}

/// The broker of this project has one log and one group, so this is the hardest server to leave as it was.
#[test]
fn a_server_that_the_user_started_is_audited_and_goes_on() {
    let place = place(&[]);
    let (_broker, address) = Broker::start(&place.path().join("data"));
    let faults = "consumer-crash,publish-ack-lost,settle-ack-lost";
    let arguments =
        ["audit", "delivery/numbered", "--server", &address, "--rounds", "1", "--messages", "20", "--faults", faults];
    for _ in 0..2 {
        let told = delivery_in(place.path(), &arguments);
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        assert!(told.out.contains(&format!("delivery of an unknown version at {address}")), "{}", told.out);
        assert!(!told.err.contains("could not be removed"), "{}", told.err);
    }
}

#[test]
fn a_schedule_that_real_brokers_cannot_follow_is_refused_with_its_place() {
    let here = place(&[]);
    let named = delivery_model::presets::named("at-least-once").expect("the reference is there");
    let faults = delivery_model::schedule::Schedule {
        pipeline: named,
        messages: 3,
        faults: vec![],
        interleaving: delivery_model::schedule::Interleaving::Exact(vec![]),
    };
    std::fs::write(here.path().join("exact.json"), faults.to_json()).expect("it is written");
    let refused = delivery_in(here.path(), &["audit", "redis", "--schedule", "exact.json"]);
    assert_eq!(refused.code, 2);
    let says = "exact.json: \"order\": exact steps are given, but a real broker chooses the order; a seed is allowed";
    assert!(refused.err.contains(says), "{}", refused.err);
    let shrink = delivery_in(here.path(), &["audit", "redis", "--shrink"]);
    assert!(shrink.code == 2 && shrink.err.contains("--record"), "{}", shrink.err);
}

#[test]
fn an_earlier_run_gives_the_documents_again_and_a_bad_row_is_named() {
    let here = place(&[]);
    let row = r#"{"product": "redis", "version": "7.0", "setting": "always", "means": "appendfsync always", "fault": "kill",
        "load": "lags", "messages": 20, "rounds": 3, "lost": 7, "findings": {"acked-not-lost": 2}}"#;
    let row = row.replace('\n', " ");
    std::fs::write(here.path().join("run.jsonl"), row + "\n").expect("it is written");
    let told = delivery_in(here.path(), &["audit", "--from", ".", "--ledger", "a.md", "--html", "a.html"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.contains("broken: redis always"), "{}", told.out);
    assert!(told.out.contains("forbids what redis always does: acked-not-lost in 2 of 3 rounds"), "{}", told.out);
    let document = std::fs::read_to_string(here.path().join("a.md")).expect("it is there");
    assert!(document.contains("| forbids it | 2 of 3 | BROKEN |"), "{document}");
    assert!(document.contains("| always | kill | 7 |"), "{document}");
    let page = std::fs::read_to_string(here.path().join("a.html")).expect("it is there");
    assert!(page.contains("<td class=\"n bad\">7") && page.ends_with("</html>\n"), "{page}");
    std::fs::write(here.path().join("run.jsonl"), "{}\n").expect("it is written");
    let refused = delivery_in(here.path(), &["audit", "--from", "."]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("run.jsonl: line 1: missing field `product`"), "{}", refused.err);
    std::fs::write(here.path().join("run.jsonl"), "\n").expect("it is written");
    let empty = delivery_in(here.path(), &["audit", "--from", "."]);
    assert!(empty.code == 2 && empty.err.contains("run.jsonl: no rows; expected rows of"), "{}", empty.err);
    let both = delivery_in(here.path(), &["audit", "redis", "--from", "."]);
    assert!(both.code == 2 && both.err.contains("cannot be used with"), "{}", both.err);
}
