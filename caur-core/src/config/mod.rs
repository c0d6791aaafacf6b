//! One typed configuration for all roles: defaults < TOML file < environment < command line.
//!
//! [`Loader`] reads the sources and reports everything that is wrong with them at once; [`Loaded::describe`]
//! says which value is in force and why; the `require_…` methods of [`Config`] turn it into what one role
//! needs, or into an error that names what is missing. No message and no description shows a secret.

mod describe;
mod file;
mod loader;
mod problem;
mod repository;
mod roles;
mod rules;
mod serial;
mod settings;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub use describe::EffectiveValue;
pub use loader::{Loaded, Loader};
pub use problem::{ConfigError, Problem, Source, Warning};
pub use repository::{RepositoryRules, Signing};
pub use roles::{
    BuilderRole, DatabaseRole, HostDirectory, STANDALONE_SOCKET, StandaloneRole, WebRole, host_name,
};
pub use serial::MASK;
pub use settings::{
    BuilderSettings, Config, ContainerSettings, DatabaseSettings, Engine, LogSettings, NotifierSettings,
    PackageSettings, QueueSettings, RedisSettings, RedisSshSettings, StandaloneSettings, TelegramSettings,
    Unwanted, WebSettings,
};
pub use table::{Kind, SETTINGS, Setting, Shape};
