//! The claim script takes the job that `policy::choose` names, whatever the queue and the builders are like.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::explain::group;
use super::super::policy::{Candidate, Group, NORMAL_SPEED, View, choose};
use super::*;

#[derive(Debug, Clone)]
struct Work {
    /// 1 to 3, or a builder's number from 10.
    class: u32,
    expected: u64,
    /// How many later ones wait for it, at most.
    behind: Vec<u8>,
    priority: i32,
    /// Seconds since it became ready.
    age: u64,
}

#[derive(Debug, Clone)]
struct Hardware {
    class: Option<u32>,
    slots: u32,
    speed: u64,
}

fn work() -> impl Strategy<Value = Work> {
    (
        prop_oneof![4 => 1..4_u32, 1 => 10..13_u32],
        prop_oneof![3 => 1..500_u64, 1 => 500..20_000_u64],
        proptest::collection::vec(0..12_u8, 0..3),
        prop_oneof![6 => Just(0), 1 => -2..3_i32],
        prop_oneof![4 => Just(0), 1 => 0..400_000_u64],
    )
        .prop_map(|(class, expected, behind, priority, age)| Work {
            class,
            expected,
            behind,
            priority,
            age,
        })
}

fn machine() -> impl Strategy<Value = Hardware> {
    (
        prop_oneof![1 => Just(None), 6 => (1..4_u32).prop_map(Some)],
        1..4_u32,
        prop_oneof![2 => Just(NORMAL_SPEED), 1 => 500..2000_u64],
    )
        .prop_map(|(class, slots, speed)| Hardware { class, slots, speed })
}

fn class_of(number: u32) -> BuildClass {
    match number {
        ..10 => BuildClass::Number(number),
        _ => format!("b{}", number - 10).parse().unwrap(),
    }
}

struct Scene<'a> {
    farm: &'a Fixture,
}

impl Scene<'_> {
    async fn command<T: redis::FromRedisValue>(&self, words: &[&dyn ToString]) -> T {
        let mut command = redis::cmd(&words[0].to_string());
        for word in &words[1..] {
            command.arg(word.to_string());
        }
        self.farm.queue.query("test", &command).await.unwrap()
    }

    async fn set_up(&self, works: &[Work], machines: &[Hardware]) {
        self.command::<()>(&[&"FLUSHALL"]).await;
        self.command::<()>(&[&"SET", &keys::SCHEMA, &2]).await;
        for (number, machine) in machines.iter().enumerate() {
            let name = format!("b{number}");
            self.command::<()>(&[&"HSET", &keys::SPEEDS, &name, &machine.speed])
                .await;
            let report = BuilderReport {
                slots: machine.slots,
                ..report(&name, &name, machine.class)
            };
            self.farm.queue.report_status(&report).await.unwrap();
        }
        for (number, work) in works.iter().enumerate() {
            let key = format!("repo/x86_64/p{number}");
            self.command::<()>(&[&"HSET", &keys::DURATIONS, &key, &work.expected])
                .await;
        }
        let batch = works.iter().enumerate().map(|(number, work)| {
            let needs: Vec<String> = works[..number]
                .iter()
                .enumerate()
                .filter(|(_, other)| other.behind.iter().any(|&offset| usize::from(offset) == number))
                .map(|(other, _)| format!("p{other}"))
                .collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            JobRequest {
                class: class_of(work.class),
                ..request(&format!("p{number}"), &needs)
            }
        });
        let ids = self.farm.submit(batch.collect()).await;
        for (id, work) in ids.iter().zip(works) {
            let job = self.farm.job(*id).await;
            if work.age > 0 && job.state == JobState::Ready {
                let then = job.ready_at.unwrap() - work.age * 1000;
                self.command::<()>(&[&"HSET", &keys::job(*id), &"ready_at", &then])
                    .await;
            }
            // Puts it in its place anew.
            self.farm
                .queue
                .set_priority(*id, work.priority, TESTER)
                .await
                .unwrap();
        }
    }

    async fn candidate(&self, group: &str, order: &str) -> Option<Candidate> {
        let found: Vec<(u64, f64)> = self
            .command(&[&"ZRANGE", &keys::ready(group, order), &0, &0, &"WITHSCORES"])
            .await;
        let (id, _) = *found.first()?;
        let key =
            async |order: &str| -> f64 { self.command(&[&"ZSCORE", &keys::ready(group, order), &id]).await };
        Some(Candidate {
            id: JobId(id),
            chain_key: key("chain").await,
            short_key: key("short").await,
            expected: self.farm.job(JobId(id)).await.expected,
        })
    }

    async fn group(&self, class: u32, name: &str, capacity: u64, fastest: u64) -> Group {
        let work: Option<u64> = self.command(&[&"HGET", &keys::WORK, &name]).await;
        Group {
            class,
            work: work.unwrap_or(0),
            capacity,
            fastest,
            by_chain: self.candidate(name, "chain").await,
            by_short: self.candidate(name, "short").await,
        }
    }

    /// What `policy::choose` says of the queue as it stands.
    async fn expected(&self, machines: &[Hardware], number: usize) -> Option<JobId> {
        let me = &machines[number];
        let mut classes = Vec::new();
        for class in 1..4_u32 {
            let of_class = machines.iter().filter(|machine| machine.class == Some(class));
            let capacity = of_class
                .clone()
                .map(|machine| u64::from(machine.slots) * machine.speed)
                .sum();
            let fastest = of_class.map(|machine| machine.speed).max().unwrap_or(0);
            let name = group(&BuildClass::Number(class));
            let group = self.group(class, &name, capacity, fastest).await;
            if group.work > 0 || group.capacity > 0 {
                classes.push(group);
            }
        }
        let own = self
            .group(
                0,
                &format!("@b{number}"),
                u64::from(me.slots) * me.speed,
                me.speed,
            )
            .await;
        choose(&View {
            class: me.class,
            speed: me.speed,
            classes: &classes,
            own: &own,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn claims_follow_the_policy(
        scenes in proptest::collection::vec(
            (proptest::collection::vec(work(), 1..25), proptest::collection::vec(machine(), 1..4)), 60)
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let farm = Fixture::new().await;
            let scene = Scene { farm: &farm };
            let mut kinds: HashMap<bool, usize> = HashMap::new();
            for (works, machines) in scenes {
                scene.set_up(&works, &machines).await;
                for turn in 0..works.len() {
                    let number = turn % machines.len();
                    let expected = scene.expected(&machines, number).await;
                    let claimed = farm.ask(&format!("b{number}")).await.job();
                    assert_eq!(
                        claimed.as_ref().map(|claim| claim.job.id),
                        expected,
                        "builder {number} of {machines:#?} with {works:#?}"
                    );
                    *kinds.entry(expected.is_some()).or_default() += 1;
                    // Some jobs stay with their builders.
                    if let Some(claim) = claimed.filter(|_| turn % 3 > 0) {
                        farm.finish(&claim, BuildOutcome::Skipped).await;
                    }
                }
            }
            println!("claims with a job: {:?}, without: {:?}", kinds.get(&true), kinds.get(&false));
            assert!(kinds.get(&true).is_some_and(|count| *count > 300), "{kinds:?}");
        });
    }
}
