//! Rows that are marked, so that an action is about all of them.

use super::{Row, Table};

impl<R: Row> Table<R> {
    /// Marks the selected row or takes its mark away, and goes on to the next.
    pub fn toggle_mark(&mut self) {
        let Some(key) = self.selected.clone() else { return };
        if !self.marked.remove(&key) {
            self.marked.insert(key.clone());
        }
        self.anchor = Some(key);
        self.move_by(1);
    }

    /// Marks everything from the last mark to the selection.
    pub fn mark_range(&mut self) {
        let from = self
            .anchor
            .as_ref()
            .and_then(|key| self.place(key))
            .unwrap_or(self.cursor);
        let (from, to) = (from.min(self.cursor), from.max(self.cursor));
        let range = self.shown.get(from..=to).unwrap_or_default();
        let keys: Vec<R::Key> = range.iter().map(|slot| self.row(*slot).key()).collect();
        self.marked.extend(keys);
        self.anchor.clone_from(&self.selected);
    }

    /// Marks everything that is shown.
    pub fn mark_all(&mut self) {
        let keys: Vec<R::Key> = self.shown.iter().map(|slot| self.row(*slot).key()).collect();
        self.marked.extend(keys);
    }

    /// Takes all marks away.
    pub fn unmark_all(&mut self) {
        self.marked.clear();
        self.anchor = None;
    }

    /// Whether the row of this key is marked.
    pub fn is_marked(&self, key: &R::Key) -> bool {
        self.marked.contains(key)
    }

    /// How many rows are marked.
    pub fn marks(&self) -> usize {
        self.marked.len()
    }

    /// The marked rows in order, or the selected one where there are none: what an action is about.
    pub fn chosen(&self) -> Vec<&R> {
        if self.marked.is_empty() {
            return self.selected().into_iter().collect();
        }
        self.rows()
            .filter(|row| self.marked.contains(&row.key()))
            .collect()
    }
}
