//! Which key does what.
//!
//! The keys of [`ACTIONS`] hold unless the configuration gives an action others. A key means one thing in one place:
//! where it would mean two, the configuration is refused with both places named.

mod actions;
mod key;
mod reference;

use std::collections::BTreeMap;

pub use actions::{ACTIONS, Action, Context, Definition};
pub use key::{Key, UnknownKey};
pub use reference::reference;

/// Contexts that can hold at the same time, the first one first.
pub const TOGETHER: [&[Context]; 7] = [
    &[
        Context::Offline,
        Context::Queue,
        Context::Jobs,
        Context::List,
        Context::Anywhere,
    ],
    &[Context::Offline, Context::Job, Context::Jobs, Context::Anywhere],
    &[
        Context::Offline,
        Context::Builders,
        Context::List,
        Context::Anywhere,
    ],
    &[
        Context::Offline,
        Context::Repository,
        Context::List,
        Context::Anywhere,
    ],
    &[
        Context::Offline,
        Context::History,
        Context::Jobs,
        Context::List,
        Context::Anywhere,
    ],
    &[
        Context::Offline,
        Context::Activity,
        Context::List,
        Context::Anywhere,
    ],
    &[Context::Offline, Context::Statistics, Context::Anywhere],
];

/// The keys of every action.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    keys: BTreeMap<Action, Vec<Key>>,
}

/// What is wrong with configured keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No such action.
    #[error("keys.{name}: there is no such action{}", nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    UnknownAction {
        /// As it was written.
        name: String,
        /// The most similar one.
        nearest: Option<&'static str>,
    },
    /// No such key.
    #[error("keys.{name}: {source}")]
    UnknownKey {
        /// The action.
        name: &'static str,
        /// What was written.
        source: UnknownKey,
    },
    /// One key for two actions in one place.
    #[error(
        "the key {key} means two things: keys.{first} ({first_place}) and keys.{second} ({second_place})"
    )]
    Twice {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// Where it holds, and who says so.
        first_place: String,
        /// The other one.
        second: &'static str,
        /// Where that one holds, and who says so.
        second_place: String,
    },
    /// Nothing would be left to leave the console with.
    #[error("keys.{0}: it needs a key")]
    Needed(&'static str),
}

impl Default for Keymap {
    fn default() -> Self {
        Self::configured(&BTreeMap::new()).expect("a test reads the default keys")
    }
}

impl Keymap {
    /// The default keys with `configured` ones, by action name, in their place. An empty list takes an action's keys away.
    ///
    /// # Errors
    /// [`KeymapError`] for unknown actions and keys, and where a key would mean two things.
    pub fn configured(configured: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        for name in configured.keys() {
            if Action::named(name).is_none() {
                return Err(KeymapError::UnknownAction {
                    name: name.clone(),
                    nearest: nearest(name),
                });
            }
        }
        let mut keys = BTreeMap::new();
        for definition in ACTIONS {
            let read = |text: &str| {
                text.parse().map_err(|source| KeymapError::UnknownKey {
                    name: definition.name,
                    source,
                })
            };
            let own: Result<Vec<Key>, KeymapError> = match configured.get(definition.name) {
                Some(texts) => texts.iter().map(|text| read(text)).collect(),
                None => definition.keys.iter().map(|text| read(text)).collect(),
            };
            keys.insert(definition.action, own?);
        }
        let keymap = Self { keys };
        keymap.check(configured)?;
        Ok(keymap)
    }

    /// What a key asks for where these contexts hold.
    pub fn action(&self, key: Key, contexts: &[Context]) -> Option<Action> {
        contexts.iter().find_map(|context| {
            ACTIONS
                .iter()
                .filter(|definition| definition.context == *context)
                .map(|definition| definition.action)
                .find(|action| self.keys(*action).contains(&key))
        })
    }

    /// The keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The first key of an action, as help and footer show it.
    pub fn label(&self, action: Action) -> Option<String> {
        self.keys(action).first().map(ToString::to_string)
    }

