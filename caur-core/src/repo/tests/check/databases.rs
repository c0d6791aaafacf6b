//! Databases and links that are missing, damaged or contradict each other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::fixture::{Farm, entries};
use super::{A, edit, farm, findings, report, request, write_entries};
use crate::repo::check::Finding;

type Make<'a> = &'a dyn Fn(&Path);

#[test]
fn links_that_lead_nowhere_or_elsewhere_are_found() {
    let whole = farm(None);
    let link = || "farm.db".to_owned();
    let expected = || "farm.db.tar.zst".to_owned();
    let elsewhere = |found: &str| Finding::LinkElsewhere {
        link: link(),
        found: found.into(),
        expected: expected(),
    };
    let cases: [(Make<'_>, Option<Finding>); 5] = [
        (
            &|_| {},
            Some(Finding::LinkMissing {
                link: link(),
                expected: expected(),
            }),
        ),
        (
            &|path| symlink("farm.files.tar.zst", path).unwrap(),
            Some(elsewhere("farm.files.tar.zst")),
        ),
        (
            &|path| symlink("nothing", path).unwrap(),
            Some(elsewhere("nothing")),
        ),
        (
            &|path| assert!(fs::copy(path.with_extension("db.tar.zst"), path).unwrap() > 0),
            Some(elsewhere("a file of its own")),
        ),
        // repo-add makes such a second name where links are impossible.
        (
            &|path| fs::hard_link(path.with_extension("db.tar.zst"), path).unwrap(),
            None,
        ),
    ];
    for (make, expected) in cases {
        let farm = whole.copy();
        let path = farm.public().join("farm.db");
        fs::remove_file(&path).unwrap();
        make(&path);
        assert_eq!(findings(&farm), Vec::from_iter(expected));
    }
    // A database under the name of another compression is found by the link, and looked at.
    let farm = whole.copy();
    let (db, other) = (farm.database(), farm.public().join("farm.db.tar.gz"));
    fs::rename(db, other).unwrap();
    fs::remove_file(farm.public().join("farm.db")).unwrap();
    symlink("farm.db.tar.gz", farm.public().join("farm.db")).unwrap();
    let report = report(&farm, &request());
    assert_eq!(report.findings, [elsewhere("farm.db.tar.gz")]);
    assert_eq!(report.packages, 2);
}

#[test]
fn a_database_that_cannot_be_read_does_not_end_the_check() {
    let whole = farm(None);
    fs::remove_file(whole.public().join(A)).unwrap();
    let missing = Finding::FileMissing {
        package: "a".into(),
        file: A.into(),
    };
    for (content, problem) in [
        (&b""[..], "empty"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "incomplete"),
        (b"<html>", ""),
    ] {
        let farm = whole.copy();
        fs::write(farm.database(), content).unwrap();
        let found = findings(&farm);
        let [
            Finding::DatabaseUnreadable {
                database,
                problem: text,
            },
            rest,
        ] = found.as_slice()
        else {
            panic!("{found:?}");
        };
        assert_eq!(database, &farm.database());
        assert!(text.contains(problem), "{text}");
        assert_eq!(rest, &missing, "the other database says what there should be");
    }
    let farm = whole.copy();
    let gone = |kind: &str| {
        let database = farm.public().join(format!("farm.{kind}.tar.zst"));
        fs::remove_file(&database).unwrap();
        Finding::DatabaseMissing { database }
    };
    let files = gone("files");
    assert_eq!(findings(&farm), [files.clone(), missing]);
    // Nothing tells any more which files should be there.
    let db = gone("db");
    assert_eq!(findings(&farm), [db, files]);
}

#[test]
fn entries_that_contradict_each_other_are_found() {
    let whole = farm(None);
    let of = |farm: &Farm| entries(&farm.database());

    let farm = whole.copy();
    let mut twice = of(&farm);
    let mut second = twice[0].clone();
    second.directory = "a-2-1".into();
    let text = String::from_utf8(second.members[0].1.clone()).unwrap();
    second.members[0].1 = text.replace("%VERSION%\n1-1", "%VERSION%\n2-1").into_bytes();
    twice.push(second);
    write_entries(&farm.database(), &twice);
    let found = findings(&farm);
    let expected = [
        Finding::TwoEntries {
            database: "farm.db.tar.zst".into(),
            package: "a".into(),
            versions: vec!["1-1".into(), "2-1".into()],
        },
        Finding::EntryInOneDatabase {
            entry: "a-2-1".into(),
            present: "farm.db.tar.zst".into(),
            missing: "farm.files.tar.zst".into(),
        },
    ];
    assert_eq!(found, expected);

    let farm = whole.copy();
    let mut other = of(&farm);
    other.remove(0);
    other[0].members[0].1.extend(b"%FUTURE%\nfield\n\n");
    write_entries(&farm.database(), &other);
    let expected = [
        Finding::EntryInOneDatabase {
            entry: "a-1-1".into(),
            present: "farm.files.tar.zst".into(),
            missing: "farm.db.tar.zst".into(),
        },
        Finding::EntriesDiffer {
            entry: "b-1-1".into(),
        },
        Finding::Orphan { file: A.into() },
    ];
    assert_eq!(findings(&farm), expected);

    let bad = |database: &str, problem: &str| Finding::BadEntry {
        database: database.into(),
        entry: "a-1-1".into(),
        problem: problem.into(),
    };
    let both = |problem: &str| {
        vec![
            bad("farm.db.tar.zst", problem),
            bad("farm.files.tar.zst", problem),
        ]
    };
    let cases = [
        (
            "%NAME%\na\n",
            "%NAME%\nc\n",
            "is about another package than its directory",
        ),
        (
            "%NAME%\na\n",
            "%NAMES%\na\n",
            "lacks its name, version or file name",
        ),
        (
            "%FILENAME%\na-1-1",
            "%FILENAME%\n../../a-1-1",
            "names the file \"../../a-1-1-x86_64.pkg.tar.zst\", which is in another folder or hidden",
        ),
    ];
    for (from, to, problem) in cases {
        let farm = whole.copy();
        edit(&farm, |text| text.replace(from, to));
        let mut expected = both(problem);
        expected.push(Finding::Orphan { file: A.into() });
        assert_eq!(findings(&farm), expected);
    }

    let farm = whole.copy();
    let files = farm.public().join("farm.files.tar.zst");
    let mut without = entries(&files);
    without[0].members.retain(|(name, _)| name != "files");
    write_entries(&files, &without);
    assert_eq!(
        findings(&farm),
        [bad("farm.files.tar.zst", "has no list of files")]
    );

    let farm = whole.copy();
    edit(&farm, |text| text.replace("%SHA256SUM%", "%SHA256SUMS%"));
    let no_hash = |name: &str| Finding::NoHash {
        package: name.into(),
        file: format!("{name}-1-1-x86_64.pkg.tar.zst"),
    };
    assert_eq!(findings(&farm), [no_hash("a"), no_hash("b")]);
}
