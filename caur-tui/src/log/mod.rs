//! Build logs on the screen: what was fetched of one, the searches in it and the view of it. No I/O.
//!
//! [`LogStore`] keeps the text, [`Scan`] looks through it a bit at a time, [`LogPane`] knows which part is seen and
//! which part should be fetched next, [`draw`] puts it into terminal cells.

mod ansi;
mod block;
mod draw;
mod gap;
mod open_line;
mod palette;
mod pane;
mod pattern;
mod scan;
mod segment;
mod sgr;
mod store;
#[cfg(test)]
mod tests;
mod walk;

pub use block::LogLine;
pub use draw::draw;
pub use gap::{Gap, GapKind};
pub use palette::Run;
pub use pane::{Body, FilterSummary, LogPane, Notice, PageWish, Row, SearchSummary, Settings, Summary};
pub use pattern::Pattern;
pub use scan::{Direction, Found, Matcher, Progress, STEP, Scan};
pub use store::{DEFAULT_BUDGET, Item, LogPiece, LogStore};
