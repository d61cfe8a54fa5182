//! Parts that several processes recorded become the history that one recorder would have written, or are refused.

use delivery_model::history::{History, JoinError};

use crate::history_refusals::{HEADER, read};

fn part(lines: &[&str]) -> History {
    let text: String = [HEADER].iter().chain(lines).map(|line| format!("{line}\n")).collect();
    read(text).unwrap_or_else(|error| panic!("{lines:?}: {error}"))
}

fn joined(parts: &[&[&str]]) -> Result<String, JoinError> {
    let parts: Vec<History> = parts.iter().map(|lines| part(lines)).collect();
    let mut text = Vec::new();
    History::join(&parts)?.write(&mut text).expect("what was joined can be written");
    Ok(String::from_utf8(text).expect("UTF-8"))
}

fn check(parts: &[&[&str]], expected: &[&str]) {
    let text = joined(parts).expect("parts of one history");
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), expected);
    read(text).expect("what was joined reads as a history");
}

const SUBMIT: &str = r#"{"at":1,"process":"producer-0","event":"submit","message":7,"payload":"x"}"#;
const OTHER_SUBMIT: &str = r#"{"at":1,"process":"producer-1","event":"submit","message":7,"payload":"x"}"#;
const ATTEMPT: &str = r#"{"at":2,"process":"producer-0","event":"attempt","message":7,"attempt":1}"#;
const DELIVER: &str =
    r#"{"at":3,"process":"consumer-0","event":"deliver","message":7,"group":"inventory","payload":"x"}"#;
const DEAD: &str = r#"{"at":3,"process":"broker-0","event":"dead-letter","message":7,"group":"inventory"}"#;
const ACKED: &str = r#"{"at":4,"process":"producer-0","event":"outcome","message":7,"attempt":1,"outcome":"acked"}"#;

fn rest(at: u64) -> String {
    format!(r#"{{"at":{at},"process":"faults","event":"quiescent"}}"#)
}

#[test]
fn events_go_by_their_times_and_of_equal_ones_the_first_part_first() {
    check(&[&[SUBMIT, ATTEMPT, ACKED], &[DELIVER]], &[SUBMIT, ATTEMPT, DELIVER, ACKED]);
    check(&[&[DELIVER], &[SUBMIT, ATTEMPT, ACKED]], &[SUBMIT, ATTEMPT, DELIVER, ACKED]);
    check(&[&[DEAD], &[DELIVER]], &[DEAD, DELIVER]);
    check(&[&[DELIVER], &[DEAD]], &[DELIVER, DEAD]);
    check(&[&[], &[SUBMIT]], &[SUBMIT]);
}

#[test]
fn one_part_is_itself() {
    check(&[&[SUBMIT, ATTEMPT]], &[SUBMIT, ATTEMPT]);
    check(&[&[SUBMIT, &rest(2)]], &[SUBMIT, &rest(2)]);
}

#[test]
fn the_whole_came_to_rest_when_every_part_did() {
    let (one, three, nine) = (&*rest(1), &*rest(3), &*rest(9));
    check(&[&[SUBMIT, three], &[DELIVER, nine]], &[SUBMIT, DELIVER, nine]);
    check(&[&[SUBMIT, nine], &[DELIVER, three]], &[SUBMIT, DELIVER, nine]);
    // One never did, or went on.
    check(&[&[SUBMIT, nine], &[DELIVER]], &[SUBMIT, DELIVER]);
    check(&[&[SUBMIT, one, ATTEMPT], &[DELIVER, nine]], &[SUBMIT, ATTEMPT, DELIVER]);
    check(&[&[SUBMIT, nine], &[]], &[SUBMIT]);
}

#[test]
fn what_is_no_part_of_one_history_is_refused() {
    let check = |parts: &[&[&str]], expected: &str| {
        assert_eq!(joined(parts).expect_err("refused").to_string(), expected);
    };
    check(
        &[&[SUBMIT], &[DELIVER], &[ACKED]],
        "part 2 has events of producer-0, and so has part 0; expected every process in one part",
    );
    check(
        &[&[SUBMIT, SUBMIT], &[DELIVER], &[OTHER_SUBMIT]],
        "part 2 submits message 7, and so does part 0; expected every message in one part",
    );
    let ungrouped = r#"{"at":3,"process":"consumer-1","event":"deliver","message":7}"#;
    let other = r#"{"at":3,"process":"consumer-2","event":"deliver","message":7,"group":"billing"}"#;
    check(&[&[DELIVER], &[ungrouped], &[other]], "part 1 names no `group`; expected one, as the parts name several");
    check_ungrouped(&[&[DELIVER], &[ungrouped]]);
}

/// Where there is one group, a part may leave it out.
fn check_ungrouped(parts: &[&[&str]]) {
    assert!(joined(parts).is_ok_and(|text| text.matches(r#""group":"inventory""#).count() == 2));
}

#[test]
fn parts_of_different_pipelines_are_refused() {
    let of = |name: &str| {
        let header = HEADER.replacen('}', &format!(r#","pipeline":"{name}"}}"#), 1);
        read(format!("{header}\n")).expect("a header")
    };
    let error = History::join(&[of("orders"), of("orders"), of("bills")]).expect_err("refused");
    assert_eq!(error.to_string(), "part 2 is of bills; expected orders, as part 0 is");
    assert_eq!(History::join(&[of("orders"), of("orders")]).map(|joined| joined.header), Ok(of("orders").header));
}
