//! Publishing what builders uploaded: each upload is accepted or refused as a whole, all that are accepted go into
//! one transaction.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::adding::{self, Signatures};
use super::database::{Index, Listed};
use super::history::Kind;
use super::intake::take_in;
use super::package::Package;
use super::remove::is_left_behind;
use super::sign::signature_path;
use super::store::{Known, Store};
use super::transaction::{Change, commit, hash_file};
use super::verify::{Rules, Verified, verify};
use super::{Origin, Refusal, RepoError, Signing, Upload, UploadOutcome};
use crate::model::{JobId, Manifest, Pkgbase, Pkgname, PublishedPackage};

/// What a publish has to know besides the uploads.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// Who publishes.
    pub origin: Origin,
    /// The pkgbases of every collection that packages come from, where all are known: a package may move to another
    /// pkgbase when its old one is not among them any more.
    pub collection: Option<BTreeSet<Pkgbase>>,
    /// Packages that are removed in the same transaction.
    pub remove: BTreeSet<String>,
}

/// An upload that was looked at.
enum Judged {
    AlreadyPublished,
    Refused(Refusal),
    /// With the pkgbases that have to give something up for it.
    Accepted(Vec<Verified>, BTreeSet<String>),
}

/// Publishes `uploads`, no two of one pkgbase.
///
/// # Errors
/// When disk, database or gpg fail. Nothing is half-published then.
pub fn publish(
    store: &Store<'_>,
    uploads: &[Upload],
    circumstances: &Circumstances,
) -> Result<Vec<(JobId, UploadOutcome)>, RepoError> {
    let mut known = store.begin()?;
    store.fresh_staging()?;
    let round = Round {
        store,
        known: &known,
        uploads,
        circumstances,
    };
    let judged = round.judge()?;

    let mut change = Change::new(Kind::Publish, &circumstances.origin, known.index.clone());
    change
        .index
        .retain(|name, _| !circumstances.remove.contains(name));
    let mut accepted = Vec::new();
    let mut outcomes = Vec::new();
    for (upload, judged) in uploads.iter().zip(judged) {
        let manifest = &upload.manifest;
        let outcome = match judged {
            Judged::AlreadyPublished => UploadOutcome::AlreadyPublished,
            Judged::Refused(refusal) => UploadOutcome::Refused(refusal),
            Judged::Accepted(packages, _) => {
                change.jobs.push((manifest.job, manifest.attempt));
                let mut published_packages = Vec::new();
                for package in packages {
                    let listed = adding::listed(&package);
                    published_packages.extend(published(package.pkgname.as_str(), &listed));
                    change.index.insert(package.pkgname.to_string(), listed);
                    if known.state.transfers.get(&package.pkgname) == Some(&manifest.pkgbase) {
                        change.used_transfers.insert(package.pkgname.clone());
                    }
                    if !is_complete(store, &package) {
                        accepted.push(package);
                    }
                }
                UploadOutcome::Published {
                    packages: published_packages,
                }
            }
        };
        outcomes.push((manifest.job, outcome));
    }
    if change.jobs.is_empty() && change.index.len() == known.index.len() {
        store.disk.remove_folder(&store.layout.staging())?;
        return Ok(outcomes);
    }
    adding::add(store, &accepted, Signatures::Make, &mut change)?;
    commit(store, &mut known, change)?;
    Ok(outcomes)
}

struct Round<'a> {
    store: &'a Store<'a>,
    known: &'a Known,
    uploads: &'a [Upload],
    circumstances: &'a Circumstances,
}

