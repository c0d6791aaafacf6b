//! The effective configuration for people and scripts: every setting, its value and where it came from.

use serde::Serialize;
use serde_json::Value;

use super::loader::Loaded;
use super::problem::Source;
use super::serial::MASK;
use super::table::SETTINGS;

/// A setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveValue {
    /// The setting.
    pub key: &'static str,
    /// Its value, secrets masked; null where it is not set.
    pub value: Value,
    /// Where the value came from.
    pub source: Source,
}

impl EffectiveValue {
    /// The value for a person.
    #[must_use]
    pub fn value_text(&self) -> String {
        match &self.value {
            Value::Null => "(not set)".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl Loaded {
    /// Every setting with its value, secrets masked, in the order of the sample file.
    #[must_use]
    pub fn describe(&self) -> Vec<EffectiveValue> {
        let all = serde_json::to_value(&self.config)
            .expect("settings are texts, numbers, lists and tables with text keys");
        SETTINGS
            .iter()
            .map(|setting| EffectiveValue {
                key: setting.key,
                value: without_credentials(
                    all.pointer(&format!("/{}", setting.key.replace('.', "/")))
                        .cloned()
                        .unwrap_or_default(),
                ),
                source: self.origins.get(setting.key).cloned().unwrap_or(Source::Default),
            })
            .collect()
    }
}

/// Masks the password in every address (`https://user:password@host/…`).
fn without_credentials(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask_address(text)),
        Value::Array(items) => items.into_iter().map(without_credentials).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key, without_credentials(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn mask_address(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text;
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@') else {
        return text;
    };
    let user = match rest[..at].split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}"),
        // A lone user name in front of https is how access tokens are written.
        None if scheme.starts_with("http") => MASK.to_owned(),
        None => return text,
    };
    format!("{scheme}://{user}{}", &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_passwords_only() {
        for (address, shown) in [
            ("https://git.example.org/a", "https://git.example.org/a"),
            (
                "https://ci:hunter2@git.example.org/a",
                "https://ci:••••@git.example.org/a",
            ),
            (
                "https://glpat-abc@git.example.org",
                "https://••••@git.example.org",
            ),
            ("ssh://git@git.example.org/a", "ssh://git@git.example.org/a"),
            ("https://example.org/@scope", "https://example.org/@scope"),
            ("plain text", "plain text"),
        ] {
            assert_eq!(mask_address(address.to_owned()), shown);
        }
    }
}
