//! One typed configuration for all roles: defaults < TOML file < environment < command line.

mod settings;

pub use settings::{
    BuilderSettings, Config, ContainerSettings, DatabaseSettings, Engine, LogSettings, NotifierSettings,
    PackageSettings, RedisSettings, RedisSshSettings, StandaloneSettings, TelegramSettings, WebSettings,
};
