//! Reading known_hosts files as sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", describes them: hashed names,
//! wildcards, negation, markers, ports in brackets, any white space between the fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{PublicKey, parse_public_key_base64};
use sha1::Sha1;

/// What one line says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The host may prove itself with this key.
    Trusted,
    /// `@revoked`: nobody may use this key any more.
    Revoked,
}

/// A key that a line records for a host.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub line: usize,
    pub standing: Standing,
    pub key: PublicKey,
}

/// The keys that `text` records for `name`, which is a host's name as known_hosts writes it (see
/// [`lookup_name`]). Lines that cannot be read count for nothing, as with ssh. `@cert-authority` lines are
/// passed over: certificates are never asked for.
pub(super) fn recorded_keys(text: &str, name: &str) -> Vec<Recorded> {
    let name = name.to_lowercase();
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (standing, names, key) = split_line(line)?;
            let key = parse_public_key_base64(key)
                .ok()
                .filter(|_| matches_names(&name, names))?;
            Some(Recorded {
                line: index + 1,
                standing,
                key,
            })
        })
        .collect()
}

/// Whether `text` trusts any key for `name`, be it of a kind that we cannot read.
pub(super) fn names_host(text: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    text.lines()
        .filter_map(split_line)
        .any(|(standing, names, _)| standing == Standing::Trusted && matches_names(&name, names))
}

/// How known_hosts writes a host: with its port where that is not 22.
pub(super) fn lookup_name(host: &str, port: u16) -> String {
    if port == 22 {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}

fn split_line(line: &str) -> Option<(Standing, &str, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let first = fields.next()?;
    let (standing, names) = match first {
        "@revoked" => (Standing::Revoked, fields.next()?),
        _ if first.starts_with(['@', '#']) => return None,
        _ => (Standing::Trusted, first),
    };
    let _key_type = fields.next()?;
    Some((standing, names, fields.next()?))
}

/// Whether the first field of a line speaks of `name`. A negated pattern that matches overrules all others.
fn matches_names(name: &str, names: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return matches_hash(name, hashed);
    }
    let mut matched = false;
    for pattern in names.split(',') {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        if matches_pattern(name.as_bytes(), pattern.to_lowercase().as_bytes()) {
            if negated {
                return false;
            }
            matched = true;
        }
    }
    matched
}

/// `SALT|HASH`, where HASH is the HMAC-SHA1 of the name under the salt.
fn matches_hash(name: &str, hashed: &str) -> bool {
    let decoded = hashed
        .split_once('|')
        .and_then(|(salt, hash)| Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?)));
    let Some((salt, hash)) = decoded else {
        return false;
    };
    Hmac::<Sha1>::new_from_slice(&salt)
        .is_ok_and(|hmac| hmac.chain_update(name.as_bytes()).verify_slice(&hash).is_ok())
}

/// `*` stands for any number of characters, `?` for one. Greedy matching with one point to return to, so
/// that no pattern takes more than product time.
fn matches_pattern(name: &[u8], pattern: &[u8]) -> bool {
    let (mut at_name, mut at_pattern) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(at_name) {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                retry = Some((at_name, at_pattern + 1));
                at_pattern += 1;
            }
            Some(other) if *other == b'?' || other == byte => {
                at_name += 1;
                at_pattern += 1;
            }
            _ => {
                let Some((name_from, pattern_from)) = retry else {
                    return false;
                };
                retry = Some((name_from + 1, pattern_from));
                (at_name, at_pattern) = (name_from + 1, pattern_from);
            }
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn found(line: &str, host: &str, port: u16) -> Option<Standing> {
        recorded_keys(line, &lookup_name(host, port))
            .first()
            .map(|recorded| recorded.standing)
    }

    #[test]
    fn lines_speak_of_the_hosts_they_name() {
        let trusted = Some(Standing::Trusted);
        for (names, host, port, expected) in [
            ("example.org", "example.org", 22, trusted),
            ("Example.ORG", "EXAMPLE.org", 22, trusted),
            ("example.org", "example.org", 2222, None),
            ("[example.org]:2222", "example.org", 2222, trusted),
            ("[example.org]:2222", "example.org", 22, None),
            ("a,example.org,b", "example.org", 22, trusted),
            ("*.example.org", "a.b.example.org", 22, trusted),
            ("*.example.org", "example.org", 22, None),
            ("*.example.org,!bad.example.org", "bad.example.org", 22, None),
            ("!bad.example.org,*.example.org", "good.example.org", 22, trusted),
            ("[10.0.0.?]:*", "10.0.0.7", 2200, trusted),
            ("[10.0.0.?]:*", "10.0.0.17", 2200, None),
            ("::1", "::1", 22, trusted),
            ("*", "anything", 22, trusted),
        ] {
            for space in [" ", "\t", "  \t "] {
                let line = format!("{names}{space}ssh-ed25519{space}{KEY}{space}a comment");
                assert_eq!(found(&line, host, port), expected, "{line:?} for {host}:{port}");
                let line = format!("{space}{line}\r\n");
                assert_eq!(found(&line, host, port), expected, "{line:?} for {host}:{port}");
            }
        }
    }

    #[test]
    fn markers_comments_and_broken_lines() {
        assert_eq!(
            found(&format!("@revoked\t* ssh-ed25519 {KEY}"), "any", 22),
            Some(Standing::Revoked)
        );
        for line in [
            format!("@cert-authority * ssh-ed25519 {KEY}"),
            format!("@unknown * ssh-ed25519 {KEY}"),
            format!("#any ssh-ed25519 {KEY}"),
            format!("# any ssh-ed25519 {KEY}"),
            "any ssh-ed25519 AAAAC3Nza".to_owned(),
            "any ssh-ed25519".to_owned(),
            "any".to_owned(),
            String::new(),
        ] {
            assert_eq!(found(&line, "any", 22), None, "{line:?}");
        }
        let text = format!("# comment\n\nbroken line\nany ssh-ed25519 {KEY}\n");
        assert_eq!(recorded_keys(&text, "any")[0].line, 4);
    }

    #[test]
    fn hashed_names_as_ssh_keygen_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_hosts");
        std::fs::write(
            &path,
            format!("example.org ssh-ed25519 {KEY}\n[example.org]:2222 ssh-ed25519 {KEY}\n"),
        )
        .unwrap();
        let hashed = std::process::Command::new("ssh-keygen")
            .arg("-H")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        assert!(hashed.status.success(), "{hashed:?}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("example"), "{text}");
        for (host, port, count) in [
            ("example.org", 22, 1),
            ("Example.org", 2222, 1),
            ("example.com", 22, 0),
        ] {
            assert_eq!(
                recorded_keys(&text, &lookup_name(host, port)).len(),
                count,
                "{host}:{port}"
            );
        }
    }

    #[test]
    fn a_pattern_of_stars_ends_in_time() {
        let name = "a".repeat(200);
        let pattern = format!("{}b", "*a".repeat(60));
        assert!(!matches_pattern(name.as_bytes(), pattern.as_bytes()));
        assert!(matches_pattern(b"abc", b"*a*?c*"));
        assert!(!matches_pattern(b"abc", b""));
        assert!(matches_pattern(b"", b"**"));
    }
}
