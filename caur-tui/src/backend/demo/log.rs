//! Build logs of the demo farm: colours, a progress bar and errors, as real ones have them.

/// How many lines there are before a log repeats its compiler lines.
const HEAD: &[&str] = &[
    "\x1b[1;32m==>\x1b[0m\x1b[1m Making package: {name} ({version})\x1b[0m",
    "\x1b[1;32m==>\x1b[0m\x1b[1m Checking runtime dependencies...\x1b[0m",
    "\x1b[1;32m==>\x1b[0m\x1b[1m Installing missing dependencies...\x1b[0m",
    "resolving dependencies...",
    "looking for conflicting packages...",
    "\x1b[1;32m==>\x1b[0m\x1b[1m Retrieving sources...\x1b[0m",
    "{progress}",
    "\x1b[1;34m  ->\x1b[0m\x1b[1m Extracting {name}-{version}.tar.xz with bsdtar\x1b[0m",
    "\x1b[1;32m==>\x1b[0m\x1b[1m Starting build()...\x1b[0m",
    "-- The C compiler identification is GNU 15.2.1",
    "-- Detecting C compiler ABI info - done",
    "-- Configuring done (0.8s)",
];

const UNITS: &[&str] = &[
    "arena", "buffer", "cache", "codec", "config", "decode", "dispatch", "encode", "frame", "graph", "index",
    "lexer", "matrix", "parser", "render", "socket", "stream", "table", "widget", "window",
];

/// One log while it is written.
#[derive(Debug, Clone)]
pub struct DemoLog {
    name: String,
    line: usize,
    /// Lines of the whole log.
    length: usize,
    progress: u32,
}

impl DemoLog {
    /// The log of a build of `name` that writes so many lines.
    pub fn new(name: &str, length: usize) -> Self {
        Self {
            name: name.to_owned(),
            line: 0,
            length: length.max(HEAD.len() + 1),
            progress: 0,
        }
    }

    /// How much of the log is written, in percent.
    pub fn percent(&self) -> usize {
        self.line * 100 / self.length
    }

    /// The next piece; at most one line.
    pub fn next_piece(&mut self) -> String {
        let template = HEAD.get(self.line).copied();
        if template == Some("{progress}") && self.progress < 100 {
            self.progress += 5;
            let filled = "#".repeat(self.progress as usize / 5);
            return format!("\r{}.tar.xz  [{filled:-<20}] {:3}%", self.name, self.progress);
        }
        let text = match template {
            Some("{progress}") => String::new(),
            Some(template) => template
                .replace("{name}", &self.name)
                .replace("{version}", "1.4.2-1"),
            None => self.compiler_line(),
        };
        self.line += 1;
        format!("{text}\r\n")
    }

    fn compiler_line(&self) -> String {
        let unit = UNITS[self.line * 7 % UNITS.len()];
        let percent = self.percent().min(100);
        if self.line.is_multiple_of(23) {
            format!(
                "src/{unit}.c:{}:9: \x1b[1;35mwarning:\x1b[0m unused variable \x1b[1m'length'\x1b[0m [-Wunused-variable]",
                self.line * 3
            )
        } else {
            format!(
                "[{percent:3}%] \x1b[32mBuilding C object CMakeFiles/{}.dir/src/{unit}_{}.c.o\x1b[0m",
                self.name, self.line
            )
        }
    }

    /// The last lines of a build that failed or did not.
    pub fn last_lines(&self, error: Option<&str>) -> String {
        match error {
            None => format!(
                "\x1b[1;32m==>\x1b[0m\x1b[1m Creating package \"{name}\"...\x1b[0m\r\n\x1b[1;32m==>\x1b[0m\x1b[1m Finished making: {name} 1.4.2-1\x1b[0m\r\n",
                name = self.name
            ),
            Some(error) => format!(
                "src/parser.c:211:5: \x1b[1;31merror:\x1b[0m call to undeclared function 'frame_open'\r\n\x1b[1;31m==> ERROR:\x1b[0m\x1b[1m {error}\x1b[0m\r\n"
            ),
        }
    }
}
