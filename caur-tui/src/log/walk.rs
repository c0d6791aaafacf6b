//! The way through a log from line to line, past all that a filter or a search leaves out.

use std::ops::Range;

use super::block::{Block, LogLine};
use super::scan::Scan;
use super::segment::Segment;
use super::store::{Item, LogStore};

/// A way through a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    store: &'a LogStore,
    /// Only lines that all of these have found are on the way.
    scans: [Option<&'a Scan>; 2],
    /// Whether gaps are on it.
    gaps: bool,
    /// Whether it ends at lines that a scan has not looked at. They are passed over otherwise.
    strict: bool,
}

/// Where a way leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// Here.
    At(Item<'a>),
    /// To lines that a scan has not looked at.
    Unscanned,
    /// Out of the log.
    End,
}

impl<'a> Walk<'a> {
    /// Along all lines and gaps.
    pub(super) fn everything(store: &'a LogStore) -> Self {
        Self::filtered(store, None)
    }

    /// Along all gaps and the lines that a filter has found so far.
    pub(super) fn filtered(store: &'a LogStore, filter: Option<&'a Scan>) -> Self {
        Self {
            store,
            scans: [filter, None],
            gaps: true,
            strict: false,
        }
    }

    /// Along what a search finds among what passes a filter.
    pub(super) fn found(store: &'a LogStore, search: &'a Scan, filter: Option<&'a Scan>) -> Self {
        Self {
            store,
            scans: [Some(search), filter],
            gaps: false,
            strict: true,
        }
    }

    /// The first stop that begins at `min` or after it.
    pub(super) fn after(&self, min: u64) -> Reach<'a> {
        let segments = &self.store.segments;
        let first = segments.partition_point(|segment| segment.end <= min);
        for index in first..=segments.len() {
            if self.gaps
                && let Some(gap) = self.store.gaps_in_hole(index).find(|gap| gap.start >= min)
            {
                return Reach::At(Item::Gap(gap));
            }
            let Some(segment) = segments.get(index) else {
                break;
            };
            match self.after_in(segment, min) {
                Reach::End => {}
                found @ (Reach::At(_) | Reach::Unscanned) => return found,
            }
        }
        Reach::End
    }

    fn after_in(&self, segment: &'a Segment, min: u64) -> Reach<'a> {
        if let Some(head) = self.accepted(segment.head().filter(|head| head.offset >= min)) {
            return Reach::At(Item::Line(head));
        }
        let first = segment.blocks.partition_point(|block| block.raw.end <= min);
        for block in &segment.blocks[first..] {
            let lines = block.lines_before(min)..block.len();
            match self.line_in(block, lines, Side::First) {
                Reach::End => {}
                found @ (Reach::At(_) | Reach::Unscanned) => return found,
            }
        }
        let tail = segment.tail().filter(|tail| tail.offset >= min);
        self.accepted(tail)
            .map_or(Reach::End, |tail| Reach::At(Item::Line(tail)))
    }

    /// The last stop that begins at `max` or before it.
    pub(super) fn before(&self, max: u64) -> Reach<'a> {
        let segments = &self.store.segments;
        let last = segments.partition_point(|segment| segment.start <= max);
        for index in (0..=last).rev() {
            if index < last {
                match self.before_in(&segments[index], max) {
                    Reach::End => {}
                    found @ (Reach::At(_) | Reach::Unscanned) => return found,
                }
            }
            if self.gaps {
                let gaps = self.store.gaps_in_hole(index);
                if let Some(gap) = gaps.take_while(|gap| gap.start <= max).last() {
                    return Reach::At(Item::Gap(gap));
                }
            }
        }
        Reach::End
    }

    fn before_in(&self, segment: &'a Segment, max: u64) -> Reach<'a> {
        let tail = segment.tail().filter(|tail| tail.offset <= max);
        if let Some(tail) = self.accepted(tail) {
            return Reach::At(Item::Line(tail));
        }
        let after = segment.blocks.partition_point(|block| block.raw.start <= max);
        for block in segment.blocks[..after].iter().rev() {
            let lines = 0..block.lines_before(max.saturating_add(1));
            match self.line_in(block, lines, Side::Last) {
                Reach::End => {}
                found @ (Reach::At(_) | Reach::Unscanned) => return found,
            }
        }
        let head = segment.head().filter(|head| head.offset <= max);
        self.accepted(head)
            .map_or(Reach::End, |head| Reach::At(Item::Line(head)))
    }

    /// The first or last line of a block, within a range of lines, that is on the way.
    fn line_in(&self, block: &'a Block, lines: Range<usize>, side: Side) -> Reach<'a> {
        if lines.is_empty() {
            return Reach::End;
        }
        if self.scans.iter().all(Option::is_none) {
            let number = match side {
                Side::First => lines.start,
                Side::Last => lines.end - 1,
            };
            return Reach::At(Item::Line(block.line(number)));
        }
        if self.strict && !self.scans.iter().flatten().all(|scan| scan.has_seen(block)) {
            return Reach::Unscanned;
        }
        let bits = |word: usize| {
            let found = self.scans.iter().flatten();
            let bits = found.fold(u64::MAX, |bits, scan| bits & scan.bits(block, word));
            let from = lines.start.saturating_sub(word * 64);
            let to = (lines.end - word * 64).min(64);
            bits & (u64::MAX << from) & (u64::MAX >> (64 - to))
        };
        let mut words = lines.start / 64..(lines.end - 1) / 64 + 1;
        let number = match side {
            Side::First => words.find_map(|word| first_bit(bits(word)).map(|bit| word * 64 + bit)),
            Side::Last => words
                .rev()
                .find_map(|word| last_bit(bits(word)).map(|bit| word * 64 + bit)),
        };
        number.map_or(Reach::End, |number| Reach::At(Item::Line(block.line(number))))
    }

    /// A line that no scan keeps a note of, because it is still being written.
    fn accepted(&self, line: Option<LogLine<'a>>) -> Option<LogLine<'a>> {
        line.filter(|line| self.scans.iter().flatten().all(|scan| scan.accepts(line.text)))
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    First,
    Last,
}

fn first_bit(bits: u64) -> Option<usize> {
    (bits != 0).then(|| bits.trailing_zeros() as usize)
}

fn last_bit(bits: u64) -> Option<usize> {
    (bits != 0).then(|| 63 - bits.leading_zeros() as usize)
}
