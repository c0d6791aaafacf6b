//! Real servers that tests start for themselves, in a directory of their own and on loopback only.
//!
//! Each is a child process that is killed by its process id when its value is dropped, and is ready for
//! use when its `start` returns. A missing program is an error that names the package to install.
//! Calls block for some milliseconds and panic where a test cannot go on.

mod child;
mod redis_server;
mod sshd;

pub use child::{Child, free_port};
pub use redis_server::{RedisOptions, RedisServer};
pub use sshd::{Sshd, SshdOptions, make_key};
