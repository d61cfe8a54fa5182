//! The atlas agrees with the checker, its fault sets are minimal, and its output keeps its format.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use delivery_model::check::{Explored, Limits, Protocol, explore};
use delivery_model::pipeline::{Acks, DeadLetters, Level, Pipeline, RecordsSettles, Remembers, Semantics};
use delivery_model::presets;
use delivery_model::semantics::Verdict;
use delivery_model::story::Ink;
use delivery_model::vocab::{Fault, Step};
use delivery_proofs::atlas::{
    Callbacks, FaultSet, MARKERS, Page, Progress, Scope, Surveyed, chart, html, json, markdown, section, stories,
    survey,
};
use serde_json::Value;

/// The faults of the slower tests, few enough to check each set by itself. Two of them break nothing alone and
/// something together, one needs a second consumer, and two together leave several late deliveries of one position.
const SOME: [Fault; 4] = [Fault::PublishAckLost, Fault::BrokerCrash, Fault::LeaseExpiry, Fault::DedupForgotten];

fn surveyed(pipelines: &[Pipeline], scope: Scope) -> Surveyed {
    survey(pipelines, scope, Callbacks { keep_going: &|| true, progress: &|_| () }).expect("so few messages fit")
}

fn pages_of(names: &[&str], faults: FaultSet) -> Vec<Page> {
    let pipelines: Vec<Pipeline> = names.iter().map(|name| preset(name)).collect();
    surveyed(&pipelines, Scope { faults, ..Scope::default() }).pages
}

fn preset(name: &str) -> Pipeline {
    presets::named(name).expect("the preset exists")
}

fn some() -> Vec<Page> {
    pages_of(&["exactly-once", "jetstream-msgid", "at-most-once"], FaultSet::of(SOME))
}

/// Every preset under the usual faults.
fn usual() -> &'static [Page] {
    static USUAL: OnceLock<Vec<Page>> = OnceLock::new();
    USUAL.get_or_init(|| {
        let names: Vec<&str> = presets::ALL.iter().map(|(name, _)| *name).collect();
        pages_of(&names, FaultSet::usual())
    })
}

/// A pipeline whose consumers each have a memory of their own, which fails with two consumers, whether or not a lease
/// expires.
fn with_a_memory_each() -> Page {
    let mut pipeline = preset("exactly-once");
    pipeline.consumer.remembers = Remembers::InMemory;
    let faults = FaultSet::of([Fault::SettleLost, Fault::LeaseExpiry]);
    surveyed(&[pipeline], Scope { faults, ..Scope::default() }).pages.remove(0)
}

/// The result of a search in which these faults may strike, each once, and no others.
fn explored(pipeline: &Pipeline, level: Level, faults: FaultSet) -> Explored {
    let alone = Pipeline { level, faults: faults.budget(), ..pipeline.clone() };
    explore(&alone, Limits::default(), &|_| true).expect("two messages fit")
}

#[test]
fn every_verdict_is_that_of_a_search_for_the_one_set_of_faults() {
    for page in some().into_iter().chain([with_a_memory_each()]) {
        let sets = FaultSet::none_singles_and_pairs().filter(|set| set.is_within(page.faults));
        for (faults, level) in sets.flat_map(|faults| Level::ALL.map(|level| (faults, level))) {
            let (verdicts, alone) = (page.verdicts(level, faults), explored(&page.pipeline, level, faults));
            for semantics in Semantics::ALL {
                let about = format!("{}: {semantics} at {level} under {faults}", page.pipeline.name);
                assert_eq!(verdicts.of(semantics), alone.verdicts.of(semantics), "{about}");
                assert!(!matches!(verdicts.of(semantics), Verdict::Unknown(_)), "{about}: a bound was met");
            }
        }
    }
}

#[test]
fn a_minimal_set_breaks_its_promise_by_a_shortest_story_and_no_part_of_it_does() {
    let (mut singles, mut pairs) = (0, 0);
    for page in some() {
        for broken in &page.breaks {
            let about = format!("{}: {} under {}", page.pipeline.name, broken.property, broken.faults);
            let breaks = |faults| {
                let violations = explored(&page.pipeline, broken.level, faults).violations;
                violations.into_iter().find(|violation| violation.property == broken.property)
            };
            let shortest = breaks(broken.faults).expect(&about);
            let length = (shortest.messages, shortest.steps.len());
            assert_eq!((broken.story.messages, broken.story.steps.len()), length, "{about}");
            for left_out in broken.faults.iter() {
                let part = FaultSet::of(broken.faults.iter().filter(|&fault| fault != left_out));
                assert_eq!(breaks(part), None, "{about}, and without {left_out} as well");
            }
            *if broken.faults.len() == 1 { &mut singles } else { &mut pairs } += 1;
        }
    }
    assert!(singles > 0 && pairs > 0, "{singles} singles, {pairs} pairs");
}

