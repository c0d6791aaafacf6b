//! Sizes in at most six columns.

/// What the units are called, each a thousand of the one before, as in the filter language.
const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];

/// `bytes` in the largest unit that it fills: `640 B`, `1.4 MB`, `22 GB`.
pub fn bytes(bytes: u64) -> String {
    let (mut unit, mut scale) = (0, 1_u64);
    // Half of the last digit that is shown is rounded up, so that 999,950 is not `1000 kB`.
    while unit + 1 < UNITS.len() && bytes >= scale * 1000 - scale / 2 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (u128::from(bytes) * 10 + u128::from(scale) / 2) / u128::from(scale);
    if unit == 0 || tenths >= 100 {
        let whole = (u128::from(bytes) + u128::from(scale) / 2) / u128::from(scale);
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// A number with its thousands set apart.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_or_more_and_six_columns() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1449, "1.4 kB"),
            (9960, "10 kB"),
            (999_400, "999 kB"),
            (999_600, "1.0 MB"),
            (22_400_000_000, "22 GB"),
            (1_250_000_000_000, "1.3 TB"),
        ];
        for (input, expected) in cases {
            assert_eq!(bytes(input), expected);
            assert!(expected.len() <= 6);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (input, expected) in [(0, "0"), (999, "999"), (2534, "2,534"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(input), expected);
        }
    }
}
