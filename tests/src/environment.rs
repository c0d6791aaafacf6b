//! The environment that an operator would give each role of the farm.

use std::fs;

use serde_json::json;

use crate::farm::PASSWORD;
use crate::{Farm, SOURCE, SigningKey, TARGET, build_image, engine_socket};

/// A host key that belongs to nobody.
pub const FOREIGN_HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fKQ6Ih3VwPDxSDzgOLWi2rSrFvIDDfcYdhUuSFQAA";

impl Farm {
    /// The address of Redis, with its password.
    #[must_use]
    pub fn redis_url(&self) -> String {
        let password: String = PASSWORD.bytes().map(|byte| format!("%{byte:02x}")).collect();
        format!("redis://:{password}@127.0.0.1:{}/", self.redis.port())
    }

    /// The environment that reaches Redis directly.
    #[must_use]
    pub fn redis_environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("REDIS_HOST", "127.0.0.1".to_owned()),
            ("REDIS_PORT", self.redis.port().to_string()),
            ("REDIS_PASSWORD", PASSWORD.to_owned()),
        ];
        if self.options.lease > 0 {
            environment.push(("CAUR_QUEUE_LEASE", self.options.lease.to_string()));
        }
        environment
    }

    /// The environment that reaches Redis as builders of this farm do.
    ///
    /// # Panics
    /// Never: a farm with SSH has a server.
    #[must_use]
    pub fn builder_redis_environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.redis_environment();
        if let Some(sshd) = &self.sshd {
            let target = sshd.target();
            environment.extend([
                ("REDIS_SSH_HOST", target.host),
                ("REDIS_SSH_PORT", target.port.to_string()),
                ("REDIS_SSH_USER", target.user),
                ("REDIS_SSH_KEY", sshd.client_key().display().to_string()),
                ("REDIS_SSH_HOSTKEY", sshd.host_key()),
            ]);
        }
        environment
    }

    /// The environment of the `database` role.
    #[must_use]
    pub fn database_environment(&self) -> Vec<(&'static str, String)> {
        let (extra_repos, extra_keyrings) = if self.options.builds_install {
            let keyring = format!("{}/keyring/{}", self.files.url(), SigningKey::KEYRING_PACKAGE);
            (
                json!([{ "name": TARGET, "servers": [self.server()] }]),
                json!([keyring]),
            )
        } else {
            (json!([]), json!([]))
        };
        let mut environment = self.redis_environment();
        environment.extend([
            (
                "PACKAGE_REPOS",
                json!({ SOURCE: { "url": self.source.path() } }).to_string(),
            ),
            (
                "PACKAGE_TARGET_REPOS",
                json!({ TARGET: { "extra_repos": extra_repos, "extra_keyrings": extra_keyrings } })
                    .to_string(),
            ),
            ("LANDING_ZONE_PATH", self.landing_zone().display().to_string()),
            ("REPO_PATH", self.repository().display().to_string()),
            ("GPG_PATH", self.key.home().display().to_string()),
            ("BUILDER_IMAGE", build_image()),
        ]);
        if let Some(sshd) = &self.sshd {
            let target = sshd.target();
            environment.extend([
                (
                    "LANDING_ZONE_ADVERTISED_PATH",
                    self.path().join("inbox").display().to_string(),
                ),
                ("DATABASE_HOST", target.host),
                ("DATABASE_PORT", target.port.to_string()),
                ("DATABASE_USER", target.user),
                ("DATABASE_HOST_KEYS", sshd.host_key()),
            ]);
        }
        environment
    }

    /// The environment of a `builder`.
    ///
    /// # Panics
    /// When its shared directory cannot be made.
    #[must_use]
    pub fn builder_environment(&self, name: &str, class: &str) -> Vec<(&'static str, String)> {
        let shared = self.path().join(format!("shared-{name}"));
        fs::create_dir_all(&shared).expect("a temporary directory is writable");
        let mut environment = self.builder_redis_environment();
        environment.extend([
            ("BUILDER_HOSTNAME", self.builder_name(name)),
            ("BUILDER_CLASS", class.to_owned()),
            ("BUILDER_TIMEOUT", "100".to_owned()),
            ("BUILDER_SHARED_DIR", shared.display().to_string()),
            ("SHARED_PATH", shared.display().to_string()),
            ("BUILDER_NETWORK", "host".to_owned()),
            ("DOCKER_SOCKET", engine_socket().display().to_string()),
        ]);
        if self.sshd.is_none() {
            environment.extend([
                ("LANDING_ZONE_PATH", self.landing_zone().display().to_string()),
                ("REPO_PATH", self.repository().display().to_string()),
            ]);
        }
        environment
    }
}

/// An environment with variables replaced, added or, with an empty value, removed.
#[must_use]
pub fn changed(
    mut environment: Vec<(&'static str, String)>,
    changes: &[(&'static str, &str)],
) -> Vec<(&'static str, String)> {
    for (name, value) in changes {
        environment.retain(|(other, _)| other != name);
        if !value.is_empty() {
            environment.push((name, (*value).to_owned()));
        }
    }
    environment
}
