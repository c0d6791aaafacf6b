//! Several builds at a time in one builder.

use caur_core::model::BuildOutcome;

use super::farm::{Farm, start};

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_run_at_once_and_do_not_touch_each_other() {
    let farm = Farm::new().await;
    farm.push("waits-a", "a");
    farm.push("waits-b", "b");
    let (a, b) = (farm.order("waits-a"), farm.order("waits-b"));
    let (mut first, mut second) = (start(&farm, a.clone()), start(&farm, b.clone()));
    first.until_ready().await;
    second.until_ready().await;
    let mut running = farm.builder.containers().await.unwrap();
    running.retain(|container| container.running);
    assert_eq!(running.len(), 2, "both at once: {running:?}");

    // What ends first takes nothing of the other's along, and neither does the search for orphans.
    farm.let_go(&b.token, 0);
    let (report, log) = second.end().await;
    assert_eq!(report.outcome, BuildOutcome::Built, "{log}");
    assert!(
        log.contains("content: b\n") && !log.contains("content: a\n"),
        "{log}"
    );
    farm.builder.cleanup(&b.token).await.unwrap();
    let removed = farm.builder.orphans(|token| *token == a.token).await.unwrap();
    assert!(removed.is_empty(), "{removed:?}");

    farm.let_go(&a.token, 0);
    let (report, log) = first.end().await;
    assert_eq!(report.outcome, BuildOutcome::Built, "{log}");
    let names: Vec<_> = report.packages.iter().map(|package| &*package.name).collect();
    assert_eq!(names, ["waits-a-1-1-any.pkg.tar.zst"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_builds_a_cancel_ends_one() {
    let farm = Farm::new().await;
    farm.push("waits-a", "a");
    let (a, b) = (farm.order("waits-a"), farm.order("waits-a"));
    let (mut first, mut second) = (start(&farm, a.clone()), start(&farm, b));
    first.until_ready().await;
    second.until_ready().await;
    second.cancel.cancel();
    assert_eq!(second.end().await.0.outcome, BuildOutcome::Canceled);
    farm.let_go(&a.token, 0);
    assert_eq!(first.end().await.0.outcome, BuildOutcome::Built);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_of_one_package_do_not_download_into_one_directory() {
    let farm = Farm::new().await;
    farm.push("waits", "x");
    let (a, mut b) = (farm.order("waits"), farm.order("waits"));
    b.request.target.arch = "aarch64".parse().unwrap();
    let mut first = start(&farm, a.clone());
    first.until_ready().await;
    let mut second = start(&farm, b.clone());
    second.until_ready().await;
    for (build, token) in [(first, &a.token), (second, &b.token)] {
        farm.let_go(token, 0);
        let (report, log) = build.end().await;
        assert_eq!(report.outcome, BuildOutcome::Built, "{log}");
        assert!(
            log.contains("went on\n==> [caur] built"),
            "nobody's downloads are there: {log}"
        );
        farm.builder.cleanup(token).await.unwrap();
    }
    // What stays for the next build is the first one's.
    let kept = farm.settings.shared_dir.join("srcdest_cache/repo/waits");
    assert_eq!(std::fs::read_dir(kept).unwrap().count(), 1);
}
