//! Every fault on the wire strikes and is noticed, and the proxy changes nothing else. The server is the fake, behind a
//! socket; the clients are those of Redis.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use delivery_audit::address::{Address, Scheme};
use delivery_audit::fake::front::Front;
use delivery_audit::fake::{FakeBroker, Switch};
use delivery_audit::faults::{self, Fault, Kill};
use delivery_audit::findings::{Finding, Judged, judged};
use delivery_audit::harness::{Plan, Planned, ProxyRoute, Round, round};
use delivery_audit::plan::{At, Load, Patience, Role};
use delivery_audit::product::{Product, QUEUE};
use delivery_audit::products::Redis;
use delivery_audit::proxy::{Proxy, Witness};
use delivery_model::vocab::EventKind;

const MESSAGES: u64 = 20;
const QUICK: Patience = Patience {
    answer: Duration::from_millis(200),
    lease: Duration::from_millis(50),
    idle: Duration::from_millis(150),
    rest: Duration::from_secs(8),
    round: Duration::from_secs(30),
};

fn run(switch: Switch, faults: Vec<Planned>, load: Load) -> (Round, Judged) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut broker = FakeBroker::new(switch, QUICK.answer);
    let front = Front::of(&broker).expect("it listens");
    let proxy = Proxy::open(front.address(), Redis.frames().expect("they are known")).expect("it listens");
    let client = Redis.client(&Redis.settings()[0], &proxy.address(), QUEUE, QUICK).expect("a client");
    let route = ProxyRoute { proxy, client };
    let plan = Plan { name: "fake".to_owned(), messages: MESSAGES, load, faults, patience: QUICK };
    let round = round(&mut broker, Some(&route), &plan, directory.path(), &AtomicBool::new(false));
    let round = round.expect("the round runs");
    let recognises = switch != Switch::StoresRetries;
    let judged = judged(&round, recognises);
    (round, judged)
}

fn planned(fault: &'static dyn Fault, nth: u64) -> Planned {
    Planned { fault, at: fault.at(Load::KeepsUp), nth, of: None }
}

fn on_the_wire() -> impl Iterator<Item = &'static dyn Fault> {
    faults::ALL.into_iter().filter(|fault| fault.on_the_wire().is_some())
}

/// Every fault on the wire strikes once, by its name, and an honest broker stands it.
#[test]
fn every_fault_strikes_and_an_honest_broker_keeps_everything() {
    for fault in on_the_wire() {
        let (round, judged) = run(Switch::Honest, vec![planned(fault, MESSAGES / 2)], Load::KeepsUp);
        assert!(round.left_out.is_empty(), "{} did not strike", fault.name());
        assert_eq!((judged.counts().faults, judged.counts().acked), (1, MESSAGES), "{}", fault.name());
        assert_eq!(judged.findings, BTreeSet::new(), "{}", fault.name());
        assert_eq!(judged.repeated, 0, "{}", fault.name());
        let words = round.history.events.iter().filter_map(|it| match it.event.kind {
            EventKind::Fault { fault } => Some(fault),
            _ => None,
        });
        assert_eq!(words.collect::<Vec<_>>(), [fault.word()], "{}", fault.name());
        let mut said = Vec::new();
        round.history.write(&mut said).expect("it is written");
        let by = format!("\"by\":\"{}\"", fault.name());
        assert!(String::from_utf8(said).expect("text").contains(&by), "{by}");
    }
}

/// Without a fault, nobody's outcome is unknown; with one that a party must notice, exactly one is.
#[test]
fn a_party_notices_the_faults_of_its_frames() {
    let unknown = |faults: Vec<Planned>| {
        let (round, _) = run(Switch::Honest, faults, Load::KeepsUp);
        let unknown = round.history.events.iter().filter(|it| it.event.kind.to_string().ends_with("unknown"));
        unknown.count()
    };
    assert_eq!(unknown(Vec::new()), 0);
    // A copy is noticed by nobody, and a delivery that vanished has no outcome.
    let silent = [faults::PUBLISH_DUPLICATED.name(), faults::DELIVERY_LOST.name()];
    for fault in on_the_wire() {
        let expected = usize::from(!silent.contains(&fault.name()));
        assert_eq!(unknown(vec![planned(fault, 7)]), expected, "{}", fault.name());
    }
}

