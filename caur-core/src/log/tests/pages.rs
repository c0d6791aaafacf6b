//! Pages of long logs, by a script and by plain commands.

use redis::Value;

use super::*;
use crate::link::{RedisAuth, RedisLink};

const JOB: JobId = JobId(7);

/// Bytes of a log: lines that tell their own offset.
fn line(offset: u64) -> String {
    format!("{offset:015}\n")
}

/// What stands at `offset` in a log of such lines.
fn text_at(offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut at = offset / 16 * 16;
    while bytes.len() < length + 16 {
        bytes.extend_from_slice(line(at).as_bytes());
        at += 16;
    }
    let skip = usize::try_from(offset % 16).unwrap();
    bytes[skip..skip + length].to_vec()
}

/// Writes entries with these sizes, each some milliseconds after the one before. Returns the length.
async fn write(link: &RedisLink, start: u64, sizes: impl IntoIterator<Item = (u64, usize)>) -> u64 {
    let mut connection = link.connection().await.unwrap();
    let mut pipe = redis::pipe();
    let (mut at, mut number, mut offset) = (1_700_000_000_000 + start, 0, start);
    for (millis, size) in sizes {
        number = if millis == 0 { number + 1 } else { 0 };
        at += millis;
        pipe.cmd("XADD")
            .arg(key(JOB, 1))
            .arg(format!("{at}-{number}"))
            .arg("o")
            .arg(offset)
            .arg("d")
            .arg(text_at(offset, size))
            .ignore();
        offset += size as u64;
        if pipe.len() >= 100 {
            pipe.exec_async(&mut connection).await.unwrap();
            pipe.clear();
        }
    }
    if !pipe.is_empty() {
        pipe.exec_async(&mut connection).await.unwrap();
    }
    offset
}

async fn cut(link: &RedisLink, from: u64, to: u64) {
    let mut connection = link.connection().await.unwrap();
    let entries: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
        .arg(key(JOB, 1))
        .arg("-")
        .arg("+")
        .query_async(&mut connection)
        .await
        .unwrap();
    for entry in entries.ids {
        let offset: u64 = entry.get("o").unwrap();
        if offset >= from && offset < to {
            redis::cmd("XDEL")
                .arg(key(JOB, 1))
                .arg(entry.id)
                .exec_async(&mut connection)
                .await
                .unwrap();
        }
    }
}

/// Two links to one server: of a user who may do all, and of one who may only read.
async fn links(server: &RedisServer) -> [RedisLink; 2] {
    let mut command = redis::cmd("ACL");
    command
        .arg("SETUSER")
        .arg("viewer")
        .arg(&["on", ">see", "~{caur}:*", "+@read", "+@connection"]);
    execute(server, &command).await;
    let mut direct = server.direct();
    direct.auth = RedisAuth {
        username: Some("viewer".into()),
        password: Some("see".into()),
        database: 0,
    };
    let viewer = RedisLink::new(direct);
    let refused = viewer
        .run(|mut connection| async move {
            redis::cmd("EVAL_RO")
                .arg("return 1")
                .arg(0)
                .query_async::<Value>(&mut connection)
                .await
        })
        .await;
    assert!(refused.is_err(), "a viewer runs no scripts");
    [server.link(), viewer]
}

/// Bytes that Redis has sent so far.
async fn sent(server: &RedisServer) -> u64 {
    let report: String =
        server
            .link()
            .run(|mut connection| async move {
                redis::cmd("INFO").arg("stats").query_async(&mut connection).await
            })
            .await
            .unwrap();
    let field = report
        .lines()
        .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    field.unwrap().trim().parse().unwrap()
}

