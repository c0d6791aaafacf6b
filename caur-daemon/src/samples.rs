//! Jobs and builders for unit tests.

use caur_core::model::{BuilderReport, BuilderStatus, InstanceId, Job, JobId, JobState, Machine};
use serde_json::json;

/// The time at which the samples are looked at, in milliseconds since 1970.
pub const NOW: u64 = 1_700_000_000_000;

/// A job of class 1 that is expected to take a minute and that nothing waits for.
pub fn job(id: u64, repo: &str, pkgbase: &str, state: JobState) -> Job {
    serde_json::from_value(json!({
        "id": id, "target": { "repo": repo, "arch": "x86_64" }, "source": "s", "pkgbase": pkgbase, "class": "1",
        "names": [pkgbase], "needs": [], "build_commit": null, "status_commit": null, "arch_mirror": null,
        "rebuild": false, "state": state, "attempt": 0, "builder": null, "instance": null, "phase": null,
        "reason": null, "canceling": null, "requested_by": "ada", "waits_for": [], "broken": [], "released": false,
        "priority": 0, "expected": 60, "chain": 60, "delay": 0, "ready_at": null, "built_commit": null, "packages": [], "since": NOW,
        "started": null, "finished": null, "history": []
    }))
    .unwrap()
}

/// A builder of class 2 with three slots that builds job 7.
pub fn builder(name: &str, instance: &str) -> BuilderStatus {
    BuilderStatus {
        report: BuilderReport {
            instance: InstanceId::new(instance).unwrap(),
            name: name.parse().unwrap(),
            class: Some(2),
            slots: 3,
            version: "0.1.0".to_owned(),
            machine: Machine {
                engine: "docker 27".to_owned(),
                cores: 8,
                memory: 16 << 30,
                memory_free: 12 << 30,
                disk_free: 200 << 30,
                load: 0.25,
            },
            note: None,
        },
        started: NOW - 60_000,
        last_seen: NOW - 2000,
        online: true,
        jobs: vec![JobId(7)],
        paused: None,
        draining: None,
        incompatible: None,
        double: None,
    }
}
