//! Which lines of a build log are errors.
//!
//! A heuristic over single lines of plain text, without escapes: the words that the tools of package builds use where
//! they give up. Warnings, counts of zero, options such as `-Werror` and results of probing are none. A line costs one
//! pass for all the literal words at once; only rules whose words it holds look closer.

mod rules;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::{Regex, RegexBuilder};

use self::rules::{HARMLESS, RULES};

/// What gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// makepkg itself.
    Makepkg,
    /// pacman, or what it cannot satisfy.
    Pacman,
    /// A source whose checksum or signature is wrong.
    Checksum,
    /// git, curl or another program that fetches.
    Download,
    /// A patch that does not apply.
    Patch,
    /// A compiler, assembler or interpreter about its source.
    Compiler,
    /// The linker, static or at run time.
    Linker,
    /// `configure` and what makes it.
    Configure,
    /// CMake.
    Cmake,
    /// Meson.
    Meson,
    /// make, ninja and their kin.
    Make,
    /// cargo and rustc.
    Cargo,
    /// Python and what installs its packages.
    Python,
    /// Node.js, npm and their kin.
    Node,
    /// The Go toolchain.
    Go,
    /// Java, Kotlin, Gradle, Maven.
    Java,
    /// A test that failed.
    Test,
    /// A shell or a tool of a script.
    Shell,
    /// Memory was not enough.
    OutOfMemory,
    /// The disk was not enough.
    DiskFull,
    /// A program crashed.
    Crash,
    /// Some other program.
    Other,
}

impl ErrorKind {
    /// In a word or two.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Makepkg => "makepkg",
            Self::Pacman => "pacman",
            Self::Checksum => "checksum",
            Self::Download => "download",
            Self::Patch => "patch",
            Self::Compiler => "compiler",
            Self::Linker => "linker",
            Self::Configure => "configure",
            Self::Cmake => "cmake",
            Self::Meson => "meson",
            Self::Make => "make",
            Self::Cargo => "cargo",
            Self::Python => "python",
            Self::Node => "node",
            Self::Go => "go",
            Self::Java => "java",
            Self::Test => "test",
            Self::Shell => "shell",
            Self::OutOfMemory => "out of memory",
            Self::DiskFull => "disk full",
            Self::Crash => "crash",
            Self::Other => "other",
        }
    }
}

/// Whether `line`, plain text without escapes, is an error.
#[must_use]
pub fn is_error(line: &str) -> bool {
    kind_of(line).is_some()
}

/// What kind of error `line`, plain text without escapes, is; none where it is no error.
#[must_use]
pub fn kind_of(line: &str) -> Option<ErrorKind> {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
    TABLE.kind_of(line)
}

/// A kind of error lines.
struct Rule {
    kind: ErrorKind,
    /// In lower case. A line without any of them is not looked at more closely.
    words: &'static [&'static str],
    /// What the line, without white space around it, has to match.
    pattern: &'static str,
}

struct Table {
    words: AhoCorasick,
    /// The rule of each word.
    rule_of: Vec<usize>,
    rules: Vec<(ErrorKind, Regex)>,
    harmless: Regex,
}

impl Table {
    fn new() -> Self {
        let words: Vec<(usize, &str)> = RULES
            .iter()
            .enumerate()
            .flat_map(|(index, rule)| rule.words.iter().map(move |word| (index, *word)))
            .collect();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(words.iter().map(|(_, word)| word))
            .expect("some hundred short words make a small automaton");
        Self {
            words: automaton,
            rule_of: words.iter().map(|(index, _)| *index).collect(),
            rules: RULES
                .iter()
                .map(|rule| (rule.kind, compile(rule.pattern)))
                .collect(),
            harmless: compile(HARMLESS),
        }
    }

    fn kind_of(&self, line: &str) -> Option<ErrorKind> {
        let line = line.trim_ascii().as_bytes();
        let mut candidates = 0_u128;
        for found in self.words.find_overlapping_iter(line) {
            candidates |= 1 << self.rule_of[found.pattern().as_usize()];
        }
        while candidates != 0 {
            let index = candidates.trailing_zeros();
            let (kind, pattern) = &self.rules[index as usize];
            if pattern.is_match(line) {
                return (!self.harmless.is_match(line)).then_some(*kind);
            }
            candidates &= candidates - 1;
        }
        None
    }
}

fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .unicode(false)
        .build()
        .expect("the patterns are constants that a test compiles")
}
