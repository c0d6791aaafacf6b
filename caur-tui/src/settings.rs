//! What the console is started with: the command line, over a profile of `tui.toml`, over what `caur-daemon` reads.
//!
//! A profile stands for itself: with one, nothing of the daemon's environment counts but `REDIS_PASSWORD`. Without one,
//! the daemon's files and environment do. Nothing here asks the network or another program, so that the first frame
//! does not wait.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use caur_core::config::{ConfigError, Loader, RedisSettings, Source};
use secrecy::SecretString;

use crate::keymap::Keymap;
use crate::options::{Options, SshEndpoint, describe};
use crate::profile::{self, ProfileError, TuiFile};
use crate::theme::Theme;

/// The variable that holds the password of Redis, as for `caur-daemon`.
const PASSWORD: &str = "REDIS_PASSWORD";

/// How the console looks, what it may do, and where the farm is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The colours.
    pub theme: Theme,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// Which key does what.
    pub keymap: Keymap,
    /// Whether nothing that changes the farm is offered.
    pub read_only: bool,
    /// What is looked at, for the header; without any secret.
    pub title: String,
    /// Where the farm is.
    pub farm: Place,
}

/// Where the farm is.
#[derive(Debug, Clone)]
pub enum Place {
    /// Nowhere; it is made up.
    Demo,
    /// Behind this Redis.
    Redis {
        /// The way there.
        redis: Box<RedisSettings>,
        /// The SSH server as a person named it; none where there is none, or where the daemon's configuration names it.
        through: Option<SshEndpoint>,
    },
    /// Nothing says so: no `tui.toml`, no option, no file and no environment of the daemon.
    Unsaid,
}

/// Why the console cannot be started as asked.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The console's own configuration is of no use.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The daemon's configuration is of no use.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Puts together what `options`, the file at `path` and the environment say.
///
/// # Errors
/// [`SettingsError`] for the first of them that is wrong.
pub fn gather(
    options: &Options,
    path: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, SettingsError> {
    let mut loader = Loader::new(environment);
    loader.file.clone_from(&options.config);
    let read = profile::read(path)?;
    let is_first_start = read.is_none();
    let (file, keymap) = read.unwrap_or_default();
    let no_color = loader.environment.get("NO_COLOR").map(String::as_str);
    let mut settings = Settings {
        theme: Theme::choose(options.theme, file.theme, no_color),
        mouse: file.mouse,
        keymap,
        read_only: options.read_only,
        title: "demo farm".to_owned(),
        farm: Place::Demo,
    };
    if options.demo {
        return Ok(settings);
    }
    settings.farm = Place::Unsaid;
    let password = password(&loader.environment);
    let (name, base, mut through) = match choose(options, &file, path, &loader)? {
        Some((name, profile)) => {
            settings.read_only |= profile.read_only;
            let redis = profile.redis(password.as_ref())?;
            (Some(name), Some(redis), profile.ssh.clone())
        }
        None => (None, configured(options, &loader)?, None),
    };
    if base.is_none() && !is_first_start {
        return Err(ProfileError::NoFarm {
            path: path.to_owned(),
        }
        .into());
    }
    if let Some(mut redis) = base {
        if let Some(url) = &options.redis_url {
            url.apply(&mut redis, password.as_ref());
            through = None;
        }
        if let Some(ssh) = &options.ssh {
            ssh.apply(&mut redis);
            through = Some(ssh.clone());
        }
        settings.title = match name {
            Some(name) => format!("{name}: {}", describe(&redis)),
            None => describe(&redis),
        };
        settings.farm = Place::Redis {
            redis: Box::new(redis),
            through,
        };
    }
    Ok(settings)
}

fn password(environment: &BTreeMap<String, String>) -> Option<SecretString> {
    let text = environment.get(PASSWORD)?;
    (!text.is_empty()).then(|| text.as_str().into())
}

/// The profile that counts. Which of several is meant need not be said where an address is given.
fn choose<'a>(
    options: &'a Options,
    file: &'a TuiFile,
    path: &Path,
    loader: &Loader,
) -> Result<Option<(&'a str, &'a profile::Profile)>, SettingsError> {
    if options.config.is_some() {
        return Ok(None);
    }
    match file.choose(options.profile.as_deref(), path) {
        Err(ProfileError::NoDefault { .. })
            if options.redis_url.is_some() || says_something(&loader.load()?) =>
        {
            Ok(None)
        }
        chosen => Ok(chosen?),
    }
}

