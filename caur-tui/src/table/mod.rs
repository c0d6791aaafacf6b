//! A table of rows: order, filter, groups, selection and marks, for every view that lists something.
//!
//! Promises: the selection belongs to a row's key and not to a line, so it stays on it however the rows move; where
//! the row is gone, the one that takes its place is selected. One changed row costs a binary search and not a new sort,
//! and a filter that is typed on looks only at what it still showed.

mod marks;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::filter::{Filter, Subject};

/// More changed rows than this at a time, and a new sort is cheaper.
const FEW: usize = 64;

/// Something that a table lists.
pub trait Row: Subject {
    /// What tells it from all others, over all its changes.
    type Key: Clone + Ord + Hash + std::fmt::Debug;

    /// Names of the orders; the first one is the usual one.
    const ORDERS: &'static [&'static str];

    /// Fields of the filter language.
    const FIELDS: &'static [&'static str];

    /// Its key.
    fn key(&self) -> Self::Key;

    /// How it compares with another in the order of this number.
    fn compare(&self, other: &Self, order: usize) -> Ordering;

    /// The group that it belongs to: a rank and a title.
    fn group(&self) -> (u8, &'static str) {
        (0, "")
    }
}

/// How rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sort {
    /// Number in [`Row::ORDERS`].
    pub order: usize,
    /// Whether the last comes first.
    pub reversed: bool,
}

/// A line of a table.
#[derive(Debug, PartialEq)]
pub enum Line<'a, R> {
    /// The heading of a group with the number of its rows.
    Group(&'static str, usize),
    /// A row.
    Row(&'a R),
}

/// The rows, and which of them are shown how.
#[derive(Debug)]
pub struct Table<R: Row> {
    slots: Vec<Option<R>>,
    free: Vec<u32>,
    by_key: HashMap<R::Key, u32>,
    /// All rows in order.
    order: Vec<u32>,
    /// Those that the filter shows.
    shown: Vec<u32>,
    sort: Sort,
    grouped: bool,
    /// Where in `shown` each group begins.
    groups: Vec<(usize, &'static str)>,
    filter: Filter,
    selected: Option<R::Key>,
    /// The row that the selection was last seen in.
    cursor: usize,
    /// The first visible line, group headings included.
    offset: usize,
    marked: HashSet<R::Key>,
    /// Where a range of marks begins.
    anchor: Option<R::Key>,
    now: u64,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            order: Vec::new(),
            shown: Vec::new(),
            sort: Sort::default(),
            grouped: false,
            groups: Vec::new(),
            filter: Filter::default(),
            selected: None,
            cursor: 0,
            offset: 0,
            marked: HashSet::new(),
            anchor: None,
            now: 0,
        }
    }
}

impl<R: Row> Table<R> {
    /// Replaces all rows; selection, marks and filter stay.
    pub fn replace(&mut self, rows: impl IntoIterator<Item = R>) {
        self.slots.clear();
        self.free.clear();
        self.by_key.clear();
        for row in rows {
            self.put(row);
        }
        self.marked.retain(|key| self.by_key.contains_key(key));
        self.resort();
    }

    /// Adds rows or changes those of the same keys, and takes others away.
    pub fn change(&mut self, rows: Vec<R>, gone: &[R::Key]) {
        if rows.len() + gone.len() > FEW {
            for key in gone {
                self.take(key);
            }
            for row in rows {
                self.put(row);
            }
            self.resort();
            return;
        }
        for key in gone {
            self.unlist(key);
            self.take(key);
        }
        for row in rows {
            self.unlist(&row.key());
            let slot = self.put(row);
            self.enlist(slot);
        }
        self.regroup();
    }

