//! Why an upload is not published: each rule by name, with the file that breaks it.

use crate::model::{Pkgbase, Target};

use super::package::PackageError;

/// A rule that an upload breaks. Nothing of it was signed or published.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The manifest is for another target.
    #[error("the manifest is for {found}, not for {expected}")]
    OtherTarget {
        /// The target that is being published.
        expected: Target,
        /// The manifest's.
        found: Target,
    },
    /// The upload's folder is missing or no folder.
    #[error("the upload's folder {0:?} is missing or not a folder; the build has to be repeated")]
    NoFolder(String),
    /// There are no packages.
    #[error("the manifest names no packages")]
    Empty,
    /// A name in the manifest that could not have come from makepkg.
    #[error(
        "{0:?} is no name for a package file: expected letters, digits and any of @ . _ + - : ~ ^ =, no leading - or ., at most 251 bytes"
    )]
    BadFileName(String),
    /// A signature was uploaded.
    #[error("{0:?} is a signature, not a package; packages come without, as they are signed here")]
    Signature(String),
    /// A file is named twice.
    #[error("{0:?} is named twice")]
    ListedTwice(String),
    /// A file that is too large.
    #[error(
        "{file:?} has {size} bytes, and this repository takes packages of at most {limit}; leave out what is not needed at run time, split the package, or raise the limit"
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Its size, in bytes.
        size: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// Files that are too large together.
    #[error(
        "the packages have {size} bytes together, and this repository takes at most {limit} in one upload; split the package base, or raise the limit"
    )]
    UploadTooLarge {
        /// Their sizes together, in bytes.
        size: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// A package that the manifest does not name.
    #[error("{0:?} lies in the upload, but the manifest does not name it")]
    NotInManifest(String),
    /// A file is not there.
    #[error("{0:?} is in the manifest, but not in the upload")]
    Missing(String),
    /// A file that was named by hand is not there.
    #[error("there is no file {0:?}")]
    NoFile(String),
    /// A link, device, folder, socket or pipe.
    #[error("{0:?} is not a regular file")]
    NotRegular(String),
    /// The size differs.
    #[error("{file:?} has {found} bytes, the manifest says {expected}")]
    Size {
        /// The file.
        file: String,
        /// The manifest's size.
        expected: u64,
        /// Its size; where it grew while it was read, what had been read by then.
        found: u64,
    },
    /// The file got another size while it was read.
    #[error("{0:?} was written to while it was read; try again when it is complete")]
    Changed(String),
    /// The content differs.
    #[error("{file:?} has the SHA-256 {found}, the manifest says {expected}")]
    Hash {
        /// The file.
        file: String,
        /// The manifest's.
        expected: String,
        /// The content's.
        found: String,
    },
    /// Not a package.
    #[error("{file:?} is refused: {source}")]
    Package {
        /// The file.
        file: String,
        /// Why.
        source: PackageError,
    },
    /// A pkgname or version that makepkg would not let pass.
    #[error("{file:?} states the {what} {value:?}, expected {expected}")]
    BadValue {
        /// The file.
        file: String,
        /// Which value.
        what: &'static str,
        /// The value.
        value: String,
        /// The rule.
        expected: &'static str,
    },
    /// The name does not fit the content.
    #[error("{file:?} holds a package that must be called {expected:?}")]
    FileName {
        /// The file.
        file: String,
        /// The name that its .PKGINFO implies.
        expected: String,
    },
    /// The name says zstd, the content does not.
    #[error("{0:?} is not compressed with zstd, although its name says so")]
    NotZstd(String),
    /// Another PKGBUILD's package.
    #[error("{file:?} comes from the pkgbase {found:?}, the job built {expected}")]
    OtherPkgbase {
        /// The file.
        file: String,
        /// The job's pkgbase.
        expected: Pkgbase,
        /// The package's.
        found: String,
    },
    /// Another machine's package.
    #[error("{file:?} is for the architecture {found:?}, the repository is {expected}")]
    OtherArch {
        /// The file.
        file: String,
        /// The repository.
        expected: Target,
        /// The package's architecture.
        found: String,
    },
    /// A debug package where none are wanted.
    #[error("{0:?} is a debug package, and this repository takes none; build with options=(!debug)")]
    Debug(String),
    /// A package that replaces others where none may.
    #[error(
        "{file:?} replaces {values} on every system that upgrades, and this repository takes no such packages; drop `replaces` from the PKGBUILD, or accept it in the policy"
    )]
    Replaces {
        /// The file.
        file: String,
        /// What it replaces.
        values: String,
    },
    /// A package in a group where none may be.
    #[error(
        "{file:?} is in the group {values}, and this repository takes no packages in groups; drop `groups` from the PKGBUILD, or accept it in the policy"
    )]
    Groups {
        /// The file.
        file: String,
        /// Its groups.
        values: String,
    },
    /// A package that conflicts with others where none may.
    #[error(
        "{file:?} conflicts with {values}, and this repository takes no packages with conflicts; drop `conflicts` from the PKGBUILD, or accept it in the policy"
    )]
    Conflicts {
        /// The file.
        file: String,
        /// What it conflicts with.
        values: String,
    },
    /// A version that nobody would upgrade to.
    #[error(
        "{file:?}: the version {version} is older than the published {published}, so that nobody would get it; build a newer one, raise its epoch, or accept downgrades in the policy"
    )]
    Downgrade {
        /// The file.
        file: String,
        /// Its version.
        version: String,
        /// The version that the database lists.
        published: String,
    },
    /// The same package twice in one upload.
    #[error("the upload holds the package {0} twice")]
    Twice(String),
    /// The pkgname belongs to another pkgbase.
    #[error(
        "{file:?}: the package {pkgname} belongs to the pkgbase {owner}; it can move when {owner} is removed or gone from the collection, when {owner} gives it up in the same transaction, or by `repo transfer {pkgname}`"
    )]
    Owned {
        /// The file.
        file: String,
        /// The package's name.
        pkgname: String,
        /// Who publishes it.
        owner: String,
    },
    /// The pkgname belongs to the distribution.
    #[error(
        "{file:?}: the name {pkgname} is protected, as an upstream repository has such a package; allow {pkgbase} to use it if that is meant"
    )]
    Protected {
        /// The file.
        file: String,
        /// The package's name.
        pkgname: String,
        /// Who wants to publish it.
        pkgbase: Pkgbase,
    },
    /// The file name is taken by other content.
    #[error(
        "{0:?} is already published with other content, which clients may hold; rebuild with a bumped pkgrel"
    )]
    OtherContent(String),
}
