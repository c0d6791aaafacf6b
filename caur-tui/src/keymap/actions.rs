//! Everything the console can be asked for: one list, from which keys act and footer, help, palette, `:` commands
//! and the key reference in `docs/` are written.

/// Where an action can be asked for. A view has several of them at a time, see [`crate::app::View::contexts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// While there is no link; comes before everything else.
    Offline,
    /// The queue.
    Queue,
    /// One job and its log.
    Job,
    /// The builders.
    Builders,
    /// The packages of a repository.
    Repository,
    /// Finished jobs.
    History,
    /// Who did what.
    Activity,
    /// Charts.
    Statistics,
    /// Every view that shows a table.
    List,
    /// Wherever a job is selected: queue, job, history.
    Jobs,
    /// Everywhere.
    Anywhere,
}

impl Context {
    /// Every context, in the order of the help.
    pub const ALL: [Self; 11] = [
        Self::Queue,
        Self::Job,
        Self::Builders,
        Self::Repository,
        Self::History,
        Self::Activity,
        Self::Statistics,
        Self::Jobs,
        Self::List,
        Self::Anywhere,
        Self::Offline,
    ];

    /// What the help calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Offline => "without a link",
            Self::Queue => "queue",
            Self::Job => "job and log",
            Self::Builders => "builders",
            Self::Repository => "repository",
            Self::History => "history",
            Self::Activity => "activity",
            Self::Statistics => "statistics",
            Self::List => "lists",
            Self::Jobs => "acting on jobs",
            Self::Anywhere => "everywhere",
        }
    }
}

/// What an action is.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The action.
    pub action: Action,
    /// Its name in configuration files and as a `:` command.
    pub name: &'static str,
    /// Where it can be asked for.
    pub context: Context,
    /// Its keys, unless the configuration gives it others.
    pub keys: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
    /// A word for the footer, where it is worth one.
    pub hint: Option<&'static str>,
    /// What may follow it as a `:` command; empty where nothing may.
    pub argument: &'static str,
    /// Whether it changes the farm: hidden in a console that must not.
    pub changes: bool,
}

