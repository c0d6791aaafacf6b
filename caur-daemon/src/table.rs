//! A plain table for terminals and pipes.

use std::fmt::Write;

/// Lays `rows` out below `heads`, columns two spaces apart, without trailing spaces.
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let heads = heads.map(ToOwned::to_owned);
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _infallible = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
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
    fn durations_read_well() {
        assert_eq!(
            [5, 185, 7800, 442_800].map(duration),
            ["5s", "3m05s", "2h10m", "5d03h"]
        );
    }
}
