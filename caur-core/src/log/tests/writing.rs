//! Writing and following a log.

use super::*;

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
    assert_eq!(text(&[reader.next(LIMIT).await.unwrap().unwrap()]), b"before ");
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
async fn a_redis_that_does_not_answer_does_not_hold_up_the_build() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let writer = LogWriter::start(server.link(), token(), limits(64 << 20, 1 << 20));
    let sender = writer.sender();
    sender.send(b"first ".to_vec()).await.unwrap();
    let mut reader = LogReader::new(server.link(), JobId(7), 1);
    assert_eq!(text(&[reader.next(LIMIT).await.unwrap().unwrap()]), b"first ");
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
