//! `.PKGINFO`: what a package says about itself.
//!
//! The text is untrusted. Values are read as `repo-add` reads them, so that the database entry comes out
//! the same; what could change the meaning of a database entry (control characters, a second name) is an
//! error.

/// The longest `.PKGINFO` that is read, in bytes. Real ones stay below 100 KiB.
pub const SIZE_LIMIT: u64 = 1 << 20;

/// The fields that say what a package is.
const IDENTITY: [&str; 4] = ["pkgname", "pkgbase", "pkgver", "arch"];

/// A `.PKGINFO` that cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PkgInfoError {
    /// Not text.
    #[error(".PKGINFO is not valid UTF-8")]
    NotUtf8,
    /// A control character, which has no place there and could forge database fields.
    #[error(".PKGINFO holds the control character {0:?} in line {1}")]
    ControlCharacter(char, usize),
    /// A field that is needed is not there or empty.
    #[error(".PKGINFO has no {0}")]
    Missing(&'static str),
    /// A field that says what the package is occurs twice.
    #[error(".PKGINFO states {0} more than once")]
    Repeated(&'static str),
    /// A field that says what the package is, in a form that only some programs read.
    #[error(".PKGINFO states {0} in another form than `{0} = VALUE`, so that programs can disagree about it")]
    Spelling(&'static str),
    /// A number that is none.
    #[error(".PKGINFO: {0} is {1:?}, expected a whole number")]
    NotANumber(&'static str, String),
}

/// The fields of a `.PKGINFO`, in their order; unknown ones are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkgInfo {
    fields: Vec<(String, String)>,
}

impl PkgInfo {
    /// Reads the text of a `.PKGINFO`.
    ///
    /// # Errors
    /// When it is not text, states what the package is not at all or twice, or holds control characters.
    pub fn parse(text: &[u8]) -> Result<Self, PkgInfoError> {
        let text = str::from_utf8(text).map_err(|_| PkgInfoError::NotUtf8)?;
        let mut fields = Vec::new();
        for (number, line) in text.split('\n').enumerate() {
            if let Some(character) = line.chars().find(|&c| c.is_control() && c != '\t') {
                return Err(PkgInfoError::ControlCharacter(character, number + 1));
            }
            let trimmed = line.trim_matches([' ', '\t']);
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                let (key, value) = field(trimmed);
                // repo-add trims and splits lines generously, pacman does not at all.
                if let Some(key) = IDENTITY.iter().find(|&&identity| identity == key)
                    && line != format!("{key} = {value}")
                {
                    return Err(PkgInfoError::Spelling(key));
                }
                fields.push((key, value));
            }
        }
        let info = Self { fields };
        for key in ["pkgname", "pkgver", "arch"] {
            info.required(key)?;
        }
        for key in ["pkgbase", "pkgdesc", "url", "packager"] {
            info.at_most_once(key)?;
        }
        for key in ["size", "builddate"] {
            info.at_most_once(key)?;
            let value = info.one(key);
            if !value.is_empty() && (value.len() > 19 || !value.bytes().all(|b| b.is_ascii_digit())) {
                return Err(PkgInfoError::NotANumber(key, value.to_owned()));
            }
        }
        Ok(info)
    }

    /// The name of the package.
    #[must_use]
    pub fn pkgname(&self) -> &str {
        self.one("pkgname")
    }

    /// The name of the PKGBUILD it comes from; the pkgname where none is stated.
    #[must_use]
    pub fn pkgbase(&self) -> &str {
        match self.one("pkgbase") {
            "" => self.pkgname(),
            base => base,
        }
    }

    /// The full version, `[epoch:]pkgver-pkgrel`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.one("pkgver")
    }

    /// The architecture, or `any`.
    #[must_use]
    pub fn arch(&self) -> &str {
        self.one("arch")
    }

    /// The value of a field that occurs once; empty where it does not occur.
    #[must_use]
    pub fn one<'a>(&'a self, key: &'a str) -> &'a str {
        self.all(key).last().unwrap_or_default()
    }

    /// All values of a field.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    fn required(&self, key: &'static str) -> Result<(), PkgInfoError> {
        self.at_most_once(key)?;
        if self.one(key).is_empty() {
            return Err(PkgInfoError::Missing(key));
        }
        Ok(())
    }

    fn at_most_once(&self, key: &'static str) -> Result<(), PkgInfoError> {
        if self.all(key).count() > 1 {
            return Err(PkgInfoError::Repeated(key));
        }
        Ok(())
    }
}

