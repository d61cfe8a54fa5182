//! Tests of each memory against a plain list of all stored names: certain answers are right, the others err in the
//! direction that the memory states, and it is certain where it promises to be. A restart changes no answer.

use std::collections::BTreeSet;
use std::fmt::Debug;

use delivery_impls::data::record::{Identity, ProducerId};
use delivery_impls::store::simulated::SimulatedInventory;
use delivery_model::vocab::{Epoch, MessageId};
use proptest::prelude::*;

use super::*;

/// A publish: its session, its distance from the session's next name, and whether a restart comes after it.
#[derive(Clone, Copy, Debug)]
struct Publish {
    session: usize,
    ahead: i64,
    restarts: bool,
}

fn publishes() -> impl Strategy<Value = Vec<Publish>> {
    let ahead = prop_oneof![12 => -2..=1_i64, 4 => -10..10_i64, 1 => -300..300_i64];
    let publish = (0..SESSIONS.len(), ahead, prop::bool::weighted(0.05));
    let publish = publish.prop_map(|(session, ahead, restarts)| Publish { session, ahead, restarts });
    prop::collection::vec(publish, 1..150)
}

/// The producers, with two epochs for some of them.
const SESSIONS: [(u32, u32); 6] = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0)];

/// A kind of names, and what the list of stored names says of one.
trait Name: Copy + Ord + Debug {
    /// The name at this distance from the next one of its session.
    fn near(stored: &[Self], session: usize, ahead: i64) -> Self;

    /// Whether a name before it is missing.
    fn has_gap_before(self, stored: &BTreeSet<Self>) -> bool;
}

impl Name for Numbered {
    fn near(stored: &[Self], session: usize, ahead: i64) -> Self {
        let (producer, epoch) = SESSIONS[session];
        let session = Session { producer: ProducerId(producer), session: Epoch(epoch) };
        let next = highest(stored, session).map_or(0, |highest| highest + 1);
        Numbered { session, number: next.saturating_add_signed(ahead) }
    }

    fn has_gap_before(self, stored: &BTreeSet<Self>) -> bool {
        (0..self.number).any(|number| !stored.contains(&Numbered { number, ..self }))
    }
}

impl Name for Id {
    fn near(stored: &[Self], _: usize, ahead: i64) -> Self {
        id((stored.len() as u64).saturating_add_signed(ahead))
    }

    fn has_gap_before(self, _: &BTreeSet<Self>) -> bool {
        false
    }
}

impl Name for Identity {
    fn near(stored: &[Self], _: usize, ahead: i64) -> Self {
        let message = MessageId((stored.len() as u64).saturating_add_signed(ahead));
        Identity::Message { message, session: Session::default() }
    }

    fn has_gap_before(self, _: &BTreeSet<Self>) -> bool {
        false
    }
}

fn of(stored: &[Numbered], session: Session) -> impl DoubleEndedIterator<Item = u64> + '_ {
    stored.iter().filter(move |name| name.session == session).map(|name| name.number)
}

fn highest(stored: &[Numbered], session: Session) -> Option<u64> {
    of(stored, session).max()
}

/// Whether an answer is right, or wrong in a way that an uncertain memory may be.
fn is_allowed<N: Name>(errs: Errs, is_certain: bool, answer: Answer, name: N, seen: &BTreeSet<N>) -> bool {
    match (answer, seen.contains(&name)) {
        (Answer::New, false) | (Answer::Duplicate, true) => true,
        (Answer::Gap, is_seen) => !is_seen && name.has_gap_before(seen),
        (Answer::New, true) => !is_certain && errs == Errs::Accepts,
        (Answer::Duplicate, false) => !is_certain && errs == Errs::Suppresses,
        (Answer::Forgotten, _) => !is_certain && errs == Errs::Refuses,
    }
}

/// The distances from the next name that are tried: around every width of a memory here.
const LOOKS: [i64; 21] =
    [-301, -257, -193, -192, -191, -130, -129, -128, -127, -66, -65, -64, -63, -6, -5, -4, -3, -1, 0, 127, 128];

