//! The container of one build, as the engine is asked for it: mounts, environment, limits.

use std::fmt::Write;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits,
};

use super::labels::{Identity, labels};
use super::record::Record;
use super::workspace::Workspace;
use super::{BuildError, BuildOrder};
use crate::config::BuilderSettings;
use crate::model::{BuilderName, ExtraRepo};

const MEBIBYTE: u64 = 1 << 20;
const NANO: f64 = 1e9;

/// What the engine is asked to create.
///
/// # Errors
/// [`BuildError::File`] when the record cannot be written.
pub(super) fn container(
    order: &BuildOrder,
    settings: &BuilderSettings,
    builder: &Identity,
    workspace: &Workspace,
    record: &Record,
) -> Result<ContainerCreateBody, BuildError> {
    Ok(ContainerCreateBody {
        image: Some(record.image.clone()),
        cmd: Some(vec!["build".to_owned(), order.request.pkgbase.to_string()]),
        env: Some(environment(order, settings, &builder.name)),
        labels: Some(labels(&order.token, builder, record)?),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(host_config(order, settings, workspace)),
        ..ContainerCreateBody::default()
    })
}

fn host_config(order: &BuildOrder, settings: &BuilderSettings, workspace: &Workspace) -> HostConfig {
    let memory = (settings.limits_ram > 0).then(|| saturating(settings.limits_ram.saturating_mul(MEBIBYTE)));
    let nofile = saturating(settings.limits_nofile);
    let of_package = settings.package_capabilities.get(order.request.pkgbase.as_str());
    let capabilities: Vec<_> = settings
        .capabilities
        .iter()
        .chain(of_package.into_iter().flatten())
        .cloned()
        .collect();
    HostConfig {
        mounts: Some(mounts(order, workspace)),
        // As a bind, not a mount: the engine makes the directory where it is missing.
        binds: Some(vec![format!(
            "{}:/home/builder/srcdest_cached",
            workspace.srcdest.host.display()
        )]),
        nano_cpus: (settings.limits_cpus > 0.0).then(|| nano_cpus(settings.limits_cpus)),
        memory,
        // The same number once more means that there is no swap on top.
        memory_swap: memory,
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("nofile".to_owned()),
            soft: Some(nofile),
            hard: Some(nofile),
        }]),
        cap_add: (!capabilities.is_empty()).then_some(capabilities),
        network_mode: (!settings.network.is_empty()).then(|| settings.network.clone()),
        // The output is read as it comes; no second copy on the engine's disk. One would let a builder that
        // restarted read what it missed, but every build would pay for that: attached, 15 MB take 0.30 s with
        // "none", 0.61 s with "local" (bounded, uncompressed) and 0.73 s with "json-file".
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        ..HostConfig::default()
    }
}

fn mounts(order: &BuildOrder, workspace: &Workspace) -> Vec<Mount> {
    let mut mounts = vec![
        mount(&workspace.pkgbuilds.host, "/pkgbuilds", false),
        mount(&workspace.pkgout.host, "/home/builder/pkgout", false),
        mount(&workspace.temp.host, "/home/builder/tempOut", false),
    ];
    mounts.extend(
        workspace
            .build_dir
            .iter()
            .map(|place| mount(&place.host, "/home/builder/build", false)),
    );
    mounts.extend(
        order
            .local_repository
            .iter()
            .map(|path| mount(path, "/repo_root", true)),
    );
    mounts
}

fn mount(host: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(host.to_string_lossy().into_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

fn environment(order: &BuildOrder, settings: &BuilderSettings, builder: &BuilderName) -> Vec<String> {
    // The builder's own mirror is the nearer one.
    let mirror = settings
        .pacman_repo
        .as_ref()
        .or(order.request.arch_mirror.as_ref());
    let optional = [
        ("MAKEFLAGS", settings.makeflags.as_ref()),
        ("PACMAN_REPO", mirror),
    ];
    let mut environment = vec![
        format!("BUILDER_HOSTNAME={builder}"),
        format!("BUILDER_TIMEOUT={}", settings.timeout),
        format!("CI_CODE_SKIP={}", settings.ci_code_skip),
        format!("EXTRA_PACMAN_REPOS={}", pacman_repositories(order)),
        format!("EXTRA_PACMAN_KEYRINGS={}", order.target.extra_keyrings.join(" ")),
    ];
    environment.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))),
    );
    environment
}

