//! PKGBUILDs built by makepkg in the real build image.

use caur_core::build::BuildReport;
use caur_core::model::{BuildOutcome, PublishedPackage};

use super::farm::{Farm, base_image};

const HEAD: &str = "pkgname=real\npkgver=1.0\npkgrel=1\narch=(any)\n";

async fn build(pkgbuild: &str, published: Vec<PublishedPackage>) -> (BuildReport, String) {
    make(pkgbuild, published, false).await
}

async fn make(pkgbuild: &str, published: Vec<PublishedPackage>, rebuild: bool) -> (BuildReport, String) {
    let farm = Farm::new().await;
    farm.push_file("real/.SRCINFO", "pkgbase = real\n\npkgname = real\n");
    farm.push("real", &format!("{HEAD}{pkgbuild}"));
    let mut order = farm.order("real");
    order.image = base_image();
    order.published = published;
    order.request.rebuild = rebuild;
    let (report, log) = farm.run(&order).await;
    (report, String::from_utf8_lossy(&log).into_owned())
}

fn published(version: &str) -> PublishedPackage {
    PublishedPackage {
        pkgname: "real".parse().unwrap(),
        pkgbase: "real".parse().unwrap(),
        version: version.to_owned(),
        file_name: format!("real-{version}-any.pkg.tar.zst"),
        size: 1,
        build_date: 1,
        provides: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn makepkg_builds_a_package_unless_that_version_is_published() {
    let pkgbuild = "package() { install -Dm644 /etc/hostname \"$pkgdir/usr/share/real/file\"; }\n";
    let (report, log) = build(pkgbuild, Vec::new()).await;
    assert_eq!(report.outcome, BuildOutcome::Built, "{log}");
    let names: Vec<_> = report
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(names, ["real-1.0-1-any.pkg.tar.zst"], "{log}");

    let published = published("1.0-1");
    let (report, log) = build(pkgbuild, vec![published]).await;
    assert_eq!(report.outcome, BuildOutcome::AlreadyBuilt, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pkgbuild_is_the_packages_failure_in_words() {
    for (pkgbuild, reason) in [
        ("package() { false; }\n", "a function of the PKGBUILD failed"),
        ("package( { }\n", "the PKGBUILD is not valid Bash"),
        ("pkgver=1-1\npackage() { :; }\n", "the PKGBUILD has an error"),
        (
            "depends=(not-anywhere)\npackage() { :; }\n",
            "dependencies could not be installed",
        ),
    ] {
        let (report, log) = build(pkgbuild, Vec::new()).await;
        let told = report.reason.unwrap_or_default();
        assert!(told.contains(reason), "{pkgbuild:?}: {told}\n{log}");
        assert_eq!(
            report.outcome,
            BuildOutcome::Failed,
            "{pkgbuild:?}: {told}\n{log}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_gets_the_next_free_pkgrel_of_what_is_published() {
    for (changes, index, version) in [
        ("", Some("1.0-1"), "1.0-1.1"),
        ("", Some("1.0-1.1"), "1.0-1.2"),
        ("epoch=2\n", Some("2:1.0-1.9"), "2:1.0-1.10"),
        ("epoch=0\n", Some("1.0-1"), "1.0-1.1"),
        // The PKGBUILD has a fraction of its own.
        ("pkgrel=1.1\n", Some("1.0-1.1"), "1.0-1.2"),
        // The sources tell the version.
        ("pkgver=0.9\npkgver() { echo 1.0; }\n", Some("1.0-1.1"), "1.0-1.2"),
        // The package moved on, and needs no bump.
        ("pkgver=1.1\n", Some("1.0-1"), "1.1-1"),
        ("pkgver=1.1\n", None, "1.1-1"),
    ] {
        let pkgbuild = format!("{changes}package() {{ install -d \"$pkgdir/usr\"; }}\n");
        let index = index.map(published).into_iter().collect();
        let (report, log) = make(&pkgbuild, index, true).await;
        assert_eq!(report.outcome, BuildOutcome::Built, "{changes:?}: {log}");
        let names: Vec<_> = report.packages.iter().map(|package| &*package.name).collect();
        assert_eq!(names, [format!("real-{version}-any.pkg.tar.zst")], "{log}");
    }
}
