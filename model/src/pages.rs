//! Tables of numbers for millions of messages and positions. A table has pages, and a page whose values are all the same is
//! stored as one value.
//!
//! Messages that are delivered as usual end in the same state, and their positions rise with their numbers. So their values
//! become the same, and their pages take little memory. Any other message takes the bytes of its values.
//!
//! | table | key | suits |
//! |---|---|---|
//! | [`Column`] | the number of a message: counted from 0 | states, and values that rise with the number |
//! | [`Sparse`] | any number | ids and positions: ranges without gaps as pages, lone ones in a hash map |

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;

use foldhash::fast::FixedState;

/// A map whose hashes are fast and the same in every run.
pub(crate) type Map<K, V> = HashMap<K, V, FixedState>;

/// The number of values in a page. One bit for each says whether it is present.
const PAGE: u64 = u128::BITS as u64;

/// A value that can be stored as its distance from its key.
pub(crate) trait Cell: Copy + Eq + Debug + Default {
    /// The distance of the value from this key.
    fn minus(self, key: u64) -> Self;
    /// The value at this distance from the key.
    fn plus(self, key: u64) -> Self;
}

macro_rules! cells {
    ($($cell:ty),*) => {$(
        impl Cell for $cell {
            fn minus(self, key: u64) -> Self {
                self.wrapping_sub(key as $cell)
            }

            fn plus(self, key: u64) -> Self {
                self.wrapping_add(key as $cell)
            }
        }
    )*};
}

cells!(u32, u64);

/// Up to so many values.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Page<T> {
    /// All are present and the same.
    Same(T),
    Each(Box<Each<T>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Each<T> {
    /// One bit for each value that is present.
    present: u128,
    values: [T; PAGE as usize],
    /// The value that most are said to have.
    common: T,
    /// How many of those present differ from it.
    others: u8,
}

impl<T: Cell> Page<T> {
    /// A page with one value.
    fn new(place: u64, value: T) -> Self {
        let mut values = [T::default(); PAGE as usize];
        values[place as usize] = value;
        Page::Each(Box::new(Each { present: 1_u128 << place, values, common: value, others: 0 }))
    }

    /// Removes all values. Says whether its room is left.
    fn clear(&mut self) -> bool {
        match self {
            Page::Same(_) => false,
            Page::Each(each) => {
                (each.present, each.others) = (0, 0);
                true
            }
        }
    }

    fn get(&self, place: u64) -> Option<T> {
        match self {
            Page::Same(value) => Some(*value),
            Page::Each(each) => (each.present >> place & 1 == 1).then(|| each.values[place as usize]),
        }
    }

    fn set(&mut self, place: u64, value: T) {
        if let Page::Same(same) = *self {
            if same == value {
                return;
            }
            let values = [same; PAGE as usize];
            *self = Page::Each(Box::new(Each { present: u128::MAX, values, common: same, others: 0 }));
        }
        let Page::Each(each) = self else { return };
        each.set(place as usize, value);
        if each.present == u128::MAX && each.others == 0 {
            *self = Page::Same(each.common);
        }
    }

    /// The values that are present, with their places.
    fn iter(&self) -> impl Iterator<Item = (u64, T)> {
        (0..PAGE).filter_map(|place| Some((place, self.get(place)?)))
    }

    /// Keeps the values for which this is true; false if none is left.
    fn retain(&mut self, mut keep: impl FnMut(u64, T) -> bool) -> bool {
        let gone = self.iter().filter(|&(place, value)| !keep(place, value));
        let gone = gone.fold(0_u128, |gone, (place, _)| gone | 1_u128 << place);
        if gone == 0 {
            return true;
        }
        let (present, values) = match self {
            Page::Same(value) => (u128::MAX, [*value; PAGE as usize]),
            Page::Each(each) => (each.present, each.values),
        };
        let mut each = Each { present: present & !gone, values, common: T::default(), others: 0 };
        each.elect(each.values[(each.present.trailing_zeros() % u128::BITS) as usize]);
        *self = Page::Each(Box::new(each));
        present & !gone != 0
    }
}

impl<T: Cell> Each<T> {
    fn set(&mut self, place: usize, value: T) {
        if self.present == 0 {
            self.common = value;
        }
        if self.present >> place & 1 == 1 {
            let before = std::mem::replace(&mut self.values[place], value);
            self.others -= u8::from(before != self.common);
        } else {
            self.present |= 1_u128 << place;
            self.values[place] = value;
        }
        self.others += u8::from(value != self.common);
        if u32::from(self.others) == self.present.count_ones() {
            self.elect(value);
        }
    }

    /// Makes this the value that most are said to have.
    fn elect(&mut self, common: T) {
        self.common = common;
        let differs = |&place: &usize| self.present >> place & 1 == 1 && self.values[place] != common;
        self.others = (0..PAGE as usize).filter(differs).count() as u8;
    }
}

/// Values by the number of a message. `FOLLOWS`: a value usually rises by 1 with the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column<T, const FOLLOWS: bool = false> {
    /// How many pages were forgotten.
    forgotten: usize,
    pages: VecDeque<Option<Page<T>>>,
}

