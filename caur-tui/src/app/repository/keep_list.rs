//! A keep-list: the pkgbases that stay, one a line, with comments from `#` on.

use std::collections::BTreeSet;

use caur_core::model::Pkgbase;

/// Wrong lines that are named.
const NAMED: usize = 3;

/// The pkgbases that a text names.
///
/// # Errors
/// A line is no pkgbase, or there is none at all: then everything would be removed.
pub fn parse(text: &str) -> Result<BTreeSet<String>, String> {
    let mut keep = BTreeSet::new();
    let mut wrong = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let name = line.split('#').next().unwrap_or_default().trim();
        if name.is_empty() {
            continue;
        }
        match Pkgbase::new(name) {
            Ok(pkgbase) => {
                keep.insert(pkgbase.to_string());
            }
            Err(_) => wrong.push(format!("line {number} is no pkgbase: {name:?}")),
        }
    }
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(NAMED);
        wrong.truncate(NAMED);
        let more = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        return Err(format!("{}{more}", wrong.join(", ")));
    }
    if keep.is_empty() {
        return Err("it names no pkgbase, so that everything would be removed".to_owned());
    }
    Ok(keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_pkgbase_a_comment_or_wrong() {
        let keep = parse("# what stays\nparu\n\n  yay-bin # the other one\nparu\r\n").unwrap();
        assert_eq!(keep.into_iter().collect::<Vec<_>>(), ["paru", "yay-bin"]);
        let cases = [
            ("", "names no pkgbase"),
            ("# nothing\n", "names no pkgbase"),
            ("a\nb c\n", "line 2 is no pkgbase: \"b c\""),
            ("[\"a\"]\n/etc/passwd\n-x\n.y\nfine", "\"-x\", and 1 more"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