/// What the daemon would use; none where that would be a guess.
fn configured(options: &Options, loader: &Loader) -> Result<Option<RedisSettings>, SettingsError> {
    let loaded = loader.load()?;
    let is_said = options.redis_url.is_some() || options.ssh.is_some() || says_something(&loaded);
    Ok(is_said.then(|| loaded.config.queue_redis()))
}

fn says_something(loaded: &caur_core::config::Loaded) -> bool {
    !loaded.files.is_empty()
        || loaded
            .describe()
            .iter()
            .any(|value| value.source != Source::Default)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;

    const TWO: &str = "default = \"garden\"\ntheme = \"light\"\n[profiles.garden]\nssh = \"me@farm\"\n\
                       redis-url = \"redis://10.0.0.1\"\nread-only = true\n[profiles.shed]\n";

    fn gathered(
        tui: Option<&str>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tui.toml");
        if let Some(text) = tui {
            std::fs::write(&path, text).unwrap();
        }
        let options = Options::try_parse_from(std::iter::once(&"caur-tui").chain(arguments)).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        gather(&options, &path, environment).map_err(|error| error.to_string())
    }

    fn redis(settings: &Settings) -> &RedisSettings {
        match &settings.farm {
            Place::Redis { redis, .. } => redis,
            other @ (Place::Demo | Place::Unsaid) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_goes_before_the_profile_and_that_before_the_environment() {
        let daemon = [("REDIS_HOST", "env"), ("REDIS_PASSWORD", "pw")];
        for (tui, arguments, title, password) in [
            (
                Some(TWO),
                &[][..],
                "garden: 10.0.0.1:6379 through farm",
                Some("pw"),
            ),
            (
                Some(TWO),
                &["--profile", "shed"],
                "shed: 127.0.0.1:6379",
                Some("pw"),
            ),
            (
                Some(TWO),
                &["--ssh", "gate"],
                "garden: 10.0.0.1:6379 through gate",
                Some("pw"),
            ),
            (
                Some(TWO),
                &["--redis-url", "redis://:own@b"],
                "garden: b:6379",
                Some("own"),
            ),
            (
                Some("theme = \"dark\"\n"),
                &["--ssh", "gate"],
                "env:6379 through gate",
                Some("pw"),
            ),
            (
                None,
                &["--redis-url", "unix:///s", "--ssh", "o"],
                "/s through o",
                Some("pw"),
            ),
            (None, &[], "env:6379", Some("pw")),
        ] {
            let settings = gathered(tui, arguments, &daemon).unwrap();
            assert_eq!(settings.title, title, "{arguments:?}");
            let found = redis(&settings)
                .password
                .as_ref()
                .map(ExposeSecret::expose_secret);
            assert_eq!(found, password, "{arguments:?}");
        }
    }

    #[test]
    fn a_farm_is_read_only_when_anyone_says_so() {
        assert!(gathered(Some(TWO), &[], &[]).unwrap().read_only);
        let shed =
            |more: &[&str]| gathered(Some(TWO), &[&["--profile", "shed"], more].concat(), &[]).unwrap();
        assert!(!shed(&[]).read_only);
        assert!(shed(&["--read-only"]).read_only);
    }

    #[test]
    fn colours_of_the_file_give_way_to_no_color_and_to_the_command_line() {
        let theme = |arguments: &[&str], environment: &[(&str, &str)]| {
            gathered(Some(TWO), arguments, environment).unwrap().theme
        };
        assert_eq!(theme(&[], &[]), Theme::Light);
        assert_eq!(theme(&["--demo"], &[]), Theme::Light);
        assert_eq!(theme(&[], &[("NO_COLOR", "1")]), Theme::Mono);
        assert_eq!(theme(&["--theme", "dark"], &[("NO_COLOR", "1")]), Theme::Dark);
    }

    #[test]
    fn nothing_is_guessed() {
        let nothing = gathered(None, &[], &[("HOME", "/nonexistent"), ("PATH", "/bin")]).unwrap();
        assert!(matches!(nothing.farm, Place::Unsaid), "{:?}", nothing.farm);
        let without = gathered(Some("theme = \"dark\"\n"), &[], &[]).unwrap_err();
        assert!(without.contains("names no farm"), "{without}");
        let unclear = gathered(Some("[profiles.a]\n[profiles.b]\n"), &[], &[]).unwrap_err();
        assert!(unclear.contains("a, b"), "{unclear}");
        let absent = gathered(None, &["--profile", "a"], &[]).unwrap_err();
        assert!(absent.contains("holds none; write one"), "{absent}");
    }
}
