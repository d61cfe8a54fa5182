//! The judge: doubts, groups, rules from header and question, counts and witnesses; and every sample with the verdicts
//! that were worked out for it by hand.

mod semantics_notation;

use std::{collections::BTreeMap, fs, path::Path};

use delivery_model::{
    history::{Header, History, PipelineOf, ReadOptions},
    pipeline::{Broker, Level, Obligation, Pipeline, Semantics},
    semantics::{
        Breach, Counts, Doubt, LINES_TOLD, PropertyId, Question, SettleRule, VIOLATIONS_TOLD, Verdict, Verdicts, judge,
    },
    vocab::{GroupId, MessageId},
    words::Word,
};
use semantics_notation::history;
use serde::Deserialize;

const DELIVERY: Question =
    Question { level: Some(Level::Delivery), obligation: None, expect: None, horizon: None, endless: false };
const EFFECT: Question =
    Question { level: Some(Level::Effect), obligation: None, expect: None, horizon: None, endless: false };

/// What must come out for a sample.
#[derive(Deserialize)]
struct Expected {
    flags: Vec<String>,
    violated: Vec<PropertyId>,
    verdicts: BTreeMap<Semantics, String>,
}

fn question(flags: &[String]) -> Question {
    let mut question = Question::default();
    for pair in flags.chunks(2) {
        match pair[0].as_str() {
            "--level" => question.level = Level::from_word(&pair[1]),
            "--obligation" => question.obligation = Obligation::from_word(&pair[1]),
            "--expect" => question.expect = Semantics::from_word(&pair[1]),
            flag => panic!("{flag} is no flag of the judge"),
        }
    }
    question
}

#[test]
fn every_sample_gets_the_verdicts_worked_out_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/histories");
    let expected = fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).unwrap();
    let samples = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let samples = samples.filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    assert_eq!(samples.count(), expected.len(), "every sample says what is expected");
    for (name, expected) in expected {
        let text = fs::read(folder.join(&name).with_extension("jsonl")).unwrap();
        let history = History::read(text.as_slice(), ReadOptions::default()).unwrap();
        let judgement = judge(&history, question(&expected.flags));
        assert_eq!(judgement.violated(), expected.violated.into_iter().collect(), "{name}");
        for (semantics, verdict) in expected.verdicts {
            assert_eq!(judgement.verdicts.of(semantics).word(), verdict, "{name}: {semantics}");
        }
    }
}

/// Wants these verdicts on at-most-once, at-least-once and exactly-once.
fn check(question: Question, text: &str, expected: [Verdict; 3]) {
    check_history(question, &history(text), expected, text);
}

fn check_history(question: Question, history: &History, expected: [Verdict; 3], text: &str) {
    let verdicts = judge(history, question).verdicts;
    assert_eq!(Semantics::ALL.map(|semantics| verdicts.of(semantics)), expected, "{text}");
}

use Verdict::{Holds, Violated};
const NOT_QUIESCENT: Verdict = Verdict::Unknown(Doubt::NotQuiescent);
const NOTHING_READ: Verdict = Verdict::Unknown(Doubt::NothingRead);
const TRUNCATED: Verdict = Verdict::Unknown(Doubt::Truncated);

#[test]
fn a_history_of_which_nothing_was_read_proves_nothing() {
    check(DELIVERY, "", [NOTHING_READ; 3]);
    check(DELIVERY, "quiescent", [NOTHING_READ; 3]);
    check(DELIVERY, "submit 1, attempt 1, unknown 1, quiescent", [NOTHING_READ; 3]);
    check(DELIVERY, "submit 1, attempt 1, acked 1, quiescent", [NOTHING_READ, Violated, Violated]);
    check(DELIVERY, "submit 1, attempt 1, acked 1", [NOTHING_READ; 3]);
    check(DELIVERY, "submit 1, deliver 1, quiescent", [Holds; 3]);
    check(EFFECT, "submit 1, effect 1, quiescent", [Holds; 3]);
}