/// Publishes as a broker does, which stores what is new. `promised` says of which names the memory must be certain,
/// given all stored names, oldest first.
fn check<M: Dedup<Name: Name>>(
    mut memory: M,
    publishes: &[Publish],
    promised: impl Fn(&[M::Name], M::Name) -> bool,
) -> Result<(), TestCaseError> {
    let (mut stored, mut seen) = (Vec::new(), BTreeSet::new());
    for &Publish { session, ahead, restarts } in publishes {
        let name = M::Name::near(&stored, session, ahead);
        for asked in LOOKS.map(|ahead| M::Name::near(&stored, session, ahead)).into_iter().chain([name]) {
            let answer = memory.judge(asked).expect("it answers");
            let is_certain = memory.is_certain(asked).expect("it answers");
            let allowed = is_allowed(M::ERRS, is_certain, answer, asked, &seen);
            prop_assert!(allowed, "{asked:?}: {answer:?} (certain: {is_certain}) after {stored:?}");
            prop_assert!(is_certain || !promised(&stored, asked), "{asked:?} is promised after {stored:?}");
        }
        if memory.judge(name).expect("it answers") == Answer::New {
            memory.remember(name).expect("there is room");
            stored.push(name);
            seen.insert(name);
        }
        if restarts {
            let looks = LOOKS.map(|ahead| M::Name::near(&stored, session, ahead));
            let answers = |memory: &M| looks.map(|name| memory.judge(name).expect("it answers"));
            let before = answers(&memory);
            memory = M::recover(memory.into_snapshot()).expect("its own snapshot");
            prop_assert_eq!(answers(&memory), before, "a restart changed answers to {:?}", looks);
        }
    }
    Ok(())
}

/// The capacity of the table in tests.
const PRODUCERS: usize = 2;
/// The capacity of the sets in tests.
const IDS: usize = 7;

fn newest(stored: &[Id], id: Id) -> bool {
    stored.iter().rev().take(IDS).any(|other| *other == id)
}

/// Whether the table must know the session: its producer is among those that stored last, at its latest epoch, or is
/// new.
fn is_in_table(stored: &[Numbered], session: Session) -> bool {
    let mut latest: Vec<Session> = Vec::new();
    for name in stored.iter().rev() {
        if latest.iter().all(|known| known.producer != name.session.producer) && latest.len() < PRODUCERS {
            latest.push(name.session);
        }
    }
    let is_newcomer = stored.iter().all(|name| name.session.producer < session.producer);
    is_newcomer || latest.iter().any(|known| known.producer == session.producer && known.session <= session.session)
}

proptest! {
    #[test]
    fn a_high_water_mark_is_certain_from_its_mark_on_and_suppresses_below(publishes in publishes()) {
        check(HighWater::default(), &publishes, |stored, Numbered { session, number }| {
            highest(stored, session).is_none_or(|highest| number >= highest)
        })?;
    }

    #[test]
    fn a_bit_window_is_certain_within_its_width_and_refuses_left_of_it(publishes in publishes()) {
        let within = |width| move |stored: &[_], Numbered { session, number }| {
            highest(stored, session).is_none_or(|highest| number + width >= highest)
        };
        check(BitWindow::<2>::default(), &publishes, within(64))?;
        check(BitWindow::<4>::default(), &publishes, within(192))?;
    }

    #[test]
    fn the_last_five_are_certain_and_what_was_before_is_refused(publishes in publishes()) {
        check(LastFive::default(), &publishes, |stored, Numbered { session, number }| {
            of(stored, session).rev().take(5).any(|last| last == number)
                || highest(stored, session).is_none_or(|highest| number > highest)
        })?;
    }

    #[test]
    fn a_producer_in_the_table_is_never_misjudged_and_a_forgotten_one_refused(publishes in publishes()) {
        check(ProducerTable::new(PRODUCERS), &publishes, |stored, name| is_in_table(stored, name.session))?;
    }

    #[test]
    fn the_last_ids_are_certain_and_older_ones_accepted_again(publishes in publishes()) {
        check(ExactIds::new(IDS), &publishes, |stored, id| stored.len() <= IDS || newest(stored, id))?;
        check(TwoGenerations::new(IDS), &publishes, |stored, id| stored.len() < 2 * IDS || newest(stored, id))?;
    }

    #[test]
    fn what_is_in_the_store_is_never_forgotten(publishes in publishes()) {
        check(Durable::<SimulatedInventory>::default(), &publishes, |_, _| true)?;
    }
}

