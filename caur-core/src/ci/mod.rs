//! What CI knows about a package collection: `.SRCINFO`, `.CI/config` and the dependency tree.
//!
//! Everything here takes what real collections hold. One odd file or line is a warning, never the end of a
//! run over thousands of packages; only a dependency tree that is no tree at all is an error.

pub mod deptree;
pub mod package_config;
pub mod srcinfo;

#[cfg(test)]
mod collection_tests;

pub use deptree::{DepTree, DepTreeError, DepTreeWarning, Entry};
pub use package_config::{PackageBump, PackageConfig, PkgbuildSource};
pub use srcinfo::{Relations, SrcInfo, SrcInfoWarning};

/// The name in a dependency or provision such as `foo>=1:2.0`; none where there is none.
fn relation_name(relation: &str) -> Option<&str> {
    let name = relation
        .split(['<', '>', '='])
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches(',');
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    is_name.then_some(name)
}
