//! What CI has at hand: the dependency tree and the folders of packages.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use caur_core::ci::{DepTree, DepTreeWarning, SrcInfo};
use caur_core::model::{Arch, JobRequest, Pkgbase};
use color_eyre::eyre::{Result, WrapErr};

/// The tree of `--deptree`, else of the first `.ci/deptree.txt` where CI leaves it, else an empty one.
pub fn read_tree(flag: Option<&str>) -> Result<DepTree> {
    let (text, origin) = match flag {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .wrap_err("cannot read the dependency tree from standard input")?;
            (text, "standard input".to_owned())
        }
        Some(text) => (text.to_owned(), "--deptree".to_owned()),
        None => {
            let found = ci_folders()
                .map(|folder| folder.join(".ci/deptree.txt"))
                .find(|path| path.is_file());
            let Some(path) = found else {
                return Ok(DepTree::default());
            };
            let text = std::fs::read_to_string(&path)
                .wrap_err_with(|| format!("cannot read the dependency tree {}", path.display()))?;
            (text, path.display().to_string())
        }
    };
    DepTree::parse(&text).wrap_err_with(|| format!("the dependency tree of {origin} is malformed"))
}

/// Reads suspect entries of the tree anew from the packages' own folders, where CI has them at hand.
pub fn correct_suspects(tree: &mut DepTree, arch: &Arch) {
    let suspects: Vec<Pkgbase> = tree
        .warnings
        .iter()
        .filter_map(|warning| match warning {
            DepTreeWarning::Shifted { pkgbase, .. } => Some(pkgbase.clone()),
            DepTreeWarning::Repeated { .. } | DepTreeWarning::InvalidPkgbase { .. } => None,
        })
        .collect();
    for pkgbase in suspects {
        if let Some(info) = own_srcinfo(&pkgbase) {
            tree.correct(&pkgbase, &info, arch);
        }
    }
}

/// Every pkgbase of the collection, if the tree is of all of it: one that lacks a package that is scheduled is not.
pub fn collection(tree: &DepTree, batch: &[JobRequest]) -> Option<BTreeSet<Pkgbase>> {
    let is_whole = !batch.is_empty()
        && batch
            .iter()
            .all(|request| tree.entries.contains_key(&request.pkgbase));
    is_whole.then(|| tree.entries.keys().cloned().collect())
}

/// What a package's own folder says, where CI has it at hand.
pub fn own_srcinfo(pkgbase: &Pkgbase) -> Option<SrcInfo> {
    let path = ci_folders()
        .map(|folder| folder.join(pkgbase.as_str()).join(".SRCINFO"))
        .find(|path| path.is_file())?;
    let text = std::fs::read_to_string(path).ok()?;
    Some(SrcInfo::parse(pkgbase, &text))
}

/// Where CI has the repository of package folders, most telling first.
fn ci_folders() -> impl Iterator<Item = PathBuf> {
    let variables = ["CI_BUILDS_DIR", "CI_PROJECT_DIR", "GITHUB_WORKSPACE"];
    variables
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from)
        .chain([PathBuf::from(".")])
}
