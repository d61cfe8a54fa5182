//! The memories that ours are compared with: maps, sets and caches of others, each used as its documents say.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

use delivery_impls::data::record::{ProducerId, Session};
use delivery_memories::{Answer, Errs, Id, Numbered, ProducerState};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use rangemap::RangeInclusiveSet;
use roaring::RoaringTreemap;
use webrtc_util::replay_detector::{ReplayDetector, SlidingWindowDetector};

use crate::memories::{Entrant, Recognise, Takes};

/// The numbers of one producer that a set with a limit keeps.
const WINDOW: usize = 2048;
/// The time for which a map of strings keeps an id, in publishes: there is no clock here.
type Time = u64;

/// A memory that says of one name whether it is new, and remembers it then.
struct OneByOne<F>(F);

impl<N: Copy, F: FnMut(N) -> bool> Recognise<N> for OneByOne<F> {
    fn admit_all(&mut self, names: &[N], answers: &mut Vec<Answer>) {
        let answer = |name: &N| if (self.0)(*name) { Answer::New } else { Answer::Duplicate };
        answers.extend(names.iter().map(answer));
    }
}

fn one_by_one<N: Copy>(is_new: impl FnMut(N) -> bool + 'static) -> Box<dyn Recognise<N>> {
    Box::new(OneByOne(is_new))
}

/// A memory that has a state for each producer.
struct ByState<F>(F);

impl<F: FnMut(Numbered) -> Answer> Recognise<Numbered> for ByState<F> {
    fn admit_all(&mut self, names: &[Numbered], answers: &mut Vec<Answer>) {
        answers.extend(names.iter().map(|name| (self.0)(*name)));
    }
}

fn by_state(admit: impl FnMut(Numbered) -> Answer + 'static) -> Box<dyn Recognise<Numbered>> {
    Box::new(ByState(admit))
}

/// A hash set, and a queue of the order in which it forgets.
fn set_and_queue<N, S>(capacity: usize) -> Box<dyn Recognise<N>>
where
    N: Copy + Eq + Hash + 'static,
    S: BuildHasher + Default + 'static,
{
    let (mut seen, mut order) = (HashSet::<N, S>::default(), VecDeque::new());
    one_by_one(move |name| {
        let is_new = seen.insert(name);
        if is_new {
            order.push_back(name);
            if order.len() > capacity
                && let Some(oldest) = order.pop_front()
            {
                seen.remove(&oldest);
            }
        }
        is_new
    })
}

/// A map of strings to the time at which they came, and a queue of them by time, as in NATS JetStream (`ddmap` and
/// `ddarr`). A time is a publish, and the window is that of so many new ids.
fn strings_by_time(window: usize) -> Box<dyn Recognise<Id>> {
    let (mut times, mut queue, mut now) = (HashMap::<String, Time>::new(), VecDeque::<(Time, String)>::new(), 0);
    one_by_one(move |Id(high, low)| {
        let id = format!("{high:016x}{low:016x}");
        if times.contains_key(&id) {
            return false;
        }
        times.insert(id.clone(), now);
        queue.push_back((now, id));
        now += 1;
        while let Some((_, id)) = queue.pop_front_if(|(time, _)| *time + (window as Time) < now) {
            times.remove(&id);
        }
        true
    })
}

fn quick_cache<N: Copy + Eq + Hash + 'static>(capacity: usize) -> Box<dyn Recognise<N>> {
    let mut seen = quick_cache::unsync::Cache::new(capacity);
    one_by_one(move |name| {
        let is_new = seen.get(&name).is_none();
        if is_new {
            seen.insert(name, ());
        }
        is_new
    })
}

fn moka<N: Copy + Eq + Hash + Send + Sync + 'static>(capacity: usize) -> Box<dyn Recognise<N>> {
    let seen = moka::sync::Cache::new(capacity as u64);
    one_by_one(move |name| seen.entry(name).or_insert(()).is_fresh())
}

/// A set of the numbers ahead of a watermark, for every session.
fn tree_and_watermark(_: usize) -> Box<dyn Recognise<Numbered>> {
    let mut sessions = BTreeMap::<Session, (u64, BTreeSet<u64>)>::new();
    one_by_one(move |Numbered { session, number }| {
        let (next, ahead) = sessions.entry(session).or_default();
        let is_new = number >= *next && ahead.insert(number);
        while ahead.first() == Some(next) {
            ahead.pop_first();
            *next += 1;
        }
        is_new
    })
}

