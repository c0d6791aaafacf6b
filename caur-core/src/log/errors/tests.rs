//! Lines as the tools print them, with what they are.

use super::ErrorKind::{
    Cargo, Checksum, Cmake, Compiler, Configure, Crash, DiskFull, Download, Go, Java, Linker, Make, Makepkg,
    Meson, Node, Other, OutOfMemory, Pacman, Patch, Python, Shell, Test,
};
use super::*;

const ERRORS: &[(ErrorKind, &str)] = &[
    (Makepkg, "==> ERROR: A failure occurred in build()."),
    (Makepkg, "==> ERROR: Missing SFTPGo in PATH"),
    (
        Checksum,
        "==> ERROR: One or more files did not pass the validity check!",
    ),
    (Checksum, "    hello-2.12.tar.gz ... FAILED"),
    (
        Checksum,
        "    linux-6.9.tar.sign ... FAILED (unknown public key 38DBBDC86092693E)",
    ),
    (Checksum, "sha256sum: WARNING: 1 computed checksum did NOT match"),
    (Checksum, "go.sum: verifying module: checksum mismatch"),
    (
        Download,
        "==> ERROR: Failure while downloading https://example.org/a-1.0.tar.gz",
    ),
    (Pacman, "==> ERROR: Could not resolve all dependencies."),
    (Pacman, "error: target not found: python-nonexistent"),
    (
        Pacman,
        "error: failed to prepare transaction (could not satisfy dependencies)",
    ),
    (
        Pacman,
        ":: unable to satisfy dependency 'libfoo.so=2-64' required by bar",
    ),
    (Pacman, "error: failed to commit transaction (conflicting files)"),
    (
        Pacman,
        "glibc: /usr/lib/libc.so.6 exists in filesystem (owned by other)",
    ),
    (
        Pacman,
        "error: failed retrieving file 'core.db' from mirror.example.org : Connection timed out",
    ),
    (
        Pacman,
        "error: qt6-base: signature from \"Some One <a@b.c>\" is unknown trust",
    ),
    (Patch, "Hunk #2 FAILED at 118."),
    (
        Patch,
        "1 out of 3 hunks FAILED -- saving rejects to file Makefile.rej",
    ),
    (Patch, "error: patch failed: src/main.c:42"),
    (
        Patch,
        "patch: **** Can't open patch file ../fix.patch : No such file or directory",
    ),
    (Download, "curl: (22) The requested URL returned error: 404"),
    (Download, "2026-01-05 10:00:00 ERROR 404: Not Found."),
    (
        Download,
        "fatal: unable to access 'https://github.com/a/b.git/': Could not resolve host: github.com",
    ),
    (Download, "fatal: Remote branch v9 not found in upstream origin"),
    (
        Download,
        "error: pathspec 'v1.2.3' did not match any file(s) known to git",
    ),
    (
        Configure,
        "configure: error: Package requirements (gtk+-3.0 >= 3.22) were not met:",
    ),
    (
        Configure,
        "configure.ac:31: error: possibly undefined macro: AC_PROG_LIBTOOL",
    ),
    (Cmake, "CMake Error at CMakeLists.txt:12 (find_package):"),
    (
        Cmake,
        "CMake Error: The source directory \"/build/x\" does not exist.",
    ),
    (Cmake, "-- Configuring incomplete, errors occurred!"),
    (
        Meson,
        "meson.build:14:11: ERROR: Dependency \"libadwaita-1\" not found, tried pkgconfig",
    ),
    (Meson, "../src/meson.build:3:0: ERROR: Unknown variable \"foo\"."),
    (
        Compiler,
        "main.c:10:5: error: implicit declaration of function 'foo' [-Wimplicit-function-declaration]",
    ),
    (
        Compiler,
        "/build/a/src/a.cpp:3:10: fatal error: boost/asio.hpp: No such file or directory",
    ),
    (Compiler, "src/old.c:12: error: expected ';' before '}' token"),
    (Compiler, "cc1: all warnings being treated as errors"),
    (
        Compiler,
        "cc1plus: error: unrecognized command-line option '-fnope'",
    ),
    (Compiler, "gcc: fatal error: no input files"),
    (
        Compiler,
        "x86_64-linux-gnu-g++: error: unrecognized argument in option '-march=foo'",
    ),
    (Compiler, "clang: error: no such file or directory: 'x.c'"),
    (
        Compiler,
        "during GIMPLE pass: vect: a.c:1:6: internal compiler error: in vect_transform_stmt",
    ),
    (Compiler, "compilation terminated."),
    (Compiler, "/tmp/ccX1.s:7: Error: no such instruction: `foo %eax'"),
    (Compiler, "kernel.cu(42): error: identifier \"x\" is undefined"),
    (
        Compiler,
        "Main.hs:12:3: error: [GHC-88464] Variable not in scope: foo",
    ),
    (
        Compiler,
        "window.vala:10.5-10.12: error: The name `foo' does not exist",
    ),
    (
        Linker,
        "/usr/bin/ld: main.o: in function `main': main.c:(.text+0x5): undefined reference to `foo'",
    ),
    (
        Linker,
        "/usr/bin/ld: cannot find -lfoo: No such file or directory",
    ),
    (Linker, "collect2: error: ld returned 1 exit status"),
    (Linker, "ld.lld: error: undefined symbol: foo"),
    (
        Linker,
        "clang++: error: linker command failed with exit code 1 (use -v to see invocation)",
    ),
    (
        Linker,
        "./prog: error while loading shared libraries: libfoo.so.1: cannot open shared object file",
    ),
    (
        Linker,
        "./prog: symbol lookup error: ./prog: undefined symbol: foo_new",
    ),
    (Make, "make: *** [Makefile:10: all] Error 2"),
    (
        Make,
        "gmake[2]: *** [CMakeFiles/Makefile2:83: CMakeFiles/x.dir/all] Error 2",
    ),
    (Make, "make[1]: *** No rule to make target 'install'.  Stop."),
    (Make, "Makefile:3: *** missing separator.  Stop."),
    (Make, "ninja: build stopped: subcommand failed."),
    (
        Make,
        "ninja: error: loading 'build.ninja': No such file or directory",
    ),
    (Make, "FAILED: src/a.o"),
    (Make, "FAILED: [code=1] CMakeFiles/app.dir/main.cpp.o"),
    (Cargo, "error[E0308]: mismatched types"),
    (
        Cargo,
        "error: could not compile `foo` (lib) due to 2 previous errors",
    ),
    (
        Cargo,
        "error: failed to run custom build command for `openssl-sys v0.9.99`",
    ),
    (Cargo, "error: aborting due to 1 previous error"),
    (Cargo, "thread 'main' panicked at src/main.rs:3:5:"),
    (Python, "Traceback (most recent call last):"),
    (Python, "ModuleNotFoundError: No module named 'setuptools'"),
    (
        Python,
        "subprocess.CalledProcessError: Command '['cmake']' returned non-zero exit status 1.",
    ),
    (
        Python,
        "ERROR Backend subprocess exited when trying to invoke build_wheel",
    ),
    (Python, "ERROR Missing dependencies:"),
    (Python, "error: subprocess-exited-with-error"),
    (
        Python,
        "pkg_resources.DistributionNotFound: The 'six' distribution was not found",
    ),
    (Node, "npm ERR! code ELIFECYCLE"),
    (Node, "npm error code E404"),
    (Node, "gyp ERR! build error"),
    (Node, "error Command failed with exit code 1."),
    (
        Node,
        " ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\"",
    ),
    (Node, "src/app.ts(12,5): error TS2304: Cannot find name 'foo'."),
    (Node, "Error: Cannot find module 'webpack'"),
    (Go, "./main.go:12:5: undefined: foo"),
    (
        Go,
        "go: github.com/a/b@v1.0.0: invalid version: unknown revision v1.0.0",
    ),
    (
        Go,
        "main.go:4:2: no required module provides package github.com/x/y; to add it:",
    ),
    (Java, "> Task :compileJava FAILED"),
    (Java, "FAILURE: Build failed with an exception."),
    (Java, "Foo.java:12: error: cannot find symbol"),
    (
        Java,
        "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.8.1:compile",
    ),
    (
        Java,
        "Exception in thread \"main\" java.lang.NullPointerException",
    ),
    (Test, "FAIL: test-strings.sh"),
    (Test, "not ok 12 - parses empty input"),
    (Test, "--- FAIL: TestParse (0.00s)"),
    (Test, "FAIL\tgithub.com/a/b\t0.012s"),
    (Test, "test parse::empty ... FAILED"),
    (Test, "[  FAILED  ] Foo.Bar (3 ms)"),
    (
        Test,
        "FAILED tests/test_a.py::test_b - AssertionError: assert 1 == 2",
    ),
    (Test, "E       assert 1 == 2"),
    (Test, "========= 2 failed, 118 passed in 3.21s ========="),
    (
        Test,
        "12/40 Test #12: net ....................***Failed    0.01 sec",
    ),
    (
        Test,
        " 3/12 buildorder_integration_test             FAIL     0.32 s (exit status 1)",
    ),
    (Test, "# FAIL:  2"),
    (Test, "Tests run: 5, Failures: 1, Errors: 0, Skipped: 0"),
    (Test, "prog: main.c:5: main: Assertion `x > 0' failed."),
    (
        Shell,
        "/build/PKGBUILD: line 25: cd: foo-1.0: No such file or directory",
    ),
    (Shell, "./autogen.sh: line 12: gtkdocize: command not found"),
    (Shell, "sh: 1: xsltproc: not found"),
    (
        Shell,
        "install: cannot stat 'target/release/foo': No such file or directory",
    ),
    (
        Shell,
        "cp: cannot create regular file '/usr/bin/x': Permission denied",
    ),
    (Shell, "sed: can't read src/config.h: No such file or directory"),
    (Shell, "/usr/bin/env: 'python2': No such file or directory"),
    (Shell, "bsdtar: Error opening archive: Failed to open 'x.tar.gz'"),
    (
        OutOfMemory,
        "g++: fatal error: Killed signal terminated program cc1plus",
    ),
    (
        OutOfMemory,
        "/build/PKGBUILD: line 20: 12345 Killed                  make -j8",
    ),
    (
        OutOfMemory,
        "  process didn't exit successfully: `rustc --crate-name x` (signal: 9, SIGKILL: kill)",
    ),
    (
        OutOfMemory,
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    ),
    (
        OutOfMemory,
        "terminate called after throwing an instance of 'std::bad_alloc'",
    ),
    (
        DiskFull,
        "/usr/bin/ld: final link failed: No space left on device",
    ),
    (Crash, "Segmentation fault (core dumped)"),
    (Other, "Error: Unbound value foo"),
    (Other, "gpg: error: keyserver refused"),
    (
        Other,
        "Can't locate XML/Parser.pm in @INC (you may need to install the XML::Parser module)",
    ),
    (Other, "rake aborted!"),
];

