//! `tui.toml`: what the console looks like, which keys it has, and the farms that it knows.
//!
//! A file that is wrong is refused with its name, the line and the key; no message repeats an address, which may hold a
//! password.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use caur_core::config::RedisSettings;
use directories::ProjectDirs;
use secrecy::SecretString;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::keymap::{Keymap, KeymapError};
use crate::options::{RedisUrl, SshEndpoint};
use crate::theme::Theme;

/// How far a misspelt name may be from the one that was meant.
const TYPO: usize = 3;

/// What `tui.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TuiFile {
    /// The profile that is used where none is asked for.
    pub default: Option<String>,
    /// The colours.
    pub theme: Option<Theme>,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// Keys by the name of their action.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Farms by name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Default for TuiFile {
    fn default() -> Self {
        Self {
            default: None,
            theme: None,
            mouse: true,
            keys: BTreeMap::new(),
            profiles: BTreeMap::new(),
        }
    }
}

/// One farm and the way to it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// The SSH server in front of it.
    pub ssh: Option<SshEndpoint>,
    /// Its Redis, as seen from the SSH server.
    pub redis_url: Option<RedisUrl>,
    /// A file whose first line is the password of Redis.
    pub redis_password_file: Option<PathBuf>,
    /// Whether nothing that changes the farm is offered.
    pub read_only: bool,
}

/// Why the console's own configuration is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file says something that it must not.
    #[error("{path}:{line}: {what}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The key, what is wrong with it, and what would be right.
        what: String,
    },
    /// No such profile.
    #[error("there is no profile {name}: {}", existing(names, path))]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those that exist.
        names: Vec<String>,
        /// Where they are.
        path: PathBuf,
    },
    /// Several profiles and no word on which.
    #[error(
        "which farm? {}; give --profile NAME, or write default = \"NAME\" there",
        existing(names, path)
    )]
    NoDefault {
        /// Those that exist.
        names: Vec<String>,
        /// Where they are.
        path: PathBuf,
    },
    /// The file is there, and nothing says where a farm is.
    #[error(
        "{path} names no farm; write one there as [profiles.NAME] with ssh and redis-url, or give --redis-url"
    )]
    NoFarm {
        /// The file.
        path: PathBuf,
    },
    /// There is nowhere to look for it.
    #[error("there is no home directory to keep tui.toml in; set HOME or XDG_CONFIG_HOME")]
    NoHome,
}

fn existing(names: &[String], path: &Path) -> String {
    let path = path.display();
    if names.is_empty() {
        format!("{path} holds none; write one as [profiles.NAME]")
    } else {
        format!("{path} holds {}", names.join(", "))
    }
}

/// Where the file is, whether it exists or not.
///
/// # Errors
/// [`ProfileError::NoHome`].
pub fn path() -> Result<PathBuf, ProfileError> {
    let folders = ProjectDirs::from("", "", "caur").ok_or(ProfileError::NoHome)?;
    Ok(folders.config_dir().join("tui.toml"))
}

/// What the file says, with its keys as a keymap; none where there is no file.
///
/// # Errors
/// [`ProfileError`] for a file that cannot be read, and for its first mistake.
pub fn read(path: &Path) -> Result<Option<(TuiFile, Keymap)>, ProfileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ProfileError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

fn parse(path: &Path, text: &str) -> Result<(TuiFile, Keymap), ProfileError> {
    let wrong = |at: usize, what: String| ProfileError::Wrong {
        path: path.to_owned(),
        line: text.get(..at).unwrap_or(text).matches('\n').count() + 1,
        what,
    };
    let file: TuiFile = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = with_nearest(error.message());
        match key_at(text, at) {
            Some(key) => wrong(at, format!("{key}: {message}")),
            None => wrong(at, message),
        }
    })?;
    let keymap = Keymap::configured(&file.keys)
        .map_err(|error| wrong(place_of(text, &["keys", named_in(&error)]), error.to_string()))?;
    if let Some(name) = &file.default
        && !file.profiles.contains_key(name)
    {
        let unknown = file.unknown(name, path);
        return Err(wrong(place_of(text, &["default"]), format!("default: {unknown}")));
    }
    Ok((file, keymap))
}