impl<T, const FOLLOWS: bool> Default for Column<T, FOLLOWS> {
    fn default() -> Self {
        Column { forgotten: 0, pages: VecDeque::new() }
    }
}

impl<T: Cell, const FOLLOWS: bool> Column<T, FOLLOWS> {
    #[inline]
    pub fn get(&self, nth: u32) -> Option<T> {
        let nth = u64::from(nth);
        let page = self.pages.get(((nth / PAGE) as usize).checked_sub(self.forgotten)?)?;
        let value = page.as_ref()?.get(nth % PAGE)?;
        Some(if FOLLOWS { value.plus(nth) } else { value })
    }

    #[inline]
    pub fn set(&mut self, nth: u32, value: T) {
        let nth = u64::from(nth);
        let Some(index) = ((nth / PAGE) as usize).checked_sub(self.forgotten) else { return };
        if self.pages.len() <= index {
            self.pages.resize(index + 1, None);
        }
        let value = if FOLLOWS { value.minus(nth) } else { value };
        match &mut self.pages[index] {
            Some(page) => page.set(nth % PAGE, value),
            empty => *empty = Some(Page::new(nth % PAGE, value)),
        }
    }

    /// Changes every value.
    pub fn change(&mut self, change: impl Fn(T) -> T) {
        debug_assert!(!FOLLOWS, "a value that follows its number is not changed by itself");
        for page in self.pages.iter_mut().flatten() {
            match page {
                Page::Same(value) => *value = change(*value),
                Page::Each(each) => {
                    each.values.iter_mut().for_each(|value| *value = change(*value));
                    each.elect(change(each.common));
                }
            }
        }
    }

    /// Removes all values, and keeps the room for them.
    pub fn clear(&mut self) {
        self.forgotten = 0;
        for page in &mut self.pages {
            page.take_if(|page| !page.clear());
        }
    }

    /// Forgets the values of all messages below this one, a page at a time.
    pub fn forget_below(&mut self, nth: u32) {
        while self.forgotten < nth as usize / PAGE as usize {
            self.pages.pop_front();
            self.forgotten += 1;
        }
    }
}

/// Values by any number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sparse<T> {
    /// The page of the lowest keys, which most tables have.
    lowest: Option<Page<T>>,
    /// The other pages.
    pages: Map<u64, Page<T>>,
    lone: Map<u64, T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Sparse { lowest: None, pages: Map::default(), lone: Map::default() }
    }
}

impl<T: Cell> Sparse<T> {
    #[inline]
    pub fn get(&self, key: u64) -> Option<T> {
        if key < PAGE {
            return self.lowest.as_ref()?.get(key).map(|value| value.plus(key));
        }
        match self.pages.get(&(key / PAGE)).and_then(|page| page.get(key % PAGE)) {
            Some(value) => Some(value.plus(key)),
            None if self.lone.is_empty() => None,
            None => self.lone.get(&key).copied(),
        }
    }

    /// Adds or changes a value. A key next to one that is present begins a page, and so does each of the lowest.
    pub fn set(&mut self, key: u64, value: T) {
        let (number, place) = (key / PAGE, key % PAGE);
        if number == 0 {
            match &mut self.lowest {
                Some(page) => page.set(place, value.minus(key)),
                empty => *empty = Some(Page::new(place, value.minus(key))),
            }
            return;
        }
        if let Some(lone) = self.lone.get_mut(&key) {
            *lone = value;
        } else if let Some(page) = self.pages.get_mut(&number) {
            page.set(place, value.minus(key));
        } else if [key.wrapping_sub(1), key.wrapping_add(1)].iter().any(|&key| self.get(key).is_some()) {
            let mut page = Page::new(place, value.minus(key));
            if !self.lone.is_empty() {
                for key in number * PAGE..=number * PAGE + (PAGE - 1) {
                    self.lone.remove(&key).into_iter().for_each(|value| page.set(key % PAGE, value.minus(key)));
                }
            }
            self.pages.insert(number, page);
        } else {
            self.lone.insert(key, value);
        }
    }

    /// Removes all values, and keeps room for those of the lowest keys.
    pub fn clear(&mut self) {
        self.lowest.take_if(|page| !page.clear());
        self.pages.clear();
        self.lone.clear();
    }

