//! Splitters: whatever the chunks are in which bytes come, the frames are the same, and together they are the bytes.

use delivery_audit::plan::Role::{self, Delivery, Publish, PublishAck, Settle, SettleAck};
use delivery_audit::proxy::frames::Splitter;
use delivery_audit::proxy::frames::Way::{self, ToClient, ToServer};
use delivery_audit::proxy::{NewFrames, amqp, delivery, mqtt, nats, postgres, resp};
use proptest::prelude::*;

/// A frame as it should be seen: its direction, its bytes, its name and its role.
type Seen = (Way, Vec<u8>, &'static str, Option<Role>);

/// What two parties say, as the frames that are to be seen.
struct Talk {
    frames: NewFrames,
    said: Vec<Seen>,
}

fn text(way: Way, bytes: &str, name: &'static str, role: Option<Role>) -> Seen {
    (way, bytes.as_bytes().to_vec(), name, role)
}

fn redis() -> Talk {
    let bulk = |words: &[&str]| {
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        words
    };
    let request = |words: &[&str]| format!("*{}\r\n{}", words.len(), bulk(words));
    let entry =
        format!("*1\r\n*2\r\n{}*1\r\n*2\r\n{}*2\r\n{}", bulk(&["orders"]), bulk(&["1-0"]), bulk(&["body", "a\r\nb"]));
    let none = format!("*1\r\n*2\r\n{}*0\r\n", bulk(&["orders"]));
    let map = format!("%1\r\n{}*1\r\n*2\r\n{}*0\r\n", bulk(&["orders"]), bulk(&["1-0"]));
    let read = request(&["XREADGROUP", "GROUP", "g", "c", "STREAMS", "orders", ">"]);
    let said = vec![
        text(ToServer, &request(&["client", "SETINFO"]), "CLIENT", None),
        // Two requests at once, then both replies.
        text(ToServer, &request(&["XADD", "orders", "*", "body", "a\r\nb"]), "XADD", Some(Publish)),
        text(ToClient, "+OK\r\n", "reply to CLIENT", None),
        text(ToClient, ">2\r\n+push\r\n+message\r\n", "push", None),
        text(ToClient, "$3\r\n1-0\r\n", "reply to XADD", Some(PublishAck)),
        text(ToServer, &read, "XREADGROUP", None),
        text(ToClient, "*-1\r\n", "reply to XREADGROUP", None),
        text(ToServer, &read, "XREADGROUP", None),
        text(ToClient, &none, "reply to XREADGROUP", None),
        text(ToServer, &read, "XREADGROUP", None),
        text(ToClient, &entry, "reply to XREADGROUP", Some(Delivery)),
        text(ToServer, &read, "XREADGROUP", None),
        text(ToClient, &map, "reply to XREADGROUP", Some(Delivery)),
        text(ToServer, &request(&["XACK", "orders", "g", "1-0"]), "XACK", Some(Settle)),
        text(ToClient, ":1\r\n", "reply to XACK", Some(SettleAck)),
        text(ToServer, &request(&["XADD", "orders"]), "XADD", Some(Publish)),
        text(ToClient, "-ERR wrong number of arguments\r\n", "reply to XADD", None),
    ];
    Talk { frames: || Box::<resp::Resp>::default(), said }
}

fn jetstream() -> Talk {
    let headers = "NATS/1.0\r\nNats-Msg-Id: message-1\r\n\r\n";
    let publish = format!("HPUB orders _INBOX.a.1 {} {}\r\n{headers}message 1\r\n", headers.len(), headers.len() + 9);
    let nobody = "NATS/1.0 503\r\n\r\n";
    let said = vec![
        text(ToClient, "INFO {\"headers\":true}\r\n", "INFO", None),
        text(ToServer, "CONNECT {}\r\n", "CONNECT", None),
        text(ToServer, "PING\r\n", "PING", None),
        text(ToClient, "PONG\r\n", "PONG", None),
        text(ToServer, "SUB _INBOX.a.* 1\r\n", "SUB", None),
        text(ToServer, &publish, "HPUB", Some(Publish)),
        text(ToClient, "MSG _INBOX.a.1 1 11\r\n{\"seq\":1}\r\n\r\n", "MSG", Some(PublishAck)),
        text(ToServer, "PUB $JS.API.CONSUMER.MSG.NEXT.orders.inventory _INBOX.a.2 2\r\n{}\r\n", "PUB", None),
        text(ToClient, "MSG orders 1 $JS.ACK.orders.inventory.1 9\r\nmessage 1\r\n", "MSG", Some(Delivery)),
        text(ToServer, "PUB $JS.ACK.orders.inventory.1 _INBOX.a.3 4\r\n+ACK\r\n", "PUB", Some(Settle)),
        text(ToClient, "MSG _INBOX.a.3 1 0\r\n\r\n", "MSG", Some(SettleAck)),
        text(ToServer, "PUB orders _INBOX.a.4 9\r\nmessage 2\r\n", "PUB", Some(Publish)),
        text(ToClient, &format!("HMSG _INBOX.a.4 1 16 16\r\n{nobody}\r\n"), "HMSG", None),
    ];
    Talk { frames: || Box::<nats::Nats>::default(), said }
}

fn queue_in_postgres() -> Talk {
    let message = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 4).expect("it fits").to_be_bytes();
        [&[kind][..], &length, body].concat()
    };
    let query = |sql: &str| message(b'Q', &[sql.as_bytes(), &[0]].concat());
    let sync = message(b'S', b"");
    let ready = |state: u8| message(b'Z', &[state]);
    let insert =
        [message(b'P', b"s0\0INSERT INTO orders (body) VALUES ($1)\0\0\0"), message(b'D', b"Ss0\0"), sync.clone()];
    let bind = [message(b'B', b"\0s0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0"), sync];
    let row = message(b'D', b"\0\x01\0\0\0\x011");
    let answer = |messages: &[&[u8]], state| [messages.concat(), ready(state)].concat();
    let said = vec![
        (ToServer, b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec(), "encryption", None),
        text(ToClient, "N", "encryption", None),
        (ToServer, b"\0\0\0\x13\0\x03\0\0user\0me\0\0\0\0".to_vec(), "startup", None),
        (ToClient, message(b'R', &[0; 4]), "message", None),
        (ToClient, ready(b'I'), "message", None),
        (ToServer, insert.concat(), "step", None),
        (ToClient, answer(&[&message(b'1', b"")], b'I'), "answer to step", None),
        (ToServer, bind.concat(), "INSERT", Some(Publish)),
        (ToClient, answer(&[&message(b'2', b""), &row], b'I'), "answer to INSERT", Some(PublishAck)),
        (ToServer, bind.concat(), "INSERT", Some(Publish)),
        (ToClient, answer(&[&message(b'E', b"Sno\0\0")], b'I'), "answer to INSERT", None),
        (ToServer, query("BEGIN"), "step", None),
        (ToClient, answer(&[], b'T'), "answer to step", None),
        (ToServer, query("SELECT 1 FROM orders FOR UPDATE SKIP LOCKED"), "SELECT FOR UPDATE", None),
        (ToClient, answer(&[&row], b'T'), "answer to SELECT FOR UPDATE", Some(Delivery)),
        (ToServer, query("UPDATE orders SET done = true"), "UPDATE", None),
        (ToClient, answer(&[], b'T'), "answer to UPDATE", None),
        (ToServer, query("COMMIT"), "COMMIT", Some(Settle)),
        (ToClient, answer(&[&message(b'C', b"COMMIT\0")], b'I'), "answer to COMMIT", Some(SettleAck)),
        (ToServer, message(b'X', b""), "step", None),
    ];
    Talk { frames: || Box::<postgres::Postgres>::default(), said }
}