impl TuiFile {
    /// The profile that is asked for, or the default one, or the only one.
    ///
    /// # Errors
    /// When it does not exist, or nobody says which of several is meant. `path` is named then.
    pub fn choose<'a>(
        &'a self,
        asked: Option<&'a str>,
        path: &Path,
    ) -> Result<Option<(&'a str, &'a Profile)>, ProfileError> {
        let Some(name) = asked.or(self.default.as_deref()) else {
            let mut all = self.profiles.iter();
            return match (all.next(), all.next()) {
                (None, _) => Ok(None),
                (Some((name, profile)), None) => Ok(Some((name, profile))),
                (Some(_), Some(_)) => Err(ProfileError::NoDefault {
                    names: self.names(),
                    path: path.to_owned(),
                }),
            };
        };
        match self.profiles.get(name) {
            Some(profile) => Ok(Some((name, profile))),
            None => Err(self.unknown(name, path)),
        }
    }

    fn unknown(&self, name: &str, path: &Path) -> ProfileError {
        ProfileError::Unknown {
            name: name.to_owned(),
            names: self.names(),
            path: path.to_owned(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.profiles.keys().cloned().collect()
    }
}

impl Profile {
    /// The way to the farm. `password` is that of the environment; the profile's own goes first.
    ///
    /// # Errors
    /// When the password file cannot be read.
    pub fn redis(&self, password: Option<&SecretString>) -> Result<RedisSettings, ProfileError> {
        let own = match &self.redis_password_file {
            Some(path) => Some(first_line(path)?),
            None => None,
        };
        let password = own.as_ref().or(password);
        let mut settings = RedisSettings::default();
        match &self.redis_url {
            Some(url) => url.apply(&mut settings, password),
            None => settings.password = password.cloned(),
        }
        if let Some(ssh) = &self.ssh {
            ssh.apply(&mut settings);
        }
        Ok(settings)
    }
}

fn first_line(path: &Path) -> Result<SecretString, ProfileError> {
    let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok(text.lines().next().unwrap_or_default().into())
}

/// Which action a mistake in the keys is about.
fn named_in(error: &KeymapError) -> &str {
    match error {
        KeymapError::UnknownAction { name, .. } => name,
        KeymapError::UnknownKey { name, .. } | KeymapError::Needed(name) => name,
        KeymapError::Twice { first, .. } => first,
    }
}

/// What serde says of an unknown name, with the nearest of the names that it offers.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(written), true) = (quoted.next(), message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let nearest = quoted
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .min()
        .filter(|(distance, _)| *distance <= TYPO);
    match nearest {
        Some((_, name)) => format!("{message}; did you mean {name}?"),
        None => message.to_owned(),
    }
}

/// The key whose name or value is at this byte, with the tables that it is in.
fn key_at(text: &str, at: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut path: Vec<&str> = Vec::new();
    loop {
        let found = table
            .iter()
            .find(|(name, value)| name.span().contains(&at) || holds(value.get_ref(), &value.span(), at));
        let Some((name, value)) = found else { break };
        path.push(name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if !name.span().contains(&at) => table = inner,
            _ => break,
        }
    }
    (!path.is_empty()).then(|| path.join("."))
}

/// Whether a value holds this byte. The span of a table is its header only, so what is in it is asked as well.
fn holds(value: &DeValue<'_>, span: &std::ops::Range<usize>, at: usize) -> bool {
    span.contains(&at)
        || match value {
            DeValue::Table(inner) => inner
                .iter()
                .any(|(name, value)| name.span().contains(&at) || holds(value.get_ref(), &value.span(), at)),
            _ => false,
        }
}

