//! Every screen as text, in the sizes that people have, and the colours that carry meaning.

use std::time::Duration;

use caur_core::model::JobState;
use caur_core::queue::Pause;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::msg::OperationNews;
use crate::operation::OperationId;
use crate::question::Question;
use crate::theme::Theme;

const SIZES: [(u16, u16); 3] = [(80, 24), (160, 50), (40, 10)];

fn assert_screens(name: &str, make: impl Fn(u16, u16) -> App) {
    for (width, height) in SIZES {
        let app = make(width, height);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&app, width, height));
    }
}

fn lost() -> LinkState {
    LinkState::Reconnecting {
        attempt: 3,
        next_in: Duration::from_secs(12),
        reason: "the connection to 127.0.0.1:6379 through SSH ada@farm:22 was lost: broken pipe".to_owned(),
    }
}

#[test]
fn before_anything_is_known() {
    assert_screens("connecting", testing::app);
    assert_screens("failed", |width, height| {
        let mut app = testing::app(width, height);
        let reason = "ada@farm:22 refused every key (/home/ada/.ssh/id_ed25519); add one to the account's authorized_keys";
        tell(
            &mut app,
            BackendMsg::Link(LinkState::Failed {
                reason: reason.to_owned(),
            }),
        );
        app
    });
    assert_screens("empty", |width, height| {
        let mut app = testing::app(width, height);
        tell(&mut app, BackendMsg::Link(LinkState::Online));
        tell(&mut app, BackendMsg::Jobs(snapshot(Vec::new())));
        app
    });
}

#[test]
fn the_queue() {
    assert_screens("queue", online);
    assert_screens("queue_grouped", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "t");
        app
    });
    assert_screens("queue_filtered", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "/state:failed,timed");
        app
    });
    assert_screens("queue_nothing_matches", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "/firefox⏎");
        app
    });
    assert_screens("queue_stale", |width, height| {
        let mut app = online(width, height);
        tell(&mut app, BackendMsg::Link(lost()));
        app.update(Msg::Tick(NOW + 5_000));
        app
    });
    assert_screens("queue_paused_marked", |width, height| {
        let mut app = online(width, height);
        let pause = Pause {
            reason: "paused by ada: kernel update".to_owned(),
            by: "ada".to_owned(),
            since: NOW - 600_000,
            until: None,
        };
        tell(
            &mut app,
            BackendMsg::Builders(vec![testing::builder("alder")], Some(pause)),
        );
        press(&mut app, "   w");
        app
    });
}

#[test]
fn a_job() {
    assert_screens("job", with_log);
    assert_screens("job_searched", |width, height| {
        let mut app = with_log(width, height);
        press(&mut app, "/file_4⏎");
        app
    });
    assert_screens("job_first_error", |width, height| {
        let mut app = with_log(width, height);
        press(&mut app, "F");
        app
    });
    assert_screens("job_details", |width, height| {
        let mut app = with_log(width, height);
        press(&mut app, "i");
        app
    });
    assert_screens("job_stale_paused", |width, height| {
        let mut app = with_log(width, height);
        press(&mut app, "⇞");
        tell(&mut app, BackendMsg::Link(lost()));
        app
    });
    assert_screens("job_without_log", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "/neovim⏎⏎");
        tell(&mut app, BackendMsg::Log(JobId(22), LogEvent::Missing));
        app
    });
}

#[test]
fn what_lies_over_a_view() {
    assert_screens("help", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "?");
        app
    });
    assert_screens("confirm", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "  x");
        app
    });
    assert_screens("confirm_typed", |width, height| {
        let mut app = online(width, height);
        let jobs = (100..130)
            .map(|id| job(id, &format!("package-{id}"), JobState::Ready))
            .collect();
        tell(&mut app, BackendMsg::Jobs(snapshot(jobs)));
        press(&mut app, "*x3");
        app
    });
    assert_screens("palette", |width, height| {
        let mut app = online(width, height);
        app.update(key(KeyCode::Char('p'), KeyModifiers::CONTROL));
        press(&mut app, "ca");
        app
    });
    assert_screens("completion", |width, height| {
        let mut app = online(width, height);
        press(&mut app, ":re⇥");
        app
    });
    assert_screens("trust", |width, height| {
        let mut app = testing::app(width, height);
        let question = Question::TrustHost {
            host: "ada@farm.example:22".to_owned(),
            key_type: "ssh-ed25519".to_owned(),
            fingerprint: "SHA256:uNiVztksCsDhcc0u9e8BrQk4kTq9G3YtZ0dP9aWcVbE".to_owned(),
            recorded_in: "/home/ada/.ssh/known_hosts".to_owned(),
        };
        tell(&mut app, BackendMsg::Question(1, question));
        app
    });
    assert_screens("passphrase", |width, height| {
        let mut app = testing::app(width, height);
        let question = Question::Passphrase {
            key: "/home/ada/.ssh/id_ed25519".to_owned(),
            wrong_before: true,
        };
        tell(&mut app, BackendMsg::Question(1, question));
        press(&mut app, "secret");
        app
    });
    assert_screens("operations", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "rHxy⏎");
        press(&mut app, "/emulsion⏎r⎋");
        let asked: Vec<OperationId> = app.operations().iter().map(|asked| asked.operation.id).collect();
        tell(&mut app, BackendMsg::Operation(asked[0], OperationNews::Unknown));
        press(&mut app, "O");
        app
    });
    assert_screens("tree", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "d");
        app
    });
}

#[test]
fn states_and_selection_have_colours_and_the_mono_theme_has_none() {
    for theme in Theme::ALL {
        let mut app = online(80, 24);
        press(&mut app, &format!(":theme {}⏎", theme.name()));
        let buffer = buffer(&app, 80, 24);
        let row = |word: &str| {
            (4..22)
                .find(|y| {
                    (2..16)
                        .map(|x| buffer[(x, *y)].symbol())
                        .collect::<String>()
                        .contains(word)
                })
                .unwrap_or_else(|| panic!("no row of {word}"))
        };
        let selected = row("building");
        assert!(
            buffer[(30, selected)].modifier.contains(Modifier::REVERSED),
            "{theme:?}"
        );
        let mut colors = Vec::new();
        for state in [JobState::Ready, JobState::Backoff, JobState::Failed] {
            let cell = &buffer[(2, row(state.as_str()))];
            assert!(!cell.modifier.contains(Modifier::REVERSED));
            colors.push(cell.fg);
        }
        if theme == Theme::Mono {
            assert!(
                buffer
                    .content
                    .iter()
                    .all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset))
            );
        } else {
            colors.sort_by_key(|color| format!("{color:?}"));
            colors.dedup();
            assert_eq!(
                colors.len(),
                3,
                "{theme:?}: ready, backoff and failed look different"
            );
        }
    }
}
