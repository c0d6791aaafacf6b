//! What is said first on a fresh stream: log in, choose the database, and look whether the server can do
//! what the queue needs.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, ServerErrorKind};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{ByteStream, CONNECT_TIMEOUT, Connect, LinkError};

/// A connection that has been logged in and checked, and the task that moves its bytes. The task ends when
/// the stream does.
pub(super) struct Established {
    pub connection: MultiplexedConnection,
    pub driver: JoinHandle<()>,
}

/// Opens a stream, in the time that its [`Connect`] takes, and makes a checked connection of it within
/// [`CONNECT_TIMEOUT`].
pub(super) async fn establish(connect: &dyn Connect) -> Result<Established, LinkError> {
    let stream = connect.open().await?;
    timeout(CONNECT_TIMEOUT, shake_hands(connect, stream))
        .await
        .unwrap_or_else(|_| Err(LinkError::timed_out(connect.describe())))
}

async fn shake_hands(connect: &dyn Connect, stream: Box<dyn ByteStream>) -> Result<Established, LinkError> {
    let address = connect.describe();
    let auth = connect.auth();
    let named = |error| LinkError::from_redis(error, &address, auth.username.as_deref());

    let mut info = RedisConnectionInfo::default()
        .set_db(auth.database)
        .set_lib_name("caur", env!("CARGO_PKG_VERSION"));
    if let Some(username) = &auth.username {
        info = info.set_username(username);
    }
    if let Some(password) = &auth.password {
        info = info.set_password(password.expose_secret());
    }
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let (mut connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(named)?;
    let established = Established {
        connection: connection.clone(),
        driver: tokio::spawn(driver),
    };

    match redis::cmd("INFO")
        .arg("server")
        .query_async::<String>(&mut connection)
        .await
    {
        Ok(report) => check_version(&report, &address)?,
        // An ACL user may be barred from INFO; who configures ACLs knows the server's version.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {}
        Err(error) => return Err(named(error)),
    }
    // Unlike INFO this is refused while the server loads its data.
    redis::cmd("PING")
        .exec_async(&mut connection)
        .await
        .map_err(named)?;
    Ok(established)
}

fn check_version(report: &str, address: &str) -> Result<(), LinkError> {
    let field = |name: &str| {
        report
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    // Valkey states a Redis version too, for programs that know no better.
    let (name, version, least) = match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => ("Valkey", version, (7, 2)),
        (None, Some(version)) => ("Redis", version, (7, 0)),
        (None, None) => ("a server that states no version", "", (7, 0)),
    };
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= least {
        return Ok(());
    }
    Err(LinkError::TooOld {
        address: address.to_owned(),
        found: format!("{name} {version}").trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_named() {
        for (report, expected) in [
            ("# Server\r\nredis_version:6.2.14\r\n", Some("Redis 6.2.14")),
            ("# Server\r\nredis_version:7.0.15\r\n", None),
            ("redis_version:8.2.1\r\n", None),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.1.9\r\n",
                Some("Valkey 7.1.9"),
            ),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n",
                None,
            ),
            ("# Server\r\n", Some("a server that states no version")),
        ] {
            let found = match check_version(report, "here") {
                Ok(()) => None,
                Err(LinkError::TooOld { found, .. }) => Some(found),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(found.as_deref(), expected, "{report:?}");
        }
    }
}
