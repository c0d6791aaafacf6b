//! Uploads that were tampered with, broke off, hold what they should not, or would go to the wrong place.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use caur_core::model::JobState;
use caur_tests::{FOREIGN_HOST_KEY, Farm, FarmOptions, changed, eventually};

/// Builds `packages` while no database runs, so that their uploads lie in the landing zone.
async fn uploaded(farm: &Farm, packages: &[&str]) -> Vec<PathBuf> {
    farm.database().await.stop().await;
    let builder = farm.builder("builder", "1").await;
    let _ = farm.schedule(packages).await.expect(0);
    let mut folders = Vec::new();
    for package in packages {
        let job = farm.wait_for(package, JobState::Uploaded).await;
        folders.push(farm.landing_zone().join(format!("{}.{}", job.id, job.attempt)));
    }
    builder.stop().await;
    folders
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_the_manifest_in_redis_is_never_signed() {
    let farm = Farm::make(FarmOptions::default()).await;
    let names = ["changed", "swapped", "joined", "emptied", "linked", "honest"];
    for name in names {
        farm.source.package(name, "");
    }
    let folders = uploaded(&farm, &names).await;
    let file = |index: usize| folders[index].join(format!("{}-1.0-1-any.pkg.tar.zst", names[index]));
    // One byte more; another package with a manifest to match; a package nobody told of; a missing file; a link.
    let mut content = fs::read(file(0)).unwrap();
    content.push(0);
    fs::write(file(0), &content).unwrap();
    let text = fs::read_to_string(folders[1].join("manifest.json")).unwrap();
    let other = fs::read(file(0)).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest["files"][0]["size"] = other.len().into();
    manifest["files"][0]["sha256"] = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&other)).into();
    fs::write(folders[1].join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(file(1), other).unwrap();
    fs::copy(file(5), folders[2].join("pacman-99-1-any.pkg.tar.zst")).unwrap();
    fs::remove_file(file(3)).unwrap();
    fs::rename(file(4), farm.path().join("elsewhere")).unwrap();
    symlink(farm.path().join("elsewhere"), file(4)).unwrap();

    let _database = farm.database().await;
    for (name, words) in [
        ("changed", "bytes, the manifest says"),
        ("swapped", "the manifest says"),
        (
            "joined",
            "\"pacman-99-1-any.pkg.tar.zst\" lies in the upload, but the manifest does not name it",
        ),
        ("emptied", "is in the manifest, but not in the upload"),
        ("linked", "is not a regular file"),
    ] {
        let reason = farm.wait_for(name, JobState::Failed).await.reason.unwrap();
        assert!(
            reason.starts_with("packages refused: ") && reason.contains(words),
            "{name}: {reason}"
        );
        let log = farm.caur(&["job", "log", name]).await.expect(0).stdout;
        assert!(log.contains(&format!("==> [caur] {reason}\n")), "{log}");
    }
    farm.wait_for("honest", JobState::Succeeded).await;
    let published = farm.published();
    published.check(&farm.key);
    assert_eq!(published.names(), ["honest"].into());
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_another_pkgbase_is_refused() {
    let farm = Farm::make(FarmOptions {
        demo: true,
        ..FarmOptions::default()
    })
    .await;
    let _database = farm.database().await;
    let _builder = farm.builder("builder", "1").await;
    let _ = farm.schedule(&["caur-demo-impostor"]).await.expect(0);
    let job = farm.wait_for("caur-demo-impostor", JobState::Failed).await;
    let reason = job.reason.unwrap();
    for words in [
        "packages refused",
        "pacman-99.0-1-x86_64.pkg.tar.zst",
        "comes from the pkgbase \"pacman\"",
        "caur-demo-impostor",
    ] {
        assert!(reason.contains(words), "{words:?} is not in {reason:?}");
    }
    assert_eq!(farm.published().names(), [].into());
    assert_eq!(farm.published().package_files(), [].into());
    let gone = eventually(Duration::from_secs(10), || async {
        farm.uploads().is_empty().then_some(())
    });
    gone.await.unwrap_or_else(|_| panic!("{:?}", farm.uploads()));
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_is_repeated_whole() {
    let farm = Farm::make(FarmOptions {
        ssh: true,
        lease: 5,
        ..FarmOptions::default()
    })
    .await;
    let sshd = farm.sshd.as_ref().unwrap();
    // Large enough to be caught on its way.
    let large = "package() { install -d \"$pkgdir/usr/share/large\"; head -c 60M /dev/urandom >\"$pkgdir/usr/share/large/data\"; }";
    farm.source.package("cut", large).package("killed", large);
    let _database = farm.database().await;
    let mut first = farm.builder("first", "1").await;

    // The connection breaks.
    let _ = farm.schedule(&["cut"]).await.expect(0);
    assert!(upload_begins(&farm).await.ends_with(".part"));
    assert!(sshd.cut_sessions() > 0);
    let job = farm.wait_for("cut", JobState::Succeeded).await;
    assert_eq!(job.attempt, 1, "the attempt survives that");

    // The builder dies; frozen before that, its upload cannot become complete.
    let _ = farm.schedule(&["killed"]).await.expect(0);
    let begun = upload_begins(&farm).await;
    sshd.freeze_sessions();
    let left = farm.uploads();
    assert_eq!(left, [begun]);
    first.kill();
    sshd.cut_sessions();
    let _second = farm.builder("second", "1").await;
    let job = farm.wait_for("killed", JobState::Succeeded).await;
    assert_eq!((job.attempt, job.builder), (2, Some(farm.builder_name("second"))));

    let published = farm.published();
    published.check(&farm.key);
    assert_eq!(published.names(), ["cut", "killed"].into());
    // What was begun and never completed goes as well.
    let gone = eventually(Duration::from_secs(30), || async {
        farm.uploads().is_empty().then_some(())
    });
    gone.await.unwrap_or_else(|_| panic!("{:?}", farm.uploads()));
    farm.check_queue().await;
}

/// Waits until an upload has begun and is not complete; gives its folder's name.
async fn upload_begins(farm: &Farm) -> String {
    let begun = eventually(Duration::from_secs(90), || async {
        let folder = farm.uploads().into_iter().find(|name| name.ends_with(".part"))?;
        let mut files = fs::read_dir(farm.landing_zone().join(&folder)).ok()?;
        files
            .any(|file| file.is_ok_and(|file| file.metadata().is_ok_and(|data| data.len() > 0)))
            .then_some(folder)
    });
    match begun.await {
        Ok(folder) => folder,
        Err(after) => panic!("no upload begins within {after:?}\n{}", farm.report().await),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_do_not_go_to_an_upload_host_with_another_key() {
    let farm = Farm::make(FarmOptions {
        ssh: true,
        ..FarmOptions::default()
    })
    .await;
    farm.source.package("a", "");
    let wrong = changed(
        farm.database_environment(),
        &[("DATABASE_HOST_KEYS", FOREIGN_HOST_KEY)],
    );
    let database = farm.database_with(&wrong).await;
    let _first = farm.builder("first", "1").await;
    let _ = farm.schedule(&["a"]).await.expect(0);
    let reason = farm.wait_for("a", JobState::Backoff).await.reason.unwrap();
    assert!(
        reason.starts_with("upload failed: THE SSH HOST KEY OF"),
        "{reason}"
    );
    assert_eq!(farm.uploads(), [""; 0]);
    // Corrected where it is published, it works for builders that were not restarted.
    database.stop().await;
    let _database = farm.database().await;
    let _second = farm.builder("second", "1").await;
    farm.wait_for("a", JobState::Succeeded).await;
}