#[test]
fn losses_are_judged_only_when_things_came_to_rest() {
    let tails = [
        ("", NOT_QUIESCENT),
        ("quiescent", Holds),
        ("quiescent, fault, heal", Holds),
        ("fault, quiescent", Holds),
        ("quiescent, fault, heal, quiescent", Holds),
        ("quiescent, submit 2", NOT_QUIESCENT),
        ("quiescent, attempt 1", NOT_QUIESCENT),
        ("quiescent, acked 1", NOT_QUIESCENT),
        ("quiescent, settle-unknown 1", NOT_QUIESCENT),
        ("quiescent, dead-letter 1", NOT_QUIESCENT),
        ("quiescent, rewind @0", NOT_QUIESCENT),
        ("quiescent, rewind @0, quiescent", Holds),
        ("quiescent, rewind @0, fault", NOT_QUIESCENT),
    ];
    for (tail, verdict) in tails {
        check(DELIVERY, &format!("submit 1, deliver 1, {tail}"), [Holds, verdict, verdict]);
    }
    check(DELIVERY, "submit 1, acked 1, submit 2, deliver 2, quiescent", [Holds, Violated, Violated]);
    check(
        DELIVERY,
        "submit 1, acked 1, submit 2, deliver 2, quiescent, acked 2",
        [Holds, NOT_QUIESCENT, NOT_QUIESCENT],
    );
    check(DELIVERY, "submit 1, deliver 1, deliver 1", [Violated, NOT_QUIESCENT, Violated]);
}

#[test]
fn whatever_may_still_be_made_good_or_bad_is_open_until_things_come_to_rest() {
    let open =
        [PropertyId::AckedNotLost, PropertyId::SubmittedNotLost, PropertyId::RefusedNotDelivered, PropertyId::Order];
    for obligation in Obligation::ALL {
        let pipeline = PipelineOf::Whole(Box::new(Pipeline { obligation, ordered: true, ..Pipeline::default() }));
        let header = Header { pipeline: Some(pipeline), ..Header::default() };
        let history = History { header, ..history("submit 1, deliver 1, effect 1") };
        for finding in judge(&history, Question::default()).findings {
            let expected = if open.contains(&finding.property) { NOT_QUIESCENT } else { Holds };
            assert_eq!(finding.verdict, expected, "{}", finding.property);
        }
    }
}

#[test]
fn a_truncated_history_proves_nothing_but_what_it_shows() {
    let truncated = |text| History { truncated: Some(99), ..history(text) };
    for text in
        ["submit 1, deliver 1", "submit 1, deliver 1, quiescent", "submit 1, acked 1, submit 2, deliver 2, quiescent"]
    {
        check_history(DELIVERY, &truncated(text), [TRUNCATED; 3], text);
    }
    let twice = "submit 1, deliver 1, deliver 1, quiescent";
    check_history(DELIVERY, &truncated(twice), [Violated, TRUNCATED, Violated], twice);
}

#[test]
fn every_group_owes_every_message() {
    check(DELIVERY, "submit 1, acked 1, deliver 1 in g, deliver 1 in h, quiescent", [Holds; 3]);
    check(DELIVERY, "submit 1, deliver 1 in g, submit 2, deliver 2 in h, quiescent", [Holds; 3]);
    let missing = "submit 1, acked 1, deliver 1 in g, submit 2, acked 2, deliver 2 in g, deliver 2 in h, quiescent";
    check(DELIVERY, missing, [Holds, Violated, Violated]);
    let lost: Vec<_> = judge(&history(missing), DELIVERY).violations.iter().map(|v| (v.message, v.group)).collect();
    assert_eq!(lost, [(MessageId(1), GroupId(1))], "h came late and owes what was acked before");
    let twice = "submit 1, deliver 1 in g, deliver 1 in h, deliver 1 in h, quiescent";
    check(DELIVERY, twice, [Violated, Holds, Violated]);
    let judgement = judge(&history(twice), DELIVERY);
    assert_eq!(judgement.groups, [GroupId(0), GroupId(1)]);
    assert_eq!(judgement.violations[0].group, GroupId(1));
    let only_rewound = "submit 1, acked 1, deliver 1 in g, rewind @0 in h, quiescent";
    check(DELIVERY, only_rewound, [Holds, Violated, Violated]);
    let own_positions = "submit 1, deliver 1 @0 in g, settle 1 @0 in g, deliver 1 @0 in h, rewind @0 in g, quiescent";
    assert!(judge(&history(own_positions), DELIVERY).violated().is_empty());
    let own_rewinds = "submit 1, deliver 1 @0 in g, settle 1 @0 in g, rewind @0 in h, deliver 1 @0 in g, effect 1 in g";
    assert!(judge(&history(own_rewinds), EFFECT).violated().contains(PropertyId::NoDeliveryAfterSettle));
}

