//! The log of one attempt as far as it was fetched.
//!
//! Everything is told by its byte offset in the raw log, so what is added in front of a line or behind it never
//! changes how that line is found. Pieces may come in any order; where they meet, half lines become whole ones.
//! Promises: the lines hold safe text and SGR styling only; memory is bounded, what goes first is the
//! oldest part that nobody looks at.

use std::ops::Range;

use ratatui::style::Style;

use super::block::{BLOCK_TEXT, LogLine};
use super::gap::{Cuts, Gap, GapKind};
use super::palette::Run;
use super::segment::{Segment, Shared};
use super::walk::{Reach, Walk};

/// Bytes of memory that a log may take unless told otherwise.
pub const DEFAULT_BUDGET: usize = 256 << 20;

/// A part of a raw log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPiece<'a> {
    /// The raw offset of its first byte.
    pub offset: u64,
    /// When the queue received it, in milliseconds since 1970.
    pub at: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A line on the way through a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A line of the log.
    Line(LogLine<'a>),
    /// A part that is missing.
    Gap(Gap),
}

impl Item<'_> {
    /// The raw offset at which it begins.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Line(line) => line.offset,
            Self::Gap(gap) => gap.start,
        }
    }

    /// The raw offset at which it ends.
    pub fn end(&self) -> u64 {
        match self {
            Self::Line(line) => line.end,
            Self::Gap(gap) => gap.end,
        }
    }
}

/// The loaded parts of a log.
#[derive(Debug)]
pub struct LogStore {
    /// Ascending; no two touch each other.
    pub(super) segments: Vec<Segment>,
    cuts: Cuts,
    shared: Shared,
    /// How long the log is known to be.
    total: u64,
    ended: bool,
    budget: usize,
    /// What is looked at and therefore stays.
    protected: Range<u64>,
    /// Bytes that came since the memory was counted.
    uncounted: usize,
}

impl Default for LogStore {
    fn default() -> Self {
        Self::new(DEFAULT_BUDGET)
    }
}

impl LogStore {
    /// An empty log that takes about so many bytes of memory at most.
    pub fn new(budget: usize) -> Self {
        Self {
            segments: Vec::new(),
            cuts: Cuts::default(),
            shared: Shared::default(),
            total: 0,
            ended: false,
            budget,
            protected: 0..0,
            uncounted: 0,
        }
    }

    /// Takes a piece from anywhere in the log; what is loaded already stays as it is.
    pub fn push(&mut self, piece: LogPiece<'_>) {
        let Some(end) = piece.offset.checked_add(piece.bytes.len() as u64) else {
            return;
        };
        let mut rest = piece.bytes;
        let mut at = piece.offset;
        while at < end {
            let index = self.segments.partition_point(|segment| segment.end <= at);
            let next = self.segments.get(index);
            let (known, limit) = match next {
                Some(next) if next.start <= at => (true, next.end),
                Some(next) => (false, next.start),
                None => (false, end),
            };
            let length = usize::try_from(limit.min(end) - at).expect("no longer than the piece");
            let (part, others) = rest.split_at(length);
            if !known {
                self.fill(index, at, part, piece.at);
            }
            rest = others;
            at += length as u64;
        }
        self.set_total(end);
        self.seal_end();
        self.uncounted += piece.bytes.len();
        if self.uncounted >= BLOCK_TEXT.min(self.budget / 8) {
            self.uncounted = 0;
            self.keep_to_budget();
        }
    }

    /// Puts bytes into the hole before the segment of this number.
    fn fill(&mut self, index: usize, start: u64, bytes: &[u8], at: u64) {
        let continued = index
            .checked_sub(1)
            .filter(|&before| self.segments[before].end == start);
        let index = continued.unwrap_or_else(|| {
            self.segments.insert(index, Segment::new(start));
            index
        });
        let segment = &mut self.segments[index];
        segment.append(bytes, at, &mut self.shared);
        let end = segment.end;
        if self.segments.get(index + 1).is_some_and(|next| next.start == end) {
            let next = self.segments.remove(index + 1);
            self.segments[index].join(next, &mut self.shared);
        }
    }

    /// Notes that the size limit left this part of the log out.
    pub fn mark_cut(&mut self, range: Range<u64>) {
        self.set_total(range.end);
        self.cuts.add(range);
    }

    /// Notes that the log is at least so long.
    pub fn set_total(&mut self, total: u64) {
        self.total = self.total.max(total);
    }

    /// Notes that the log ends where it is known to reach.
    pub fn finish(&mut self) {
        self.ended = true;
        self.seal_end();
    }

    fn seal_end(&mut self) {
        if self.ended
            && let Some(last) = self.segments.last_mut()
            && last.end == self.total
        {
            last.seal(&mut self.shared);
        }
    }

    /// Asks that this part stays in memory, whatever comes.
    pub fn protect(&mut self, range: Range<u64>) {
        self.protected = range;
    }