    /// The row of this key, shown or not.
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.by_key
            .get(key)
            .and_then(|slot| self.slots[*slot as usize].as_ref())
    }

    /// Every row, in the present order.
    pub fn rows(&self) -> impl Iterator<Item = &R> {
        self.order.iter().map(|slot| self.row(*slot))
    }

    /// The rows that the filter shows, in the present order.
    pub fn shown(&self) -> impl Iterator<Item = &R> {
        self.shown.iter().map(|slot| self.row(*slot))
    }

    /// How many rows there are, shown or not.
    pub fn total(&self) -> usize {
        self.order.len()
    }

    /// How many rows are shown.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether no row is shown.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Tells the time, in milliseconds since 1970; what is shown follows it where the filter does.
    pub fn set_time(&mut self, now: u64) {
        self.now = now;
        if self.filter.follows_time() {
            self.refilter(self.order.clone());
        }
    }

    /// Shows only what a filter shows.
    pub fn set_filter(&mut self, text: &str) {
        let filter = Filter::new(text, R::FIELDS);
        let narrows = filter.narrows(&self.filter);
        self.filter = filter;
        let source = if narrows {
            std::mem::take(&mut self.shown)
        } else {
            self.order.clone()
        };
        self.refilter(source);
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Orders the rows anew.
    pub fn set_sort(&mut self, sort: Sort) {
        self.sort = sort;
        self.resort();
    }

    /// How the rows are ordered.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Puts rows of a group together, or ends that.
    pub fn set_grouped(&mut self, grouped: bool) {
        self.grouped = grouped;
        self.resort();
    }

    /// Whether rows of a group stand together.
    pub fn is_grouped(&self) -> bool {
        self.grouped
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&R> {
        self.get(self.selected.as_ref()?)
    }

    /// The key that is selected; its row may be gone until [`Table::settle`].
    pub fn selected_key(&self) -> Option<&R::Key> {
        self.selected.as_ref()
    }

    /// The number of the selected row among those shown.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Selects the row of this key, if it is shown.
    pub fn select(&mut self, key: &R::Key) -> bool {
        let found = self.place(key);
        if let Some(at) = found {
            self.select_row(at);
        }
        found.is_some()
    }

    /// Moves the selection by so many rows, as far as there are any.
    pub fn move_by(&mut self, rows: isize) {
        self.select_row(self.cursor.saturating_add_signed(rows));
    }

    /// Selects a shown row by its number, or the last one.
    pub fn select_row(&mut self, row: usize) {
        self.cursor = row.min(self.shown.len().saturating_sub(1));
        self.selected = self.shown.get(self.cursor).map(|slot| self.row(*slot).key());
    }

    /// Selects the row on a line of the screen, counted from the first visible one.
    pub fn select_line(&mut self, line: usize) {
        let line = self.offset + line;
        let headings = self
            .groups
            .iter()
            .enumerate()
            .take_while(|(at, (start, _))| start + at < line)
            .count();
        self.select_row(line.saturating_sub(headings));
    }

    /// Finds a new selection where the selected row is gone, and scrolls so that it is among `height` visible lines.
    pub fn settle(&mut self, height: usize) {
        match self.selected.as_ref().and_then(|key| self.place(key)) {
            Some(at) => self.cursor = at,
            None => self.select_row(self.cursor),
        }
        let height = height.max(1);
        let line = self.line_of(self.cursor);
        // The heading of the first group is seen when its first row is.
        let top = if self.groups.iter().any(|(start, _)| *start == self.cursor) {
            line.saturating_sub(1)
        } else {
            line
        };
        let first = (line + 1).saturating_sub(height);
        let last = (self.shown.len() + self.groups.len()).saturating_sub(height);
        self.offset = self.offset.clamp(first, top.max(first)).min(last);
    }

    /// The visible lines, from the first one on.
    pub fn visible(&self, height: usize) -> impl Iterator<Item = Line<'_, R>> {
        let lines = self.shown.len() + self.groups.len();
        (self.offset..lines.min(self.offset + height)).map(|line| self.line(line))
    }

    /// The first visible line and how many there are, for a scroll bar.
    pub fn extent(&self) -> (usize, usize) {
        (self.offset, self.shown.len() + self.groups.len())
    }

    fn line(&self, line: usize) -> Line<'_, R> {
        let mut headings = 0;
        for (at, (start, title)) in self.groups.iter().enumerate() {
            match (start + at).cmp(&line) {
                Ordering::Less => headings = at + 1,
                Ordering::Equal => {
                    let end = self
                        .groups
                        .get(at + 1)
                        .map_or(self.shown.len(), |(start, _)| *start);
                    return Line::Group(title, end - start);
                }
                Ordering::Greater => break,
            }
        }
        Line::Row(self.row(self.shown[line - headings]))
    }

    fn line_of(&self, row: usize) -> usize {
        row + self.groups.iter().take_while(|(start, _)| *start <= row).count()
    }

    fn row(&self, slot: u32) -> &R {
        row_of(&self.slots, slot)
    }

    fn put(&mut self, row: R) -> u32 {
        let key = row.key();
        if let Some(slot) = self.by_key.get(&key) {
            self.slots[*slot as usize] = Some(row);
            return *slot;
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(row);
                slot
            }
            None => {
                self.slots.push(Some(row));
                u32::try_from(self.slots.len() - 1).expect("fewer rows than 2^32")
            }
        };
        self.by_key.insert(key, slot);
        slot
    }

    fn take(&mut self, key: &R::Key) {
        if let Some(slot) = self.by_key.remove(key) {
            self.slots[slot as usize] = None;
            self.free.push(slot);
            self.marked.remove(key);
        }
    }

    /// Takes a row out of both lists; its slot stays.
    fn unlist(&mut self, key: &R::Key) {
        let Some(&slot) = self.by_key.get(key) else { return };
        for in_order in [true, false] {
            let list = if in_order { &self.order } else { &self.shown };
            let at = list.partition_point(|other| self.compare(*other, slot) == Ordering::Less);
            if list.get(at) == Some(&slot) {
                if in_order {
                    self.order.remove(at);
                } else {
                    self.shown.remove(at);
                }
            }
        }
    }

    fn enlist(&mut self, slot: u32) {
        let at = self
            .order
            .partition_point(|other| self.compare(*other, slot) == Ordering::Less);
        self.order.insert(at, slot);
        if self.filter.shows(self.row(slot), self.now) {
            let at = self
                .shown
                .partition_point(|other| self.compare(*other, slot) == Ordering::Less);
            self.shown.insert(at, slot);
        }
    }

    /// Where the row of this key stands among those shown.
    fn place(&self, key: &R::Key) -> Option<usize> {
        let &slot = self.by_key.get(key)?;
        let at = self
            .shown
            .partition_point(|other| self.compare(*other, slot) == Ordering::Less);
        (self.shown.get(at) == Some(&slot)).then_some(at)
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        compare(self.row(a), self.row(b), self.sort, self.grouped)
    }

    fn resort(&mut self) {
        let mut order: Vec<u32> = self.by_key.values().copied().collect();
        let (slots, sort, grouped) = (&self.slots, self.sort, self.grouped);
        order.sort_unstable_by(|a, b| compare(row_of(slots, *a), row_of(slots, *b), sort, grouped));
        self.order = order;
        self.refilter(self.order.clone());
    }

    fn refilter(&mut self, source: Vec<u32>) {
        self.shown = source;
        let (slots, filter, now) = (&self.slots, &self.filter, self.now);
        if !filter.is_empty() {
            self.shown.retain(|slot| filter.shows(row_of(slots, *slot), now));
        }
        self.regroup();
    }

    fn regroup(&mut self) {
        self.groups.clear();
        if !self.grouped {
            return;
        }
        let mut start = 0;
        while start < self.shown.len() {
            let (rank, title) = self.row(self.shown[start]).group();
            self.groups.push((start, title));
            start += self.shown[start..].partition_point(|slot| self.row(*slot).group().0 <= rank);
        }
    }
}

fn row_of<R>(slots: &[Option<R>], slot: u32) -> &R {
    slots[slot as usize].as_ref().expect("a listed slot holds a row")
}

fn compare<R: Row>(a: &R, b: &R, sort: Sort, grouped: bool) -> Ordering {
    let groups = if grouped {
        a.group().0.cmp(&b.group().0)
    } else {
        Ordering::Equal
    };
    let by_order = || {
        let order = a.compare(b, sort.order);
        if sort.reversed { order.reverse() } else { order }
    };
    groups.then_with(by_order).then_with(|| a.key().cmp(&b.key()))
}
