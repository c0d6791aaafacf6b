//! A real collection of packages, where it is at hand.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use caur_core::ci::{DepTree, SrcInfo};
use caur_core::model::{Arch, Pkgbase};

use crate::repository_root;

/// Package folders with their `.SRCINFO`, where they have one.
pub struct Collection(pub BTreeMap<Pkgbase, Option<SrcInfo>>);

impl Collection {
    /// The collection that `CAUR_FIXTURE` names, else the one beside the repository; none, said on standard output,
    /// where there is none.
    ///
    /// # Panics
    /// When the archive is damaged.
    #[must_use]
    pub fn load() -> Option<Self> {
        let path = env::var_os("CAUR_FIXTURE").map_or_else(
            || repository_root().join("../shared/fixtures/packages-2534.tar.zst"),
            PathBuf::from,
        );
        let Ok(file) = File::open(&path) else {
            println!(
                "skipped: the package collection {} is absent (set CAUR_FIXTURE)",
                path.display()
            );
            return None;
        };
        let decoder = zstd::Decoder::new(file).expect("the collection is compressed with zstd");
        let mut archive = tar::Archive::new(decoder);
        let mut packages = BTreeMap::new();
        for entry in archive.entries().expect("the collection is a tar archive") {
            let mut entry = entry.expect("the collection's archive is whole");
            let path = entry
                .path()
                .expect("its paths are text")
                .to_string_lossy()
                .into_owned();
            let Some((folder, file)) = path.trim_start_matches("./").split_once('/') else {
                continue;
            };
            let Ok(folder) = Pkgbase::new(folder) else {
                continue;
            };
            let info = packages.entry(folder.clone()).or_insert(None);
            if file == ".SRCINFO" {
                let mut text = String::new();
                entry.read_to_string(&mut text).expect("a .SRCINFO is text");
                *info = Some(SrcInfo::parse(&folder, &text));
            }
        }
        Some(Self(packages))
    }

    /// Its dependency tree.
    #[must_use]
    pub fn tree(&self, arch: &Arch) -> DepTree {
        let infos = self
            .0
            .iter()
            .filter_map(|(folder, info)| Some((folder, info.as_ref()?)));
        DepTree::from_srcinfos(infos, arch)
    }
}