/// Checks that the pieces hold what the log has at their offsets, and that they meet but for `cuts` places.
fn check(page: &LogPage, cuts: usize) {
    let mut gaps = 0;
    for pair in page.pieces.windows(2) {
        assert!(pair[1].offset >= pair[0].end() && pair[1].at >= pair[0].at);
        gaps += usize::from(pair[1].offset > pair[0].end());
    }
    assert_eq!(gaps, cuts);
    for piece in &page.pieces {
        assert!(
            piece.bytes == text_at(piece.offset, piece.bytes.len()),
            "{}",
            piece.offset
        );
        assert!(piece.at >= 1_700_000_000_000);
    }
    if let (Some(first), Some(last)) = (page.pieces.first(), page.pieces.last()) {
        assert_eq!(page.first.offset(), first.offset);
        assert_eq!(page.behind.offset(), last.end());
    }
}

fn bytes(page: &LogPage) -> u64 {
    page.pieces.iter().map(|piece| piece.bytes.len() as u64).sum()
}

#[tokio::test]
async fn the_end_and_the_middle_of_a_long_log_cost_little() {
    let server = RedisServer::start();
    let length = write(&server.link(), 0, (0..320).map(|_| (700, 65_536))).await;
    assert_eq!(length, 20 << 20);
    for link in links(&server).await {
        let before = sent(&server).await;
        let found = tail(&link, JOB, 1, 512 << 10).await.unwrap();
        let cost = sent(&server).await - before;
        assert_eq!((found.length, bytes(&found.page)), (length, 512 << 10));
        assert!(found.end.is_none() && !found.page.reaches_start && !found.is_absent());
        check(&found.page, 0);
        println!("tail of 512 KiB: {cost} bytes");
        assert!(cost < 1_000_000, "{cost}");

        for offset in [0, 1, 65_535, 65_536, length / 3, length / 2, length - 1] {
            let before = sent(&server).await;
            let page = page_at(&link, JOB, 1, offset, 512 << 10).await.unwrap();
            let cost = sent(&server).await - before;
            println!("page at {offset}: {cost} bytes");
            assert!(cost < 1_200_000, "{offset}: {cost}");
            check(&page, 0);
            let first = &page.pieces[0];
            assert!(first.offset <= offset && offset < first.end(), "{offset}");
            assert_eq!(page.reaches_start, offset < 65_536);
            assert!(bytes(&page) == 512 << 10 || page.behind.offset() == length);
        }
    }
}

#[tokio::test]
async fn bursts_and_pauses_do_not_make_finding_dear() {
    let server = RedisServer::start();
    // Slow dribble for hours, bursts of many entries in one millisecond, a pause of a day, and a burst again.
    let sizes = (0..300_u64)
        .map(|number| (30_000 + number, 700))
        .chain((0..100).map(|number| (u64::from(number % 40 == 0), 65_536)))
        .chain([(86_400_000, 16)])
        .chain((0..60).map(|_| (100, 65_536)));
    let length = write(&server.link(), 0, sizes).await;
    for (index, link) in links(&server).await.into_iter().enumerate() {
        for part in 0..=40 {
            let offset = length * part / 40;
            let before = sent(&server).await;
            let page = page_at(&link, JOB, 1, offset, 65_536).await.unwrap();
            let cost = sent(&server).await - before;
            check(&page, 0);
            let first = &page.pieces[0];
            let wanted = offset.min(length - 1);
            assert!(first.offset <= wanted && wanted < first.end(), "{offset}");
            // By plain commands each step of the search costs an entry.
            let limit = if index == 0 { 150_000 } else { 3_500_000 };
            assert!(cost < limit, "{offset}: {cost}");
        }
    }
}

