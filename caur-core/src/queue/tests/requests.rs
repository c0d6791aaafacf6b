//! Requests to the repositories, their answers, and what the farm knows of collections.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);
const AGAIN: LookAgain = LookAgain {
    after: Duration::from_mins(1),
    limit: Duration::from_hours(24),
    left: BTreeMap::new(),
};

fn remove(pkgname: &str) -> RepoRequest {
    let pkgnames = vec![pkgname.to_owned()];
    RepoRequest::new(target("repo"), RepoAction::Remove { pkgnames })
}

fn keep(names: &[&str]) -> RepoRequest {
    let keep = names.iter().map(|name| (*name).to_owned()).collect();
    RepoRequest::new(target("repo"), RepoAction::AutoRemove { keep })
}

fn answer(message: &str) -> RepoAnswer {
    RepoAnswer {
        outcome: RepoOutcome::Done,
        message: message.to_owned(),
        value: json!({ "removed": ["a"] }),
        by: "db".to_owned(),
        at: 0,
    }
}

impl Fixture {
    async fn make(&self, request: &RepoRequest) {
        self.queue.ask_repository(request, TESTER).await.unwrap();
        // The clock of the order has milliseconds.
        let asked = self.queue.now().await.unwrap();
        while self.queue.now().await.unwrap() <= asked {}
        self.sound().await;
    }

    async fn take(&self) -> Option<TakenRequest> {
        let taken = self.queue.take_repo_request(LEASE).await.unwrap();
        self.sound().await;
        taken
    }

    async fn answered(&self, request: &RepoRequest) -> Option<RepoAnswer> {
        self.queue.repo_answer(&request.id).await.unwrap()
    }

    async fn give(&self, taken: &TakenRequest, message: &str, again: Option<LookAgain>) {
        self.queue
            .answer_repo_request(taken, answer(message), again)
            .await
            .unwrap();
        self.sound().await;
    }

    async fn redis(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.queue.query::<redis::Value>("test", &command).await.unwrap();
    }

    /// Lets the leases of all requests run out, as if the clock had moved.
    async fn lose_takers(&self) {
        for request in self.queue.repo_requests().await.unwrap() {
            if request.running {
                self.redis(&["ZADD", keys::ASK_LEASES, "1", request.id.as_str()])
                    .await;
            }
        }
    }

    async fn trail_words(&self) -> Vec<[String; 4]> {
        let trail = self.queue.trail(100).await.unwrap();
        let words = trail.into_iter().rev();
        words
            .map(|entry| [entry.action, entry.about, entry.by, entry.why])
            .collect()
    }
}

#[tokio::test]
async fn a_request_comes_back_as_it_was_made_and_its_answer_wakes_the_asker() {
    let farm = Fixture::new().await;
    let mut request = remove("a");
    request.force = true;
    request.previewed = Some("abc".to_owned());
    farm.make(&request).await;
    assert_eq!(farm.answered(&request).await, None);
    let waiting = &farm.queue.repo_requests().await.unwrap()[0];
    assert_eq!(
        (
            &waiting.id,
            waiting.what.as_str(),
            waiting.by.as_str(),
            waiting.running
        ),
        (&request.id, "remove a", "test", false)
    );
    let (queue, id) = (farm.queue.clone(), request.id.clone());
    let asker = tokio::spawn(async move { queue.wait_for_repo_answer(&id, LIMIT).await });
    let taken = farm.take().await.unwrap();
    let read = taken.request.clone().unwrap();
    let expected = RepoRequest {
        patience: Duration::ZERO,
        ..request.clone()
    };
    assert_eq!(
        (read, taken.by.as_str(), taken.why.as_str()),
        (expected, "test", "because")
    );
    assert_eq!(taken.round_name(), request.id.to_string());
    farm.give(&taken, "removed a", None).await;
    let heard = asker.await.unwrap().unwrap().unwrap();
    assert_eq!(
        (heard.outcome, heard.message.as_str(), &heard.value),
        (RepoOutcome::Done, "removed a", &json!({ "removed": ["a"] }))
    );
    assert!(heard.at > 1_700_000_000_000);
    assert!(farm.take().await.is_none());
    assert!(farm.queue.repo_requests().await.unwrap().is_empty());
    let words = |text: [&str; 4]| text.map(str::to_owned);
    assert_eq!(
        farm.trail_words().await,
        [
            words(["repo-remove", "repo/x86_64", "test", "remove a: because"]),
            words(["repo-remove", "repo/x86_64", "db", "removed a"]),
        ]
    );
}