/// The byte at which the last of these keys stands, one inside the other; as far as they are there.
fn place_of(text: &str, path: &[&str]) -> usize {
    let Ok(document) = DeTable::parse(text) else {
        return 0;
    };
    let mut table = document.get_ref();
    let mut place = 0;
    for key in path {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
            break;
        };
        place = name.span().start;
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::keymap::Action;
    use crate::options::describe;

    fn read_text(text: &str) -> Result<(TuiFile, Keymap), String> {
        parse(Path::new("tui.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_can_be_said() {
        let text = "default = \"garden\"\ntheme = \"light\"\nmouse = false\n[keys]\nquit = [\"Q\"]\n\
                    [profiles.garden]\nssh = \"maintainer@farm:2200\"\nredis-url = \"redis://me@10.0.0.1\"\n\
                    read-only = true\n[profiles.shed]\nssh = \"shed\"\n";
        let (file, keymap) = read_text(text).unwrap();
        assert_eq!((file.theme, file.mouse), (Some(Theme::Light), false));
        assert_eq!(keymap.labels(Action::named("quit").unwrap()), "Q");
        let path = Path::new("tui.toml");
        let (name, garden) = file.choose(None, path).unwrap().unwrap();
        assert_eq!((name, garden.read_only), ("garden", true));
        let settings = garden.redis(Some(&"pw".into())).unwrap();
        assert_eq!(describe(&settings), "10.0.0.1:6379 through farm");
        assert_eq!(
            (settings.ssh.port, settings.ssh.user.as_str()),
            (2200, "maintainer")
        );
        assert_eq!(settings.password.unwrap().expose_secret(), "pw");
        let (_, shed) = file.choose(Some("shed"), path).unwrap().unwrap();
        assert_eq!(
            describe(&shed.redis(None).unwrap()),
            "127.0.0.1:6379 through shed"
        );
    }

    #[test]
    fn mistakes_are_told_with_line_and_key() {
        for (text, expected) in [
            (
                "theme = \"dark\"\n[profiles.a]\nredis-ulr = 1\n",
                "tui.toml:3: profiles.a.redis-ulr: unknown field `redis-ulr`, expected one of `ssh`, `redis-url`, \
                 `redis-password-file`, `read-only`; did you mean redis-url?",
            ),
            (
                "[profiles.a]\n\nread-only = \"yes\"\n",
                "tui.toml:3: profiles.a.read-only: invalid type: string \"yes\", expected a boolean",
            ),
            (
                "profiles.a.ssh = \"a b\"\n",
                "tui.toml:1: profiles.a.ssh: expected USER@HOST[:PORT] or a host of ssh's configuration, an IPv6 \
                 address in brackets",
            ),
            (
                "mouse = true\ntheme = \"drak\"\n",
                "tui.toml:2: theme: unknown variant `drak`, expected one of `dark`, `light`, `high-contrast`, \
                 `color-blind`, `mono`; did you mean dark?",
            ),
            (
                "[keys]\nquit = [\"q\"]\nqiut = [\"x\"]\n",
                "tui.toml:3: keys.qiut: there is no such action; did you mean quit?",
            ),
            (
                "default = \"b\"\n[profiles.a]\n[profiles.c]\n",
                "tui.toml:1: default: there is no profile b: tui.toml holds a, c",
            ),
        ] {
            assert_eq!(read_text(text).unwrap_err(), expected);
        }
        let syntax = read_text("theme = \"dark\"\nmouse =\n").unwrap_err();
        assert!(syntax.starts_with("tui.toml:2: "), "{syntax}");
        let twice = read_text("[profiles.a]\nssh = \"a\"\nssh = \"b\"\n").unwrap_err();
        assert!(twice.starts_with("tui.toml:3: "), "{twice}");
    }

    #[test]
    fn no_message_shows_a_password() {
        let text = "[profiles.a]\nredis-url = \"redis://me:s3cret@farm/7\"\n";
        let error = read_text(text).unwrap_err();
        assert_eq!(
            error,
            "tui.toml:2: profiles.a.redis-url: the queue lives in database 0, not 7"
        );
        let (file, _) = read_text("profiles.a.redis-url = \"redis://me:s3cret@farm\"\n").unwrap();
        assert!(!format!("{file:?}").contains("s3cret"));
    }

    #[test]
    fn a_profile_is_chosen_only_where_it_is_clear_which() {
        let path = Path::new("/c/tui.toml");
        let (two, _) = read_text("[profiles.a]\n[profiles.b]\n").unwrap();
        let unclear = two.choose(None, path).unwrap_err().to_string();
        assert!(
            unclear.starts_with("which farm? /c/tui.toml holds a, b;"),
            "{unclear}"
        );
        let unknown = two.choose(Some("c"), path).unwrap_err().to_string();
        assert_eq!(unknown, "there is no profile c: /c/tui.toml holds a, b");
        let (one, _) = read_text("[profiles.a]\n").unwrap();
        assert_eq!(one.choose(None, path).unwrap().unwrap().0, "a");
        let (none, _) = read_text("theme = \"dark\"\n").unwrap();
        assert!(none.choose(None, path).unwrap().is_none());
        assert!(none.choose(Some("a"), path).is_err());
    }

    #[test]
    fn the_password_file_goes_before_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "from the file\n").unwrap();
        let mut profile = Profile {
            redis_password_file: Some(path),
            ..Profile::default()
        };
        let settings = profile.redis(Some(&"from the environment".into())).unwrap();
        assert_eq!(settings.password.unwrap().expose_secret(), "from the file");
        profile.redis_password_file = Some(folder.path().join("absent"));
        let error = profile.redis(None).unwrap_err().to_string();
        assert!(error.contains("absent"), "{error}");
    }
}
