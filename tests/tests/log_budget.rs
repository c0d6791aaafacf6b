//! Logs keep to their budgets in Redis: live ones lose from their middle, ended ones go, oldest first.

use std::time::Duration;

use caur_core::log::{LogChunk, LogReader, LogWriter};
use caur_core::model::{
    Arch, BuildClass, BuildOutcome, BuilderReport, InstanceId, JobId, JobRequest, Machine, Pkgbase,
    SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Asker, Attempt, Claim, ClaimRequest, Queue, QueueRules, SweepSettings};
use caur_core::testing::RedisServer;

const LEASE: Duration = Duration::from_mins(1);
const PIECE: usize = 64 << 10;

struct Logs {
    _server: RedisServer,
    queue: Queue,
}

impl Logs {
    async fn new(rules: QueueRules) -> Self {
        let server = RedisServer::start();
        let queue = Queue::open(server.link()).await.unwrap();
        queue.publish_rules(&rules).await.unwrap();
        Self {
            _server: server,
            queue,
        }
    }

    /// A job that this builder has claimed.
    async fn claim(&self, name: &str) -> Claim {
        let request = JobRequest {
            target: Target {
                repo: TargetRepo::new("repo").unwrap(),
                arch: Arch::new("x86_64").unwrap(),
            },
            source: SourceRepo::new("src").unwrap(),
            pkgbase: Pkgbase::new(name).unwrap(),
            class: BuildClass::DEFAULT,
            names: vec![name.to_owned()],
            needs: Vec::new(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        };
        let asker = Asker { by: "test", why: "" };
        self.queue.submit(vec![request], asker).await.unwrap();
        let report = BuilderReport {
            instance: InstanceId::new(name).unwrap(),
            name: name.parse().unwrap(),
            class: Some(1),
            slots: 1,
            version: String::new(),
            machine: Machine::default(),
            note: None,
        };
        self.queue.report_status(&report).await.unwrap();
        let claimed = self
            .queue
            .claim(&ClaimRequest::new(report.instance, 0, LEASE))
            .await;
        claimed.unwrap().job().unwrap()
    }

    /// Writes so many pieces of a letter each, in the order of the alphabet.
    async fn write(&self, claim: &Claim, pieces: usize) {
        for piece in 0..pieces {
            let letter = char::from(b'a' + u8::try_from(piece % 26).unwrap());
            let text = letter.to_string().repeat(PIECE);
            LogWriter::append(self.queue.link(), &claim.token, &text, LEASE)
                .await
                .unwrap();
        }
    }

    async fn end(&self, claim: &Claim) {
        let ended = Attempt {
            outcome: BuildOutcome::Failed,
            reason: String::new(),
            commit: None,
            manifest: None,
            took: Duration::ZERO,
        };
        self.queue.finish(&claim.token, &ended).await.unwrap();
    }

    /// What a reader gets: the first letter, the last one, how many bytes, and how many cuts.
    async fn read(&self, job: JobId) -> (Option<u8>, Option<u8>, usize, usize) {
        let mut reader = LogReader::new(self.queue.link().clone(), job, 1);
        let (mut first, mut last, mut bytes, mut cuts) = (None, None, 0, 0);
        while let Some(chunk) = reader.next(Duration::ZERO).await.unwrap() {
            match chunk {
                LogChunk::Data { bytes: data, .. } => {
                    first = first.or(data.first().copied());
                    last = data.last().copied();
                    bytes += data.len();
                }
                LogChunk::Cut(_) => cuts += 1,
                LogChunk::End { .. } => {}
            }
        }
        (first, last, bytes, cuts)
    }

    async fn check(&self) {
        let violations = self.queue.audit().await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

#[tokio::test]
async fn all_live_logs_together_keep_to_their_budget() {
    let budget = 4 << 20;
    let logs = Logs::new(QueueRules {
        log_live_bytes: budget,
        ..QueueRules::default()
    })
    .await;
    let (quiet, loud) = (logs.claim("quiet").await, logs.claim("loud").await);
    logs.write(&quiet, 16).await;
    logs.write(&loud, 256).await;
    let size = logs.queue.size().await.unwrap().log_live;
    assert!(size <= budget + PIECE as u64, "{size}");
    logs.check().await;
    // The quiet one lost nothing, the loud one its middle.
    assert_eq!(
        logs.read(quiet.job.id).await,
        (Some(b'a'), Some(b'p'), 16 * PIECE, 0)
    );
    let (first, last, bytes, cuts) = logs.read(loud.job.id).await;
    assert_eq!((first, last, cuts), (Some(b'a'), Some(b'a' + 255 % 26), 1));
    assert!(bytes > PIECE * 16, "{bytes}");
}

#[tokio::test]
async fn ended_logs_are_removed_by_their_budget_oldest_first() {
    let logs = Logs::new(QueueRules::default()).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let claim = logs.claim(name).await;
        logs.write(&claim, 16).await;
        logs.end(&claim).await;
        ids.push(claim.job.id);
    }
    let sweep = SweepSettings {
        name: "test".into(),
        term: LEASE,
        outage: LEASE,
        grace: LEASE,
    };
    assert_eq!(logs.queue.sweep(&sweep).await.unwrap().logs, 0);
    let rules = QueueRules {
        log_kept_bytes: 2 << 20,
        ..QueueRules::default()
    };
    logs.queue.publish_rules(&rules).await.unwrap();
    assert_eq!(logs.queue.sweep(&sweep).await.unwrap().logs, 1);
    assert_eq!(logs.read(ids[0]).await.2, 0);
    assert_eq!(
        (logs.read(ids[1]).await.2, logs.read(ids[2]).await.2),
        (16 * PIECE, 16 * PIECE)
    );
    logs.check().await;
}
