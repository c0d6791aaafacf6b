//! Plans by example.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::super::plan::{DEFAULT_EXPECTED, LiveJob, Plan, cyclic, plan};
use super::super::policy;
use crate::model::{
    Arch, BuildClass, DependencyKind, JobId, JobRequest, JobState, Need, Pkgbase, SourceRepo, Target,
    TargetRepo,
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
        released: false,
        expected: 10,
        chain: 10,
        delay: policy::delay(10, 1),
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

#[test]
fn what_lets_others_go_on_is_overtaken_by_less() {
    let batch = [
        request("long", &["long"], &[]),
        request("lib", &["lib"], &[]),
        request("a", &["a"], &["lib"]),
        request("b", &["b"], &["lib", "a"]),
        request("slow", &["slow"], &["lib"]),
    ];
    let plan = plan(&batch, &[], |key| {
        Some(if key.ends_with("/a") || key.ends_with("/b") {
            10
        } else {
            1000
        })
    });
    let delays: Vec<u64> = plan.jobs.iter().map(|job| job.delay).collect();
    // lib counts together with a and b; slow would make it dearer.
    assert_eq!(
        delays,
        [(1000, 1), (1020, 3), (10, 1), (10, 1), (1000, 1)]
            .map(|(seconds, jobs)| policy::delay(seconds, jobs))
    );
}

#[test]
fn a_queued_jobs_delay_is_told_when_it_changed() {
    let queued = [
        live(7, request("lib", &["lib"], &[]), JobState::Ready, &[]),
        live(8, request("other", &["other"], &[]), JobState::Ready, &[]),
    ];
    let plan = plan(&[request("app", &["app"], &["lib"])], &queued, |_| Some(2));
    assert_eq!(
        plan.delays,
        [("7".to_owned(), policy::delay(12, 2))].into(),
        "only of lib"
    );
    assert_eq!(plan.chains, [("7".to_owned(), 12)].into());
}

#[test]
fn the_weakest_edges_of_a_cycle_are_cut() {
    // Needs of a, b and c; dependants and dependencies of what is cut.
    type Cut = &'static [(&'static str, &'static str)];
    let cases: [([&str; 3], Cut); 8] = [
        (["b:check", "a", ""], &[("a", "b")]),
        (["b:run", "a:check", ""], &[("b", "a")]),
        (["b", "a:run", ""], &[("b", "a")]),
        (["b", "c:run", "a:check"], &[("c", "a")]),
        (["b:check", "c:check", "a"], &[("a", "b")]),
        // One reason of several that is strong is enough.
        (["b:check b-lib", "a:run", ""], &[("b", "a")]),
        // One edge instead of two: everything runs through b.
        (["b", "a c", "a b"], &[("b", "a"), ("b", "c")]),
        (["b c", "a", "a"], &[("b", "a"), ("c", "a")]),
    ];
    for (needs, cut) in cases {
        let batch: Vec<JobRequest> = ["a", "b", "c"]
            .iter()
            .zip(needs)
            .map(|(name, needs)| {
                let needs: Vec<&str> = needs.split_whitespace().collect();
                request(name, &[name, &format!("{name}-lib")], &needs)
            })
            .collect();
        for turned in [false, true] {
            let mut batch = batch.clone();
            if turned {
                batch.reverse();
            }
            let plan = plan(&batch, &[], |_| None);
            let found: Vec<(&str, &str)> = plan
                .broken
                .iter()
                .map(|edge| (edge.dependant.as_str(), edge.dependency.as_str()))
                .collect();
            assert_eq!(found, cut, "{needs:?}, turned: {turned}");
        }
    }
}

#[test]
fn a_job_tells_what_it_does_not_wait_for() {
    let batch = [
        request("a", &["a", "a-data"], &["b:run"]),
        request("b", &["b"], &["a:check", "a-data:check"]),
    ];
    let plan = plan(&batch, &[], |_| None);
    assert_eq!(plan.broken[0].names, ["a", "a-data"]);
    assert_eq!(plan.broken[0].kind, DependencyKind::Check);
    assert_eq!(plan.jobs[1].broken, [Pkgbase::new("a").unwrap()]);
    assert!(plan.jobs[0].broken.is_empty());
}

#[test]
fn only_members_of_cycles_are_cyclic() {
    let batch = [
        request("outside", &["outside"], &["b"]),
        request("b", &["b"], &["a", "inside"]),
        request("a", &["a"], &["b:check"]),
        request("inside", &["inside"], &["inside"]),
    ];
    let found: Vec<String> = cyclic(&batch).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["a", "b"]);
}

#[test]
fn what_waits_already_goes_on_waiting() {
    let queued = [
        live(7, request("a", &["a"], &["b:check"]), JobState::Waiting, &[8]),
        live(8, request("b", &["b"], &[]), JobState::Ready, &[]),
    ];
    let plan = plan(&[request("b", &["b"], &["a"])], &queued, |_| None);
    assert_eq!(
        (plan.broken[0].dependant.as_str(), plan.broken[0].kind),
        ("b", DependencyKind::Make),
        "the stronger one is cut, because the weaker one is there"
    );
}

