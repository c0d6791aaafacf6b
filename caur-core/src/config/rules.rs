//! What must hold between settings, and within values that end up in other programs' files.

use std::fmt::Display;

use super::problem::Problem;
use super::settings::Config;
use super::table::Setting;

/// Exit statuses of the build container that already have a meaning.
const TAKEN_STATUSES: [u8; 3] = [13, 124, 137];

/// Adds every broken rule to `problems`.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let skip = config.builder.ci_code_skip;
    if TAKEN_STATUSES.contains(&skip) {
        problems.push(unusable(
            "builder.ci_code_skip",
            format!("{skip} already has a meaning; take another status than 13, 124 and 137"),
        ));
    }
    let (host, here) = (&config.builder.build_dir_host, &config.builder.build_dir_manager);
    if host.is_some() != here.is_some() {
        let (unset, set) = if host.is_none() {
            ("builder.build_dir_host", "builder.build_dir_manager")
        } else {
            ("builder.build_dir_manager", "builder.build_dir_host")
        };
        problems.push(unusable(
            unset,
            format!("not set although {set} is; set both or neither"),
        ));
    }
    if config.telegram.bot_token.is_some() != config.telegram.chat_id.is_some() {
        problems.push(unusable(
            "telegram.chat_id",
            "telegram.bot_token and telegram.chat_id belong together; set both or neither",
        ));
    }
    check_packages(config, problems);
}

fn check_packages(config: &Config, problems: &mut Vec<Problem>) {
    let packages = &config.packages;
    for source in packages.notifiers.keys() {
        // Without any source repository the notifiers are merely unused, as on a builder.
        if !packages.repos.is_empty() && !packages.repos.contains_key(source) {
            problems.push(unusable(
                "packages.notifiers",
                format!("{source} is none of the source repositories in packages.repos"),
            ));
        }
    }
    for (source, settings) in &packages.repos {
        if settings.url.is_empty() || settings.url.starts_with('-') {
            problems.push(unusable(
                "packages.repos",
                format!("{source}: url must be an address for git clone"),
            ));
        }
    }
    for (target, settings) in &packages.target_repos {
        for repo in &settings.extra_repos {
            if repo.name.is_empty() || repo.name.contains(['[', ']', '\n', '\r']) {
                problems.push(unusable(
                    "packages.target_repos",
                    format!("{target}: {:?} cannot be a section of pacman.conf", repo.name),
                ));
            }
            if repo.servers.is_empty() || repo.servers.iter().any(|server| !is_one_word(server)) {
                problems.push(unusable(
                    "packages.target_repos",
                    format!(
                        "{target}: {:?} needs servers, each an address without white space",
                        repo.name
                    ),
                ));
            }
        }
        if settings
            .extra_keyrings
            .iter()
            .any(|address| !is_one_word(address))
        {
            problems.push(unusable(
                "packages.target_repos",
                format!("{target}: every keyring must be an address without white space"),
            ));
        }
    }
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

/// The problem of a setting whose value is well formed, but cannot be used.
pub(super) fn unusable(key: &'static str, message: impl Display) -> Problem {
    Problem::Unusable {
        key,
        env: Setting::find(key).map_or("", |setting| setting.env),
        message: message.to_string(),
    }
}
