//! Which part of the screen belongs to what. Pure, so that keys and drawing agree on heights.

use ratatui::layout::Rect;

/// Rows between header and footer from which queue and log share the screen.
const SHARED_FROM: u16 = 12;

/// The pane that keys act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// The queue table.
    #[default]
    Queue,
    /// The log.
    Log,
}

/// What is to be laid out.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The pane that keys act on; the only one seen where there is no room for two.
    pub focus: Pane,
    /// Whether the log has the screen for itself.
    pub full: bool,
    /// Whether there is a notice about the link.
    pub notice: bool,
}

/// The parts of the screen; those without room are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Areas {
    /// Link state and counts.
    pub header: Rect,
    /// What is wrong with the link.
    pub notice: Rect,
    /// Column headings.
    pub headings: Rect,
    /// Rows of the queue.
    pub rows: Rect,
    /// Title of the log.
    pub log_title: Rect,
    /// What is known about the selected job.
    pub details: Rect,
    /// Lines of the log.
    pub log: Rect,
    /// Key hints.
    pub footer: Rect,
}

/// Divides `screen`.
pub fn areas(screen: Rect, shape: Shape) -> Areas {
    let mut rest = screen;
    let header = take_top(&mut rest, 1);
    let footer = take_bottom(&mut rest);
    let notice = if shape.notice && rest.height > 4 {
        take_top(&mut rest, 1)
    } else {
        Rect::default()
    };
    let mut areas = Areas {
        header,
        notice,
        footer,
        ..Areas::default()
    };
    let shared = rest.height >= SHARED_FROM;
    let queue_height = match (shape.full, shared, shape.focus) {
        (true, _, _) | (false, false, Pane::Log) => 0,
        (false, true, _) => rest.height / 2,
        (false, false, Pane::Queue) => rest.height,
    };
    let mut queue = take_top(&mut rest, queue_height);
    areas.headings = take_top(&mut queue, 1);
    areas.rows = queue;
    areas.log_title = take_top(&mut rest, 1);
    if rest.height > 2 {
        areas.details = take_top(&mut rest, 1);
    }
    areas.log = rest;
    areas
}

fn take_top(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let top = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    top
}

fn take_bottom(rest: &mut Rect) -> Rect {
    let height = rest.height.min(1);
    rest.height -= height;
    Rect {
        y: rest.y + rest.height,
        height,
        ..*rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heights(height: u16, shape: Shape) -> (u16, u16) {
        let areas = areas(Rect::new(0, 0, 80, height), shape);
        (areas.rows.height, areas.log.height)
    }

    #[test]
    fn both_panes_where_there_is_room() {
        let shape = Shape {
            focus: Pane::Queue,
            full: false,
            notice: false,
        };
        assert_eq!(heights(24, shape), (10, 9));
        assert_eq!(heights(10, shape), (7, 0));
        assert_eq!(
            heights(
                10,
                Shape {
                    focus: Pane::Log,
                    ..shape
                }
            ),
            (0, 6)
        );
        assert_eq!(heights(24, Shape { full: true, ..shape }), (0, 20));
        assert_eq!(
            heights(
                24,
                Shape {
                    notice: true,
                    ..shape
                }
            ),
            (9, 9)
        );
    }

    #[test]
    fn no_height_is_too_small() {
        for height in 0..30 {
            for focus in [Pane::Queue, Pane::Log] {
                let screen = Rect::new(0, 0, 20, height);
                let areas = areas(
                    screen,
                    Shape {
                        focus,
                        full: false,
                        notice: true,
                    },
                );
                for part in [areas.header, areas.notice, areas.rows, areas.log, areas.footer] {
                    assert!(part.bottom() <= height);
                }
            }
        }
    }
}
