//! What the statistics look like, and what their keys do.

use std::collections::BTreeMap;

use caur_core::model::JobState;
use caur_core::queue::{BuilderHour, HourStatistics, QueueSample, Statistics};
use ratatui::style::Color;

use crate::app::App;
use crate::msg::{BackendMsg, Effect, Msg};
use crate::testing::{NOW, builder};
use crate::tests::snapshots::{assert_screens, lost};
use crate::tests::{buffer, online, press, tell, text};

const HOUR: u64 = 3_600_000;

/// So many hours in which the farm was busy by day.
pub fn fixture(hours: u64) -> Statistics {
    let now = NOW / HOUR;
    let hour = |at: u64| {
        let busy = at % 24 < 16;
        let mut hour = HourStatistics {
            hour_start_ms: at * HOUR,
            ..HourStatistics::default()
        };
        if !busy {
            return hour;
        }
        let failed = u64::from(at.is_multiple_of(3));
        let ended = [
            (JobState::Succeeded, 4 + at % 7),
            (JobState::Failed, failed),
            (JobState::AlreadyBuilt, at % 3),
        ];
        hour.ended = ended.into_iter().filter(|(_, count)| *count > 0).collect();
        for step in 1..20 {
            hour.waits.record(step * step * (1 + at % 5));
            hour.builds.record(step * step * step / 2 + 60);
        }
        let builders = [("alder", 6, failed, 2400), ("birch", 3, failed, 1200)];
        hour.builders = builders
            .into_iter()
            .map(|(name, builds, failures, busy_seconds)| {
                let sums = BuilderHour {
                    builds,
                    failures,
                    busy_seconds,
                };
                (name.to_owned(), sums)
            })
            .collect::<BTreeMap<_, _>>();
        hour
    };
    let sample = |at: u64| QueueSample {
        at: NOW - at * HOUR / 4,
        waiting: at * 7 % 40,
        ready: at * 3 % 20,
        blocked: at % 50 / 40,
        held: 0,
        backoff: 0,
        building: at % 5,
        slots_total: 5,
    };
    Statistics {
        hours: (now + 1 - hours..=now).map(hour).collect(),
        samples: (0..hours * 4).rev().map(sample).collect(),
    }
}

fn shown(width: u16, height: u16) -> App {
    let mut app = online(width, height);
    let mut birch = builder("birch");
    birch.report.slots = 1;
    tell(
        &mut app,
        BackendMsg::Builders(vec![builder("alder"), birch], None),
    );
    press(&mut app, "7");
    app
}

fn filled(width: u16, height: u16) -> App {
    let mut app = shown(width, height);
    tell(&mut app, BackendMsg::Statistics(Box::new(fixture(24))));
    app
}

#[test]
fn the_view_in_its_states() {
    assert_screens("statistics", filled);
    assert_screens("statistics_scrolled", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, "jj");
        app
    });
    assert_screens("statistics_last", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, "jjjjjjjj");
        app
    });
    assert_screens("statistics_week", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, "t");
        tell(&mut app, BackendMsg::Statistics(Box::new(fixture(168))));
        app
    });
    assert_screens("statistics_loading", shown);
    assert_screens("statistics_empty", |width, height| {
        let mut app = shown(width, height);
        let mut statistics = fixture(24);
        statistics.samples.clear();
        for hour in &mut statistics.hours {
            *hour = HourStatistics {
                hour_start_ms: hour.hour_start_ms,
                ..HourStatistics::default()
            };
        }
        tell(&mut app, BackendMsg::Statistics(Box::new(statistics)));
        app
    });
    assert_screens("statistics_stale", |width, height| {
        let mut app = filled(width, height);
        tell(&mut app, BackendMsg::Link(lost()));
        app.update(Msg::Tick(NOW + 5_000));
        app
    });
    let compact = filled(60, 8);
    insta::assert_snapshot!("statistics_compact_60x8", text(&compact, 60, 8));
}

#[test]
fn the_wanted_hours_follow_the_period_and_are_not_wanted_elsewhere() {
    let mut app = shown(80, 24);
    let wanted = |effects: &[Effect]| {
        effects.iter().rev().find_map(|effect| match effect {
            Effect::Want(interest) => Some(interest.statistics),
            _ => None,
        })
    };
    assert_eq!(wanted(&press(&mut app, "t")), Some(168));
    assert!(text(&app, 80, 24).contains("[7 d]"));
    tell(&mut app, BackendMsg::Statistics(Box::new(fixture(24))));
    assert!(text(&app, 80, 24).contains("reading …"), "a day is no week");
    tell(&mut app, BackendMsg::Statistics(Box::new(fixture(168))));
    assert!(!text(&app, 80, 24).contains("reading …"));
    assert_eq!(wanted(&press(&mut app, "t")), Some(24));
    assert_eq!(wanted(&press(&mut app, "1")), Some(0));
    assert_eq!(wanted(&press(&mut app, "3")), Some(24), "for the success rates");
}

#[test]
fn scrolling_ends_at_the_last_charts_and_begins_there_again() {
    let mut app = filled(80, 24);
    press(&mut app, "jjjjjjjjjjjjj");
    assert_eq!(app.statistics().first(), 4);
    press(&mut app, "k");
    assert_eq!(app.statistics().first(), 3);
    app.update(Msg::Resize(160, 50));
    assert_eq!(app.statistics().first(), 0, "all are seen");
}

#[test]
fn failures_have_a_symbol_and_a_colour_of_their_own() {
    for (theme, failed, built) in [
        ("dark", Color::LightRed, Color::Green),
        ("mono", Color::Reset, Color::Reset),
    ] {
        let mut app = filled(80, 24);
        press(&mut app, &format!(":theme {theme}⏎"));
        let buffer = buffer(&app, 80, 24);
        let colours = |symbol: &str| -> Vec<Color> {
            let cells = (7..80).flat_map(|x| (4..12).map(move |y| (x, y)));
            let cells = cells.map(|at| &buffer[at]).filter(|cell| cell.symbol() == symbol);
            cells.map(|cell| cell.fg).collect()
        };
        assert!(colours("x").len() > 5 && colours("█").len() > 20);
        assert!(colours("x").iter().all(|colour| *colour == failed), "{theme}");
        assert!(colours("█").iter().all(|colour| *colour == built), "{theme}");
    }
}
