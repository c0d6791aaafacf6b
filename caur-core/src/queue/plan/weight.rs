//! What hangs on a job: the longest chain behind it, and how cheaply it lets other jobs go on.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::mem;

/// An acyclic graph of jobs.
pub(super) struct Graph {
    dependencies: Vec<Vec<usize>>,
    /// All nodes, every dependant before its dependencies.
    order: Vec<usize>,
}

/// Expected seconds of some jobs together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) seconds: u64,
    pub(super) jobs: u64,
}

impl Graph {
    /// Of edges (dependant, dependency) between nodes below `nodes`.
    pub(super) fn new(nodes: usize, edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut dependencies = vec![Vec::new(); nodes];
        let mut dependants = vec![0_usize; nodes];
        for (dependant, dependency) in edges {
            dependencies[dependant].push(dependency);
            dependants[dependency] += 1;
        }
        let mut order: Vec<usize> = (0..nodes).filter(|&node| dependants[node] == 0).collect();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for &dependency in &dependencies[node] {
                dependants[dependency] -= 1;
                if dependants[dependency] == 0 {
                    order.push(dependency);
                }
            }
        }
        Self { dependencies, order }
    }

    /// Expected seconds of the longest chain that starts with each node, its own build included.
    pub(super) fn chains(&self, expected: &[u64]) -> Vec<u64> {
        let mut chain = expected.to_vec();
        for &node in &self.order {
            for &dependency in &self.dependencies[node] {
                chain[dependency] = chain[dependency].max(expected[dependency] + chain[node]);
            }
        }
        chain
    }

    /// What each node costs when it is taken together with those behind it that make it cheapest per job.
    ///
    /// Building in the order of this quotient gives the least sum of completion times where every job waits for at
    /// most one other (Horn, Single-machine job sequencing with treelike precedence ordering and linear delay
    /// penalties, 1972). Here a job counts for that dependency only which is likely to be done last.
    pub(super) fn costs(&self, expected: &[u64]) -> Vec<Cost> {
        let nodes = expected.len();
        let mut done = expected.to_vec();
        let mut last: Vec<Option<usize>> = vec![None; nodes];
        for &node in self.order.iter().rev() {
            last[node] = self.dependencies[node]
                .iter()
                .copied()
                .max_by_key(|&dependency| (done[dependency], dependency));
            done[node] += last[node].map_or(0, |dependency| done[dependency]);
        }

        let mut costs: Vec<Cost> = expected
            .iter()
            .map(|&seconds| Cost { seconds, jobs: 1 })
            .collect();
        let mut behind: Vec<BinaryHeap<Cost>> = vec![BinaryHeap::new(); nodes];
        for &node in &self.order {
            let mut heap = mem::take(&mut behind[node]);
            let mut cost = costs[node];
            while let Some(&next) = heap.peek().filter(|&next| *next > cost) {
                heap.pop();
                cost.seconds += next.seconds;
                cost.jobs += next.jobs;
            }
            costs[node] = cost;
            heap.push(cost);
            if let Some(dependency) = last[node] {
                let other = &mut behind[dependency];
                if other.len() < heap.len() {
                    mem::swap(other, &mut heap);
                }
                other.extend(heap);
            }
        }
        costs
    }
}

/// The cheapest per job is the greatest, so that a heap gives it first.
impl Ord for Cost {
    fn cmp(&self, other: &Self) -> Ordering {
        let mine = u128::from(self.seconds) * u128::from(other.jobs);
        let theirs = u128::from(other.seconds) * u128::from(self.jobs);
        theirs.cmp(&mine)
    }
}

impl PartialEq for Cost {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cost {}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
