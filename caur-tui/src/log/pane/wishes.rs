//! What a view would like to have fetched.

use super::LogPane;
use crate::log::gap::{Gap, GapKind};
use crate::log::store::Item;

/// Screens above and below the visible one on which a gap is worth filling already.
const AHEAD: usize = 2;

/// A part of the log that should be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageWish {
    /// What ends at this raw offset.
    Before(u64),
    /// What is around this raw offset.
    At(u64),
    /// All that is missing.
    All,
}

impl LogPane {
    /// What should be fetched next; every wish is told once, and again only when it came to nothing.
    pub fn wants(&mut self) -> Option<PageWish> {
        let asked = std::mem::take(&mut self.asked);
        self.asked = asked.into_iter().filter(|wish| self.is_open(*wish)).collect();
        let wish = self.next_wish()?;
        self.asked.push(wish);
        Some(wish)
    }

    /// What was asked for will not come, so it may be asked for again.
    pub fn forget_wishes(&mut self) {
        if self.asked.contains(&PageWish::All) {
            self.wants_everything = true;
        }
        self.asked.clear();
    }

    /// Wants everything fetched that is missing, so that a search can look at all of it.
    pub fn load_everything(&mut self) {
        self.wants_everything = true;
    }

    /// Whether everything was asked for and has not all arrived.
    pub fn is_loading_everything(&self) -> bool {
        (self.wants_everything || self.asked.contains(&PageWish::All)) && self.is_open(PageWish::All)
    }

    fn next_wish(&mut self) -> Option<PageWish> {
        let wants_everything = std::mem::take(&mut self.wants_everything);
        if wants_everything && !self.asked.contains(&PageWish::All) && self.is_open(PageWish::All) {
            return Some(PageWish::All);
        }
        let is_new = |wish: &PageWish| !self.asked.contains(wish);
        let target = self.target.map(PageWish::At).filter(|wish| self.is_open(*wish));
        if target.is_some() {
            return target.filter(is_new);
        }
        if self.asked.contains(&PageWish::All) {
            return None;
        }
        self.near_gap().filter(is_new)
    }

    /// Whether what a wish asks for is missing.
    fn is_open(&self, wish: PageWish) -> bool {
        match wish {
            PageWish::Before(end) => self.store.gaps().any(|gap| gap.end == end && is_missing(gap)),
            PageWish::At(offset) => self.store.unloaded(offset..offset.saturating_add(1)) > 0,
            PageWish::All => self.store.unloaded(0..u64::MAX) > 0,
        }
    }

    /// The gap that somebody who scrolls on would see first. With a filter every gap is near, so none is filled.
    fn near_gap(&self) -> Option<PageWish> {
        if self.filter.is_some() {
            return None;
        }
        let mut view = self.view();
        let top = view.top(self.anchor)?;
        let (start, above) = view.back(top, AHEAD * view.height);
        let middle = above + view.height / 2;
        view.height = above + (AHEAD + 1) * view.height;
        let spots = view.spots(Some(start));
        let gaps = spots
            .iter()
            .enumerate()
            .filter_map(|(row, spot)| match spot.item {
                Item::Gap(gap) if is_missing(gap) => Some((row, gap)),
                Item::Gap(_) | Item::Line(_) => None,
            });
        let (row, gap) = gaps.min_by_key(|(row, _)| row.abs_diff(middle))?;
        Some(if row <= middle || self.is_following() {
            PageWish::Before(gap.end)
        } else {
            PageWish::At(gap.start)
        })
    }
}

fn is_missing(gap: Gap) -> bool {
    gap.kind == GapKind::NotLoaded
}