/// Splits a line as `repo-add` does with the shell's `read`: the key ends at the first run of spaces with at
/// most one equals sign in it; an equals sign that ends a value of one word is dropped.
fn field(line: &str) -> (String, String) {
    let separator = |c| c == ' ' || c == '=';
    let (key, rest) = line.split_at(line.find(separator).unwrap_or(line.len()));
    let rest = rest.trim_start_matches(' ');
    let value = rest.strip_prefix('=').unwrap_or(rest).trim_matches(' ');
    let value = match value.strip_suffix('=').map(|word| word.trim_end_matches(' ')) {
        Some(word) if !word.contains(separator) => word,
        Some(_) | None => value,
    };
    (key.to_owned(), collapse_space(value))
}

fn collapse_space(value: &str) -> String {
    let mut result = String::with_capacity(value.len());
    for character in value.chars() {
        let character = if character == '\t' { ' ' } else { character };
        if character != ' ' || !result.ends_with(' ') {
            result.push(character);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINIMAL: &str = "pkgname = foo\npkgver = 1.0-1\narch = any\n";

    fn parse(more: &str) -> Result<PkgInfo, PkgInfoError> {
        PkgInfo::parse(format!("{MINIMAL}{more}").as_bytes())
    }

    #[test]
    fn both_formats_and_unknown_fields_are_read() {
        let v1 = parse("# Generated by makepkg 3.5\npkgbase = foo\ndepend = a\ndepend = b>=2\n").unwrap();
        assert_eq!(
            (v1.pkgname(), v1.pkgbase(), v1.version(), v1.arch()),
            ("foo", "foo", "1.0-1", "any")
        );
        assert_eq!(v1.all("depend").collect::<Vec<_>>(), ["a", "b>=2"]);
        let v2 = parse("xdata = pkgtype=pkg\nnewfield = x\n").unwrap();
        assert_eq!(v2.pkgbase(), "foo", "a missing pkgbase means pkgname");
        assert_eq!((v2.one("xdata"), v2.one("newfield")), ("pkgtype=pkg", "x"));
    }

    #[test]
    fn what_could_forge_an_entry_is_refused() {
        assert_eq!(parse("pkgname = bar\n"), Err(PkgInfoError::Repeated("pkgname")));
        assert_eq!(
            parse("pkgdesc = a\u{b}b\n"),
            Err(PkgInfoError::ControlCharacter('\u{b}', 4))
        );
        assert_eq!(
            parse("pkgdesc = a\r\n"),
            Err(PkgInfoError::ControlCharacter('\r', 4))
        );
        assert_eq!(
            parse("size = many\n"),
            Err(PkgInfoError::NotANumber("size", "many".into()))
        );
        assert_eq!(PkgInfo::parse(b"pkgname = \xff\n"), Err(PkgInfoError::NotUtf8));
        assert_eq!(
            PkgInfo::parse(b"pkgname = a\npkgver = 1-1\n"),
            Err(PkgInfoError::Missing("arch"))
        );
        assert_eq!(PkgInfo::parse(b""), Err(PkgInfoError::Missing("pkgname")));
    }

    /// What bash makes of a line with the two `read`s and the substitution that `repo-add` uses.
    fn in_bash(line: &str) -> (String, String) {
        let script = r#"read -r line; IFS=' =' read -r k v < <(printf '%s\n' "$line"); printf '%s\0%s' "$k" "${v//+([[:space:]])/ }""#;
        let mut child = std::process::Command::new("bash")
            .args(["-O", "extglob", "-c", script])
            .env("LC_ALL", "C.UTF-8")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{line}\n").as_bytes()).unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let (key, value) = output.split_once('\0').unwrap();
        (key.to_owned(), value.to_owned())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_line_means_what_it_means_to_repo_add(line in "[a-b]{1,2}[ =]{1,3}[a-c= \t\\\\*'\"ä$]{0,10}") {
            let info = parse(&format!("{line}\n")).unwrap();
            let (key, value) = in_bash(&line);
            prop_assert_eq!(info.one(&key), value);
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PkgInfo::parse(&text);
        }

        #[test]
        fn never_panics_on_text(text in "((pkgname|pkgver|arch|size|depend|[a-z]{0,3})[ =\t]{0,4}\\PC{0,12}\n){0,8}") {
            let _ = PkgInfo::parse(text.as_bytes());
        }
    }
}
