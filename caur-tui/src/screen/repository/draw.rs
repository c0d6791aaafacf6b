//! How the repository view is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::App;

/// Draws the view.
pub fn draw(_app: &App, _area: Rect, _buffer: &mut Buffer) {}
