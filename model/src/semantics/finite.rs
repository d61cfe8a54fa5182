//! Values of which there are few, each with a number of few bits: what automata remember.
//!
//! A model's states stay small and finite by it, and whoever keeps millions of them can write a value as its number. How
//! numbers are put side by side in memory is not said here.

/// Something with few values, each of which is a number of few bits. The default is number 0.
pub trait Finite: Sized {
    /// How many bits the numbers have.
    const BITS: u32;

    /// The value's number.
    fn to_bits(self) -> u64;

    /// The value of this number.
    ///
    /// # Panics
    ///
    /// If it is no value's number.
    fn from_bits(bits: u64) -> Self;
}

impl Finite for () {
    const BITS: u32 = 0;

    fn to_bits(self) -> u64 {
        0
    }

    fn from_bits(_: u64) -> Self {}
}

impl Finite for bool {
    const BITS: u32 = 1;

    fn to_bits(self) -> u64 {
        self.into()
    }

    fn from_bits(bits: u64) -> Self {
        bits != 0
    }
}

macro_rules! finite_integers {
    ($($integer:ident),*) => {$(
        impl Finite for $integer {
            const BITS: u32 = $integer::BITS;

            fn to_bits(self) -> u64 {
                self.into()
            }

            fn from_bits(bits: u64) -> Self {
                bits as $integer
            }
        }
    )*};
}

finite_integers!(u8, u16);

/// Numbers the values of an enum without fields, which are listed in the order of their declaration; or of a struct, field
/// by field, the first in the lowest bits.
macro_rules! finite {
    ($name:ident in $width:literal bits: $($value:ident),* $(,)?) => {
        impl $crate::semantics::Finite for $name {
            const BITS: u32 = $width;

            fn to_bits(self) -> u64 {
                self as u64
            }

            fn from_bits(bits: u64) -> Self {
                const ALL: &[$name] = &[$($name::$value),*];
                const { assert!(ALL.len() <= 1 << $width, "a value needs more bits") };
                const _: fn($name) = |value| match value { $($name::$value => {})* };
                ALL[bits as usize]
            }
        }
    };
    ($name:ident { $($field:ident: $part:ty),* $(,)? }) => {
        impl $crate::semantics::Finite for $name {
            const BITS: u32 = 0 $(+ <$part as $crate::semantics::Finite>::BITS)*;

            fn to_bits(self) -> u64 {
                let (mut bits, mut at) = (0, 0);
                $(
                    bits |= $crate::semantics::Finite::to_bits(self.$field) << at;
                    at += <$part as $crate::semantics::Finite>::BITS;
                )*
                let _ = at;
                bits
            }

            fn from_bits(bits: u64) -> Self {
                let mut rest = bits;
                $(let $field = $crate::semantics::finite::take::<$part>(&mut rest);)*
                let _ = rest;
                $name { $($field),* }
            }
        }
    };
}
pub(crate) use finite;

/// Takes the value in the lowest bits, and moves the others down.
pub(super) fn take<T: Finite>(bits: &mut u64) -> T {
    let value = T::from_bits(*bits & ((1 << T::BITS) - 1));
    *bits >>= T::BITS;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fruit {
        Apple,
        Pear,
        Plum,
    }

    finite!(Fruit in 2 bits: Apple, Pear, Plum);

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Basket {
        fruit: Fruit,
        is_full: bool,
        other: Fruit,
    }

    finite!(Basket { fruit: Fruit, is_full: bool, other: Fruit });

    #[test]
    fn every_value_has_a_number_of_its_own() {
        let fruits = [Fruit::Apple, Fruit::Pear, Fruit::Plum];
        let mut seen = Vec::new();
        for choice in 0..18 {
            let (fruit, other) = (fruits[choice % 3], fruits[choice / 3 % 3]);
            let basket = Basket { fruit, is_full: choice >= 9, other };
            let bits = basket.to_bits();
            assert_eq!(Basket::from_bits(bits), basket);
            assert!(bits < 1 << Basket::BITS && !seen.contains(&bits), "{basket:?} is {bits:b}");
            seen.push(bits);
        }
    }
}