#[test]
fn a_story_needs_each_of_its_faults_once_and_ends_where_its_promise_breaks() {
    for page in some() {
        for broken in &page.breaks {
            let about = format!("{}: {} under {}", page.pipeline.name, broken.property, broken.faults);
            let struck: Vec<Fault> = broken.story.steps.iter().filter_map(|step: &Step| step.fault()).collect();
            assert_eq!((FaultSet::of(struck.clone()), struck.len()), (broken.faults, broken.faults.len()), "{about}");
            let pipeline = Pipeline { level: broken.level, faults: broken.faults.budget(), ..page.pipeline.clone() };
            let protocol = Protocol::new(&pipeline, broken.story.messages).expect("the story's messages fit");
            let is_broken: Vec<bool> = protocol
                .along(&broken.story.steps)
                .map(|moment| {
                    protocol.broken(&moment, protocol.spec.is_quiescent(&moment.state)).contains(broken.property)
                })
                .collect();
            assert_eq!(is_broken.iter().position(|&it| it), Some(broken.story.steps.len()), "{about}");
        }
    }
}

/// The text between the markers is generated, because a table that differs from the model would mislead.
#[test]
fn the_readmes_table_is_the_generated_one() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("there is one");
    let [begin, end] = MARKERS;
    let written = readme.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("it has both markers").0;
    let generated = markdown(&usual()[..presets::FAMILIES]);
    assert!(
        written.trim() == generated.trim(),
        "the table in README.md is not what the model says. Put the output of\n\n    \
         cargo run --release -- atlas --markdown\n\nbetween {begin} and {end}. It is:\n\n{generated}"
    );
}

#[test]
fn every_presets_file_says_what_became_of_its_claim() {
    for (page, (name, file)) in usual().iter().zip(presets::ALL) {
        let (_, verdict) = page.claim().expect("every preset claims something");
        let left = page.verdicts_as_usual(page.pipeline.level).strongest();
        let outcome = match (verdict, left) {
            (Verdict::Holds, _) => "it survives the usual faults".to_owned(),
            (_, Some(left)) => format!("it does not survive the usual faults; what does is {left}"),
            (_, None) => "it does not survive the usual faults; nothing does".to_owned(),
        };
        let is_reference = presets::REFERENCES.contains(name);
        assert!(!is_reference || verdict == Verdict::Holds, "{name} is a reference, and breaks its promise");
        assert!(is_reference || file.contains(&format!("\n# Outcome: {outcome}.\n")), "{name}: {outcome}");
    }
}

/// The comments on other settings in the presets' files are true.
#[test]
fn what_the_presets_say_of_other_settings_is_so() {
    let check = |name: &str, change: fn(&mut Pipeline), expected: Verdict| {
        let mut pipeline = preset(name);
        change(&mut pipeline);
        let page = &surveyed(&[pipeline], Scope { faults: FaultSet::usual(), ..Scope::default() }).pages[0];
        assert_eq!(page.claim().map(|(_, verdict)| verdict), Some(expected), "{name}");
    };
    let always = |it: &mut Pipeline| {
        (it.broker.acks, it.broker.records_settles) = (Acks::AfterSync, RecordsSettles::AfterSync);
    };
    let now_and_then = |it: &mut Pipeline| {
        (it.broker.acks, it.broker.records_settles) = (Acks::OnReceipt, RecordsSettles::Lazily);
        it.producer.in_flight = 1;
    };
    check("redis-streams", always, Verdict::Holds);
    check("jetstream", |it| it.broker.acks = Acks::OnReceipt, Verdict::Violated);
    check("mqtt-qos1", now_and_then, Verdict::Violated);
    check("jetstream-msgid", |it| it.consumer.remembers = Remembers::WithEffect, Verdict::Holds);
    check("sqs-fifo", |it| it.consumer.remembers = Remembers::WithEffect, Verdict::Holds);
}

