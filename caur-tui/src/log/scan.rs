//! Looks through a log for lines, a bit at a time, and remembers one bit for each line.
//!
//! Promises: one step takes a moment only, however long the log is; what is added to the log later is looked at
//! by the next step, and only that; the order of the steps makes no difference to what is found.

use std::collections::HashMap;

use super::block::{Block, BlockId};
use super::pattern::Pattern;
use super::store::{Item, LogStore};
use super::walk::{Reach, Walk};

/// How much text one step should look through, so that a key never waits for it.
pub const STEP: usize = 4 << 20;

/// Looking at a line with a function costs about so many times what looking for a text in it does.
const FUNCTION_COST: usize = 8;
/// A line that is found costs about as much as looking through so many bytes.
const LINE_COST: usize = 64;

/// Which way to go through a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To its end.
    Forward,
    /// To its beginning.
    Backward,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }
}

/// Tells the lines that are looked for.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Those with this text.
    With(Pattern),
    /// Those without this text.
    Without(Pattern),
    /// Those that a function tells.
    Told(fn(&str) -> bool),
}

impl Matcher {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::With(pattern) => pattern.matches(text),
            Self::Without(pattern) => !pattern.matches(text),
            Self::Told(function) => function(text),
        }
    }
}

/// How far a scan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of loaded text that were looked at.
    pub seen: u64,
    /// Bytes of loaded text.
    pub loaded: u64,
}

impl Progress {
    /// Whether there is nothing left to look at.
    pub fn is_done(self) -> bool {
        self.seen == self.loaded
    }

    /// In percent, rounded down.
    pub fn percent(self) -> u8 {
        let percent = (self.seen * 100).checked_div(self.loaded).unwrap_or(100);
        u8::try_from(percent).unwrap_or(100)
    }
}

/// Where the next line is that a scan looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The line at this raw offset.
    Line(u64),
    /// Further steps will tell.
    Unknown,
    /// There is none this way in what is loaded.
    Nowhere,
}

/// The lines of a log that are looked for, as far as is known.
#[derive(Debug)]
pub struct Scan {
    matcher: Matcher,
    marks: HashMap<BlockId, Marks>,
}

/// What is known of one block's lines.
#[derive(Debug, Default)]
struct Marks {
    /// Lines that were looked at.
    seen: usize,
    bits: Vec<u64>,
    count: usize,
}

impl Marks {
    fn set(&mut self, line: usize) {
        let word = line / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (line % 64);
        self.count += 1;
    }
}

impl Scan {
    /// A scan that has not looked at anything.
    pub fn new(matcher: Matcher) -> Self {
        Self {
            matcher,
            marks: HashMap::new(),
        }
    }

    /// What it looks for.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Looks through about so many bytes of text, first of all at what lies in this direction of a raw offset.
    pub fn step(&mut self, store: &LogStore, budget: usize, from: u64, direction: Direction) -> Progress {
        let blocks = || store.segments.iter().flat_map(|segment| &segment.blocks);
        let mut left = budget;
        let ahead = |block: &&Block| match direction {
            Direction::Forward => block.raw.end > from,
            Direction::Backward => block.raw.start <= from,
        };
        let mut order: Vec<&Block> = blocks().filter(|block| !self.has_seen(block)).collect();
        if direction == Direction::Backward {
            order.reverse();
        }
        let behind = order.partition_point(|block| !ahead(block));
        order.rotate_left(behind);
        for block in order {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(self.look_at(block));
        }
        self.forget_gone(store);
        self.progress(store)
    }