/// Checks that a batch is answered as its names are one by one, whatever it makes the memory forget, and that both leave
/// the same memory behind.
fn check_batches<M: Dedup<Name: Name, Snapshot = Vec<u8>>>(
    new: impl Fn() -> M,
    batches: &[Vec<M::Name>],
) -> Result<(), TestCaseError> {
    let (mut by_batch, mut by_name) = (new(), new());
    for batch in batches {
        let mut answers = Vec::new();
        by_batch.admit_all(batch, &mut answers).expect("it answers");
        let mut expected = Vec::new();
        for &name in batch {
            let answer = by_name.judge(name).expect("it answers");
            if answer == Answer::New {
                by_name.remember(name).expect("there is room");
            }
            expected.push(answer);
        }
        prop_assert_eq!(answers, expected, "{:?}", batch);
    }
    prop_assert_eq!(by_batch.into_snapshot(), by_name.into_snapshot());
    Ok(())
}

proptest! {
    #[test]
    fn a_batch_is_answered_as_its_names_one_by_one(
        batches in prop::collection::vec(prop::collection::vec((0..SESSIONS.len() as u32, 0..200u64), 0..100), 1..8),
        capacity in 1..9usize,
    ) {
        let numbered = batches.iter().map(|batch| {
            let name = |&(session, number): &(u32, u64)| numbered(session / 2, session % 2, number % 40);
            batch.iter().map(name).collect()
        });
        let numbered: Vec<Vec<Numbered>> = numbered.collect();
        let ids: Vec<Vec<Id>> =
            batches.iter().map(|batch| batch.iter().map(|(_, number)| id(*number)).collect()).collect();
        check_batches(HighWater::default, &numbered)?;
        check_batches(BitWindow::<2>::default, &numbered)?;
        check_batches(LastFive::default, &numbered)?;
        check_batches(|| ProducerTable::new(capacity), &numbered)?;
        check_batches(|| ExactIds::new(capacity * 5), &ids)?;
        check_batches(|| TwoGenerations::new(capacity * 5), &ids)?;
    }
}

fn numbered(producer: u32, epoch: u32, number: u64) -> Numbered {
    Numbered { session: Session { producer: ProducerId(producer), session: Epoch(epoch) }, number }
}

fn id(n: u64) -> Id {
    Id(n, n % 3)
}

/// The answer on `asked` after the names `stored`.
fn answer<M: Dedup>(mut memory: M, stored: impl IntoIterator<Item = M::Name>, asked: M::Name) -> Answer {
    for name in stored {
        assert_eq!(memory.judge(name).expect("it answers"), Answer::New, "{name:?}");
        memory.remember(name).expect("there is room");
    }
    memory.judge(asked).expect("it answers")
}

