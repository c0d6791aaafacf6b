//! Moments as people write them.

use time::OffsetDateTime;

/// A moment in milliseconds since 1970 as `2026-11-24 20:53` in UTC, to the minute.
pub fn utc(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute()
        ),
        // Beyond the year 9999, which only a broken clock says.
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_utc() {
        let cases = [
            (0, "1970-01-01 00:00"),
            (1_709_251_199_999, "2024-02-29 23:59"),
            (1_764_000_000_000, "2025-11-24 16:00"),
            (u64::MAX, "?"),
        ];
        for (input, expected) in cases {
            assert_eq!(utc(input), expected);
        }
    }
}
