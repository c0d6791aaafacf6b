//! What roles require.

use std::fs;
use std::time::Duration;

use super::Fixture;
use crate::config::Unwanted;
use crate::model::Pkgname;

const REPOS: &str = r#"{"chaotic-aur":{"url":"https://git.example.org/p"}}"#;

#[test]
fn a_database_without_its_values_is_told_all_of_them() {
    let error = Fixture::new()
        .set("database.repo_dir", "/nonexistent/repo")
        .load()
        .config
        .require_database();
    let error = error.unwrap_err().to_string();
    for part in [
        "database.landing_zone is not set, which the database role needs: set LANDING_ZONE_PATH to the directory",
        "database.repo_dir (DATABASE_REPO_DIR): /nonexistent/repo is no directory",
        "packages.repos is not set, which the database role needs: set PACKAGE_REPOS",
        "packages.target_repos is not set, which the database role needs: set PACKAGE_TARGET_REPOS",
    ] {
        assert!(error.contains(part), "{part:?} is not in:\n{error}");
    }
}

#[test]
fn a_database_takes_repo_path_where_repo_dir_is_not_mounted() {
    let fixture = Fixture::new();
    for name in ["repo", "landing"] {
        fs::create_dir(fixture.path().join(name)).unwrap();
    }
    let (repo, landing) = (fixture.path().join("repo"), fixture.path().join("landing"));
    let fixture = fixture
        .env("REPO_PATH", repo.to_str().unwrap())
        .env("LANDING_ZONE_PATH", landing.to_str().unwrap())
        .env("PACKAGE_REPOS", REPOS)
        .env("PACKAGE_TARGET_REPOS", r#"{"chaotic-aur":{}}"#)
        .env("DATABASE_HOST", "repo.example.org")
        .set("database.repo_dir", "/nonexistent/repo")
        .set("database.protected_pkgnames", "pacman,glibc");
    let role = fixture.load().config.require_database().unwrap();
    assert_eq!(role.repo_dir, repo);
    assert_eq!(role.repository.protected_pkgnames.len(), 2);
    assert!(role.repository.signing.is_some());
    let upload = role.farm.upload.unwrap();
    assert_eq!((upload.host.as_str(), upload.port), ("repo.example.org", 22));
    assert_eq!(upload.path, landing.to_str().unwrap());

    let fixture = fixture
        .env("LANDING_ZONE_ADVERTISED_PATH", "/landing")
        .set("database.sign", "false");
    let role = fixture.load().config.require_database().unwrap();
    assert_eq!(role.farm.upload.unwrap().path, "/landing");
    assert!(role.repository.signing.is_none());
}

#[test]
fn rules_of_repositories_are_checked_together() {
    let fixture = Fixture::new()
        .set("database.sign", "false")
        .set("database.sign_databases", "true")
        .set("database.protected_databases", "/nonexistent/core.db")
        .set(
            "database.allowed_pkgnames",
            "linux:linux-headers,toolchain:*,glibc,a:b c",
        );
    let error = fixture
        .load()
        .config
        .require_repository()
        .unwrap_err()
        .to_string();
    for part in [
        "database.sign_databases (DATABASE_SIGN_DATABASES): databases cannot be signed where packages are not",
        "database.protected_databases (DATABASE_PROTECTED_DATABASES): /nonexistent/core.db is no file",
        "database.allowed_pkgnames (DATABASE_ALLOWED_PKGNAMES): \"glibc\": expected PKGBASE:PKGNAME or PKGBASE:*",
        "database.allowed_pkgnames (DATABASE_ALLOWED_PKGNAMES): invalid pkgname \"b c\"",
    ] {
        assert!(error.contains(part), "{part:?} is not in:\n{error}");
    }

    let fixture = Fixture::new()
        .set("database.allowed_pkgnames", "linux:linux-headers,toolchain:*")
        .set("database.refuse", "debug,groups")
        .set("database.grace_time", "0");
    let rules = fixture.load().config.require_repository().unwrap();
    let allowed: Vec<(&str, Option<&str>)> = rules
        .allowed_pkgnames
        .iter()
        .map(|(pkgbase, pkgname)| (pkgbase.as_str(), pkgname.as_ref().map(Pkgname::as_str)))
        .collect();
    assert_eq!(allowed, [("linux", Some("linux-headers")), ("toolchain", None)]);
    assert_eq!(rules.refuse, [Unwanted::Debug, Unwanted::Groups]);
    assert_eq!((rules.grace, rules.snapshots), (Duration::ZERO, 20));
}

#[test]
fn a_builder_is_named_by_its_setting_or_its_host() {
    let fixture = Fixture::new();
    let shared = fixture.path().to_str().unwrap().to_owned();
    let fixture = fixture
        .set("builder.shared_dir", &shared)
        .env("BUILDER_TIMEOUT", "7200");
    let role = fixture.load().config.require_builder("host-1").unwrap();
    assert_eq!(role.name.as_str(), "host-1");
    assert_eq!(role.timeout, Duration::from_secs(7200));
    assert_eq!(role.shared.host, role.shared.here);

    let error = fixture.load().config.require_builder("").unwrap_err().to_string();
    assert!(
        error.contains("builder.name (BUILDER_HOSTNAME): not set"),
        "{error}"
    );

    let fixture = fixture
        .env("BUILDER_HOSTNAME", "big")
        .env("SHARED_PATH", "/srv/shared");
    let role = fixture.load().config.require_builder("").unwrap();
    assert_eq!(role.name.as_str(), "big");
    assert_eq!(role.shared.host.to_str(), Some("/srv/shared"));
}

#[test]
fn a_name_that_is_no_builder_name_is_refused_where_it_is_set() {
    let error = Fixture::new().env("BUILDER_HOSTNAME", "12").error().to_string();
    assert!(
        error.contains("builder.name") && error.contains("not a number"),
        "{error}"
    );
}

#[test]
fn web_and_standalone_say_what_they_need() {
    let config = Fixture::new().load().config;
    let error = config.require_web().unwrap_err().to_string();
    assert!(
        error.contains("CAUR_WEB_PORT") && error.contains("--web-port"),
        "{error}"
    );
    let error = config.require_standalone().unwrap_err();
    assert_eq!(error.problems.len(), 3, "{error}");
    assert!(error.to_string().contains("CAUR_STATE_DIR"), "{error}");

    let config = Fixture::new()
        .set("web.port", "8080")
        .env("CAUR_STATE_DIR", "/var/lib/caur")
        .env("PACKAGE_REPOS", REPOS)
        .env("PACKAGE_TARGET_REPOS", r#"{"chaotic-aur":{}}"#)
        .load()
        .config;
    assert_eq!(config.require_web().unwrap().port, 8080);
    assert_eq!(config.require_standalone().unwrap().targets.len(), 1);
}
