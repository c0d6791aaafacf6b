//! What keys do, pressed one after the other.

use caur_core::model::JobState;

use super::*;
use crate::app::View;
use crate::msg::OperationNews;
use crate::operation::{Act, Standing};

#[test]
fn the_selected_job_survives_every_change_of_the_queue() {
    let mut app = online(80, 24);
    press(&mut app, "j");
    let selected = |app: &App| app.selected_job().map(|job| job.id);
    assert_eq!(selected(&app), Some(JobId(11)));
    let mut jobs = farm();
    jobs[1].state = JobState::Succeeded;
    tell(
        &mut app,
        BackendMsg::Changed {
            jobs: vec![jobs[1].clone()],
            gone: Vec::new(),
            taken: NOW,
        },
    );
    assert_eq!(selected(&app), Some(JobId(11)));
    tell(&mut app, BackendMsg::Link(LinkState::Connecting));
    tell(&mut app, BackendMsg::Link(LinkState::Online));
    tell(&mut app, BackendMsg::Jobs(snapshot(jobs)));
    assert_eq!(selected(&app), Some(JobId(11)), "also over a new link");
}

#[test]
fn a_cancel_asks_first_and_enter_alone_is_a_no() {
    let mut app = online(80, 24);
    assert!(operations(&press(&mut app, "x")).is_empty());
    assert!(operations(&press(&mut app, "⏎")).is_empty());
    assert!(app.overlays().is_empty(), "the question is answered: no");
    let sent = operations(&press(&mut app, "xy"));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].act, Act::Cancel(JobId(10)));
}

#[test]
fn many_are_canceled_only_when_their_number_is_typed() {
    let mut app = online(80, 24);
    let jobs = (100..130)
        .map(|id| job(id, &format!("p{id}"), JobState::Ready))
        .collect();
    tell(&mut app, BackendMsg::Jobs(snapshot(jobs)));
    assert!(operations(&press(&mut app, "*xy⏎")).is_empty());
    let sent = operations(&press(&mut app, "⌫30⏎"));
    assert_eq!(sent.len(), 30);
    let marks: std::collections::BTreeSet<_> = sent.iter().map(|operation| &operation.mark).collect();
    assert_eq!(marks.len(), 30, "each has a mark of its own");
    assert_eq!(app.list_counts().unwrap().2, 0, "what was marked is done");
}

#[test]
fn what_cannot_be_done_says_why() {
    let cases = [
        ("r", "it is building and has not ended"),
        ("H", "it is building and not in the queue"),
        ("/zen⏎x", "it has ended already"),
        ("/paru⏎x", "past canceling"),
        ("/yay⏎P", "not in the queue"),
    ];
    for (keys, reason) in cases {
        let mut app = online(120, 24);
        let effects = press(&mut app, keys);
        assert!(operations(&effects).is_empty(), "{keys}");
        let said = app.notice().map(|notice| notice.text.clone()).unwrap_or_default();
        assert!(said.contains(reason), "{keys}: {said}");
    }
}

#[test]
fn without_a_link_or_the_right_nothing_is_sent() {
    let mut app = online(80, 24);
    press(&mut app, "x");
    tell(&mut app, BackendMsg::Link(LinkState::Connecting));
    assert!(operations(&press(&mut app, "y")).is_empty());
    assert!(testing::said(&app).contains("no link"));

    let mut app = online(80, 24);
    let viewer = BackendMsg::Access {
        may_operate: false,
        who: "viewer".to_owned(),
    };
    tell(&mut app, viewer);
    assert!(operations(&press(&mut app, "/zen⏎r")).is_empty());
    assert!(testing::said(&app).contains("may only read"));
    assert!(text(&app, 80, 24).contains("read-only"));
    press(&mut app, "?");
    let help = text(&app, 80, 60);
    assert!(
        !help.contains("retry") && help.contains("watch"),
        "dangerous keys are hidden"
    );
}

#[test]
fn what_is_typed_is_about_what_was_chosen_when_it_was_begun() {
    for (begin, end) in [("P", "⌫50⏎"), (":prio", "rity 50⏎")] {
        let mut app = online(100, 24);
        let jobs: Vec<Job> = (1..4)
            .map(|id| job(id, &format!("p{id}"), JobState::Ready))
            .collect();
        tell(&mut app, BackendMsg::Jobs(snapshot(jobs.clone())));
        press(&mut app, &format!("/state:ready⏎{begin}"));
        let mut building = jobs[0].clone();
        building.state = JobState::Building;
        let changed = BackendMsg::Changed {
            jobs: vec![building],
            gone: Vec::new(),
            taken: NOW,
        };
        tell(&mut app, changed);
        assert!(
            operations(&press(&mut app, end)).is_empty(),
            "{begin}: the second job is not meant"
        );
        assert!(testing::said(&app).contains("building"));
    }
}

