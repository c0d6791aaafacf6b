//! Jobs and whole applications for tests.

use crate::app::{App, Setup};
use crate::keymap::Keymap;
use crate::msg::Msg;
use crate::overlay::Overlay;
use crate::theme::Theme;
use caur_core::model::{
    BuildClass, BuilderReport, BuilderStatus, InstanceId, Job, JobId, JobRequest, JobState, Machine, Target,
};

/// What the clock says in tests, milliseconds since 1970.
pub const NOW: u64 = 1_764_000_000_000;

/// A job that entered its state 90 seconds before [`NOW`].
pub fn job(id: u64, pkgbase: &str, state: JobState) -> Job {
    let claimed = state.is_leased() || state.is_final() || state == JobState::Uploaded;
    Job {
        id: JobId(id),
        request: JobRequest {
            target: Target {
                repo: "extra".parse().unwrap(),
                arch: "x86_64".parse().unwrap(),
            },
            source: "extra".parse().unwrap(),
            pkgbase: pkgbase.parse().unwrap(),
            class: BuildClass::DEFAULT,
            names: vec![pkgbase.to_owned()],
            needs: Vec::new(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        },
        state,
        attempt: u32::from(claimed),
        builder: claimed.then(|| "alder".to_owned()),
        instance: None,
        phase: None,
        reason: None,
        canceling: None,
        requested_by: "ci".to_owned(),
        waits_for: Vec::new(),
        broken: Vec::new(),
        released: false,
        priority: 0,
        expected: 120,
        chain: 300,
        delay: 0,
        ready_at: None,
        built_commit: None,
        packages: Vec::new(),
        since: NOW - 90_000 + id,
        started: claimed.then_some(NOW - 150_000),
        finished: state.is_final().then_some(NOW - 90_000 + id),
        history: Vec::new(),
        phases: Vec::new(),
    }
}

/// A builder that takes jobs, has two slots and nothing to do.
pub fn builder(name: &str) -> BuilderStatus {
    BuilderStatus {
        report: BuilderReport {
            instance: InstanceId::new(format!("{name}-1")).unwrap(),
            name: name.parse().unwrap(),
            class: Some(5),
            slots: 2,
            version: "0.1.0".to_owned(),
            machine: Machine {
                engine: "docker 28.1".to_owned(),
                cores: 16,
                memory: 64 << 30,
                memory_free: 40 << 30,
                disk_free: 310 << 30,
                load: 4.0,
            },
            note: None,
        },
        started: NOW - 300_000_000,
        last_seen: NOW - 2_000,
        online: true,
        jobs: Vec::new(),
        paused: None,
        draining: None,
        incompatible: None,
        double: None,
    }
}

/// A console of this size, without colours, that has not heard of anything yet.
pub fn app(width: u16, height: u16) -> App {
    let mut app = App::new(Setup {
        theme: Theme::Mono,
        read_only: false,
        title: "farm.example:6379".to_owned(),
        now: NOW,
        keymap: Keymap::default(),
        session: "test".to_owned(),
        mouse: false,
        utc_offset: 0,
        filters: Vec::new(),
    });
    app.update(Msg::Resize(width, height));
    app
}

/// What the console said last: in passing, or above what was typed and refused.
pub fn said(app: &App) -> String {
    let refused = match app.overlays().last() {
        Some(Overlay::Prompt(prompt)) => prompt.problem.clone(),
        _ => None,
    };
    refused
        .or_else(|| app.notice().map(|notice| notice.text.clone()))
        .unwrap_or_default()
}
