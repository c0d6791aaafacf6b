//! SSH in this process: sessions, the tunnel to Redis and uploads over SFTP.
//!
//! Promises: a server's host key is checked before anything secret is sent, and an unknown or changed key
//! is refused, unless a person is there to say that they know it; what a tunnel carries is reachable by this process only, as no port is opened; a dead
//! peer is noticed within a minute; every error names user, host and port and what to do.

mod alias;
mod connecting;
mod error;
mod host_key;
mod jump;
mod known_hosts;
mod login;
mod proxy_command;
#[cfg(test)]
mod question_tests;
mod questions;
mod recording;
mod session;
mod sftp;
#[cfg(test)]
mod tests;
mod tunnel;
mod upload;
#[cfg(test)]
mod upload_tests;
#[cfg(test)]
mod way_tests;

pub use alias::{AliasError, ResolvedAgent, ResolvedHost, resolve_alias};
pub use error::{HostKeyError, SshError};
pub use host_key::HostKeyPolicy;
pub use questions::{HostQuestion, PassphraseQuestion, Questions, SshQuestions};
pub use session::{Session, SshStream, SshTarget};
pub use tunnel::TunnelConnect;
pub use upload::{LocalFile, Upload, UploadError, upload_directory};
