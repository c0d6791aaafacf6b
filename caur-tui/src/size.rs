//! Sizes in at most five columns.

const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];

/// `bytes` in the largest unit of 1024 that fits, with a digit after the point below ten: `512B`, `1.5K`, `64G`.
pub fn bytes(bytes: u64) -> String {
    let mut unit = 0;
    let mut divisor = 1u64;
    while bytes / divisor >= 1000 && unit + 1 < UNITS.len() {
        unit += 1;
        divisor *= 1024;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(divisor);
    if unit == 0 || tenths >= 100 {
        format!("{}{}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_columns_are_enough() {
        let cases = [
            (0, "0B"),
            (999, "999B"),
            (1000, "0.9K"),
            (1536, "1.5K"),
            (64 << 30, "64G"),
            (1000 << 20, "0.9G"),
            (3 << 40, "3.0T"),
            (u64::MAX, "16383P"),
        ];
        for (input, expected) in cases {
            assert_eq!(bytes(input), expected);
        }
    }
}
