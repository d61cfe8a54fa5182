//! The judge of histories that are not in memory: read twice, on one thread or two, in shares whose judgements are joined,
//! and with a horizon. Each way gives the same judgement.

use std::io::{self, Write};

use delivery_model::history::{History, ReadOptions};
use delivery_model::pipeline::Level;
use delivery_model::semantics::{
    Doubt, Judgement, PartialError, PropertyId, Question, Threads, Verdict, judge, judge_parts, judge_share,
    judge_streamed,
};
use delivery_model::story::RecordedStory;
use proptest::prelude::*;

use super::strategies;

const SHARES: usize = 3;

fn read(text: &[u8]) -> History {
    History::read(text, ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn streamed(text: &[u8], question: Question, threads: Threads) -> (History, Judgement) {
    judge_streamed(|| Ok(text), ReadOptions::default(), question, threads).unwrap_or_else(|error| panic!("{error}"))
}

/// The partial judgements of all shares.
fn parts(text: &[u8], question: Question) -> Vec<Vec<u8>> {
    let part = |index: usize| {
        let share = Some(format!("{index}/{SHARES}").parse().expect("it is a share"));
        let mut out = Vec::new();
        let judged =
            judge_share("orders", || Ok(text), ReadOptions { share, ..ReadOptions::default() }, question, &mut out);
        judged.unwrap_or_else(|error| panic!("{error}"));
        out
    };
    (1..=SHARES).map(part).collect()
}

fn joined(parts: &[Vec<u8>]) -> Result<(History, Judgement), PartialError> {
    let (name, history, judgement, _) = judge_parts(|| Ok(parts.iter().map(|part| part.as_slice()).collect()))?;
    assert_eq!(name, "orders");
    Ok((history, judgement))
}

/// The stories of what was told, with names, so that histories with other ids can be compared.
fn stories(history: &History, judgement: &Judgement) -> Vec<String> {
    let stories = RecordedStory::of(history, &judgement.violations, judgement.rules.level);
    let told = judgement.violations.iter().zip(stories);
    let contradictions =
        judgement.contradictions.iter().map(|it| format!("{} {:?}", it.told(&history.names), it.lines));
    let late = judgement.late.iter().map(|it| format!("{} {}", history.names.message(it.message), it.line));
    let groups = judgement.groups.iter().map(|&group| history.names.group(group).to_owned());
    told.map(|(violation, story)| format!("{} {:?} {story:?}", violation.told(&history.names), violation.lines))
        .chain(contradictions)
        .chain(late)
        .chain(groups)
        .collect()
}

/// What is the same in every way of judging, whatever the ids.
fn told(history: &History, judgement: &Judgement) -> String {
    let Judgement { findings, verdicts, contradicted, counts, events, last, lates, .. } = judgement;
    format!(
        "{findings:?} {verdicts:?} {contradicted} {counts:?} {events} {last:?} {lates}\n{}",
        stories(history, judgement).join("\n")
    )
}

fn check(text: &[u8], question: Question) -> Result<(), TestCaseError> {
    let history = read(text);
    let judgement = judge(&history, question);
    let expected = told(&history, &judgement);
    for threads in [Threads::One, Threads::Two] {
        let (excerpt, judged) = streamed(text, question, threads);
        prop_assert_eq!(&told(&excerpt, &judged), &expected, "{:?}", threads);
        prop_assert_eq!(&judged.violations, &judgement.violations, "the same ids, too");
    }
    if question.horizon.is_some() {
        return Ok(());
    }
    let (excerpt, judged) = joined(&parts(text, question)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(told(&excerpt, &judged), expected, "in shares");
    Ok(())
}

fn written(history: &History) -> Vec<u8> {
    let mut text = Vec::new();
    history.write(&mut text).expect("it is in memory");
    text
}

proptest! {
    #[test]
    fn every_way_of_judging_gives_the_same_judgement(history in strategies::history(), horizon in prop::option::of(1..1_000_u64)) {
        check(&written(&history), Question { horizon, ..Question::default() })?;
    }

    #[test]
    fn faulty_histories_of_few_messages_too(
        lines in prop::collection::vec((0..8_u32, 1..7_u32, 0..3_u32, 0..3_u32), 0..120),
        texts in any::<bool>(),
        header in 0..4_usize,
        quiescent in any::<bool>(),
        horizon in prop::option::of(5..60_u64),
    ) {
        check(&faulty(&lines, texts, header, quiescent), Question { horizon, ..Question::default() })?;
    }
}

/// A history of these events, which may repeat, be out of order, and contradict each other.
fn faulty(lines: &[(u32, u32, u32, u32)], texts: bool, header: usize, quiescent: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let header =
        ["", r#","level":"delivery""#, r#","obligation":"submitted""#, r#","groups":{"g1":{"topics":["a"]}}"#][header];
    writeln!(out, r#"{{"format":"delivery-history","version":1{header}}}"#).unwrap();
    let mut at = 0;
    let mut line = |rest: String| {
        at += 1;
        writeln!(out, r#"{{"at":{at},{rest}}}"#).unwrap();
    };
    for &(kind, message, group, other) in lines {
        let message = if texts { format!("\"m{message}\"") } else { message.to_string() };
        let place = format!(r#""partition":{},"position":{}"#, other % 2, group + other);
        line(match kind {
            0 => {
                format!(r#""process":"p{other}","event":"submit","message":{message},"topic":"a","payload":"{group}""#)
            }
            1 => format!(r#""process":"p","event":"attempt","message":{message},"attributes":{{"k":{other}}}"#),
            2 => format!(
                r#""process":"p","event":"outcome","message":{message},"outcome":"{}""#,
                ["acked", "refused", "unknown"][other as usize]
            ),
            3 => format!(r#""process":"p","event":"outcome","message":{message},"outcome":"acked",{place}"#),
            4 => format!(
                r#""process":"c{group}","event":"deliver","message":{message},"group":"g{group}",{place},"delivery":{},"payload":"{other}""#,
                other + 1
            ),
            5 => format!(r#""process":"c{group}","event":"effect","message":{message},"group":"g{group}""#),
            6 => format!(
                r#""process":"c{group}","event":"settle","message":{message},"group":"g{group}",{place},"outcome":"ok""#
            ),
            _ => match other {
                0 => r#""process":"faults","event":"fault","fault":"broker-crash""#.to_owned(),
                1 => format!(r#""process":"c","event":"rewind","group":"g{group}","position":1"#),
                _ => format!(r#""process":"b","event":"dead-letter","message":{message},"group":"g{group}""#),
            },
        });
    }
    if quiescent {
        line(r#""process":"faults","event":"quiescent""#.to_owned());
    }
    out
}

/// A large history with a loss, a repeat and two messages at one position among many that go the usual way.
fn large(messages: u32) -> Vec<u8> {
    let mut out = Vec::new();
    writeln!(out, r#"{{"format":"delivery-history","version":1}}"#).unwrap();
    for number in 1..=messages {
        let at = number * 10;
        let position = if number == 777 { 5 } else { number };
        writeln!(out, r#"{{"at":{at},"process":"p","event":"submit","message":"m-{number}"}}"#).unwrap();
        writeln!(out, r#"{{"at":{at},"process":"p","event":"outcome","message":"m-{number}","outcome":"acked","position":{position}}}"#).unwrap();
        for _ in 0..if number % 500 == 3 { 2 } else { 1 } {
            writeln!(out, r#"{{"at":{at},"process":"c","event":"deliver","message":"m-{number}","group":"g","position":{position}}}"#).unwrap();
            if number % 400 != 7 {
                writeln!(out, r#"{{"at":{at},"process":"c","event":"effect","message":"m-{number}","group":"g"}}"#)
                    .unwrap();
            }
        }
    }
    writeln!(out, r#"{{"at":{},"process":"faults","event":"quiescent"}}"#, messages * 10).unwrap();
    out
}

#[test]
fn only_what_is_told_is_kept_of_a_large_history() {
    let text = large(3_000);
    check(&text, Question::default()).unwrap();
    let (excerpt, judgement) = streamed(&text, Question::default(), Threads::Two);
    assert_eq!(judgement.finding(PropertyId::NoDuplicateEffect).unwrap().breaches, 6);
    assert_eq!(judgement.finding(PropertyId::AckedNotLost).unwrap().breaches, 8);
    assert_eq!(judgement.contradicted, 1, "two messages at position 5");
    assert!(excerpt.events.len() < 100, "{} events", excerpt.events.len());
    let all: usize = parts(&text, Question::default()).iter().map(Vec::len).sum();
    assert!(all < text.len() / 2, "{all} bytes in parts of {}", text.len());
}

#[test]
fn a_share_that_is_missing_or_twice_is_noticed() {
    let parts = parts(&large(100), Question::default());
    for wrong in [&parts[..2], &[parts[0].clone(), parts[1].clone(), parts[1].clone()]] {
        let error = joined(wrong).expect_err("it is not whole").to_string();
        assert!(error.contains("a share is missing or twice"), "{error}");
    }
    let question = Question { level: Some(Level::Delivery), ..Question::default() };
    let other = self::parts(&large(100), question);
    let error = joined(&[parts[0].clone(), other[1].clone(), parts[2].clone()]).expect_err("they differ").to_string();
    assert_eq!(error, "part 2: found a question other than in part 1; expected shares of one history, judged alike");
    let question = Question { horizon: Some(5), ..Question::default() };
    let error = judge_share("orders", || Ok(b"".as_slice()), ReadOptions::default(), question, io::sink()).unwrap_err();
    assert_eq!(error.to_string(), "a horizon is for a whole history, not for a share");
    let error = joined(&[large(1)]).expect_err("it is a history").to_string();
    assert!(error.starts_with("part 1: found another text"), "{error}");
}

#[test]
fn after_the_horizon_a_message_is_lost_and_what_comes_is_late() {
    let text = br#"{"format":"delivery-history","version":1}
{"at":0,"process":"p","event":"submit","message":"slow"}
{"at":1,"process":"p","event":"outcome","message":"slow","outcome":"acked"}
{"at":2,"process":"p","event":"submit","message":"quick"}
{"at":3,"process":"p","event":"outcome","message":"quick","outcome":"acked"}
{"at":4,"process":"c","event":"deliver","message":"quick","group":"g"}
{"at":5,"process":"c","event":"effect","message":"quick","group":"g"}
{"at":101,"process":"c","event":"deliver","message":"slow","group":"g"}
{"at":102,"process":"c","event":"effect","message":"slow","group":"g"}
{"at":103,"process":"faults","event":"quiescent"}
"#;
    let within = |horizon| streamed(text, Question { horizon: Some(horizon), ..Question::default() }, Threads::One);
    let (_, judgement) = within(101);
    assert_eq!(judgement.finding(PropertyId::AckedNotLost).unwrap().verdict, Verdict::Violated, "its effect came late");
    let (_, judgement) = within(102);
    assert_eq!(judgement.finding(PropertyId::AckedNotLost).unwrap().verdict, Verdict::Holds);
    let (history, judgement) = within(100);
    let lost: Vec<String> = judgement.violations.iter().map(|it| it.told(&history.names)).collect();
    assert_eq!(lost, ["acked-not-lost: message slow was acked and is lost"]);
    let late: Vec<u32> = judgement.late.iter().map(|it| it.line).collect();
    assert_eq!((late, judgement.lates), (vec![8, 9], 2));
    let unknown = Verdict::Unknown(Doubt::PastHorizon);
    assert_eq!(judgement.finding(PropertyId::NoDuplicateEffect).unwrap().verdict, unknown);
}

#[test]
fn a_stream_with_a_horizon_is_judged_in_constant_memory() {
    // Each message is forgotten soon; 20,000 of them are swept several times.
    let text = large(20_000);
    check(&text, Question { horizon: Some(1_000), ..Question::default() }).unwrap();
}

#[test]
fn lines_with_their_numbers_are_a_part_of_a_history() {
    let numbered = b"1\t{\"format\":\"delivery-history\",\"version\":1}\n7\t{\"at\":1,\"process\":\"p\",\"event\":\"submit\",\"message\":1}\n";
    let options = ReadOptions { numbered: true, ..ReadOptions::default() };
    let history = History::read(numbered.as_slice(), options).unwrap();
    assert_eq!(history.events[0].line, 7);
    let falls = b"1\t{\"format\":\"delivery-history\",\"version\":1}\n1\t{\"at\":1,\"process\":\"p\",\"event\":\"submit\",\"message\":1}\n";
    let error = History::read(falls.as_slice(), options).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 2: found a line without its number; expected a number above 1, and a tab before the line's text"
    );
}

#[test]
fn a_history_that_cannot_be_opened_again_is_an_error() {
    let text = large(10);
    let mut first = true;
    let open = || if std::mem::take(&mut first) { Ok(text.as_slice()) } else { Err(io::Error::other("it is gone")) };
    let error = judge_streamed(open, ReadOptions::default(), Question::default(), Threads::One).unwrap_err();
    assert_eq!(error.to_string(), "line 1: cannot be read");
}
