//! Whether a key of gpg's listing can sign. Pure: doc/DETAILS in GnuPG describes the listing.

/// Why no key can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTrouble {
    /// There is no such key, or its secret part is elsewhere.
    Missing,
    /// It has expired.
    Expired,
    /// It is revoked.
    Revoked,
    /// It is disabled, invalid or not made for signing.
    Unfit,
}

/// Looks in the output of `gpg --with-colons --list-secret-keys` for a key or subkey that can sign. `wanted` is how
/// the key is chosen: with an exclamation mark at its end exactly one is meant, else any of those that are listed.
///
/// # Errors
/// What is wrong with the one that comes closest.
pub fn find_signing_key(listing: &str, wanted: Option<&str>) -> Result<(), KeyTrouble> {
    let exactly = wanted
        .and_then(|wanted| wanted.strip_suffix('!'))
        .map(|id| id.trim_start_matches("0x").to_ascii_uppercase());
    let keys = parse(listing);
    let fit: Vec<&Key> = keys
        .iter()
        .filter(|key| {
            exactly
                .as_ref()
                .is_none_or(|id| key.fingerprint.ends_with(id.as_str()))
        })
        .collect();
    let here = |key: &&&Key| key.is_here;
    let signing = |key: &&&Key| key.can_sign;
    if !fit.iter().any(|key| key.is_here) {
        return Err(KeyTrouble::Missing);
    }
    let states: Vec<Validity> = fit
        .iter()
        .filter(here)
        .filter(signing)
        .map(|key| key.validity)
        .collect();
    if states.is_empty() && fit.iter().any(|key| key.can_sign) {
        // There is one, but only as a stub.
        return Err(KeyTrouble::Missing);
    }
    let among = |state| states.contains(&state);
    if among(Validity::Good) {
        Ok(())
    } else if among(Validity::Expired) {
        Err(KeyTrouble::Expired)
    } else if among(Validity::Revoked) {
        Err(KeyTrouble::Revoked)
    } else {
        Err(KeyTrouble::Unfit)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validity {
    Good,
    Expired,
    Revoked,
    Invalid,
}

/// A primary key or subkey.
struct Key {
    validity: Validity,
    can_sign: bool,
    /// Whether its secret part, or the card with it, is known here.
    is_here: bool,
    fingerprint: String,
}

fn parse(listing: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut primary = Validity::Good;
    for line in listing.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
        match field(1) {
            kind @ ("sec" | "ssb") => {
                let own = match field(2) {
                    "e" => Validity::Expired,
                    "r" => Validity::Revoked,
                    "i" | "d" => Validity::Invalid,
                    // Field 12 has a D when the whole key is disabled.
                    _ if field(12).contains('D') => Validity::Invalid,
                    _ => Validity::Good,
                };
                if kind == "sec" {
                    primary = own;
                }
                keys.push(Key {
                    // A subkey is worth no more than its primary key.
                    validity: if primary == Validity::Good { own } else { primary },
                    can_sign: field(12).contains('s'),
                    is_here: field(15) != "#",
                    fingerprint: String::new(),
                });
            }
            "fpr" => {
                if let Some(key) = keys.last_mut().filter(|key| key.fingerprint.is_empty()) {
                    field(10).clone_into(&mut key.fingerprint);
                }
            }
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, validity: &str, can: &str, place: &str, fingerprint: &str) -> String {
        format!(
            "{kind}:{validity}:255:22:KEY:1:::u:::{can}:::{place}::ed25519:::0:\nfpr:::::::::{fingerprint}:\n"
        )
    }

    #[test]
    fn the_key_that_comes_closest_decides() {
        let primary = |validity| line("sec", validity, "scESC", "+", "AAAA0001");
        let certifies = line("sec", "u", "cC", "#", "AAAA0001");
        let subkey = |validity, place| line("ssb", validity, "s", place, "BBBB0002");
        let table = [
            (String::new(), None, Err(KeyTrouble::Missing)),
            (primary("u"), None, Ok(())),
            (primary("e"), None, Err(KeyTrouble::Expired)),
            (primary("r"), None, Err(KeyTrouble::Revoked)),
            (line("sec", "u", "scESCD", "+", "A"), None, Err(KeyTrouble::Unfit)),
            (line("sec", "u", "cC", "+", "A"), None, Err(KeyTrouble::Unfit)),
            (certifies.clone() + &subkey("u", "+"), None, Ok(())),
            (certifies.clone() + &subkey("u", "D2760001"), None, Ok(())),
            (
                certifies.clone() + &subkey("u", "#"),
                None,
                Err(KeyTrouble::Missing),
            ),
            (
                certifies.clone() + &subkey("e", "+"),
                None,
                Err(KeyTrouble::Expired),
            ),
            (primary("e") + &subkey("u", "+"), None, Err(KeyTrouble::Expired)),
            (primary("u") + &subkey("e", "+"), None, Ok(())),
            (
                primary("u") + &subkey("e", "+"),
                Some("0xbbbb0002!"),
                Err(KeyTrouble::Expired),
            ),
            (primary("u") + &subkey("e", "+"), Some("AAAA0001!"), Ok(())),
            (primary("u"), Some("CCCC!"), Err(KeyTrouble::Missing)),
            (primary("r") + &primary("e"), None, Err(KeyTrouble::Expired)),
        ];
        for (listing, wanted, expected) in table {
            assert_eq!(
                find_signing_key(&listing, wanted),
                expected,
                "{wanted:?} in\n{listing}"
            );
        }
    }
}
