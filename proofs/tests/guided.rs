//! The page that compares guided with unguided search over all seeded bugs is true.
//!
//! `UPDATE_EXPECT=1 cargo test -p delivery-proofs --test guided` writes it anew.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use delivery_proofs::kill_matrix::{Hunt, SEARCH_SEEDS, guided_markdown, hunt};
use delivery_proofs::mutants::Mutant;
use expect_test::expect_file;

#[test]
fn the_page_says_how_many_schedules_each_search_took() {
    let hunts = hunts();
    // What no search finds with any seed would make a line that compares nothing.
    let found = |hunt: &&Hunt| hunt.guided.median().or(hunt.unguided.median()).is_some();
    let never: Vec<Mutant> = hunts.iter().filter(|hunt| !found(hunt)).map(|hunt| hunt.mutant).collect();
    assert!(never.len() <= 3, "no search finds these: {never:?}");
    assert!(SEARCH_SEEDS.len() % 2 == 1, "one seed is the median");
    expect_file!["../../docs/guided.md"].assert_eq(&guided_markdown(&hunts));
}

/// All bugs in their order, hunted by as many threads as there are cores.
fn hunts() -> Vec<Hunt> {
    let (next, hunts) = (AtomicUsize::new(0), Mutex::new(vec![None; Mutant::ALL.len()]));
    let work = || {
        while let Some((place, &mutant)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            Mutant::ALL.get(place).map(|mutant| (place, mutant))
        } {
            let hunted = hunt(mutant, &|| true);
            hunts.lock().expect("no hunt panics")[place] = Some(hunted);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let hunts = hunts.into_inner().expect("no hunt panics");
    hunts.into_iter().map(|hunt| hunt.expect("every bug was hunted")).collect()
}
