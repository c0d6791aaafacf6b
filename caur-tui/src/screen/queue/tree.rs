//! What a job waits for and what waits for it, as a tree of lines.

use std::collections::{HashMap, HashSet};

use caur_core::model::{Job, JobId};

use super::QueueScreen;

/// Lines that each half of a tree has at most; a queue of thousands of jobs is no reading matter.
const MOST: usize = 500;

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// How deep it stands: 0 for the job itself, less for what it waits for, more for what waits for it.
    pub depth: i32,
    /// The job.
    pub job: JobId,
    /// Whether its own branches stand elsewhere already.
    pub repeated: bool,
}

/// The tree of a job: first what it waits for, the farthest first; then itself; then what waits for it.
pub fn tree(queue: &QueueScreen, id: JobId) -> Vec<TreeLine> {
    let mut lines = Vec::new();
    let waits_for = |job: JobId| queue.job(job).map_or(&[][..], |job: &Job| &job.waits_for);
    walk(&mut lines, &mut HashSet::from([id]), id, -1, MOST, &|job| {
        waits_for(job).to_vec()
    });
    lines.reverse();
    lines.push(TreeLine {
        depth: 0,
        job: id,
        repeated: false,
    });
    let mut dependants: HashMap<JobId, Vec<JobId>> = HashMap::new();
    for row in queue.table.rows() {
        for dependency in &row.job.waits_for {
            dependants.entry(*dependency).or_default().push(row.job.id);
        }
    }
    let most = lines.len() + MOST;
    walk(&mut lines, &mut HashSet::from([id]), id, 1, most, &|job| {
        dependants.get(&job).cloned().unwrap_or_default()
    });
    lines
}

fn walk(
    lines: &mut Vec<TreeLine>,
    seen: &mut HashSet<JobId>,
    of: JobId,
    depth: i32,
    most: usize,
    next: &impl Fn(JobId) -> Vec<JobId>,
) {
    for job in next(of) {
        if lines.len() >= most {
            return;
        }
        let repeated = !seen.insert(job);
        lines.push(TreeLine { depth, job, repeated });
        if !repeated {
            walk(lines, seen, job, depth + depth.signum(), most, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use caur_core::model::JobState;

    use super::*;
    use crate::testing::job;

    #[test]
    fn a_job_stands_between_what_it_needs_and_what_needs_it() {
        let mut queue = QueueScreen::default();
        let edges: [(u64, &[u64]); 5] = [(1, &[]), (2, &[1]), (3, &[1, 2]), (4, &[3]), (5, &[3, 4])];
        let jobs = edges.map(|(id, needs)| {
            let mut job = job(id, &format!("p{id}"), JobState::Waiting);
            job.waits_for = needs.iter().map(|id| JobId(*id)).collect();
            job
        });
        queue.replace(jobs.to_vec(), false);
        let lines: Vec<(i32, u64, bool)> = tree(&queue, JobId(3))
            .into_iter()
            .map(|line| (line.depth, line.job.0, line.repeated))
            .collect();
        assert_eq!(
            lines,
            [
                (-2, 1, true),
                (-1, 2, false),
                (-1, 1, false),
                (0, 3, false),
                (1, 4, false),
                (2, 5, false),
                (1, 5, true)
            ]
        );
    }
}
