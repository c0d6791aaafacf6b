//! Logs over a real Redis.

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
        LogChunk::Data(bytes) => Some(bytes.as_slice()),
        LogChunk::Cut(_) | LogChunk::End { .. } => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_reader_that_joins_in_the_middle_sees_every_byte_once() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let writer = LogWriter::start(server.link(), token(), limits(1 << 20, 1 << 20));
    let sender = writer.sender();
    let mut expected = Vec::new();
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    let mut seen = Vec::new();
    for number in 0..200 {
        let line = format!("line {number} {}\n", "x".repeat(number * 7));
        expected.extend_from_slice(line.as_bytes());
        sender.send(line.into_bytes()).await.unwrap();
        if number % 50 == 49 {
            seen.extend(reader.next(LIMIT).await.unwrap());
        }
    }
    drop(sender);
    writer.close(LIMIT).await;
    end(&server).await;
    seen.extend(read_all(&mut reader).await);
    assert_eq!(
        String::from_utf8(text(&seen)),
        String::from_utf8(expected.clone())
    );
    assert_eq!(
        seen.last(),
        Some(&LogChunk::End {
            state: "failed".into(),
            reason: "exit status 4".into()
        })
    );
    let mut late = LogReader::new(server.link(), JobId(7), 1);
    assert_eq!(text(&read_all(&mut late).await), expected);
}

#[tokio::test]
async fn an_overlong_log_keeps_head_and_tail_and_marks_the_cut() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let writer = LogWriter::start(server.link(), token(), limits(200_000, 300_000));
    let sender = writer.sender();
    let whole: Vec<u8> = (0..200_000_u32)
        .flat_map(|number| format!("{number:09}\n").into_bytes())
        .collect();
    for piece in whole.chunks(30_000) {
        sender.send(piece.to_vec()).await.unwrap();
    }
    drop(sender);
    writer.close(LIMIT).await;
    end(&server).await;
    let chunks = read_all(&mut LogReader::new(server.link(), JobId(7), 1)).await;
    let kept = text(&chunks);
    let cuts: Vec<u64> = chunks
        .iter()
        .filter_map(|c| {
            if let LogChunk::Cut(bytes) = c {
                Some(*bytes)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(cuts.len(), 1, "one cut");
    assert_eq!(kept.len() as u64 + cuts[0], whole.len() as u64);
    assert!(kept.len() <= 500_000 + 2 * 65_536, "{}", kept.len());
    assert!(kept.starts_with(&whole[..100_000]) && kept.ends_with(&whole[whole.len() - 100_000..]));
}

#[tokio::test]
async fn a_writer_without_the_lease_writes_nothing() {
    let server = RedisServer::start();
    lease(&server, "somebody else's").await;
    let writer = LogWriter::start(server.link(), token(), limits(1 << 20, 1 << 20));
    writer.sender().send(b"stale".to_vec()).await.unwrap();
    writer.close(LIMIT).await;
    LogWriter::append(&server.link(), &token(), "stale", LIMIT)
        .await
        .unwrap();
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    assert_eq!(reader.next(Duration::ZERO).await.unwrap(), None);
}

#[tokio::test]
async fn a_log_survives_an_outage_of_redis() {
    let mut server = RedisServer::start_with(RedisOptions {
        password: None,
        tcp: false,
        durable: true,
    });
    lease(&server, "n").await;
    let writer = LogWriter::start(server.link(), token(), limits(1 << 20, 1 << 20));
    let sender = writer.sender();
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    sender.send(b"before ".to_vec()).await.unwrap();
    assert_eq!(
        reader.next(LIMIT).await.unwrap(),
        Some(LogChunk::Data(b"before ".to_vec()))
    );
    server.kill();
    sender.send(b"during ".to_vec()).await.unwrap();
    assert!(reader.next(LIMIT).await.is_err());
    server.revive();
    sender.send(b"after".to_vec()).await.unwrap();
    drop(sender);
    writer.close(LIMIT).await;
    end(&server).await;
    assert_eq!(text(&read_all(&mut reader).await), b"during after");
}

#[tokio::test]
async fn somebody_else_can_add_to_the_end() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    for line in ["one\n", "two\n"] {
        LogWriter::append(&server.link(), &token(), line, LIMIT)
            .await
            .unwrap();
    }
    end(&server).await;
    let chunks = read_all(&mut LogReader::new(server.link(), JobId(7), 1)).await;
    assert_eq!(text(&chunks), b"one\ntwo\n");
}

#[tokio::test]
async fn a_later_writer_goes_on_where_the_earlier_one_stopped() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    let mut seen = Vec::new();
    let mut expected = Vec::new();
    // The first resumes a log that is empty yet.
    for number in 0..4 {
        let writer = LogWriter::resume(server.link(), token(), limits(1 << 20, 1 << 20));
        let line = format!("line {number} {}\n", "x".repeat(70_000 * number));
        expected.extend_from_slice(line.as_bytes());
        writer.sender().send(line.into_bytes()).await.unwrap();
        writer.close(LIMIT).await;
        seen.extend(reader.next(LIMIT).await.unwrap());
    }
    end(&server).await;
    seen.extend(read_all(&mut reader).await);
    assert!(text(&seen) == expected, "{}", text(&seen).len());
    assert!(!seen.iter().any(|chunk| matches!(chunk, LogChunk::Cut(_))));
    let mut late = LogReader::new(server.link(), JobId(7), 1);
    assert!(text(&read_all(&mut late).await) == expected);
}

