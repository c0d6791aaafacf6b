//! The main job on several processes: tunnel, SFTP, two builders, dependencies, classes, named builders.

use std::collections::BTreeMap;

use caur_core::model::{Job, JobState};
use caur_core::queue::Event;
use caur_tests::{Farm, FarmOptions};

/// Where in the event stream a package entered a state first.
fn position(events: &[Event], pkgbase: &str, state: JobState) -> usize {
    events
        .iter()
        .position(|event| event.to == state && event.key.ends_with(&format!("/{pkgbase}")))
        .unwrap_or_else(|| panic!("{pkgbase} never became {state}: {events:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_package_ends_in_the_repository_and_can_be_installed() {
    let farm = Farm::make(FarmOptions {
        ssh: true,
        demo: true,
        builds_install: true,
        ..FarmOptions::default()
    })
    .await;
    // What builds install is checked against the keyring, not taken on trust.
    let checks = "build() { pacman-conf SigLevel | grep -qx PackageRequired; pacman -Qi caur-demo-app caur-demo-lib | grep -c '^Validated By *: Signature$' | grep -qx 2; }\n\
                  depends=(caur-demo-app)";
    farm.source
        .package("on-top", checks)
        .package("heavy", "")
        .package("for-small", "")
        .package("for-nobody-yet", "");
    let _database = farm.database().await;
    let _small = farm.builder("small", "1").await;
    let _big = farm.builder("big", "3").await;

    let (small, big) = (farm.builder_name("small"), farm.builder_name("big"));
    // The names of the split package begin with its pkgbase: without it they would look like shifted dependencies.
    let tree = "caur-demo-app:caur-demo-app:caur-demo-lib;caur-demo-lib:caur-demo-lib,libcaur_demo.so:;\
                caur-demo-split:caur-demo-split,caur-demo-split-cli,caur-demo-split-data:;on-top:on-top:caur-demo-app,caur-demo-split-cli;\
                heavy:heavy:;for-small:for-small:;for-nobody-yet:for-nobody-yet:heavy\n";
    let named = format!("for-small/{small}");
    let later = "for-nobody-yet/late-builder";
    let packages = [
        "on-top",
        "caur-demo-app",
        "caur-demo-split",
        "caur-demo-lib",
        "heavy/3",
        &named,
    ];
    let arguments = [&["--deptree", tree][..], &packages, &[later]].concat();
    let scheduled = farm.schedule(&arguments).await.expect(0);
    scheduled.says(&["no builder is called late-builder"]);

    let mut jobs: BTreeMap<&str, Job> = BTreeMap::new();
    for package in packages {
        let pkgbase = package.split('/').next().unwrap();
        jobs.insert(pkgbase, farm.wait_for(pkgbase, JobState::Succeeded).await);
    }

    // Who may do what.
    assert_eq!(jobs["heavy"].builder.as_deref(), Some(&*big));
    assert_eq!(jobs["for-small"].builder.as_deref(), Some(&*small));
    let waiting = farm.job("for-nobody-yet").await.unwrap();
    assert_eq!((waiting.state, waiting.attempt), (JobState::Ready, 0));
    let head = farm.source.head();
    for job in jobs.values() {
        assert_eq!(job.attempt, 1, "{}", job.request.pkgbase);
        assert_eq!(job.built_commit.as_ref().map(AsRef::as_ref), Some(&*head));
    }

    // Dependants strictly after what they depend on.
    let events = farm.events().await;
    for (dependant, dependency) in [
        ("caur-demo-app", "caur-demo-lib"),
        ("on-top", "caur-demo-app"),
        ("on-top", "caur-demo-split"),
        ("for-nobody-yet", "heavy"),
    ] {
        let published = position(&events, dependency, JobState::Succeeded);
        let ready = position(&events, dependant, JobState::Ready);
        assert!(
            published < ready,
            "{dependant} was ready before {dependency} was published"
        );
    }

    // Nothing is left over, and users can install it all.
    assert_eq!(farm.uploads(), [""; 0]);
    farm.check_queue().await;
    let published = farm.published();
    published.check(&farm.key);
    let expected = [
        "caur-demo-app",
        "caur-demo-lib",
        "caur-demo-split-cli",
        "caur-demo-split-data",
        "for-small",
        "heavy",
        "on-top",
    ];
    assert_eq!(published.names(), expected.into());
    let client = farm.client();
    let installed = client
        .install(&["on-top", "caur-demo-split-cli", "heavy", "for-small"])
        .await;
    assert!(installed.expect(0).stdout.contains("checking package integrity"));
    let said = client.run("usr/bin/caur-demo-app").await.expect(0).stdout;
    assert!(
        said.starts_with("caur-demo-app runs with caur-demo-lib 1.2.0"),
        "{said}"
    );
}
