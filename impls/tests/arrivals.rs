//! Arrivals without their races: what a mark waits for.
//!
//! Loom explores the races (`proofs/loom`).

use delivery_impls::shared::arrivals::{Arrivals, Mark};

#[test]
fn a_mark_is_reached_when_what_was_announced_before_it_is_handled() {
    let arrivals = Arrivals::new();
    assert_eq!(arrivals.mark(|| 5), Mark { at: 5, announced: 0 });
    assert!(arrivals.mark(|| 5).is_reached(0));
    assert_eq!([arrivals.arrive(|| 6), arrivals.arrive(|| 7)], [6, 7]);
    let mark = arrivals.mark(|| 8);
    arrivals.arrive(|| 9);
    assert_eq!(mark, Mark { at: 8, announced: 2 });
    assert_eq!([0, 1, 2, 3].map(|handled| mark.is_reached(handled)), [false, false, true, true]);
}