    /// Every key with its value, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, T)> {
        let pages =
            self.lowest.iter().map(|page| (0, page)).chain(self.pages.iter().map(|(&number, page)| (number, page)));
        let paged = pages.flat_map(|(number, page)| {
            page.iter().map(move |(place, value)| (number * PAGE + place, value.plus(number * PAGE + place)))
        });
        paged.chain(self.lone.iter().map(|(&key, &value)| (key, value)))
    }

    /// Keeps the values for which this is true.
    pub fn retain(&mut self, mut keep: impl FnMut(u64, T) -> bool) {
        self.lowest.take_if(|page| !page.retain(|place, value| keep(place, value.plus(place))));
        self.pages.retain(|&number, page| {
            page.retain(|place, value| keep(number * PAGE + place, value.plus(number * PAGE + place)))
        });
        self.lone.retain(|&key, value| keep(key, *value));
        self.pages.shrink_to(self.pages.len() * 2);
        self.lone.shrink_to(self.lone.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_column_is_a_table(writes in prop::collection::vec((0..200_u32, 0..4_u32), 0..400)) {
            let (mut column, mut following) = (Column::<u32>::default(), Column::<u32, true>::default());
            let mut table = BTreeMap::new();
            for (nth, value) in writes {
                column.set(nth, value);
                following.set(nth, value);
                table.insert(nth, value);
            }
            for nth in 0..300 {
                prop_assert_eq!(column.get(nth), table.get(&nth).copied());
                prop_assert_eq!(following.get(nth), table.get(&nth).copied());
            }
        }

        #[test]
        fn a_sparse_table_is_a_table(
            writes in prop::collection::vec((prop_oneof![0..200_u64, any::<u64>(), u64::MAX - 70..=u64::MAX], 0..4_u32), 0..400),
            gone in 0..4_u32,
        ) {
            let (mut sparse, mut table) = (Sparse::default(), BTreeMap::new());
            for (key, value) in &writes {
                sparse.set(*key, *value);
                table.insert(*key, *value);
            }
            sparse.retain(|_, value| value != gone);
            table.retain(|_, value| *value != gone);
            prop_assert_eq!(sparse.iter().collect::<BTreeMap<_, _>>(), table.clone());
            for (key, value) in writes {
                prop_assert_eq!(sparse.get(key), table.get(&key).copied());
                sparse.set(key, value + 1);
                table.insert(key, value + 1);
            }
        }
    }

    #[test]
    fn what_was_cleared_is_empty_and_takes_values_again() {
        let (mut column, mut sparse) = (Column::<u32>::default(), Sparse::<u32>::default());
        // Of the first page all values are the same, of the others they are not.
        for last in [300, 40, 128, 300] {
            for nth in 0..=last {
                let value = if nth < 128 { 7 } else { nth * nth };
                column.set(nth, value);
                sparse.set(nth.into(), value);
            }
            for nth in 0..400 {
                let expected = (nth <= last).then_some(if nth < 128 { 7 } else { nth * nth });
                assert_eq!((column.get(nth), sparse.get(nth.into())), (expected, expected), "{nth} of {last}");
            }
            column.clear();
            sparse.clear();
            assert!((0..400).all(|nth| column.get(nth).is_none() && sparse.get(nth.into()).is_none()));
            assert_eq!(sparse.iter().count(), 0);
        }
    }

    #[test]
    fn what_is_the_same_takes_no_values() {
        let (mut column, mut sparse) = (Column::<u32>::default(), Sparse::<u32>::default());
        for nth in 0..6_400_u32 {
            column.set(nth, 1);
            for earlier in nth.saturating_sub(100)..nth {
                column.set(earlier, 2);
            }
            sparse.set(u64::from(nth) + 17, nth);
        }
        let is_same = |page: &&Option<Page<u32>>| matches!(page, Some(Page::Same(_)));
        assert_eq!(column.pages.iter().filter(is_same).count(), 49, "all but the last");
        let same = sparse.pages.values().filter(|page| matches!(page, Page::Same(_))).count();
        assert!(same >= 48, "{same} of {}", sparse.pages.len());
    }

    #[test]
    fn what_lies_below_is_forgotten() {
        let mut column = Column::<u64, true>::default();
        (0..1_000).for_each(|nth| column.set(nth, u64::from(nth) * 3));
        column.forget_below(500);
        assert_eq!((column.get(383), column.get(384)), (None, Some(1_152)), "a page at a time");
        column.set(7, 1);
        assert_eq!(column.get(7), None, "and stays forgotten");
    }
}
