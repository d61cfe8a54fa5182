//! The broker on the wire, met by clients that were written from the table in `wire.rs` alone: served where they keep to
//! it, cut off with a reason where they do not, and nobody else is harmed.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use delivery_impls::core::report::Report;
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::driver::link::Limits;
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, loopback_tuning};
use delivery_impls::driver::secret::Secret;
use delivery_impls::driver::{LOOPBACK, Observer, broker};
use delivery_impls::store::Journal;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_model::pipeline::Pipeline;
use tempfile::TempDir;

/// Far longer than anything here takes.
const HUNG: Duration = Duration::from_secs(20);

/// Passes on what operators would read.
struct Notices(Mutex<Sender<String>>);

impl Observer for Notices {
    fn observe(&self, _: &str, _: &Report) -> io::Result<()> {
        Ok(())
    }

    fn notice(&self, process: &str, notice: &dyn Display) {
        let _ = self.0.lock().expect("no panic").send(format!("{process}: {notice}"));
    }
}

/// A broker in a directory of its own.
struct Served {
    directory: Arc<TempDir>,
    address: SocketAddr,
    room: Room,
    stop: Arc<AtomicBool>,
    notices: Receiver<String>,
    broker: JoinHandle<Result<Ended, DriverError>>,
}

fn serve(change: impl FnOnce(&mut Run)) -> Served {
    serve_in(Arc::new(tempfile::tempdir().expect("a directory")), change)
}

fn run_in(directory: &TempDir) -> (Run, Receiver<String>) {
    let (notice, notices) = channel();
    let stores = Stores::in_directory(directory.path());
    let observer = Arc::new(Notices(Mutex::new(notice)));
    // A lease shall not end while a test thinks.
    let tuning = Tuning { lease: Millis(60_000), ..loopback_tuning() };
    (Run::new(Pipeline::default(), tuning, stores, observer, Deployment::Apart), notices)
}

fn serve_in(directory: Arc<TempDir>, change: impl FnOnce(&mut Run)) -> Served {
    let (mut run, notices) = run_in(&directory);
    change(&mut run);
    let (room, stop) = (run.stores.room.clone(), Arc::clone(&run.stop));
    let inbox = broker::listen(&run, LOOPBACK).expect("a free port");
    let address = inbox.address();
    let broker = thread::spawn(move || broker::serve(&run, inbox));
    Served { directory, address, room, stop, notices, broker }
}

impl Served {
    fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(HUNG)).expect("a socket");
        Client(stream)
    }

    fn producer(&self, producer: u32) -> Client {
        self.incarnation(producer, 0)
    }

    fn incarnation(&self, producer: u32, epoch: u32) -> Client {
        let mut client = self.client();
        client.say(&[7]);
        client.say(&[&[1][..], &producer.to_le_bytes(), &epoch.to_le_bytes()].concat());
        assert_eq!(client.hear(), Some(vec![1]), "registered");
        client
    }

    fn consumer(&self, workers: u32) -> Client {
        let mut client = self.client();
        client.say(&[7]);
        client.say(&[&[3, 0][..], &workers.to_le_bytes(), &0u32.to_le_bytes()].concat());
        client
    }

    fn notice(&self) -> String {
        self.notices.recv_timeout(HUNG).expect("operators are told")
    }

    /// Asks it to leave, and waits.
    fn end(self) -> Ended {
        self.stop.store(true, Ordering::Release);
        self.broker.join().expect("no panic").expect("no failure")
    }
}

