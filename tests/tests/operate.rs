//! What operators do from the command line, and what each command changes, says and refuses.

use caur_core::model::JobState;
use caur_tests::{Farm, FarmOptions};
use serde_json::{Value, json};

/// A farm whose `database` has told what repositories there are.
async fn known_farm() -> Farm {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.database().await.stop().await;
    farm
}

async fn states<const N: usize>(farm: &Farm, packages: [&str; N]) -> [JobState; N] {
    let mut found = Vec::new();
    for package in packages {
        found.push(farm.job(package).await.unwrap().state);
    }
    found.try_into().unwrap()
}

/// Whether the trail holds this action, as `[action, about, by, why]`.
async fn is_in_trail(farm: &Farm, wanted: [&str; 4]) -> bool {
    let trail = farm.caur(&["queue", "actions", "--json"]).await.expect(0).json();
    trail.as_array().unwrap().iter().any(|entry| {
        let entry = ["action", "about", "by", "why"].map(|field| entry[field].as_str().unwrap());
        entry == wanted
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_held_let_go_released_and_given_priorities() {
    let farm = known_farm().await;
    let tree = "a:a:libb.so;b:b,libb.so:;c:c:";
    let _ = farm
        .schedule(&["--deptree", tree, "--reason", "nightly", "a", "b", "c"])
        .await
        .expect(0);
    let held = farm.ada(&[
        "job",
        "hold",
        "b",
        "test-repo/x86_64/c",
        "--reason",
        "upstream is broken",
    ]);
    let held = held.await.expect(0).stdout;
    let b = farm.job("b").await.unwrap();
    assert!(
        held.starts_with("PACKAGE             JOB            RESULT\n"),
        "{held}"
    );
    assert!(
        held.contains(&format!("test-repo/x86_64/b  {}  held\n", b.id)),
        "{held}"
    );
    let expected = [JobState::Waiting, JobState::Held, JobState::Held];
    assert_eq!(states(&farm, ["a", "b", "c"]).await, expected);
    let b = farm
        .shows(
            "b",
            "Why        held by ada: upstream is broken; `job unhold` lets it go on\n",
        )
        .await;
    farm.shows(
        "a",
        &format!(
            "Why        it waits for the packages of another job\nWaits for  b (held, job {}), for libb.so\n",
            b.id
        ),
    )
    .await;
    let a = farm.caur(&["job", "show", "a", "--json"]).await.expect(0).json();
    let on = json!([{ "job": b.id, "key": "test-repo/x86_64/b", "state": "held", "names": ["libb.so"] }]);
    assert_eq!(a["why"], json!({ "why": "dependencies", "on": on }));

    // One refusal does not keep the others from being done.
    let number = b.id.to_string();
    let mixed = farm
        .ada(&["job", "unhold", "a", "nobody", "12345", &number])
        .await
        .expect(1);
    mixed.says(&[
        &format!("error: cannot unhold job {}: it is waiting and not held", a["id"]),
        "error: there is no job for \"nobody\"",
        "error: there is no job 12345",
    ]);
    assert!(mixed.stdout.contains("let go, ready\n"), "{}", mixed.stdout);
    let both = farm
        .ada(&["job", "hold", "--json", "b", "nobody"])
        .await
        .expect(1)
        .json();
    assert_eq!(
        both[0],
        json!({ "asked": "b", "job": b.id, "package": "test-repo/x86_64/b", "state": "held", "result": "held" })
    );
    assert_eq!(both[1]["asked"], "nobody");
    assert!(both[1]["error"].as_str().unwrap().contains("there is no job"));

    let _ = farm.ada(&["job", "release", "a"]).await.expect(0);
    assert_eq!(farm.shows("a", "Released   ").await.state, JobState::Ready);
    let raised = farm.ada(&["job", "priority", "a", "7"]).await.expect(0).stdout;
    assert!(raised.ends_with("priority 7, ready\n"), "{raised}");
    assert_eq!(farm.shows("a", "Priority   7\n").await.priority, 7);
    let _ = farm
        .ada(&["job", "priority", "a", "-3", "--reason", "later"])
        .await
        .expect(0);
    assert_eq!(farm.job("a").await.unwrap().priority, -3);
    let list = farm.caur(&["job", "list"]).await.expect(0).stdout;
    assert!(list.contains("priority -3\n"), "{list}");
    let ran = farm.ada(&["job", "priority", "a", "101"]).await.expect(1);
    ran.says(&["to 101: it must lie between -100 and 100"]);
    let ran = farm.ada(&["job", "priority", "a", "much"]).await.expect(2);
    ran.says(&["'much'"]);

    for wanted in [
        [
            "submit",
            "3 packages",
            "uid",
            "3 queued, 0 replaced, 0 again: nightly",
        ],
        ["hold", "test-repo/x86_64/c", "ada", "upstream is broken"],
        ["unhold", "test-repo/x86_64/b", "ada", ""],
        ["release", "test-repo/x86_64/a", "ada", ""],
        ["priority", "test-repo/x86_64/a", "ada", "-3: later"],
    ] {
        let uid = format!("uid {}", rustix::process::getuid().as_raw());
        let wanted = wanted.map(|text| if text == "uid" { &*uid } else { text });
        assert!(is_in_trail(&farm, wanted).await, "{wanted:?}");
    }
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_canceled_and_retried() {
    let farm = known_farm().await;
    let _ = farm.schedule(&["a", "b"]).await.expect(0);
    let canceled = farm
        .ada(&["job", "cancel", "a", "--reason", "no use"])
        .await
        .expect(0);
    assert!(canceled.stdout.ends_with("  canceled\n"), "{}", canceled.stdout);
    let a = farm.shows("a", "Why        canceled by ada: no use\n").await;
    assert_eq!(a.state, JobState::Canceled);
    let again = farm.ada(&["job", "cancel", "a"]).await.expect(1);
    again.says(&["cannot cancel job", "it has ended already: canceled"]);
    assert_eq!(again.stdout, "");
    let ran = farm.ada(&["job", "hold", "a"]).await.expect(1);
    ran.says(&["it has ended already: canceled"]);

    let ran = farm.ada(&["job", "retry", "b"]).await.expect(1);
    ran.says(&["cannot retry job", "is ready already"]);
    let retried = farm.ada(&["job", "retry", "a", "--rebuild"]).await.expect(0);
    assert!(retried.stdout.ends_with("ready again\n"), "{}", retried.stdout);
    let now = farm.job("a").await.unwrap();
    assert_eq!(
        (now.id, now.state, now.request.rebuild),
        (a.id, JobState::Ready, true)
    );
    let ran = farm.ada(&["job", "retry"]).await.expect(2);
    ran.says(&["<JOB>"]);
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_measured_paused_and_emptied() {
    let farm = known_farm().await;
    let _ = farm
        .schedule(&["--deptree", "a:a:b;b:b:;c:c:", "a", "b", "c/5"])
        .await
        .expect(0);
    let _ = farm.ada(&["job", "cancel", "c"]).await.expect(0);
    let stats = farm.caur(&["queue", "stats", "--json"]).await.expect(0).json();
    assert_eq!(stats["jobs"], json!({ "ready": 1, "waiting": 1 }));
    assert_eq!(stats["ready"], json!({ "1": 1 }));
    assert_eq!(
        (&stats["expected_end"], &stats["endless"]),
        (&Value::Null, &json!(2))
    );
    assert_eq!(
        (&stats["slots"], &stats["remaining_per_slot"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(
        (&stats["kept"]["finished"], &stats["paused"]),
        (&json!(1), &Value::Null)
    );
    farm.shows(
        "b",
        "Why        no builder of class 1 or higher is there; none is online at all\n",
    )
    .await;

    let _ = farm
        .ada(&["queue", "pause", "--reason", "new glibc"])
        .await
        .expect(0);
    farm.shows("b", "Why        the whole queue has been paused for ")
        .await;
    let stats = farm.caur(&["queue", "stats"]).await.expect(0).stdout;
    for line in [
        "Paused     for ",
        ": paused by ada: new glibc\n",
        "End        not while the queue is paused\n",
    ] {
        assert!(stats.contains(line), "{line:?} is not in:\n{stats}");
    }
    let resumed = farm.ada(&["queue", "resume"]).await.expect(0);
    assert_eq!(resumed.stdout, "the queue goes on\n");
    let resumed = farm.ada(&["queue", "resume"]).await.expect(0);
    assert_eq!(resumed.stdout, "the queue was not paused\n");

    for command in [&["queue", "reset"][..], &["queue", "reset", "--confirm", "yes"]] {
        let ran = farm.ada(command).await.expect(1);
        ran.says(&[
            "this removes 3 jobs",
            "2 in the queue",
            "1 finished",
            "nothing was changed",
        ]);
    }
    assert_eq!(
        states(&farm, ["a", "b"]).await,
        [JobState::Waiting, JobState::Ready]
    );
    let reset = farm
        .ada(&["queue", "reset", "--confirm", "3", "--reason", "moved"])
        .await
        .expect(0);
    assert_eq!(reset.stdout, "3 jobs were removed\n");
    assert_eq!(
        farm.caur(&["job", "list", "--json"]).await.expect(0).stdout,
        "[]\n"
    );
    for wanted in [
        ["pause", "queue", "ada", "new glibc"],
        ["resume", "queue", "ada", ""],
        ["reset", "queue", "ada", "3 jobs removed: moved"],
    ] {
        assert!(is_in_trail(&farm, wanted).await, "{wanted:?}");
    }
    let audit = farm.caur(&["queue", "audit"]).await.expect(0);
    assert_eq!(audit.stdout, "the queue is sound\n");
    farm.check_queue().await;

    // A reader that has seen enough, as `head`.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = farm.program(&farm.redis_environment());
    command.args(["queue", "actions"]).stdout(writer);
    assert!(command.status().unwrap().success());

    for command in ["pause", "resume", "drain"] {
        let ran = farm.ada(&["builders", command, "nobody"]).await.expect(1);
        ran.says(&["no builder of that name was seen"]);
        let ran = farm.ada(&["builders", command, "bad name"]).await.expect(1);
        ran.says(&["invalid builder name \"bad name\""]);
    }
    let list = farm.caur(&["builders", "list"]).await.expect(0).stdout;
    assert!(list.starts_with("NAME  STATE  CLASS  SLOTS  JOBS  "), "{list}");
}
