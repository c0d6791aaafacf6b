//! A Redis user who may only read: the console shows everything and knows that it may change nothing.

use caur_core::link::{Direct, RedisAuth};
use secrecy::SecretString;

use super::*;

/// The line for a viewer in `docs/OPERATIONS.md`, without name and password.
fn documented() -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("user viewer on >PASSWORD "))
        .expect("the line is documented");
    line.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_viewer_sees_jobs_and_logs_and_may_change_nothing() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let id = queue.submit(vec![request("a")], TESTER).await.unwrap().jobs[0].id;
    let claim = claim(&queue).await;
    LogWriter::append(queue.link(), &claim.token, "seen\n", LIMIT)
        .await
        .unwrap();
    let mut command = redis::cmd("ACL");
    command
        .arg("SETUSER")
        .arg("viewer")
        .arg("on")
        .arg(">secret")
        .arg(documented());
    queue
        .link()
        .run(|mut connection| async move { command.exec_async(&mut connection).await })
        .await
        .unwrap();
    let mut console = console(RedisLink::new(Direct {
        auth: RedisAuth {
            username: Some("viewer".to_owned()),
            password: Some(SecretString::from("secret")),
            ..RedisAuth::default()
        },
        ..server.direct()
    }));
    console
        .interest
        .send_modify(|interest| interest.log = Some((id, None)));
    let (mut access, mut job, mut text) = (None, None, None);
    while access.is_none() || job.is_none() || text.is_none() {
        match tokio::time::timeout(LIMIT, console.reports.recv())
            .await
            .unwrap()
            .unwrap()
        {
            BackendMsg::Access { may_operate, .. } => access = Some(may_operate),
            BackendMsg::Jobs(snapshot) => job = snapshot.jobs.into_iter().next(),
            report => text = text.or(log_text(report)),
        }
    }
    assert_eq!(access, Some(false));
    assert_eq!(job.unwrap().id, id);
    assert_eq!(text.as_deref(), Some("seen\n"));
    console.ask.send(operation(1, Act::Cancel(id))).unwrap();
    let refused = until(&mut console.reports, operated(1)).await;
    assert!(matches!(&refused, OperationNews::Never(_)), "{refused:?}");
    assert_eq!(queue.job(id).await.unwrap().unwrap().canceling, None);
}
