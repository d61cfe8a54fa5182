//! Histories of other systems: messages named by texts, dates and times, topics, incomplete records, transactions.

use delivery_model::history::{At, EventWord, History, MessageName, ReadOptions};
use delivery_model::pipeline::{Level, Semantics};
use delivery_model::semantics::{Doubt, Judgement, PropertyId, Question, Verdict, judge};
use delivery_model::story::{Ink, RecordedStory};
use expect_test::expect;

fn read(header: &str, lines: &str) -> History {
    let header = format!(r#"{{"format":"delivery-history","version":1{header}}}"#);
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let text: String = [header.as_str()].into_iter().chain(lines).map(|line| format!("{line}\n")).collect();
    History::read(text.as_bytes(), ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn judged(header: &str, lines: &str, level: Level) -> Judgement {
    judge(&read(header, lines), Question { level: Some(level), ..Question::default() })
}

fn verdict(judgement: &Judgement, property: PropertyId) -> Verdict {
    judgement.finding(property).expect("it is judged").verdict
}

#[test]
fn a_message_is_named_by_a_number_or_a_text() {
    let history = read(
        "",
        r#"
        {"at":1,"process":"p","event":"submit","message":"7"}
        {"at":2,"process":"p","event":"submit","message":7}
        {"at":3,"process":"p","event":"submit","message":"9f1c"}
        {"at":4,"process":"p","event":"submit","message":"7"}
        "#,
    );
    let ids: Vec<_> = history.events.iter().map(|it| it.event.kind.message().unwrap()).collect();
    assert_eq!(ids[0], ids[3]);
    assert_ne!(ids[0], ids[1]);
    let names: Vec<MessageName<'_>> = ids.iter().map(|&id| history.names.message(id)).collect();
    let expected = [MessageName::Text("7"), MessageName::Number(7), MessageName::Text("9f1c"), MessageName::Text("7")];
    assert_eq!(names, expected);
}

#[test]
fn times_are_dates_of_any_offset_and_shown_in_utc() {
    let history = read(
        "",
        r#"
        {"at":"2026-11-27T10:00:00+02:00","process":"p","event":"submit","message":1}
        {"at":"2026-11-27T08:00:00.000000001Z","process":"p","event":"submit","message":2}
        "#,
    );
    assert_eq!(history.events[0].at.to_string(), "2026-11-27T08:00:00Z");
    assert_eq!(history.events[1].at.since(history.events[0].at), Some(1));
    assert!(history.events[0].at < history.events[1].at);
    assert_eq!(At::instant("yesterday"), None);
}

#[test]
fn a_group_owes_the_topics_that_it_subscribes_to() {
    let lines = r#"
        {"at":1,"process":"p","event":"submit","message":"a","topic":"orders"}
        {"at":2,"process":"p","event":"submit","message":"b","topic":"bills"}
        {"at":3,"process":"p","event":"outcome","message":"a","outcome":"acked","topic":"orders","position":0}
        {"at":4,"process":"p","event":"outcome","message":"b","outcome":"acked","topic":"bills","position":0}
        {"at":5,"process":"c","event":"deliver","message":"a","group":"inventory"}
        {"at":6,"process":"f","event":"quiescent"}
    "#;
    let owes_orders = r#","groups":{"inventory":{"topics":["orders"]}}"#;
    let kept = judged(owes_orders, lines, Level::Delivery);
    assert_eq!(verdict(&kept, PropertyId::AckedNotLost), Verdict::Holds);
    for header in
        ["", r#","groups":{"inventory":{"topics":["bills"]}}"#, r#","groups":{"ledger":{"topics":["bills"]}}"#]
    {
        let lost = judged(header, lines, Level::Delivery);
        assert_eq!(verdict(&lost, PropertyId::AckedNotLost), Verdict::Violated, "{header}");
    }
    let untold = lines.replace(r#""topic":"bills","#, "").replace(r#","topic":"bills""#, "");
    let unknown = judged(owes_orders, &untold, Level::Delivery);
    assert_eq!(verdict(&unknown, PropertyId::AckedNotLost), Verdict::Unknown(Doubt::UnknownTopic));
}

#[test]
fn what_is_not_on_record_completely_makes_what_leans_on_it_unknown() {
    let lines = r#"
        {"at":1,"process":"p","event":"submit","message":1}
        {"at":2,"process":"p","event":"outcome","message":1,"outcome":"acked"}
        {"at":3,"process":"c","event":"deliver","message":2}
        {"at":4,"process":"c","event":"deliver","message":2}
        {"at":5,"process":"f","event":"quiescent"}
    "#;
    let whole = judged("", lines, Level::Delivery);
    let broken = [PropertyId::Integrity, PropertyId::AckedNotLost, PropertyId::NoDuplicateDelivery];
    for property in broken {
        assert_eq!(verdict(&whole, property), Verdict::Violated, "{property}");
    }
    let sampled = judged(r#","complete":["outcome"]"#, lines, Level::Delivery);
    let unknown = |word| Verdict::Unknown(Doubt::NotOnRecord(word));
    assert_eq!(verdict(&sampled, PropertyId::Integrity), unknown(EventWord::Submit));
    assert_eq!(verdict(&sampled, PropertyId::AckedNotLost), unknown(EventWord::Deliver));
    // What was seen twice came twice, whatever else is missing.
    assert_eq!(verdict(&sampled, PropertyId::NoDuplicateDelivery), Verdict::Violated);
    let once =
        judged(r#","complete":["submit"]"#, &lines.replacen("\"message\":2", "\"message\":1", 1), Level::Delivery);
    assert_eq!(verdict(&once, PropertyId::NoDuplicateDelivery), unknown(EventWord::Deliver));
}

/// A consumer that reads 1 and writes 2 in a transaction, which ends with this event.
fn in_a_transaction(end: &str, again: &str) -> Judgement {
    let lines = format!(
        r#"
        {{"at":1,"process":"p","event":"submit","message":1}}
        {{"at":2,"process":"p","event":"outcome","message":1,"outcome":"acked"}}
        {{"at":3,"process":"c","event":"deliver","message":1}}
        {{"at":4,"process":"c","event":"submit","message":2}}
        {{"at":5,"process":"c","event":"attempt","message":2,"transaction":"t"}}
        {{"at":6,"process":"c","event":"outcome","message":2,"outcome":"acked"}}
        {{"at":7,"process":"c","event":"settle","message":1,"outcome":"ok","transaction":"t"}}
        {end}
        {again}
        {{"at":99,"process":"f","event":"quiescent"}}
        "#
    );
    judged("", &lines, Level::Delivery)
}

#[test]
fn what_was_aborted_counts_for_nothing() {
    let end = |word: &str| format!(r#"{{"at":8,"process":"c","event":"{word}","transaction":"t"}}"#);
    let delivered = |message: u64| format!(r#"{{"at":9,"process":"d","event":"deliver","message":{message}}}"#);

    let committed = in_a_transaction(&end("commit"), &delivered(2));
    assert_eq!(committed.verdicts.of(Semantics::ExactlyOnce), Verdict::Holds);
    let lost = in_a_transaction(&end("commit"), "");
    assert_eq!(verdict(&lost, PropertyId::AckedNotLost), Verdict::Violated);
    let repeated = in_a_transaction(&end("commit"), &(delivered(2) + "\n" + &delivered(1)));
    assert_eq!(verdict(&repeated, PropertyId::NoDuplicateDelivery), Verdict::Violated);

    // The read was aborted, and comes again; the write is owed to nobody.
    let aborted = in_a_transaction(&end("abort"), &delivered(1));
    assert_eq!(aborted.verdicts.of(Semantics::ExactlyOnce), Verdict::Holds);
    let not_again = in_a_transaction(&end("abort"), "");
    assert_eq!(verdict(&not_again, PropertyId::AckedNotLost), Verdict::Violated);
    let dirty = in_a_transaction(&end("abort"), &(delivered(1) + "\n" + &delivered(2)));
    assert_eq!(verdict(&dirty, PropertyId::RefusedNotDelivered), Verdict::Violated);

    // Nobody knows whether the write counts.
    let open = in_a_transaction("", "");
    assert_ne!(verdict(&open, PropertyId::AckedNotLost), Verdict::Violated);
}

#[test]
fn a_commit_acks_the_attempts_of_which_nothing_else_is_told() {
    let lines = r#"
        {"at":1,"process":"p","event":"submit","message":1}
        {"at":2,"process":"p","event":"attempt","message":1,"transaction":"t"}
        {"at":3,"process":"p","event":"commit","transaction":"t"}
        {"at":4,"process":"p","event":"submit","message":2}
        {"at":5,"process":"p","event":"attempt","message":2,"transaction":"t"}
        {"at":6,"process":"p","event":"abort","transaction":"t"}
        {"at":7,"process":"c","event":"deliver","message":3}
        {"at":8,"process":"f","event":"quiescent"}
    "#;
    let judgement = judged("", lines, Level::Delivery);
    assert_eq!((judgement.counts.acked, judgement.counts.refused), (1, 1));
    assert_eq!(judgement.lost(), 1);
}

#[test]
fn attributes_are_kept_and_change_no_verdict() {
    let line = r#"{"at":1,"process":"p","event":"submit","message":1,"attributes":{"trace":"4bf9", "n":1.50}}"#;
    let history = read("", line);
    let kept = history.extra(2).and_then(|extra| extra.attributes.as_ref()).expect("it was kept");
    assert_eq!(kept.get(), r#"{"trace":"4bf9", "n":1.50}"#);
    let mut written = Vec::new();
    history.write(&mut written).expect("memory is writable");
    assert!(String::from_utf8(written).unwrap().ends_with(&format!("{line}\n")));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place_and_what_is_allowed() {
    let refused = |header: &str, line: &str| {
        let text = format!("{{\"format\":\"delivery-history\",\"version\":1{header}}}\n{line}\n");
        History::read(text.as_bytes(), ReadOptions::default()).expect_err("it is refused").to_string()
    };
    let cases = [
        ("", r#"{"at":1,"process":"p","event":"submit","message":1,"host":"a"}"#, "line 2: found unknown key \"host\""),
        ("", r#"{"at":1,"process":"p","event":"submit","message":1,"host":"a"}"#, "stands in `attributes`, an object"),
        ("", r#"{"at":1,"process":"p","event":"submit","message":""}"#, "line 2: found `message` \"\""),
        ("", r#"{"at":1,"process":"p","event":"submit","message":1.5}"#, "line 2: found `message` 1.5"),
        ("", r#"{"at":"today","process":"p","event":"submit","message":1}"#, "line 2: found `at` \"today\""),
        ("", r#"{"at":1,"process":"p","event":"submit","message":1,"attributes":[]}"#, "line 2: found `attributes`"),
        ("", r#"{"at":1,"process":"p","event":"commit"}"#, "\"commit\" without `transaction`"),
        (r#","complete":["sent"]"#, "", "complete[0]"),
        (r#","groups":{"g":["orders"]}"#, "", "groups.g"),
    ];
    for (header, line, expected) in cases {
        let found = refused(header, line);
        assert!(found.contains(expected), "{found}, expected {expected}");
    }
    let both = "{\"at\":1,\"process\":\"p\",\"event\":\"quiescent\"}\n\
                {\"at\":\"2026-11-27T10:00:00Z\",\"process\":\"p\",\"event\":\"quiescent\"}";
    assert!(
        refused("", both).contains("line 3: found `at` 2026-11-27T10:00:00Z; expected a time of the same kind as 1")
    );
}

#[test]
fn the_story_of_a_message_marks_what_broke_and_ends_with_what_never_came() {
    let history = read(
        r#","level":"effect""#,
        r#"
        {"at":"2026-11-27T10:00:00Z","process":"shop","event":"submit","message":"a"}
        {"at":"2026-11-27T10:00:00.010Z","process":"shop","event":"outcome","message":"a","outcome":"acked","position":4}
        {"at":"2026-11-27T10:00:00.020Z","process":"stock","event":"deliver","message":"a","attributes":{"pod":7}}
        {"at":"2026-11-27T10:00:00.030Z","process":"stock","event":"effect","message":"a"}
        {"at":"2026-11-27T10:00:00.040Z","process":"net","event":"fault","fault":"settle-lost"}
        {"at":"2026-11-27T10:00:00.050Z","process":"stock","event":"effect","message":"a"}
        {"at":"2026-11-27T10:00:01Z","process":"shop","event":"submit","message":"b"}
        {"at":"2026-11-27T10:00:01.500Z","process":"shop","event":"outcome","message":"b","outcome":"acked"}
        {"at":"2026-11-27T10:00:04.500Z","process":"shop","event":"quiescent"}
        "#,
    );
    let judgement = judge(&history, Question::default());
    let stories = RecordedStory::of(&history, &judgement.violations, judgement.rules.level);
    let told = stories.iter().map(|story| format!("{}\n{}", story.title, story.text(Ink::Plain, 60)));
    let told: Vec<String> = told.collect();
    expect![[r#"
        message a had its effect again
        line     at  shop       stock      net
           2  +0 ns  ● submit a │          │
           3 +10 ms  ● acked a at position 4
           4 +20 ms  │          ● receive a│
                     │            {"pod":7}│
           5 +30 ms  │          ● effect of a
           6 +40 ms  │          │          ✗ settle-lost
           7 +50 ms  │          ✗ effect of a ◀ 2nd effect

        message b was acked and is lost
        line      at  shop
           8   +0 ns  ● submit b
           9 +500 ms  ● acked b
        ✗ message b is never delivered; 1 more event of the history
          follows in 3 s
    "#]]
    .assert_eq(&told.join("\n"));
    for width in [40, 80, 200] {
        for story in &stories {
            let text = story.text(Ink::Plain, width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        }
    }
}

/// A record of a log has a transaction for nearly every read, and a story is about one message.
#[test]
fn a_story_shows_the_ends_of_its_own_transactions_only() {
    let history = read(
        r#","level":"delivery""#,
        r#"
        {"at":1,"process":"shop","event":"submit","message":"a"}
        {"at":2,"process":"shop","event":"outcome","message":"a","outcome":"acked"}
        {"at":3,"process":"stock","event":"deliver","message":"a"}
        {"at":3,"process":"stock","event":"settle","message":"a","outcome":"ok","transaction":"mine"}
        {"at":4,"process":"other","event":"commit","transaction":"another"}
        {"at":5,"process":"stock","event":"abort","transaction":"mine"}
        {"at":6,"process":"shop","event":"quiescent"}
        "#,
    );
    let judgement = judge(&history, Question::default());
    let stories = RecordedStory::of(&history, &judgement.violations, judgement.rules.level);
    let [story] = &stories[..] else { panic!("a loss: {stories:?}") };
    assert_eq!(story.title, "message a was acked and is lost");
    assert_eq!(story.lanes, ["shop", "stock"]);
    let text = story.text(Ink::Plain, 60);
    assert!(text.contains("abort mine") && !text.contains("another"), "{text}");
}
