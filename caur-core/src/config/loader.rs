//! Layers the sources: defaults < TOML files < environment < command line.
//!
//! Everything that is wrong is reported at once. A wrong value is a problem even where a later source would
//! have hidden it. An empty environment variable counts as unset, as compose files pass empty texts for
//! variables that nobody set; an empty value on the command line takes an earlier source's value away.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::problem::{ConfigError, Problem, Source, Warning};
use super::rules;
use super::settings::Config;
use super::table::{Kind, SETTINGS, Setting};
use super::{file, value};

/// Names the configuration file where `--config` does not.
const FILE_VARIABLE: &str = "CAUR_CONFIG";

/// Variables of the development scripts, which start the program with them.
const OF_SCRIPTS: [&str; 4] = [
    "CAUR_DEV_STATE",
    "CAUR_DOCKER_SOCKET",
    "CAUR_TEST_IMAGE",
    "CAUR_FIXTURE",
];

/// What configures the program.
#[derive(Debug, Clone)]
pub struct Loader {
    /// The file of `--config`; it must exist. Without it `CAUR_CONFIG` names one that must exist, and without
    /// both [`Self::system_file`] and `$XDG_CONFIG_HOME/caur/caur.toml` are read where they exist.
    pub file: Option<PathBuf>,
    /// The configuration of the whole machine.
    pub system_file: PathBuf,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Key and value of every setting of the command line, in its order.
    pub overrides: Vec<(String, String)>,
    /// Variables whose values are no UTF-8.
    undecodable: Vec<String>,
}

/// A valid configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// What looked odd.
    pub warnings: Vec<Warning>,
    pub(super) origins: BTreeMap<&'static str, Source>,
}

impl Default for Loader {
    fn default() -> Self {
        Self {
            file: None,
            system_file: PathBuf::from("/etc/caur/caur.toml"),
            environment: BTreeMap::new(),
            overrides: Vec::new(),
            undecodable: Vec::new(),
        }
    }
}

impl Loader {
    /// A loader over an environment such as [`std::env::vars_os`].
    #[must_use]
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut loader = Self::default();
        for (name, text) in environment {
            match (name.into_string(), text.into_string()) {
                (Ok(name), Ok(text)) => {
                    loader.environment.insert(name, text);
                }
                (Ok(name), Err(_)) => loader.undecodable.push(name),
                // No variable of ours has such a name.
                (Err(_), _) => (),
            }
        }
        loader
    }

    /// Reads and checks all sources.
    ///
    /// # Errors
    /// All problems of all sources together.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut problems = Vec::new();
        let mut chosen = Chosen::default();

        let files = self.files();
        for path in &files {
            for entry in file::read(path, &mut problems) {
                let checked = value::check(entry.setting, entry.value, &entry.origin, None);
                chosen.take(entry.setting, entry.origin, checked, &mut problems);
            }
        }
        self.read_environment(&mut chosen, &mut problems);
        self.read_overrides(&mut chosen, &mut problems);

        let mut tree = Map::new();
        let mut origins = BTreeMap::new();
        for (key, (value, origin)) in chosen.0 {
            value::insert(&mut tree, key, value);
            origins.insert(key, origin);
        }
        let config = Config::deserialize(Value::Object(tree))
            .expect("settings that are valid one by one are valid together, as no field constrains another");
        rules::check(&config, &mut problems);
        ConfigError::unless_empty(problems)?;
        Ok(Loaded {
            config,
            files,
            warnings: self.warnings(),
            origins,
        })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn files(&self) -> Vec<PathBuf> {
        let named = self
            .file
            .clone()
            .or_else(|| self.variable(FILE_VARIABLE).map(PathBuf::from));
        if let Some(file) = named {
            return vec![file];
        }
        let user_directory = self.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| {
            self.variable("HOME")
                .map(|home| PathBuf::from(home).join(".config"))
        });
        let user_file = user_directory.map(|directory| directory.join("caur/caur.toml"));
        [Some(self.system_file.clone()), user_file]
            .into_iter()
            .flatten()
            .filter(|path| path.exists())
            .collect()
    }

    fn read_environment(&self, chosen: &mut Chosen, problems: &mut Vec<Problem>) {
        for setting in SETTINGS {
            let origin = Source::Environment(setting.env.to_owned());
            if self.undecodable.iter().any(|name| name == setting.env) {
                problems.push(Problem::BadValue {
                    key: setting.key,
                    origin,
                    value: None,
                    expected: setting.kind.expected(),
                    detail: Some("the value is not UTF-8".to_owned()),
                });
            } else if let Some(text) = self.variable(setting.env) {
                let parsed = value::from_text(setting, text, &origin);
                chosen.take(setting, origin, parsed, problems);
            }
        }
    }

    fn read_overrides(&self, chosen: &mut Chosen, problems: &mut Vec<Problem>) {
        for (key, text) in &self.overrides {
            let origin = Source::CommandLine;
            match Setting::find(key) {
                Some(setting) => {
                    let parsed = from_command_line(setting, text, &origin);
                    chosen.take(setting, origin, parsed, problems);
                }
                None => problems.push(Problem::UnknownKey {
                    key: key.clone(),
                    origin,
                    closest: Setting::closest_key(key),
                }),
            }
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        self.environment
            .keys()
            .filter(|name| *name != FILE_VARIABLE && !OF_SCRIPTS.contains(&name.as_str()))
            .filter(|name| SETTINGS.iter().all(|setting| setting.env != **name))
            .filter_map(|name| {
                let closest = Setting::closest_variable(name);
                let is_ours = name.starts_with("CAUR_") || closest.is_some_and(|known| is_typo(name, known));
                is_ours.then(|| Warning::UnknownVariable {
                    name: name.clone(),
                    closest,
                })
            })
            .collect()
    }
}

/// Whether `name` is `known` but for a slip or two; other programs' variables share our prefixes.
fn is_typo(name: &str, known: &str) -> bool {
    name.len() >= 8 && name.len().abs_diff(known.len()) <= 2 && strsim::damerau_levenshtein(name, known) <= 2
}

fn from_command_line(setting: &'static Setting, text: &str, origin: &Source) -> Result<Value, Problem> {
    if !text.is_empty() {
        return value::from_text(setting, text, origin);
    }
    match setting.kind {
        Kind::List => Ok(Value::Array(Vec::new())),
        Kind::Table(_) => Ok(Value::Object(Map::new())),
        Kind::Text
        | Kind::Path
        | Kind::Choice(_)
        | Kind::Flag
        | Kind::Integer(..)
        | Kind::Decimal
        | Kind::Class => value::unset(setting).map_or_else(|| value::from_text(setting, text, origin), Ok),
    }
}

/// The last valid value of every setting.
#[derive(Default)]
struct Chosen(BTreeMap<&'static str, (Value, Source)>);

impl Chosen {
    fn take(
        &mut self,
        setting: &'static Setting,
        origin: Source,
        parsed: Result<Value, Problem>,
        problems: &mut Vec<Problem>,
    ) {
        match parsed {
            Ok(value) => {
                self.0.insert(setting.key, (value, origin));
            }
            Err(problem) => problems.push(problem),
        }
    }
}