/// Stanzas for `pacman.conf`: the target itself first where its files are here, then what it is configured
/// with.
fn pacman_repositories(order: &BuildOrder) -> String {
    let target = &order.request.target;
    let local = order.local_repository.as_ref().filter(|root| {
        // pacman would refuse to synchronise at all with a repository that has no database yet.
        root.join(target.repo.as_str())
            .join(target.arch.as_str())
            .join(format!("{}.db", target.repo))
            .exists()
    });
    let mut text = String::new();
    if local.is_some() {
        // These are this machine's own files, mounted read-only, and the image does not know their key.
        let stanza = format!(
            "[{0}]\nSigLevel = Never\nServer = file:///repo_root/{0}/{1}\n",
            target.repo, target.arch
        );
        text.push_str(&stanza);
    }
    for ExtraRepo { name, servers } in &order.target.extra_repos {
        if local.is_some() && name == target.repo.as_str() {
            continue;
        }
        let servers: String = servers.iter().fold(String::new(), |mut lines, server| {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "Server = {server}");
            lines
        });
        text.push_str(&format!("[{name}]\n{servers}"));
    }
    text
}

fn saturating(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the engine counts whole billionths of a CPU"
)]
fn nano_cpus(cpus: f64) -> i64 {
    (cpus * NANO) as i64
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::build::classify::Limits;
    use crate::build::downloads::Downloads;
    use crate::build::workspace::Place;
    use crate::model::{BuildClass, JobId, JobRequest, LeaseToken, SourceSettings, Target, TargetSettings};

    fn order() -> BuildOrder {
        BuildOrder {
            token: LeaseToken {
                job: JobId(7),
                attempt: 2,
                nonce: "abc".to_owned(),
            },
            request: JobRequest {
                target: Target {
                    repo: "repo".parse().unwrap(),
                    arch: "x86_64".parse().unwrap(),
                },
                source: "src".parse().unwrap(),
                pkgbase: "foo".parse().unwrap(),
                class: BuildClass::DEFAULT,
                names: Vec::new(),
                needs: Vec::new(),
                build_commit: None,
                status_commit: None,
                arch_mirror: None,
                rebuild: false,
            },
            source: SourceSettings {
                url: "https://git.example/src".to_owned(),
            },
            target: TargetSettings {
                extra_repos: vec![ExtraRepo {
                    name: "extra-one".to_owned(),
                    servers: vec![
                        "https://a.example/$arch".to_owned(),
                        "https://b.example/$arch".to_owned(),
                    ],
                }],
                extra_keyrings: vec!["https://a.example/1".to_owned(), "https://a.example/2".to_owned()],
            },
            published: Vec::new(),
            image: "image".to_owned(),
            local_repository: None,
        }
    }

    fn workspace() -> Workspace {
        let place = |name: &str| Place {
            own: PathBuf::from("/own").join(name),
            host: PathBuf::from("/host").join(name),
        };
        Workspace {
            pkgbuilds: place("pkgbuilds"),
            pkgout: place("pkgout"),
            temp: place("temp"),
            srcdest: Downloads::Host("/host/srcdest".into())
                .take(&order().request, &place("unused"))
                .unwrap(),
            build_dir: Some(place("build")),
        }
    }

    fn identity() -> Identity {
        Identity {
            name: "b1".parse().unwrap(),
            shared: "/host".into(),
        }
    }

    fn record(order: &BuildOrder) -> Record {
        Record {
            package: order.request.key(),
            commit: "1".repeat(40).parse().unwrap(),
            image: "sha256:1".to_owned(),
            begun: 1,
            limits: Limits {
                skip_status: 123,
                makepkg_seconds: 2,
                job_seconds: 3,
                memory: 4,
            },
        }
    }

    fn body(order: &BuildOrder, settings: &BuilderSettings) -> ContainerCreateBody {
        container(order, settings, &identity(), &workspace(), &record(order)).unwrap()
    }

    fn variable<'a>(body: &'a ContainerCreateBody, name: &str) -> Option<&'a str> {
        body.env
            .iter()
            .flatten()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    #[test]
    fn the_contract_of_the_build_container_is_kept() {
        let body = body(&order(), &BuilderSettings::default());
        assert_eq!(
            body.cmd.as_deref(),
            Some(["build".to_owned(), "foo".to_owned()].as_slice())
        );
        let expected = [
            ("BUILDER_HOSTNAME", Some("b1")),
            ("BUILDER_TIMEOUT", Some("3600")),
            ("CI_CODE_SKIP", Some("123")),
            (
                "EXTRA_PACMAN_REPOS",
                Some("[extra-one]\nServer = https://a.example/$arch\nServer = https://b.example/$arch\n"),
            ),
            (
                "EXTRA_PACMAN_KEYRINGS",
                Some("https://a.example/1 https://a.example/2"),
            ),
            ("MAKEFLAGS", None),
            ("PACMAN_REPO", None),
            ("PACKAGE_REPO_ID", None),
            ("PACKAGE_REPO_URL", None),
        ];
        for (name, value) in expected {
            assert_eq!(variable(&body, name), value, "{name}");
        }
        let host = body.host_config.unwrap();
        let mounts: Vec<_> = host
            .mounts
            .iter()
            .flatten()
            .map(|mount| (mount.source.as_deref().unwrap(), mount.target.as_deref().unwrap()))
            .collect();
        assert_eq!(
            mounts,
            [
                ("/host/pkgbuilds", "/pkgbuilds"),
                ("/host/pkgout", "/home/builder/pkgout"),
                ("/host/temp", "/home/builder/tempOut"),
                ("/host/build", "/home/builder/build"),
            ]
        );
        assert_eq!(
            host.binds.unwrap(),
            ["/host/srcdest/repo/foo:/home/builder/srcdest_cached"]
        );
    }

    #[test]
    fn by_default_a_build_gets_no_capability_and_the_engines_limits() {
        let host = body(&order(), &BuilderSettings::default()).host_config.unwrap();
        assert_eq!(host.cap_add, None);
        assert_eq!(host.privileged, None);
        assert_eq!(
            (host.nano_cpus, host.memory, host.network_mode),
            (None, None, None)
        );
        let nofile = &host.ulimits.unwrap()[0];
        assert_eq!((nofile.soft, nofile.hard), (Some(8192), Some(8192)));
    }

    #[test]
    fn limits_mirror_and_capabilities_come_from_the_settings() {
        let mut settings = BuilderSettings {
            limits_cpus: 1.5,
            limits_ram: 512,
            makeflags: Some("-j3".to_owned()),
            network: "host".to_owned(),
            capabilities: vec!["SYS_PTRACE".to_owned()],
            ..BuilderSettings::default()
        };
        settings
            .package_capabilities
            .insert("foo".to_owned(), vec!["SYS_ADMIN".to_owned()]);
        settings
            .package_capabilities
            .insert("bar".to_owned(), vec!["NET_ADMIN".to_owned()]);
        let mut order = order();
        order.request.arch_mirror = Some("https://job.example".to_owned());
        let of_job = body(&order, &settings);
        assert_eq!(variable(&of_job, "PACMAN_REPO"), Some("https://job.example"));
        assert_eq!(variable(&of_job, "MAKEFLAGS"), Some("-j3"));
        let host = of_job.host_config.unwrap();
        assert_eq!(host.nano_cpus, Some(1_500_000_000));
        assert_eq!(
            (host.memory, host.memory_swap),
            (Some(512 << 20), Some(512 << 20))
        );
        assert_eq!(host.cap_add.unwrap(), ["SYS_PTRACE", "SYS_ADMIN"]);
        assert_eq!(host.network_mode.unwrap(), "host");

        settings.pacman_repo = Some("https://near.example".to_owned());
        assert_eq!(
            variable(&body(&order, &settings), "PACMAN_REPO"),
            Some("https://near.example")
        );
    }

    #[test]
    fn one_machine_needs_no_web_server() {
        let root = tempfile::tempdir().unwrap();
        let mut order = order();
        order.local_repository = Some(root.path().to_owned());
        order.target.extra_repos[0].name = "repo".to_owned();
        let before = body(&order, &BuilderSettings::default());
        assert!(
            !variable(&before, "EXTRA_PACMAN_REPOS")
                .unwrap()
                .contains("repo_root"),
            "no database yet"
        );

        let directory = root.path().join("repo/x86_64");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("repo.db"), "").unwrap();
        let after = body(&order, &BuilderSettings::default());
        assert_eq!(
            variable(&after, "EXTRA_PACMAN_REPOS"),
            Some("[repo]\nSigLevel = Never\nServer = file:///repo_root/repo/x86_64\n"),
            "a section may appear only once"
        );
        let mounts = after.host_config.unwrap().mounts.unwrap();
        let mount = mounts
            .iter()
            .find(|mount| mount.target.as_deref() == Some("/repo_root"))
            .unwrap();
        assert_eq!(mount.source.as_deref(), root.path().to_str());
        assert_eq!(mount.read_only, Some(true));
    }
}