    /// Looks at a block's new lines; tells how many bytes of text that was worth.
    fn look_at(&mut self, block: &Block) -> usize {
        let marks = self.marks.entry(block.id).or_default();
        let first = marks.seen;
        marks.seen = block.len();
        let text = block.text_from(0);
        let begin = text.len() - block.text_from(first).len();
        match &self.matcher {
            Matcher::With(pattern) => {
                let mut at = begin;
                let before = marks.count;
                while let Some(found) = pattern.find(text, at) {
                    let line = block.line_of_byte(found.start);
                    marks.set(line);
                    at = block.text_end(line);
                }
                text.len() - begin + (marks.count - before) * LINE_COST
            }
            Matcher::Without(pattern) => {
                let mut next = first;
                let mut at = begin;
                while let Some(found) = pattern.find(text, at) {
                    let line = block.line_of_byte(found.start);
                    (next..line).for_each(|line| marks.set(line));
                    next = line + 1;
                    at = block.text_end(line);
                }
                (next..block.len()).for_each(|line| marks.set(line));
                text.len() - begin + (block.len() - first) * LINE_COST
            }
            Matcher::Told(function) => {
                for line in first..block.len() {
                    if function(block.line(line).text) {
                        marks.set(line);
                    }
                }
                (text.len() - begin) * FUNCTION_COST
            }
        }
    }

    /// Drops what is known of blocks that are not part of the log any more, when it is much.
    fn forget_gone(&mut self, store: &LogStore) {
        let blocks = || store.segments.iter().flat_map(|segment| &segment.blocks);
        if self.marks.len() > 2 * blocks().count() + 64 {
            let there: std::collections::HashSet<_> = blocks().map(|block| block.id).collect();
            self.marks.retain(|id, _| there.contains(id));
        }
    }

    /// How far it has come.
    pub fn progress(&self, store: &LogStore) -> Progress {
        let mut progress = Progress::default();
        for block in store.segments.iter().flat_map(|segment| &segment.blocks) {
            let length = block.text_from(0).len();
            let seen = self.marks.get(&block.id).map_or(0, |marks| marks.seen);
            progress.loaded += length as u64;
            progress.seen += (length - block.text_from(seen).len()) as u64;
        }
        progress
    }

    /// Whether a line with this text is looked for.
    pub fn accepts(&self, text: &str) -> bool {
        self.matcher.accepts(text)
    }

    /// How many lines were found that begin before this raw offset.
    pub fn count_before(&self, store: &LogStore, offset: u64) -> u64 {
        let mut count = 0;
        for segment in &store.segments {
            let ends = [segment.head(), segment.tail()];
            let found = ends.iter().flatten();
            count += found
                .filter(|line| line.offset < offset && self.accepts(line.text))
                .count() as u64;
            for block in &segment.blocks {
                let Some(marks) = self.marks.get(&block.id) else {
                    continue;
                };
                if block.raw.end <= offset {
                    count += marks.count as u64;
                } else {
                    count += marks.count_before(block.lines_before(offset));
                }
            }
        }
        count
    }

    /// How many lines were found.
    pub fn count(&self, store: &LogStore) -> u64 {
        self.count_before(store, u64::MAX)
    }

    /// The nearest line that is looked for and passes a filter, beginning at `offset` or in this direction of it.
    pub fn find(&self, store: &LogStore, offset: u64, direction: Direction, filter: Option<&Self>) -> Found {
        let walk = Walk::found(store, self, filter);
        let reach = match direction {
            Direction::Forward => walk.after(offset),
            Direction::Backward => walk.before(offset),
        };
        match reach {
            Reach::At(Item::Line(line)) => Found::Line(line.offset),
            Reach::At(Item::Gap(_)) | Reach::End => Found::Nowhere,
            Reach::Unscanned => Found::Unknown,
        }
    }

    /// Whether every line of a block was looked at.
    pub(super) fn has_seen(&self, block: &Block) -> bool {
        self.marks
            .get(&block.id)
            .is_some_and(|marks| marks.seen == block.len())
    }

    /// What was found among 64 lines of a block.
    pub(super) fn bits(&self, block: &Block, word: usize) -> u64 {
        self.marks
            .get(&block.id)
            .and_then(|marks| marks.bits.get(word))
            .copied()
            .unwrap_or(0)
    }
}

impl Marks {
    fn count_before(&self, line: usize) -> u64 {
        let whole = self.bits.iter().take(line / 64);
        let part = self.bits.get(line / 64).copied().unwrap_or(0) & !(u64::MAX << (line % 64));
        whole
            .chain([&part])
            .map(|bits| u64::from(bits.count_ones()))
            .sum()
    }
}
