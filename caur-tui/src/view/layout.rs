//! Where things stand on a screen of any size; what has no room is left out, the least needed first.

use ratatui::layout::Rect;

use crate::app::{App, View};
use crate::msg::LinkState;
use crate::screen;
use crate::view::header;

/// From which height there is room for more than one line about the whole farm.
const ROOMY: u16 = 16;

/// The parts of the screen; those without room have no height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Areas {
    /// The farm, the link and the views.
    pub tabs: Rect,
    /// How many jobs are in which state, and what builders do.
    pub counts: Rect,
    /// How far the current batch has come.
    pub progress: Rect,
    /// What the rows of the view are, taken together.
    pub summary: Rect,
    /// What is wrong with the link or the queue.
    pub notice: Rect,
    /// The view; in lists the first line is the headings.
    pub body: Rect,
    /// More about what is selected.
    pub detail: Rect,
    /// What is typed, what was said in passing, or the most useful keys.
    pub footer: Rect,
}

/// The parts of `screen`.
pub fn areas(app: &App, screen: Rect) -> Areas {
    let mut areas = Areas::default();
    let mut top = screen.top();
    let mut left = screen.height;
    let mut line = |wanted: bool, keep: u16| {
        let height = u16::from(wanted && left > keep);
        left -= height;
        let area = Rect {
            y: top,
            height,
            ..screen
        };
        top += height;
        area
    };
    let roomy = screen.height >= ROOMY;
    areas.tabs = line(true, 3);
    let has_notice = app.known().pause.is_some()
        || match app.known().link.state {
            LinkState::Connecting | LinkState::Online => false,
            LinkState::Reconnecting { .. } | LinkState::Failed { .. } => app.known().has_data(),
        };
    areas.notice = line(has_notice, 5);
    if has_notice && roomy {
        // A reason that is cut off is none.
        let wanted = header::notice_height(app, screen.width).min(3);
        for _ in 1..wanted {
            areas.notice.height += line(true, 8).height;
        }
    }
    areas.counts = line(roomy || app.view() != View::Job && screen.height >= 9, 6);
    areas.progress = line(
        roomy && app.queue().batch().is_some() && app.view() == View::Queue,
        8,
    );
    areas.summary = line(roomy && matches!(app.view(), View::History | View::Statistics), 8);
    let footer = u16::from(left > 1);
    let detail = match app.view() {
        View::Repository if roomy => 3.min(left.saturating_sub(8)),
        View::Repository => u16::from(left >= 6),
        View::Queue | View::History if roomy => 3.min(left.saturating_sub(8)),
        View::Activity if roomy => 3.min(left.saturating_sub(8)),
        View::Builders if roomy => screen::builders::draw::detail_height(app, left.saturating_sub(1)),
        _ => 0,
    };
    areas.body = Rect {
        y: top,
        height: left - footer - detail,
        ..screen
    };
    areas.detail = Rect {
        y: areas.body.bottom(),
        height: detail,
        ..screen
    };
    areas.footer = Rect {
        y: areas.detail.bottom(),
        height: footer,
        ..screen
    };
    areas
}
