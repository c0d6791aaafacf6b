//! The rules, in the order in which they are asked: the first that matches names the kind, so the special ones come
//! before the general.

use super::ErrorKind::{
    Cargo, Checksum, Cmake, Compiler, Configure, Crash, DiskFull, Download, Go, Java, Linker, Make, Makepkg,
    Meson, Node, Other, OutOfMemory, Pacman, Patch, Python, Shell, Test,
};
use super::{ErrorKind, Rule};

const fn rule(kind: ErrorKind, words: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { kind, words, pattern }
}

/// What the rules take for an error although builds go on: asking git about a version in an unpacked archive.
pub(super) const HARMLESS: &str =
    "^fatal: (?:not a git repository|[Nn]o names found|[Nn]o tags can describe|No annotated tags)";

pub(super) const RULES: &[Rule] = &[
    // What ends the others from outside.
    rule(
        OutOfMemory,
        &["killed", "sigkill"],
        r"(?:^|[:\]] ?|: line \d+: +\d+ )Killed(?:$| signal terminated program| +\S+.*$)|signal: 9|SIGKILL|Out of memory: Killed process|Killed process \d+",
    ),
    rule(
        OutOfMemory,
        &[
            "virtual memory exhausted",
            "cannot allocate memory",
            "std::bad_alloc",
            "heap out of memory",
            "outofmemoryerror",
            "memory allocation of ",
            "llvm error: out of memory",
            "out of memory allocating",
        ],
        r"(?:virtual memory exhausted|[Cc]annot allocate memory|std::bad_alloc|heap out of memory|java\.lang\.OutOfMemoryError|memory allocation of \d+ bytes failed|LLVM ERROR: out of memory|out of memory allocating)",
    ),
    rule(DiskFull, &["no space left on device"], "No space left on device"),
    // makepkg and pacman.
    rule(
        Checksum,
        &[
            "==> error: one or more ",
            "==> error: integrity checks",
            "... failed",
            "not match",
            ": failed",
        ],
        r"^==> ERROR: (?:One or more (?:files did not pass the validity check|PGP signatures could not be verified)|Integrity checks )|^\S+ \.\.\. FAILED(?: \(|$)|^sha\d+sum: WARNING: [1-9]\d* |^md5sum: WARNING: [1-9]\d* |^\S+: FAILED(?: open or read)?$|[Cc]hecksum (?:did not|does not|doesn't) match",
    ),
    rule(
        Checksum,
        &[
            "checksum mismatch",
            "hash mismatch",
            "checksum verification failed",
            "checksum for",
        ],
        r"(?i)(?:checksum|hash)(?: mismatch| verification failed)|checksum for .* (?:changed|was not what)",
    ),
    rule(
        Download,
        &["==> error: failure while downloading"],
        "^==> ERROR: Failure while downloading",
    ),
    rule(
        Pacman,
        &[
            "==> error: could not resolve all dep",
            "==> error: 'pacman' failed",
        ],
        "^==> ERROR: (?:Could not resolve all dependencies|'pacman' failed)",
    ),
    rule(Makepkg, &["==> error:"], "^==> ERROR: "),
    rule(
        Pacman,
        &["error: "],
        r"^error: (?:target not found: |failed to (?:prepare transaction|commit transaction|init transaction|initialize alpm|synchronize all databases|retrieve some files|update \S+ \()|failed retrieving file |could not (?:open file|lock database|find or read package|register|satisfy)|unresolvable package conflicts|no targets specified|database not found|(?:\S+: )?(?:signature from |key |missing required signature)|unknown key|\S+: no local file|invalid or corrupted|could not find database)",
    ),
    rule(
        Pacman,
        &[
            "unable to satisfy dependency",
            "exists in filesystem",
            "is in conflict with",
            "conflict with '",
        ],
        r"^:: unable to satisfy dependency |^\S+: /.* exists in filesystem|^:: \S+ and \S+ are in conflict",
    ),
    // Sources.
    rule(
        Patch,
        &["hunk", "patch"],
        r"^Hunk #\d+ FAILED at|\d+ out of \d+ hunks? (?:FAILED|ignored)|^patch: \*\*\*\* |^can't find file to patch at|^error: patch failed: |: patch does not apply$|^error: corrupt patch at|Reversed \(or previously applied\) patch detected!",
    ),
    rule(
        Download,
        &[
            "curl: (",
            "wget: ",
            "error 4",
            "error 5",
            "could not resolve host",
            "returned error: ",
            "rpc failed",
        ],
        r"^curl: \(\d+\) |^wget: (?:unable|server returned error|bad address)|\bERROR [45]\d\d: |Could not resolve host|The requested URL returned error: |^error: RPC failed",
    ),
    rule(
        Download,
        &["fatal: ", "pathspec '", "repository not found", "failed to clone"],
        r"^fatal: |^error: pathspec '.*' did not match|^(?:remote|ERROR): [Rr]epository not found|[Ff]ailed to clone",
    ),
    // Building.
    rule(
        Configure,
        &[
            "configure: error:",
            ".ac:",
            ".am:",
            ".m4:",
            "autoreconf: error:",
            "aclocal: error:",
            "automake: error:",
            "autoconf: error:",
        ],
        r"^(?:\S*configure|autoreconf|aclocal|automake|autoconf|libtoolize): error: |^\S+\.(?:ac|am|m4):\d+: error: ",
    ),
    rule(
        Cmake,
        &["cmake error", "configuring incomplete, errors occurred"],
        r"^CMake Error(?: at | in |: | \(dev\)|$)|^-- Configuring incomplete, errors occurred!",
    ),
    rule(
        Meson,
        &["meson.build:", "meson encountered an error", "meson_options.txt:"],
        r"^(?:\S*meson\.build|\S*meson_options\.txt):\d+:\d+: ERROR: |^[Mm]eson encountered an error",
    ),
    rule(
        Linker,
        &[
            "undefined reference to ",
            "undefined symbol: ",
            "multiple definition of ",
            "ld: cannot find ",
            "ld returned ",
            "lld: error: ",
            "mold: error: ",
            "mold: fatal: ",
            "linker command failed",
            "final link failed",
            "dso missing from command line",
            "error while loading shared libraries",
            "symbol lookup error",
            "recompile with -fpic",
            "error: linking with ",
        ],
        r"(?:undefined reference to |\bundefined symbol: |multiple definition of |\bld(?:\.\w+)?: cannot find |: error: ld returned |lld: error: |mold: (?:error|fatal): |error: linker command failed|final link failed|DSO missing from command line|error while loading shared libraries: |symbol lookup error: |recompile with -fPIC|^error: linking with )",
    ),
    rule(
        Java,
        &[".java:", ".kt:", ".scala:"],
        r"^\S+\.java:\d+: error: |^e: (?:file://)?\S+\.kts?:|^\[error\] \S+\.scala:\d+:",
    ),
    rule(Node, &["error ts"], r"[:)] (?:- )?error TS\d+: |^error TS\d+: "),
    rule(
        Compiler,
        &["error:", "error :"],
        r"^[^\s:(][^:(]*(?:(?::\d[\d.-]*)+|\(\d+(?:[,:]\d+)*\)) ?:? (?:fatal |internal compiler |syntax )?[Ee]rror ?: ?",
    ),
    rule(
        Compiler,
        &[
            "fatal error:",
            "fatal error in",
            "internal compiler error",
            "being treated as errors",
            "cc: error: ",
            "c++: error: ",
            "g++: error: ",
            "clang: error: ",
            "cc1: error: ",
            "cc1plus: error: ",
            "assembler: error",
            "rustc: error",
        ],
        r"^(?:\S*/)?\S*(?:cc|c\+\+|g\+\+|clang|clang-\d+|cc1|cc1plus|cc1objplus|f951|gfortran|ghc|swiftc|nvcc|as)(?:-[\d.]+)?: (?:fatal |internal compiler )?error: |internal compiler error: |\b(?:all|some) warnings being treated as errors|^[Ff]atal [Ee]rror: ",
    ),
    rule(
        Compiler,
        &[
            "compilation terminated",
            "compilation failed",
            "compilation aborted",
        ],
        r"^compilation terminated\.$|^BEGIN failed--compilation aborted|[Cc]ompilation failed(?:$|[.:;])",
    ),
    rule(
        Make,
        &["*** "],
        r"^(?:\S*/)?(?:g?make|scons|mingw32-make|omake)(?:\[\d+\])?: \*\*\* |^\S+:\d+: \*\*\* .*Stop\.$",
    ),
    rule(
        Make,
        &[
            "ninja: error:",
            "ninja: fatal:",
            "ninja: build stopped:",
            "failed: ",
            "samu: ",
        ],
        r"^ninja: (?:error|fatal|build stopped): |^FAILED: (?:\[code=\d+\] )?[^\s\d]|^samu: (?:job failed|error|subcommand failed)",
    ),
    // Toolchains of languages.
    rule(
        Test,
        &["error: test failed", "doctest failed"],
        r"^error: (?:\d+ )?(?:test|doctest) failed",
    ),
    rule(
        Cargo,
        &["error[e", "error: ", "panicked at"],
        r"^error\[E\d{4}\]: |^error: (?:could not compile |aborting due to |failed to (?:run custom build command|compile |parse manifest|select a version|load source|download|get |fetch|read |resolve|open: )|no matching package |package `|linker `|process didn't exit|the lock file |rustc |toolchain |unable to update |cannot find |unexpected argument|the option |expected |mismatched |unresolved import|couldn't read|environment variable)|^thread '.*' (?:\(\d+\) )?panicked at ",
    ),
    rule(Go, &[".go:"], r"^\S+\.go:\d+:\d+: "),
    rule(
        Go,
        &[
            "go: ",
            "no required module provides package",
            "cannot find package ",
            "exclude all go files",
            "go.mod:",
            "panic: ",
        ],
        r"^go: .*(?:cannot find|not found|requires go|unknown revision|no required module|errors parsing|updates to go\.mod needed|inconsistent vendoring|invalid |dial tcp|no such |checksum mismatch|disabled by)|no required module provides package |^(?:\S+: )?cannot find package |build constraints exclude all Go files|^\S*go\.mod:\d+: |^panic: ",
    ),
    rule(
        Node,
        &[
            "npm err!",
            "npm error",
            "gyp err!",
            "err_pnpm_",
            "elifecycle",
            "error command failed",
            "cannot find module",
            "unhandledpromiserejection",
            "err_module_not_found",
            "[webpack-cli]",
            "error in ./",
            "[error]",
        ],
        r"^npm (?:ERR!|error) |^gyp ERR! |^\S*\s*ERR_PNPM_|\bELIFECYCLE\b|^error Command failed|^(?:Uncaught )?Error: Cannot find module |UnhandledPromiseRejection|ERR_MODULE_NOT_FOUND|^\[webpack-cli\] \S*Error|^ERROR in \./|^\S+ \[ERROR\] ",
    ),
    rule(
        Node,
        &["referenceerror: ", "rangeerror: "],
        r"^(?:Uncaught )?(?:ReferenceError|RangeError): ",
    ),
    rule(
        Java,
        &[
            "build failed",
            "build failure",
            "[error] ",
            "exception in thread ",
            "caused by: ",
            "> task ",
        ],
        r"^BUILD FAILED(?:$| in )|^\[INFO\] BUILD FAILURE|^FAILURE: Build failed|^\[ERROR\] \S|^Exception in thread |^Caused by: \S+\.\S+|^> Task \S+ FAILED$",
    ),
    rule(
        Python,
        &[
            "traceback (most",
            "error: could not find a version",
            "error: no matching distribution",
            "error: subprocess-exited",
            "error backend subprocess",
            "error missing dependencies",
            "error: failed building wheel",
            "error: failed to build",
            "error: invalid command '",
            "error: command '",
        ],
        r"^(?:E +)?Traceback \(most recent call last\)|^ERROR:? (?:Could not find a version|No matching distribution|Backend subprocess exited|Missing dependencies|Failed (?:building wheel|to build))|^(?:error: )(?:subprocess-exited|metadata-generation-failed)|^error: (?:invalid command '|command '.*' (?:failed|terminated))",
    ),
    rule(
        Test,
        &["assertionerror", "e       assert ", "assertion "],
        r"^(?:E +)?AssertionError\b|^E {3,}assert |\bAssertion [`'].* failed|^Assertion failed: |: Assertion failed\b",
    ),
    rule(
        Python,
        &["error: ", "exception: ", "error", "notfound: "],
        r"^(?:E +)?(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|NotFound)(?:: .*|$)",
    ),
    // Tests.
    rule(
        Test,
        &[
            "fail: ",
            "xpass: ",
            "failed",
            "fail ",
            "fail\t",
            "not ok ",
            "timeout ",
            "***timeout",
            "error: ",
            "= failures =",
        ],
        concat!(
            r"^(?:FAIL|XPASS|ERROR): (?:[^\d\s]|\d+[^\d\s])|^not ok \d+(?: - )?[^#]*$|^--- FAIL: |^FAIL\s+[^\s:]|^Result: FAIL|^\[ {2}FAILED {2}\] ",
            r"|^FAILED [^\s:]+(?:::| - )|^FAILED \(\w|^test .* \.\.\. FAILED$|^test result: FAILED|^# (?:FAIL|XPASS|ERROR): +[1-9]|\*\*\*(?:Failed|Timeout|Exception)",
            r"|^\d+/\d+ .* (?:FAIL|TIMEOUT) +\d|^The following tests FAILED|^=+ .*\b[1-9]\d* (?:failed|errors?)\b.* in |^=+ FAILURES =+$",
            r"|Failed [1-9]\d*/\d+ subtests|^(?:Tests|Test Suites): +[1-9]\d* failed|^Fail: +[1-9]|\bTEST FAILED\b",
        ),
    ),
    rule(
        Test,
        &[
            "errors while running ctest",
            "failures: ",
            "errors: ",
            " failures",
            "test returned ",
            "= errors =",
            "***exception",
            "error  ",
        ],
        r"^Errors while running CTest|Tests run: .*(?:Failures|Errors): [1-9]|^\d+ examples?, [1-9]\d* failures?|Dubious, test returned|^=+ ERRORS =+$|\*\*\*Exception|^\d+/\d+ .* ERROR +\d",
    ),
    // Scripts.
    rule(
        Shell,
        &[
            "not found",
            "no such file or directory",
            "permission denied",
            "syntax error",
            "unbound variable",
            "cannot execute",
            "bad substitution",
            "not a directory",
        ],
        r"^\S.*: command not found(?:\.\.\.)?$|^\S+: (?:line )?\d+: \S+: (?:not found|Permission denied)$|^\S+: line \d+: .*(?:No such file or directory|Permission denied|Not a directory|syntax error.*|unbound variable|cannot execute.*|bad substitution)$|^(?:/\S*/)?env: .*No such file or directory$|^exec: .*: not found$",
    ),
    rule(
        Shell,
        &["cannot ", "can't ", "failed to ", "error", "no such file"],
        r"^(?:/\S*/)?(?:install|cp|mv|rm|ln|mkdir|rmdir|chmod|chown|touch|sed|tar|bsdtar|bsdcpio|gzip|xz|zstd|unzip|sort|strip|objcopy|rsync|find|xargs|tee|dd|mktemp|realpath|readlink|stat|truncate|split)(?: \(\S+\))?: (?:.*\b(?:cannot|can't|Cannot|Can't|failed to|Error (?:is not|exit|opening))|\S+: No such file)",
    ),
    rule(
        Crash,
        &[
            "segmentation fault",
            "core dumped",
            "illegal instruction",
            "bus error",
            "stack smashing detected",
            "double free",
            "munmap_chunk",
            "corrupted size",
            "addresssanitizer: ",
        ],
        r"\b[Ss]egmentation fault\b|\(core dumped\)|\bIllegal instruction\b|\bBus error\b|^\*\*\* stack smashing detected|^(?:double free or|munmap_chunk|corrupted size|free\(\): )|^==\d+==ERROR: AddressSanitizer: ",
    ),
    // Whatever else says that it gives up.
    rule(
        Other,
        &[
            "error: ",
            "error ",
            "[error]",
            "[fatal]",
            "can't locate ",
            "rake aborted",
            "error)",
            "failed!",
            "fatal error",
        ],
        r"^(?:\*+ ?)?(?:[Ee]rror|ERROR|FATAL|Fatal error|FATAL ERROR|Fatal): \S|^\[(?:ERROR|FATAL|error|fatal)\]:? \S|^E: |^Can't locate \S+ in @INC|^\S+: (?:[Ff]atal )?[Ee]rror: \S|^\S+: ERROR: \S|\((?:\w+::)*\w+Error\)$|^rake aborted!|^Build failed!",
    ),
];
