//! What Redis itself needs: raw calls of scripts that do as little, or as much, as the queue's.

use std::collections::BTreeMap;
use std::fmt::Write;

use caur_core::link::RedisLink;
use redis::Script;

/// Calls a script once on `link`.
pub async fn call(link: &RedisLink, script: &Script, key: &str) {
    link.run(|mut connection| async move {
        let mut call = script.prepare_invoke();
        call.arg(key).arg("0123456789abcdef0123456789abcdef");
        call.invoke_async::<redis::Value>(&mut connection).await
    })
    .await
    .expect("Redis answers");
}

/// A script of one `HSET`.
pub fn one_hset() -> Script {
    Script::new("redis.call('HSET', ARGV[1], 'field', ARGV[2]) return 'ok'")
}

/// Two scripts that together issue these commands this many times, with arguments as long as the queue's.
pub fn of_commands(counts: &BTreeMap<String, usize>) -> [Script; 2] {
    let mut halves = [String::new(), String::new()];
    for (command, count) in counts {
        let line = example(command);
        for number in 0..*count {
            let _infallible = writeln!(halves[number % 2], "{line}");
        }
    }
    halves.map(|body| {
        Script::new(&format!(
            "#!lua flags=allow-oom\nlocal k, v = 'y:' .. ARGV[1], ARGV[2]\n{body}\nreturn 'ok'"
        ))
    })
}

/// One command of the kind, on keys that look like the queue's.
fn example(command: &str) -> &'static str {
    match command {
        "decrby" => "redis.call('DECRBY', 'y:n', 1)",
        "exists" => "redis.call('EXISTS', k .. ':h')",
        "expire" => "redis.call('EXPIRE', k .. ':x', 1000, 'NX')",
        "get" => "redis.call('GET', k .. ':s')",
        "hdel" => "redis.call('HDEL', k .. ':h', 'f7', 'f8', 'f9')",
        "hexists" => "redis.call('HEXISTS', k .. ':h', 'f1')",
        "hget" => "redis.call('HGET', k .. ':h', 'f1')",
        "hgetall" => "redis.call('HGETALL', k .. ':h')",
        "hincrby" => "redis.call('HINCRBY', 'y:w', '1', 180)",
        "hmget" => "redis.call('HMGET', k .. ':h', 'f1', 'f2', 'f3', 'f4')",
        "hset" => {
            "redis.call('HSET', k .. ':h', 'f1', v, 'f2', '1795490353292', 'f3', '7', 'f4', 'building')"
        }
        "incrby" => "redis.call('INCRBY', 'y:n', 1)",
        "set" => "redis.call('SET', k .. ':s', v)",
        "smembers" => "redis.call('SMEMBERS', k .. ':m')",
        "time" => "redis.call('TIME')",
        "unlink" => "redis.call('UNLINK', k .. ':u')",
        "xadd" => {
            "redis.call('XADD', 'y:e', 'MAXLEN', '~', 200000, '*', 'job', '1795490353292', 'key', k, 'action', \
             'finish', 'from', 'ready', 'to', 'building', 'attempt', '1', 'builder', 'one', 'reason', '', 'by', '')"
        }
        "zadd" => "redis.call('ZADD', 'y:z', '1795490353292', k)",
        "zcount" => "redis.call('ZCOUNT', 'y:z', '1', '2')",
        "zrange" => "redis.call('ZRANGE', 'y:z', 0, 0, 'WITHSCORES')",
        "zrangebyscore" => "redis.call('ZRANGEBYSCORE', 'y:c', '-inf', '1')",
        "zrem" => "redis.call('ZREM', 'y:z', k)",
        "zscore" => "redis.call('ZSCORE', 'y:z', k)",
        other => panic!("the yardstick knows no example of {other}"),
    }
}

/// How often each command was called since the last `CONFIG RESETSTAT`.
pub async fn command_counts(link: &RedisLink) -> BTreeMap<String, usize> {
    let report: String = link
        .run(|mut connection| async move {
            redis::cmd("INFO")
                .arg("commandstats")
                .query_async(&mut connection)
                .await
        })
        .await
        .expect("Redis answers");
    report
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls = rest.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), calls))
        })
        .collect()
}

/// Microseconds that scripts took inside Redis since then.
pub async fn script_time(link: &RedisLink) -> f64 {
    let report: String = link
        .run(|mut connection| async move { redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await })
        .await
        .expect("Redis answers");
    let usec = report.lines().find_map(|line| {
        let rest = line.strip_prefix("cmdstat_evalsha:")?;
        rest.split(',').find_map(|field| field.strip_prefix("usec=")?.parse().ok())
    });
    usec.unwrap_or(0.0)
}

pub async fn reset_counts(link: &RedisLink) {
    link.run(|mut connection| async move {
        redis::cmd("CONFIG")
            .arg("RESETSTAT")
            .exec_async(&mut connection)
            .await
    })
    .await
    .expect("Redis answers");
}
