//! Which of two versions pacman takes for newer.
//!
//! The rules are those of pacman's `vercmp(8)`, which go back to RPM: a version is epoch, pkgver and pkgrel,
//! compared in that order; each is compared run by run of digits or letters.

use std::cmp::Ordering;

/// Compares two versions in the form `[epoch:]pkgver[-pkgrel]` as pacman does.
///
/// A pkgrel counts only where both versions have one.
#[must_use]
pub fn vercmp(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a_epoch, a_version, a_release) = split(a);
    let (b_epoch, b_version, b_release) = split(b);
    compare_part(a_epoch, b_epoch)
        .then_with(|| compare_part(a_version, b_version))
        .then_with(|| match (a_release, b_release) {
            (Some(a), Some(b)) => compare_part(a, b),
            (None, _) | (_, None) => Ordering::Equal,
        })
}

fn split(version: &str) -> (&str, &str, Option<&str>) {
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    let (epoch, rest) = match version[digits..].strip_prefix(':') {
        Some(rest) if digits > 0 => (&version[..digits], rest),
        Some(rest) => ("0", rest),
        None => ("0", version),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() && !b.is_empty() {
        let (a_separators, b_separators) = (
            run(a, |c| !c.is_ascii_alphanumeric()),
            run(b, |c| !c.is_ascii_alphanumeric()),
        );
        (a, b) = (&a[a_separators..], &b[b_separators..]);
        if a.is_empty() || b.is_empty() {
            break;
        }
        if a_separators != b_separators {
            return a_separators.cmp(&b_separators);
        }
        let numeric = a[0].is_ascii_digit();
        let same_kind = |c: &u8| {
            if numeric {
                c.is_ascii_digit()
            } else {
                c.is_ascii_alphabetic()
            }
        };
        let (a_run, b_run) = (run(a, same_kind), run(b, same_kind));
        if b_run == 0 {
            // Of a number and a word the number is newer.
            return if numeric {
                Ordering::Greater
            } else {
                Ordering::Less
            };
        }
        let order = if numeric {
            let (a, b) = (without_zeros(&a[..a_run]), without_zeros(&b[..b_run]));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        } else {
            a[..a_run].cmp(&b[..b_run])
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[a_run..], &b[b_run..]);
    }
    match (a.first(), b.first()) {
        (None, None) => Ordering::Equal,
        // What is left over makes a version newer, unless it begins with a letter: 1.0 > 1.0rc1.
        (None, Some(c)) if !c.is_ascii_alphabetic() => Ordering::Less,
        (Some(c), _) if c.is_ascii_alphabetic() => Ordering::Less,
        (None | Some(_), _) => Ordering::Greater,
    }
}

fn run(text: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|&c| belongs(c)).count()
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[run(digits, |&c| c == b'0')..]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn pacmans(a: &str, b: &str) -> Ordering {
        let output = Command::new("vercmp").args([a, b]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim()
            .parse::<i32>()
            .unwrap_or_else(|_| panic!("vercmp {a:?} {b:?}: {text:?}"))
            .cmp(&0)
    }

    #[test]
    fn agrees_with_pacman_on_a_table() {
        let versions = [
            "1",
            "1.0",
            "1.0.0",
            "1.0a",
            "1.0rc1",
            "1.0.rc1",
            "1.0-1",
            "1.0-2",
            "1.0-1.1",
            "1:0.1-1",
            "0:1.0-1",
            ":1",
            "1..0",
            "1.0.",
            "1.",
            "1_0",
            "1+2",
            "01.0",
            "1.00",
            "a",
            "b1",
            "1.a",
            "1.0.a",
            "99999999999999999999999",
            "r12.abc",
            "r12.1bc",
            "2.0~beta",
            "2.0",
            "2.0.~",
            "20240101",
            "1.0-",
        ];
        for a in versions {
            for b in versions {
                assert_eq!(vercmp(a, b), pacmans(a, b), "{a} against {b}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_pacman_on_anything(a in "([0-2]:)?[0-2ab.+_~]{1,8}(-[0-2.]{1,3})?", b in "([0-2]:)?[0-2ab.+_~]{1,8}(-[0-2.]{1,3})?") {
            prop_assert_eq!(vercmp(&a, &b), pacmans(&a, &b));
        }

        #[test]
        fn never_panics(a in "\\PC*", b in "\\PC*") {
            let _ = vercmp(&a, &b);
        }
    }
}
