//! Dependencies, here and in other repositories.

use super::super::fixture::{Pkg, target};
use super::{farm, findings, report, request, upstream};
use crate::repo::check::{CheckRequest, Finding, check, check_candidates};

#[test]
fn dependencies_are_looked_for_here_and_upstream() {
    let farm = farm(None);
    let needy = Pkg::new("needy", "1-1").arch("any").info(
        "depend = a>=2\ndepend = b\ndepend = glibc>=2.40\ndepend = nowhere\ndepend = virtual=1\ndepend = libv.so=2-64\n",
    );
    let giver = Pkg::new("giver", "1-1").info("provides = virtual\nprovides = libv.so=1-64\n");
    farm.publish(&[
        farm.upload(3, "needy", &[needy]),
        farm.upload(4, "giver", &[giver]),
    ]);
    let unmet = |dependency: &str, known: &[&str], certain| Finding::Dependency {
        package: "needy".into(),
        dependency: dependency.into(),
        known: known.iter().map(|&text| text.to_owned()).collect(),
        certain,
    };
    let alone = [
        unmet("a>=2", &["a 1-1"], true),
        unmet("libv.so=2-64", &["libv.so=1-64 of giver"], false),
        unmet("virtual=1", &["virtual of giver"], false),
    ];
    assert_eq!(findings(&farm), alone);

    let upstream = upstream(
        &farm,
        &[
            Pkg::new("glibc", "2.39-1"),
            Pkg::new("v2", "1-1").info("provides = libv.so=2-64\n"),
        ],
    );
    for database in &upstream {
        let request = CheckRequest {
            upstream: vec![database.clone()],
            ..request()
        };
        let expected = [
            unmet("a>=2", &["a 1-1"], true),
            unmet("glibc>=2.40", &["glibc 2.39-1"], true),
            unmet("nowhere", &[], true),
            unmet("virtual=1", &["virtual of giver"], true),
        ];
        assert_eq!(report(&farm, &request).findings, expected);
    }
    let request = CheckRequest {
        upstream: vec!["/nonexistent".into()],
        ..request()
    };
    let error = check(&farm.root(), &target(), &request).unwrap_err();
    assert!(error.to_string().contains("/nonexistent"), "{error}");
}

#[test]
fn a_candidate_that_would_leave_others_without_is_found_beforehand() {
    let farm = farm(None);
    let better = Pkg::new("b", "2-1")
        .info("depend = a>=1\ndepend = a<9\n")
        .write(&farm.folder.path().join("landing"));
    let none = check_candidates(&farm.root(), &target(), &request(), &[better]).unwrap();
    assert_eq!(none, []);
    let older = Pkg::new("a", "0.9-1").write(&farm.folder.path().join("landing"));
    let broken = check_candidates(&farm.root(), &target(), &request(), &[older]).unwrap();
    let lines: Vec<_> = broken.iter().map(Finding::to_string).collect();
    assert_eq!(
        lines,
        ["b depends on a>=1, which nobody provides; there is a 0.9-1"]
    );
    assert_eq!(findings(&farm), []);
}