/// This is what shows that the proxy works: the broker has stored what its client tries again.
#[test]
fn a_retry_is_stored_twice_where_nobody_recognises_it_and_the_first_attempt_was_stored() {
    let twice = [&faults::PUBLISH_ACK_LOST, &faults::PUBLISH_DUPLICATED, &faults::PUBLISH_DELAYED].map(Fault::name);
    for fault in on_the_wire() {
        let (_, judged) = run(Switch::StoresRetries, vec![planned(fault, 7)], Load::KeepsUp);
        assert_eq!(judged.repeated, u64::from(twice.contains(&fault.name())), "{}", fault.name());
        assert_eq!((judged.lost, judged.again), (0, 0), "{}", fault.name());
    }
}

#[test]
fn a_broker_that_should_recognise_a_retry_and_does_not_is_found() {
    let (round, _) = run(Switch::StoresRetries, vec![planned(&faults::PUBLISH_ACK_LOST, 7)], Load::Lags);
    assert_eq!(judged(&round, true).findings, BTreeSet::from([Finding::RetryStored]));
    assert_eq!(judged(&round, false).findings, BTreeSet::new());
}

#[test]
fn kills_and_faults_on_the_wire_strike_in_one_round() {
    let mut all: Vec<Planned> =
        on_the_wire().zip([2, 4, 6, 8, 10, 9, 11, 13]).map(|(it, nth)| planned(it, nth)).collect();
    all.push(Planned { fault: &Kill, at: At::Acked, nth: 7, of: None });
    all.push(Planned { fault: &Kill, at: At::Settled, nth: 9, of: None });
    let (round, judged) = run(Switch::Honest, all, Load::KeepsUp);
    assert_eq!((round.left_out.len(), judged.counts().faults), (0, 10));
    let judged_as = &judged.judgement.violations;
    assert_eq!((&judged.findings, judged.counts().acked), (&BTreeSet::new(), MESSAGES), "{judged_as:?}");
}

#[test]
fn a_frame_that_never_comes_is_named() {
    let never = Planned { fault: &faults::SETTLE_LOST, at: At::Frame(Role::Settle), nth: MESSAGES + 1, of: None };
    let (round, judged) = run(Switch::Honest, vec![never], Load::KeepsUp);
    assert_eq!((round.left_out.len(), judged.counts().faults), (1, 0));
}

struct Nobody;

impl Witness for Nobody {
    fn struck(&self, _index: usize) {}

    fn healed(&self, _index: usize) {}
}

/// Runs this while a proxy stands before a server at this port.
fn beside(server: u16, test: impl FnOnce(&dyn Fn() -> TcpStream)) -> u16 {
    let scheme = Scheme { word: "redis", port: server };
    let proxy =
        Proxy::open(Address::local(scheme, server), Redis.frames().expect("they are known")).expect("it listens");
    let port = proxy.address().port();
    let (service, stop) = proxy.service(&[], Duration::from_secs(5), &Nobody);
    thread::scope(|scope| {
        let serving = scope.spawn(|| service.run());
        test(&|| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
            stream
        });
        drop(stop);
        serving.join().expect("no panic").expect("it served");
    });
    port
}

/// Whether the other side closed the connection, or reset it; a time-out says that it did neither.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn what_one_side_closes_is_closed_on_the_other_and_a_server_may_be_started_again() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("it listens");
    let at = server.local_addr().expect("an address").port();
    let port = beside(at, |connect| {
        // The client closes, and the server has all that it sent.
        let mut client = connect();
        let mut accepted = server.accept().expect("it connects").0;
        client.write_all(b"+OK\r\n+HA").expect("it is sent");
        drop(client);
        let mut said = Vec::new();
        accepted.read_to_end(&mut said).expect("it is closed");
        assert_eq!(said, b"+OK\r\n+HA");
        // The server closes.
        let mut client = connect();
        let mut accepted = server.accept().expect("it connects").0;
        accepted.write_all(b"+BYE\r\n").expect("it is sent");
        drop(accepted);
        let mut said = Vec::new();
        client.read_to_end(&mut said).expect("it is closed");
        assert_eq!(said, b"+BYE\r\n");
        // The server is away, and then there again.
        drop(server);
        assert!(is_closed(&mut connect()));
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, at)).expect("it listens again");
        let mut client = connect();
        client.write_all(b"+OK\r\n").expect("it is sent");
        let mut said = [0; 5];
        server.accept().expect("it connects").0.read_exact(&mut said).expect("it comes");
        assert_eq!(&said, b"+OK\r\n");
    });
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "nothing is left listening");
}

#[test]
fn the_end_of_the_service_closes_connections() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("it listens");
    let mut open = None;
    beside(server.local_addr().expect("an address").port(), |connect| {
        let client = connect();
        let accepted = server.accept().expect("it connects").0;
        open = Some((client, accepted));
    });
    let (mut client, mut accepted) = open.expect("it was open");
    for stream in [&mut client, &mut accepted] {
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
        assert!(is_closed(stream));
    }
}
