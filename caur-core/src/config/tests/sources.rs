//! Which source wins, what each may say, and that the table covers every field.

use std::collections::BTreeSet;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::Fixture;
use crate::config::{Config, Engine, Loader, SETTINGS, Setting, Source};

fn leaves(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) if Setting::find(prefix).is_none() => {
            for (name, inner) in entries {
                let key = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                leaves(&key, inner, found);
            }
        }
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}

#[test]
fn the_table_holds_every_field_once() {
    let mut fields = BTreeSet::new();
    leaves("", &serde_json::to_value(Config::default()).unwrap(), &mut fields);
    let keys: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
    assert_eq!(keys, fields);
    assert_eq!(keys.len(), SETTINGS.len(), "a key is listed twice");
}

#[test]
fn a_variable_feeds_one_setting_but_for_what_builders_override() {
    for setting in SETTINGS {
        let others: Vec<_> = SETTINGS
            .iter()
            .filter(|other| other.env == setting.env)
            .map(|other| other.key)
            .collect();
        let shared =
            ["DATABASE_HOST", "DATABASE_PORT", "DATABASE_USER", "BUILDER_IMAGE"].contains(&setting.env);
        assert_eq!(others.len(), if shared { 2 } else { 1 }, "{others:?}");
    }
}

#[test]
fn every_name_of_the_contract_is_known() {
    let contract = "REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_SSH_HOST REDIS_SSH_PORT REDIS_SSH_USER \
        LANDING_ZONE_PATH LANDING_ZONE_ADVERTISED_PATH REPO_PATH GPG_PATH DATABASE_HOST DATABASE_PORT \
        DATABASE_USER LOGS_URL BUILDER_IMAGE PACKAGE_REPOS PACKAGE_TARGET_REPOS PACKAGE_REPOS_NOTIFIERS \
        TELEGRAM_BOT_TOKEN TELEGRAM_CHAT_ID CONTAINER_ENGINE DOCKER_SOCKET TRUST_PROXY NO_HTTP_LOG \
        BUILDER_HOSTNAME BUILDER_TIMEOUT BUILDER_CLASS SHARED_PATH BUILDER_SRCDEST_CACHE_OVERRIDE \
        BUILDER_LIMITS_CPUS BUILDER_LIMITS_RAM BUILDER_BUILD_DIR_HOST BUILDER_BUILD_DIR_MANAGER CI_CODE_SKIP \
        REDIS_SOCKET REDIS_USER REDIS_SSH_HOSTKEY REDIS_SSH_KEY CAUR_STATE_DIR DATABASE_HOST_KEYS";
    for name in contract.split_whitespace() {
        assert!(SETTINGS.iter().any(|setting| setting.env == name), "{name}");
    }
}

#[test]
fn command_line_over_environment_over_file_over_default() {
    let text = "[builder]\ntimeout = 10\n\n[redis]\nport = 1\nhost = \"from-file\"\n";
    let fixture = Fixture::new()
        .file(text)
        .env("BUILDER_TIMEOUT", "20")
        .env("REDIS_PORT", "2")
        .set("builder.timeout", "30");
    let loaded = fixture.load();
    assert_eq!(loaded.config.builder.timeout, 30);
    assert_eq!(loaded.config.redis.port, 2);
    assert_eq!(loaded.config.redis.host, "from-file");
    assert_eq!(loaded.config.redis.ssh.port, 22);

    let described = loaded.describe();
    let source = |key: &str| {
        described
            .iter()
            .find(|entry| entry.key == key)
            .unwrap()
            .source
            .clone()
    };
    assert_eq!(source("builder.timeout"), Source::CommandLine);
    assert_eq!(source("redis.port"), Source::Environment("REDIS_PORT".to_owned()));
    assert_eq!(
        source("redis.host"),
        Source::File {
            path: fixture.path().join("caur.toml"),
            line: 6
        }
    );
    assert_eq!(source("redis.ssh.port"), Source::Default);
}