fn numbers(range: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Numbered> {
    range.into_iter().map(|number| numbered(0, 0, number))
}

#[test]
fn a_high_water_mark_loses_what_fills_a_gap() {
    assert_eq!(answer(HighWater::default(), numbers([0, 2]), numbered(0, 0, 1)), Answer::Duplicate);
    assert_eq!(answer(HighWater::default(), numbers([0, 2]), numbered(0, 1, 1)), Answer::New);
}

#[test]
fn a_bit_window_takes_numbers_in_any_order_and_refuses_what_it_slid_past() {
    let check = |stored: &[u64], asked, expected| {
        let memory = BitWindow::<2>::default();
        assert_eq!(
            answer(memory, numbers(stored.iter().copied()), numbered(0, 0, asked)),
            expected,
            "{stored:?} {asked}"
        );
    };
    check(&[5, 3, 4], 3, Answer::Duplicate);
    check(&[5, 3, 4], 2, Answer::New);
    check(&[0, 127], 0, Answer::Duplicate);
    check(&[0, 128], 0, Answer::Forgotten);
    check(&[0, 128], 63, Answer::Forgotten);
    check(&[0, 128], 64, Answer::New);
    // The words of the last lap are cleared, all of them if necessary.
    check(&[1, 65, 127, 129], 193, Answer::New);
    check(&[1, 65, 127, 320], 257, Answer::New);
    check(&[1, 65, 127, 320], 321, Answer::New);
}

#[test]
fn the_last_five_match_exactly() {
    let check = |asked, expected| {
        assert_eq!(answer(LastFive::default(), numbers(3..=10), numbered(0, 0, asked)), expected, "{asked}");
    };
    check(5, Answer::Forgotten);
    check(6, Answer::Duplicate);
    check(10, Answer::Duplicate);
    check(11, Answer::New);
    check(12, Answer::Gap);
    assert_eq!(answer(LastFive::default(), numbers(3..=4), numbered(0, 0, 2)), Answer::Forgotten);
}

#[test]
fn a_producer_table_waits_for_what_is_missing_and_never_slides_past_it() {
    let check = |stored: Vec<u64>, asked, expected| {
        let memory = ProducerTable::new(PRODUCERS);
        assert_eq!(answer(memory, numbers(stored.clone()), numbered(0, 0, asked)), expected, "{stored:?} {asked}");
    };
    check(vec![], 127, Answer::New);
    check(vec![], 128, Answer::Gap);
    check((1..128).collect(), 128, Answer::Gap);
    check((1..128).collect(), 0, Answer::New);
    check((0..128).rev().collect(), 128, Answer::New);
    check((0..128).rev().collect(), 255, Answer::New);
    check((0..128).rev().collect(), 256, Answer::Gap);
    check((0..128).rev().collect(), 0, Answer::Duplicate);
    check(vec![0, 2], 1, Answer::New);
    check(vec![0, 2], 2, Answer::Duplicate);
}

#[test]
fn a_full_producer_table_forgets_the_quietest_and_refuses_it_from_then_on() {
    let stored = [numbered(5, 0, 0), numbered(7, 0, 0), numbered(5, 0, 1), numbered(9, 0, 0)];
    let check = |asked, expected| {
        assert_eq!(answer(ProducerTable::new(PRODUCERS), stored, asked), expected, "{asked:?}");
    };
    check(numbered(5, 0, 1), Answer::Duplicate);
    check(numbered(7, 0, 0), Answer::Forgotten);
    check(numbered(7, 1, 0), Answer::Forgotten);
    check(numbered(6, 0, 0), Answer::Forgotten);
    check(numbered(8, 0, 0), Answer::New);
    check(numbered(9, 1, 0), Answer::New);
}

#[test]
fn an_older_epoch_is_refused_and_a_newer_one_starts_anew() {
    let stored = [numbered(5, 1, 0), numbered(5, 2, 0)];
    let check = |asked, expected| {
        assert_eq!(answer(ProducerTable::new(PRODUCERS), stored, asked), expected, "{asked:?}");
    };
    check(numbered(5, 1, 0), Answer::Forgotten);
    check(numbered(5, 1, 1), Answer::Forgotten);
    check(numbered(5, 2, 0), Answer::Duplicate);
    check(numbered(5, 2, 1), Answer::New);
    check(numbered(5, 3, 0), Answer::New);
}

#[test]
fn ids_past_what_is_remembered_are_accepted_again() {
    let check = |stored: u64, asked, exact, generations| {
        let stored = || (0..stored).map(id);
        assert_eq!(answer(ExactIds::new(3), stored(), id(asked)), exact, "exact: {asked}");
        assert_eq!(answer(TwoGenerations::new(3), stored(), id(asked)), generations, "two generations: {asked}");
    };
    check(3, 0, Answer::Duplicate, Answer::Duplicate);
    check(4, 0, Answer::New, Answer::Duplicate);
    check(5, 0, Answer::New, Answer::Duplicate);
    check(6, 0, Answer::New, Answer::New);
    check(6, 2, Answer::New, Answer::New);
    check(6, 3, Answer::Duplicate, Answer::Duplicate);
    check(8, 3, Answer::New, Answer::Duplicate);
}

/// These bytes with their checksum behind them.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// Checks that a damaged snapshot is an error, or that of another memory.
fn check_damaged<M: Dedup<Snapshot = Vec<u8>>>(memory: M, stored: &[M::Name], at: usize, with: Option<u8>)
where
    M::RecoverError: PartialEq,
{
    let mut memory = memory;
    for &name in stored {
        if memory.judge(name).expect("it answers") == Answer::New {
            memory.remember(name).expect("there is room");
        }
    }
    let mut bytes = memory.into_snapshot();
    let at = at % bytes.len();
    let is_damaged = with != Some(bytes[at]);
    match with {
        Some(byte) => bytes[at] = byte,
        None => bytes.truncate(at),
    }
    match M::recover(bytes.clone()) {
        Ok(recovered) => {
            assert!(!is_damaged, "a damaged snapshot was taken");
            assert_eq!(recovered.into_snapshot(), bytes, "what is accepted is kept");
        }
        Err(why) => assert!(is_damaged, "a sound snapshot was refused: {why:?}"),
    }
    // Beneath a checksum that fits, too, nothing is taken that the memory would not write.
    let sealed = seal(bytes);
    if let Ok(recovered) = M::recover(sealed.clone()) {
        assert_eq!(recovered.into_snapshot(), sealed, "what is accepted is kept");
    }
}

proptest! {
    #[test]
    fn a_damaged_snapshot_is_refused(
        publishes in publishes(), at: usize, with in prop::option::of(any::<u8>()),
    ) {
        let mut names = Vec::new();
        for Publish { session, ahead, .. } in publishes {
            names.push(Numbered::near(&names, session, ahead.min(1)));
        }
        let ids: Vec<Id> = (0..names.len() as u64 % 20).map(id).collect();
        check_damaged(HighWater::default(), &names, at, with);
        check_damaged(BitWindow::<2>::default(), &names, at, with);
        check_damaged(LastFive::default(), &names, at, with);
        check_damaged(ProducerTable::new(PRODUCERS), &names, at, with);
        check_damaged(ExactIds::new(IDS), &ids, at, with);
        check_damaged(TwoGenerations::new(IDS), &ids, at, with);
    }
}

/// Checks every contradiction that a snapshot can have, with bytes that have it.
#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    fn check<M: Dedup<Snapshot = Vec<u8>, RecoverError = SnapshotError>>(
        head: [u8; 2],
        fields: &[u64],
        expected: &str,
    ) {
        let fields = fields.iter().flat_map(|field| field.to_le_bytes());
        let Err(why) = M::recover(seal(head.into_iter().chain(fields).collect())) else {
            panic!("expected {expected}");
        };
        assert!(why.to_string().starts_with(&format!("expected {expected}")), "{why}");
    }
    // A session is one field: the producer below, the epoch above.
    const EPOCH: u64 = 1 << 32;
    check::<HighWater>([1, 1], &[2, 7, 0, 7, 0], "sessions in rising order");
    check::<HighWater>([1, 1], &[2, 7, 0, EPOCH, 0], "sessions in rising order");
    check::<BitWindow<2>>([2, 1], &[3], "windows as wide as these");
    check::<BitWindow<2>>([2, 1], &[2, 1, 7, 4, 0b1_0000, 1], "a window that ends with its highest number");
    check::<BitWindow<2>>([2, 1], &[2, 1, 7, 4, 0b11_0000, 0], "a window that ends with its highest number");
    check::<BitWindow<2>>([2, 1], &[2, 1, 7, 4, 0b1000, 0], "a window that ends with its highest number");
    check::<LastFive>([4, 1], &[1, 7, 9, 6], "one to five numbers");
    check::<LastFive>([4, 1], &[1, 7, 9, 0], "one to five numbers");
    check::<LastFive>([4, 1], &[1, 7, 1, 3], "one to five numbers, none below 0");
    // Capacity, the id below which producers are refused, and a count; then session, next number and window of each.
    check::<ProducerTable>([3, 1], &[2, 0, 1, 7, 0, 1, 0], "a window that starts with what is missing");
    check::<ProducerTable>([3, 1], &[2, 0, 1, 7, u64::MAX - 127, 2, 0], "a window that starts with what is missing");
    check::<ProducerTable>([3, 1], &[2, 0, 2, 7, 0, 2, 0, 7, 0, 2, 0], "every producer once");
    check::<ProducerTable>([3, 1], &[2, 0, 2, 7, 0, 2, 0, 7 + EPOCH, 0, 2, 0], "every producer once");
    check::<ProducerTable>([3, 1], &[1, 0, 2, 7, 0, 2, 0, 8, 0, 2, 0], "no more producers than there is room for");
    check::<ProducerTable>([3, 1], &[0, 0, 0], "no more producers than there is room for");
    check::<ProducerTable>([3, 1], &[u64::MAX, 0, 0], "no more producers than there is room for");
}

