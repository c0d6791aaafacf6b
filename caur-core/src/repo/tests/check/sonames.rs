//! `repo check` on shared libraries: real ones, made by gcc.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::fixture::{Farm, Pkg, add, run, target};
use super::upstream;
use crate::repo::check::{
    Bits, CheckReport, CheckRequest, Finding, Library, OtherVersion, Severity, check, check_candidates,
};

/// A folder to compile in, and a repository that `repo-add` makes of what comes out.
struct Site {
    farm: Farm,
    work: PathBuf,
}

impl Site {
    fn new() -> Self {
        let farm = Farm::new();
        fs::create_dir_all(farm.public()).unwrap();
        let work = farm.folder.path().join("work");
        fs::create_dir(&work).unwrap();
        Self { farm, work }
    }

    /// A library with this soname, which needs `needs`; its content.
    fn library(&self, soname: &str, needs: &[&str], flags: &[&str]) -> Vec<u8> {
        self.link(
            soname,
            needs,
            &[&["-shared", &format!("-Wl,-soname,{soname}")], flags].concat(),
        )
    }

    /// A program that needs the libraries `needs`, which were made before; its content.
    fn program(&self, needs: &[&str], flags: &[&str]) -> Vec<u8> {
        self.link("program", needs, &[&["-Wl,-e,start"], flags].concat())
    }

    fn link(&self, name: &str, needs: &[&str], flags: &[&str]) -> Vec<u8> {
        let source = self.work.join("source.c");
        fs::write(&source, "void start(void) {}\n").unwrap();
        let output = self.work.join(name);
        let needs = needs.iter().map(|name| format!("-l:{name}"));
        run(Command::new("gcc")
            .args(["-nostdlib", "-fPIC", "-Wl,--no-as-needed"])
            .args(flags)
            .arg("-o")
            .arg(&output)
            .arg(source)
            .arg("-L")
            .arg(&self.work)
            .args(needs));
        fs::read(output).unwrap()
    }

