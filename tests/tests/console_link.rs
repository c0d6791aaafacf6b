//! The real `caur-tui` through a real OpenSSH to a real Redis, over links that are slow, lossy, or break at the worst
//! moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caur_core::log::{LogLimits, LogWriter};
use caur_core::model::{
    Arch, BuildClass, BuilderReport, InstanceId, JobId, JobRequest, JobState, LeaseToken, Machine, Pkgbase,
    SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Asker, ClaimRequest, Queue};
use caur_core::testing::{RedisOptions, RedisServer, Sshd};
use caur_tests::{Desk, Relay, Way, Window, eventually};
use vt100::Screen;

const LIMIT: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(3600);
const BAD: Way = Way {
    delay: Duration::from_millis(150),
    loss: 0.01,
};

/// A farm behind an SSH server: console → `link` → sshd → `behind` → Redis.
struct Farm {
    queue: Queue,
    link: Relay,
    behind: Relay,
    redis: RedisServer,
    sshd: Sshd,
    desk: Desk,
}

impl Farm {
    async fn make(way: Way) -> Self {
        let redis = RedisServer::start_with(RedisOptions {
            tcp: true,
            ..RedisOptions::default()
        });
        let sshd = Sshd::start();
        let link = Relay::start_with(sshd.port(), way).await;
        Self {
            queue: Queue::open(redis.link()).await.unwrap(),
            behind: Relay::start(redis.port()).await,
            desk: Desk::with_key_of(&sshd, link.port()),
            link,
            redis,
            sshd,
        }
    }

    fn console(&self) -> Window {
        self.desk
            .console_through(&self.sshd, self.link.port(), self.behind.port())
    }

    async fn submit(&self, names: impl IntoIterator<Item = String>) -> Vec<JobId> {
        let asker = Asker { by: "test", why: "" };
        let batch = names.into_iter().map(|name| request(&name)).collect();
        let report = self.queue.submit(batch, asker).await.unwrap();
        report.jobs.iter().map(|job| job.id).collect()
    }

    /// Has a builder take the job that comes first.
    async fn build(&self) -> LeaseToken {
        let report = BuilderReport {
            instance: InstanceId::new("alder").unwrap(),
            name: "alder".parse().unwrap(),
            class: Some(1),
            slots: 1,
            version: String::new(),
            machine: Machine::default(),
            note: None,
        };
        self.queue.report_status(&report).await.unwrap();
        let claim = ClaimRequest::new(report.instance, 0, LEASE);
        self.queue.claim(&claim).await.unwrap().job().unwrap().token
    }

    fn writer(&self, token: &LeaseToken) -> LogWriter {
        let limits = LogLimits {
            head: 1 << 24,
            tail: 1 << 24,
            retention: LEASE,
        };
        LogWriter::start(self.redis.link(), token.clone(), limits)
    }

    /// What the trail says was done besides submits.
    async fn done(&self) -> Vec<String> {
        let trail = self.queue.trail(100).await.unwrap();
        let entries = trail.into_iter().filter(|entry| entry.action != "submit");
        entries
            .map(|entry| format!("{} {}", entry.action, entry.about))
            .collect()
    }

    async fn state(&self, job: JobId) -> JobState {
        self.queue.job(job).await.unwrap().unwrap().state
    }
}