impl Round<'_> {
    fn judge(&self) -> Result<Vec<Judged>, RepoError> {
        let mut judged = Vec::new();
        for (number, upload) in self.uploads.iter().enumerate() {
            let staging = self.store.layout.staging().join(number.to_string());
            judged.push(self.judge_one(upload, &staging)?);
        }
        // Each refusal may take the ground from another upload, or free a name for one.
        while let Some((number, refusal)) = self.not_given_up(&judged).or_else(|| self.brought_twice(&judged))
        {
            judged[number] = Judged::Refused(refusal);
        }
        Ok(judged)
    }

    fn judge_one(&self, upload: &Upload, staging: &Path) -> Result<Judged, RepoError> {
        let (store, manifest) = (self.store, &upload.manifest);
        // Lost files of what was published come back with the same upload.
        let is_whole = || !is_listed_and_lost(store, manifest, &self.known.index);
        if self.known.state.has_published(manifest.job, manifest.attempt) && is_whole() {
            return Ok(Judged::AlreadyPublished);
        }
        let taken = match take_in(store.disk, upload, store.target, &store.options.policy, staging)? {
            Ok(taken) => taken,
            // An upload is removed when it is published; the news of that can get lost after it.
            Err(Refusal::NoFolder(_)) if is_published(store, manifest, &self.known.index) => {
                return Ok(Judged::AlreadyPublished);
            }
            Err(refusal) => return Ok(Judged::Refused(refusal)),
        };
        let rules = Rules {
            protected: &store.options.protected_names,
            policy: &store.options.policy,
        };
        let same_content = |listed: &Listed, package: &Package| {
            let hash = listed.sha256.clone();
            let hash = hash.or_else(|| hash_file(&store.layout.public().join(&listed.file_name)).ok());
            hash.as_ref() == Some(&package.sha256)
        };
        let givers = RefCell::new(BTreeSet::new());
        let may_move = |name: &Pkgname, owner: &str| {
            let free = self.is_free(name, owner, &manifest.pkgbase);
            let given_up = !free && self.gives_up(owner, name);
            if given_up {
                givers.borrow_mut().insert(owner.to_owned());
            }
            free || given_up
        };
        let verified = match verify(manifest, taken, &self.known.index, rules, may_move, same_content) {
            Ok(verified) => verified,
            Err(refusal) => return Ok(Judged::Refused(refusal)),
        };
        if let Some(refusal) = refuse_other_content(store, self.known, &verified)? {
            return Ok(Judged::Refused(refusal));
        }
        if verified.iter().all(|package| is_complete(store, package)) {
            return Ok(Judged::AlreadyPublished);
        }
        Ok(Judged::Accepted(verified, givers.into_inner()))
    }

    /// Whether `name` may go from `owner` to `heir` whatever else is published.
    fn is_free(&self, name: &Pkgname, owner: &str, heir: &Pkgbase) -> bool {
        let Known { index, state, .. } = self.known;
        // What was added by hand is in no collection, and not gone for that.
        let gone = !state.by_hand.contains(owner)
            && self.circumstances.collection.as_ref().is_some_and(|collection| {
                collection.contains(heir) && !collection.iter().any(|pkgbase| pkgbase.as_str() == owner)
            });
        gone || self.circumstances.remove.contains(name.as_str())
            || state.transfers.get(name) == Some(heir)
            || (!state.by_hand.contains(owner) && is_left_behind(index, name.as_str()))
    }

    /// Whether `owner` has an upload in this round that does not bring `name` any more.
    fn gives_up(&self, owner: &str, name: &Pkgname) -> bool {
        let of_owner = |upload: &&Upload| upload.manifest.pkgbase.as_str() == owner;
        self.uploads.iter().find(of_owner).is_some_and(|upload| {
            let mut names = upload.manifest.files.iter().map(|file| pkgname_of(&file.name));
            !self
                .known
                .state
                .has_published(upload.manifest.job, upload.manifest.attempt)
                && names.all(|other| other != name.as_str())
        })
    }

    /// An upload that was accepted on the word of one that is refused.
    fn not_given_up(&self, judged: &[Judged]) -> Option<(usize, Refusal)> {
        let accepted = |(_, judged): &(&Upload, &Judged)| matches!(judged, Judged::Accepted(..));
        let pairs = self.uploads.iter().zip(judged);
        let giving: BTreeSet<&str> = pairs
            .filter(accepted)
            .map(|(upload, _)| upload.manifest.pkgbase.as_str())
            .collect();
        judged
            .iter()
            .enumerate()
            .find_map(|(number, judged)| match judged {
                Judged::Accepted(packages, givers) => {
                    let giver = givers.iter().find(|giver| !giving.contains(giver.as_str()))?;
                    let of_giver = |package: &&Verified| {
                        let listed = self.known.index.get(package.pkgname.as_str());
                        listed.is_some_and(|listed| listed.pkgbase == *giver)
                    };
                    Some((number, owned(packages.iter().find(of_giver)?, giver)))
                }
                Judged::AlreadyPublished | Judged::Refused(_) => None,
            })
    }

    /// An upload with a package that an earlier one brings, too.
    fn brought_twice(&self, judged: &[Judged]) -> Option<(usize, Refusal)> {
        let mut claimed = BTreeMap::<&Pkgname, &Pkgbase>::new();
        for (number, (upload, judged)) in self.uploads.iter().zip(judged).enumerate() {
            let Judged::Accepted(packages, _) = judged else {
                continue;
            };
            for package in packages {
                if let Some(owner) = claimed.insert(&package.pkgname, &upload.manifest.pkgbase) {
                    return Some((number, owned(package, owner.as_str())));
                }
            }
        }
        None
    }
}