#[test]
fn json_has_the_words_of_the_contract() {
    let page = &pages_of(&["jetstream-msgid"], FaultSet::of([Fault::SettleLost, Fault::PublishLost]))[0];
    let line = json(page).to_string();
    assert!(!line.contains('\n'), "one object a line");
    let read: Value = serde_json::from_str(&line).expect("it is JSON");
    let at = |pointer: &str| read.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing: {line}")).clone();
    assert_eq!([at("/pipeline"), at("/promises"), at("/level")], ["jetstream-msgid", "exactly-once", "effect"]);
    assert_eq!((at("/obligation"), at("/complete"), at("/bounds/messages")), ("acked".into(), true.into(), 2.into()));
    assert_eq!(at("/results").as_array().map(Vec::len), Some(1 + 24 + 276));
    let result = |faults: &[&str]| {
        let results = at("/results").as_array().cloned().unwrap_or_default();
        results.into_iter().find(|result| result["faults"] == serde_json::json!(faults)).expect("every set is there")
    };
    assert_eq!(result(&["publish-lost"])["levels"]["effect"]["strongest"], "exactly-once");
    let broken = &result(&["settle-lost"])["levels"]["effect"];
    assert_eq!(
        (&broken["strongest"], &broken["verdicts"]["exactly-once"]),
        (&"at-least-once".into(), &"violated".into())
    );
    // A set that was not tried is unknown.
    assert_eq!(result(&["rewind"])["levels"]["effect"]["verdicts"]["exactly-once"], "unknown");
    let told = &at("/violations")[0];
    assert_eq!([&told["level"], &told["property"]], ["delivery", "no-duplicate-delivery"]);
    let steps: Vec<Step> = serde_json::from_value(told["steps"].clone()).expect("they are steps of a schedule");
    assert_eq!(steps, page.breaks[0].story.steps);
}

#[test]
fn html_needs_no_other_file_and_takes_names_for_text() {
    let mut pipeline = preset("exactly-once");
    pipeline.name = "<script>alert('&')</script>".to_owned();
    let faults = FaultSet::of([Fault::ConsumerCrash]);
    let pages = surveyed(&[pipeline.clone(), pipeline], Scope { faults, ..Scope::default() }).pages;
    let written = html(&pages);
    assert_eq!(written.matches("<script").count(), 1, "a name is text, and the page has one script");
    assert!(written.contains("&lt;script&gt;alert"), "a name is text");
    for elsewhere in ["src=", "href=\"http", "href='http", "url(http", "@import", "<link"] {
        assert!(!written.contains(elsewhere), "{elsewhere} reads another file");
    }
    let ids: Vec<&str> = written.split(" id=").skip(1).filter_map(|rest| rest.split(['"', '\'']).nth(1)).collect();
    let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "an id is one place: {ids:?}");
    let links = written.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(links.filter(|link| !ids.contains(link)).collect::<Vec<_>>(), [""; 0], "every link leads somewhere");
    let diagrams = pages.iter().map(|page| page.breaks.len()).sum::<usize>();
    assert!(diagrams > 0 && written.matches("<svg").count() == diagrams, "one diagram a story");
    for element in ["details", "svg", "section", "table", "div"] {
        let [opened, closed] =
            [format!("<{element}"), format!("</{element}>")].map(|tag| written.matches(&tag).count());
        assert_eq!(opened, closed, "<{element}>");
    }
}

/// Addresses that people keep do not change with the number of pipelines, and a letter leads to the story behind it.
#[test]
fn a_pipeline_is_found_by_its_name_and_the_story_behind_a_letter_by_what_it_breaks() {
    let faults = FaultSet::of([Fault::ConsumerCrash, Fault::PublishLost]);
    let written = |names: &[&str]| {
        let mut pipelines = names.iter().map(|name| preset(name)).collect::<Vec<_>>();
        pipelines.push(Pipeline { name: "top".to_owned(), ..preset("exactly-once") });
        html(&surveyed(&pipelines, Scope { faults, ..Scope::default() }).pages)
    };
    for page in [written(&["kafka-idempotent"]), written(&["at-most-once", "kafka-idempotent", "kafka-idempotent"])] {
        for anchor in ["kafka-idempotent", "kafka-idempotent.effect.no-duplicate-effect.cc", "top", "top-2"] {
            assert_eq!(page.matches(&format!(" id=\"{anchor}\"")).count(), 1, "{anchor}");
        }
        let cell =
            page.split("data-under=\"consumer-crash\"").nth(if page.contains("\"at-most-once\"") { 3 } else { 2 });
        let story = "href=\"#kafka-idempotent.effect.no-duplicate-effect.cc\">L</a>";
        assert!(cell.is_some_and(|rest| rest.split("<td").next().is_some_and(|cell| cell.contains(story))), "{cell:?}");
        assert!(page.contains("data-faults=\"consumer-crash\""), "a story says its faults, for the filter");
    }
    assert!(written(&["kafka-idempotent", "kafka-idempotent"]).contains(" id=\"kafka-idempotent-2\""));
}