#[test]
fn a_history_without_consumers_has_one_group() {
    let judgement = judge(&history("submit 1, acked 1, quiescent"), DELIVERY);
    assert_eq!(judgement.groups, [GroupId(0)]);
    assert_eq!(judgement.lost(), 1);
}

#[test]
fn a_question_overrules_the_header_and_the_header_its_pipeline() {
    let pipeline = Pipeline { level: Level::Delivery, obligation: Obligation::Submitted, ..Pipeline::default() };
    let whole = Some(PipelineOf::Whole(Box::new(pipeline)));
    let header = Header { pipeline: whole, level: None, obligation: Some(Obligation::Acked), ..Header::default() };
    let recorded = |header: &Header| History { header: header.clone(), ..history("submit 1, deliver 1, quiescent") };
    let asked = Question { level: Some(Level::Effect), ..Question::default() };

    let rules = judge(&recorded(&header), Question::default()).rules;
    assert_eq!((rules.level, rules.obligation), (Level::Delivery, Obligation::Acked));
    assert_eq!(judge(&recorded(&header), asked).rules.level, Level::Effect);
    let levelled = Header { level: Some(Level::Effect), ..header };
    assert_eq!(judge(&recorded(&levelled), Question::default()).rules.level, Level::Effect);
    assert_eq!(judge(&recorded(&Header::default()), Question::default()).rules.level, Level::Effect);
}

#[test]
fn what_is_expected_decides_whether_effect_or_settle_comes_first() {
    let rule = |promises, expect| {
        let pipeline = PipelineOf::Whole(Box::new(Pipeline { promises, ..Pipeline::default() }));
        let header = Header { pipeline: Some(pipeline), ..Header::default() };
        judge(&History { header, ..History::default() }, Question { expect, ..EFFECT }).rules.settle
    };
    use Semantics::*;
    assert_eq!(rule(None, None), SettleRule::AfterEffect);
    assert_eq!(rule(Some(AtMostOnce), None), SettleRule::BeforeEffect);
    assert_eq!(rule(Some(ExactlyOnce), None), SettleRule::AfterEffect);
    assert_eq!(rule(Some(AtMostOnce), Some(AtLeastOnce)), SettleRule::AfterEffect);
    assert_eq!(rule(None, Some(AtMostOnce)), SettleRule::BeforeEffect);
}

#[test]
fn settles_are_not_held_against_effects_that_may_not_have_been_recorded() {
    let judged =
        |text: &str, question| judge(&history(text), question).finding(PropertyId::SettledAfterEffect).copied();
    let no_effects = "submit 1, deliver 1, settle 1, quiescent";
    assert_eq!(judged(no_effects, DELIVERY), None);
    assert_eq!(judged(no_effects, EFFECT), None);
    let late_effect = "submit 1, deliver 1, settle 1, effect 1, quiescent";
    assert_eq!(judged(late_effect, DELIVERY), None);
    assert_eq!(judged(late_effect, EFFECT).unwrap().verdict, Violated);
    let early_effect = "submit 1, deliver 1, effect 1, settle 1, quiescent";
    assert_eq!(judged(early_effect, EFFECT).unwrap().verdict, Holds);
    let pipeline = Some(PipelineOf::Whole(Box::default()));
    let known = History { header: Header { pipeline, ..Header::default() }, ..history(no_effects) };
    assert!(judge(&known, DELIVERY).violated().contains(PropertyId::SettledAfterEffect));
}

#[test]
fn dead_letters_excuse_where_the_pipeline_makes_them_or_nothing_is_known_of_it() {
    let text = "submit 1, acked 1, deliver 1, dead-letter 1, submit 2, effect 2, quiescent";
    let lost = |max_deliveries: Option<u32>| {
        let pipeline = max_deliveries.map(|max_deliveries| {
            let broker = Broker { max_deliveries, ..Broker::default() };
            PipelineOf::Whole(Box::new(Pipeline { broker, ..Pipeline::default() }))
        });
        judge(&History { header: Header { pipeline, ..Header::default() }, ..history(text) }, EFFECT).lost()
    };
    assert_eq!(lost(None), 0);
    assert_eq!(lost(Some(5)), 0);
    assert_eq!(lost(Some(0)), 1);
}

