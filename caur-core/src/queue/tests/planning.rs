//! Plans by example.

use super::super::plan::{DEFAULT_EXPECTED, LiveJob, Plan, plan};
use crate::model::{
    Arch, BuildClass, JobId, JobRequest, JobState, Need, Pkgbase, SourceRepo, Target, TargetRepo,
};

fn request(pkgbase: &str, names: &[&str], needs: &[&str]) -> JobRequest {
    on_target("repo", pkgbase, names, needs)
}

fn on_target(repo: &str, pkgbase: &str, names: &[&str], needs: &[&str]) -> JobRequest {
    JobRequest {
        target: Target {
            repo: TargetRepo::new(repo).unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        },
        source: SourceRepo::new("src").unwrap(),
        pkgbase: Pkgbase::new(pkgbase).unwrap(),
        class: BuildClass::DEFAULT,
        names: names.iter().map(ToString::to_string).collect(),
        needs: needs.iter().map(|name| Need::from((*name).to_owned())).collect(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

fn live(id: u64, request: JobRequest, state: JobState, waits_for: &[u64]) -> LiveJob {
    let waits_for = waits_for.iter().map(|&id| JobId(id)).collect();
    LiveJob {
        id: JobId(id),
        request,
        state,
        expected: 10,
        chain: 10,
        released: false,
        waits_for,
    }
}

fn deps(plan: &Plan, index: usize) -> Vec<(&str, &str)> {
    plan.jobs[index]
        .deps
        .iter()
        .map(|(id, names)| (id.as_str(), names.as_str()))
        .collect()
}

#[test]
fn edges_follow_names_and_provides_within_one_target() {
    let batch = [
        request("app", &["app"], &["libfoo.so", "foo", "glibc"]),
        request("foo", &["foo", "libfoo.so"], &[]),
        on_target("other", "user", &["user"], &["foo"]),
    ];
    let plan = plan(&batch, &[], |_| None);
    assert_eq!(deps(&plan, 0), [("#2", "libfoo.so foo")]);
    assert!(deps(&plan, 1).is_empty());
    assert!(deps(&plan, 2).is_empty(), "targets never mix");
}

#[test]
fn the_pkgbase_wins_over_a_provider() {
    let batch = [
        request("app", &["app"], &["foo"]),
        request("a-foo-clone", &["a-foo-clone", "foo"], &[]),
        request("foo", &["foo"], &[]),
    ];
    assert_eq!(deps(&plan(&batch, &[], |_| None), 0), [("#3", "foo")]);
}

#[test]
fn queued_jobs_are_tied_in_both_directions() {
    let queued = [
        live(7, request("lib", &["lib"], &[]), JobState::Building, &[]),
        live(8, request("user", &["user"], &["tool"]), JobState::Ready, &[]),
        live(
            9,
            request("running", &["running"], &["tool"]),
            JobState::Building,
            &[],
        ),
    ];
    let batch = [request("tool", &["tool"], &["lib"])];
    let plan = plan(&batch, &queued, |_| None);
    assert_eq!(deps(&plan, 0), [("7", "lib")]);
    assert_eq!(
        plan.extra,
        [("8".to_owned(), 1, "tool".to_owned())],
        "a running job gets no new edge"
    );
    assert_eq!(plan.jobs[0].chain, DEFAULT_EXPECTED + 10);
    assert_eq!(
        plan.chains["7"],
        DEFAULT_EXPECTED + 20,
        "the library's chain grew"
    );
}

#[test]
fn cycles_are_cut_and_reported() {
    let batch = [
        request("a", &["a"], &["b"]),
        request("b", &["b"], &["c"]),
        request("c", &["c"], &["a", "d"]),
        request("d", &["d"], &[]),
    ];
    let plan = plan(&batch, &[], |_| Some(1));
    assert_eq!(plan.broken.len(), 1);
    assert_eq!(
        (
            plan.broken[0].dependant.as_str(),
            plan.broken[0].dependency.as_str()
        ),
        ("c", "a"),
        "only an edge of the cycle is cut"
    );
    assert_eq!(deps(&plan, 2), [("#4", "d")]);
    assert_eq!(
        plan.jobs.iter().map(|job| job.chain).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
}

#[test]
fn a_cycle_over_a_replaced_job_is_cut_too() {
    for state in [JobState::Ready, JobState::Building] {
        let queued = [
            live(7, request("a", &["a"], &["b"]), JobState::Waiting, &[8]),
            live(8, request("b", &["b"], &[]), state, &[]),
        ];
        let plan = plan(&[request("b", &["b"], &["a"])], &queued, |_| None);
        assert!(plan.jobs[0].deps.is_empty(), "a waits for b already");
        assert_eq!(plan.broken.len(), 1, "{state}");
    }
}

#[test]
fn learned_durations_make_chains() {
    let batch = [request("lib", &["lib"], &[]), request("app", &["app"], &["lib"])];
    let plan = plan(&batch, &[], |key| {
        Some(if key.ends_with("/app") { 1000 } else { 5 })
    });
    assert_eq!((plan.jobs[0].chain, plan.jobs[1].chain), (1005, 1000));
}