fn mosquitto() -> Talk {
    let packet = |kind: u8, body: &[u8]| [&[kind, u8::try_from(body.len()).expect("it fits")][..], body].concat();
    // Its length takes two bytes.
    let long = [&[0x32, 0xc8, 0x01, 0, 1, b't', 0, 1][..], &[b'x'; 195]].concat();
    let said = vec![
        (ToServer, packet(0x10, b"\0\x04MQTT\x04\x02\0\0\0\x01a"), "CONNECT", None),
        (ToClient, packet(0x20, b"\0\0"), "CONNACK", None),
        (ToServer, long, "PUBLISH", Some(Publish)),
        (ToClient, packet(0x40, b"\0\x01"), "PUBACK", Some(PublishAck)),
        (ToServer, packet(0x34, b"\0\x01t\0\x02x"), "PUBLISH", Some(Publish)),
        (ToClient, packet(0x50, b"\0\x02"), "PUBREC", None),
        (ToServer, packet(0x62, b"\0\x02"), "PUBREL", None),
        (ToClient, packet(0x70, b"\0\x02"), "PUBCOMP", Some(PublishAck)),
        (ToServer, packet(0xc0, b""), "PINGREQ", None),
        (ToClient, packet(0xd0, b""), "PINGRESP", None),
        (ToClient, packet(0x32, b"\0\x01t\0\x03x"), "PUBLISH", Some(Delivery)),
        (ToServer, packet(0x40, b"\0\x03"), "PUBACK", Some(Settle)),
        (ToServer, packet(0xc0, b""), "PINGREQ", None),
        (ToClient, packet(0xd0, b""), "PINGRESP", Some(SettleAck)),
        (ToServer, packet(0x50, b"\0\x04"), "PUBREC", Some(Settle)),
        (ToClient, packet(0x62, b"\0\x04"), "PUBREL", Some(SettleAck)),
        (ToServer, packet(0x70, b"\0\x04"), "PUBCOMP", None),
    ];
    Talk { frames: || Box::<mqtt::Mqtt>::default(), said }
}

