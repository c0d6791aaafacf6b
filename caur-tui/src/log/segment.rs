//! A stretch of a log without gaps: perhaps the rest of a line at its front, complete lines, perhaps the
//! beginning of a line at its end.
//!
//! A line feed ends every escape sequence, so complete lines can be read without what stands before them,
//! but for the style they begin in. Only the rest of a line at the front cannot: its bytes are kept raw until the
//! bytes before them are known.

use memchr::memchr;

use super::block::{BLOCK_LINES, BLOCK_TEXT, Block, BlockId, LogLine};
use super::open_line::OpenLine;
use super::palette::{Palette, Run};

/// Neighbouring blocks of less text than this are made one when their segments meet.
const SMALL_BLOCK: usize = BLOCK_TEXT / 4;

/// What all segments of a log share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) palette: Palette,
    blocks: BlockId,
}

impl Shared {
    fn next_block(&mut self) -> BlockId {
        self.blocks += 1;
        self.blocks
    }
}

/// A stretch of a log.
#[derive(Debug)]
pub(super) struct Segment {
    /// The raw offset of its first byte.
    pub(super) start: u64,
    /// The raw offset after its last byte.
    pub(super) end: u64,
    /// The rest of a line whose beginning is not known. None when the segment begins with a line.
    head: Option<Head>,
    pub(super) blocks: Vec<Block>,
    tail: OpenLine,
    tail_start: u64,
    tail_at: u64,
}

#[derive(Debug, Default)]
struct Head {
    raw: Vec<u8>,
    at: u64,
    line: OpenLine,
    /// Whether its line feed was seen.
    complete: bool,
}

impl Segment {
    /// An empty segment.
    pub(super) fn new(start: u64) -> Self {
        let mut segment = Self::at_line_start(start);
        segment.head = (start > 0).then(Head::default);
        segment
    }

    fn at_line_start(start: u64) -> Self {
        Self {
            start,
            end: start,
            head: None,
            blocks: Vec::new(),
            tail: OpenLine::default(),
            tail_start: start,
            tail_at: 0,
        }
    }

    /// Takes the bytes that follow.
    pub(super) fn append(&mut self, bytes: &[u8], at: u64, shared: &mut Shared) {
        let mut rest = self.extend_head(bytes, at, shared);
        while let Some(length) = memchr(b'\n', rest) {
            self.finish_line(&rest[..length], at, shared);
            rest = &rest[length + 1..];
        }
        if !rest.is_empty() {
            self.extend_tail(rest, at, &mut shared.palette);
        }
    }

