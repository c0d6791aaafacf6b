//! A stretch of complete lines, packed: one text, and a few bytes of numbers for each line.

use std::ops::Range;

use super::palette::Run;

/// Bytes of text after which a new block is begun.
pub(super) const BLOCK_TEXT: usize = 256 << 10;
/// Lines after which a new block is begun, so that looking at every line of one takes a moment only.
pub(super) const BLOCK_LINES: usize = 8192;

/// Identifies a block and its lines. Lines may be added at a block's end; anything else makes a new one.
pub(super) type BlockId = u64;

/// Lines that follow each other in the raw log.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: BlockId,
    /// Raw offsets of its first byte and after its last one.
    pub(super) raw: Range<u64>,
    /// The lines' texts, each with a line feed after it.
    text: String,
    lines: Vec<Entry>,
    runs: Vec<Run>,
    /// Lines from this one on arrived at this time.
    times: Vec<(u32, u64)>,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Relative to the block's first raw byte.
    raw: u32,
    text: u32,
    run: u32,
}

/// One line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The raw offset of its first byte.
    pub offset: u64,
    /// The raw offset after its last byte, line end included.
    pub end: u64,
    /// When the queue received its first byte, in milliseconds since 1970.
    pub at: u64,
    /// Its safe text.
    pub text: &'a str,
    /// The styles of the text; before the first run it is plain.
    pub runs: &'a [Run],
}

impl Block {
    /// A block without lines whose first will begin at this raw offset.
    pub(super) fn new(id: BlockId, start: u64) -> Self {
        Self {
            id,
            raw: start..start,
            text: String::new(),
            lines: Vec::new(),
            runs: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Whether a line with so much text may be added.
    pub(super) fn has_room(&self, text: usize) -> bool {
        self.lines.is_empty()
            || self.lines.len() < BLOCK_LINES
                && self.text.len() + text < BLOCK_TEXT
                && u32::try_from(self.raw.end - self.raw.start).is_ok()
    }

    /// Adds the next line, which goes up to the raw offset `line.end`.
    pub(super) fn push(&mut self, line: LogLine<'_>) {
        let number = narrow(self.lines.len());
        self.lines.push(Entry {
            raw: u32::try_from(self.raw.end - self.raw.start).expect("has_room was asked"),
            text: narrow(self.text.len()),
            run: narrow(self.runs.len()),
        });
        self.text.push_str(line.text);
        self.text.push('\n');
        self.runs.extend_from_slice(line.runs);
        if self.times.last().is_none_or(|(_, at)| *at != line.at) {
            self.times.push((number, line.at));
        }
        self.raw.end = line.end;
    }

    /// Adds all lines of the block that follows.
    pub(super) fn absorb(&mut self, next: &Self) {
        for number in 0..next.len() {
            self.push(next.line(number));
        }
    }

    /// Gives back memory that no further line will need.
    pub(super) fn close(&mut self) {
        self.text.shrink_to_fit();
        self.lines.shrink_to_fit();
        self.runs.shrink_to_fit();
        self.times.shrink_to_fit();
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The texts of the lines from this one on, a line feed after each.
    pub(super) fn text_from(&self, line: usize) -> &str {
        self.lines
            .get(line)
            .map_or("", |entry| &self.text[entry.text as usize..])
    }

    /// The number of the line that holds this byte of [`Self::text_from`]`(0)`.
    pub(super) fn line_of_byte(&self, byte: usize) -> usize {
        self.lines.partition_point(|entry| entry.text as usize <= byte) - 1
    }

    /// Where the text of a line ends in [`Self::text_from`]`(0)`, its line feed included.
    pub(super) fn text_end(&self, line: usize) -> usize {
        self.lines
            .get(line + 1)
            .map_or(self.text.len(), |next| next.text as usize)
    }

    /// The number of lines that begin before this raw offset.
    pub(super) fn lines_before(&self, offset: u64) -> usize {
        let Some(relative) = offset.checked_sub(self.raw.start) else {
            return 0;
        };
        self.lines
            .partition_point(|entry| u64::from(entry.raw) < relative)
    }

    /// The line of this number, from 0.
    pub(super) fn line(&self, number: usize) -> LogLine<'_> {
        let entry = self.lines[number];
        let next = self.lines.get(number + 1);
        let runs = next.map_or(self.runs.len(), |next| next.run as usize);
        let time = self.times.partition_point(|(first, _)| *first as usize <= number);
        LogLine {
            offset: self.raw.start + u64::from(entry.raw),
            end: next.map_or(self.raw.end, |next| self.raw.start + u64::from(next.raw)),
            at: self.times[time - 1].1,
            text: &self.text[entry.text as usize..self.text_end(number) - 1],
            runs: &self.runs[entry.run as usize..runs],
        }
    }

    /// Bytes of memory, nearly.
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>()
            + self.text.capacity()
            + self.lines.capacity() * size_of::<Entry>()
            + self.runs.capacity() * size_of::<Run>()
            + self.times.capacity() * size_of::<(u32, u64)>()
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("a block is far smaller than 4 GiB")
}
