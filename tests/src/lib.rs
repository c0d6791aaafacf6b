//! The harness of the end-to-end tests: a whole farm of real programs in a directory of its own.
//!
//! [`Farm`] holds what the daemons need (Redis, OpenSSH, a signing key, a collection of packages, a web server) and
//! starts the real `caur-daemon` with the environment that an operator would give it. Everything listens on loopback,
//! lives below one temporary directory and ends with the test. Waiting is always for a condition, always bounded, and
//! a wait in vain shows the queue and the ends of all logs.

pub mod chaos;
mod client;
mod collection;
mod daemon;
mod desk;
mod environment;
mod farm;
mod file_server;
pub mod history;
pub mod journal;
pub mod measure;
mod package_file;
mod package_source;
mod published;
mod relay;
mod signing_key;
pub mod simulation;
mod wait;
mod window;

pub use client::Client;
pub use collection::Collection;
pub use daemon::{Daemon, Ran, run};
pub use desk::Desk;
pub use environment::{FOREIGN_HOST_KEY, changed};
pub use farm::{Farm, FarmOptions, SOURCE, TARGET};
pub use file_server::FileServer;
pub use package_file::package_file;
pub use package_source::PackageSource;
pub use published::{Listed, Published};
pub use relay::{Relay, Way};
pub use signing_key::SigningKey;
pub use wait::eventually;
pub use window::{Modes, Window};

use std::path::PathBuf;

/// The daemon under test, beside the running test.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn caur_daemon() -> PathBuf {
    program("caur-daemon")
}

/// The console under test, beside the running test.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn caur_tui() -> PathBuf {
    program("caur-tui")
}

fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program knows its path");
    let folder = test
        .parent()
        .and_then(std::path::Path::parent)
        .expect("tests lie in target/PROFILE/deps");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is missing: run scripts/test, or cargo build --workspace",
        program.display()
    );
    program
}

/// The container engine's socket that `scripts/test` provides.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn engine_socket() -> PathBuf {
    std::env::var_os("CAUR_DOCKER_SOCKET")
        .expect("CAUR_DOCKER_SOCKET is not set, and these tests need a container engine: run scripts/test")
        .into()
}

/// The build image that `scripts/test` provides.
#[must_use]
pub fn build_image() -> String {
    std::env::var("CAUR_TEST_IMAGE").unwrap_or_else(|_| "caur-builder-test:latest".to_owned())
}

/// The root of this repository.
///
/// # Panics
/// Never: the tests live in it.
#[must_use]
pub fn repository_root() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests live in the workspace")
        .to_owned()
}