const NONE: &[&str] = &[
    "gcc -O2 -Wall -Werror=format-security -c error.c -o error.o",
    "  CC       lib/error.o",
    "[ 12%] Building C object CMakeFiles/x.dir/src/error.c.o",
    "checking for strerror... yes",
    "checking for error_at_line... no",
    "checking whether the compiler fails on unknown flags... -Werror",
    "-- Looking for error.h",
    "-- Looking for error.h - not found",
    "-- Performing Test HAVE_WERROR - Failed",
    "-- Could NOT find Doxygen (missing: DOXYGEN_EXECUTABLE)",
    "0 errors",
    "0 errors, 0 warnings",
    "no error",
    "errors: 0",
    "Errors: 0",
    "Found 0 errors and 3 warnings.",
    "Tests run: 5, Failures: 0, Errors: 0, Skipped: 0",
    "libgpg-error-1.50-1  downloading...",
    "(3/9) installing libgpg-error                      [######################] 100%",
    "   Compiling thiserror v1.0.63",
    "   Compiling failure_derive v0.1.8",
    "   Compiling error-chain v0.12.4",
    "# FAIL:  0",
    "# XFAIL: 1",
    "# ERROR: 0",
    "FAIL:      0",
    "TIMEOUT:    0",
    "XFAIL: known-broken.sh",
    "PASS: test-error.sh",
    "ok 12 - error: is reported",
    "not ok 13 - flaky # TODO fix later",
    "test error_is_reported ... ok",
    "test result: ok. 20 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
    "100% tests passed, 0 tests failed out of 40",
    "===== 118 passed, 3 skipped in 3.21s =====",
    "make[1]: [Makefile:20: clean] Error 1 (ignored)",
    "main.c:10:5: warning: unused variable 'error' [-Wunused-variable]",
    "main.c:10:5: note: in expansion of macro 'ERROR'",
    "warning: unused result which must be used: `Result<(), Error>`",
    "fatal: not a git repository (or any of the parent directories): .git",
    "fatal: No names found, cannot describe anything.",
    "==> WARNING: Package contains reference to $srcdir",
    "==> Starting check()...",
    "[INFO] BUILD SUCCESS",
    "> Task :compileJava UP-TO-DATE",
    "copying error_pages/404.html -> build/lib/error_pages",
    "adding 'requests/exceptions.py'",
    "byte-compiling build/lib/foo/errors.py to errors.cpython-313.pyc",
    "install -Dm644 docs/errors.md /build/pkg/usr/share/doc/errors.md",
    "Installing: /build/pkg/usr/include/boost/system/error_code.hpp",
    "if test ! -f x; then echo 'configure: error: no x'; exit 1; fi",
    "npm warn deprecated error@1.0.0: no longer supported",
    "go: downloading github.com/pkg/errors v0.9.1",
    "    foo_test.go:12: error handling works",
    "  error handling: enabled",
    "Message: 'Killed processes are restarted'",
    "    hello-2.12.tar.gz ... Passed",
    "Hunk #2 succeeded at 118 (offset 3 lines).",
    "2 files changed, 12 insertions(+), 3 failures fixed",
    "Unpacking perl-error-0.17029-7-any",
    "Compiling src/error_report.vala",
    "[12/90] Compiling C++ object src/libx.a.p/error.cpp.o",
    "Run-time dependency gpg-error found: YES 1.50",
    "Checking for function \"strerror_r\" : YES",
    "Fail:               0",
    "Program python3 found: YES (/usr/bin/python3)",
    "",
];

