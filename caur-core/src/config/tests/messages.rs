//! What a person is told: every problem at once, with key, source and expectation, and never a secret.

use super::Fixture;
use crate::config::{MASK, Problem, SETTINGS};

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_closest_key() {
    let cases = [
        (
            "[builder]\ntimout = 1\n",
            "builder.timout",
            ":2)",
            "did you mean builder.timeout?",
        ),
        (
            "[redis.ssh]\n\nhostkey = \"x\"\n",
            "redis.ssh.hostkey",
            ":3)",
            "did you mean redis.ssh.host_key?",
        ),
        ("[redsi]\nport = 1\n", "redsi", ":1)", "lists all settings"),
        ("timeout = 1\n", "timeout", ":1)", "did you mean builder.timeout?"),
        ("redis = 5\n", "redis", ":1)", "lists all settings"),
    ];
    for (text, key, line, closest) in cases {
        let error = Fixture::new().file(text).error().to_string();
        assert_says(
            &error,
            &[&format!("unknown setting {key} ("), "caur.toml", line, closest],
        );
    }
    let error = Fixture::new().set("builder.clas", "1").error().to_string();
    assert_says(
        &error,
        &["unknown setting builder.clas (command line); did you mean builder.class?"],
    );
}

#[test]
fn everything_wrong_is_told_at_once() {
    let error = Fixture::new()
        .file("[builder]\ntimeout = \"long\"\nclas = 1\n[redis]\nport = 70000\n")
        .env("BUILDER_TIMEOUT", "abc")
        .env("CI_CODE_SKIP", "124")
        .env("PACKAGE_REPOS", "{")
        .set("web.port", "http")
        .error();
    assert_eq!(error.problems.len(), 7, "{error}");
    assert_says(
        &error.to_string(),
        &[
            "builder.timeout (environment variable BUILDER_TIMEOUT): \"abc\" cannot be used: expected a whole number from 1",
            "caur.toml:2): \"long\" cannot be used",
            "caur.toml:5): 70000 cannot be used: expected a whole number from 1 to 65535",
            "unknown setting builder.clas",
            "builder.ci_code_skip (CI_CODE_SKIP): 124 already has a meaning",
            "packages.repos (environment variable PACKAGE_REPOS), line 1, column 1",
            "web.port (command line)",
        ],
    );
}

