//! Plain text for terminals and pipes: tables, sizes, durations. What comes from Redis is made harmless here.

use std::fmt::Write;

use caur_core::log::Sanitizer;

/// Lays `rows` out below `heads`, columns two spaces apart, without trailing spaces. Each cell becomes [`plain`].
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = std::iter::once(heads.map(ToOwned::to_owned))
        .chain(rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _infallible = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// One line for each name with its value, without those whose value is empty. Names and values become [`plain`]; a
/// name that was the one before, too, is not repeated.
pub fn listing<N: AsRef<str>>(rows: &[(N, String)]) -> String {
    let mut out = String::new();
    let mut before = String::new();
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let name = plain(name.as_ref());
        let shown = if name == before { "" } else { &name };
        let _infallible = writeln!(out, "{shown:<10} {}", plain(value));
        before = name;
    }
    out
}

/// `text` as one line without any escape sequence or control character.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let clean = printable(text);
    let mut chars = clean.chars();
    while let Some(c) = chars.next() {
        match c {
            // Only colours are left, which end with m.
            '\x1b' => {
                chars.find(|c| *c == 'm');
            }
            '\n' | '\t' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `text` without what could do harm on a terminal; lines and colours stay.
pub fn printable(text: &str) -> String {
    Sanitizer::default().feed(text.as_bytes())
}

/// Seconds as people read them: `42s`, `3m05s`, `2h10m`, `5d03h`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The time from `since` to `now`, both in milliseconds since 1970.
pub fn elapsed(since: u64, now: u64) -> String {
    duration(now.saturating_sub(since) / 1000)
}

/// Bytes as people read them: `512B`, `3.2M`, `15G`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    // Tenths of a unit, so that no rounding of floating point is needed.
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
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
    fn columns_line_up() {
        let rows = [
            ["a".to_owned(), "x".to_owned()],
            ["long".to_owned(), String::new()],
        ];
        assert_eq!(table(["n", "value"], &rows), "n     value\na     x\nlong\n");
    }

    #[test]
    fn listings_skip_what_is_empty_and_repeat_no_name() {
        let rows = [
            ("Job", "7".to_owned()),
            ("Builder", String::new()),
            ("Why", "one".to_owned()),
            ("Why", "two".to_owned()),
        ];
        assert_eq!(listing(&rows), "Job        7\nWhy        one\n           two\n");
    }

    #[test]
    fn no_escape_sequence_gets_through() {
        let nasty = "a\x1b]0;title\x07b\x1b[31mred\x1b[0m\nc\x1b[2J\u{9b}5m\r".to_owned();
        assert_eq!(plain(&nasty), "abred c\u{fffd}5m ");
        let shown = table(["x"], &[[nasty.clone()]]) + &listing(&[(&*nasty, nasty.clone())]);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(
            [5, 185, 7800, 442_800].map(duration),
            ["5s", "3m05s", "2h10m", "5d03h"]
        );
        assert_eq!((&*elapsed(1000, 6999), &*elapsed(2000, 1000)), ("5s", "0s"));
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            [0, 1023, 1536, 15 << 30, 3 << 40, 5000 << 40].map(size),
            ["0B", "1023B", "1.5K", "15G", "3.0T", "5000T"]
        );
    }
}
