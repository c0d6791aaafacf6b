//! What a check can find.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::elf::Bits;
use super::signatures::SignatureFault;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Somebody should look; pacman works all the same, or nobody can tell for sure.
    Warning,
    /// Some package cannot be found, installed or run, or is not what the database says.
    Error,
}

/// A library that could be meant instead of one that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OtherVersion {
    /// The package that has it.
    pub package: String,
    /// Its name.
    pub library: String,
}

/// One thing that is wrong with a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// There is no such database.
    DatabaseMissing {
        /// The database's path.
        database: PathBuf,
    },
    /// A database that is damaged or none.
    DatabaseUnreadable {
        /// The database's path.
        database: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A name that clients ask for does not exist.
    LinkMissing {
        /// Its name.
        link: String,
        /// Where it should lead.
        expected: String,
    },
    /// A name that clients ask for leads to another file.
    LinkElsewhere {
        /// Its name.
        link: String,
        /// Where it leads.
        found: String,
        /// Where it should lead.
        expected: String,
    },
    /// An entry that does not say what package it is about, or is about another.
    BadEntry {
        /// The database's name.
        database: String,
        /// The entry's directory.
        entry: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A database has more than one entry for a package.
    TwoEntries {
        /// The database's name.
        database: String,
        /// The package.
        package: String,
        /// The versions, in the database's order. pacman uses one of them.
        versions: Vec<String>,
    },
    /// Only one of the two databases has an entry.
    EntryInOneDatabase {
        /// The entry's directory.
        entry: String,
        /// The database that has it.
        present: String,
        /// The database that lacks it.
        missing: String,
    },
    /// The databases say different things about a package.
    EntriesDiffer {
        /// The entry's directory.
        entry: String,
    },
    /// A listed package has no file.
    FileMissing {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
    },
    /// A listed package's file is something else than a file.
    NotRegular {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
        /// What it is.
        found: FileKind,
    },
    /// A listed package's file has another size than the database says.
    FileSize {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
        /// The size in the database, in bytes.
        expected: u64,
        /// The size of the file, in bytes.
        found: u64,
    },
    /// A listed package's file has another SHA-256 than the database says.
    FileHash {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
        /// The hash in the database.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// The database has no SHA-256 for a package, so that nobody can tell whether its file is intact.
    NoHash {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
    },
    /// A file cannot be read from the disk.
    FileUnreadable {
        /// The name of the file.
        file: String,
        /// What the system says.
        problem: String,
    },
    /// A file that is what the database says, but no package.
    PackageUnreadable {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A listed package has no signature.
    SignatureMissing {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
    },
    /// A signature does not hold.
    SignatureBad {
        /// The name of the signed file.
        file: String,
        /// Why not.
        fault: SignatureFault,
    },
    /// The signature in the database is not the one beside the file.
    SignatureDiffers {
        /// The package.
        package: String,
        /// The name of its file.
        file: String,
    },
    /// A signature whose package is gone.
    SignatureWithoutPackage {
        /// The name of the signature.
        file: String,
    },
    /// A package file that the database does not list, nor any other version of it.
    Orphan {
        /// The name of the file.
        file: String,
    },
    /// A package file beside the one that the database lists for the same package.
    Duplicate {
        /// The package.
        package: String,
        /// The name of the file.
        file: String,
        /// The name of the listed file.
        listed: String,
    },
    /// Nobody provides what a package depends on.
    Dependency {
        /// The package.
        package: String,
        /// What it depends on, as it states it.
        dependency: String,
        /// What there is under that name: packages with versions, and what they provide.
        known: Vec<String>,
        /// Whether no repository that was not given could help.
        certain: bool,
    },
    /// A package needs a library of a version that nobody has, and somebody has another version.
    SonameBroken {
        /// The package.
        package: String,
        /// The file in it that needs the library.
        file: String,
        /// The library's name.
        library: String,
        /// For 32 or 64 bits.
        bits: Bits,
        /// Who has another version.
        others: Vec<OtherVersion>,
        /// Whether no repository that was not given could help.
        certain: bool,
    },
    /// A package needs a library that nobody has in any version.
    SonameMissing {
        /// The package.
        package: String,
        /// The file in it that needs the library.
        file: String,
        /// The library's name.
        library: String,
        /// For 32 or 64 bits.
        bits: Bits,
    },
}

/// What there can be under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A file.
    Regular,
    /// A symbolic link to a file.
    LinkToFile,
    /// A symbolic link that leads to nothing or to no file.
    DeadLink,
    /// A folder.
    Folder,
    /// A pipe, socket or device.
    Special,
}

impl FileKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::LinkToFile => "a symbolic link to a file",
            Self::DeadLink => "a symbolic link that leads to no file",
            Self::Folder => "a folder",
            Self::Special => "a pipe, socket or device",
        }
    }
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::DatabaseMissing { .. }
            | Self::DatabaseUnreadable { .. }
            | Self::LinkMissing { .. }
            | Self::LinkElsewhere { .. }
            | Self::BadEntry { .. }
            | Self::TwoEntries { .. }
            | Self::EntryInOneDatabase { .. }
            | Self::EntriesDiffer { .. }
            | Self::FileMissing { .. }
            | Self::FileSize { .. }
            | Self::FileHash { .. }
            | Self::FileUnreadable { .. }
            | Self::PackageUnreadable { .. }
            | Self::SignatureMissing { .. }
            | Self::SignatureDiffers { .. } => Severity::Error,
            Self::NotRegular { found, .. } => match found {
                FileKind::Regular | FileKind::LinkToFile => Severity::Warning,
                FileKind::DeadLink | FileKind::Folder | FileKind::Special => Severity::Error,
            },
            Self::SignatureBad { fault, .. } => fault.severity(),
            Self::Dependency { certain, .. } | Self::SonameBroken { certain, .. } => match certain {
                true => Severity::Error,
                false => Severity::Warning,
            },
            // Programs bring plugins along for libraries that few have: this alone breaks no package.
            Self::SonameMissing { .. } => Severity::Warning,
            Self::NoHash { .. }
            | Self::SignatureWithoutPackage { .. }
            | Self::Orphan { .. }
            | Self::Duplicate { .. } => Severity::Warning,
        }
    }

    fn line(&self) -> String {
        match self {
            Self::DatabaseMissing { database } => format!("{} does not exist", database.display()),
            Self::DatabaseUnreadable { database, problem } => {
                format!("{} cannot be relied on: {problem}", database.display())
            }
            Self::LinkMissing { link, expected } => {
                format!("{link} does not exist; it should be a link to {expected}")
            }
            Self::LinkElsewhere {
                link,
                found,
                expected,
            } => {
                format!("{link} leads to {found}, it should lead to {expected}")
            }
            Self::BadEntry {
                database,
                entry,
                problem,
            } => {
                format!("{database}: the entry {entry} {problem}")
            }
            Self::TwoEntries {
                database,
                package,
                versions,
            } => {
                format!(
                    "{database} lists {package} more than once: {}",
                    versions.join(", ")
                )
            }
            Self::EntryInOneDatabase {
                entry,
                present,
                missing,
            } => {
                format!("{present} lists {entry}, {missing} does not")
            }
            Self::EntriesDiffer { entry } => format!("the two databases say different things about {entry}"),
            Self::FileMissing { package, file } => format!("{package} is listed, but {file} does not exist"),
            Self::NotRegular { package, file, found } => {
                format!("{file} of {package} is {}, not a regular file", found.as_str())
            }
            Self::FileSize {
                package,
                file,
                expected,
                found,
            } => {
                format!("{file} of {package} has {found} bytes, the database says {expected}")
            }
            Self::FileHash {
                package,
                file,
                expected,
                found,
            } => {
                format!("{file} of {package} has the SHA-256 {found}, the database says {expected}")
            }
            Self::NoHash { package, file } => {
                format!("the database has no SHA-256 of {file} of {package}, so its content was not checked")
            }
            Self::FileUnreadable { file, problem } => format!("{file} cannot be read: {problem}"),
            Self::PackageUnreadable {
                package,
                file,
                problem,
            } => {
                format!("{file} of {package} cannot be read as a package: {problem}")
            }
            Self::SignatureMissing { package, file } => format!("{file} of {package} has no signature"),
            Self::SignatureBad { file, fault } => format!("the signature of {file} {fault}"),
            Self::SignatureDiffers { package, file } => {
                format!("the database has another signature of {package} than {file}.sig")
            }
            Self::SignatureWithoutPackage { file } => {
                format!("{file} is the signature of a file that does not exist")
            }
            Self::Orphan { file } => format!("{file} is not listed"),
            Self::Duplicate {
                package,
                file,
                listed,
            } => {
                format!("{file} is not listed; of {package} the database lists {listed}")
            }
            Self::Dependency {
                package,
                dependency,
                known,
                certain,
            } => {
                let who = if *certain {
                    "nobody provides"
                } else {
                    "this repository does not provide"
                };
                let known = match known.as_slice() {
                    [] => String::new(),
                    known => format!("; there is {}", known.join(", ")),
                };
                format!("{package} depends on {dependency}, which {who}{known}")
            }
            Self::SonameBroken {
                package,
                file,
                library,
                bits,
                others,
                certain,
            } => {
                let who = if *certain {
                    "nobody provides"
                } else {
                    "this repository does not provide"
                };
                let others: Vec<_> = others
                    .iter()
                    .map(|other| format!("{} provides {}", other.package, other.library))
                    .collect();
                let advice = if *certain {
                    ""
                } else {
                    " unless another repository has it"
                };
                format!(
                    "{package} needs {library} ({} bit, for {file}), which {who}; {}: rebuild {package}{advice}",
                    bits.as_str(),
                    others.join(", ")
                )
            }
            Self::SonameMissing {
                package,
                file,
                library,
                bits,
            } => {
                format!(
                    "{package} needs {library} ({} bit, for {file}), which nobody provides in any version",
                    bits.as_str()
                )
            }
        }
    }
}

/// One line; names come from files that anybody may have made, so nothing in it can steer a terminal.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.line().chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// The name of a file for people.
pub(super) fn shown(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