fn owned(package: &Verified, owner: &str) -> Refusal {
    Refusal::Owned {
        file: package.taken.file_name.clone(),
        pkgname: package.pkgname.to_string(),
        owner: owner.to_owned(),
    }
}

/// The package's name in a file name, `NAME-VERSION-RELEASE-ARCH.pkg.tar.zst`.
fn pkgname_of(file_name: &str) -> &str {
    file_name.rsplitn(4, '-').nth(3).unwrap_or_default()
}

/// A file that was public under the same name may be held by clients, or asked for with an older database.
///
/// # Errors
/// When a file cannot be read.
pub fn refuse_other_content(
    store: &Store<'_>,
    known: &Known,
    packages: &[Verified],
) -> Result<Option<Refusal>, RepoError> {
    let in_grace = known.state.in_grace();
    for package in packages.iter().filter(|package| !package.listed) {
        let name = &package.taken.file_name;
        let public = store.layout.public().join(name);
        if in_grace.contains(name.as_str())
            && public.exists()
            && !adding::is_same(&public, &package.taken.package)?
        {
            return Ok(Some(Refusal::OtherContent(name.clone())));
        }
    }
    Ok(None)
}

/// Whether the database lists this very file, and file and signature are where they belong.
fn is_complete(store: &Store<'_>, package: &Verified) -> bool {
    let public = store.layout.public().join(&package.taken.file_name);
    let signed = store.options.signing == Signing::Off || signature_path(&public).is_file();
    package.listed && signed && fs::metadata(&public).is_ok_and(|m| m.len() == package.taken.package.size)
}

/// Whether the database lists a file of `manifest` that is not where it belongs, or not signed.
fn is_listed_and_lost(store: &Store<'_>, manifest: &Manifest, index: &Index) -> bool {
    let signs = store.options.signing != Signing::Off;
    manifest.files.iter().any(|file| {
        let public = store.layout.public().join(&file.name);
        let whole = public.is_file() && (!signs || signature_path(&public).is_file());
        !whole && index.values().any(|listed| listed.file_name == file.name)
    })
}

/// Whether the database lists the very files of `manifest`.
fn is_published(store: &Store<'_>, manifest: &Manifest, index: &Index) -> bool {
    !manifest.files.is_empty()
        && manifest.files.iter().all(|file| {
            let listed = index.values().any(|listed| listed.file_name == file.name);
            let public = store.layout.public().join(&file.name);
            listed && hash_file(&public).is_ok_and(|hash| hash == file.sha256)
        })
}

/// A package as the farm tells others of it; none where its name is not valid.
#[must_use]
pub fn published(name: &str, listed: &Listed) -> Option<PublishedPackage> {
    let without_version = |provided: &String| {
        let name = provided.split(['<', '>', '=']).next();
        name.unwrap_or(provided).to_owned()
    };
    Some(PublishedPackage {
        pkgname: Pkgname::new(name).ok()?,
        pkgbase: Pkgbase::new(&listed.pkgbase).ok()?,
        version: listed.version.clone(),
        file_name: listed.file_name.clone(),
        size: listed.size,
        build_date: listed.build_date,
        provides: listed.provides.iter().map(without_version).collect(),
    })
}
