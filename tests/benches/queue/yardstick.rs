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

/// Two scripts that together issue these commands this many times, with arguments as long as the queue's, on as many
/// different keys, with members and fields that come and go as the queue's do.
pub fn of_commands(counts: &BTreeMap<String, usize>) -> [Script; 2] {
    let mut halves = [String::new(), String::new()];
    for (command, count) in counts {
        for number in 0..*count {
            let _infallible = writeln!(halves[number % 2], "{}", example(command, number));
        }
    }
    halves.map(|body| {
        Script::new(&format!(
            "#!lua flags=allow-oom\nlocal k, v = ARGV[1], ARGV[2]\n{body}\nreturn 'ok'"
        ))
    })
}

/// The `number`th command of a kind, on keys that look like the queue's; `k` is the job, `v` a nonce.
fn example(command: &str, number: usize) -> String {
    let of_job = format!("'{{y}}:q:{}:' .. k", ["j", "j", "j", "d"][number % 4]);
    let counter = format!("'{{y}}:q:n{number}'");
    let shared = format!("'{{y}}:q:z{number}'");
    match command {
        "bitfield" => "redis.call('BITFIELD', '{y}:q:hour', 'INCRBY', 'u32', '#3', 1, 'INCRBY', 'u32', '#40', 1)".to_owned(),
        "decrby" => format!("redis.call('DECRBY', {counter}, 1)"),
        "exists" => format!("redis.call('EXISTS', {of_job})"),
        "expire" => "redis.call('EXPIRE', '{y}:build:log:' .. k, 1209600, 'NX')".to_owned(),
        "get" if number == 0 => "redis.call('GET', '{y}:request')".to_owned(),
        "get" => format!("redis.call('GET', {counter})"),
        "hdel" => format!("redis.call('HDEL', {of_job}, 'phase', 'cancel', 'nonce', 'lost', 'chain', 'instance')"),
        "hexists" => format!("redis.call('HEXISTS', {of_job}, 'state')"),
        "hget" => format!("redis.call('HGET', {of_job}, 'state')"),
        "hgetall" if number == 0 => "redis.call('HGETALL', '{y}:job')".to_owned(),
        "hgetall" => format!("redis.call('HGETALL', '{{y}}:q:hash{number}')"),
        "hincrby" => format!("redis.call('HINCRBY', '{{y}}:q:hash{number}', '1', 180)"),
        "hmget" => format!("redis.call('HMGET', {of_job}, 'state', 'attempt', 'nonce', 'done', 'key')"),
        "hset" => format!(
            "redis.call('HSET', {of_job}, 'state', 'building', 'since', '1795490353292', 'reason', '', 'nonce', v)"
        ),
        "incrby" => format!("redis.call('INCRBY', {counter}, 1)"),
        "lpush" => "redis.call('LPUSH', '{y}:q:past', '1795490353292\t1\tfailed\tone\t1795490353292')".to_owned(),
        "pexpire" => "redis.call('PEXPIRE', '{y}:q:past', '2592000000')".to_owned(),
        "set" => format!("redis.call('SET', {of_job}, v)"),
        "smembers" => "redis.call('SMEMBERS', '{y}:q:m:' .. k)".to_owned(),
        "time" => "redis.call('TIME')".to_owned(),
        "unlink" => "redis.call('UNLINK', '{y}:build:result:' .. k)".to_owned(),
        "xadd" if number == 0 => "redis.call('XADD', '{y}:build:log:' .. k, '*', 'end', 'failed', 'reason', '')".to_owned(),
        "xadd" => "redis.call('XADD', '{y}:q:events', 'MAXLEN', '~', 200000, '*', 'job', '1795490353292', 'key', k, \
                   'action', 'finish', 'from', 'ready', 'to', 'building', 'attempt', '1', 'builder', 'one', \
                   'reason', '', 'by', '')"
            .to_owned(),
        "zadd" => format!("redis.call('ZADD', {shared}, '1795490353292', k)"),
        "zcount" => format!("redis.call('ZCOUNT', {shared}, '1', '2')"),
        "zrange" => format!("redis.call('ZRANGE', {shared}, 0, 0, 'WITHSCORES')"),
        "zrangebyscore" => "redis.call('ZRANGEBYSCORE', '{y}:q:classes', '-inf', '1')".to_owned(),
        "zrem" => format!("redis.call('ZREM', {shared}, k)"),
        "zscore" => format!("redis.call('ZSCORE', {shared}, k)"),
        other => panic!("the yardstick knows no example of {other}"),
    }
}

/// Puts into place what the examples work on: a request, and jobs with as many fields, in as many sorted sets of the
/// same length, as the queue's.
pub async fn prepare(link: &RedisLink, request: &str, job: &[(String, String)], keys: &[String]) {
    const SETS: usize = 8;
    for chunk in keys.chunks(1000) {
        let mut pipeline = redis::pipe();
        pipeline.set("{y}:request", request).hset_multiple("{y}:job", job);
        for key in chunk {
            pipeline.hset_multiple(format!("{{y}}:q:j:{key}"), job);
            for set in 0..SETS {
                pipeline.zadd(
                    format!("{{y}}:q:z{set}"),
                    format!("other:{key}"),
                    1_795_490_353_000_u64,
                );
            }
        }
        link.run(|mut connection| async move { pipeline.query_async::<()>(&mut connection).await })
            .await
            .expect("Redis answers");
    }
}

/// How often each command was called since the last `CONFIG RESETSTAT`.
pub async fn command_counts(link: &RedisLink) -> BTreeMap<String, usize> {
    let calls = |line: &str| Some((name(line)?.to_owned(), field(line, "calls=")?.parse().ok()?));
    statistics(link).await.lines().filter_map(calls).collect()
}

/// Microseconds that scripts and functions took inside Redis since then.
pub async fn script_time(link: &RedisLink) -> f64 {
    let usec = |line: &str| -> Option<f64> {
        matches!(name(line)?, "evalsha" | "fcall").then(|| field(line, "usec=")?.parse().ok())?
    };
    statistics(link).await.lines().filter_map(usec).sum()
}

async fn statistics(link: &RedisLink) -> String {
    link.run(|mut connection| async move {
        redis::cmd("INFO")
            .arg("commandstats")
            .query_async(&mut connection)
            .await
    })
    .await
    .expect("Redis answers")
}

fn name(line: &str) -> Option<&str> {
    Some(line.strip_prefix("cmdstat_")?.split_once(':')?.0)
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(':')?
        .1
        .split(',')
        .find_map(|field| field.strip_prefix(name))
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
