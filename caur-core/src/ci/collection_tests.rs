//! The parsers against a real collection of 2,534 packages, where it is at hand.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::srcinfo::readers_agree;
use super::{DepTree, DepTreeWarning, PackageConfig, SrcInfo, SrcInfoWarning};
use crate::model::{Arch, Pkgbase};

#[derive(Default)]
struct Collection {
    srcinfos: BTreeMap<Pkgbase, String>,
    configs: BTreeMap<Pkgbase, String>,
}

/// The collection that `CAUR_FIXTURE` names, else the one beside the repository; none where there is none.
fn collection() -> Option<Collection> {
    let path = env::var_os("CAUR_FIXTURE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/packages-2534.tar.zst"),
        PathBuf::from,
    );
    let Ok(file) = File::open(&path) else {
        println!(
            "skipped: the package collection {} is absent (set CAUR_FIXTURE)",
            path.display()
        );
        return None;
    };
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut collection = Collection::default();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let path = path.trim_start_matches("./");
        let Some((folder, file)) = path.split_once('/') else {
            continue;
        };
        let files = match file {
            ".SRCINFO" => &mut collection.srcinfos,
            ".CI/config" => &mut collection.configs,
            _ => continue,
        };
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(Pkgbase::new(folder).unwrap(), text);
    }
    Some(collection)
}

#[test]
fn every_srcinfo_of_a_real_collection_is_taken() {
    let Some(collection) = collection() else { return };
    assert_eq!(collection.srcinfos.len(), 2533);
    let mut lenient = Vec::new();
    for (folder, text) in &collection.srcinfos {
        let info = SrcInfo::parse(folder, text);
        match readers_agree(text) {
            Some(agree) => assert!(agree && info.warnings.is_empty(), "{folder}: {:?}", info.warnings),
            None => lenient.push((folder, info)),
        }
    }
    assert_eq!(lenient.len(), 11);
    for (folder, info) in lenient {
        assert!(
            matches!(info.warnings[0], SrcInfoWarning::Lenient { .. }),
            "{folder}"
        );
        // One file of the collection is empty.
        assert_eq!(
            info.version.is_none(),
            collection.srcinfos[folder].is_empty(),
            "{folder}"
        );
    }
}

#[test]
fn the_tree_of_a_real_collection_is_written_and_read() {
    let Some(collection) = collection() else { return };
    let infos: BTreeMap<&Pkgbase, SrcInfo> = collection
        .srcinfos
        .iter()
        .map(|(folder, text)| (folder, SrcInfo::parse(folder, text)))
        .collect();
    let arch = Arch::new("x86_64").unwrap();
    let written = DepTree::from_srcinfos(infos.iter().map(|(folder, info)| (*folder, info)), &arch);
    assert_eq!(written.entries.len(), 2533);

    let text = format!("{}\n", written.to_text());
    let mut read = DepTree::parse(&text).unwrap();
    for warning in read.warnings.clone() {
        let DepTreeWarning::Shifted { pkgbase, .. } = warning else {
            panic!("{warning}");
        };
        println!("looks shifted, but is not: {pkgbase}");
        read.correct(&pkgbase, &infos[&pkgbase], &arch);
    }
    assert_eq!(read, written);
    println!("{} bytes", text.len());
}

#[test]
fn every_config_of_a_real_collection_is_read_without_a_warning() {
    let Some(collection) = collection() else { return };
    assert_eq!(collection.configs.len(), 2534);
    let mut bumps = 0;
    for (folder, text) in &collection.configs {
        let config = PackageConfig::parse(text);
        assert_eq!(config.warnings, [], "{folder}");
        assert!(config.source.is_some(), "{folder}");
        bumps += usize::from(config.bump.is_some());
    }
    assert!(bumps > 1000, "{bumps}");
}
