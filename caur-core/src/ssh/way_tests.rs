//! Ways over other hosts and by commands, and compression, against real OpenSSH servers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::question_tests::{Person, asking, lock};
use super::*;
use crate::link::{LinkState, RedisAddress, RedisLink};
use crate::testing::{RedisServer, Sshd, SshdOptions};

const LIMIT: Duration = Duration::from_secs(30);

/// `last` through the other servers.
fn through(hops: &[&Sshd], last: &Sshd) -> SshTarget {
    SshTarget {
        jumps: hops.iter().map(|sshd| sshd.target()).collect(),
        ..last.target()
    }
}

async fn ping(link: &RedisLink) -> String {
    link.run(|mut connection| async move { redis::cmd("PING").query_async(&mut connection).await })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_session_goes_over_other_hosts() {
    let redis = RedisServer::start();
    let last = Sshd::start();
    let second = Sshd::start_with(&SshdOptions {
        restrictions: format!(
            r#"restrict,port-forwarding,permitopen="127.0.0.1:{}""#,
            last.port()
        ),
        ..SshdOptions::default()
    });
    let first = Sshd::start_with(&SshdOptions {
        restrictions: format!(
            r#"restrict,port-forwarding,permitopen="127.0.0.1:{}""#,
            second.port()
        ),
        ..SshdOptions::default()
    });
    let target = through(&[&first, &second], &last);
    let link = RedisLink::new(TunnelConnect::new(
        target.clone(),
        RedisAddress::Unix(redis.socket()),
        redis.auth(),
    ));
    assert_eq!(ping(&link).await, "PONG");
    for sshd in [&first, &second, &last] {
        assert_eq!(sshd.session_count(), 1);
    }
    // The first host may not reach the last one, and says so under its name.
    let error = Session::connect(&through(&[&first], &last)).await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&first.target().to_string()) && text.contains(&format!("127.0.0.1:{}", last.port())),
        "{text}"
    );
    assert!(error.is_permanent(), "{text}");

    // A cut at the first host is noticed at the last, and healed.
    let mut state = link.state();
    first.cut_sessions();
    let lost = |state: &LinkState| matches!(state, LinkState::Reconnecting { .. });
    timeout(LIMIT, state.wait_for(lost)).await.unwrap().unwrap();
    assert_eq!(ping(&link).await, "PONG");
    drop(link);
    let ended = async {
        while [&first, &second, &last]
            .iter()
            .any(|sshd| sshd.session_count() > 0)
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, ended)
        .await
        .expect("all sessions end with the link");
}

#[tokio::test]
async fn a_person_is_asked_about_every_host_on_the_way() {
    let redis = RedisServer::start();
    let (first, last) = (Sshd::start(), Sshd::start());
    lock(&first.client_key(), "first");
    lock(&last.client_key(), "last");
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("known_hosts");
    let person = Arc::new(Person {
        trusts: true,
        passphrases: std::sync::Mutex::new([Some("first"), Some("last")].into()),
        ..Person::default()
    });
    let mut target = asking(through(&[&first], &last), &person);
    target.host_keys = HostKeyPolicy::KnownHosts(vec![file.clone()]);
    target.jumps[0].host_keys = target.host_keys.clone();
    let link = RedisLink::new(TunnelConnect::new(
        target,
        RedisAddress::Unix(redis.socket()),
        redis.auth(),
    ));
    assert_eq!(ping(&link).await, "PONG");
    let asked: Vec<String> = person
        .hosts()
        .into_iter()
        .map(|question| question.target)
        .collect();
    assert_eq!(asked, [first.target().to_string(), last.target().to_string()]);
    let keys: Vec<String> = person
        .keys
        .lock()
        .unwrap()
        .iter()
        .map(|q| q.target.clone())
        .collect();
    assert_eq!(keys, asked);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2);

    let mut state = link.state();
    assert!(first.cut_sessions() + last.cut_sessions() > 0);
    let lost = |state: &LinkState| matches!(state, LinkState::Reconnecting { .. });
    timeout(LIMIT, state.wait_for(lost)).await.unwrap().unwrap();
    assert_eq!(ping(&link).await, "PONG");
    assert_eq!(person.hosts().len(), 2, "a reconnect does not ask");
}

