//! Sessions and tunnels against a real OpenSSH server.

use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::link::{LinkError, LinkState, RedisAddress, RedisLink};
use crate::testing::{Child, RedisOptions, RedisServer, Sshd, SshdOptions, free_port, make_key};

const LIMIT: Duration = Duration::from_secs(30);

fn redis() -> RedisServer {
    RedisServer::start_with(RedisOptions {
        password: Some("secret".into()),
        tcp: true,
        durable: false,
    })
}

fn tcp(port: u16) -> RedisAddress {
    RedisAddress::Tcp {
        host: "127.0.0.1".into(),
        port,
    }
}

async fn ping(link: &RedisLink) -> Result<String, LinkError> {
    link.run(|mut connection| async move { redis::cmd("PING").query_async(&mut connection).await })
        .await
}

/// Error of a session that must not come about.
async fn refused(target: &SshTarget) -> SshError {
    match Session::connect(target).await {
        Ok(_) => panic!("the login to {target} was expected to fail"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_restricted_account_reaches_redis_over_tcp_and_nothing_else() {
    let redis = redis();
    let sshd = Sshd::start_with(&SshdOptions {
        restrictions: format!(
            r#"restrict,port-forwarding,permitopen="127.0.0.1:{}""#,
            redis.port()
        ),
        ..SshdOptions::default()
    });
    let link = RedisLink::new(TunnelConnect::new(sshd.target(), tcp(redis.port()), redis.auth()));
    assert_eq!(ping(&link).await.unwrap(), "PONG");
    let mut blocking = link.dedicated().await.unwrap();
    redis::cmd("PING").exec_async(&mut blocking).await.unwrap();
    assert_eq!(sshd.session_count(), 1, "connections share one session");

    let other = RedisLink::new(TunnelConnect::new(sshd.target(), tcp(22), redis.auth()));
    let error = ping(&other).await.unwrap_err();
    assert!(
        !error.is_transient() && error.to_string().contains("permitopen"),
        "{error}"
    );
}

#[tokio::test]
async fn reaches_redis_on_a_unix_socket() {
    let redis = redis();
    let sshd = Sshd::start();
    let connect = TunnelConnect::new(sshd.target(), RedisAddress::Unix(redis.socket()), redis.auth());
    assert_eq!(ping(&RedisLink::new(connect)).await.unwrap(), "PONG");
}

#[tokio::test]
async fn nothing_behind_the_server_is_told_from_no_server() {
    let sshd = Sshd::start();
    let nowhere = free_port();
    let link = RedisLink::new(TunnelConnect::new(
        sshd.target(),
        tcp(nowhere),
        crate::link::RedisAuth::default(),
    ));
    let error = ping(&link).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("nothing answers there"), "{error}");

    let mut target = sshd.target();
    target.port = nowhere;
    let error = refused(&target).await;
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{nowhere}")),
        "{error}"
    );
}

#[tokio::test]
async fn every_kind_of_key_works_on_both_sides() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let sshd = Sshd::start_with(&SshdOptions {
            client_key_type: kind.into(),
            host_key_type: kind.into(),
            ..SshdOptions::default()
        });
        Session::connect(&sshd.target())
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn a_wrong_pin_is_refused_before_login() {
    let sshd = Sshd::start();
    let other = Sshd::start();
    let mut target = sshd.target();
    target.host_keys = HostKeyPolicy::pinned(&other.host_key()).unwrap();
    let error = refused(&target).await;
    assert!(
        matches!(error, SshError::HostKey(HostKeyError::Changed { .. })),
        "{error}"
    );
    assert!(!sshd.log().contains("Accepted publickey"), "{}", sshd.log());

    let redis = redis();
    let link = RedisLink::new(TunnelConnect::new(target, tcp(redis.port()), redis.auth()));
    let error = ping(&link).await.unwrap_err();
    assert!(
        error.to_string().contains("HAS CHANGED") && !error.is_transient(),
        "{error}"
    );
    assert!(matches!(&*link.state().borrow(), LinkState::Failed { .. }));
}

#[tokio::test]
async fn known_hosts_decides_and_an_unknown_host_gets_its_line() {
    let sshd = Sshd::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("known_hosts");
    let mut target = sshd.target();
    target.host_keys = HostKeyPolicy::KnownHosts(vec![file.clone()]);

    let error = refused(&target).await;
    let SshError::HostKey(HostKeyError::Unknown {
        line, fingerprint, ..
    }) = &error
    else {
        panic!("expected an unknown host: {error}");
    };
    assert_eq!(*line, format!("[127.0.0.1]:{} {}", sshd.port(), sshd.host_key()));
    let keygen = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(sshd.client_key().with_file_name("host_key.pub"))
        .output();
    let expected = String::from_utf8(keygen.unwrap().stdout).unwrap();
    assert!(
        expected.contains(fingerprint.split(' ').next_back().unwrap()),
        "{expected} {fingerprint}"
    );
    assert!(error.to_string().contains(line.as_str()), "{error}");

    std::fs::write(&file, line).unwrap();
    Session::connect(&target).await.unwrap();

    std::fs::write(&file, format!("{line}\n@revoked * {}\n", sshd.host_key())).unwrap();
    let error = refused(&target).await;
    assert!(
        matches!(error, SshError::HostKey(HostKeyError::Revoked { line: 2, .. })),
        "{error}"
    );
}

#[tokio::test]
async fn the_recorded_kind_of_host_key_is_asked_for() {
    // The server has two keys and only the one that we would not prefer is recorded.
    let extra = tempfile::tempdir().unwrap();
    let ed25519 = extra.path().join("ed25519");
    make_key(&ed25519, "ed25519");
    let sshd = Sshd::start_with(&SshdOptions {
        host_key_type: "rsa".into(),
        config: vec![format!("HostKey {}", ed25519.display())],
        ..SshdOptions::default()
    });
    Session::connect(&sshd.target()).await.unwrap();
}

#[tokio::test]
async fn a_refused_login_names_account_and_keys() {
    let sshd = Sshd::start();
    let directory = tempfile::tempdir().unwrap();
    let (stranger, encrypted, absent) = (
        directory.path().join("stranger"),
        directory.path().join("encrypted"),
        directory.path().join("absent"),
    );
    make_key(&stranger, "ed25519");
    make_key(&encrypted, "ed25519");
    let lock = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "passphrase", "-f"])
        .arg(&encrypted)
        .status();
    assert!(lock.unwrap().success());

    let mut target = sshd.target();
    target.keys = vec![stranger.clone(), encrypted.clone(), absent.clone()];
    let error = refused(&target).await;
    assert!(
        matches!(error, SshError::AuthRefused { .. }) && error.is_permanent(),
        "{error}"
    );
    let text = error.to_string();
    for part in [
        &target.to_string(),
        &stranger.display().to_string(),
        &absent.display().to_string(),
    ] {
        assert!(text.contains(part.as_str()), "{text} lacks {part}");
    }

    target.keys = vec![encrypted.clone()];
    let error = refused(&target).await;
    assert!(matches!(error, SshError::NoKey { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("{} (it is encrypted", encrypted.display())),
        "{error}"
    );

    target.keys = vec![encrypted, sshd.client_key()];
    Session::connect(&target).await.expect("the next key is tried");
}

