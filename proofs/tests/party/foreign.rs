//! What is asked of foreign parties: nothing is found in a sound one, and each bug is found and named.

use std::path::Path;

use delivery_model::schedule::Schedule;
use delivery_model::semantics::PropertyId;
use delivery_proofs::party::{Bounds, Broker, Consumer, Failure, Producer, Suite};
use expect_test::Expect;

/// So much is tried of a sound party: 2,000 schedules of up to 5 messages and 4 faults.
const SOUND: Bounds = Bounds { schedules: 2_000, messages: 5, faults: 4, seed: 7 };
/// The fewest lines that are too many for glue.
const GLUE_LINES: usize = 60;

pub fn passes<P: Producer, B: Broker, C: Consumer>(suite: &Suite<P, B, C>) {
    let passed = suite.check(SOUND).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(passed.rested, SOUND.schedules);
    let kinds = suite.claim().pipeline().faults.kinds().count();
    assert_eq!((passed.struck.len(), passed.never_struck().next()), (kinds, None), "every fault strikes somewhere");
}

pub fn is_found<P: Producer, B: Broker, C: Consumer>(suite: &Suite<P, B, C>, property: PropertyId, story: Expect) {
    let found: Box<Failure> = suite.check(Bounds::default()).expect_err("the bug is found");
    assert_eq!(found.property, property);
    story.assert_eq(&found.to_string());
    let saved = Schedule::from_json(&found.schedule.to_json()).expect("it can be read");
    assert_eq!(suite.run(&saved).story, found.story, "what was saved is run again as the same");
}

#[test]
fn glue_is_under_sixty_lines() {
    for example in ["visibility_queue", "outbox_relay"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example).join("glue.rs");
        let source = std::fs::read_to_string(path).expect("the example is readable");
        let (_, glue) = source.split_once("// glue: begins\n").expect("it says where glue begins");
        let (glue, _) = glue.split_once("// glue: ends\n").expect("it says where glue ends");
        let lines = glue.lines().filter(|line| !line.trim().is_empty()).count();
        assert!((20..GLUE_LINES).contains(&lines), "{example}: {lines} lines");
    }
}