#[tokio::test]
async fn a_host_on_the_way_that_changed_is_refused() {
    let (first, last) = (Sshd::start(), Sshd::start());
    let person = Person::who_trusts();
    let mut target = asking(through(&[&first], &last), &person);
    target.jumps[0].host_keys = HostKeyPolicy::pinned(&last.host_key()).unwrap();
    let error = Session::connect(&target).await.err().unwrap();
    assert!(
        matches!(error, SshError::HostKey(HostKeyError::Changed { .. })),
        "{error}"
    );
    assert_eq!(last.session_count(), 0);
    assert!(person.hosts().is_empty());
}

#[tokio::test]
async fn a_command_can_be_the_way() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    // The port is wrong: only the command knows the way.
    target.port = 1;
    target.proxy_command = Some(format!(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; cat <&3 & cat >&3; kill $!'",
        sshd.port()
    ));
    let session = Session::connect(&target).await.unwrap();
    session.close().await;

    target.proxy_command = Some("echo this way is closed >&2; exit 1".into());
    let error = Session::connect(&target).await.err().unwrap();
    assert!(
        matches!(error, SshError::Session { .. }) && !error.is_permanent(),
        "{error}"
    );
}

/// What the server says it sent in its last session.
fn sent(sshd: &Sshd) -> Option<u64> {
    let log = sshd.log();
    let (_, rest) = log.rsplit_once("Transferred: sent ")?;
    rest.split(',').next()?.parse().ok()
}

#[tokio::test]
async fn compression_carries_redis_in_fewer_bytes() {
    let redis = RedisServer::start();
    let log: String = (0..100_000)
        .map(|n| format!("[{n}/100000] Compiling C object src/libx.a.p/file{n}.c.o\n"))
        .collect();
    let noise: Vec<u8> = (0..200_000_u64)
        .flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
        .collect();
    for (key, value) in [("log", log.as_bytes()), ("noise", &noise)] {
        redis
            .link()
            .run(|mut connection| async move {
                redis::cmd("SET")
                    .arg(key)
                    .arg(value)
                    .exec_async(&mut connection)
                    .await
            })
            .await
            .unwrap();
    }
    let mut costs = Vec::new();
    for compress in [false, true] {
        let sshd = Sshd::start();
        let target = SshTarget {
            compress,
            ..sshd.target()
        };
        let link = RedisLink::new(TunnelConnect::new(
            target,
            RedisAddress::Unix(redis.socket()),
            redis.auth(),
        ));
        let get = |key: &'static str| {
            link.run(move |mut connection| async move {
                redis::cmd("GET")
                    .arg(key)
                    .query_async::<Vec<u8>>(&mut connection)
                    .await
            })
        };
        assert!(get("log").await.unwrap() == log.as_bytes());
        if compress {
            // What does not compress gets through as well, both ways.
            assert!(get("noise").await.unwrap() == noise);
            let noise = &noise;
            link.run(|mut connection| async move {
                redis::cmd("SET")
                    .arg("back")
                    .arg(noise)
                    .exec_async(&mut connection)
                    .await
            })
            .await
            .unwrap();
            assert!(get("back").await.unwrap() == *noise);
        }
        drop(link);
        timeout(LIMIT, async {
            while sent(&sshd).is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the server notes what it sent");
        costs.push(sent(&sshd).unwrap());
    }
    // The second one carried the noise twice more.
    let noise = 2 * noise.len() as u64;
    println!(
        "{} bytes of log: {} bytes plain, {} compressed",
        log.len(),
        costs[0],
        costs[1] - noise
    );
    assert!(costs[0] >= log.len() as u64);
    assert!(costs[1] - noise < costs[0] / 2);
}