#[test]
fn syntax_errors_have_line_and_column_and_do_not_quote_the_line() {
    let error = Fixture::new()
        .file("[redis]\nport = 1\npassword = hunter2\n")
        .error();
    assert!(
        matches!(
            error.problems[..],
            [Problem::Syntax {
                line: 3,
                column: 12,
                ..
            }]
        ),
        "{error:?}"
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_file_that_was_named_must_exist() {
    let error = Fixture::new()
        .env("CAUR_CONFIG", "/nonexistent/caur.toml")
        .error()
        .to_string();
    assert_says(
        &error,
        &[
            "cannot read the configuration file /nonexistent/caur.toml",
            "No such file",
        ],
    );
}

#[test]
fn bad_json_names_variable_place_and_pattern() {
    let cases = [
        (
            "PACKAGE_REPOS",
            "{\n \"a\": {\"url\": 5}}",
            &[
                "line 2, column 15",
                "invalid type: integer `5`, expected a string",
                r#"{"url""#,
            ][..],
        ),
        (
            "PACKAGE_REPOS",
            r#"{"a": {"ulr": "x"}}"#,
            &["unknown field `ulr`, expected `url`"],
        ),
        (
            "PACKAGE_REPOS",
            r#"{"a b": {"url": "x"}}"#,
            &["invalid source repository", "a b"],
        ),
        (
            "PACKAGE_REPOS",
            r#"["a"]"#,
            &["invalid type: sequence, expected a map"],
        ),
        (
            "PACKAGE_TARGET_REPOS",
            r#"{"a": {"extra_repos": [{"name": "x"}]}}"#,
            &["missing field `servers`"],
        ),
        (
            "PACKAGE_TARGET_REPOS",
            r#"{"a":{}} x"#,
            &["trailing characters", "column 10"],
        ),
    ];
    for (name, text, parts) in cases {
        let error = Fixture::new().env(name, text).error().to_string();
        assert_says(&error, &[&format!("environment variable {name}")]);
        assert_says(&error, parts);
    }
}

#[test]
fn no_message_shows_a_secret() {
    let secret = "7654321";
    let cases = [
        Fixture::new().file(&format!("[redis]\npassword = {secret}\n")),
        Fixture::new().file(&format!("[telegram]\nbot_token = [{secret}]\n")),
        Fixture::new().file(&format!(
            "[packages.notifiers.a]\nid = \"1\"\ntoken = {secret}\ncheck_name = \"\"\n"
        )),
        Fixture::new().env(
            "PACKAGE_REPOS_NOTIFIERS",
            &format!(r#"{{"a":{{"id":"1","token":{secret},"check_name":""}}}}"#),
        ),
        Fixture::new().env("PACKAGE_REPOS_NOTIFIERS", &format!(r#"{{"a":"{secret}"}}"#)),
        Fixture::new().env("PACKAGE_REPOS_NOTIFIERS", &format!("{{\"a\": {secret}")),
        Fixture::new().env("PACKAGE_REPOS_NOTIFIERS", &format!("\"{secret}\"")),
    ];
    for case in cases {
        let error = case.error();
        assert!(!error.to_string().contains(secret), "{error}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
        assert_says(&error.to_string(), &["expected"]);
    }
}

#[test]
fn no_description_shows_a_secret() {
    let loaded = Fixture::new()
        .env("REDIS_PASSWORD", "hunter2")
        .env("TELEGRAM_BOT_TOKEN", "hunter2")
        .env("TELEGRAM_CHAT_ID", "1")
        .env(
            "PACKAGE_REPOS",
            r#"{"a":{"url":"https://ci:hunter2@git.example.org/p"}}"#,
        )
        .env(
            "PACKAGE_REPOS_NOTIFIERS",
            r#"{"a":{"id":"1","token":"hunter2","check_name":"c"}}"#,
        )
        .load();
    let described = loaded.describe();
    assert_eq!(described.len(), SETTINGS.len());
    let json = serde_json::to_string(&described).unwrap();
    assert!(!json.contains("hunter2"), "{json}");
    assert!(
        !format!("{loaded:?}")
            .replace("https://ci:hunter2@", "")
            .contains("hunter2"),
        "{loaded:?}"
    );
    assert_eq!(json.matches(MASK).count(), 4, "{json}");
    let text = |key: &str| {
        described
            .iter()
            .find(|entry| entry.key == key)
            .unwrap()
            .value_text()
    };
    assert_eq!(text("redis.password"), MASK);
    assert_eq!(text("redis.user"), "(not set)");
    assert_eq!(text("redis.host"), "127.0.0.1");
    assert_says(
        &json,
        &[r#"{"key":"redis.password","value":"••••","source":"environment variable REDIS_PASSWORD"}"#],
    );
}

#[test]
fn what_would_break_pacman_conf_is_refused() {
    for repos in [
        r#"[{"name":"a]\n[options","servers":["https://x"]}]"#,
        r#"[{"name":"","servers":["https://x"]}]"#,
        r#"[{"name":"a","servers":["https://x\nSigLevel = Never"]}]"#,
        r#"[{"name":"a","servers":[]}]"#,
    ] {
        let text = format!(r#"{{"t":{{"extra_repos":{repos}}}}}"#);
        let error = Fixture::new()
            .env("PACKAGE_TARGET_REPOS", &text)
            .error()
            .to_string();
        assert_says(&error, &["packages.target_repos (PACKAGE_TARGET_REPOS): t: "]);
    }
    let error = Fixture::new()
        .env("PACKAGE_TARGET_REPOS", r#"{"t":{"extra_keyrings":["a b"]}}"#)
        .error()
        .to_string();
    assert_says(&error, &["every keyring must be an address"]);
}

#[test]
fn settings_that_belong_together_are_checked_together() {
    let error = Fixture::new()
        .env("BUILDER_BUILD_DIR_HOST", "/build")
        .env("TELEGRAM_BOT_TOKEN", "x")
        .env("PACKAGE_REPOS", r#"{"a":{"url":"https://example.org"}}"#)
        .env(
            "PACKAGE_REPOS_NOTIFIERS",
            r#"{"b":{"id":"1","token":"t","check_name":"c"}}"#,
        )
        .error()
        .to_string();
    assert_says(
        &error,
        &[
            "builder.build_dir_manager (BUILDER_BUILD_DIR_MANAGER): not set although builder.build_dir_host is",
            "telegram.chat_id (TELEGRAM_CHAT_ID)",
            "b is none of the source repositories",
        ],
    );
}

#[test]
fn unknown_variables_of_ours_are_warned_about_and_others_are_not() {
    let loaded = Fixture::new()
        .env("CAUR_STATE_DIRECTORY", "x")
        .env("BUILDER_TIMOUT", "1")
        .env("REDIS_SERVICE_HOST", "10.0.0.1")
        .env("BUILDER_VERSION", "3")
        .env("PATH", "/bin")
        .load();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "the environment variable BUILDER_TIMOUT means nothing to caur; did you mean BUILDER_TIMEOUT?",
            "the environment variable CAUR_STATE_DIRECTORY means nothing to caur; did you mean CAUR_STATE_DIR?",
        ]
    );
}
