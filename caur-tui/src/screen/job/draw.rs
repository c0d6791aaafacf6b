//! How a job and its log are drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::app::App;
use crate::view::{centered, put};

/// Draws the job view.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let log = app.job_screen().log();
    if log.lines() == 0 {
        centered("nothing was written yet", theme.faint(), area, buffer);
        return;
    }
    for (y, line) in (area.top()..area.bottom()).zip(log.visible(u64::from(area.height))) {
        put(
            &Line::raw(line.text.as_str()),
            Rect { y, height: 1, ..area },
            buffer,
        );
    }
}