    /// All keys of an action, as help shows them.
    pub fn labels(&self, action: Action) -> String {
        let labels: Vec<String> = self.keys(action).iter().map(ToString::to_string).collect();
        labels.join(" ")
    }

    fn check(&self, configured: &BTreeMap<String, Vec<String>>) -> Result<(), KeymapError> {
        let place = |definition: &Definition| {
            let by = if configured.contains_key(definition.name) {
                "configured"
            } else {
                "by default"
            };
            format!("{}, {by}", definition.context.title())
        };
        for together in TOGETHER {
            // Without a link nothing can be changed: its keys come before the others on purpose.
            let within = |definition: &&Definition| {
                definition.context != Context::Offline && together.contains(&definition.context)
            };
            let mut seen: Vec<(Key, &Definition)> = Vec::new();
            for definition in ACTIONS.iter().filter(within) {
                for key in self.keys(definition.action) {
                    if let Some((_, first)) = seen.iter().find(|(known, _)| known == key) {
                        return Err(KeymapError::Twice {
                            key: key.to_string(),
                            first: first.name,
                            first_place: place(first),
                            second: definition.name,
                            second_place: place(definition),
                        });
                    }
                    seen.push((*key, definition));
                }
            }
        }
        for needed in [Action::Quit, Action::Help, Action::Back] {
            if self.keys(needed).is_empty() {
                return Err(KeymapError::Needed(needed.name()));
            }
        }
        Ok(())
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let scored = ACTIONS
        .iter()
        .map(|definition| (strsim::jaro_winkler(name, definition.name), definition.name));
    scored
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.8)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(lines: &[(&str, &[&str])]) -> Result<Keymap, KeymapError> {
        let lines = lines.iter().map(|(name, keys)| {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            ((*name).to_owned(), keys)
        });
        Keymap::configured(&lines.collect())
    }

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn the_default_keys_are_sound() {
        Keymap::configured(&BTreeMap::new()).unwrap();
        let mut names: Vec<&str> = ACTIONS.iter().map(|definition| definition.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name names one action");
    }

    #[test]
    fn a_key_means_what_its_place_says() {
        let keymap = Keymap::default();
        let action = |text, place: usize| keymap.action(key(text), &TOGETHER[place][1..]);
        assert_eq!(action("enter", 0), Some(Action::OpenJob));
        assert_eq!(action("enter", 2), Some(Action::BuilderJobs));
        assert_eq!(action("r", 1), Some(Action::Retry));
        assert_eq!(keymap.action(key("r"), TOGETHER[1]), Some(Action::Reconnect));
        assert_eq!(action("r", 2), None);
    }

    #[test]
    fn keys_are_given_anew_and_taken_away() {
        let keymap = configured(&[("cancel", &["ctrl-x", "delete"]), ("mark", &[])]).unwrap();
        assert_eq!(keymap.labels(Action::Cancel), "Ctrl-X Del");
        assert_eq!(keymap.action(key("x"), TOGETHER[0]), None);
        assert_eq!(keymap.label(Action::Mark), None);
    }

    #[test]
    fn what_is_wrong_is_named_with_both_places() {
        let error = configured(&[("cancel", &["s"])]).unwrap_err().to_string();
        assert_eq!(
            error,
            "the key s means two things: keys.cancel (acting on jobs, configured) and keys.sort (lists, by default)"
        );
        // The same key in two views is no contradiction.
        configured(&[("pause", &["d"])]).unwrap();
        let error = configured(&[("cancle", &["x"])]).unwrap_err().to_string();
        assert_eq!(
            error,
            "keys.cancle: there is no such action; did you mean cancel?"
        );
        let error = configured(&[("cancel", &["meta-x"])]).unwrap_err().to_string();
        assert!(error.starts_with("keys.cancel: \"meta-x\" is no key"), "{error}");
        assert_eq!(configured(&[("quit", &[])]), Err(KeymapError::Needed("quit")));
    }
}
