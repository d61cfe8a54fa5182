//! Which spans speak of one message: by its id, the context in which it was made, its place in the log, or a key of the user's.
//!
//! Whatever two spans share makes them speak of one message, unless that would make one of two messages with different ids.

use std::collections::HashMap;
use std::sync::Arc;

use crate::build::bounded;
use crate::row::Name;

/// What a message is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Its id.
    Id(Arc<str>),
    /// Topic, partition and offset.
    Place(Arc<str>, Arc<str>, u64),
    /// The attribute that the user named.
    User(Arc<str>),
    /// A span that speaks of this message alone: its trace and its own id.
    Span(Arc<str>, Arc<str>),
}

/// Sets of keys, each of one message.
#[derive(Default)]
pub struct Messages {
    of: HashMap<Key, usize>,
    keys: Vec<Key>,
    parents: Vec<usize>,
    /// The id of the message that each root stands for.
    ids: Vec<Option<Arc<str>>>,
    /// How often two messages with different ids shared a key.
    pub clashes: u64,
}

impl Messages {
    fn place(&mut self, key: &Key) -> usize {
        if let Some(&place) = self.of.get(key) {
            return place;
        }
        let place = self.parents.len();
        self.of.insert(key.clone(), place);
        self.keys.push(key.clone());
        self.parents.push(place);
        self.ids.push(match key {
            Key::Id(id) => Some(Arc::clone(id)),
            _ => None,
        });
        place
    }

    fn root(&mut self, mut place: usize) -> usize {
        while self.parents[place] != place {
            self.parents[place] = self.parents[self.parents[place]];
            place = self.parents[place];
        }
        place
    }

    /// Says that both keys are of one message.
    pub fn join(&mut self, one: &Key, other: &Key) {
        let (one, other) = (self.place(one), self.place(other));
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        if self.ids[one].is_some() && self.ids[other].is_some() {
            self.clashes += 1;
            return;
        }
        // The one that was known first stays, so that names do not depend on what follows.
        let (first, second) = (one.min(other), one.max(other));
        self.parents[second] = first;
        if self.ids[first].is_none() {
            self.ids[first] = self.ids[second].take();
        }
    }

    /// The message that this key is of.
    pub fn message(&mut self, key: &Key) -> usize {
        let place = self.place(key);
        self.root(place)
    }

    /// The names of all messages, by their number: the id, else the place, else the user's key, else the span.
    pub fn names(&mut self) -> HashMap<usize, Name> {
        let rank = |key: &Key| match key {
            Key::Id(_) => 0,
            Key::Place(..) => 1,
            Key::User(_) => 2,
            Key::Span(..) => 3,
        };
        let mut best: HashMap<usize, usize> = HashMap::new();
        for place in 0..self.keys.len() {
            let root = self.root(place);
            let known = best.entry(root).or_insert(place);
            if rank(&self.keys[place]) < rank(&self.keys[*known]) {
                *known = place;
            }
        }
        best.into_iter().map(|(root, place)| (root, name(&self.keys[place]))).collect()
    }
}

fn name(key: &Key) -> Name {
    match key {
        Key::Id(id) | Key::User(id) => Name::of(id),
        Key::Place(topic, partition, offset) => match (bounded(topic), bounded(partition)) {
            (topic, "") => Name::Text(format!("{topic}/{offset}").into()),
            (topic, partition) => Name::Text(format!("{topic}/{partition}/{offset}").into()),
        },
        Key::Span(_, span) => Name::Text(format!("span {span}").into()),
    }
}
