//! Numbers as people read them. What programs read, and what people type back, has no commas.

/// The number with a comma before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|three| std::str::from_utf8(three).expect("digits")).collect::<Vec<_>>().join(",")
}

/// A number with its noun, such as "1 message" or "2,000 messages".
pub fn count(number: u64, noun: &str) -> String {
    count_of(number, noun, &format!("{noun}s"))
}

/// A number with a noun whose plural is irregular.
pub fn count_of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// What is allowed where a whole number of this range is, such as "a whole number from 1 to 1,000".
pub fn whole_number(low: impl Into<i128>, high: impl Into<i128>) -> String {
    let shown = |number: i128| u64::try_from(number).map_or_else(|_| number.to_string(), grouped);
    format!("a whole number from {} to {}", shown(low.into()), shown(high.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 7, 999, 1_000, 18_765_245].map(grouped), ["0", "7", "999", "1,000", "18,765,245"]);
        assert_eq!([0, 1, 2_000].map(|number| count(number, "step")), ["0 steps", "1 step", "2,000 steps"]);
    }
}
