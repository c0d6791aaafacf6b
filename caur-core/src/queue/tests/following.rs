//! Following the events over one connection.

use super::*;

impl Fixture {
    async fn connections(&self) -> usize {
        let clients: String = self
            .queue
            .query("test", redis::cmd("CLIENT").arg("LIST"))
            .await
            .unwrap();
        clients.lines().count()
    }

    async fn received(&self) -> u64 {
        let stats: String = self
            .queue
            .query("test", redis::cmd("INFO").arg("stats"))
            .await
            .unwrap();
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse().unwrap()
    }
}

const SOON: Duration = Duration::from_millis(20);

fn told(new: &NewEvents) -> Vec<&str> {
    assert!(!new.missed);
    new.events.iter().map(|event| event.action.as_str()).collect()
}

#[tokio::test]
async fn events_are_followed_over_one_connection() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let mut follower = farm.queue.event_follower("0");
    // Waiting and becoming ready.
    let new = follower.next(1, SOON).await.unwrap();
    assert_eq!(told(&new), ["submit"]);
    let new = follower.next(10, SOON).await.unwrap();
    assert_eq!(told(&new), ["submit"]);
    let before = (farm.connections().await, farm.received().await);
    for action in ["hold", "unhold", "hold", "unhold"] {
        assert_eq!(told(&follower.next(10, SOON).await.unwrap()), [""; 0]);
        match action {
            "hold" => farm.queue.hold(id, TESTER).await.unwrap(),
            _ => farm.queue.unhold(id, TESTER).await.unwrap(),
        };
        let new = follower.next(10, LEASE).await.unwrap();
        assert_eq!(told(&new), [action]);
    }
    assert_eq!((farm.connections().await, farm.received().await), before);
    assert_eq!(follower.position(), farm.queue.last_event().await.unwrap());
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let farm = Fixture::new().await;
    let mut follower = farm.queue.event_follower(&farm.queue.last_event().await.unwrap());
    for number in 0..5 {
        tokio::select! {
            biased;
            new = follower.next(10, LEASE) => panic!("nothing happened: {new:?}"),
            () = tokio::task::yield_now() => {}
        }
        let id = farm.submit(vec![request(&format!("p{number}"), &[])]).await[0];
        let new = follower.next(10, LEASE).await.unwrap();
        assert_eq!(told(&new), ["submit", "submit"]);
        assert_eq!(new.events[0].job, id);
    }
}

#[tokio::test]
async fn whoever_was_away_for_too_long_learns_it_once() {
    let farm = Fixture::new().await;
    let trim = async |count: u32| {
        let mut command = redis::cmd("XTRIM");
        command.arg(keys::EVENTS).arg("MAXLEN").arg("=").arg(count);
        farm.queue.query::<()>("test", &command).await.unwrap();
    };
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let mut follower = farm.queue.event_follower(&farm.queue.last_event().await.unwrap());
    assert_eq!(told(&follower.next(10, SOON).await.unwrap()), [""; 0]);
    // What it has seen may go; what it has not, not unnoticed.
    trim(1).await;
    assert_eq!(told(&follower.next(10, SOON).await.unwrap()), [""; 0]);
    for _ in 0..3 {
        farm.queue.hold(id, TESTER).await.unwrap();
        farm.queue.unhold(id, TESTER).await.unwrap();
    }
    trim(2).await;
    let new = follower.next(10, LEASE).await.unwrap();
    assert_eq!((new.missed, new.events.len()), (true, 2));
    assert_eq!(told(&follower.next(10, SOON).await.unwrap()), [""; 0]);
    // A reset takes them all.
    farm.queue.reset(1, TESTER).await.unwrap();
    let new = follower.next(10, SOON).await.unwrap();
    assert_eq!((new.missed, new.events.len()), (true, 0));
    assert_eq!(told(&follower.next(10, SOON).await.unwrap()), [""; 0]);
    farm.submit(vec![request("b", &[])]).await;
    assert_eq!(
        told(&follower.next(10, LEASE).await.unwrap()),
        ["submit", "submit"]
    );
}

#[tokio::test]
async fn a_redis_that_went_back_is_noticed() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let later = format!("{}-0", farm.queue.now().await.unwrap() + 60_000);
    let mut follower = farm.queue.event_follower(&later);
    let new = follower.next(10, LEASE).await.unwrap();
    assert_eq!((new.missed, new.events.len()), (true, 0));
    assert_eq!(follower.position(), farm.queue.last_event().await.unwrap());
    farm.submit(vec![request("b", &[])]).await;
    assert_eq!(
        told(&follower.next(10, LEASE).await.unwrap()),
        ["submit", "submit"]
    );
}

#[tokio::test]
async fn a_follower_survives_a_restart_of_redis() {
    let server = RedisServer::start_with(crate::testing::RedisOptions {
        durable: true,
        ..Default::default()
    });
    let mut farm = Fixture {
        queue: Queue::open(server.link()).await.unwrap(),
        server,
    };
    farm.submit(vec![request("a", &[])]).await;
    let mut follower = farm.queue.event_follower("0");
    assert_eq!(told(&follower.next(10, SOON).await.unwrap()).len(), 2);
    farm.server.kill();
    assert!(follower.next(10, SOON).await.is_err());
    farm.server.revive();
    // The shared connection may have to find out first.
    let mut found = follower.next(10, SOON).await;
    while found.is_err() {
        found = follower.next(10, SOON).await;
    }
    assert_eq!(told(&found.unwrap()), [""; 0]);
    while farm.queue.submit(vec![request("b", &[])], TESTER).await.is_err() {}
    assert_eq!(
        told(&follower.next(2, LEASE).await.unwrap()),
        ["submit", "submit"]
    );
}