macro_rules! actions {
    ($( $(#[$doc:meta])* $action:ident, $name:literal, $context:ident, [$($key:literal),*], $help:literal
        $(, hint = $hint:literal)? $(, argument = $argument:literal)? $(, changes = $changes:literal)? ;)+) => {
        /// Something that a key, a command or the palette can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $( $(#[$doc])* #[doc = $help] $action, )+ }

        /// Every action, in the order of the help; hints stand in this order too, so the vital ones come first.
        pub const ACTIONS: &[Definition] = &[$( Definition {
            action: Action::$action,
            name: $name,
            context: Context::$context,
            keys: &[$($key),*],
            help: $help,
            hint: optional!($($hint)?),
            argument: first!($($argument)? ""),
            changes: first!($($changes)? false),
        } ),+];
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! first {
    ($value:literal $($rest:literal)?) => {
        $value
    };
}

actions! {
    Reconnect, "reconnect", Offline, ["r"], "connect now", hint = "connect now";

    OpenJob, "open", Queue, ["enter"], "open the job and its log", hint = "log";
    Tree, "tree", Queue, ["d"], "what the job waits for, and what waits for it", hint = "dependencies";
    Group, "group", Queue, ["t"], "group by state, and back";
    PauseQueue, "pause-queue", Queue, ["Z"], "pause the whole queue, or resume it", argument = "[REASON]", changes = true;

    Retry, "retry", Jobs, ["r"], "retry: build again", hint = "retry", argument = "[rebuild]", changes = true;
    Cancel, "cancel", Jobs, ["x"], "cancel", hint = "cancel", changes = true;
    Release, "release", Jobs, ["L"], "release: start whatever it waits for", changes = true;
    Hold, "hold", Jobs, ["H"], "hold back, or let a held job go on", changes = true;
    Priority, "priority", Jobs, ["P"], "set the priority, -100 to 100", argument = "NUMBER", changes = true;
    Schedule, "schedule", Jobs, ["S"], "schedule a package anew, with another class or commit",
        argument = "PKGBASE [class=CLASS] [commit=SHA] [rebuild]", changes = true;
    Watch, "watch", Jobs, ["w"], "watch: tell when it ends, and back", hint = "watch";
    CopyUrl, "copy-url", Jobs, ["Y"], "copy the address of the log page";

    Follow, "follow", Job, ["f"], "follow the end of the log", hint = "follow";
    Search, "search", Job, ["/"], "search the log", hint = "search", argument = "TEXT";
    NextMatch, "next-match", Job, ["n"], "next match";
    PreviousMatch, "previous-match", Job, ["N"], "previous match";
    LineFilter, "lines", Job, ["&"], "show only lines that hold a text; !TEXT: that do not", argument = "[TEXT]";
    FirstError, "first-error", Job, ["F"], "to the first error", hint = "first error";
    NextError, "next-error", Job, ["e"], "to the next error", hint = "next";
    PreviousError, "previous-error", Job, ["E"], "to the previous error";
    LoadAll, "load", Job, ["a"], "load the whole log, to search all of it";
    Left, "left", Job, ["left", "h"], "to the left";
    Right, "right", Job, ["right", "l"], "to the right";
    Wrap, "wrap", Job, ["W"], "wrap long lines, and back";
    Timestamps, "timestamps", Job, ["t"], "times of the lines, and back";
    Percent, "percent", Job, ["%"], "go to a place in percent", argument = "PERCENT";
    SelectLines, "select", Job, ["v"], "select lines, and back";
    Copy, "copy", Job, ["y"], "copy the line or the selected lines", hint = "copy";
    Save, "save", Job, ["s"], "save the log to a file", argument = "[FILE]";
    EarlierAttempt, "earlier-attempt", Job, ["["], "the attempt before";
    LaterAttempt, "later-attempt", Job, ["]"], "the attempt after";
    Details, "details", Job, ["i"], "details beside the log, alone, or not at all", hint = "details";
    LogLineUp, "line-up", Job, ["up", "k"], "one line up";
    LogLineDown, "line-down", Job, ["down", "j"], "one line down";
    LogPageUp, "page-back", Job, ["pgup", "ctrl-b"], "one page up";
    LogPageDown, "page-on", Job, ["pgdn", "ctrl-f", "space"], "one page down";
    LogHalfUp, "half-back", Job, ["ctrl-u"], "half a page up";
    LogHalfDown, "half-on", Job, ["ctrl-d"], "half a page down";
    LogStart, "log-start", Job, ["home", "g"], "to the start";
    LogEnd, "log-end", Job, ["end", "G"], "to the end, and follow it";

    BuilderJobs, "jobs", Builders, ["enter"], "its jobs in the queue", hint = "its jobs";
    PauseBuilder, "pause", Builders, ["p"], "pause: it takes no more jobs", hint = "pause", argument = "[REASON]", changes = true;
    ResumeBuilder, "resume", Builders, ["u"], "resume: end a pause or a drain", hint = "resume", changes = true;
    DrainBuilder, "drain", Builders, ["D"], "drain: it ends once its jobs have", hint = "drain", argument = "[REASON]", changes = true;

    NextTarget, "next-target", Repository, ["]"], "the next repository", hint = "next";
    PreviousTarget, "previous-target", Repository, ["["], "the repository before";
    PackageJob, "package-job", Repository, ["enter"], "the job that made it", hint = "its job";
    Check, "check", Repository, ["c"], "look for what is wrong: missing files, broken libraries", hint = "check";
    Findings, "findings", Repository, ["f"], "what the last check found", hint = "findings";
    Remove, "remove", Repository, ["x"], "remove the packages, or their whole pkgbase, after a preview", hint = "remove",
        argument = "[pkgbase [NAME]]", changes = true;
    AutoRemove, "auto-repo-remove", Repository, ["K"], "remove all but what a keep-list names", argument = "[FILE]", changes = true;
    Rollback, "rollback", Repository, ["B"], "bring an earlier state back, after a look at the difference", hint = "rollback",
        argument = "[NUMBER]", changes = true;

    OpenPast, "open-past", History, ["enter"], "open the job and its log", hint = "log";

    ActivityJob, "activity-job", Activity, ["enter"], "the job that it was about", hint = "its job";

    Period, "period", Statistics, ["t"], "24 hours or 7 days", hint = "24 h / 7 d";
    ChartUp, "chart-up", Statistics, ["up", "k"], "scroll up";
    ChartDown, "chart-down", Statistics, ["down", "j"], "scroll down";

    Filter, "filter", List, ["/"], "filter, see below", hint = "filter", argument = "[FILTER]";
    Sort, "sort", List, ["s"], "sort by the next column, or the named one", argument = "[COLUMN]";
    SortBack, "reverse", List, ["o"], "the other way round";
    Mark, "mark", List, ["space"], "mark, and go on", hint = "mark";
    MarkRange, "mark-range", List, ["v"], "mark from the last mark to here";
    MarkAll, "mark-all", List, ["*"], "mark all that the filter shows";
    Unmark, "unmark", List, ["U"], "take all marks away";
    CopyRow, "copy-name", List, ["y"], "copy the names";
    Up, "up", List, ["up", "k"], "one line up";
    Down, "down", List, ["down", "j"], "one line down";
    PageUp, "page-up", List, ["pgup", "ctrl-b"], "one page up";
    PageDown, "page-down", List, ["pgdn", "ctrl-f"], "one page down";
    HalfUp, "half-up", List, ["ctrl-u"], "half a page up";
    HalfDown, "half-down", List, ["ctrl-d"], "half a page down";
    First, "first", List, ["home", "g"], "to the first";
    Last, "last", List, ["end", "G"], "to the last";

    Help, "help", Anywhere, ["?", "f1"], "this help", hint = "help";
    Quit, "quit", Anywhere, ["q", "ctrl-c"], "quit", hint = "quit";
    Back, "back", Anywhere, ["esc", "backspace"], "back: one step out";
    Command, "command", Anywhere, [":"], "type a command; Tab completes";
    Palette, "palette", Anywhere, ["ctrl-p"], "find an action by its words";
    ViewQueue, "queue", Anywhere, ["1"], "the queue";
    ViewJob, "job", Anywhere, ["2"], "the selected job";
    ViewBuilders, "builders", Anywhere, ["3"], "the builders";
    ViewRepository, "repository", Anywhere, ["4"], "the repositories";
    ViewHistory, "history", Anywhere, ["5"], "finished jobs";
    ViewActivity, "activity", Anywhere, ["6"], "who did what";
    ViewStatistics, "statistics", Anywhere, ["7"], "charts";
    NextView, "next-view", Anywhere, ["tab"], "the next view";
    PreviousView, "previous-view", Anywhere, ["shift-tab"], "the view before";
    Operations, "operations", Anywhere, ["O"], "what was asked for in this console, and what came of it";
    Mouse, "mouse", Anywhere, ["ctrl-t"], "take the mouse, or leave it to the terminal";
    Theme, "theme", Anywhere, [], "another theme", argument = "NAME";
    Redraw, "redraw", Anywhere, ["ctrl-l"], "draw anew";
    Suspend, "suspend", Anywhere, ["ctrl-z"], "suspend";
}

impl Action {
    /// What is known of it.
    pub fn definition(self) -> &'static Definition {
        ACTIONS
            .iter()
            .find(|definition| definition.action == self)
            .expect("the list is made from the same lines as the type")
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// The action of this name.
    pub fn named(name: &str) -> Option<Self> {
        ACTIONS
            .iter()
            .find(|definition| definition.name == name)
            .map(|definition| definition.action)
    }
}
