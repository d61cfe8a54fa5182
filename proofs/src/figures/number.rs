//! Numbers with as many digits as a measurement on a shared machine can carry: three.

use delivery_model::numbers::grouped;

/// The number with three digits that count, or all of a whole part that has more.
pub(super) fn shown(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".to_owned()
    } else if !number.is_finite() {
        "-".to_owned()
    } else if size >= 99.95 {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}{}", grouped(size.round() as u64))
    } else if number.fract() == 0.0 {
        format!("{number:.0}")
    } else if size >= 9.995 {
        format!("{number:.1}")
    } else if size >= 0.9995 {
        format!("{number:.2}")
    } else if size >= 0.000_5 {
        format!("{number:.3}")
    } else {
        format!("{number:.1e}")
    }
}

/// A time in nanoseconds, with its unit.
pub(super) fn time(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let (size, unit) = units.into_iter().find(|(size, _)| nanoseconds >= *size).unwrap_or((1.0, "ns"));
    format!("{} {unit}", shown(nanoseconds / size))
}

#[cfg(test)]
mod tests {
    use super::{shown, time};

    #[test]
    fn three_digits_count() {
        let numbers = [0.0, 0.001_26, 0.25, 1.0, 1.126, 12.345, 99.96, 1_234.5, -4.5, 0.000_012, f64::NAN];
        let expected = ["0", "0.001", "0.250", "1", "1.13", "12.3", "100", "1,235", "-4.50", "1.2e-5", "-"];
        assert_eq!(numbers.map(shown), expected);
    }

    #[test]
    fn a_time_has_the_unit_that_fits() {
        assert_eq!([0.5, 3.25, 1_500.0, 2.5e6, 3e9].map(time), ["0.500 ns", "3.25 ns", "1.50 µs", "2.50 ms", "3 s"]);
    }
}
