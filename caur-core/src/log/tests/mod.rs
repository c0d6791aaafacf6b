//! Logs over a real Redis.

mod pages;
mod resuming;
mod writing;

use std::time::Duration;

use super::*;
use crate::model::LeaseToken;
use crate::testing::{RedisOptions, RedisServer};

const LIMIT: Duration = Duration::from_secs(20);

fn token() -> LeaseToken {
    LeaseToken {
        job: JobId(7),
        attempt: 1,
        nonce: "n".into(),
    }
}

async fn execute(server: &RedisServer, command: &redis::Cmd) {
    server
        .link()
        .run(|mut connection| async move { command.exec_async(&mut connection).await })
        .await
        .unwrap();
}

async fn lease(server: &RedisServer, nonce: &str) {
    let mut command = redis::cmd("HSET");
    command
        .arg("{caur}:q:j:7")
        .arg("attempt")
        .arg(1)
        .arg("nonce")
        .arg(nonce);
    execute(server, &command).await;
}

async fn end(server: &RedisServer) {
    let mut command = redis::cmd("XADD");
    command
        .arg(key(JobId(7), 1))
        .arg("*")
        .arg("end")
        .arg("failed")
        .arg("reason")
        .arg("exit status 4");
    execute(server, &command).await;
}

fn limits(head: u64, tail: u64) -> LogLimits {
    LogLimits {
        head,
        tail,
        retention: Duration::from_hours(1),
    }
}

async fn read_all(reader: &mut LogReader) -> Vec<LogChunk> {
    let mut chunks = Vec::new();
    while !reader.ended() {
        chunks.extend(reader.next(LIMIT).await.unwrap());
    }
    chunks
}

fn text(chunks: &[LogChunk]) -> Vec<u8> {
    let bytes = chunks.iter().filter_map(|chunk| match chunk {
        LogChunk::Data { bytes, .. } => Some(bytes.as_slice()),
        LogChunk::Cut(_) | LogChunk::End { .. } => None,
    });
    bytes.collect::<Vec<_>>().concat()
}