/// The snapshots of sets have fields of several widths: capacity, whether an identity was forgotten, and identities.
#[test]
fn a_snapshot_of_sets_that_contradict_themselves_is_refused() {
    fn check<M: Dedup<Snapshot = Vec<u8>, RecoverError = SnapshotError>>(
        (tag, capacity, has_forgotten): (u8, u64, u32),
        sets: &[&[u64]],
        expected: Option<&str>,
    ) {
        let mut bytes = vec![tag, 1];
        bytes.extend(capacity.to_le_bytes());
        bytes.extend(has_forgotten.to_le_bytes());
        for set in sets {
            bytes.extend((set.len() as u64).to_le_bytes());
            set.iter().map(|n| id(*n)).for_each(|Id(first, second)| {
                bytes.extend([first, second].into_iter().flat_map(u64::to_le_bytes));
            });
        }
        let said = M::recover(seal(bytes)).err().map(|why| why.to_string());
        let is_expected = match (&said, expected) {
            (Some(said), Some(expected)) => said.starts_with(&format!("expected {expected}")),
            (said, expected) => said.is_none() && expected.is_none(),
        };
        assert!(is_expected, "{tag} {sets:?}: {said:?}, expected {expected:?}");
    }
    check::<ExactIds>((5, 2, 0), &[&[2, 1]], None);
    check::<ExactIds>((5, 2, 1), &[&[2, 1]], None);
    check::<ExactIds>((5, 2, 0), &[&[1, 1]], Some("every id once"));
    check::<ExactIds>((5, 1, 0), &[&[1, 2]], Some("no more ids than it remembers"));
    check::<ExactIds>((5, 0, 0), &[&[]], Some("no more ids than it remembers"));
    check::<ExactIds>((5, 2, 1), &[&[1]], Some("a full set, or no loss"));
    check::<ExactIds>((5, 2, 2), &[&[1, 2]], Some("a full set, or no loss"));
    check::<TwoGenerations>((6, 2, 0), &[&[1, 2], &[3]], None);
    check::<TwoGenerations>((6, 2, 1), &[&[1, 2], &[3]], None);
    check::<TwoGenerations>((6, 3, 0), &[&[], &[1, 1]], Some("ids in rising order"));
    check::<TwoGenerations>((6, 2, 0), &[&[2, 1], &[]], Some("ids in rising order"));
    check::<TwoGenerations>((6, 2, 0), &[&[], &[1, 2]], Some("a full set, or none"));
    check::<TwoGenerations>((6, 2, 0), &[&[1], &[]], Some("a full set, or none"));
    check::<TwoGenerations>((6, 2, 1), &[&[], &[1]], Some("a set that took the place of another, or no loss"));
}

#[test]
fn a_producer_table_remembers_nothing_from_beyond_its_window_and_recovers_at_the_last_numbers() {
    let mut table = ProducerTable::new(PRODUCERS);
    let remember = |table: &mut ProducerTable, number| table.remember(numbered(0, 0, number)).expect("there is room");
    remember(&mut table, 0);
    remember(&mut table, 129);
    assert_eq!(
        [1, 2, 129].map(|number| table.judge(numbered(0, 0, number))),
        [Ok(Answer::New), Ok(Answer::New), Ok(Answer::Gap)]
    );
    let last = u64::MAX - 128;
    let fields = [2, 0, 1, 7, last, 2, 0].into_iter().flat_map(u64::to_le_bytes);
    let table = ProducerTable::recover(seal([3, 1].into_iter().chain(fields).collect())).expect("it is plausible");
    assert_eq!(table.judge(numbered(7, 0, last)), Ok(Answer::New));
    assert_eq!(table.judge(numbered(7, 0, last - 1)), Ok(Answer::Duplicate));
}