#[test]
fn a_released_job_gets_no_new_edges() {
    for replaced in [false, true] {
        let mut user = live(8, request("user", &["user"], &["tool"]), JobState::Ready, &[]);
        user.released = true;
        let mut batch = vec![
            request("tool", &["tool"], &[]),
            request("app", &["app"], &["user"]),
        ];
        if replaced {
            batch.push(request("user", &["user"], &["tool"]));
        }
        let plan = plan(&batch, &[user], |_| None);
        assert_eq!(plan.extra, []);
        let dependency = if replaced { "#3" } else { "8" };
        assert_eq!(deps(&plan, 1), [(dependency, "user")], "it can be waited for");
        // A newer request is planned like any other.
        assert_eq!(plan.jobs.last().unwrap().deps.len(), 1);
    }
}

/// Edges (dependant, dependency) of the graph after `plan`, by pkgbase.
fn edges_after(plan: &Plan, batch: &[JobRequest], live: &[LiveJob]) -> Vec<(String, String)> {
    let replaced: BTreeSet<&str> = batch.iter().map(|request| request.pkgbase.as_str()).collect();
    let names: HashMap<String, &str> = live
        .iter()
        .map(|job| (job.id.to_string(), job.request.pkgbase.as_str()))
        .collect();
    let name = |id: &str| match id.strip_prefix('#') {
        Some(index) => batch[index.parse::<usize>().unwrap() - 1].pkgbase.to_string(),
        None => names[id].to_owned(),
    };
    let mut edges = Vec::new();
    for (job, request) in plan.jobs.iter().zip(batch) {
        edges.extend(job.deps.keys().map(|id| (request.pkgbase.to_string(), name(id))));
    }
    for job in live
        .iter()
        .filter(|job| !replaced.contains(job.request.pkgbase.as_str()))
    {
        let waits_for = job.waits_for.iter().map(|id| name(&id.to_string()));
        edges.extend(waits_for.map(|dependency| (job.request.pkgbase.to_string(), dependency)));
    }
    edges.extend(
        plan.extra
            .iter()
            .map(|(id, index, _)| (name(id), batch[index - 1].pkgbase.to_string())),
    );
    edges
}

fn reaches(edges: &[(String, String)], from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        if seen.insert(node) {
            open.extend(
                edges
                    .iter()
                    .filter(|edge| edge.0 == node)
                    .map(|edge| edge.1.as_str()),
            );
        }
    }
    false
}

/// Needs of up to twelve packages p0, p1, …: which, and what for.
fn any_needs() -> impl Strategy<Value = Vec<Vec<(usize, &'static str)>>> {
    let need = (0..12_usize, prop::sample::select(vec!["", ":run", ":check"]));
    prop::collection::vec(prop::collection::vec(need, 0..4), 1..12)
}

fn requests(needs: &[Vec<(usize, &'static str)>]) -> Vec<JobRequest> {
    let of = |(index, needs): (usize, &Vec<(usize, &str)>)| {
        let name = format!("p{index}");
        let needs: Vec<String> = needs
            .iter()
            .map(|(other, kind)| format!("p{other}{kind}"))
            .collect();
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        request(&name, &[&name], &needs)
    };
    needs.iter().enumerate().map(of).collect()
}

proptest! {
    #[test]
    fn a_plan_has_no_cycle_and_cuts_no_more_than_it_must(
        first in any_needs(),
        second in any_needs(),
        states in prop::collection::vec(0..5_usize, 12),
    ) {
        // What the first plan makes of its batch is what the second one finds in the queue.
        const STATES: [JobState; 5] =
            [JobState::Waiting, JobState::Ready, JobState::Building, JobState::Held, JobState::Blocked];
        let old = requests(&first);
        let before = plan(&old, &[], |_| None);
        let queued: Vec<LiveJob> = (100..)
            .zip(old.iter().zip(&before.jobs))
            .zip(&states)
            .map(|((id, (request, planned)), &state)| {
                let waits_for: Vec<u64> =
                    planned.deps.keys().map(|index| 99 + index[1..].parse::<u64>().unwrap()).collect();
                live(id, request.clone(), STATES[state], &waits_for)
            })
            .collect();
        let batch: Vec<JobRequest> = requests(&second).into_iter().step_by(2).collect();
        let plan = plan(&batch, &queued, |_| None);

        let edges = edges_after(&plan, &batch, &queued);
        for (dependant, dependency) in &edges {
            prop_assert!(!reaches(&edges, dependency, dependant), "{dependant} and {dependency} wait for each other");
        }
        for edge in &plan.broken {
            let (dependant, dependency) = (edge.dependant.as_str(), edge.dependency.as_str());
            prop_assert!(reaches(&edges, dependency, dependant), "{edge:?} could be laid");
        }
        let again = super::super::plan::plan(&batch, &queued, |_| None);
        prop_assert_eq!(plan, again);
    }
}