fn request(pkgbase: &str) -> JobRequest {
    JobRequest {
        target: Target {
            repo: TargetRepo::new("test-repo").unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        },
        source: SourceRepo::new("tests").unwrap(),
        pkgbase: Pkgbase::new(pkgbase).unwrap(),
        class: BuildClass::DEFAULT,
        names: vec![pkgbase.to_owned()],
        needs: Vec::new(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

fn names(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|number| format!("package-{number:04}"))
}

/// Waits for the queue to be as wished.
async fn until<F: Future<Output = bool>>(what: &str, mut wish: impl FnMut() -> F) {
    let came = eventually(LIMIT, || {
        let came = wish();
        async move { came.await.then_some(()) }
    });
    if let Err(after) = came.await {
        panic!("waited {after:?} in vain for {what}");
    }
}

/// The rows of a screen that hold `text`.
fn rows_with(screen: &Screen, text: &str) -> Vec<String> {
    let (_, columns) = screen.size();
    let rows = screen.rows(0, columns.get());
    rows.filter(|row| row.contains(text))
        // Beside a log stand details, such as times, that go on.
        .map(|row| row.split('│').next().unwrap_or_default().to_owned())
        .collect()
}

fn log_line(number: usize) -> String {
    format!(
        "line {number:06} of the log, {:016x}",
        number.wrapping_mul(0x9e37_79b9)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_bad_link_it_is_used_as_over_a_good_one() {
    let farm = Farm::make(BAD).await;
    farm.submit(names(0..400)).await;
    let token = farm.build().await;
    let writer = farm.writer(&token);
    let output = writer.sender();
    let begin: String = (0..200).map(|number| log_line(number) + "\n").collect();
    output.send(begin.into_bytes()).await.unwrap();

    let mut console = farm.console();
    console.shows("of 400 done").await;
    console.shows("online").await;
    console.types("G").await;
    console.shows("package-0399").await;
    console.types("g\r").await;
    console.shows(&log_line(199)).await;
    console.shows("live").await;
    output.send(b"and on it goes\n".to_vec()).await.unwrap();
    console.shows("and on it goes").await;

    // Nothing comes over the link, yet keys do what they do.
    farm.link.stall();
    console.types("g").await;
    console.shows(&log_line(0)).await;
    console.types("/line 000123\r").await;
    console.shows(&log_line(123)).await;
    console.types("\x1b").await;
    console
        .until("the search to end", |screen| {
            rows_with(screen, "/line 000123").is_empty()
        })
        .await;
    console.types("1").await;
    console.shows("of 400 done").await;
    console.types("/0333").await;
    console.shows("1 of 400").await;
    console.types("\r3").await;
    console.shows("alder").await;
    console.types("?").await;
    console.shows("this help").await;
    console.types("\x1b").await;
    console
        .until("the help to close", |screen| {
            rows_with(screen, "this help").is_empty()
        })
        .await;
    console.types("1").await;
    farm.link.mend();
    output.send(b"and on\n".to_vec()).await.unwrap();
    console.shows("1 of 400").await;
    console.types("/\x15\r").await;
    console.shows("of 400 done").await;
    console.types("g\r").await;
    console.types("f").await;
    console
        .until("the last line", |screen| {
            rows_with(screen, "and on")
                .iter()
                .any(|row| row.trim() == "and on")
        })
        .await;
    console.types("q").await;
    assert!(console.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_goes_on_after_the_tunnel_was_cut_without_a_gap_or_a_double() {
    let farm = Farm::make(Way::default()).await;
    farm.submit(names(0..1)).await;
    let token = farm.build().await;
    let writer = farm.writer(&token);
    let ends = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ends);
    let output = writer.sender();
    // It writes on, whatever becomes of the console's link.
    let writing = tokio::spawn(async move {
        let mut whole = String::new();
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        for number in 0.. {
            pace.tick().await;
            let line = if told.load(Ordering::Acquire) {
                "this is the end\n".to_owned()
            } else {
                log_line(number) + "\n"
            };
            whole += &line;
            output.send(line.clone().into_bytes()).await.unwrap();
            if line.contains("end") {
                break;
            }
        }
        whole
    });

    let mut console = farm.console();
    console.shows("package-0000").await;
    console.types("\r").await;
    console.shows(&log_line(100)).await;
    for turn in 0..3 {
        // Followed the first time, then paused.
        if turn > 0 {
            console.types("kkkkkkkkkkkkkkkkkkkk").await;
            console.shows("PAUSED").await;
        }
        let paused = rows_with(&console.screen(), "of the log");
        assert!(paused.len() > 20, "{}", console.text());
        farm.link.cut();
        console.shows("reconnecting").await;
        console.shows("stale").await;
        let newest = console.text();
        farm.link.mend();
        console
            .until("the link to be back", |screen| {
                let text = screen.contents();
                text.contains("online") && !text.contains("stale")
            })
            .await;
        if turn > 0 {
            console
                .until("lines that came since", |screen| {
                    screen.contents().contains(" new")
                })
                .await;
            assert_eq!(rows_with(&console.screen(), "of the log"), paused);
            console.types("G").await;
        }
        console
            .until("the log to go on", |screen| {
                let rows = rows_with(screen, "of the log");
                screen.contents().contains("live") && rows.iter().all(|row| !newest.contains(row.trim_end()))
            })
            .await;
    }
    ends.store(true, Ordering::Release);
    let whole = writing.await.unwrap();
    writer.close(LIMIT).await;
    console.shows("this is the end").await;

    console.types("a").await;
    console
        .until("all to be loaded", |screen| {
            !screen.contents().contains("loading")
        })
        .await;
    console.types(":save whole.log\r").await;
    console.shows("saved").await;
    let saved = std::fs::read_to_string(farm.desk.home().join("whole.log")).unwrap();
    assert!(
        saved == whole,
        "{} bytes saved, {} written",
        saved.len(),
        whole.len()
    );
    console.types("q").await;
    assert!(console.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn selection_and_scroll_outlive_a_cut() {
    let farm = Farm::make(Way::default()).await;
    let jobs = farm.submit(names(0..400)).await;
    let mut console = farm.console();
    console.shows("of 400 done").await;
    let filter = |text: &str| format!("/{text}\r");
    console.types(&filter("package-02")).await;
    console.shows("100 of 400").await;
    console.types("G").await;
    console.shows("package-0299").await;
    console.types("kkkkkkkkkk").await;
    let selected = format!("job {}", jobs[289]);
    console.shows(&selected).await;
    let listed = rows_with(&console.screen(), "package-02");

    farm.link.cut();
    console.shows("reconnecting").await;
    console.shows("stale").await;
    // One row is needed to say what is wrong with the link.
    assert!(rows_with(&console.screen(), "package-02").len() + 2 >= listed.len());
    farm.submit(names(400..420)).await;
    farm.link.mend();
    console.shows("of 420 done").await;
    console
        .until("the link to be back", |screen| {
            let text = screen.contents();
            text.contains("online") && !text.contains("stale")
        })
        .await;
    console.shows(&selected).await;
    let names = |rows: &[String]| -> Vec<String> {
        rows.iter()
            .filter_map(|row| row.split_whitespace().find(|word| word.starts_with("package-")))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(names(&rows_with(&console.screen(), "package-02")), names(&listed));
}

/// Cancels the only job of a console that is online.
async fn cancel(console: &mut Window) {
    console.shows("online").await;
    console.shows("x cancel").await;
    console.types("x").await;
    console.shows("cancel package-0000?").await;
    console.types("y").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_its_answer_was_lost_is_done_once() {
    let farm = Farm::make(Way::default()).await;
    let job = farm.submit(names(0..1)).await[0];
    let mut console = farm.console();
    console.shows("package-0000").await;
    console.shows("x cancel").await;
    farm.link.hold_answers();
    cancel(&mut console).await;
    until("the cancel to be done", async || {
        farm.state(job).await == JobState::Canceled
    })
    .await;
    farm.link.cut();
    console.shows("cancel package-0000: unknown, checking").await;
    assert_eq!(farm.done().await, ["cancel test-repo/x86_64/package-0000"]);
    farm.link.mend();
    console.shows("cancel package-0000: done, canceled").await;
    console.shows("canceled").await;
    assert_eq!(farm.done().await, ["cancel test-repo/x86_64/package-0000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_arrived_is_not_done_and_never_will_be() {
    let farm = Farm::make(Way::default()).await;
    let job = farm.submit(names(0..1)).await[0];
    let mut redis = farm.redis.link().connection().await.unwrap();
    for (name, value) in [("slowlog-log-slower-than", "0"), ("slowlog-max-len", "100000")] {
        redis::cmd("CONFIG")
            .arg(&["SET", name, value])
            .exec_async(&mut redis)
            .await
            .unwrap();
    }
    let mut console = farm.console();
    console.shows("package-0000").await;
    console.shows("x cancel").await;
    farm.behind.hold_requests();
    cancel(&mut console).await;
    until("the cancel to be under way", async || {
        farm.behind.has_held("_CANCEL")
    })
    .await;
    farm.link.cut();
    console.shows("cancel package-0000: unknown, checking").await;
    farm.link.mend();
    console.shows("cancel package-0000: not done").await;
    assert_eq!(farm.state(job).await, JobState::Ready);
    assert!(farm.done().await.is_empty());

    // It was lost on the way, and is found again.
    farm.behind.mend();
    until("the late cancel to arrive", || {
        let mut redis = redis.clone();
        async move {
            let calls: Vec<(u64, u64, u64, Vec<String>)> = redis::cmd("SLOWLOG")
                .arg(&["GET", "-1"])
                .query_async::<Vec<redis::Value>>(&mut redis)
                .await
                .unwrap()
                .into_iter()
                .map(|entry| {
                    let redis::Value::Array(mut fields) = entry else {
                        panic!("{entry:?}")
                    };
                    fields.truncate(4);
                    redis::from_redis_value(redis::Value::Array(fields)).unwrap()
                })
                .collect();
            calls
                .iter()
                .any(|(.., call)| call.iter().any(|word| word.ends_with("_CANCEL")))
        }
    })
    .await;
    assert_eq!(farm.state(job).await, JobState::Ready);
    assert!(farm.done().await.is_empty());
    console.types("O").await;
    console.shows("not done").await;
}