#[test]
fn held_and_other_jobs_together_are_held_and_all_held_ones_let_go() {
    let mut app = online(100, 24);
    let states = [JobState::Ready, JobState::Held, JobState::Waiting];
    let jobs = states.iter().zip(1..).map(|(state, id)| job(id, "a", *state));
    tell(&mut app, BackendMsg::Jobs(snapshot(jobs.collect())));
    let acts = |effects: &[Effect]| -> Vec<Act> {
        operations(effects)
            .into_iter()
            .map(|operation| operation.act)
            .collect()
    };
    let mixed = acts(&press(&mut app, "*Hy"));
    assert_eq!(mixed, [Act::Hold(JobId(1)), Act::Hold(JobId(3))]);
    let held = acts(&press(&mut app, "/state:held⏎H"));
    assert_eq!(held, [Act::Unhold(JobId(2))]);
}

#[test]
fn marks_of_a_view_are_its_own() {
    let mut app = online(100, 24);
    let mut paused = testing::builder("alder");
    paused.paused = Some("by kim".into());
    tell(&mut app, BackendMsg::Builders(vec![paused], None));
    press(&mut app, "*3");
    assert_eq!(operations(&press(&mut app, "u")).len(), 1);
    press(&mut app, "1");
    assert_eq!(app.list_counts().unwrap().2, 18);
}

#[test]
fn a_reason_for_a_pause_never_ends_one() {
    let mut app = online(100, 24);
    press(&mut app, "Znew disk");
    let pause = caur_core::queue::Pause {
        reason: "paused by bob".into(),
        since: NOW,
        by: "bob".into(),
        until: None,
    };
    tell(&mut app, BackendMsg::Builders(Vec::new(), Some(pause)));
    assert!(operations(&press(&mut app, "⏎")).is_empty());
    assert!(testing::said(&app).contains("paused by bob already"));
}

#[test]
fn an_operation_shows_what_became_of_it() {
    let mut app = online(100, 24);
    let sent = operations(&press(&mut app, "/emulsion⏎r"));
    assert_eq!(sent[0].act, Act::Retry(JobId(4), false));
    let standing = |app: &App| app.operations()[0].standing.clone();
    assert_eq!(standing(&app), Standing::Sent);
    tell(
        &mut app,
        BackendMsg::Operation(sent[0].id, OperationNews::Unknown),
    );
    assert!(text(&app, 100, 24).contains("retry emulsion: unknown, checking"));
    tell(
        &mut app,
        BackendMsg::Operation(sent[0].id, OperationNews::Done("ready".into())),
    );
    assert!(text(&app, 100, 24).contains("retry emulsion: done, ready"));
    assert!(standing(&app).is_known());
}

#[test]
fn commands_complete_and_run() {
    let mut app = online(100, 24);
    press(&mut app, ":so⇥ pack⇥⏎");
    assert_eq!(app.queue().table.sort().order, 1, "sorted by package");
    let sent = operations(&press(&mut app, "/neovim⏎:priority 50⏎"));
    assert_eq!(sent[0].act, Act::Priority(JobId(22), 50));
    press(&mut app, ":nonsense⏎");
    assert!(testing::said(&app).contains("there is no command :nonsense"));
    // What was refused stays to be corrected, and no key of it acts.
    assert!(operations(&press(&mut app, "xrHy")).is_empty());
    let sent = operations(&press(&mut app, "⎋:schedule neovim-git class=3 rebuild⏎"));
    let Act::Schedule(request) = &sent[0].act else {
        panic!("{sent:?}")
    };
    assert_eq!((request.class.to_string().as_str(), request.rebuild), ("3", true));
    press(&mut app, "⎋:schedule unknown-package⏎");
    assert!(testing::said(&app).contains("no job of unknown-package"));
}

#[test]
fn filters_are_recalled() {
    let mut app = online(80, 24);
    press(&mut app, "/state:ready⏎⎋/yay⏎⎋/");
    press(&mut app, "↑↑");
    assert_eq!(
        app.filter_text(),
        Some("state:ready"),
        "a recalled filter acts at once"
    );
    press(&mut app, "⏎");
    assert_eq!(app.used_filters(), ["yay", "state:ready"]);
}

#[test]
fn a_watched_job_tells_its_end() {
    let mut app = online(80, 24);
    press(&mut app, "w");
    let mut jobs = farm();
    jobs[0].state = JobState::Failed;
    jobs[0].reason = Some("it does not compile".into());
    let ended = BackendMsg::Changed {
        jobs: vec![jobs[0].clone()],
        gone: Vec::new(),
        taken: NOW,
    };
    let effects = tell(&mut app, ended.clone());
    assert!(effects.contains(&Effect::Notify("mesa-git failed: it does not compile".into())));
    assert!(
        !tell(&mut app, ended)
            .iter()
            .any(|effect| matches!(effect, Effect::Notify(_)))
    );
}