#[tokio::test]
async fn going_back_and_forth_gives_every_byte_once() {
    let server = RedisServer::start();
    let sizes: Vec<(u64, usize)> = (0..900_usize)
        .map(|n| ((n % 3) as u64, 100 + (n * 7919) % 9_000))
        .collect();
    let length = write(&server.link(), 0, sizes).await;
    for link in links(&server).await {
        let mut page = tail(&link, JOB, 1, 100_000).await.unwrap().page;
        let mut pages = 1;
        let mut low = page.first.offset();
        while !page.reaches_start {
            page = page_before(&link, JOB, 1, page.first, 100_000).await.unwrap();
            assert!(!page.pieces.is_empty() && bytes(&page) <= 100_000);
            check(&page, 0);
            assert_eq!(page.behind.offset(), low);
            low = page.first.offset();
            pages += 1;
        }
        assert_eq!(low, 0);
        let nothing = page_before(&link, JOB, 1, page.first, 100_000).await.unwrap();
        assert!(nothing.pieces.is_empty() && nothing.reaches_start, "{nothing:?}");
        assert_eq!(nothing.first, page.first);

        let mut high = page.behind;
        while high.offset() < length {
            let page = page_after(&link, JOB, 1, high, 100_000).await.unwrap();
            check(&page, 0);
            assert_eq!(page.first.offset(), high.offset());
            assert!(!page.reaches_start && page.behind.offset() > high.offset());
            high = page.behind;
        }
        let nothing = page_after(&link, JOB, 1, high, 100_000).await.unwrap();
        assert!(nothing.pieces.is_empty() && nothing.behind == high);
        println!("{length} bytes backwards in {pages} pages");
    }
}

#[tokio::test]
async fn a_page_is_limited_and_has_an_entry_at_least() {
    let server = RedisServer::start();
    let length = write(&server.link(), 0, (0..64).map(|_| (5, 65_536))).await;
    for link in links(&server).await {
        for (asked, got) in [(0, 65_536), (1, 65_536), (131_071, 65_536), (131_072, 131_072)] {
            let found = tail(&link, JOB, 1, asked).await.unwrap();
            assert_eq!(bytes(&found.page), got, "{asked}");
            assert_eq!(found.page.behind.offset(), length);
            assert_eq!(bytes(&page_at(&link, JOB, 1, 0, asked).await.unwrap()), got);
        }
        assert_eq!(
            bytes(&tail(&link, JOB, 1, u64::MAX).await.unwrap().page),
            MAX_PAGE
        );
    }
}

#[tokio::test]
async fn a_cut_shows_between_pieces_and_an_offset_in_it_leads_behind_it() {
    let server = RedisServer::start();
    let length = write(&server.link(), 0, (0..200).map(|n| (n % 5, 10_000))).await;
    cut(&server.link(), 300_000, 1_500_000).await;
    for link in links(&server).await {
        let page = page_at(&link, JOB, 1, 250_000, 1 << 20).await.unwrap();
        check(&page, 1);
        assert_eq!(page.pieces[5].offset, 1_500_000);
        let page = page_at(&link, JOB, 1, 700_000, 50_000).await.unwrap();
        assert_eq!(page.first.offset(), 1_500_000);
        let before = page_before(&link, JOB, 1, page.first, 20_000).await.unwrap();
        assert_eq!(before.behind.offset(), 300_000);
        let found = tail(&link, JOB, 1, 1 << 20).await.unwrap();
        assert_eq!(found.length, length);
        // A reader that starts in front of the cut tells of it.
        let mut reader = LogReader::from(link.clone(), JOB, 1, before.behind);
        assert_eq!(
            reader.next(Duration::ZERO).await.unwrap(),
            Some(LogChunk::Cut(1_200_000))
        );
    }
    // The start may be cut, too.
    cut(&server.link(), 0, 300_000).await;
    for link in links(&server).await {
        let page = page_at(&link, JOB, 1, 0, 1).await.unwrap();
        assert_eq!(page.first.offset(), 1_500_000);
        let before = page_before(&link, JOB, 1, page.first, 1).await.unwrap();
        assert!(before.pieces.is_empty() && before.reaches_start);
    }
}

