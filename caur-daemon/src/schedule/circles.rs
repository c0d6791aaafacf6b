//! Packages that need each other: what for, so that the queue leaves out what matters least, and what it left out.

use std::collections::BTreeSet;

use caur_core::ci::SrcInfo;
use caur_core::model::{Arch, DependencyKind, JobRequest, Pkgbase};
use caur_core::queue::plan::cyclic;
use caur_core::queue::{BrokenEdge, SubmitReport};

/// Gives every need of the packages in circles the reason that their own folders state. A dependency tree does not
/// tell reasons, and for all other packages they do not matter.
pub fn learn_kinds(batch: &mut [JobRequest], srcinfo: impl Fn(&Pkgbase) -> Option<SrcInfo>) {
    let members: BTreeSet<Pkgbase> = cyclic(batch).into_iter().collect();
    for request in batch
        .iter_mut()
        .filter(|request| members.contains(&request.pkgbase))
    {
        if let Some(info) = srcinfo(&request.pkgbase) {
            for need in &mut request.needs {
                need.kind = kind(&need.name, &info, &request.target.arch);
            }
        }
    }
}

/// The strongest reason for which a package needs `name`.
fn kind(name: &str, info: &SrcInfo, arch: &Arch) -> DependencyKind {
    let lists = [
        (DependencyKind::Check, &info.checkdepends),
        (DependencyKind::Run, &info.depends),
        (DependencyKind::Make, &info.makedepends),
    ];
    lists
        .into_iter()
        .filter(|(_, names)| names.for_arch(arch).any(|other| other == name))
        .map(|(kind, _)| kind)
        .max()
        .unwrap_or(DependencyKind::Make)
}

/// A warning for each dependency that the queue left out.
pub fn warnings(report: &SubmitReport) -> impl Iterator<Item = String> {
    report.broken.iter().map(warning)
}

fn warning(edge: &BrokenEdge) -> String {
    let BrokenEdge {
        dependant,
        dependency,
        names,
        kind,
    } = edge;
    let purpose = match kind {
        DependencyKind::Check => "for its tests (checkdepends)",
        DependencyKind::Run => "when it runs (depends)",
        DependencyKind::Make => "to be built (makedepends, or not known)",
    };
    format!(
        "{dependant} and {dependency} need each other: {dependant} does not wait for {dependency}, although it needs \
         {} {purpose}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use caur_core::model::{BuildClass, Need, SourceRepo, Target, TargetRepo};

    use super::*;

    fn request(pkgbase: &str, names: &[&str], needs: &[&str]) -> JobRequest {
        JobRequest {
            target: Target {
                repo: TargetRepo::new("repo").unwrap(),
                arch: Arch::new("x86_64").unwrap(),
            },
            source: SourceRepo::new("source").unwrap(),
            pkgbase: Pkgbase::new(pkgbase).unwrap(),
            class: BuildClass::DEFAULT,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            needs: needs.iter().map(|name| Need::make(*name)).collect(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        }
    }

    fn circle() -> Vec<JobRequest> {
        vec![
            request("top", &["top"], &["a"]),
            request("a", &["a"], &["libb.so", "bottom"]),
            request("b", &["b", "libb.so"], &["a", "bash"]),
            request("bottom", &["bottom"], &["elsewhere"]),
        ]
    }

    const A: &str = "pkgbase = a\n\tpkgver = 1\n\tpkgrel = 1\n\tarch = any\n\tmakedepends = bottom\n\tdepends = bottom\n\
        \tcheckdepends = libb.so\n\npkgname = a\n";
    const B: &str = "pkgbase = b\n\tpkgver = 1\n\tpkgrel = 1\n\tarch = any\n\tdepends = a>=1\n\tcheckdepends = a\n\npkgname = b\n";

    #[test]
    fn packages_in_circles_learn_what_they_need_the_others_for() {
        let mut batch = circle();
        learn_kinds(&mut batch, |pkgbase| {
            let text = match pkgbase.as_str() {
                "a" => A,
                "b" => B,
                other => panic!("{other} is in no circle"),
            };
            Some(SrcInfo::parse(pkgbase, text))
        });
        let kinds: Vec<String> = batch
            .iter()
            .flat_map(|request| &request.needs)
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            kinds,
            ["a", "libb.so:check", "bottom", "a:run", "bash", "elsewhere"],
            "the strongest reason counts, and an unknown one is the strongest"
        );
    }

    #[test]
    fn a_warning_names_both_packages_the_names_and_the_reason() {
        let edge = |kind, names: &[&str]| BrokenEdge {
            dependant: Pkgbase::new("a").unwrap(),
            dependency: Pkgbase::new("b").unwrap(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            kind,
        };
        let report = SubmitReport {
            jobs: Vec::new(),
            broken: vec![
                edge(DependencyKind::Check, &["b", "libb.so"]),
                edge(DependencyKind::Run, &["b"]),
                edge(DependencyKind::Make, &["b"]),
            ],
        };
        let before = "a and b need each other: a does not wait for b, although it needs";
        assert_eq!(
            warnings(&report).collect::<Vec<_>>(),
            [
                format!("{before} b, libb.so for its tests (checkdepends)"),
                format!("{before} b when it runs (depends)"),
                format!("{before} b to be built (makedepends, or not known)"),
            ]
        );
    }
}
