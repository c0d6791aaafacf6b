//! Bars of text: how much of a whole something is, readable without colours.

/// A bar of `width` columns of which `part` of `whole` is full. It is full only when the part is the whole or more, and
/// empty only when there is nothing.
pub fn bar(part: u64, whole: u64, width: usize) -> String {
    let full = filled(part, whole, width);
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

/// How many of `width` columns `part` of `whole` fills.
pub fn filled(part: u64, whole: u64, width: usize) -> usize {
    if part == 0 || whole == 0 || width == 0 {
        return 0;
    }
    if part >= whole {
        return width;
    }
    let columns = u128::from(part) * (width as u128) / u128::from(whole);
    let columns = usize::try_from(columns).unwrap_or(width);
    columns.clamp(1, (width - 1).max(1))
}

/// `part` of `whole` in percent, rounded, but 0 and 100 only where it is just that; none of nothing.
pub fn percent(part: u64, whole: u64) -> Option<u64> {
    if whole == 0 {
        return None;
    }
    let rounded = (u128::from(part) * 100 + u128::from(whole) / 2) / u128::from(whole);
    let rounded = u64::try_from(rounded).unwrap_or(u64::MAX);
    Some(match rounded {
        0 if part > 0 => 1,
        100 if part < whole => 99,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_for_the_whole_and_empty_only_for_nothing() {
        let cases = [
            (0, 0, 4, "░░░░"),
            (0, 10, 4, "░░░░"),
            (1, 1000, 4, "█░░░"),
            (1, 2, 4, "██░░"),
            (999, 1000, 4, "███░"),
            (10, 10, 4, "████"),
            (11, 10, 4, "████"),
            (1, 2, 1, "█"),
            (1, 2, 0, ""),
        ];
        for (part, whole, width, expected) in cases {
            assert_eq!(bar(part, whole, width), expected, "{part} of {whole}");
        }
    }

    #[test]
    fn a_share_is_none_or_all_only_where_it_is() {
        let cases = [
            (0, 0, None),
            (0, 5, Some(0)),
            (1, 1000, Some(1)),
            (1, 3, Some(33)),
            (2, 3, Some(67)),
            (999, 1000, Some(99)),
            (5, 5, Some(100)),
            (6, 5, Some(120)),
        ];
        for (part, whole, expected) in cases {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
    }
}