fn rabbitmq() -> Talk {
    let frame = |kind: u8, channel: u8, payload: &[u8]| {
        let size = u32::try_from(payload.len()).expect("it fits").to_be_bytes();
        [&[kind, 0, channel][..], &size, payload, &[0xce]].concat()
    };
    let method = |channel: u8, class: u8, number: u8, rest: &[u8]| {
        frame(1, channel, &[&[0, class, 0, number][..], rest].concat())
    };
    let content = |size: u8| frame(2, 1, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, size][..], &[0, 0]].concat());
    let body = |text: &str| frame(3, 1, text.as_bytes());
    let heartbeat = frame(8, 0, b"");
    let tag = [0, 0, 0, 0, 0, 0, 0, 1, 0];
    let said = vec![
        text(ToServer, "AMQP\0\0\x09\x01", "greeting", None),
        (ToClient, method(0, 10, 10, b"\0\x09"), "10.10", None),
        (ToClient, heartbeat.clone(), "heartbeat", None),
        (ToServer, [method(1, 60, 40, b"\0\0"), content(0)].concat(), "basic.publish", Some(Publish)),
        // The body comes in two frames, and another channel speaks in between.
        (
            ToServer,
            [method(1, 60, 40, b"\0\0"), content(9), body("mess"), heartbeat, body("age 1")].concat(),
            "basic.publish",
            Some(Publish),
        ),
        (ToClient, method(1, 60, 80, &tag), "basic.ack", Some(PublishAck)),
        (ToServer, method(1, 60, 70, b"\0\0"), "60.70", None),
        (ToClient, method(1, 60, 72, b"\0"), "basic.get-empty", None),
        (ToClient, [method(1, 60, 71, &tag), content(1), body("x")].concat(), "basic.get-ok", Some(Delivery)),
        (ToServer, method(1, 60, 80, &tag), "basic.ack", Some(Settle)),
        (ToClient, method(2, 60, 72, b"\0"), "basic.get-empty", None),
        (ToClient, method(1, 60, 72, b"\0"), "basic.get-empty", Some(SettleAck)),
        (ToClient, [method(1, 60, 60, &tag), content(1), body("x")].concat(), "basic.deliver", Some(Delivery)),
    ];
    Talk { frames: || Box::<amqp::Amqp>::default(), said }
}

fn ours() -> Talk {
    let frame = |body: &[u8]| {
        let length = u32::try_from(body.len()).expect("it fits").to_le_bytes();
        [b"PoD\x01", &length[..], &[0; 8], body].concat()
    };
    let reply = |verdict: u8| frame(&[&[2][..], &[0; 12], &[verdict]].concat());
    let settled = |outcome: u8| frame(&[&[4][..], &[0; 16], &[outcome]].concat());
    let said = vec![
        (ToServer, frame(&[7]), "hello", None),
        (ToServer, frame(&[1; 9]), "register", None),
        (ToClient, frame(&[1]), "registered", None),
        (ToServer, frame(&[2; 40]), "publish", Some(Publish)),
        (ToClient, reply(0), "reply", None),
        (ToClient, reply(2), "reply", Some(PublishAck)),
        (ToServer, frame(&[]), "heartbeat", None),
        (ToServer, frame(&[3; 10]), "subscribe", None),
        (ToClient, frame(&[3; 60]), "hand off", Some(Delivery)),
        (ToServer, frame(&[4; 27]), "settle", Some(Settle)),
        (ToClient, settled(1), "settled", None),
        (ToClient, settled(0), "settled", Some(SettleAck)),
        (ToServer, frame(&[8]), "leave", None),
        (ToClient, frame(&[7]), "left", None),
    ];
    Talk { frames: || Box::<delivery::Delivery>::default(), said }
}

