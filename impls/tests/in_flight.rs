//! In-flight dedup without its races: who leads, who joins, and who is told.
//!
//! Loom explores the races (`proofs/loom`).

use delivery_impls::shared::in_flight::{Entered, InFlight, JOINED_MAX};

#[test]
fn the_first_attempt_leads_and_later_ones_join_it_until_it_has_a_result() {
    let in_flight = InFlight::new();
    assert_eq!(in_flight.enter("m1", 1), Entered::Leads(1));
    assert_eq!(in_flight.enter("m1", 2), Entered::Joined);
    assert_eq!(in_flight.enter("m2", 3), Entered::Leads(3), "another message is its own business");
    assert_eq!(in_flight.enter("m1", 4), Entered::Joined);
    assert_eq!(in_flight.finish(&"m1"), [2, 4], "in the order in which they came");
    assert_eq!(in_flight.enter("m1", 5), Entered::Leads(5));
    assert!(in_flight.finish(&"m2").is_empty());
    assert!(in_flight.finish(&"m2").is_empty(), "nobody leads any more");
}

#[test]
fn when_a_leader_is_lost_those_who_joined_lead_one_after_the_other() {
    let in_flight = InFlight::new();
    assert_eq!(in_flight.enter("m", 1), Entered::Leads(1));
    assert_eq!([in_flight.enter("m", 2), in_flight.enter("m", 3)], [Entered::Joined, Entered::Joined]);
    assert_eq!(in_flight.hand_over(&"m"), Some(2));
    assert_eq!(in_flight.enter("m", 4), Entered::Joined, "the second one leads");
    assert_eq!(in_flight.hand_over(&"m"), Some(3));
    assert_eq!(in_flight.finish(&"m"), [4]);
    assert_eq!(in_flight.hand_over(&"m"), None);
    assert_eq!(in_flight.enter("m", 5), Entered::Leads(5));
    assert_eq!(in_flight.hand_over(&"m"), None);
    assert_eq!(in_flight.enter("m", 6), Entered::Leads(6), "a lost leader that nobody joined leaves nothing behind");
}

#[test]
fn no_more_than_so_many_wait_for_one_message() {
    let in_flight = InFlight::new();
    assert_eq!(in_flight.enter("m", 0), Entered::Leads(0));
    for attempt in 1..=JOINED_MAX {
        assert_eq!(in_flight.enter("m", attempt), Entered::Joined);
    }
    assert_eq!(in_flight.enter("m", JOINED_MAX + 1), Entered::Full(JOINED_MAX + 1));
    assert_eq!(in_flight.finish(&"m").len(), JOINED_MAX);
}