/// One connection, and the bytes of the protocol.
struct Client(TcpStream);

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("connected");
    }

    fn say(&mut self, body: &[u8]) {
        self.send(&frame(body));
    }

    /// The next body that is no heartbeat; none at the end of the stream.
    fn hear(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut header = [0; 16];
            match self.0.read_exact(&mut header) {
                Ok(()) => {}
                Err(error) => {
                    assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "the broker says nothing");
                    return None;
                }
            }
            assert_eq!(&header[..4], b"PoD\x01");
            let mut body = vec![0; u32::from_le_bytes(header[4..8].try_into().expect("four")) as usize];
            self.0.read_exact(&mut body).expect("a whole frame");
            assert_eq!(header[8..12], crc32c::crc32c(&body).to_le_bytes());
            if !body.is_empty() {
                return Some(body);
            }
        }
    }

    /// Publishes, and gives the verdict's tag: 0 refused, 2 acked.
    fn published(&mut self, producer: u32, number: u64) -> u8 {
        self.published_as(&publish(producer, number), number)
    }

    fn published_as(&mut self, body: &[u8], number: u64) -> u8 {
        self.say(body);
        let reply = self.hear().expect("a reply");
        assert_eq!((reply[0], &reply[1..9]), (2, &number.to_le_bytes()[..]), "a reply to this message");
        reply[13]
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"PoD\x01".to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(crc32c::crc32c(body).to_le_bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn register(producer: u32) -> Vec<u8> {
    [&[1][..], &producer.to_le_bytes(), &0u32.to_le_bytes()].concat()
}

/// This client's settings: its name is "us".
fn settings(text: &str) -> Vec<u8> {
    [b"\x0b\x02us", text.as_bytes()].concat()
}

/// The first attempt at the message of this number, an order for 3 of article 9.
fn publish(producer: u32, number: u64) -> Vec<u8> {
    let (producer, epoch) = (producer.to_le_bytes(), 0u32.to_le_bytes());
    let mut body = [&[2][..], &1u32.to_le_bytes(), &[1], &number.to_le_bytes(), &producer, &epoch].concat();
    body.extend([&[2][..], &producer, &epoch, &number.to_le_bytes()].concat());
    body.extend(ORDER);
    body
}

const ORDER: [u8; 9] = [1, 9, 0, 0, 0, 3, 0, 0, 0];

/// The same of another epoch, with a payload of this length.
fn publish_of(producer: u32, epoch: u32, number: u64, payload: usize) -> Vec<u8> {
    let mut body = publish(producer, number);
    body[18..22].copy_from_slice(&epoch.to_le_bytes());
    body.truncate(body.len() - ORDER.len());
    body.resize(body.len() + payload, 1);
    body
}

/// How many records the broker's log holds.
fn stored(directory: &TempDir) -> usize {
    let path = Stores::in_directory(directory.path()).log();
    FileJournal::open(&path, Room::default()).expect("nobody has it open").recover().expect("intact").len()
}

#[test]
fn a_client_that_keeps_to_the_table_is_served() {
    let served = serve(|_| ());
    let mut producer = served.producer(4);
    assert_eq!(producer.published(4, 0), 2, "acked");
    assert_eq!(producer.published(4, 0), 2, "acked again");
    let mut consumer = served.consumer(1);
    let hand_off = consumer.hear().expect("a hand-off");
    assert_eq!((hand_off[0], &hand_off[hand_off.len() - 9..]), (3, &ORDER[..]));
    let hand = &hand_off[1..17];
    consumer.say(&[&[4][..], hand, &[0], &hand[..8], &[1]].concat());
    assert_eq!(consumer.hear(), Some([&[4][..], hand, &[0]].concat()), "settled");
    consumer.say(&[8]);
    assert_eq!(consumer.hear(), Some(vec![7]), "left");
    drop((producer, consumer));
    let directory = Arc::clone(&served.directory);
    served.end();
    assert_eq!(stored(&directory), 1, "the retry was recognised");
}

/// Somebody sends these bytes: he is cut off for this reason, and a producer beside him is served as before.
fn check(bytes: &[u8], expected: &str) {
    let served = serve(|_| ());
    let mut bystander = served.producer(1);
    assert_eq!(bystander.published(1, 0), 2);
    let mut stranger = served.client();
    stranger.send(bytes);
    // He may be cut off before he has said all, and what is left unread then resets the connection.
    let _ = stranger.0.shutdown(std::net::Shutdown::Write);
    while stranger.hear().is_some() {}
    let notice = served.notice();
    assert!(notice.starts_with("broker-0: 127.0.0.1:") && notice.contains(expected), "{notice:?}, not {expected:?}");
    assert_eq!(bystander.published(1, 1), 2);
    drop((bystander, stranger));
    let directory = Arc::clone(&served.directory);
    served.end();
    assert_eq!(stored(&directory), 2);
}

#[test]
fn what_is_no_frame_is_cut_off() {
    let hello = frame(&[7]);
    let header = |length: u32, version: u8| {
        let mut bytes = b"PoD".to_vec();
        bytes.push(version);
        bytes.extend(length.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    };
    let mut damaged = hello.clone();
    *damaged.last_mut().expect("a body") ^= 1;
    check(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "the peer sent no frame: byte 0: expected a frame");
    check(&[&hello[..], &[0; 64]].concat(), "the peer sent no frame: byte 17: expected a frame");
    check(&header(1, 2), "expected frame version 1, found 2");
    check(&header(u32::MAX, 1), "a body of 4294967295 bytes, at most 262144 are allowed");
    check(&damaged, "the body's checksum is");
    check(&hello[..9], "the connection ended inside a frame");
}

#[test]
fn what_makes_no_sense_or_comes_out_of_turn_is_cut_off() {
    let said = |bodies: &[&[u8]]| bodies.iter().flat_map(|body| frame(body)).collect::<Vec<u8>>();
    let (hello, subscribe) = (&[7][..], &[3, 0, 1, 0, 0, 0, 0, 0, 0, 0][..]);
    let settle = |position: u64| [&[4][..], &[0; 16], &[0], &position.to_le_bytes(), &[1]].concat();
    check(&said(&[&[99]]), "the peer sent nonsense: unknown tag 99 of message to the broker at offset 0");
    check(&said(&[hello, &[3, 0, 1]]), "nonsense: expected 4 more bytes at offset 2, found 1");
    check(&said(&[&register(2)]), "sent `register`, expected `hello`");
    check(&said(&[hello, hello]), "sent `hello`, expected `settings`, `register`, `subscribe` or `rewind`");
    check(&said(&[hello, &publish(2, 0)]), "sent `publish`, expected `settings`, `register`");
    check(&said(&[&settings("")]), "sent `settings`, expected `hello`");
    check(&said(&[hello, &settings("broker.dedup")]), "nonsense: the settings are not lines of `name = value`");
    check(&said(&[hello, &register(2), &settings("")]), "sent `settings`, expected `publish`");
    check(
        &said(&[hello, &register(2), &publish(1, 7)]),
        "expected `publish` in the name of the producer that it registered",
    );
    // Its own record, but an identity by which it would be taken for the message of producer 1.
    let mut borrowed = publish(2, 1);
    borrowed[23..27].copy_from_slice(&1u32.to_le_bytes());
    check(
        &said(&[hello, &register(2), &borrowed]),
        "expected `publish` in the name of the producer that it registered",
    );
    check(&said(&[hello, &register(2), &settle(0)]), "sent `settle`, expected `publish`");
    check(&said(&[hello, subscribe, &publish(1, 7)]), "sent `publish`, expected `has`");
    check(&said(&[hello, subscribe, &settle(5)]), "a settle of position 5 alone, under a lease of position 0");
    let below = [&[4][..], &[0; 16], &[1], &u64::MAX.to_le_bytes(), &[1]].concat();
    let finished = [&[9][..], &u64::MAX.to_le_bytes()].concat();
    check(&said(&[hello, subscribe, &finished]), "settles up to position 18446744073709551615, but the log ends at 1");
    check(&said(&[hello, subscribe, &below]), "settles up to position 18446744073709551615, but the log ends at 1");
    let below_one = [&[4][..], &[0; 16], &[1], &1u64.to_le_bytes(), &[1]].concat();
    check(&said(&[hello, subscribe, &below_one]), "settles something else than position 0");
}

/// One that fits into a `publish` and not into a `hand off` was stored once, and then ended the broker.
#[test]
fn a_payload_is_handed_off_or_cut_off_however_long_it_is() {
    const LONGEST: usize = 255 << 10;
    let too_long = [frame(&[7]), frame(&register(2)), frame(&publish_of(2, 0, 0, LONGEST + 1))].concat();
    check(&too_long, "nonsense: a payload of 261121 bytes, at most 261120 are allowed");
    let served = serve(|_| ());
    assert_eq!(served.producer(1).published_as(&publish_of(1, 0, 0, LONGEST), 0), 2);
    let hand_off = served.consumer(1).hear().expect("a hand-off");
    assert!(hand_off.ends_with(&[1; LONGEST]));
    served.end();
}

#[test]
fn a_connection_is_cut_off_when_another_comes_in_its_place() {
    let served = serve(|_| ());
    let mut first = served.producer(1);
    assert_eq!(first.published(1, 0), 2);
    let mut second = served.producer(1);
    assert_eq!(first.hear(), None, "cut off");
    assert!(served.notice().contains("another connection came in its place"));
    assert_eq!(second.published(1, 1), 2);

    let mut first = served.consumer(1);
    let hand_off = first.hear().expect("a hand-off");
    let mut second = served.consumer(1);
    assert_eq!(first.hear(), None, "cut off");
    assert!(served.notice().contains("another connection came in its place"));
    let again = second.hear().expect("the same message");
    assert_eq!((&again[1..9], &again[42..]), (&hand_off[1..9], &hand_off[42..]));
    drop((second, first));
    served.end();
}

/// An old incarnation that was thought dead connects last. Its successor is served as before; it is refused.
#[test]
fn an_older_incarnation_that_comes_late_is_refused_and_does_not_silence_its_successor() {
    let served = serve(|_| ());
    let mut successor = served.incarnation(1, 2);
    assert_eq!(successor.published_as(&publish_of(1, 2, 0, 9), 0), 2);
    let mut zombie = served.incarnation(1, 1);
    assert_eq!(zombie.published_as(&publish_of(1, 1, 1, 9), 1), 0, "refused");
    assert_eq!(successor.published_as(&publish_of(1, 2, 1, 9), 1), 2);
    drop((zombie, successor));
    let directory = Arc::clone(&served.directory);
    served.end();
    assert_eq!(stored(&directory), 2);
}

#[test]
fn slow_and_vanishing_peers_are_cut_off_in_time() {
    let soon = Duration::from_millis(60);
    let check = |limits: Limits, bytes: &[u8], expected: &str| {
        let served = serve(|run| run.limits = limits);
        let mut peer = served.client();
        peer.send(bytes);
        while peer.hear().is_some() {}
        let notice = served.notice();
        assert!(notice.contains(expected), "{notice:?}, not {expected:?}");
        drop(peer);
        served.end();
    };
    let registered = [frame(&[7]), frame(&register(1))].concat();
    let half = [&registered[..], &frame(&publish(1, 0))[..20]].concat();
    let usual = Limits::default();
    check(Limits { hello: soon, ..usual }, &[], "did not say who it is in 60 ms");
    check(Limits { hello: soon, ..usual }, &frame(&[7]), "did not say who it is in 60 ms");
    check(Limits { silence: soon, ..usual }, &registered, "the peer sent nothing for 60 ms");
    check(Limits { frame: soon, ..usual }, &half, "did not finish a frame in 60 ms");
}

/// The settings as the tables spell them: those of [`Pipeline::default`].
const SETTINGS: &str = "\
producer.attempts = \"until-acked\"
producer.identity = \"sequence\"
producer.on-restart = \"outbox\"
producer.on-refusal = \"retry\"
producer.outbox = \"rows\"
producer.relay-commits = \"after-ack\"
producer.in-flight = 1
broker.acks = \"after-sync\"
broker.dedup = \"sequence\"
broker.dedup-window = 0
broker.dedup-on-restart = \"rebuilt\"
broker.answers-duplicates = \"ack\"
broker.forgotten-producers = \"accept\"
broker.fencing = true
broker.capacity = 0
broker.overflow = \"refuse\"
broker.hands-off = \"synced\"
broker.delivers = \"until-settled\"
broker.records-settles = \"after-sync\"
broker.leases = \"checked\"
broker.max-deliveries = 0
broker.dead-lettering = \"with-settle\"
broker.new-group = \"earliest\"
consumer.settles = \"after-effect\"
consumer.commits = \"each\"
consumer.remembers = \"with-effect\"
consumer.on-failure = \"release\"
consumer.on-duplicate = \"settle\"
consumer.batch = 1
consumer.prefetch = 0
consumer.workers = 1
";

#[test]
fn a_client_that_goes_by_other_settings_is_refused_by_their_name() {
    let served = serve(|_| ());
    let mut fits = served.client();
    fits.say(&[7]);
    fits.say(&settings(SETTINGS));
    fits.say(&register(1));
    assert_eq!(fits.hear(), Some(vec![1]), "registered");
    for (from, to, difference) in [
        ("dedup = \"sequence\"", "dedup = \"none\"", "broker.dedup is \"sequence\" at the broker and \"none\" at us"),
        ("consumer.workers = 1\n", "", "consumer.workers is 1 at the broker and no setting at us"),
    ] {
        let mut differs = served.client();
        differs.say(&[7]);
        differs.say(&settings(&SETTINGS.replace(from, to)));
        let unfit = [b"\x0a", difference.as_bytes()].concat();
        assert_eq!((differs.hear(), differs.hear()), (Some(unfit), None), "unfit");
        let notice = served.notice();
        assert!(notice.contains(&format!("the peer has other settings: {difference}")), "{notice}");
    }
    assert_eq!(fits.published(1, 0), 2, "and nobody else is harmed");
    drop(fits);
    served.end();
}

#[test]
fn only_who_knows_the_secret_is_let_in() {
    let secret = || Secret::new("a secret of the house");
    let served = serve(|run| run.secret = secret());
    for offered in [&b""[..], b"a secret of the mouse"] {
        let mut stranger = served.client();
        stranger.say(&[&[7], offered].concat());
        assert_eq!((stranger.hear(), stranger.hear()), (Some(vec![6]), None), "denied");
        assert!(served.notice().contains("does not know the secret"));
    }
    let mut friend = served.client();
    friend.say(b"\x07a secret of the house");
    friend.say(&register(1));
    assert_eq!(friend.hear(), Some(vec![1]), "registered");
    drop(friend);
    served.end();
}

#[test]
fn beyond_the_loopback_address_a_secret_is_a_must() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut run, _notices) = run_in(&directory);
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = broker::listen(&run, everywhere).map(drop).expect_err("refused");
    assert!(matches!(refused, DriverError::Open { address } if address == everywhere), "{refused}");
    run.secret = Secret::new("a secret of the house");
    let inbox = broker::listen(&run, everywhere).expect("with a secret it may");
    run.stop.store(true, Ordering::Release);
    assert_eq!(broker::serve(&run, inbox).expect("no failure"), Ended::Stopped);
}

#[test]
fn a_broker_that_is_asked_to_leave_confirms_what_it_took_and_delivers_it() {
    let served = serve(|_| ());
    let mut producer = served.producer(1);
    assert_eq!(producer.published(1, 0), 2);
    let mut consumer = served.consumer(1);
    let hand_off = consumer.hear().expect("a hand-off");
    served.stop.store(true, Ordering::Release);
    assert_eq!(producer.hear(), None, "producers are dismissed");
    drop(producer);
    let hand = &hand_off[1..17];
    consumer.say(&[&[4][..], hand, &[0], &hand[..8], &[1]].concat());
    assert_eq!(consumer.hear(), Some([&[4][..], hand, &[0]].concat()), "settled");
    assert_eq!(consumer.hear(), None, "nothing is left");
    drop(consumer);
    assert_eq!(served.end(), Ended::Drained);
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_serves_again_when_there_is_room() {
    let served = serve(|_| ());
    let mut producer = served.producer(1);
    let mut acked = 0;
    assert_eq!(producer.published(1, acked), 2);
    acked += 1;
    // Room for two records more, and a part of a third.
    let record = (8 + publish(1, 0).len() - 5) as u64;
    served.room.limit(3 * record + record / 2);
    for _ in 0..2 {
        assert_eq!(producer.published(1, acked), 2);
        acked += 1;
    }
    for _ in 0..3 {
        assert_eq!(producer.published(1, acked), 0, "refused");
    }
    assert_eq!(served.producer(1).published(1, acked), 0, "and so over another connection");
    served.room.limit(u64::MAX);
    let mut producer = served.producer(1);
    for _ in 0..4 {
        assert_eq!(producer.published(1, acked), 2);
        acked += 1;
    }
    drop(producer);
    let directory = Arc::clone(&served.directory);
    assert_eq!(served.end(), Ended::Stopped, "nobody consumes");
    assert_eq!(stored(&directory) as u64, acked);
    let again = serve_in(directory, |_| ());
    let mut consumer = again.consumer(100);
    for number in 0..acked {
        let hand_off = consumer.hear().expect("what was acked is handed off");
        assert_eq!(hand_off[1..9], number.to_le_bytes(), "in order");
    }
    drop(consumer);
    again.end();
}

#[test]
fn a_broker_whose_ledger_is_full_starts_and_serves_what_it_can() {
    let served = serve(|_| ());
    // The ledger gets an entry of each, so that it is longer than the log.
    let producers: Vec<Client> = (2..8).map(|producer| served.producer(producer)).collect();
    assert_eq!(served.producer(1).published(1, 0), 2);
    drop(producers);
    let directory = Arc::clone(&served.directory);
    served.end();
    let ledger = Stores::in_directory(directory.path()).ledger();
    let full = ledger.metadata().expect("a ledger").len();

    let again = serve_in(directory, |run| run.stores.room.limit(full));
    assert_eq!(again.producer(1).published(1, 1), 2, "the log has room");
    let mut consumer = again.consumer(2);
    assert_eq!(ledger.metadata().expect("a ledger").len(), full);
    again.room.limit(u64::MAX);
    for number in 0..2u64 {
        let hand_off = consumer.hear().expect("a hand-off, now that there is room");
        assert_eq!(hand_off[1..9], number.to_le_bytes());
        let hand = &hand_off[1..17];
        consumer.say(&[&[4][..], hand, &[0], &hand[..8], &[1]].concat());
    }
    assert_eq!([(); 2].map(|()| consumer.hear().expect("an answer")[17]), [0, 0], "both are settled");
    drop(consumer);
    again.end();
}
