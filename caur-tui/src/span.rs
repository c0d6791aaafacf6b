//! Lengths of time in at most six columns.

/// `seconds` in its two largest units: `42s`, `3m07s`, `2h05m`, `4d11h`, `3y`.
pub fn seconds(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else if days < 100 {
        format!("{days}d{:02}h", hours % 24)
    } else if days < 1000 {
        format!("{days}d")
    } else {
        format!("{}y", days / 365)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_and_six_columns() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (67, "1m07s"),
            (3599, "59m59s"),
            (7500, "2h05m"),
            (90_000, "1d01h"),
            (8_640_000, "100d"),
            (400_000_000, "12y"),
        ];
        for (input, expected) in cases {
            assert_eq!(seconds(input), expected);
        }
    }
}
