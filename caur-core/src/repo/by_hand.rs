//! `repo add`: package files that somebody names are published, all or none. The one who names them answers for them,
//! so there is no job to compare with; what a package must be to be read safely holds all the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::adding::{self, Signatures, is_same};
use super::database::Listed;
use super::history::{Entry, Kind};
use super::intake::take_in_file;
use super::package::Package;
use super::publish::refuse_other_content;
use super::retired::is_regular;
use super::sign::{SIGNATURE_LIMIT, Signing, signature_path};
use super::store::Store;
use super::transaction::{Change, commit, hash_file};
use super::verify::{Liberties, Rules, Verified, verify_by_hand};
use super::{Attitude, Origin, Policy, RepoError};

/// How files are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddOptions {
    /// Whether a version is refused that is older than the published one.
    pub prevent_downgrade: bool,
    /// Whether packages may be taken over from another pkgbase.
    pub take_over: bool,
    /// Whether protected names may be used.
    pub protected_names: bool,
}

/// What was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddReport {
    /// Packages that the database lists now.
    pub added: Vec<Entry>,
    /// Packages that it listed before, with this very file.
    pub unchanged: Vec<Entry>,
    /// The transaction; none where nothing was changed.
    pub number: Option<u64>,
}

/// Adds the packages in `files`.
pub fn add(
    store: &Store<'_>,
    files: &[PathBuf],
    options: AddOptions,
    origin: &Origin,
) -> Result<AddReport, RepoError> {
    let mut known = store.begin()?;
    store.fresh_staging()?;
    let mut policy = store.options.policy;
    if options.prevent_downgrade {
        policy.downgrades = Attitude::Refuse;
    }
    let taken = take_in_all(store, files, &policy)?;
    let rules = Rules {
        protected: &store.options.protected_names,
        policy: &policy,
    };
    let liberties = Liberties {
        protected_names: options.protected_names,
        owned_names: options.take_over,
    };
    let public = store.layout.public();
    let same_content = |listed: &Listed, package: &Package| {
        let hash = listed.sha256.clone();
        let hash = hash.or_else(|| hash_file(&public.join(&listed.file_name)).ok());
        hash.as_ref() == Some(&package.sha256)
    };
    let verified = verify_by_hand(store.target, taken, &known.index, rules, liberties, same_content)?;
    if let Some(refusal) = refuse_other_content(store, &known, &verified)? {
        return Err(refusal.into());
    }
    let mut report = AddReport {
        added: Vec::new(),
        unchanged: Vec::new(),
        number: None,
    };
    let mut packages = Vec::new();
    for package in verified {
        let entry = Entry {
            pkgname: package.pkgname.to_string(),
            pkgbase: package.taken.package.info.pkgbase().to_owned(),
            version: package.taken.package.info.version().to_owned(),
        };
        if is_complete(store, &package)? {
            report.unchanged.push(entry);
        } else {
            report.added.push(entry);
            packages.push(package);
        }
    }
    if packages.is_empty() {
        store.disk.remove_folder(&store.layout.staging())?;
        return Ok(report);
    }
    let mut change = Change::new(Kind::Add, origin, known.index.clone());
    adding::add(store, &packages, Signatures::Make, &mut change)?;
    report.number = Some(commit(store, &mut known, change)?.number);
    Ok(report)
}

fn take_in_all(
    store: &Store<'_>,
    files: &[PathBuf],
    policy: &Policy,
) -> Result<Vec<super::intake::TakenIn>, RepoError> {
    let mut taken = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let staging = store.layout.staging().join(number.to_string());
        let package = take_in_file(store.disk, file, policy, &staging)??;
        if store.options.signing == Signing::Off {
            bring_signature(store, file, &package.staged)?;
        }
        taken.push(package);
    }
    Ok(taken)
}

/// Who does not have packages signed here may have signed them elsewhere.
fn bring_signature(store: &Store<'_>, file: &Path, staged: &Path) -> Result<(), RepoError> {
    let signature = signature_path(file);
    let size = fs::metadata(&signature).map(|metadata| metadata.len());
    if !is_regular(&signature) || size.is_ok_and(|size| size > SIGNATURE_LIMIT) {
        return Ok(());
    }
    let bytes = fs::read(&signature).map_err(|error| RepoError::io("read", &signature, error))?;
    store.disk.write(&signature_path(staged), &bytes)
}

fn is_complete(store: &Store<'_>, package: &Verified) -> Result<bool, RepoError> {
    let public = store.layout.public().join(&package.taken.file_name);
    let signed = match store.options.signing {
        Signing::Off => signature_path(&public).is_file() || !signature_path(&package.taken.staged).exists(),
        Signing::Gpg { .. } => adding::is_signed(store, &public)?,
    };
    Ok(package.listed && signed && is_same(&public, &package.taken.package)?)
}
