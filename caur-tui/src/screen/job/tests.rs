use caur_core::log::LogPiece;
use caur_core::model::{JobId, JobState};

use super::*;
use crate::testing::{self, job};

fn piece(offset: u64, text: &str) -> LogPiece {
    LogPiece {
        offset,
        at: testing::NOW,
        bytes: text.as_bytes().to_vec(),
    }
}

#[test]
fn the_same_attempt_from_the_beginning_keeps_the_place() {
    let mut screen = JobScreen::new(0);
    screen.open(JobId(7));
    screen.take(JobId(7), LogEvent::Begin { attempt: 1, total: 4 });
    screen.take(JobId(7), LogEvent::Pieces(vec![piece(0, "a\nb\n")], Vec::new()));
    screen.pane_mut().resize(80, 1);
    screen.pane_mut().scroll(-1);
    assert!(!screen.pane().is_following());
    screen.take(JobId(7), LogEvent::Begin { attempt: 1, total: 4 });
    assert!(!screen.pane().is_following());
    screen.take(JobId(7), LogEvent::Begin { attempt: 2, total: 0 });
    assert!(screen.pane().is_following());
    assert!(!screen.take(JobId(8), LogEvent::End), "another job's news");
}

#[test]
fn details_stand_beside_the_log_where_there_is_room() {
    let mut screen = JobScreen::new(0);
    let wide = screen.parts(Rect::new(0, 0, 160, 40));
    assert!(wide.log.width > 100 && wide.details.width > 40);
    let narrow = screen.parts(Rect::new(0, 0, 80, 20));
    assert_eq!((narrow.log.width, narrow.details.width), (80, 0));
    screen.toggle_details(80);
    let alone = screen.parts(Rect::new(0, 0, 80, 20));
    assert_eq!((alone.log.width, alone.details.width), (0, 80));
    let job = job(1, "a", JobState::Building);
    assert_eq!(job.attempt, 1);
}
