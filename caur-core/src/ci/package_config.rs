//! `.CI/config` of a package folder: `KEY=value` lines, quotes optional.
//!
//! Nothing in it is executed. A line that cannot be used is a warning and leaves its setting unset.

use std::fmt;
use std::str::FromStr;

use crate::model::BuildClass;

const BUMP_KEY: &str = "CI_PACKAGE_BUMP";

/// How CI and builders treat one package.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PackageConfig {
    /// `CI_PKGBUILD_SOURCE`: where its files are updated from.
    pub source: Option<PkgbuildSource>,
    /// `CI_PACKAGE_BUMP`: raises pkgrel without a new version.
    pub bump: Option<PackageBump>,
    /// `CI_FORCE_VCS`: treated like a `-git` package.
    pub force_vcs: bool,
    /// `CI_ON_TRIGGER`: scheduled by pipelines with this trigger only.
    pub on_trigger: Option<String>,
    /// `CI_MANAGE_AUR`: changes are pushed to the AUR.
    pub manage_aur: bool,
    /// `CI_NVCHECKER`: new versions are looked for.
    pub nvchecker: bool,
    /// `CI_PKGBUILD_CHANGE_ALLOW_REGEX`: lines whose change needs no review.
    pub change_allow_regex: Vec<String>,
    /// `CI_REBUILD_TRIGGERS`: packages whose new versions rebuild this one.
    pub rebuild_triggers: Vec<String>,
    /// `BUILDER_CACHE_SOURCES`: sources are kept between builds.
    pub cache_sources: bool,
    /// `BUILDER_EXTRA_TIMEOUT`: multiplies the builder's timeout.
    pub extra_timeout: Option<f64>,
    /// `BUILDER_CLASS`: which builders take it.
    pub class: Option<BuildClass>,
    /// `BUILDER_ALLOW_PROHIBITED`: `replaces` and `groups` stay in the package.
    pub allow_prohibited: bool,
    /// Lines that mean nothing or cannot be used.
    pub warnings: Vec<PackageConfigWarning>,
}

/// Where a package's files are updated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PkgbuildSource {
    /// The AUR.
    Aur,
    /// Maintained in the collection itself.
    Custom,
    /// Tags of this GitLab project.
    Gitlab(String),
    /// A git repository.
    Git(String),
}

/// A raised pkgrel: `[epoch:]pkgver-pkgrel[/N]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageBump {
    /// The version that it applies to; any other version drops it.
    pub version: String,
    /// What is appended to pkgrel.
    pub bump: u32,
}

/// A line of `.CI/config` that has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageConfigWarning {
    /// The key is unknown.
    #[error(".CI/config, line {line}: unknown key {key:?}")]
    UnknownKey {
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// There is no `=`, or an open quote.
    #[error(".CI/config, line {line}: {text:?} is not KEY=value")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The line's text.
        text: String,
    },
    /// The value does not fit the key.
    #[error(".CI/config, line {line}: {key} cannot be {value:?}; expected {expected}")]
    BadValue {
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

impl PackageConfig {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut config = Self::default();
        for (index, raw) in text.lines().enumerate() {
            let line = index + 1;
            let raw = raw.trim();
            if raw.is_empty() || raw.starts_with('#') {
                continue;
            }
            let Some((key, value)) = raw
                .split_once('=')
                .and_then(|(key, value)| Some((exported(key.trim()), unquoted(value.trim())?)))
            else {
                config.warnings.push(PackageConfigWarning::Malformed {
                    line,
                    text: raw.to_owned(),
                });
                continue;
            };
            match config.set(key, value) {
                Ok(()) => (),
                Err(Refusal::Key) => config.warnings.push(PackageConfigWarning::UnknownKey {
                    line,
                    key: key.to_owned(),
                }),
                Err(Refusal::Value(expected)) => config.warnings.push(PackageConfigWarning::BadValue {
                    line,
                    key: key.to_owned(),
                    value: value.to_owned(),
                    expected,
                }),
            }
        }
        config
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        match key {
            "CI_PKGBUILD_SOURCE" => self.source = optional(value, source)?,
            BUMP_KEY => self.bump = optional(value, |text| text.parse().map_err(Refusal::Value))?,
            "CI_FORCE_VCS" => self.force_vcs = flag(value)?,
            "CI_ON_TRIGGER" => self.on_trigger = (!value.is_empty()).then(|| value.to_owned()),
            "CI_MANAGE_AUR" => self.manage_aur = flag(value)?,
            "CI_NVCHECKER" => self.nvchecker = flag(value)?,
            "CI_PKGBUILD_CHANGE_ALLOW_REGEX" => self.change_allow_regex = list(value, ';'),
            "CI_REBUILD_TRIGGERS" => self.rebuild_triggers = list(value, ':'),
            "BUILDER_CACHE_SOURCES" => self.cache_sources = flag(value)?,
            "BUILDER_EXTRA_TIMEOUT" => self.extra_timeout = optional(value, multiplier)?,
            "BUILDER_CLASS" => self.class = optional(value, class)?,
            "BUILDER_ALLOW_PROHIBITED" => self.allow_prohibited = flag(value)?,
            _ => return Err(Refusal::Key),
        }
        Ok(())
    }
}

