//! The farm in virtual time.

use proptest::prelude::*;

use super::super::policy::{NORMAL_SPEED, OVERTAKEN_MAX, SLACK, delay};
use super::super::simulate::{OnlineBuilder, Rule, Span, Standing, UnfinishedJob, forecast, simulate};
use crate::model::{BuildClass, BuilderName, JobId};

const NOW: u64 = 1_700_000_000_000;

fn builder(name: &str, class: Option<u32>) -> OnlineBuilder {
    OnlineBuilder {
        name: BuilderName::new(name).unwrap(),
        class,
        slots: 1,
        speed: NORMAL_SPEED,
    }
}

fn job(id: u64, class: &str, expected: u64, waits_for: &[u64]) -> UnfinishedJob {
    UnfinishedJob {
        id: JobId(id),
        class: class.parse().unwrap(),
        priority: 0,
        expected,
        chain: expected,
        delay: delay(expected, 1),
        waits_for: waits_for.iter().map(|&id| JobId(id)).collect(),
        standing: Standing::Queued { since: NOW },
    }
}

/// Start and end in seconds from now.
fn seconds(jobs: &[UnfinishedJob], builders: &[OnlineBuilder], id: u64) -> Option<(u64, u64)> {
    let span = forecast(jobs, builders, NOW).get(&JobId(id)).copied()?;
    Some(((span.start.max(NOW) - NOW) / 1000, (span.end - NOW) / 1000))
}

#[test]
fn jobs_wait_for_dependencies_builders_and_pauses() {
    let mut jobs = vec![
        job(1, "1", 100, &[]),
        job(2, "1", 50, &[1, 99]),
        job(3, "2", 10, &[]),
        job(4, "big", 20, &[]),
        job(5, "other", 20, &[]),
        job(6, "1", 20, &[5]),
        job(7, "1", 30, &[]),
        job(8, "1", 30, &[7]),
        job(9, "1", 40, &[]),
        job(10, "1", 5, &[9]),
        job(11, "1", 5, &[12]),
        job(12, "1", 5, &[]),
    ];
    jobs[6].standing = Standing::Stuck;
    jobs[8].standing = Standing::Backoff { until: NOW + 500_000 };
    jobs[11].standing = Standing::Built;
    let builders = [builder("small", Some(1)), builder("big", None)];
    let cases = [
        (1, Some((0, 100)), "the urgent one first"),
        (11, Some((150, 155)), "what it waits for is built"),
        (
            2,
            Some((100, 150)),
            "after what it waits for; an unknown job is done",
        ),
        (3, None, "nobody of class 2"),
        (4, Some((0, 20)), "its builder is free"),
        (5, None, "its builder is away"),
        (6, None, "behind one that nobody takes"),
        (7, None, "held"),
        (8, None, "behind a held one"),
        (9, Some((500, 540)), "after the pause"),
        (10, Some((540, 545)), "behind a pause"),
        (12, Some((0, 0)), "built"),
    ];
    for (id, expected, why) in cases {
        assert_eq!(seconds(&jobs, &builders, id), expected, "{id}: {why}");
    }
}

#[test]
fn running_jobs_hold_their_slot_and_speeds_count() {
    let mut running = job(1, "1", 300, &[]);
    let builder_name = BuilderName::new("fast").unwrap();
    running.standing = Standing::Building {
        builder: builder_name.clone(),
        started: NOW - 100_000,
    };
    let mut late = job(2, "1", 60, &[]);
    late.standing = Standing::Building {
        builder: BuilderName::new("gone").unwrap(),
        started: NOW - 100_000,
    };
    let jobs = [running, late, job(3, "1", 30, &[]), job(4, "1", 10, &[2])];
    let mut fast = builder("fast", Some(1));
    fast.speed = 2 * NORMAL_SPEED;
    assert_eq!(seconds(&jobs, std::slice::from_ref(&fast), 1), Some((0, 50)));
    assert_eq!(
        seconds(&jobs, std::slice::from_ref(&fast), 2),
        Some((0, 0)),
        "any moment now"
    );
    assert_eq!(seconds(&jobs, std::slice::from_ref(&fast), 4), Some((65, 70)));
    assert_eq!(seconds(&jobs, std::slice::from_ref(&fast), 3), Some((50, 65)));
    fast.slots = 2;
    assert_eq!(seconds(&jobs, &[fast], 3), Some((0, 15)));
}