#[tokio::test]
async fn an_agent_lends_its_key() {
    let sshd = Sshd::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent");
    let mut command = Command::new("ssh-agent");
    command.arg("-D").arg("-a").arg(&socket);
    let mut agent = Child::start(&mut command, "openssh-client", &directory.path().join("log"));
    assert!(agent.wait_ready(|| socket.exists()));

    let mut target = sshd.target();
    target.keys.clear();
    target.agent = Some(socket.clone());
    let error = refused(&target).await;
    assert!(error.to_string().contains("holds no keys"), "{error}");

    let added = Command::new("ssh-add")
        .arg("-q")
        .arg(sshd.client_key())
        .env("SSH_AUTH_SOCK", &socket)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(added.success());
    Session::connect(&target).await.unwrap();
}

#[tokio::test]
async fn a_cut_tunnel_fails_one_command_and_recovers() {
    let redis = redis();
    let sshd = Sshd::start();
    let link = RedisLink::new(TunnelConnect::new(sshd.target(), tcp(redis.port()), redis.auth()));
    let mut state = link.state();
    let blocked = link.run(|mut connection| async move {
        redis::cmd("BLPOP")
            .arg("nothing")
            .arg(0)
            .exec_async(&mut connection)
            .await
    });
    let cut = async {
        state.wait_for(|state| *state == LinkState::Online).await.unwrap();
        assert!(sshd.cut_sessions() > 0);
    };
    let (outcome, ()) = tokio::join!(timeout(LIMIT, blocked), cut);
    let error = outcome.expect("the cut ends the command").unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
    assert_eq!(ping(&link).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_session_whose_peer_fell_silent_is_replaced() {
    let redis = redis();
    let sshd = Sshd::start();
    let link = RedisLink::new(TunnelConnect::new(sshd.target(), tcp(redis.port()), redis.auth()));
    ping(&link).await.unwrap();
    sshd.freeze_sessions();
    let error = timeout(LIMIT, ping(&link))
        .await
        .expect("commands have a limit")
        .unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
    assert_eq!(
        timeout(LIMIT, ping(&link))
            .await
            .expect("so do channels")
            .unwrap(),
        "PONG"
    );
}

#[tokio::test]
async fn the_link_outlives_a_restart_of_the_ssh_server() {
    let redis = redis();
    let mut sshd = Sshd::start();
    let link = RedisLink::new(TunnelConnect::new(sshd.target(), tcp(redis.port()), redis.auth()));
    ping(&link).await.unwrap();
    let mut state = link.state();
    sshd.kill();
    let lost = |state: &LinkState| matches!(state, LinkState::Reconnecting { .. });
    timeout(LIMIT, state.wait_for(lost))
        .await
        .expect("the loss is seen")
        .unwrap();
    assert!(ping(&link).await.unwrap_err().is_transient());
    sshd.revive();
    timeout(LIMIT, link.wait_until_up(&CancellationToken::new()))
        .await
        .expect("the link recovers");
    assert_eq!(ping(&link).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_dropped_session_ends_on_the_server() {
    let sshd = Sshd::start();
    let session = Session::connect(&sshd.target()).await.unwrap();
    assert_eq!(sshd.session_count(), 1);
    drop(session);
    let ended = async {
        while sshd.session_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, ended).await.expect("the server sees the end");
}
