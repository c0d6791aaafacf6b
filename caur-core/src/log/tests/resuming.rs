//! Writers that go on where an earlier one stopped.

use super::*;

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
            LogChunk::Data { .. } | LogChunk::End { .. } => 0,
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