#[test]
fn without_a_named_file_the_users_comes_after_the_systems() {
    let fixture = Fixture::new();
    assert!(fixture.load().files.is_empty());

    let system = fixture.write("system.toml", "[redis]\nport = 1\nhost = \"system\"\n");
    let user = fixture.write("xdg/caur/caur.toml", "[redis]\nport = 2\n");
    let xdg = fixture.path().join("xdg");
    let fixture = fixture.env("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    let loaded = fixture.load();
    assert_eq!(loaded.files, [system, user]);
    assert_eq!(
        (loaded.config.redis.port, loaded.config.redis.host.as_str()),
        (2, "system")
    );

    let named = fixture.write("named.toml", "[redis]\nport = 3\n");
    let fixture = fixture.env("CAUR_CONFIG", named.to_str().unwrap());
    let loaded = fixture.load();
    assert_eq!(loaded.files, [named]);
    assert_eq!(
        (loaded.config.redis.port, loaded.config.redis.host.as_str()),
        (3, "127.0.0.1")
    );
}

#[test]
fn environment_texts_stay_texts_and_empty_ones_count_as_unset() {
    let loaded = Fixture::new()
        .file("[telegram]\nchat_id = \"1\"\nbot_token = \"t\"\n")
        .env("REDIS_PASSWORD", "0123")
        .env("REDIS_USER", "true")
        .env("REDIS_HOST", "")
        .env("REDIS_PORT", "")
        .env("TELEGRAM_CHAT_ID", "")
        .load();
    assert_eq!(loaded.config.redis.password.unwrap().expose_secret(), "0123");
    assert_eq!(loaded.config.redis.user.as_deref(), Some("true"));
    assert_eq!(
        (loaded.config.redis.host.as_str(), loaded.config.redis.port),
        ("127.0.0.1", 6379)
    );
    assert_eq!(loaded.config.telegram.chat_id.as_deref(), Some("1"));
}

#[test]
fn an_empty_value_on_the_command_line_takes_the_earlier_one_away() {
    let loaded = Fixture::new()
        .env("REDIS_PASSWORD", "secret")
        .env("BUILDER_CAPABILITIES", "SYS_ADMIN")
        .env("PACKAGE_REPOS", r#"{"a":{"url":"https://example.org"}}"#)
        .set("redis.password", "")
        .set("builder.capabilities", "")
        .set("packages.repos", "")
        .load();
    assert!(loaded.config.redis.password.is_none());
    assert!(loaded.config.builder.capabilities.is_empty());
    assert!(loaded.config.packages.repos.is_empty());
}

#[test]
fn the_class_is_a_number_or_only_for_this_builder() {
    for (text, class) in [
        ("3", Some(3)),
        (" 4 ", Some(4)),
        ("0", Some(0)),
        ("heavy", None),
        ("2b", None),
        ("nan", None),
    ] {
        assert_eq!(
            Fixture::new()
                .env("BUILDER_CLASS", text)
                .load()
                .config
                .builder
                .class,
            class,
            "{text}"
        );
    }
    assert_eq!(
        Fixture::new()
            .env("BUILDER_CLASS", "")
            .load()
            .config
            .builder
            .class,
        Some(2)
    );
    assert_eq!(
        Fixture::new()
            .file("[builder]\nclass = \"mine\"\n")
            .load()
            .config
            .builder
            .class,
        None
    );
    for text in ["-1", "1.5", "4294967296"] {
        let error = Fixture::new().env("BUILDER_CLASS", text).error().to_string();
        assert!(
            error.contains("builder.class (environment variable BUILDER_CLASS)"),
            "{error}"
        );
    }
}

#[test]
fn flags_numbers_and_lists_are_read_as_people_write_them() {
    let config = Fixture::new()
        .env("TRUST_PROXY", "1")
        .env("NO_HTTP_LOG", "False")
        .env("BUILDER_LIMITS_CPUS", "1.5")
        .env("BUILDER_LIMITS_RAM", " 4096 ")
        .env("DATABASE_HOST_KEYS", "ssh-ed25519 AAAA, ssh-rsa BBBB\n")
        .env("DATABASE_ARCHES", r#"["x86_64", "aarch64"]"#)
        .env("CONTAINER_ENGINE", "podman")
        .env("DATABASE_HOST", "repo.example.org")
        .env("DATABASE_PORT", "2222")
        .load()
        .config;
    assert!(config.web.trust_proxy && !config.web.no_http_log);
    assert!((config.builder.limits_cpus - 1.5).abs() < f64::EPSILON);
    assert_eq!(config.builder.limits_ram, 4096);
    assert_eq!(config.database.host_keys, ["ssh-ed25519 AAAA", "ssh-rsa BBBB"]);
    assert_eq!(config.database.arches.len(), 2);
    assert_eq!(config.container.engine, Engine::Podman);
    assert_eq!(config.database.host.as_deref(), Some("repo.example.org"));
    assert_eq!(config.builder.upload_host.as_deref(), Some("repo.example.org"));
    assert_eq!(config.builder.upload_port, Some(2222));
}

#[test]
fn package_repositories_come_as_json_or_toml() {
    let json = Fixture::new()
        .env(
            "PACKAGE_REPOS",
            r#"{"chaotic-aur": {"url": "https://git.example.org/p"}}"#,
        )
        .env(
            "PACKAGE_TARGET_REPOS",
            r#"{"chaotic-aur":{"extra_repos":[{"name":"extra","servers":["https://r.example.org"]}],
                "extra_keyrings":["https://r.example.org/k.pkg.tar.zst"]}}"#,
        )
        .env(
            "PACKAGE_REPOS_NOTIFIERS",
            r#"{"chaotic-aur":{"id":123456,"token":"glpat-x","check_name":"aur: %pkgbase%"}}"#,
        )
        .load()
        .config;
    let toml = Fixture::new()
        .file(
            r#"
            [packages.repos.chaotic-aur]
            url = "https://git.example.org/p"
            [packages.target_repos.chaotic-aur]
            extra_repos = [{ name = "extra", servers = ["https://r.example.org"] }]
            extra_keyrings = ["https://r.example.org/k.pkg.tar.zst"]
            [packages.notifiers.chaotic-aur]
            id = "123456"
            token = "glpat-x"
            check_name = "aur: %pkgbase%"
            "#,
        )
        .load()
        .config;
    assert_eq!(json.farm(), toml.farm());
    assert_eq!(json.farm().sources.len(), 1);
    for config in [json, toml] {
        let notifier = config.packages.notifiers.into_values().next().unwrap();
        assert_eq!(
            (notifier.id.as_str(), notifier.token.expose_secret()),
            ("123456", "glpat-x")
        );
    }
}

proptest! {
    #[test]
    fn no_file_and_no_variable_makes_loading_panic(
        file in "\\PC{0,80}|(\\[?[a-z]{2,8}(\\.[a-z_]{2,9})?\\]?( = [\"0-9a-z\\[\\]{}.-]{0,9})?\n){0,6}",
        setting in 0..SETTINGS.len(),
        text in "\\PC{0,40}|-?[0-9.e]{1,22}|[\\[{\"a:,}\\]]{1,12}",
    ) {
        let fixture = Fixture::new().file(&file).env(SETTINGS[setting].env, &text).set(SETTINGS[setting].key, &text);
        let _ = fixture.loader.load().map(|loaded| loaded.describe());
    }
}

#[test]
fn values_that_are_no_utf8_are_a_problem_only_where_they_are_ours() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || std::ffi::OsString::from_vec(vec![0xff]);
    let load = |name: &str| {
        let mut loader = Loader::new([(name.into(), broken())]);
        loader.system_file = "/nonexistent".into();
        loader.load()
    };
    assert!(load("LS_COLORS").is_ok());
    assert!(load("REPO_PATH").unwrap_err().to_string().contains("not UTF-8"));
}
