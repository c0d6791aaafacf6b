//! The configuration as a whole: the table against the structure, the layers, the messages, the roles.

mod messages;
mod roles;
mod sample;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use super::{ConfigError, Loaded, Loader};

/// A loader that sees nothing of this machine, with a file of this text where one is given.
struct Fixture {
    directory: tempfile::TempDir,
    loader: Loader,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut loader = Loader::new([]);
        loader.system_file = directory.path().join("system.toml");
        Self { directory, loader }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn file(mut self, text: &str) -> Self {
        self.loader.file = Some(self.write("caur.toml", text));
        self
    }

    fn env(mut self, name: &str, text: &str) -> Self {
        self.loader.environment.insert(name.to_owned(), text.to_owned());
        self
    }

    fn set(mut self, key: &str, text: &str) -> Self {
        self.loader.overrides.push((key.to_owned(), text.to_owned()));
        self
    }

    fn load(&self) -> Loaded {
        self.loader.load().unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self) -> ConfigError {
        self.loader.load().expect_err("the configuration is wrong")
    }
}
