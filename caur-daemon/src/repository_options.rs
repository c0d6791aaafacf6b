//! From the settings to how a repository is kept: the same for the `database` role and for commands on files.

use std::path::{Path, PathBuf};

use caur_core::config::{self, RepositoryRules, Unwanted};
use caur_core::repo::{Attitude, Keeping, Policy, ProtectedNames, RepoError, RepositoryOptions, Signing};

/// The options of the repositories below `root`. Reads the protected databases.
///
/// # Errors
/// When one of them cannot be relied on.
pub fn repository_options(root: PathBuf, rules: &RepositoryRules) -> Result<RepositoryOptions, RepoError> {
    let mut protected_names = ProtectedNames::default();
    for name in &rules.protected_pkgnames {
        protected_names.protect(name.clone());
    }
    for path in &rules.protected_databases {
        protected_names.protect_database(path)?;
    }
    for (pkgbase, pkgname) in &rules.allowed_pkgnames {
        match pkgname {
            Some(name) => protected_names.allow(pkgbase.clone(), name.clone()),
            None => protected_names.allow_all(pkgbase.clone()),
        }
    }
    Ok(RepositoryOptions {
        signing: rules.signing.as_ref().map_or(Signing::Off, signing),
        sign_databases: rules.sign_databases,
        protected_names,
        policy: policy(rules),
        keeping: Keeping {
            grace: rules.grace,
            retention: rules.retention,
            snapshots: rules.snapshots,
        },
        pages: rules.pages,
        ..RepositoryOptions::new(root)
    })
}

fn policy(rules: &RepositoryRules) -> Policy {
    let attitude = |unwanted| {
        if rules.refuse.contains(&unwanted) {
            Attitude::Refuse
        } else {
            Attitude::Accept
        }
    };
    Policy {
        debug_packages: attitude(Unwanted::Debug),
        replaces: attitude(Unwanted::Replaces),
        groups: attitude(Unwanted::Groups),
        conflicts: attitude(Unwanted::Conflicts),
        downgrades: attitude(Unwanted::Downgrades),
        largest_package: rules.largest_package,
        largest_upload: rules.largest_upload,
    }
}

fn signing(signing: &config::Signing) -> Signing {
    Signing::Gpg {
        home: gpg_home(signing.home.as_deref()),
        key: signing.key.clone(),
    }
}

/// gpg's own choice where none is configured.
fn gpg_home(configured: Option<&Path>) -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(|| "/root".into(), PathBuf::from);
    let own = || std::env::var_os("GNUPGHOME").map_or_else(|| home().join(".gnupg"), PathBuf::from);
    configured.map_or_else(own, Path::to_path_buf)
}