    /// Takes what belongs to the line at the front and returns what does not.
    fn extend_head<'a>(&mut self, bytes: &'a [u8], at: u64, shared: &mut Shared) -> &'a [u8] {
        let Some(head) = self.head.as_mut().filter(|head| !head.complete) else {
            return bytes;
        };
        let line_feed = memchr(b'\n', bytes);
        let length = line_feed.unwrap_or(bytes.len());
        let taken = length + usize::from(line_feed.is_some());
        if head.raw.is_empty() {
            head.at = at;
        }
        head.raw.extend_from_slice(&bytes[..taken]);
        head.line.feed(&bytes[..length], &mut shared.palette);
        self.end += taken as u64;
        self.tail_start = self.end;
        if line_feed.is_some() {
            head.complete = true;
            head.line.seal(&mut shared.palette);
            head.raw.shrink_to_fit();
            self.tail.set_pen(head.line.pen());
        }
        &bytes[taken..]
    }

    fn extend_tail(&mut self, bytes: &[u8], at: u64, palette: &mut Palette) {
        if self.end == self.tail_start {
            self.tail_at = at;
        }
        self.tail.feed(bytes, palette);
        self.end += bytes.len() as u64;
    }

    /// Takes the rest of a line, whose line feed follows.
    fn finish_line(&mut self, rest: &[u8], at: u64, shared: &mut Shared) {
        let is_whole = self.end == self.tail_start;
        if is_whole && let Some(text) = self.tail.plain_text(rest) {
            self.tail_at = at;
            self.end += rest.len() as u64 + 1;
            let run = self.tail.plain_run(text);
            self.keep_line(Some(text), run.as_slice(), shared);
        } else {
            self.extend_tail(rest, at, &mut shared.palette);
            self.end += 1;
            self.close_tail(shared);
        }
    }

    /// Makes a complete line of what was read of the last one.
    fn close_tail(&mut self, shared: &mut Shared) {
        self.tail.seal(&mut shared.palette);
        self.keep_line(None, &[], shared);
        self.tail.clear();
    }

    /// Puts a line, or the tail when none is given, behind the others.
    fn keep_line(&mut self, plain: Option<&str>, runs: &[Run], shared: &mut Shared) {
        let (text, runs) = match plain {
            Some(text) => (text, runs),
            None => (self.tail.text(), self.tail.runs()),
        };
        if !self.blocks.last().is_some_and(|block| block.has_room(text.len())) {
            if let Some(full) = self.blocks.last_mut() {
                full.close();
            }
            self.blocks.push(Block::new(shared.next_block(), self.tail_start));
        }
        let block = self.blocks.last_mut().expect("one was just made sure of");
        block.push(LogLine {
            offset: self.tail_start,
            end: self.end,
            at: self.tail_at,
            text,
            runs,
        });
        self.tail_start = self.end;
    }

    /// Takes the segment that begins where this one ends.
    pub(super) fn join(&mut self, next: Self, shared: &mut Shared) {
        match next.head {
            Some(head) => {
                self.append(&head.raw, head.at, shared);
                if !head.complete {
                    return;
                }
            }
            None => self.end_line(shared),
        }
        let mut blocks = next.blocks.into_iter();
        if let (Some(last), Some(first)) = (self.blocks.last_mut(), blocks.as_slice().first()) {
            let both = last.text_from(0).len() + first.text_from(0).len();
            let is_small = both <= SMALL_BLOCK && last.len() + first.len() <= BLOCK_LINES;
            if is_small && u32::try_from(first.raw.end - last.raw.start).is_ok() {
                last.absorb(first);
                blocks.next();
            } else {
                last.close();
            }
        }
        self.blocks.extend(blocks);
        self.tail = next.tail;
        self.tail_start = next.tail_start;
        self.tail_at = next.tail_at;
        self.end = next.end;
    }

    /// Ends a line without a line feed. Only needed when a log contradicts what it was before.
    fn end_line(&mut self, shared: &mut Shared) {
        match &mut self.head {
            Some(head) if !head.complete => {
                head.complete = true;
                head.line.seal(&mut shared.palette);
            }
            Some(_) | None if self.end > self.tail_start => self.close_tail(shared),
            Some(_) | None => {}
        }
    }

    /// The log ends here.
    pub(super) fn seal(&mut self, shared: &mut Shared) {
        match &mut self.head {
            Some(head) if !head.complete => head.line.seal(&mut shared.palette),
            Some(_) | None => self.tail.seal(&mut shared.palette),
        }
    }

    /// The rest of a line at the front, where there is one that shows.
    pub(super) fn head(&self) -> Option<LogLine<'_>> {
        let head = self.head.as_ref()?;
        (!head.line.text().is_empty()).then(|| LogLine {
            offset: self.start,
            end: self.start + head.raw.len() as u64,
            at: head.at,
            text: head.line.text(),
            runs: head.line.runs(),
        })
    }

    /// The beginning of a line at the end, where there is one that shows.
    pub(super) fn tail(&self) -> Option<LogLine<'_>> {
        (!self.tail.text().is_empty()).then(|| LogLine {
            offset: self.tail_start,
            end: self.end,
            at: self.tail_at,
            text: self.tail.text(),
            runs: self.tail.runs(),
        })
    }

    /// Bytes of memory, nearly.
    pub(super) fn cost(&self) -> usize {
        let head = self.head.as_ref().map_or(0, |head| head.raw.capacity());
        size_of::<Self>() + head + self.blocks.iter().map(Block::cost).sum::<usize>()
    }

    /// Bytes that are kept raw because the beginning of their line is not known.
    pub(super) fn raw_head(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.raw.len())
    }

    /// Takes the block of this number out, and a rest of a line in front of the first. Returns what is left before
    /// it and after it.
    pub(super) fn without_block(mut self, number: usize) -> (Option<Self>, Option<Self>) {
        let mut after = Self::at_line_start(self.blocks[number].raw.end);
        after.blocks = self.blocks.split_off(number + 1);
        let gone = self.blocks.pop().expect("the block is one of the segment's");
        after.tail = std::mem::take(&mut self.tail);
        after.tail_start = self.tail_start;
        after.tail_at = self.tail_at;
        after.end = self.end;
        self.end = gone.raw.start;
        self.tail_start = self.end;
        let before = (number > 0).then_some(self);
        let after = (after.end > after.start).then_some(after);
        (before, after)
    }
}
