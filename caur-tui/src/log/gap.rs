//! What is missing between the loaded parts of a log.

use std::fmt;
use std::ops::Range;

use crate::size::bytes;

/// A stretch of a log that is not there, shown as one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The raw offset of its first byte.
    pub start: u64,
    /// The raw offset after its last byte.
    pub end: u64,
    /// Why it is missing.
    pub kind: GapKind,
}

/// Why a part of a log is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKind {
    /// It was not fetched, or let go to bound the memory.
    NotLoaded,
    /// The log's size limit left it out: nobody has it.
    Cut,
}

impl Gap {
    /// How many bytes are missing.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = bytes(self.len());
        match self.kind {
            GapKind::NotLoaded => write!(f, "··· {size} not loaded ···"),
            GapKind::Cut => write!(f, "··· {size} left out by the size limit ···"),
        }
    }
}

/// Ranges in ascending order that do not touch each other.
#[derive(Debug, Default)]
pub(super) struct Cuts(Vec<Range<u64>>);

impl Cuts {
    /// Adds a range.
    pub(super) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|cut| cut.end < range.start);
        let after = self.0.partition_point(|cut| cut.start <= range.end);
        let touched = &self.0[first..after];
        let start = touched
            .first()
            .map_or(range.start, |cut| cut.start.min(range.start));
        let end = touched.last().map_or(range.end, |cut| cut.end.max(range.end));
        self.0.splice(first..after, std::iter::once(start..end));
    }

    /// The gaps that a hole in what is loaded consists of.
    pub(super) fn gaps(&self, hole: Range<u64>) -> impl Iterator<Item = Gap> {
        let first = self.0.partition_point(|cut| cut.end <= hole.start);
        let inside = self.0[first..]
            .iter()
            .take_while(move |cut| cut.start < hole.end)
            .map(move |cut| cut.start.max(hole.start)..cut.end.min(hole.end))
            .chain(std::iter::once(hole.end..hole.end));
        let mut at = hole.start;
        inside
            .flat_map(move |cut| {
                let missing = Gap {
                    start: at,
                    end: cut.start,
                    kind: GapKind::NotLoaded,
                };
                at = cut.end;
                let cut = Gap {
                    start: cut.start,
                    end: cut.end,
                    kind: GapKind::Cut,
                };
                [missing, cut]
            })
            .filter(|gap| !gap.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_told_by_what_is_known_of_it() {
        let mut cuts = Cuts::default();
        cuts.add(50..60);
        cuts.add(10..20);
        cuts.add(20..30);
        cuts.add(55..55);
        let gaps: Vec<_> = cuts
            .gaps(15..58)
            .map(|gap| (gap.start, gap.end, gap.kind))
            .collect();
        assert_eq!(
            gaps,
            [
                (15, 30, GapKind::Cut),
                (30, 50, GapKind::NotLoaded),
                (50, 58, GapKind::Cut)
            ]
        );
        assert_eq!(cuts.gaps(30..30).count(), 0);
    }
}
