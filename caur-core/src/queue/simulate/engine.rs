//! Virtual time: a heap of what happens next, and ready jobs in the same sorted sets as in Redis.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::super::policy::{self, Candidate, Group, NORMAL_SPEED, Order, View};
use super::{OnlineBuilder, Rule, Span, Standing, UnfinishedJob};
use crate::model::{BuildClass, BuilderName, JobId};

/// A ready job's place in one order of its group.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place(f64, JobId, usize);

impl Eq for Place {}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .total_cmp(&other.0)
            .then_with(|| (self.1, self.2).cmp(&(other.1, other.2)))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Default)]
struct ReadySets {
    chain: BTreeSet<Place>,
    short: BTreeSet<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// The job of this index ends; the builder of the other one, if it is online, is free then.
    Ends(usize, Option<usize>),
    /// The job of this index has waited long enough.
    Returns(usize),
}

pub(super) struct Farm<'a> {
    jobs: &'a [UnfinishedJob],
    builders: &'a [OnlineBuilder],
    rule: Rule,
    now: u64,
    /// One for every class number, ascending, then one for every builder name.
    groups: Vec<Group>,
    ready: Vec<ReadySets>,
    classes: usize,
    group_of: Vec<usize>,
    own_group: Vec<usize>,
    free: Vec<i64>,
    unmet: Vec<usize>,
    dependants: Vec<Vec<usize>>,
    candidates: Vec<Candidate>,
    coming: BinaryHeap<Reverse<(u64, Happening)>>,
    /// Groups with new jobs since builders claimed last.
    woken: BTreeSet<usize>,
    /// Builders that have new room, or left something to a faster one.
    asking: BTreeSet<usize>,
    spans: Vec<Option<Span>>,
}