impl PackageBump {
    /// A file's bytes with this bump in the place of any other; all other lines stay.
    #[must_use]
    pub fn put_into(&self, config: &[u8]) -> Vec<u8> {
        let mut text: Vec<u8> = config
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| key(&String::from_utf8_lossy(line)) != Some(BUMP_KEY))
            .flatten()
            .copied()
            .collect();
        if text.last().is_some_and(|&last| last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(format!("{BUMP_KEY}={self}\n").as_bytes());
        text
    }
}

impl fmt::Display for PackageBump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.version, self.bump)
    }
}

impl FromStr for PackageBump {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "[epoch:]pkgver-pkgrel or [epoch:]pkgver-pkgrel/N";
        let (version, bump) = match text.rsplit_once('/') {
            Some((version, bump)) => (version, bump.parse().map_err(|_| EXPECTED)?),
            None => (text, 1),
        };
        let is_version = version
            .rsplit_once('-')
            .is_some_and(|(pkgver, pkgrel)| !pkgver.is_empty() && !pkgrel.is_empty())
            && !version.contains(char::is_whitespace);
        if is_version {
            Ok(Self {
                version: version.to_owned(),
                bump,
            })
        } else {
            Err(EXPECTED)
        }
    }
}

/// Why a line has no effect.
enum Refusal {
    Key,
    Value(&'static str),
}

/// The key of a whole line; none for a comment or what is no setting.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    Some(exported(key.trim()))
}

/// The key of a line that a shell would read as well.
fn exported(key: &str) -> &str {
    key.strip_prefix("export ").map_or(key, str::trim_start)
}

/// The value without quotes and without a comment behind it, as the build image reads it; none where a quote stays open
/// or something else follows it.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, behind) = rest.split_once(quote)?;
            let behind = behind.trim_start();
            return (behind.is_empty() || behind.starts_with('#')).then_some(inner);
        }
    }
    let comment = value
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|&at| value[..at].ends_with([' ', '\t']));
    Some(value[..comment.unwrap_or(value.len())].trim_end())
}

fn optional<T>(value: &str, read: impl Fn(&str) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    if value.is_empty() {
        Ok(None)
    } else {
        read(value).map(Some)
    }
}

fn flag(value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(Refusal::Value("true or false")),
    }
}

fn source(value: &str) -> Result<PkgbuildSource, Refusal> {
    match value {
        "aur" => Ok(PkgbuildSource::Aur),
        "custom" => Ok(PkgbuildSource::Custom),
        _ => match value.strip_prefix("gitlab:") {
            Some(project) if !project.is_empty() => Ok(PkgbuildSource::Gitlab(project.to_owned())),
            None if value.contains("://") => Ok(PkgbuildSource::Git(value.to_owned())),
            _ => Err(Refusal::Value(
                "aur, custom, gitlab:PROJECT or the address of a git repository",
            )),
        },
    }
}

fn multiplier(value: &str) -> Result<f64, Refusal> {
    value
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0)
        .ok_or(Refusal::Value("a positive number, which multiplies the timeout"))
}

fn class(value: &str) -> Result<BuildClass, Refusal> {
    value
        .parse()
        .map_err(|_| Refusal::Value("a number or the name of a builder"))
}