#[test]
fn counts_say_how_much_there_was_to_judge() {
    let text = "submit 1, attempt 1, acked 1, deliver 1 in g, effect 1 in g, settle 1 in g, deliver 1 in h, deliver 1 in h, \
         submit 2, attempt 2, unknown 2, deliver 2 in g, effect 2 in g, settle-unknown 2 in g, \
         submit 3, attempt 3, refused 3, deliver 3 in h, dead-letter 3 in h, \
         submit 4, attempt 4, fault, submit 5, heal, attempt 6, unknown 6, attempt 6, refused 6, quiescent";
    let judgement = judge(&history(text), DELIVERY);
    let expected = Counts {
        submitted: 5,
        acked: 1,
        refused: 1,
        unknown: 4,
        delivered: 5,
        effects: 2,
        settled: 1,
        dead_lettered: 1,
        recovered: 2,
        faults: 1,
    };
    assert_eq!(judgement.counts, expected);
    assert_eq!((judgement.duplicates(), judgement.lost()), (1, 0));
}

#[test]
fn a_violation_names_the_lines_that_tell_of_it() {
    let text = "submit 1, submit 2, acked 2, acked 1, deliver 1 in g, deliver 2 in g, deliver 1 in h, deliver 1 in g";
    let judgement = judge(&history(&format!("{text}, quiescent")), DELIVERY);
    let [twice, lost] = judgement.violations.as_slice() else { panic!("{:?}", judgement.violations) };
    assert_eq!((twice.breach, twice.message, twice.group), (Breach::DeliveredAgain, MessageId(1), GroupId(0)));
    assert_eq!((twice.line, &twice.lines[..]), (Some(9), &[2, 5, 6, 9][..]));
    assert_eq!((lost.breach, lost.message, lost.group), (Breach::AckedLost, MessageId(2), GroupId(1)));
    assert_eq!((lost.line, &lost.lines[..]), (None, &[3, 4][..]));
    assert_eq!(lost.breach.to_string(), "was acked and is lost");
}

#[test]
fn many_violations_are_counted_and_the_first_told() {
    let again = "deliver 1, ".repeat(VIOLATIONS_TOLD + 50);
    let judgement = judge(&history(&format!("submit 1, {again} deliver 2")), DELIVERY);
    assert_eq!(judgement.duplicates(), VIOLATIONS_TOLD as u64 + 49);
    assert_eq!(judgement.violations.len(), VIOLATIONS_TOLD + 1, "one property's do not crowd out another's");
    assert_eq!(judgement.violations[0].lines.len(), LINES_TOLD);
}

#[test]
fn the_strongest_semantics_is_the_last_that_holds() {
    let strongest = |text: &str| judge(&history(text), DELIVERY).verdicts.strongest();
    assert_eq!(strongest("submit 1, acked 1, deliver 1, quiescent"), Some(Semantics::ExactlyOnce));
    assert_eq!(strongest("submit 1, acked 1, deliver 1, deliver 1, quiescent"), Some(Semantics::AtLeastOnce));
    assert_eq!(strongest("submit 1, acked 1, deliver 1"), Some(Semantics::AtMostOnce));
    assert_eq!(strongest("deliver 1, quiescent"), None);
    assert_eq!(strongest(""), None);
}

#[test]
fn violated_beats_unknown_beats_holds() {
    let all = [Holds, NOT_QUIESCENT, NOTHING_READ, Verdict::Unknown(Doubt::BoundCut), Violated];
    for verdict in all {
        assert_eq!(verdict.and(Violated), Violated);
        assert_eq!(Violated.and(verdict), Violated);
        assert_eq!(verdict.and(Holds), verdict);
        assert_eq!(Holds.and(verdict), verdict);
    }
    let rules = judge(&History::default(), DELIVERY).rules;
    let one_open = |property| if property == PropertyId::AckedNotLost { NOT_QUIESCENT } else { Holds };
    let verdicts = Verdicts::new(&rules, one_open);
    assert_eq!(Semantics::ALL.map(|semantics| verdicts.of(semantics)), [Holds, NOT_QUIESCENT, NOT_QUIESCENT]);
}
