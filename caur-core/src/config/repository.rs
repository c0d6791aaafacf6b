//! How repositories are kept, checked: for the `database` role and for commands that work on files.

use std::path::PathBuf;
use std::time::Duration;

use super::problem::{ConfigError, Problem};
use super::roles::existing_directory;
use super::rules::unusable;
use super::settings::{Config, DatabaseSettings, Unwanted};
use crate::model::{IdError, Pkgbase, Pkgname};

/// How packages are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// GnuPG home directory; gpg's own choice without it.
    pub home: Option<PathBuf>,
    /// The key; gpg's default without it.
    pub key: Option<String>,
}

/// How repositories are kept.
#[derive(Debug, Clone)]
pub struct RepositoryRules {
    /// None: packages are not signed.
    pub signing: Option<Signing>,
    /// Whether databases are signed, too.
    pub sign_databases: bool,
    /// pkgnames that may never be published.
    pub protected_pkgnames: Vec<Pkgname>,
    /// Databases whose pkgnames may never be published.
    pub protected_databases: Vec<PathBuf>,
    /// Who may use protected names all the same; none: every name.
    pub allowed_pkgnames: Vec<(Pkgbase, Option<Pkgname>)>,
    /// What packages are refused for.
    pub refuse: Vec<Unwanted>,
    /// The largest package file, in bytes.
    pub largest_package: u64,
    /// The most that the packages of one upload may have together, in bytes.
    pub largest_upload: u64,
    /// How long files stay beside the others after the database forgot them.
    pub grace: Duration,
    /// How long they stay in the archive after that.
    pub retention: Duration,
    /// How many states a target can be rolled back to.
    pub snapshots: usize,
    /// Whether each target has a page and a list.
    pub pages: bool,
    /// Databases of other repositories that users have.
    pub upstream_databases: Vec<PathBuf>,
}

impl Config {
    /// How repositories are kept, for commands that work on their files.
    ///
    /// # Errors
    /// Everything that is unusable.
    pub fn require_repository(&self) -> Result<RepositoryRules, ConfigError> {
        let mut problems = Vec::new();
        let rules = repository_rules(&self.database, &mut problems);
        ConfigError::unless_empty(problems)?;
        Ok(rules)
    }
}

pub(super) fn repository_rules(settings: &DatabaseSettings, problems: &mut Vec<Problem>) -> RepositoryRules {
    if let (true, Some(home)) = (settings.sign, &settings.gpg_path) {
        existing_directory("database.gpg_path", home, problems);
    }
    if settings.sign_databases && !settings.sign {
        problems.push(unusable(
            "database.sign_databases",
            "databases cannot be signed where packages are not: set database.sign as well",
        ));
    }
    for (key, paths) in [
        ("database.protected_databases", &settings.protected_databases),
        ("database.upstream_databases", &settings.upstream_databases),
    ] {
        for path in paths.iter().filter(|path| !path.is_file()) {
            let path = path.display();
            problems.push(unusable(
                key,
                format!("{path} is no file that this process can see; copy or mount it"),
            ));
        }
    }
    let mut protected_pkgnames = Vec::new();
    for name in &settings.protected_pkgnames {
        match Pkgname::new(name.as_str()) {
            Ok(name) => protected_pkgnames.push(name),
            Err(error) => problems.push(unusable("database.protected_pkgnames", error)),
        }
    }
    let mut allowed_pkgnames = Vec::new();
    for text in &settings.allowed_pkgnames {
        match allowance(text) {
            Ok(allowed) => allowed_pkgnames.push(allowed),
            Err(message) => problems.push(unusable("database.allowed_pkgnames", message)),
        }
    }
    RepositoryRules {
        signing: settings.sign.then(|| Signing {
            home: settings.gpg_path.clone(),
            key: settings.gpg_key.clone(),
        }),
        sign_databases: settings.sign_databases,
        protected_pkgnames,
        protected_databases: settings.protected_databases.clone(),
        allowed_pkgnames,
        refuse: settings.refuse.clone(),
        largest_package: settings.largest_package,
        largest_upload: settings.largest_upload,
        grace: Duration::from_secs(settings.grace_time),
        retention: Duration::from_secs(settings.archive_retention),
        snapshots: settings.snapshots,
        pages: settings.pages,
        upstream_databases: settings.upstream_databases.clone(),
    }
}

/// `PKGBASE:PKGNAME`, or `PKGBASE:*` for every name.
fn allowance(text: &str) -> Result<(Pkgbase, Option<Pkgname>), String> {
    let said = |error: IdError| error.to_string();
    let (pkgbase, pkgname) = text
        .split_once(':')
        .ok_or_else(|| format!("{text:?}: expected PKGBASE:PKGNAME or PKGBASE:*"))?;
    let pkgname = match pkgname {
        "*" => None,
        name => Some(Pkgname::new(name).map_err(said)?),
    };
    Ok((Pkgbase::new(pkgbase).map_err(said)?, pkgname))
}