fn list(value: &str, separator: char) -> Vec<String> {
    value
        .split(separator)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_key_is_read() {
        let config = PackageConfig::parse(
            "# comment\nCI_PKGBUILD_SOURCE=\"gitlab:42\"\nCI_PACKAGE_BUMP='1:1.0-2/3'\nCI_FORCE_VCS=true\n\
             CI_ON_TRIGGER=daily\nCI_MANAGE_AUR=true\r\nCI_NVCHECKER=true\n\
             CI_PKGBUILD_CHANGE_ALLOW_REGEX=^a=b;^c\nCI_REBUILD_TRIGGERS=boost:icu\n\nBUILDER_CACHE_SOURCES=true\n\
             BUILDER_EXTRA_TIMEOUT=1.5\nBUILDER_CLASS=big\nBUILDER_ALLOW_PROHIBITED=\"true\"\n",
        );
        let expected = PackageConfig {
            source: Some(PkgbuildSource::Gitlab("42".to_owned())),
            bump: Some(PackageBump {
                version: "1:1.0-2".to_owned(),
                bump: 3,
            }),
            force_vcs: true,
            on_trigger: Some("daily".to_owned()),
            manage_aur: true,
            nvchecker: true,
            change_allow_regex: vec!["^a=b".to_owned(), "^c".to_owned()],
            rebuild_triggers: vec!["boost".to_owned(), "icu".to_owned()],
            cache_sources: true,
            extra_timeout: Some(1.5),
            class: Some("big".parse().unwrap()),
            allow_prohibited: true,
            warnings: Vec::new(),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_cannot_be_used_is_a_warning_and_the_rest_counts() {
        let config = PackageConfig::parse(
            "CI_PKGREL=2\nBUILDER_CLASS=a b\nBUILDER_EXTRA_TIMEOUT=0\nCI_PACKAGE_BUMP=1.0\nCI_PACKAGE_BUMP=1-1/x\n\
             CI_MANAGE_AUR=maybe\nCI_PKGBUILD_SOURCE=ftp\nrm -rf /\nCI_ON_TRIGGER=\"open\nCI_NVCHECKER=true\n",
        );
        let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 9, "{warnings:#?}");
        assert!(
            warnings[0].contains("line 1: unknown key \"CI_PKGREL\""),
            "{}",
            warnings[0]
        );
        assert!(
            warnings[1].contains("BUILDER_CLASS cannot be \"a b\"; expected a number or"),
            "{}",
            warnings[1]
        );
        assert!(
            warnings[7].contains("\"rm -rf /\" is not KEY=value"),
            "{}",
            warnings[7]
        );
        let rest = PackageConfig {
            nvchecker: true,
            warnings: config.warnings.clone(),
            ..PackageConfig::default()
        };
        assert_eq!(config, rest);
    }

    #[test]
    fn sources_and_bumps_have_their_forms() {
        for (value, expected) in [
            ("aur", Some(PkgbuildSource::Aur)),
            ("custom", Some(PkgbuildSource::Custom)),
            (
                "https://git.example.org/a.git",
                Some(PkgbuildSource::Git("https://git.example.org/a.git".to_owned())),
            ),
            ("gitlab:", None),
            ("", None),
        ] {
            assert_eq!(
                PackageConfig::parse(&format!("CI_PKGBUILD_SOURCE={value}")).source,
                expected,
                "{value}"
            );
        }
        assert_eq!(
            "1.0-2".parse(),
            Ok(PackageBump {
                version: "1.0-2".to_owned(),
                bump: 1
            })
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}|([A-Z_]{2,14}=[\"'a-z0-9:/.-]{0,9}\n){0,6}") {
            let _ = PackageConfig::parse(&text);
        }
    }

    #[test]
    fn a_bump_takes_the_place_of_any_other_and_leaves_the_rest() {
        let bump: PackageBump = "1:1.0-1/2".parse().unwrap();
        for (before, after) in [
            (&b""[..], &b"CI_PACKAGE_BUMP=1:1.0-1/2\n"[..]),
            (b"CI_PACKAGE_BUMP=1:1.0-1", b"CI_PACKAGE_BUMP=1:1.0-1/2\n"),
            (
                b"# CI_PACKAGE_BUMP=x\n\nCI_FORCE_VCS=true\r\n\xff\nlast",
                b"# CI_PACKAGE_BUMP=x\n\nCI_FORCE_VCS=true\r\n\xff\nlast\nCI_PACKAGE_BUMP=1:1.0-1/2\n",
            ),
            (
                b" export  CI_PACKAGE_BUMP='2-1'\nCI_PACKAGE_BUMP = 3-1\nCI_PACKAGE_BUMPS=4-1\n",
                b"CI_PACKAGE_BUMPS=4-1\nCI_PACKAGE_BUMP=1:1.0-1/2\n",
            ),
        ] {
            let text = bump.put_into(before);
            assert_eq!(text, after, "{}", String::from_utf8_lossy(&text));
            assert_eq!(
                PackageConfig::parse(&String::from_utf8_lossy(&text)).bump,
                Some(bump.clone())
            );
        }
    }
}
