//! Repositories whose files are at hand: `--root`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use caur_core::config::{Config, RepositoryRules};
use caur_core::queue::{RepoAnswer, RepoRequest};
use caur_core::repo::{Origin, Repository};
use color_eyre::eyre::{Result, eyre};

use super::site::Site;
use crate::asker::Requester;
use crate::cli::RepoPlace;
use crate::repository_options::repository_options;

/// Repositories below a root, not opened yet.
pub struct Files {
    root: PathBuf,
    rules: RepositoryRules,
    /// Whether signatures are made and checked because somebody said so, and not only by default.
    stated: bool,
}

impl Files {
    /// What the flags say, over the settings.
    ///
    /// # Errors
    /// There is no `--root`, or settings are unusable.
    pub fn of(place: &RepoPlace, config: &Config) -> Result<Self> {
        let root = place.root.clone().ok_or_else(|| {
            eyre!("this works on files only: --root DIR names the folder of the repositories")
        })?;
        let mut config = config.clone();
        let settings = &mut config.database;
        let stated = place.gpg_home.is_some() || place.gpg_key.is_some() || settings.gpg_path.is_some();
        settings.sign = !place.no_sign && (settings.sign || stated);
        settings.sign_databases = !place.no_sign && (settings.sign_databases || place.sign_databases);
        settings.gpg_path = place.gpg_home.clone().or_else(|| settings.gpg_path.clone());
        settings.gpg_key = place.gpg_key.clone().or_else(|| settings.gpg_key.clone());
        let rules = config.require_repository()?;
        Ok(Self {
            root,
            stated: stated || rules.sign_databases,
            rules,
        })
    }

    /// Further databases of other repositories.
    pub fn upstream(&mut self, databases: Vec<PathBuf>) {
        self.rules.upstream_databases.extend(databases);
    }

    /// Without a keyring. Nothing but new packages and databases is signed, so much can be done without one.
    pub fn unsigned(mut self) -> Self {
        self.rules.signing = None;
        self
    }

    /// Opens them. Blocks.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn open(self) -> Result<Site> {
        let options = repository_options(self.root, &self.rules)?;
        Ok(Site {
            repository: Arc::new(Repository::open(options)?),
            upstream: self.rules.upstream_databases,
        })
    }

    /// Does what `request` asks.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn carry_out(mut self, request: RepoRequest, requester: &Requester) -> Result<RepoAnswer> {
        if !self.stated {
            self = self.unsigned();
        }
        let origin = origin(requester);
        let by = origin.who.clone();
        let done = tokio::task::spawn_blocking(move || -> Result<_> {
            Ok(self.open()?.carry_out(&request, BTreeMap::new(), &origin))
        })
        .await??;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(RepoAnswer {
            outcome: done.outcome,
            message: done.message,
            value: done.value,
            by,
            at: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// Whoever runs this program.
pub fn origin(requester: &Requester) -> Origin {
    let asker = requester.asker();
    Origin {
        who: asker.by.to_owned(),
        reason: asker.why.to_owned(),
        request: None,
    }
}