#[test]
fn no_line_of_the_chart_or_the_lists_is_wider_than_the_terminal() {
    let mut pages = pages_of(&["postgres-outbox-inbox"], FaultSet::of(SOME));
    pages[0].pipeline.name = "a-name-that-is-rather-too-long-for-its-column".to_owned();
    // A pair of faults that met a bound, which does not happen with faults that strike once.
    pages[0].bounds_met = vec![FaultSet::of([Fault::BrokerCrash, Fault::LeaseExpiry])];
    for width in [80, 100, 120, 300] {
        let written = chart(&pages, Ink::Plain, width) + &section(&pages[0], Ink::Plain, width);
        let widest = written.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width.min(120)), "{widest:?} of {width}:\n{written}");
        assert!(written.contains("bc+le"), "what is unknown is told:\n{written}");
    }
    let results = json(&pages[0])["results"].as_array().expect("a list").clone();
    let cut = results.iter().find(|it| it["faults"] == serde_json::json!(["broker-crash", "lease-expiry"]));
    let of = |verdict: &str| cut.expect("the pair is there")["levels"]["effect"]["verdicts"][verdict].clone();
    assert_eq!(Semantics::ALL.map(|semantics| of(semantics.word())), ["unknown"; 3]);
    assert_eq!(cut.expect("it is there")["levels"]["effect"]["strongest"], "unknown", "unknown is not none");
    assert_eq!(stories(&pages[0], Ink::Plain, 80).matches("order service").count(), pages[0].breaks.len());
}

/// If messages may become dead letters, a claim that holds mentions it and a story of one is shown; if a dead letter
/// is a loss, the claim is broken.
#[test]
fn dead_letters_are_told_with_their_story() {
    let mut dies = preset("exactly-once");
    dies.broker.max_deliveries = 1;
    let mut lost = dies.clone();
    lost.dead_letters = DeadLetters::AreLost;
    let faults = FaultSet::of([Fault::ConsumerCrash, Fault::PublishLost]);
    let pages = surveyed(&[dies, lost, preset("exactly-once")], Scope { faults, ..Scope::default() }).pages;
    let under: Vec<Vec<FaultSet>> =
        pages.iter().map(|page| page.dead_letters.iter().map(|(faults, _)| *faults).collect()).collect();
    let crash = vec![FaultSet::of([Fault::ConsumerCrash])];
    assert_eq!(under, [crash.clone(), crash, vec![]]);
    let told = section(&pages[0], Ink::Plain, 120);
    assert!(told.contains("dead-letters messages consumer-crash; a dead letter pays the debt"), "{told}");
    assert!(section(&pages[1], Ink::Plain, 120).contains("consumer-crash; a dead letter is a loss"));
    assert!(!section(&pages[2], Ink::Plain, 120).contains("dead"));
    let stories = stories(&pages[0], Ink::Plain, 120);
    assert!(stories.contains("dead-letters a message under consumer-crash"), "{stories}");
    assert!(stories.contains("sets position 0 aside (dead letter)"), "{stories}");
    assert_eq!(json(&pages[0])["dead-letters"][0]["faults"], serde_json::json!(["consumer-crash"]));
    assert!(html(&pages).contains("<h3>dead-letters messages <small>(a dead letter pays the debt)</small></h3>"));
}

#[test]
fn a_survey_that_is_stopped_names_what_it_left_out() {
    let told = Mutex::new(Vec::new());
    let asked = AtomicUsize::new(0);
    let pipelines = ["at-most-once", "exactly-once"].map(preset);
    let callbacks = Callbacks {
        keep_going: &|| {
            asked.fetch_add(1, Ordering::Relaxed);
            told.lock().expect("no panic").len() < 4
        },
        progress: &|position: Progress<'_>| {
            let mut told = told.lock().expect("no panic");
            if position.done > told.len() {
                told.push((position.done, position.title.to_owned()));
            }
        },
    };
    let scope = Scope { faults: FaultSet::of(SOME), threads: 1, ..Scope::default() };
    let stopped = survey(&pipelines, scope, callbacks).expect("two messages fit");
    let searched: Vec<&str> = stopped.pages.iter().map(|page| page.pipeline.name.as_str()).collect();
    assert_eq!((searched, stopped.left_out), (vec!["at-most-once"], vec!["exactly-once".to_owned()]));
    assert!(asked.into_inner() >= 4, "it asks");
}

#[test]
fn a_survey_that_meets_its_limit_of_states_knows_less_and_says_so() {
    let scope = Scope { states_max: 100, faults: FaultSet::of(SOME), ..Scope::default() };
    let pages = surveyed(&[preset("exactly-once")], scope).pages;
    assert!(!pages[0].is_complete());
    let verdict = pages[0].verdicts(Level::Effect, FaultSet::NONE).of(Semantics::ExactlyOnce);
    assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
}

#[test]
fn what_an_audit_saw_stands_under_the_preset_and_under_no_changed_one() {
    let page = |pipeline: Pipeline| {
        let scope = Scope { messages: 1, faults: FaultSet::of([]), ..Scope::default() };
        html(&surveyed(&[pipeline], scope).pages)
    };
    let kept = page(preset("redis-streams-always"));
    assert!(kept.contains("seen in reality"), "{kept}");
    assert!(kept.contains("<td>always<td>power<td>lags<td>1000<td>0<td>0"), "{kept}");
    let changed = Pipeline { ordered: true, ..preset("redis-streams-always") };
    assert!(!page(changed).contains("seen in reality"));
}
