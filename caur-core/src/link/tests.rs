//! The link against real servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{RedisOptions, RedisServer, free_port};

const LIMIT: Duration = Duration::from_secs(20);

async fn ping(link: &RedisLink) -> Result<String, LinkError> {
    link.run(|mut connection| async move { redis::cmd("PING").query_async(&mut connection).await })
        .await
}

fn with_password() -> RedisServer {
    RedisServer::start_with(RedisOptions {
        password: Some("correct horse".into()),
        tcp: true,
        durable: false,
    })
}

#[tokio::test]
async fn works_over_a_socket_and_over_tcp_with_a_password() {
    for server in [RedisServer::start(), with_password()] {
        let link = server.link();
        assert_eq!(*link.state().borrow(), LinkState::Connecting);
        assert_eq!(ping(&link).await.unwrap(), "PONG");
        assert_eq!(*link.state().borrow(), LinkState::Online);
    }
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_named() {
    let server = with_password();
    let mut direct = server.direct();
    direct.auth.password = Some("hunter2".into());
    let link = RedisLink::new(direct.clone());
    let error = ping(&link).await.unwrap_err();
    assert!(
        matches!(error, LinkError::WrongPassword { .. }) && !error.is_transient(),
        "{error:?}"
    );
    assert!(error.to_string().contains("REDIS_PASSWORD"), "{error}");
    assert!(
        !error.to_string().contains("wrong\""),
        "the password itself is not shown: {error}"
    );
    assert!(matches!(&*link.state().borrow(), LinkState::Failed { .. }));

    direct.auth.username = Some("ci".into());
    let error = ping(&RedisLink::new(direct.clone())).await.unwrap_err();
    assert!(error.to_string().contains("user ci"), "{error}");

    direct.auth = RedisAuth::default();
    let error = ping(&RedisLink::new(direct)).await.unwrap_err();
    assert!(matches!(error, LinkError::PasswordMissing { .. }), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_server_is_named_with_its_address() {
    let tcp = RedisAddress::Tcp {
        host: "127.0.0.1".into(),
        port: free_port(),
    };
    let unix = RedisAddress::Unix("/nonexistent/redis.sock".into());
    for address in [tcp, unix] {
        let link = RedisLink::new(Direct {
            address: address.clone(),
            auth: RedisAuth::default(),
        });
        let error = ping(&link).await.unwrap_err();
        assert!(
            matches!(error, LinkError::Unreachable { .. }) && error.is_transient(),
            "{error:?}"
        );
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(matches!(
            &*link.state().borrow(),
            LinkState::Reconnecting { attempt: 1, .. }
        ));
    }
}

#[tokio::test]
async fn a_refused_command_keeps_the_connection() {
    let server = RedisServer::start();
    let link = server.link();
    let id = |link: RedisLink| async move {
        link.run(|mut connection| async move {
            redis::cmd("CLIENT")
                .arg("ID")
                .query_async::<u64>(&mut connection)
                .await
        })
        .await
        .unwrap()
    };
    let before = id(link.clone()).await;
    let error = link
        .run(|mut connection| async move { redis::cmd("NONSENSE").exec_async(&mut connection).await })
        .await
        .unwrap_err();
    assert!(matches!(error, LinkError::Command(_)), "{error:?}");
    assert_eq!(id(link).await, before);
}

#[tokio::test]
async fn an_idle_link_sees_the_loss_and_recovers() {
    let mut server = with_password();
    let link = server.link();
    ping(&link).await.unwrap();
    let mut state = link.state();
    server.kill();
    let lost = |state: &LinkState| matches!(state, LinkState::Reconnecting { .. });
    timeout(LIMIT, state.wait_for(lost))
        .await
        .expect("the loss is seen")
        .unwrap();

    let error = ping(&link).await.unwrap_err();
    assert!(matches!(error, LinkError::Unreachable { .. }), "{error:?}");

    let waiter = tokio::spawn({
        let link = link.clone();
        async move { link.wait_until_up(&CancellationToken::new()).await }
    });
    server.revive();
    timeout(LIMIT, waiter).await.expect("the wait ends").unwrap();
    assert_eq!(ping(&link).await.unwrap(), "PONG");
}

#[tokio::test]
async fn an_operation_cut_by_a_crash_fails_once_and_is_not_repeated() {
    let mut server = with_password();
    let link = server.link();
    ping(&link).await.unwrap();
    let started = AtomicU32::new(0);
    let operation = link.run(|mut connection| {
        started.fetch_add(1, Ordering::SeqCst);
        async move {
            redis::cmd("BLPOP")
                .arg("nothing")
                .arg(0)
                .exec_async(&mut connection)
                .await
        }
    });
    let crash = async {
        let mut other = server.link().dedicated().await.unwrap();
        loop {
            let clients: String = redis::cmd("CLIENT")
                .arg("LIST")
                .query_async(&mut other)
                .await
                .unwrap();
            if clients.contains("cmd=blpop") {
                break;
            }
        }
        server.kill();
    };
    let (outcome, ()) = tokio::join!(timeout(LIMIT, operation), crash);
    let error = outcome.expect("the loss ends the operation").unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
    assert_eq!(started.load(Ordering::SeqCst), 1);
    server.revive();
    assert_eq!(ping(&link).await.unwrap(), "PONG");
}

#[tokio::test]
async fn another_callers_success_ends_the_wait_early() {
    let mut server = RedisServer::start();
    let link = server.link();
    server.kill();
    let mut state = link.state();
    let waiter = tokio::spawn({
        let link = link.clone();
        async move { link.wait_until_up(&CancellationToken::new()).await }
    });
    // After five failures the next pause is at least 3.2 s.
    let patient = |state: &LinkState| matches!(state, LinkState::Reconnecting { attempt, next_in } if *attempt > 5 && !next_in.is_zero());
    timeout(LIMIT, state.wait_for(patient))
        .await
        .expect("it keeps trying")
        .unwrap();
    server.revive();
    let begin = Instant::now();
    ping(&link).await.unwrap();
    timeout(LIMIT, waiter).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_person_ends_the_pause() {
    let mut server = RedisServer::start();
    let link = server.link();
    server.kill();
    let mut state = link.state();
    let waiter = tokio::spawn({
        let link = link.clone();
        async move { link.wait_until_up(&CancellationToken::new()).await }
    });
    // After five failures the next pause is at least 3.2 s.
    let patient = |state: &LinkState| matches!(state, LinkState::Reconnecting { attempt, next_in } if *attempt > 5 && !next_in.is_zero());
    timeout(LIMIT, state.wait_for(patient)).await.unwrap().unwrap();
    server.revive();
    let begin = Instant::now();
    link.reconnect_now();
    timeout(LIMIT, waiter).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(*link.state().borrow(), LinkState::Online);
}

#[tokio::test]
async fn waiting_can_be_canceled() {
    let link = RedisLink::new(Direct {
        address: RedisAddress::Unix("/nonexistent/redis.sock".into()),
        auth: RedisAuth::default(),
    });
    let cancel = CancellationToken::new();
    let stop = async {
        let tried = |state: &LinkState| matches!(state, LinkState::Reconnecting { .. });
        link.state().wait_for(tried).await.unwrap();
        cancel.cancel();
    };
    let both = async { tokio::join!(link.wait_until_up(&cancel), stop) };
    timeout(LIMIT, both).await.expect("cancel ends the wait");
}

/// Counts attempts and holds each until all callers are waiting for it.
struct Counted {
    inner: Direct,
    opened: Arc<AtomicU32>,
    gate: Arc<tokio::sync::Semaphore>,
}

impl Connect for Counted {
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, LinkError>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            self.gate
                .acquire()
                .await
                .expect("the gate is never closed")
                .forget();
            self.inner.open().await
        })
    }

    fn auth(&self) -> &RedisAuth {
        &self.inner.auth
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[tokio::test]
async fn concurrent_callers_share_one_attempt_and_its_failure() {
    let mut server = RedisServer::start();
    let opened = Arc::new(AtomicU32::new(0));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let link = RedisLink::new(Counted {
        inner: server.direct(),
        opened: opened.clone(),
        gate: gate.clone(),
    });
    let all_at_once = || async {
        let callers = futures::future::join_all((0..20).map(|_| ping(&link)));
        // join_all polls every caller before the gate opens.
        let (outcomes, ()) = tokio::join!(callers, async { gate.add_permits(1) });
        outcomes
    };
    server.kill();
    assert!(all_at_once().await.iter().all(Result::is_err));
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    server.revive();
    assert!(all_at_once().await.iter().all(Result::is_ok));
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_dropped_blocking_read_takes_no_message() {
    let server = RedisServer::start();
    let link = server.link();
    let mut blocked = link.dedicated().await.unwrap();
    let read = async {
        redis::cmd("BLPOP")
            .arg("list")
            .arg(0)
            .exec_async(&mut blocked)
            .await
    };
    let clients = |link: RedisLink| async move {
        link.run(|mut connection| async move {
            redis::cmd("CLIENT")
                .arg("LIST")
                .query_async::<String>(&mut connection)
                .await
        })
        .await
        .unwrap()
    };
    let seen = async { while !clients(link.clone()).await.contains("cmd=blpop") {} };
    tokio::select! {
        result = read => panic!("nothing was pushed: {result:?}"),
        () = seen => {}
    }
    drop(blocked);
    timeout(LIMIT, async {
        while clients(link.clone()).await.contains("cmd=blpop") {}
    })
    .await
    .expect("the connection closes");
    let length: u32 = link
        .run(|mut connection| async move {
            redis::cmd("RPUSH")
                .arg("list")
                .arg("message")
                .query_async(&mut connection)
                .await
        })
        .await
        .unwrap();
    assert_eq!(length, 1, "the message stays in the list");
}

#[tokio::test]
async fn a_blocking_read_does_not_stall_the_shared_connection() {
    let server = RedisServer::start();
    let link = server.link();
    let mut blocking = link.dedicated().await.unwrap();
    let read = async {
        redis::cmd("BLPOP")
            .arg("list")
            .arg(0)
            .query_async::<(String, String)>(&mut blocking)
            .await
    };
    let write = async {
        ping(&link).await.unwrap();
        link.run(|mut connection| async move {
            redis::cmd("RPUSH")
                .arg("list")
                .arg("x")
                .exec_async(&mut connection)
                .await
        })
        .await
    };
    let (read, write) = tokio::join!(timeout(LIMIT, read), write);
    write.unwrap();
    assert_eq!(read.unwrap().unwrap().1, "x");
}