    fn keep_to_budget(&mut self) {
        let mut cost = self.memory();
        while cost > self.budget {
            let Some(freed) = self.let_go_of_oldest() else {
                return;
            };
            cost = cost.saturating_sub(freed);
        }
    }

    /// Forgets the oldest part that is neither protected nor the log's end; tells how much memory that was.
    fn let_go_of_oldest(&mut self) -> Option<usize> {
        let is_free = |raw: &Range<u64>| raw.end <= self.protected.start || self.protected.end <= raw.start;
        let last = self.segments.len().checked_sub(1)?;
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.blocks.is_empty() {
                let raw = segment.start..segment.end;
                if index < last && is_free(&raw) {
                    return Some(self.segments.remove(index).cost());
                }
                if segment.raw_head() > self.budget / 2 {
                    let freed = segment.cost();
                    self.segments[index] = Segment::new(raw.end);
                    return Some(freed);
                }
                continue;
            }
            let candidates = segment.blocks.len() - usize::from(index == last);
            let found = segment.blocks[..candidates]
                .iter()
                .position(|block| is_free(&block.raw));
            if let Some(number) = found {
                let freed = segment.blocks[number].cost() + if number == 0 { segment.raw_head() } else { 0 };
                let (before, after) = self.segments.remove(index).without_block(number);
                self.segments
                    .splice(index..index, before.into_iter().chain(after));
                return Some(freed);
            }
        }
        None
    }

    /// Bytes of memory that the log takes, nearly.
    pub fn memory(&self) -> usize {
        self.segments.iter().map(Segment::cost).sum()
    }

    /// How long the log is known to be, in raw bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing can be added at the end any more.
    pub fn is_finished(&self) -> bool {
        self.ended
    }

    /// The style of a run.
    pub fn style(&self, run: Run) -> Style {
        self.shared.palette.style(run.style)
    }

    /// What is missing before the segment of this number; behind the last one for their count.
    pub(super) fn hole(&self, index: usize) -> Range<u64> {
        let start = index.checked_sub(1).map_or(0, |before| self.segments[before].end);
        let end = self
            .segments
            .get(index)
            .map_or(self.total.max(start), |segment| segment.start);
        start..end
    }

    /// The parts that are missing before the segment of this number.
    pub(super) fn gaps_in_hole(&self, index: usize) -> impl Iterator<Item = Gap> {
        self.cuts.gaps(self.hole(index))
    }

    /// Everything that is missing.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        (0..=self.segments.len()).flat_map(|index| self.gaps_in_hole(index))
    }

    /// How many bytes between two offsets could be loaded and are not.
    pub fn unloaded(&self, range: Range<u64>) -> u64 {
        self.gaps()
            .filter(|gap| gap.kind == GapKind::NotLoaded)
            .map(|gap| {
                let end = gap.end.min(range.end);
                end.saturating_sub(gap.start.max(range.start))
            })
            .sum()
    }

    /// How many lines are loaded.
    pub fn lines(&self) -> u64 {
        self.lines_before(u64::MAX)
    }

    /// How many loaded lines begin before this offset.
    pub fn lines_before(&self, offset: u64) -> u64 {
        let mut count = 0;
        for segment in self.segments.iter().take_while(|segment| segment.start < offset) {
            count += usize::from(segment.head().is_some());
            for block in segment.blocks.iter().take_while(|block| block.raw.start < offset) {
                count += if block.raw.end <= offset {
                    block.len()
                } else {
                    block.lines_before(offset)
                };
            }
            count += usize::from(segment.tail().is_some_and(|tail| tail.offset < offset));
        }
        count as u64
    }

    /// The number of the line that begins at this offset, from 1, when all before it is loaded.
    pub fn line_number(&self, offset: u64) -> Option<u64> {
        let first = self.segments.first()?;
        (first.start == 0 && offset < first.end).then(|| self.lines_before(offset) + 1)
    }

    /// The first line or gap.
    pub fn first(&self) -> Option<Item<'_>> {
        self.item_of(self.walk().after(0))
    }

    /// The last line or gap.
    pub fn last(&self) -> Option<Item<'_>> {
        self.item_of(self.walk().before(u64::MAX))
    }

    /// The line or gap that covers this offset or is the last one before it.
    pub fn line_at_or_before(&self, offset: u64) -> Option<Item<'_>> {
        self.item_of(self.walk().before(offset))
    }

    /// What follows a line or gap.
    pub fn next(&self, item: &Item<'_>) -> Option<Item<'_>> {
        self.item_of(self.walk().after(item.offset() + 1))
    }

    /// What is before a line or gap.
    pub fn prev(&self, item: &Item<'_>) -> Option<Item<'_>> {
        self.item_of(self.walk().before(item.offset().checked_sub(1)?))
    }

    fn walk(&self) -> Walk<'_> {
        Walk::everything(self)
    }

    fn item_of<'a>(&'a self, reach: Reach<'a>) -> Option<Item<'a>> {
        match reach {
            Reach::At(item) => Some(item),
            Reach::Unscanned | Reach::End => None,
        }
    }
}
