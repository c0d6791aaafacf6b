//! Holds the code to the arrows of `docs/ARCHITECTURE.md`: which module may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of `caur-core` with what it may use.
const ARROWS: [(&str, &[&str]); 11] = [
    ("model", &[]),
    ("config", &["model"]),
    ("ci", &["model"]),
    ("link", &["model"]),
    ("ssh", &["model", "link"]),
    ("queue", &["model", "link"]),
    ("log", &["model", "link"]),
    ("connect", &["config", "link", "ssh"]),
    ("repo", &["model"]),
    ("build", &["model", "config", "ci", "queue", "log", "ssh", "link"]),
    ("testing", &["model", "link", "ssh"]),
];

/// What the console may use of `caur-core`: nothing of builds, repositories and CI.
const CONSOLE: &[&str] = &["model", "queue", "log", "ssh", "config", "link", "connect"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests live in the workspace")
        .to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The names that follow `prefix` in the code of a file, also inside braces: `crate::{a::B, c}`.
fn used_modules(text: &str, prefix: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(std::mem::take(&mut name));
                        continue;
                    }
                    _ => {}
                }
                if depth == 0 && !c.is_whitespace() {
                    name.push(c);
                }
            }
            found.insert(name);
        } else {
            found.insert(rest.to_owned());
        }
    }
    let first_word = |path: &str| -> String {
        path.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    found
        .iter()
        .map(|path| first_word(path))
        .filter(|word| !word.is_empty())
        .collect()
}

/// Whether a file holds only tests, which may use the test servers.
fn is_test(file: &Path) -> bool {
    let of_tests = |part: std::path::Component<'_>| {
        part.as_os_str()
            .to_str()
            .is_some_and(|name| name.contains("tests"))
    };
    file.components().any(of_tests)
}

/// A file without its tests, which may use the test servers.
fn product_code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

#[test]
fn modules_use_only_what_they_may() {
    let core = root().join("caur-core/src");
    let known: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for entry in fs::read_dir(&core).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module == "lib" {
            continue;
        }
        let allowed = known
            .get(&*module)
            .unwrap_or_else(|| panic!("module {module} is not in the list of arrows"));
        let files = if path.is_dir() {
            rust_files(&path)
        } else {
            vec![path.clone()]
        };
        for file in files {
            let is_test = is_test(&file);
            let text = fs::read_to_string(&file).unwrap();
            for used in used_modules(product_code(&text), "crate::") {
                if !known.contains_key(&*used) || used == module || (is_test && used == "testing") {
                    continue;
                }
                assert!(
                    allowed.contains(&&*used),
                    "{}: {module} must not use {used}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_arrows_have_no_circle() {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(module, uses)| (*module, uses.iter().copied().collect()))
        .collect();
    while !left.is_empty() {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, uses)| uses.is_empty())
            .map(|(module, _)| *module)
            .collect();
        assert!(!free.is_empty(), "a circle among {:?}", left.keys());
        for module in free {
            left.remove(module);
            for uses in left.values_mut() {
                uses.remove(module);
            }
        }
    }
}

#[test]
fn the_console_knows_nothing_of_builds_and_repositories() {
    for file in rust_files(&root().join("caur-tui/src")) {
        let text = fs::read_to_string(&file).unwrap();
        for used in used_modules(product_code(&text), "caur_core::") {
            assert!(
                CONSOLE.contains(&&*used) || is_test(&file) && used == "testing",
                "{}: caur-tui must not use caur_core::{used}",
                file.display()
            );
        }
    }
}

#[test]
fn the_documentation_tells_the_same_arrows() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    for (module, uses) in ARROWS {
        let uses = if uses.is_empty() {
            "nothing".to_owned()
        } else {
            uses.join(", ")
        };
        let line = format!("| `{module}` | {uses} |");
        assert!(text.contains(&line), "docs/ARCHITECTURE.md lacks the line {line}");
    }
}

#[test]
fn files_stay_small_and_have_telling_names() {
    for package in ["caur-core", "caur-daemon", "caur-tui"] {
        for file in rust_files(&root().join(package).join("src")) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 500, "{} has {lines} lines", file.display());
            let stem = file.file_stem().unwrap().to_str().unwrap();
            assert!(
                !["utils", "util", "helpers", "common", "misc"].contains(&stem),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn imports_are_read_as_rust_reads_them() {
    let text =
        "use crate::{model::{A, B}, link::C};\nuse crate::queue;\n// crate::repo\nlet x = crate::log::Y;";
    let expected = ["link", "log", "model", "queue"].map(str::to_owned);
    assert_eq!(used_modules(text, "crate::"), BTreeSet::from(expected));
}
