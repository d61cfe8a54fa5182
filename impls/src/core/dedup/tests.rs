//! Tests of each memory against a plain list of the records that it covers.

use delivery_model::vocab::{Epoch, MessageId};
use proptest::prelude::*;

use super::*;
use crate::data::record::{ProducerId, Session};

fn settings(dedup: Dedup, dedup_window: u32) -> pipeline::Broker {
    pipeline::Broker { dedup, dedup_window, ..Default::default() }
}

fn sequence(session: u32, number: u64) -> Identity {
    Identity::Sequence { session: Session { producer: ProducerId(0), session: Epoch(session) }, number }
}

fn id(message: u64) -> Identity {
    Identity::Message { message: MessageId(message), session: Session::default() }
}

fn check(settings: &pipeline::Broker, stored: &[Identity], asked: Identity, expected: Familiarity) {
    let mut memory = Memory::new(settings, Position(0));
    (0..).map(Position).zip(stored).for_each(|(position, identity)| memory.remember(position, *identity));
    assert_eq!(memory.judge(asked), expected, "{asked:?} after {stored:?}");
}

#[test]
fn the_next_number_is_new_an_older_one_a_duplicate_a_later_one_a_gap() {
    let by_sequence = settings(Dedup::Sequence, 0);
    let stored = [sequence(0, 0), sequence(0, 1)];
    check(&by_sequence, &stored, sequence(0, 0), Familiarity::Duplicate);
    check(&by_sequence, &stored, sequence(0, 1), Familiarity::Duplicate);
    check(&by_sequence, &stored, sequence(0, 2), Familiarity::New);
    check(&by_sequence, &stored, sequence(0, 3), Familiarity::Gap);
    check(&by_sequence, &stored, sequence(1, 0), Familiarity::New);
    check(&by_sequence, &stored, sequence(1, 7), Familiarity::Gap);
}

#[test]
fn where_something_was_forgotten_a_session_may_go_on_anywhere() {
    let by_sequence = settings(Dedup::Sequence, 1);
    let stored = [sequence(0, 0), sequence(1, 0)];
    check(&by_sequence, &stored, sequence(0, 7), Familiarity::New);
    check(&by_sequence, &stored, sequence(1, 7), Familiarity::Gap);
}

#[test]
fn an_id_is_a_duplicate_while_the_window_covers_it() {
    let stored = [id(1), id(2), id(3)];
    check(&settings(Dedup::MessageId, 0), &stored, id(1), Familiarity::Duplicate);
    check(&settings(Dedup::MessageId, 2), &stored, id(1), Familiarity::New);
    check(&settings(Dedup::MessageId, 2), &stored, id(2), Familiarity::Duplicate);
    check(&settings(Dedup::None, 0), &stored, id(1), Familiarity::New);
}

/// A session may never come back, so entries of it would stay permanently.
#[test]
fn nothing_is_kept_of_what_is_forgotten() {
    let check = |dedup, identity: fn(u32) -> Identity| {
        let mut memory = Memory::new(&settings(dedup, 0), Position(0));
        (0..9).for_each(|number| memory.remember(Position(number.into()), identity(number)));
        memory.forget();
        assert_eq!(memory, Memory::new(&settings(dedup, 0), Position(9)), "{dedup:?}");
    };
    check(Dedup::Sequence, |number| sequence(number % 3, (number / 3).into()));
    check(Dedup::MessageId, |number| id(number.into()));
}

#[test]
fn a_memory_made_anew_covers_what_was_forgotten_too() {
    let check = |window, covers, rebuilt| {
        let mut memory = Memory::new(&settings(Dedup::Sequence, window), Position(0));
        (0..5).for_each(|number| memory.remember(Position(number), sequence(0, number)));
        assert_eq!(memory.covers(), covers);
        memory.forget();
        assert_eq!((memory.covers(), memory.covers_rebuilt()), (0, rebuilt));
    };
    check(0, 5, 5);
    check(3, 3, 3);
    check(9, 5, 5);
}

/// The answer by definition, from a plain list of identities.
fn by_definition(dedup: Dedup, covered: &[Identity], is_whole: bool, asked: Identity) -> Familiarity {
    let Identity::Sequence { session, number } = asked else {
        return if covered.contains(&asked) { Familiarity::Duplicate } else { Familiarity::New };
    };
    if dedup == Dedup::MessageId {
        return if covered.contains(&asked) { Familiarity::Duplicate } else { Familiarity::New };
    }
    let numbers = covered.iter().filter_map(|stored| match *stored {
        Identity::Sequence { session: other, number } if other == session => Some(number),
        _ => None,
    });
    match numbers.max() {
        Some(last) if number <= last => Familiarity::Duplicate,
        Some(last) if number > last + 1 => Familiarity::Gap,
        None if is_whole && number > 0 => Familiarity::Gap,
        _ => Familiarity::New,
    }
}

proptest! {
    /// The stored identities include numbers that a memory with gaps let in, and all may be forgotten at any time.
    #[test]
    fn it_answers_as_a_list_of_the_covered_records_would(
        dedup in prop::sample::select(vec![Dedup::MessageId, Dedup::Sequence]),
        window in 0..4u32,
        stored in prop::collection::vec((0..3u32, 0..5u64, prop::bool::weighted(0.1)), 0..20),
    ) {
        let mut memory = Memory::new(&settings(dedup, window), Position(0));
        let (mut list, mut floor) = (Vec::new(), 0);
        for (session, number, forgets) in stored {
            memory.remember(Position(list.len() as u64), sequence(session, number));
            list.push(sequence(session, number));
            if forgets {
                memory.forget();
                floor = list.len();
            }
            if window > 0 {
                floor = floor.max(list.len().saturating_sub(window as usize));
            }
            prop_assert_eq!(memory.covers(), (list.len() - floor) as u64);
            for (session, number) in (0..3).flat_map(|session| (0..7).map(move |number| (session, number))) {
                let asked = sequence(session, number);
                prop_assert_eq!(memory.judge(asked), by_definition(dedup, &list[floor..], floor == 0, asked));
            }
        }
    }
}