#[test]
fn a_long_job_starts_in_spite_of_endless_short_ones() {
    // A slot that is busy for ever: a job of 100 s becomes ready every 100 s, for ten days.
    let mut jobs: Vec<UnfinishedJob> = (0..8640)
        .map(|index| {
            let mut short = job(100 + index, "1", 100, &[]);
            short.standing = Standing::Backoff {
                until: NOW + index * 100_000,
            };
            short
        })
        .collect();
    let mut long = job(1, "1", 20_000, &[]);
    long.standing = Standing::Backoff { until: NOW + 1000 };
    jobs.push(long);
    let spans = forecast(&jobs, &[builder("only", Some(1))], NOW);
    let waited = (spans[&JobId(1)].start - NOW) / 1000;
    assert!(waited > 3600, "it is overtaken by many: {waited} s");
    assert!(waited <= OVERTAKEN_MAX + 100, "but not for ever: {waited} s");
}

/// Jobs of classes 1 to 3 that become ready within ten days.
fn any_jobs() -> impl Strategy<Value = Vec<UnfinishedJob>> {
    let any = (1..40_000_u64, 1..4_u32, 0..100_000_u64, 0..240_u64);
    prop::collection::vec(any, 1..120).prop_map(|jobs| {
        (1..)
            .zip(jobs)
            .map(|(id, (expected, class, behind, hour))| UnfinishedJob {
                class: BuildClass::Number(class),
                chain: expected + behind,
                standing: Standing::Backoff {
                    until: NOW + hour * 3_600_000,
                },
                ..job(id, "1", expected, &[])
            })
            .collect()
    })
}

fn number(job: &UnfinishedJob) -> u32 {
    match job.class {
        BuildClass::Number(number) => number,
        BuildClass::Builder(_) => 0,
    }
}

fn ready_at(job: &UnfinishedJob) -> u64 {
    match job.standing {
        Standing::Backoff { until } => until,
        ref other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_job_is_overtaken_by_one_that_became_ready_much_later(
        jobs in any_jobs(),
        classes in prop::collection::vec(1..4_u32, 1..4),
        speeds in prop::collection::vec(1..5_u64, 3),
    ) {
        let builders: Vec<OnlineBuilder> = classes
            .iter()
            .zip(&speeds)
            .enumerate()
            .map(|(index, (&class, &speed))| OnlineBuilder {
                speed: speed * NORMAL_SPEED / 2,
                ..builder(&format!("b{index}"), Some(class))
            })
            .collect();
        let spans = simulate(&jobs, &builders, NOW, Rule::Farm, |index| jobs[index].expected * 1000);
        let limit = OVERTAKEN_MAX + format!("{SLACK:.0}").parse::<u64>().unwrap();
        for (waiting, job) in spans.iter().zip(&jobs) {
            for (overtaking, other) in spans.iter().zip(&jobs) {
                let (Some(waiting), Some(overtaking)) = (waiting, overtaking) else { continue };
                // Whoever may take a job of a class may take those of all lower ones.
                if number(other) >= number(job) && overtaking.start < waiting.start {
                    prop_assert!(ready_at(other) <= ready_at(job) + limit * 1000 + 1000, "{other:?} overtook {job:?}");
                }
            }
        }
    }

    #[test]
    fn a_slot_builds_one_job_at_a_time_and_dependencies_come_first(
        jobs in any_jobs(),
        edges in prop::collection::vec((0..120_usize, 0..120_usize), 0..60),
        slots in 1..4_u32,
    ) {
        let mut jobs = jobs;
        for (a, b) in edges {
            if a < b && b < jobs.len() {
                let id = jobs[a].id;
                jobs[b].waits_for.push(id);
            }
        }
        let builders = [OnlineBuilder { slots, ..builder("only", Some(3)) }];
        let forecast = forecast(&jobs, &builders, NOW);
        let spans = simulate(&jobs, &builders, NOW, Rule::Farm, |index| jobs[index].expected * 1000);
        for (job, span) in jobs.iter().zip(&spans) {
            let span: Span = span.unwrap();
            prop_assert_eq!(forecast[&job.id], span, "actual is expected");
            prop_assert_eq!(span.end - span.start, job.expected * 1000);
            prop_assert!(span.start >= ready_at(job));
            for id in &job.waits_for {
                prop_assert!(forecast[id].end <= span.start);
            }
            let others = spans.iter().flatten();
            let running = others.filter(|other| other.start <= span.start && span.start < other.end).count();
            prop_assert!(running <= usize::try_from(slots).unwrap());
        }
    }
}
