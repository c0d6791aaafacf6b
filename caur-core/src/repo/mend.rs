//! Mending what a check found, as far as that is safe: entries are made anew from the very files that the database
//! lists, signatures come back from the database where they still hold. Nothing is signed here, as a repair must not
//! vouch for what somebody may have changed; and no package is given up.

use std::collections::BTreeSet;
use std::fs::File;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::adding::{self, Signatures};
use super::check::{Finding, verify};
use super::database::{DatabaseEntry, DatabaseError, Listed, for_each_entry};
use super::history::Kind;
use super::intake::take_in_file;
use super::layout::DatabaseKind;
use super::package::Package;
use super::sign::{Signing, signature_path};
use super::store::{Known, Store};
use super::tidy::{TidyReport, tidy};
use super::transaction::{Change, commit, link_databases};
use super::verify::{Liberties, Rules, Verified, verify_by_hand};
use super::{Origin, Policy, RepoError};

/// What was mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MendReport {
    /// What housekeeping did.
    pub tidy: TidyReport,
    /// Links that led elsewhere or were not there.
    pub links: Vec<String>,
    /// Packages whose entries were made anew.
    pub entries: Vec<String>,
    /// Packages whose signatures came back.
    pub signatures: Vec<String>,
    /// The transaction; none where the databases were fine.
    pub number: Option<u64>,
}

/// Mends of `findings` what can be.
pub fn mend(store: &Store<'_>, findings: &[Finding], origin: &Origin) -> Result<MendReport, RepoError> {
    let signed = signature_path(&store.layout.database(DatabaseKind::Packages)).exists();
    store.fresh_staging()?;
    link_databases(store, signed)?;
    let mut report = MendReport {
        tidy: tidy(store)?,
        links: findings.iter().filter_map(bad_link).collect(),
        entries: Vec::new(),
        signatures: Vec::new(),
        number: None,
    };
    let mut known = store.begin()?;
    store.fresh_staging()?;
    let (wanted, surplus) = what_to_list_anew(&known, findings);
    let mut change = Change::new(Kind::Mend, origin, known.index.clone());
    let packages = read_again(store, &known, &wanted)?;
    let lost: BTreeSet<&str> = findings.iter().filter_map(lost_signature).collect();
    let mut mended = Vec::new();
    for package in packages {
        let name = package.pkgname.to_string();
        let restored = restore_signature(store, &package)?;
        if restored {
            report.signatures.push(name.clone());
        }
        if restored || !lost.contains(name.as_str()) {
            report.entries.push(name);
            mended.push(package);
        }
    }
    let packages = mended;
    if packages.is_empty() && !surplus {
        store.disk.remove_folder(&store.layout.staging())?;
        return Ok(report);
    }
    adding::add(store, &packages, Signatures::Keep, &mut change)?;
    report.number = Some(commit(store, &mut known, change)?.number);
    Ok(report)
}

/// The listed packages whose entries are in doubt; and whether the files database lists others, which any transaction
/// leaves out.
fn what_to_list_anew(known: &Known, findings: &[Finding]) -> (BTreeSet<String>, bool) {
    let (mut names, mut surplus) = (BTreeSet::new(), false);
    for finding in findings {
        match finding {
            Finding::EntryInOneDatabase { entry, .. } | Finding::EntriesDiffer { entry } => {
                let entry = DatabaseEntry {
                    directory: entry.clone(),
                    members: Vec::new(),
                    modified: 0,
                };
                let listed = known.index.contains_key(entry.pkgname());
                surplus |= !listed;
                if listed {
                    names.insert(entry.pkgname().to_owned());
                }
            }
            Finding::SignatureMissing { package, .. } | Finding::SignatureDiffers { package, .. } => {
                names.insert(package.clone());
            }
            _ => {}
        }
    }
    names.retain(|name| known.index.contains_key(name));
    (names, surplus)
}

fn bad_link(finding: &Finding) -> Option<String> {
    match finding {
        Finding::LinkMissing { link, .. } | Finding::LinkElsewhere { link, .. } => Some(link.clone()),
        _ => None,
    }
}

fn lost_signature(finding: &Finding) -> Option<&str> {
    match finding {
        Finding::SignatureMissing { package, .. } => Some(package),
        _ => None,
    }
}

/// Listed packages as their files are, where these are the files that the database means.
pub fn read_again(
    store: &Store<'_>,
    known: &Known,
    names: &BTreeSet<String>,
) -> Result<Vec<Verified>, RepoError> {
    let policy = Policy {
        largest_package: u64::MAX,
        largest_upload: u64::MAX,
        ..Policy::default()
    };
    let rules = Rules {
        protected: &store.options.protected_names,
        policy: &policy,
    };
    let liberties = Liberties {
        protected_names: true,
        owned_names: true,
    };
    let same = |listed: &Listed, package: &Package| listed.sha256.as_ref() == Some(&package.sha256);
    let mut packages = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let path = store.layout.public().join(&known.index[name].file_name);
        let staging = store.layout.staging().join(number.to_string());
        if let Ok(taken) = take_in_file(store.disk, &path, &policy, &staging)?
            && let Ok(verified) =
                verify_by_hand(store.target, vec![taken], &known.index, rules, liberties, same)
        {
            packages.extend(verified.into_iter().filter(|package| package.listed));
        }
    }
    Ok(packages)
}

/// Puts the signature that the database holds beside a package that lost its own, where it holds.
fn restore_signature(store: &Store<'_>, package: &Verified) -> Result<bool, RepoError> {
    let Signing::Gpg { home, .. } = &store.options.signing else {
        return Ok(false);
    };
    let public = store.layout.public().join(&package.taken.file_name);
    if signature_path(&public).exists() {
        return Ok(false);
    }
    let Some(bytes) = signature_in_database(store, package.pkgname.as_str())? else {
        return Ok(false);
    };
    let signature = signature_path(&package.taken.staged);
    store.disk.write(&signature, &bytes)?;
    if verify(home, &package.taken.staged)?.is_none() {
        return Ok(true);
    }
    store.disk.remove(&signature)?;
    Ok(false)
}

fn signature_in_database(store: &Store<'_>, name: &str) -> Result<Option<Vec<u8>>, RepoError> {
    let path = store.layout.database(DatabaseKind::Packages);
    let file = File::open(&path).map_err(|error| RepoError::io("read", &path, error))?;
    let mut found = None;
    for_each_entry(file, |entry| {
        if entry.pkgname() == name {
            found = entry
                .desc()?
                .one("PGPSIG")
                .and_then(|text| BASE64.decode(text).ok());
        }
        Ok::<_, DatabaseError>(())
    })
    .map_err(|source| RepoError::Database { path, source })?;
    Ok(found)
}