#[tokio::test]
async fn an_ended_log_says_so_and_a_missing_one_as_well() {
    let server = RedisServer::start();
    for link in links(&server).await {
        let mut nothing = tail(&link, JOB, 1, 1000).await.unwrap();
        assert!(nothing.is_absent() && nothing.page.reaches_start && nothing.length == 0);
        assert_eq!(nothing.reader.next(Duration::ZERO).await.unwrap(), None);
        let page = page_at(&link, JOB, 1, 5, 1000).await.unwrap();
        assert!(page.pieces.is_empty() && page.reaches_start);
    }
    end(&server).await;
    for link in links(&server).await {
        let only_end = tail(&link, JOB, 1, 1000).await.unwrap();
        assert!(!only_end.is_absent() && only_end.page.pieces.is_empty() && only_end.reader.ended());
        assert!(page_at(&link, JOB, 1, 5, 1000).await.unwrap().pieces.is_empty());
    }
    execute(&server, redis::cmd("DEL").arg(key(JOB, 1))).await;
    let length = write(&server.link(), 0, (0..30).map(|_| (10, 1_000))).await;
    end(&server).await;
    for link in links(&server).await {
        for limit in [1, 1_000, 10_000, 1 << 20] {
            let mut found = tail(&link, JOB, 1, limit).await.unwrap();
            let end = found.end.expect("it has ended");
            assert_eq!(
                (end.state.as_str(), end.reason.as_str()),
                ("failed", "exit status 4")
            );
            assert!(end.at > 1_700_000_000_000);
            assert!(!found.page.pieces.is_empty());
            assert_eq!(found.length, length);
            assert!(found.reader.ended());
            assert_eq!(found.reader.next(LIMIT).await.unwrap(), None);
        }
        let last = page_at(&link, JOB, 1, length + 5, 1_000).await.unwrap();
        assert_eq!(
            (last.first.offset(), last.behind.offset()),
            (length - 1_000, length)
        );
        // A reader from a page still meets the end.
        let mut reader = LogReader::from(link.clone(), JOB, 1, last.behind);
        let chunks = read_all(&mut reader).await;
        assert!(matches!(chunks.as_slice(), [LogChunk::End { .. }]), "{chunks:?}");
    }
}

#[tokio::test]
async fn a_tail_goes_on_while_the_log_grows() {
    let server = RedisServer::start();
    lease(&server, "n").await;
    let writer = LogWriter::start(server.link(), token(), limits(64 << 20, 64 << 20));
    let sender = writer.sender();
    let total = 3_000_000_u64;
    let writing = async {
        for start in (0..total).step_by(16_000) {
            let length = usize::try_from((total - start).min(16_000)).unwrap();
            sender.send(text_at(start, length)).await.unwrap();
        }
        drop(sender);
        writer.close(LIMIT).await;
        end(&server).await;
    };
    let links = links(&server).await;
    let reading = async {
        let mut joined = 0;
        loop {
            let mut found = tail(&links[joined % 2], JOB, 1, 40_000).await.unwrap();
            check_follow(&mut found).await;
            joined += 1;
            if found.reader.ended() || found.end.is_some() {
                break joined;
            }
        }
    };
    let ((), joined) = tokio::join!(writing, reading);
    println!("joined {joined} times");
    let found = tail(&links[0], JOB, 1, 40_000).await.unwrap();
    assert_eq!(found.length, total);
}

/// Follows a tail for some chunks: every offset goes on where the last one ended.
async fn check_follow(found: &mut LogTail) {
    for piece in &found.page.pieces {
        assert!(piece.bytes == text_at(piece.offset, piece.bytes.len()));
    }
    let mut expected = found.page.behind.offset();
    for _ in 0..20 {
        match found.reader.next(Duration::from_secs(1)).await.unwrap() {
            Some(LogChunk::Data { offset, at, bytes }) => {
                assert_eq!(offset, expected);
                assert!(at > 1_700_000_000_000);
                assert!(bytes == text_at(offset, bytes.len()));
                expected += bytes.len() as u64;
            }
            Some(LogChunk::Cut(bytes)) => panic!("nothing was cut: {bytes}"),
            Some(LogChunk::End { .. }) | None => break,
        }
    }
}