fn talks() -> [Talk; 6] {
    [redis(), jetstream(), queue_in_postgres(), mosquitto(), rabbitmq(), ours()]
}

/// Puts everything in pieces of these sizes, in turn, and compares the frames.
fn check(talk: &Talk, sizes: &[usize]) {
    let mut splitter = Splitter::new((talk.frames)());
    let mut sizes = sizes.iter().copied().cycle();
    for (way, bytes, name, role) in &talk.said {
        let mut seen = Vec::new();
        let mut left = &bytes[..];
        while !left.is_empty() {
            let (piece, rest) = left.split_at(sizes.next().expect("sizes go on").min(left.len()));
            splitter.put(*way, piece);
            left = rest;
            while let Some(frame) = splitter.next(*way) {
                seen.push((frame.bytes, frame.named.name.into_owned(), frame.named.role));
            }
        }
        assert_eq!(seen, [(bytes.clone(), (*name).to_owned(), *role)], "{way:?} {name}");
    }
}

/// Puts all that goes one way until the other side speaks at once, so that several frames come together.
#[test]
fn frames_that_come_together_are_told_apart() {
    for talk in talks() {
        let mut splitter = Splitter::new((talk.frames)());
        for together in talk.said.chunk_by(|one, other| one.0 == other.0) {
            let way = together[0].0;
            splitter.put(way, &together.iter().flat_map(|it| it.1.clone()).collect::<Vec<u8>>());
            for (_, bytes, name, role) in together {
                let frame = splitter.next(way).expect("it is here");
                assert_eq!((&frame.bytes, &*frame.named.name, frame.named.role), (bytes, *name, *role));
            }
            assert_eq!(splitter.next(way), None);
        }
    }
}

#[test]
fn the_reply_to_a_copy_is_swallowed_and_the_next_reply_is_matched() {
    for (talk, publish, ack) in [(redis(), 1, 4), (queue_in_postgres(), 7, 8)] {
        let mut splitter = Splitter::new((talk.frames)());
        for (way, bytes, ..) in &talk.said[..=publish] {
            splitter.put(*way, bytes);
            assert!(splitter.next(*way).is_some());
        }
        splitter.passed(ToServer, 2);
        for (way, bytes, ..) in &talk.said[publish + 1..ack] {
            splitter.put(*way, bytes);
            assert!(splitter.next(*way).is_some());
        }
        let answer = &talk.said[ack].1;
        splitter.put(ToClient, &answer.repeat(2));
        let [first, second] = [(); 2].map(|()| splitter.next(ToClient).expect("it is here").named);
        assert_eq!((first.role, first.swallowed), (Some(PublishAck), false));
        assert_eq!((second.role, second.swallowed), (None, true));
    }
}

#[test]
fn bytes_of_another_protocol_are_passed_on_as_they_are() {
    for talk in talks() {
        let mut splitter = Splitter::new((talk.frames)());
        let foreign = [0xff; 64];
        splitter.put(ToServer, &foreign);
        let first = splitter.next(ToServer).map_or_else(|| splitter.rest(ToServer), |frame| frame.bytes);
        assert_eq!(first, foreign);
    }
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_frames(sizes in proptest::collection::vec(1..40_usize, 1..20)) {
        for talk in talks() {
            check(&talk, &sizes);
        }
    }

    #[test]
    fn no_byte_is_lost_whatever_comes(bytes in proptest::collection::vec(any::<u8>(), 0..300), protocol in 0..6_usize) {
        let mut splitter = Splitter::new((talks()[protocol].frames)());
        let mut seen = Vec::new();
        for piece in bytes.chunks(7) {
            splitter.put(ToServer, piece);
            while let Some(frame) = splitter.next(ToServer) {
                seen.extend(frame.bytes);
            }
        }
        seen.extend(splitter.rest(ToServer));
        prop_assert_eq!(seen, bytes);
    }
}