#[test]
fn a_log_is_asked_for_while_it_is_seen() {
    let mut app = online(80, 24);
    let wants = |effects: &[Effect]| {
        effects.iter().rev().find_map(|effect| match effect {
            Effect::Want(interest) => Some(interest.log),
            _ => None,
        })
    };
    assert_eq!(wants(&press(&mut app, "⏎")), Some(Some((JobId(10), None))));
    assert_eq!(app.view(), View::Job);
    assert_eq!(wants(&press(&mut app, "⎋")), Some(None));
    assert_eq!(app.view(), View::Queue);
}

#[test]
fn a_paused_log_shows_the_same_lines_whatever_arrives() {
    let mut app = with_log(80, 24);
    press(&mut app, "⇞");
    let lines = |app: &App| -> Vec<String> {
        text(app, 80, 24)
            .lines()
            .skip(3)
            .take(19)
            .map(str::to_owned)
            .collect()
    };
    let before = lines(&app);
    let total = app.job_screen().pane().store().total();
    for line in 0..100 {
        log(
            &mut app,
            LogEvent::Pieces(vec![piece(total + line * 4, "new\n")], Vec::new()),
        );
    }
    assert_eq!(lines(&app), before);
    press(&mut app, "G");
    assert!(text(&app, 80, 24).contains("new"));
}

#[test]
fn the_first_error_is_one_key_away() {
    let mut app = with_log(80, 24);
    press(&mut app, "F");
    assert!(text(&app, 80, 24).contains("error: expected ';' before 'return'"));
}

#[test]
fn ctrl_c_leaves_from_everywhere_and_q_is_a_letter_in_a_filter() {
    for keys in ["", "/", "?", "⏎", "x", ":", "O"] {
        let mut app = online(80, 24);
        press(&mut app, keys);
        let effects = app.update(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(effects.contains(&Effect::Quit), "{keys}");
    }
    let mut app = online(80, 24);
    assert!(!press(&mut app, "/q").contains(&Effect::Quit));
    assert_eq!(app.filter_text(), Some("q"));
    assert!(press(&mut app, "⏎q").contains(&Effect::Quit));
}

#[test]
fn ages_follow_the_clock_of_the_queue() {
    let mut app = testing::app(80, 24);
    // The queue's clock is an hour behind this machine's.
    let taken = NOW - 3_600_000;
    let mut jobs = vec![job(1, "a", JobState::Ready)];
    jobs[0].since = taken - 5_000;
    tell(
        &mut app,
        BackendMsg::Jobs(Snapshot {
            jobs,
            taken,
            partial: false,
        }),
    );
    assert_eq!(app.queue_now(), taken);
    assert!(text(&app, 80, 24).contains("  5s"));
}

#[test]
fn keys_act_at_once_whatever_the_link_does() {
    let mut app = online(80, 24);
    tell(&mut app, BackendMsg::Link(LinkState::Connecting));
    press(&mut app, "jj");
    assert_eq!(app.queue().table.cursor(), 2);
    let effects = press(&mut app, "r");
    let asks = effects
        .iter()
        .any(|effect| matches!(effect, Effect::Ask(request) if **request == Request::Reconnect));
    assert!(asks, "r connects now while there is no link");
}

#[test]
fn no_letter_trusts_a_server() {
    let mut app = testing::app(80, 24);
    press(&mut app, "/p");
    let question = crate::question::Question::TrustHost {
        host: "farm".to_owned(),
        key_type: "ssh-ed25519".to_owned(),
        fingerprint: "SHA256:abc".to_owned(),
        recorded_in: "known_hosts".to_owned(),
    };
    tell(&mut app, BackendMsg::Question(7, question));
    let answers = |effects: &[Effect]| -> Vec<Request> {
        let asked = effects.iter().filter_map(|effect| match effect {
            Effect::Ask(request) => Some((**request).clone()),
            _ => None,
        });
        asked.collect()
    };
    assert_eq!(
        answers(&press(&mut app, "yY⏎yY")),
        [],
        "what is typed into a filter is no answer"
    );
    let yes = Request::Answer(7, crate::question::Answer::Trust(true));
    assert_eq!(answers(&press(&mut app, "⇥⏎")), [yes]);
}

#[test]
fn a_clipboard_takes_what_terminals_take_and_says_so() {
    let mut app = with_log(80, 24);
    let total = app.job_screen().pane().store().total();
    let more = "0123456789\n".repeat(20_000);
    log(&mut app, LogEvent::Pieces(vec![piece(total, &more)], Vec::new()));
    let effects = press(&mut app, "gvGy");
    let copied = effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.len()),
        _ => None,
    });
    assert!(
        copied.is_some_and(|bytes| bytes <= crate::msg::CLIPBOARD),
        "{copied:?}"
    );
    assert!(testing::said(&app).contains("lines copied: terminals take no more"));
}

#[test]
fn a_watched_job_that_is_listed_no_more_has_ended() {
    let mut app = online(80, 24);
    press(&mut app, "w");
    let effects = tell(&mut app, BackendMsg::Jobs(snapshot(farm().split_off(1))));
    assert!(effects.contains(&Effect::Notify("mesa-git has ended meanwhile".into())));
}
