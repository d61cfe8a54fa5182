//! A sorted map that is fast while it is small.
//!
//! What a party has under way is most often a handful of things. So a few entries stand in one vector in the order of their
//! keys, and more stand in a tree. A map that was emptied keeps the room of its vector.

use std::collections::{BTreeMap, btree_map};
use std::hash::{Hash, Hasher};
use std::slice;

/// The most entries that stand in the vector: more are slower to move than to find in a tree.
const FEW_MAX: usize = 16;
/// The number of entries at which a tree becomes a vector again. It is far below [`FEW_MAX`], so that a map that grows and
/// shrinks by a few is not moved again and again.
const FEW_AGAIN: usize = 4;

/// A map in the order of its keys. Maps with equal entries are equal.
#[derive(Clone, Debug)]
pub struct SmallMap<K, V> {
    few: Vec<(K, V)>,
    /// All entries, if there are many; then `few` is empty.
    many: BTreeMap<K, V>,
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap { few: Vec::new(), many: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, V> SmallMap<K, V> {
    /// The number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// The place of the key in the vector, or the place where it would stand.
    #[inline]
    fn place(&self, key: &K) -> Result<usize, usize> {
        let place = self.few.iter().position(|(other, _)| other >= key).unwrap_or(self.few.len());
        if self.few.get(place).is_some_and(|(other, _)| other == key) { Ok(place) } else { Err(place) }
    }

    /// The value of this key.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        match self.place(key) {
            Ok(place) => Some(&self.few[place].1),
            Err(_) if self.many.is_empty() => None,
            Err(_) => self.many.get(key),
        }
    }

    /// The value of this key, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.place(key) {
            Ok(place) => Some(&mut self.few[place].1),
            Err(_) if self.many.is_empty() => None,
            Err(_) => self.many.get_mut(key),
        }
    }

    /// Whether there is an entry of this key.
    #[inline]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Adds an entry. Returns the value that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.few[place].1, value)),
            Err(place) if self.many.is_empty() && self.few.len() < FEW_MAX => {
                self.few.insert(place, (key, value));
                None
            }
            Err(_) => {
                self.many.extend(self.few.drain(..));
                self.many.insert(key, value)
            }
        }
    }

    /// The value of this key, which is added if it is missing.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if !self.contains_key(&key) {
            self.insert(key, V::default());
        }
        self.get_mut(&key).expect("it is there")
    }

    /// Removes the entry of this key. Returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        match self.place(key) {
            Ok(place) => Some(self.few.remove(place).1),
            Err(_) if self.many.is_empty() => None,
            Err(_) => {
                let removed = self.many.remove(key);
                self.keep_few();
                removed
            }
        }
    }

    /// Takes the entries out of the tree if they are few again.
    fn keep_few(&mut self) {
        if self.many.len() <= FEW_AGAIN {
            self.few.extend(std::mem::take(&mut self.many));
        }
    }

    /// The entry of the lowest key.
    #[inline]
    pub fn first(&self) -> Option<(K, &V)> {
        self.iter().next()
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    /// Keeps the entries for which this is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.few.retain_mut(|(key, value)| keep(key, value));
        if !self.many.is_empty() {
            self.many.retain(keep);
            self.keep_few();
        }
    }

    /// Removes the entries of this key and of all higher ones.
    pub fn truncate(&mut self, from: &K) {
        self.retain(|key, _| key < from);
    }

    /// The entries in the order of their keys.
    #[inline]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { few: self.few.iter(), many: self.many.iter() }
    }

    /// The entries of this key and of all higher ones.
    #[inline]
    pub fn from(&self, key: K) -> impl Iterator<Item = (K, &V)> {
        let (Ok(place) | Err(place)) = self.place(&key);
        let many = (!self.many.is_empty()).then(|| self.many.range(key..));
        let few = self.few[place..].iter().map(|(key, value)| (*key, value));
        few.chain(many.into_iter().flatten().map(|(key, value)| (*key, value)))
    }

    /// The first key at or after this one.
    #[inline]
    pub fn first_from(&self, key: K) -> Option<K> {
        self.from(key).next().map(|(first, _)| first)
    }

    /// The keys in their order.
    #[inline]
    pub fn keys(&self) -> impl Iterator<Item = K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    #[inline]
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The values in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.few.iter_mut().map(|(_, value)| value).chain(self.many.values_mut())
    }
}

