//! Attempts in flight without their races: which makes an input, which are added, and what the loop takes.
//!
//! Loom explores the races (`proofs/loom`).

use delivery_impls::shared::in_flight::{InFlight, Posted, WAITING_MAX};

#[test]
fn the_first_attempt_makes_an_input_and_later_ones_are_added_until_it_is_taken() {
    let in_flight = InFlight::new();
    assert_eq!(in_flight.post("m1", 1), Posted::First);
    assert_eq!(in_flight.post("m1", 2), Posted::Added);
    assert_eq!(in_flight.post("m2", 3), Posted::First, "another message is its own business");
    assert_eq!(in_flight.post("m1", 4), Posted::Added);
    assert_eq!(in_flight.take(&"m1"), [1, 2, 4], "in the order in which they came");
    assert_eq!(in_flight.post("m1", 5), Posted::First);
    assert_eq!(in_flight.take(&"m2"), [3]);
    assert!(in_flight.take(&"m2").is_empty(), "nothing waits any more");
}

#[test]
fn no_more_than_so_many_wait_for_one_input() {
    let in_flight = InFlight::new();
    assert_eq!(in_flight.post("m", 1), Posted::First);
    for attempt in 2..=WAITING_MAX {
        assert_eq!(in_flight.post("m", attempt), Posted::Added);
    }
    assert_eq!(in_flight.post("m", WAITING_MAX + 1), Posted::Lost);
    assert_eq!(in_flight.take(&"m").len(), WAITING_MAX);
}