    fn write(&self, folder: &Path, package: &Pkg, files: &[(&str, &[u8])]) -> PathBuf {
        let mut archive = tar::Builder::new(Vec::new());
        add(&mut archive, ".PKGINFO", package.pkginfo().as_bytes());
        for (path, content) in files {
            add(&mut archive, path, content);
        }
        let path = folder.join(package.file_name());
        let tar = archive.into_inner().unwrap();
        fs::write(&path, zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap();
        path
    }

    fn publish(&self, package: &Pkg, files: &[(&str, &[u8])]) {
        let path = self.write(&self.farm.public(), package, files);
        run(Command::new("repo-add")
            .args(["--remove", "--quiet"])
            .arg(self.farm.database())
            .arg(path));
    }

    fn request(&self) -> CheckRequest {
        CheckRequest {
            threads: 2,
            soname_cache: Some(self.farm.folder.path().join("cache.jsonl")),
            ..CheckRequest::default()
        }
    }

    fn report(&self, request: &CheckRequest) -> CheckReport {
        check(&self.farm.root(), &target(), request).unwrap()
    }

    fn lines(&self, request: &CheckRequest) -> Vec<String> {
        self.report(request)
            .findings
            .iter()
            .map(Finding::to_string)
            .collect()
    }
}

fn library(name: &str, providers: &[&str], dependants: &[&str]) -> Library {
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Library {
        name: name.into(),
        bits: Bits::SixtyFour,
        providers: own(providers),
        dependants: own(dependants),
    }
}

#[test]
fn a_new_soname_breaks_who_needs_the_old_one() {
    let site = Site::new();
    let old = site.library("libfoo.so.1", &[], &[]);
    let app = site.program(&["libfoo.so.1"], &[]);
    site.publish(&Pkg::new("foo", "1-1"), &[("usr/lib/libfoo.so.1", &old)]);
    site.publish(
        &Pkg::new("app", "1-1").info("depend = foo\n"),
        &[("usr/bin/app", &app)],
    );
    let report = site.report(&site.request());
    assert_eq!(report.findings, []);
    let sonames = report.sonames.unwrap();
    let foo = library("libfoo.so.1", &["foo"], &["app"]);
    assert_eq!(sonames.libraries, std::slice::from_ref(&foo));
    for name in ["libfoo.so.1", "libfoo.so", "libfoo"] {
        assert_eq!(sonames.dependants_of(name).collect::<Vec<_>>(), [&foo], "{name}");
    }
    assert_eq!(
        sonames.dependants_of("libfo").count() + sonames.dependants_of("libfoo.so.2").count(),
        0
    );

    let new = site.library("libfoo.so.2", &[], &[]);
    let files: [(&str, &[u8]); 1] = [("usr/lib/libfoo.so.2", &new)];
    let candidate = site.write(&site.work, &Pkg::new("foo", "2-1"), &files);
    let expected = Finding::SonameBroken {
        package: "app".into(),
        file: "usr/bin/app".into(),
        library: "libfoo.so.1".into(),
        bits: Bits::SixtyFour,
        others: vec![OtherVersion {
            package: "foo".into(),
            library: "libfoo.so.2".into(),
        }],
        certain: true,
    };
    let beforehand = check_candidates(&site.farm.root(), &target(), &site.request(), &[candidate]).unwrap();
    assert_eq!(beforehand, std::slice::from_ref(&expected));
    site.publish(&Pkg::new("foo", "2-1"), &files);
    let report = site.report(&site.request());
    assert_eq!(report.findings, [expected]);
    assert_eq!(
        report.findings[0].to_string(),
        "app needs libfoo.so.1 (64 bit, for usr/bin/app), which nobody provides; foo provides libfoo.so.2: rebuild app"
    );
    assert_eq!(report.worst(), Some(Severity::Error));
    let sonames = report.sonames.unwrap();
    assert_eq!(
        sonames.libraries,
        [
            library("libfoo.so.1", &[], &["app"]),
            library("libfoo.so.2", &["foo"], &[])
        ]
    );

    // A package for the old version mends it, by its file or by what it says that it provides.
    let says_so = Pkg::new("foo1", "1-1").info("provides = libfoo.so=1-64\n");
    site.publish(&says_so, &[]);
    assert_eq!(site.lines(&site.request()), [""; 0]);
}

#[test]
fn without_the_dependency_nobody_can_tell_unless_the_files_of_the_others_are_known() {
    let site = Site::new();
    site.library("libfoo.so.1", &[], &[]);
    let app = site.program(&["libfoo.so.1"], &[]);
    let compat = site.library("libfoo.so.0", &[], &[]);
    site.publish(&Pkg::new("foo0", "1-1"), &[("usr/lib/libfoo.so.0", &compat)]);
    site.publish(&Pkg::new("app", "1-1"), &[("usr/bin/app", &app)]);
    let report = site.report(&site.request());
    assert_eq!(report.worst(), Some(Severity::Warning));
    assert_eq!(
        report.findings[0].to_string(),
        "app needs libfoo.so.1 (64 bit, for usr/bin/app), which this repository does not provide; foo0 provides \
         libfoo.so.0: rebuild app unless another repository has it"
    );

    let unrelated = Pkg::new("glibc", "1-1").file("usr/lib/libc.so.6", "x");
    let [db, files] = upstream(&site.farm, &[unrelated]);
    let with = |upstream: &[&PathBuf]| CheckRequest {
        upstream: upstream.iter().map(|&path| path.clone()).collect(),
        ..site.request()
    };
    assert_eq!(site.report(&with(&[&db])).worst(), Some(Severity::Warning));
    assert_eq!(site.report(&with(&[&files])).worst(), Some(Severity::Error));
    assert_eq!(site.report(&with(&[&db, &files])).worst(), Some(Severity::Error));
}

#[test]
fn upstream_databases_satisfy_and_break_by_files_and_by_what_they_provide() {
    let site = Site::new();
    for soname in [
        "libold.so.1",
        "libhere.so.6",
        "libsaid.so.3",
        "libnone.so.1",
        "libpy3.11.so.1.0",
    ] {
        site.library(soname, &[], &[]);
    }
    let app = site.program(
        &[
            "libold.so.1",
            "libhere.so.6",
            "libsaid.so.3",
            "libnone.so.1",
            "libpy3.11.so.1.0",
        ],
        &[],
    );
    let package = Pkg::new("app", "1-1").info("depend = py\n");
    site.publish(&package, &[("usr/bin/app", &app)]);
    assert_eq!(site.lines(&site.request()), [""; 0], "all of it may be elsewhere");

    let [db, files] = upstream(
        &site.farm,
        &[
            Pkg::new("old", "2-1").file("usr/lib/libold.so.2", "x"),
            Pkg::new("here", "1-1").file("usr/lib/libhere.so.6", "x"),
            Pkg::new("said", "1-1").info("provides = libsaid.so=3-64\n"),
            Pkg::new("py", "3.12-1").file("usr/lib/libpy3.12.so.1.0", "x"),
        ],
    );
    let with = |upstream: PathBuf| CheckRequest {
        upstream: vec![upstream],
        ..site.request()
    };
    let told = "(64 bit, for usr/bin/app), which nobody provides";
    assert_eq!(
        site.lines(&with(files)),
        [
            format!("app needs libold.so.1 {told}; old provides libold.so.2: rebuild app"),
            format!("app needs libpy3.11.so.1.0 {told}; py provides libpy3.12.so.1.0: rebuild app"),
            format!("app needs libnone.so.1 {told} in any version"),
        ]
    );
    assert_eq!(site.lines(&with(db)), [""; 0]);

    let other = Site::new();
    other.publish(
        &Pkg::new("app", "1-1").info("depend = said\n"),
        &[("usr/bin/app", &app)],
    );
    let [db, _] = upstream(
        &other.farm,
        &[Pkg::new("said", "2-1").info("provides = libsaid.so=4-64\n")],
    );
    let request = CheckRequest {
        upstream: vec![db],
        ..other.request()
    };
    assert_eq!(
        other.lines(&request),
        [format!(
            "app needs libsaid.so.3 {told}; said provides libsaid.so.4: rebuild app"
        )]
    );
}

#[test]
fn libraries_of_the_package_itself_count_wherever_they_are() {
    let site = Site::new();
    let private = site.library("libprivate.so.1", &[], &[]);
    let unnamed = site.link("plugin.so", &[], &["-shared"]);
    let app = site.program(
        &["libprivate.so.1", "plugin.so", "liblink.so.1"].map(|name| {
            if name == "liblink.so.1" {
                site.library(name, &[], &[]);
            }
            name
        }),
        &[],
    );
    let mut archive = tar::Builder::new(Vec::new());
    let package = Pkg::new("app", "1-1");
    add(&mut archive, ".PKGINFO", package.pkginfo().as_bytes());
    add(&mut archive, "opt/app/app", &app);
    add(&mut archive, "opt/app/lib/libprivate.so.1", &private);
    add(&mut archive, "opt/app/lib/plugin.so", &unnamed);
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive
        .append_link(&mut link, "opt/app/lib/liblink.so.1", "liblink.so.1.2")
        .unwrap();
    let tar = archive.into_inner().unwrap();
    let path = site.farm.public().join(package.file_name());
    fs::write(&path, zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap();
    run(Command::new("repo-add").arg(site.farm.database()).arg(path));

    let [_, files] = upstream(
        &site.farm,
        &[Pkg::new("glibc", "1-1").file("usr/lib/libc.so.6", "x")],
    );
    let request = CheckRequest {
        upstream: vec![files],
        ..site.request()
    };
    let report = site.report(&request);
    assert_eq!(report.findings, []);
    assert_eq!(
        report.sonames.unwrap().libraries,
        [library("liblink.so.1", &[], &["app"])]
    );
}

#[test]
fn the_classes_are_told_apart() {
    let site = Site::new();
    let of_32 = site.library("libfoo.so.1", &[], &["-m32"]);
    let app_32 = site.program(&["libfoo.so.1"], &["-m32"]);
    let of_64 = site.library("libfoo.so.1", &[], &[]);
    let foreign = {
        // The same for a processor that this repository is not for.
        let mut bytes = site.program(&["libfoo.so.1"], &[]);
        bytes[18] = 183;
        bytes
    };
    site.publish(&Pkg::new("foo", "1-1"), &[("usr/lib/libfoo.so.1", &of_64)]);
    let app = Pkg::new("app", "1-1");
    site.publish(&app, &[("usr/bin/app", &app_32), ("usr/share/arm", &foreign)]);
    assert_eq!(site.lines(&site.request()), [""; 0], "lib32-foo may be elsewhere");
    let [_, files] = upstream(
        &site.farm,
        &[Pkg::new("lib32-glibc", "1-1")
            .file("usr/lib32/libc.so.6", "x")
            .file("usr/lib32/libfoo.so.2", "x")],
    );
    let request = CheckRequest {
        upstream: vec![files],
        ..site.request()
    };
    assert_eq!(
        site.lines(&request),
        [
            "app needs libfoo.so.1 (32 bit, for usr/bin/app), which nobody provides; lib32-glibc provides libfoo.so.2: rebuild app"
        ]
    );
    site.publish(
        &Pkg::new("lib32-foo", "1-1"),
        &[("usr/lib32/libfoo.so.1", &of_32)],
    );
    let report = site.report(&request);
    assert_eq!(report.findings, []);
    let libraries = report.sonames.unwrap().libraries;
    let bits: Vec<_> = libraries
        .iter()
        .map(|library| (library.bits, library.dependants.len()))
        .collect();
    assert_eq!(bits, [(Bits::ThirtyTwo, 1), (Bits::SixtyFour, 0)]);
}

#[test]
fn a_second_check_reads_no_package() {
    let site = Site::new();
    let foo = site.library("libfoo.so.1", &[], &[]);
    site.publish(&Pkg::new("foo", "1-1"), &[("usr/lib/libfoo.so.1", &foo)]);
    let app = site.program(&["libfoo.so.1"], &[]);
    site.publish(&Pkg::new("app", "1-1"), &[("usr/bin/app", &app)]);
    let cache = site.request().soname_cache.unwrap();
    let counts = || {
        let sonames = site.report(&site.request()).sonames.unwrap();
        assert_eq!(sonames.libraries, [library("libfoo.so.1", &["foo"], &["app"])]);
        (sonames.packages_read, sonames.packages_remembered)
    };
    let lines = || fs::read_to_string(&cache).unwrap().lines().count();
    assert_eq!(counts(), (2, 0));
    assert_eq!(counts(), (0, 2));
    assert_eq!(lines(), 2);

    // Damage costs what it hits, and nothing else.
    let text = fs::read_to_string(&cache).unwrap();
    fs::write(&cache, &text[..text.len() - 5]).unwrap();
    assert_eq!(counts(), (1, 1));
    fs::write(&cache, [b"\0\xff{}\n", text.as_bytes()].concat()).unwrap();
    assert_eq!(counts(), (0, 2));
    fs::write(&cache, text.replace("\"version\":1", "\"version\":0")).unwrap();
    assert_eq!(counts(), (2, 0));
    assert_eq!(counts(), (0, 2));

    // What is mostly of no use any more is written anew.
    fs::write(&cache, text.repeat(3)).unwrap();
    assert_eq!(counts(), (0, 2));
    assert_eq!(lines(), 2);
    assert_eq!(counts(), (0, 2));

    // Where it cannot be, everything is read again and nothing fails.
    fs::remove_file(&cache).unwrap();
    fs::create_dir(&cache).unwrap();
    assert_eq!(counts(), (2, 0));
}

#[test]
fn damaged_and_static_programs_are_passed_over() {
    let site = Site::new();
    let foo = site.library("libfoo.so.1", &[], &[]);
    let app = site.program(&["libfoo.so.1"], &[]);
    let fixed = site.program(&[], &["-static"]);
    let mut odd = app.clone();
    odd[32..40].fill(0xff);
    site.publish(
        &Pkg::new("app", "1-1"),
        &[
            ("usr/bin/cut", &app[..app.len() / 2]),
            ("usr/bin/tiny", b"\x7fELF"),
            ("usr/bin/odd", &odd),
            ("usr/bin/fixed", &fixed),
            ("usr/lib/debug/usr/bin/app.debug", &app),
            ("usr/lib/libfoo.so.1", &foo),
        ],
    );
    let report = site.report(&site.request());
    assert_eq!(report.findings, []);
    let libraries = report.sonames.unwrap().libraries;
    assert_eq!(libraries, [library("libfoo.so.1", &["app"], &[])]);
}
