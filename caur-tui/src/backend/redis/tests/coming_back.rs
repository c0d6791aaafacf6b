//! What changes faster than it is looked at.

use super::*;

#[tokio::test]
async fn a_log_that_is_left_and_opened_again_begins_again() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let id = queue.submit(vec![request("a")], TESTER).await.unwrap().jobs[0].id;
    let claim = claim(&queue).await;
    LogWriter::append(queue.link(), &claim.token, "text\n", LIMIT)
        .await
        .unwrap();
    let mut console = console(server.link());
    for opened in 1..4 {
        // Both changes come before the backend looks.
        console.interest.send_modify(|interest| interest.log = None);
        console.interest.send_modify(|interest| {
            interest.log = Some((id, None));
            interest.log_opened = opened;
        });
        let begun = |report| match report {
            BackendMsg::Log(_, LogEvent::Begin { .. }) => Some(()),
            _ => None,
        };
        until(&mut console.reports, begun).await;
        assert_eq!(until(&mut console.reports, log_text).await, "text\n");
    }
}

#[tokio::test]
async fn what_is_built_again_is_no_history() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let batch = ["a", "b"].map(request).to_vec();
    let jobs = queue.submit(batch, TESTER).await.unwrap().jobs;
    for job in &jobs {
        queue.cancel(job.id, TESTER).await.unwrap();
    }
    let mut console = console(server.link());
    console.interest.send_modify(|interest| interest.history = 10);
    let history = |count: usize| {
        move |report| match report {
            BackendMsg::History(jobs, _) if jobs.len() == count => Some(jobs),
            _ => None,
        }
    };
    until(&mut console.reports, history(2)).await;
    queue.retry(jobs[0].id, false, TESTER).await.unwrap();
    let left = until(&mut console.reports, history(1)).await;
    assert_eq!(left[0].id, jobs[1].id);
}

#[tokio::test]
async fn repositories_are_known_from_a_queue_that_comes_in_parts() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let batch: Vec<JobRequest> = (0..400).map(|number| request(&format!("p{number}"))).collect();
    queue.submit(batch, TESTER).await.unwrap();
    let mut console = console(server.link());
    let targets = until(&mut console.reports, |report| match report {
        BackendMsg::Farm(farm) => Some(farm.targets),
        _ => None,
    })
    .await;
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].to_string(), "repo/x86_64");
}

#[tokio::test]
async fn a_log_that_cannot_be_read_says_why_and_asks_seldom() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let id = queue.submit(vec![request("a")], TESTER).await.unwrap().jobs[0].id;
    claim(&queue).await;
    let mut command = redis::cmd("SET");
    command.arg(format!("{{caur}}:build:log:{id}.1")).arg("no stream");
    queue
        .link()
        .run(|mut connection| async move { command.exec_async(&mut connection).await })
        .await
        .unwrap();
    let mut console = console(server.link());
    console
        .interest
        .send_modify(|interest| interest.log = Some((id, None)));
    let problem = until(&mut console.reports, |report| match report {
        BackendMsg::Log(_, LogEvent::Failed(problem)) => Some(problem),
        _ => None,
    })
    .await;
    assert!(problem.contains("cannot read the log of job"), "{problem}");
}