#[test]
fn errors_are_told_with_their_kind() {
    let wrong: Vec<String> = ERRORS
        .iter()
        .filter(|(kind, line)| kind_of(line) != Some(*kind))
        .map(|(kind, line)| format!("{kind:?} expected, {:?} found: {line}", kind_of(line)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(ERRORS.len() >= 60, "{}", ERRORS.len());
}

#[test]
fn what_looks_like_an_error_is_none() {
    let wrong: Vec<String> = NONE
        .iter()
        .filter(|line| is_error(line))
        .map(|line| format!("{:?}: {line}", kind_of(line)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(NONE.len() >= 40, "{}", NONE.len());
}

#[test]
fn a_rule_that_matches_has_one_of_its_words() {
    // Else the line would be passed over before the pattern is asked.
    for rule in RULES {
        let pattern = compile(rule.pattern);
        for (_, line) in ERRORS {
            let line = line.trim();
            let lower = line.to_ascii_lowercase();
            if pattern.is_match(line.as_bytes()) {
                assert!(
                    rule.words.iter().any(|word| lower.contains(word)),
                    "{:?} matches {line:?} without its words",
                    rule.kind
                );
            }
        }
        for word in rule.words {
            assert_eq!(*word, word.to_ascii_lowercase());
        }
    }
    assert!(RULES.len() <= 128, "candidates are bits");
}

#[test]
fn any_bytes_and_long_lines_are_taken() {
    for line in ["\u{fffd}\u{0}error", "é: error: ü", " ", "\u{2028}"] {
        let _either = is_error(line);
    }
    let long = format!("gcc {} -c a.c", "-Werror=x ".repeat(100_000));
    assert!(!is_error(&long));
    assert!(is_error(&format!("a.c:1:1: error: {}", "x".repeat(1_000_000))));
}

#[test]
fn every_kind_has_a_name_of_its_own_and_an_example() {
    let kinds: std::collections::BTreeSet<ErrorKind> = ERRORS.iter().map(|(kind, _)| *kind).collect();
    let names: std::collections::BTreeSet<&str> = kinds.iter().map(|kind| kind.name()).collect();
    assert_eq!((kinds.len(), names.len()), (22, 22));
}