#[tokio::test]
async fn asking_twice_is_asking_once_before_and_after_the_answer() {
    let farm = Fixture::new().await;
    let request = remove("a");
    farm.make(&request).await;
    farm.make(&request).await;
    assert_eq!(farm.queue.repo_requests().await.unwrap().len(), 1);
    let taken = farm.take().await.unwrap();
    farm.make(&request).await;
    assert!(farm.take().await.is_none());
    farm.give(&taken, "removed a", None).await;
    farm.make(&request).await;
    assert!(farm.take().await.is_none());
    assert_eq!(farm.answered(&request).await.unwrap().message, "removed a");
    assert_eq!(farm.trail_words().await.len(), 2);
}

#[tokio::test]
async fn what_is_not_begun_in_time_is_never_done() {
    let farm = Fixture::new().await;
    let mut request = remove("a");
    request.patience = Duration::ZERO;
    farm.make(&request).await;
    let later = remove("b");
    farm.make(&later).await;
    assert_eq!(farm.take().await.unwrap().id, later.id);
    let expired = farm.answered(&request).await.unwrap();
    assert_eq!(expired.outcome, RepoOutcome::Expired);
    assert!(expired.message.contains("no database began it"), "{expired:?}");
    assert_eq!(farm.queue.repo_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_database_is_fenced_and_another_one_takes_over() {
    let farm = Fixture::new().await;
    let request = remove("a");
    farm.make(&request).await;
    let lost = farm.take().await.unwrap();
    farm.queue.keep_repo_request(&lost, LEASE).await.unwrap();
    assert!(farm.take().await.is_none());
    farm.lose_takers().await;
    // What was begun may have been done, so it is brought to its end however late.
    farm.redis(&["HSET", &keys::asked(&request.id), "expires", "1"])
        .await;
    let second = farm.take().await.unwrap();
    assert_eq!((&second.id, second.round_name()), (&lost.id, lost.round_name()));
    let stale = farm.queue.keep_repo_request(&lost, LEASE).await;
    assert!(matches!(stale, Err(QueueError::StaleRequest(_))), "{stale:?}");
    let stale = farm.queue.answer_repo_request(&lost, answer("late"), None).await;
    assert!(matches!(stale, Err(QueueError::StaleRequest(_))), "{stale:?}");
    farm.give(&second, "removed a", None).await;
    assert_eq!(farm.answered(&request).await.unwrap().message, "removed a");
    // The answer to this one got lost on the way back: the repeated call finds nothing to do.
    let again = farm
        .queue
        .answer_repo_request(&second, answer("twice"), None)
        .await;
    assert!(matches!(again, Err(QueueError::StaleRequest(_))), "{again:?}");
    assert_eq!(farm.answered(&request).await.unwrap().message, "removed a");
}

#[tokio::test]
async fn a_request_that_takes_every_database_down_is_given_up() {
    let farm = Fixture::new().await;
    let request = remove("a");
    farm.make(&request).await;
    for _ in 0..5 {
        assert!(farm.take().await.is_some());
        farm.lose_takers().await;
    }
    assert!(farm.take().await.is_none());
    let failed = farm.answered(&request).await.unwrap();
    assert_eq!(failed.outcome, RepoOutcome::Failed);
    assert!(failed.message.contains("vanished 5 times"), "{failed:?}");
}

#[tokio::test]
async fn one_request_of_a_target_at_a_time_in_the_order_of_asking() {
    let farm = Fixture::new().await;
    let (first, second) = (remove("a"), remove("b"));
    let mut other = remove("c");
    other.target = target("other");
    farm.make(&first).await;
    farm.make(&second).await;
    farm.make(&other).await;
    let taken = farm.take().await.unwrap();
    assert_eq!(taken.id, first.id);
    assert_eq!(farm.take().await.unwrap().id, other.id);
    assert!(farm.take().await.is_none());
    farm.give(&taken, "", None).await;
    assert_eq!(farm.take().await.unwrap().id, second.id);
}

#[tokio::test]
async fn a_newer_keep_list_takes_the_place_of_an_older_one() {
    let farm = Fixture::new().await;
    let (old, new) = (keep(&["a"]), keep(&["a", "b"]));
    let mut preview = keep(&[]);
    preview.dry_run = true;
    for request in [&old, &new, &preview] {
        farm.make(request).await;
    }
    let mut taken = Vec::new();
    while let Some(next) = farm.take().await {
        farm.give(&next, "done", None).await;
        taken.push(next.id);
    }
    taken.sort();
    let mut expected = [new.id.clone(), preview.id.clone()];
    expected.sort();
    assert_eq!(taken, expected);
    let refused = farm.answered(&old).await.unwrap();
    assert_eq!(refused.outcome, RepoOutcome::Refused);
    assert!(refused.message.contains(new.id.as_str()), "{refused:?}");
}

#[tokio::test]
async fn what_is_left_for_later_is_looked_at_when_a_job_of_the_target_ends() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    let request = keep(&["a"]);
    farm.make(&request).await;
    let taken = farm.take().await.unwrap();
    let left = BTreeMap::from([("y".to_owned(), "y-1-1-any.pkg.tar.zst".to_owned())]);
    let again = LookAgain {
        left: left.clone(),
        ..AGAIN
    };
    assert!(taken.left.is_empty());
    farm.give(&taken, "removed x; y waits for a", Some(again)).await;
    assert_eq!(
        farm.answered(&request).await.unwrap().message,
        "removed x; y waits for a"
    );
    assert!(farm.take().await.is_none());
    assert_eq!(farm.queue.repo_requests().await.unwrap()[0].round, 1);

    let mut signals = farm.queue.repository_signals();
    signals.begin().await.unwrap();
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    assert_eq!(signals.wait(LIMIT).await.unwrap(), [Signal::Asked]);
    let second = farm.take().await.unwrap();
    assert_eq!(second.round_name(), format!("{}.1", request.id));
    assert_eq!(second.left, left);
    farm.give(&second, "", Some(AGAIN)).await;
    // The first answer stays, and rounds without news leave no trail.
    assert_eq!(
        farm.answered(&request).await.unwrap().message,
        "removed x; y waits for a"
    );
    let asks = |trail: Vec<[String; 4]>| {
        trail
            .into_iter()
            .filter(|[action, ..]| action == "auto-repo-remove")
            .count()
    };
    assert_eq!(asks(farm.trail_words().await), 2);

    farm.redis(&["HSET", &keys::asked(&request.id), "expires", "1"])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    assert!(farm.take().await.is_none(), "it was given up");
    assert!(farm.queue.repo_requests().await.unwrap().is_empty());
    assert_eq!(farm.answered(&request).await.unwrap().outcome, RepoOutcome::Done);
}

#[tokio::test]
async fn a_newer_keep_list_ends_one_that_is_left_for_later() {
    let farm = Fixture::new().await;
    let (old, new) = (keep(&["a"]), keep(&["a", "b"]));
    farm.make(&old).await;
    let taken = farm.take().await.unwrap();
    farm.give(&taken, "later", Some(AGAIN)).await;
    farm.make(&new).await;
    let taken = farm.take().await.unwrap();
    assert_eq!(taken.id, new.id);
    farm.give(&taken, "done", None).await;
    farm.redis(&["ZADD", keys::ASKS, "1", old.id.as_str()]).await;
    assert!(farm.take().await.is_none());
    assert!(farm.queue.repo_requests().await.unwrap().is_empty());
    assert_eq!(farm.answered(&old).await.unwrap().message, "later");
}

#[tokio::test]
async fn neither_long_nor_many_requests_nor_long_answers_fill_redis() {
    let farm = Fixture::new().await;
    let names: Vec<String> = (0..2534)
        .map(|number| format!("a-rather-long-name-{number}-git"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let large = keep(&names);
    farm.make(&large).await;
    let taken = farm.take().await.unwrap();
    let long = RepoAnswer {
        value: json!("x".repeat(5 << 20)),
        ..answer("removed many")
    };
    farm.queue.answer_repo_request(&taken, long, None).await.unwrap();
    let short = farm.answered(&large).await.unwrap();
    assert!(
        short.value.is_null() && short.message.contains("too long"),
        "{}",
        short.message
    );

    let huge = remove(&"x".repeat(2 << 20));
    let refused = farm.queue.ask_repository(&huge, TESTER).await.unwrap_err();
    assert!(refused.to_string().contains("the most is 1048576"), "{refused}");
    for number in 0..1000 {
        farm.queue
            .ask_repository(&remove(&number.to_string()), TESTER)
            .await
            .unwrap();
    }
    let refused = farm.queue.ask_repository(&remove("b"), TESTER).await.unwrap_err();
    assert!(
        refused.to_string().contains("1000 requests wait already"),
        "{refused}"
    );
    farm.sound().await;
}

#[tokio::test]
async fn an_unreadable_request_holds_up_no_other() {
    let farm = Fixture::new().await;
    let bad = remove("a");
    farm.make(&bad).await;
    farm.redis(&["SET", &keys::ask(&bad.id), r#"{"action":"dance"}"#])
        .await;
    let mut other = remove("b");
    other.target = target("other");
    farm.make(&other).await;
    let mut read = Vec::new();
    while let Some(taken) = farm.take().await {
        read.push((taken.id, taken.request.is_ok()));
    }
    read.sort();
    let mut expected = [(bad.id.clone(), false), (other.id.clone(), true)];
    expected.sort();
    assert_eq!(read, expected);
}

#[tokio::test]
async fn a_collection_is_known_when_every_source_is() {
    let farm = Fixture::new().await;
    let source = |name: &str| SourceRepo::new(name).unwrap();
    let set = |names: &[&str]| -> BTreeSet<Pkgbase> {
        names.iter().map(|name| Pkgbase::new(*name).unwrap()).collect()
    };
    let both = [source("one"), source("two")];
    assert_eq!(farm.queue.collection(&both).await.unwrap(), None);
    farm.queue
        .publish_collection(&both[0], &set(&["a", "b"]))
        .await
        .unwrap();
    assert_eq!(farm.queue.collection(&both).await.unwrap(), None);
    farm.queue
        .publish_collection(&both[1], &set(&["b", "c"]))
        .await
        .unwrap();
    assert_eq!(
        farm.queue.collection(&both).await.unwrap(),
        Some(set(&["a", "b", "c"]))
    );
    farm.queue
        .publish_collection(&both[1], &set(&["d"]))
        .await
        .unwrap();
    assert_eq!(
        farm.queue.collection(&both).await.unwrap(),
        Some(set(&["a", "b", "d"]))
    );
    assert_eq!(
        farm.queue.collection(&both[1..]).await.unwrap(),
        Some(set(&["d"]))
    );
    assert_eq!(farm.queue.collection(&[]).await.unwrap(), None);
}

#[tokio::test]
async fn names_are_on_their_way_until_their_job_ends() {
    let farm = Fixture::new().await;
    let mut split = request("split", &[]);
    split.names = ["split-a", "split-b", "libsplit.so=1-64"]
        .map(str::to_owned)
        .to_vec();
    let mut elsewhere = request("elsewhere", &[]);
    elsewhere.target = target("other");
    let ids = farm.submit(vec![split, elsewhere]).await;
    let names = farm.queue.names_on_their_way(&target("repo")).await.unwrap();
    let names: Vec<(&str, &str)> = names
        .iter()
        .map(|(name, job)| (name.as_str(), job.as_str()))
        .collect();
    let said = format!("split (job {}, ready)", ids[0]);
    assert_eq!(names, [("split-a", &*said), ("split-b", &*said)]);
    farm.queue.cancel(ids[0], TESTER).await.unwrap();
    assert!(
        farm.queue
            .names_on_their_way(&target("repo"))
            .await
            .unwrap()
            .is_empty()
    );
}