impl<'a> Farm<'a> {
    pub(super) fn new(
        jobs: &'a [UnfinishedJob],
        builders: &'a [OnlineBuilder],
        rule: Rule,
        now: u64,
    ) -> Self {
        let unbuilt = jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| job.standing != Standing::Built);
        let by_id: HashMap<JobId, usize> = unbuilt.map(|(index, job)| (job.id, index)).collect();
        let mut dependants = vec![Vec::new(); jobs.len()];
        let mut unmet = vec![0; jobs.len()];
        for (index, job) in jobs.iter().enumerate() {
            for dependency in job.waits_for.iter().filter_map(|id| by_id.get(id)) {
                dependants[*dependency].push(index);
                unmet[index] += 1;
            }
        }
        let mut farm = Self {
            jobs,
            builders,
            rule,
            now,
            groups: Vec::new(),
            ready: Vec::new(),
            classes: 0,
            group_of: Vec::with_capacity(jobs.len()),
            own_group: Vec::with_capacity(builders.len()),
            free: builders.iter().map(|builder| i64::from(builder.slots)).collect(),
            unmet,
            dependants,
            candidates: Vec::with_capacity(jobs.len()),
            coming: BinaryHeap::new(),
            woken: BTreeSet::new(),
            asking: (0..builders.len()).collect(),
            spans: vec![None; jobs.len()],
        };
        farm.group();
        let ranks = match rule {
            Rule::FirstCome => farm.topological_ranks(),
            Rule::Farm | Rule::LongestChain => Vec::new(),
        };
        for (index, job) in jobs.iter().enumerate() {
            farm.candidates.push(Candidate {
                id: job.id,
                chain_key: policy::chain_key(job.priority, job.chain),
                short_key: ranks.get(index).copied().unwrap_or(0.0),
                expected: job.expected,
            });
        }
        farm
    }

    pub(super) fn into_spans(self) -> Vec<Option<Span>> {
        self.spans
    }

    /// Sorts jobs and builders into groups.
    fn group(&mut self) {
        let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
        for job in self.jobs {
            match &job.class {
                BuildClass::Number(class) => {
                    numbers.insert(*class);
                }
                BuildClass::Builder(name) => {
                    names.insert(name);
                }
            }
        }
        for builder in self.builders {
            numbers.extend(builder.class);
            names.insert(&builder.name);
        }
        let numbers: HashMap<u32, usize> = numbers.into_iter().zip(0..).collect();
        let names: HashMap<&BuilderName, usize> = names.into_iter().zip(numbers.len()..).collect();
        let empty = Group {
            class: 0,
            work: 0,
            capacity: 0,
            fastest: 0,
            by_chain: None,
            by_short: None,
        };
        self.classes = numbers.len();
        self.groups = vec![empty; numbers.len() + names.len()];
        self.ready.resize_with(self.groups.len(), ReadySets::default);
        for (&class, &group) in &numbers {
            self.groups[group].class = class;
        }
        for builder in self.builders {
            let own = names[&builder.name];
            self.own_group.push(own);
            for group in builder.class.iter().map(|class| numbers[class]).chain([own]) {
                self.groups[group].capacity += u64::from(builder.slots) * builder.speed;
                if builder.slots > 0 {
                    self.groups[group].fastest = self.groups[group].fastest.max(builder.speed);
                }
            }
        }
        for job in self.jobs {
            let group = match &job.class {
                BuildClass::Number(class) => numbers[class],
                BuildClass::Builder(name) => names[name],
            };
            self.group_of.push(group);
            match job.standing {
                Standing::Queued { .. } | Standing::Backoff { .. } | Standing::Building { .. } => {
                    self.groups[group].work += job.expected;
                }
                Standing::Built | Standing::Stuck => {}
            }
        }
    }

    fn topological_ranks(&self) -> Vec<f64> {
        let mut unmet = self.unmet.clone();
        let mut ranks = vec![f64::MAX; self.jobs.len()];
        let mut open: BinaryHeap<Reverse<usize>> = (0..self.jobs.len())
            .filter(|&index| unmet[index] == 0)
            .map(Reverse)
            .collect();
        let mut next: u32 = 0;
        while let Some(Reverse(index)) = open.pop() {
            ranks[index] = f64::from(next);
            next += 1;
            for &dependant in &self.dependants[index] {
                unmet[dependant] -= 1;
                if unmet[dependant] == 0 {
                    open.push(Reverse(dependant));
                }
            }
        }
        ranks
    }

    pub(super) fn begin(&mut self, actual: &impl Fn(usize) -> u64) {
        for index in 0..self.jobs.len() {
            match &self.jobs[index].standing {
                Standing::Queued { since } => self.make_ready(index, *since),
                Standing::Backoff { until } => {
                    // The pause is one more thing to wait for.
                    self.unmet[index] += 1;
                    self.coming
                        .push(Reverse((self.now.max(*until), Happening::Returns(index))));
                }
                Standing::Building { builder, started } => {
                    let holder = self.builders.iter().position(|online| online.name == *builder);
                    let speed = holder.map_or(NORMAL_SPEED, |holder| self.builders[holder].speed);
                    let end = self
                        .now
                        .max(started + actual(index) * NORMAL_SPEED / speed.max(1));
                    if let Some(holder) = holder {
                        self.free[holder] -= 1;
                    }
                    self.spans[index] = Some(Span { start: *started, end });
                    self.coming.push(Reverse((end, Happening::Ends(index, holder))));
                }
                Standing::Built => {
                    let (start, end) = (self.now, self.now);
                    self.spans[index] = Some(Span { start, end });
                }
                Standing::Stuck => self.unmet[index] += 1,
            }
        }
    }

    /// Enters a job into its group if it waits for nothing; `since` counts for those that were ready already.
    fn make_ready(&mut self, index: usize, since: u64) {
        if self.unmet[index] > 0 {
            return;
        }
        let job = &self.jobs[index];
        let candidate = &mut self.candidates[index];
        if self.rule != Rule::FirstCome {
            candidate.short_key = policy::short_key(job.priority, since, job.delay);
        }
        let group = self.group_of[index];
        let sets = &mut self.ready[group];
        sets.chain.insert(Place(candidate.chain_key, job.id, index));
        sets.short.insert(Place(candidate.short_key, job.id, index));
        self.refresh(group);
        self.woken.insert(group);
    }

    fn refresh(&mut self, group: usize) {
        let first = |set: &BTreeSet<Place>| set.first().map(|place| self.candidates[place.2]);
        self.groups[group].by_chain = first(&self.ready[group].chain);
        self.groups[group].by_short = first(&self.ready[group].short);
    }

    /// Every idle builder that may find something new claims until it takes nothing.
    pub(super) fn claim(&mut self, actual: &impl Fn(usize) -> u64) {
        let mut asking = BTreeSet::new();
        for builder in 0..self.builders.len() {
            if !self.asking.contains(&builder) && !self.woken.iter().any(|&group| self.takes(builder, group))
            {
                continue;
            }
            while self.free[builder] > 0
                && let Some(index) = self.choose(builder)
            {
                self.start(index, builder, actual(index));
            }
            if self.free[builder] > 0 && self.view(builder).first(0, Order::Short).is_some() {
                asking.insert(builder);
            }
        }
        self.woken.clear();
        self.asking = asking;
    }

    fn view(&self, builder: usize) -> View<'_> {
        View {
            class: self.builders[builder].class,
            speed: self.builders[builder].speed,
            classes: &self.groups[..self.classes],
            own: &self.groups[self.own_group[builder]],
        }
    }

    fn takes(&self, builder: usize, group: usize) -> bool {
        let class = self.builders[builder].class;
        if group < self.classes {
            class.is_some_and(|class| self.groups[group].class <= class)
        } else {
            group == self.own_group[builder]
        }
    }

    fn choose(&self, builder: usize) -> Option<usize> {
        let view = self.view(builder);
        let first = |order| view.first(0, order).map(|(_, candidate)| candidate.id);
        let id = match self.rule {
            Rule::Farm => policy::choose(&view),
            Rule::FirstCome => first(Order::Short),
            Rule::LongestChain => first(Order::Chain),
        }?;
        let groups = (0..self.classes).chain([self.own_group[builder]]);
        groups
            .flat_map(|group| {
                let sets = &self.ready[group];
                [sets.chain.first(), sets.short.first()]
            })
            .flatten()
            .find(|place| place.1 == id)
            .map(|place| place.2)
    }

    fn start(&mut self, index: usize, builder: usize, actual: u64) {
        let group = self.group_of[index];
        let candidate = self.candidates[index];
        self.ready[group]
            .chain
            .remove(&Place(candidate.chain_key, candidate.id, index));
        self.ready[group]
            .short
            .remove(&Place(candidate.short_key, candidate.id, index));
        self.refresh(group);
        self.free[builder] -= 1;
        let end = self.now + actual * NORMAL_SPEED / self.builders[builder].speed.max(1);
        self.spans[index] = Some(Span { start: self.now, end });
        self.coming
            .push(Reverse((end, Happening::Ends(index, Some(builder)))));
    }

    /// Goes on to the next time at which something happens; false when nothing does.
    pub(super) fn advance(&mut self) -> bool {
        let Some(&Reverse((time, _))) = self.coming.peek() else {
            return false;
        };
        self.now = time;
        while let Some(&Reverse((at, happening))) = self.coming.peek()
            && at == time
        {
            self.coming.pop();
            match happening {
                Happening::Ends(index, holder) => self.end(index, holder),
                Happening::Returns(index) => {
                    self.unmet[index] -= 1;
                    self.make_ready(index, time);
                }
            }
        }
        true
    }

    fn end(&mut self, index: usize, holder: Option<usize>) {
        self.groups[self.group_of[index]].work -= self.jobs[index].expected;
        if let Some(holder) = holder {
            self.free[holder] += 1;
            self.asking.insert(holder);
        }
        for position in 0..self.dependants[index].len() {
            let dependant = self.dependants[index][position];
            self.unmet[dependant] -= 1;
            self.make_ready(dependant, self.now);
        }
    }
}
