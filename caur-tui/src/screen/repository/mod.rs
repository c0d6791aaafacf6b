//! What the repositories list, and what is asked of them.

pub mod draw;
mod row;

pub use row::PackageRow;

use caur_core::model::{RequestId, Target};

use crate::msg::{FarmNews, RepoProgress, RepositoryNews};
use crate::table::Table;

/// The state of the repository view.
#[derive(Debug, Default)]
pub struct RepositoryScreen {
    /// The packages of the target that is looked at.
    pub table: Table<PackageRow>,
    target: Option<Target>,
    loaded: bool,
}

impl RepositoryScreen {
    /// The target that is looked at.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Whether its packages came.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Takes what the farm is made of.
    pub fn take_farm(&mut self, farm: &FarmNews) {
        if self.target.is_none() {
            self.target = farm.targets.first().cloned();
        }
    }

    /// Takes what a target lists.
    pub fn take(&mut self, target: &Target, news: RepositoryNews) {
        if self.target.as_ref() == Some(target)
            && let Some(packages) = news.packages
        {
            self.table.replace(packages.into_iter().map(PackageRow::from));
            self.loaded = true;
        }
    }

    /// Takes where a request stands.
    pub fn take_progress(&mut self, _request: &RequestId, _progress: RepoProgress) {}
}