#[tokio::test]
async fn the_limits_of_a_log_count_what_earlier_writers_left() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let whole: Vec<u8> = (0..200_000_u32)
        .flat_map(|number| format!("{number:09}\n").into_bytes())
        .collect();
    for part in whole.chunks(500_000) {
        let writer = LogWriter::resume(server.link(), token(), limits(200_000, 300_000));
        let sender = writer.sender();
        for piece in part.chunks(30_000) {
            sender.send(piece.to_vec()).await.unwrap();
        }
        drop(sender);
        writer.close(LIMIT).await;
    }
    end(&server).await;
    let chunks = read_all(&mut LogReader::new(server.link(), JobId(7), 1)).await;
    let kept = text(&chunks);
    let cut: u64 = chunks
        .iter()
        .map(|chunk| match chunk {
            LogChunk::Cut(bytes) => *bytes,
            LogChunk::Data(_) | LogChunk::End { .. } => 0,
        })
        .sum();
    assert_eq!(kept.len() as u64 + cut, whole.len() as u64);
    assert!(kept.len() <= 500_000 + 2 * 65_536, "{}", kept.len());
    assert!(kept.starts_with(&whole[..100_000]) && kept.ends_with(&whole[whole.len() - 100_000..]));
}

#[tokio::test]
async fn a_log_of_many_small_entries_is_resumed_as_well() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    // More entries than one look takes.
    let lines = 2_500_u64;
    for number in 0..lines {
        let mut command = redis::cmd("XADD");
        command
            .arg(key(JobId(7), 1))
            .arg("*")
            .arg("o")
            .arg(number * 10)
            .arg("d")
            .arg(format!("{number:09}\n"));
        execute(&server, &command).await;
    }
    let writer = LogWriter::resume(server.link(), token(), limits(1_000, 5_000));
    writer.sender().send(b"new output\n".to_vec()).await.unwrap();
    writer.close(LIMIT).await;
    end(&server).await;
    let chunks = read_all(&mut LogReader::new(server.link(), JobId(7), 1)).await;
    let kept = text(&chunks);
    // The head is whole, the tail as long as it may be.
    assert_eq!(chunks[100], LogChunk::Cut(lines * 10 - 1_000 - 4_980));
    assert_eq!(kept.len(), 1_000 + 4_980 + 11);
    assert!(kept.ends_with(b"000002499\nnew output\n"));
}

#[tokio::test]
async fn a_log_is_resumed_through_an_outage_of_redis() {
    let mut server = RedisServer::start_with(RedisOptions {
        password: None,
        tcp: false,
        durable: true,
    });
    lease(&server, "n").await;
    LogWriter::append(&server.link(), &token(), "before ", LIMIT)
        .await
        .unwrap();
    server.kill();
    let writer = LogWriter::resume(server.link(), token(), limits(1 << 20, 1 << 20));
    writer.sender().send(b"during ".to_vec()).await.unwrap();
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    assert!(reader.next(LIMIT).await.is_err());
    server.revive();
    writer.sender().send(b"after".to_vec()).await.unwrap();
    writer.close(LIMIT).await;
    end(&server).await;
    assert_eq!(text(&read_all(&mut reader).await), b"before during after");
}

#[tokio::test]
async fn a_redis_that_does_not_answer_does_not_hold_up_the_build() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let writer = LogWriter::start(server.link(), token(), limits(64 << 20, 1 << 20));
    let sender = writer.sender();
    sender.send(b"first ".to_vec()).await.unwrap();
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    assert_eq!(
        reader.next(LIMIT).await.unwrap(),
        Some(LogChunk::Data(b"first ".to_vec()))
    );
    server.freeze();
    // Far more than pipes and channels hold, and less than the writer's buffer.
    let output = vec![b'x'; 4 << 20];
    let sending = async {
        for piece in output.chunks(16 << 10) {
            sender.send(piece.to_vec()).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), sending)
        .await
        .expect("the build's output is taken all the time");
    server.thaw();
    drop(sender);
    writer.close(LIMIT * 2).await;
    end(&server).await;
    assert_eq!(text(&read_all(&mut reader).await).len(), output.len());
}