fn roaring(_: usize) -> Box<dyn Recognise<Numbered>> {
    let mut sessions = hashbrown::HashMap::<Session, RoaringTreemap, FixedState>::default();
    one_by_one(move |Numbered { session, number }| sessions.entry(session).or_default().insert(number))
}

fn ranges(_: usize) -> Box<dyn Recognise<Numbered>> {
    let mut sessions = hashbrown::HashMap::<Session, RangeInclusiveSet<u64>, FixedState>::default();
    one_by_one(move |Numbered { session, number }| {
        let seen = sessions.entry(session).or_default();
        let is_new = !seen.contains(&number);
        if is_new {
            seen.insert(number..=number);
        }
        is_new
    })
}

fn replay_detector(_: usize) -> Box<dyn Recognise<Numbered>> {
    let mut sessions = hashbrown::HashMap::<Session, SlidingWindowDetector, FixedState>::default();
    one_by_one(move |Numbered { session, number }| {
        let detector = sessions.entry(session).or_insert_with(|| SlidingWindowDetector::new(WINDOW, u64::MAX));
        let is_new = detector.check(number);
        if is_new {
            detector.accept();
        }
        is_new
    })
}

/// A map of producers to the state that the producer table keeps of each.
fn states<S: BuildHasher + Default + 'static>(_: usize) -> Box<dyn Recognise<Numbered>> {
    let mut states = hashbrown::HashMap::<ProducerId, ProducerState, S>::default();
    by_state(move |name| states.entry(name.session.producer).or_default().admit(name))
}

fn tree_of_states(_: usize) -> Box<dyn Recognise<Numbered>> {
    let mut states = BTreeMap::<ProducerId, ProducerState>::new();
    by_state(move |name| states.entry(name.session.producer).or_default().admit(name))
}

fn quick_cache_of_states(capacity: usize) -> Box<dyn Recognise<Numbered>> {
    let mut states = quick_cache::unsync::Cache::<ProducerId, ProducerState>::new(capacity);
    by_state(move |name| {
        let producer = name.session.producer;
        if let Some(mut state) = states.get_mut(&producer) {
            return state.admit(name);
        }
        let mut state = ProducerState::default();
        let answer = state.admit(name);
        states.insert(producer, state);
        answer
    })
}

const fn peer<N>(id: &'static str, errs: Errs, takes: Takes, new: fn(usize) -> Box<dyn Recognise<N>>) -> Entrant<N> {
    Entrant { id, errs, takes, new }
}

/// The peers for the numbers of one producer.
pub const ONE_PRODUCER: [Entrant<Numbered>; 8] = [
    // It drops what is left of its window as if it had been seen.
    peer("webrtc-util", Errs::Suppresses, Takes::AnyOrder, replay_detector),
    peer("btree-watermark", Errs::Never, Takes::AnyOrder, tree_and_watermark),
    peer("roaring", Errs::Never, Takes::AnyOrder, roaring),
    peer("rangemap", Errs::Never, Takes::AnyOrder, ranges),
    peer("hashbrown-sip", Errs::Accepts, Takes::AnyOrder, |_| set_and_queue::<_, RandomState>(WINDOW)),
    peer("hashbrown-fold", Errs::Accepts, Takes::AnyOrder, |_| set_and_queue::<_, FixedState>(WINDOW)),
    peer("quick_cache", Errs::Accepts, Takes::AnyOrder, |_| quick_cache(WINDOW)),
    peer("moka", Errs::Accepts, Takes::AnyOrder, |_| moka(WINDOW)),
];

/// The peers for many producers.
pub const PRODUCERS: [Entrant<Numbered>; 4] = [
    peer("hashbrown-sip", Errs::Never, Takes::Within(128), states::<RandomState>),
    peer("hashbrown-fold", Errs::Never, Takes::Within(128), states::<FixedState>),
    peer("btree", Errs::Never, Takes::Within(128), tree_of_states),
    peer("quick_cache", Errs::Accepts, Takes::Within(128), quick_cache_of_states),
];

/// The peers for ids. Those with a queue remember what exact ids do.
pub const IDS: [Entrant<Id>; 5] = [
    peer("hashbrown-sip", Errs::Accepts, Takes::AnyOrder, set_and_queue::<_, RandomState>),
    peer("hashbrown-fold", Errs::Accepts, Takes::AnyOrder, set_and_queue::<_, FixedState>),
    peer("strings-by-time", Errs::Accepts, Takes::AnyOrder, strings_by_time),
    peer("quick_cache", Errs::Accepts, Takes::AnyOrder, quick_cache),
    peer("moka", Errs::Accepts, Takes::AnyOrder, moka),
];