/// The entries of a [`SmallMap`].
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    few: slice::Iter<'a, (K, V)>,
    many: btree_map::Iter<'a, K, V>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter { few: self.few.clone(), many: self.many.clone() }
    }
}

impl<'a, K: Copy, V> Iterator for Iter<'a, K, V> {
    type Item = (K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.few.next() {
            Some((key, value)) => Some((*key, value)),
            None => self.many.next().map(|(key, value)| (*key, value)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.few.len() + self.many.len();
        (left, Some(left))
    }
}

impl<K: Copy, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<K: Copy, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self.many.next_back() {
            Some((key, value)) => Some((*key, value)),
            None => self.few.next_back().map(|(key, value)| (*key, value)),
        }
    }
}

impl<K: Ord + Copy, V: PartialEq> PartialEq for SmallMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord + Copy, V: Eq> Eq for SmallMap<K, V> {}

impl<K: Ord + Copy + Hash, V: Hash> Hash for SmallMap<K, V> {
    /// Hashes the entries, wherever they stand.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for SmallMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = SmallMap::default();
        entries.into_iter().for_each(|(key, value)| drop(map.insert(key, value)));
        map
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Change {
        Insert(u8, u8),
        Remove(u8),
        OrDefault(u8),
        Truncate(u8),
        Retain(u8),
        Clear,
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            24 => (0..40u8, 0..4u8).prop_map(|(key, value)| Change::Insert(key, value)),
            14 => (0..40u8).prop_map(Change::Remove),
            4 => (0..40u8).prop_map(Change::OrDefault),
            1 => (0..40u8).prop_map(Change::Truncate),
            1 => (0..4u8).prop_map(Change::Retain),
            1 => Just(Change::Clear),
        ]
    }

    fn hash(value: &impl Hash) -> u64 {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_equal_maps_are_equal_values(changes in prop::collection::vec(change(), 0..120)) {
            let (mut small, mut plain) = (SmallMap::default(), BTreeMap::new());
            for change in changes {
                match change {
                    Change::Insert(key, value) => prop_assert_eq!(small.insert(key, value), plain.insert(key, value)),
                    Change::Remove(key) => prop_assert_eq!(small.remove(&key), plain.remove(&key)),
                    Change::OrDefault(key) => prop_assert_eq!(small.or_default(key), plain.entry(key).or_default()),
                    Change::Truncate(key) => { small.truncate(&key); drop(plain.split_off(&key)); }
                    Change::Retain(odd) => {
                        small.retain(|_, value| *value != odd);
                        plain.retain(|_, value| *value != odd);
                    }
                    Change::Clear => { small.clear(); plain.clear(); }
                }
                let all: Vec<(u8, u8)> = plain.iter().map(|(&key, &value)| (key, value)).collect();
                prop_assert_eq!(small.iter().map(|(key, &value)| (key, value)).collect::<Vec<_>>(), all.clone());
                let reversed = small.iter().rev().map(|(key, &value)| (key, value));
                prop_assert!(reversed.eq(all.iter().rev().copied()));
                prop_assert!(small.keys().eq(plain.keys().copied()) && small.values().eq(plain.values()));
                prop_assert_eq!((small.len(), small.is_empty()), (plain.len(), plain.is_empty()));
                for key in 0..42 {
                    prop_assert_eq!(small.get(&key), plain.get(&key));
                    prop_assert_eq!(small.get_mut(&key), plain.get_mut(&key));
                    prop_assert!(small.from(key).eq(plain.range(key..).map(|(&key, value)| (key, value))));
                }
                let rebuilt: SmallMap<u8, u8> = all.into_iter().rev().collect();
                prop_assert_eq!(&small, &rebuilt);
                prop_assert_eq!(hash(&small), hash(&rebuilt));
            }
        }
    }
}
