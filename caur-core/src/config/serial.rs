//! How single settings are written and read where serde's own way would show a secret or refuse what
//! existing installations use.

use std::fmt;

use secrecy::SecretString;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// What is shown in a secret's place.
pub const MASK: &str = "••••";

pub(super) fn masked<S: Serializer>(_: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(MASK)
}

pub(super) fn masked_option<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => masked(secret, serializer),
        None => serializer.serialize_none(),
    }
}

/// A builder's class: a number, or any other text for "only jobs for its name".
pub(super) fn builder_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Class;

    impl Visitor<'_> for Class {
        type Value = Option<u32>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a class number, or any other text for jobs of this builder's name only")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            u32::try_from(number)
                .map(Some)
                .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Class)
}

/// GitLab's project identifier, which configurations write with and without quotes.
pub(super) fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct TextOrNumber;

    impl Visitor<'_> for TextOrNumber {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text or a number")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }

    deserializer.deserialize_any(TextOrNumber)
}
