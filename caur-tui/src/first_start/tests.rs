use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use futures::stream;

use super::*;
use crate::keymap::{Action, Keymap};
use crate::options::describe;
use crate::profile::{self, TuiFile};

fn keys(text: &str) -> Vec<io::Result<Event>> {
    text.chars()
        .map(|c| match c {
            '\n' => KeyEvent::from(KeyCode::Enter),
            '\u{1b}' => KeyEvent::from(KeyCode::Esc),
            '\u{3}' => KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
            '\u{8}' => KeyEvent::from(KeyCode::Backspace),
            c => KeyEvent::from(KeyCode::Char(c)),
        })
        .map(|key| Ok(Event::Key(key)))
        .collect()
}

async fn typed(text: &str) -> (Result<Answers, String>, String) {
    let mut out = Vec::new();
    let answers = ask(Path::new("/c/tui.toml"), stream::iter(keys(text)), &mut out).await;
    let out = String::from_utf8(out).unwrap();
    (answers.map_err(|error| error.to_string()), out)
}

fn answers(name: &str, ssh: &str, redis_url: &str) -> Answers {
    Answers {
        name: name.to_owned(),
        ssh: ssh.to_owned(),
        redis_url: redis_url.to_owned(),
    }
}

#[tokio::test]
async fn enter_alone_is_an_answer() {
    let (given, out) = typed("\n\n\n").await;
    assert_eq!(given.unwrap(), answers("farm", "", REDIS));
    assert!(out.contains("/c/tui.toml") && out.contains("[none]"), "{out}");
}

#[tokio::test]
async fn what_is_typed_is_edited_and_checked_at_once() {
    let (given, out) = typed("a b\nme@garden.example\nfarm\nredis://10.0.0.1x\u{8}\n\n").await;
    // What was wrong stays on the line, to be corrected.
    assert!(given.is_err(), "{given:?}");
    assert!(out.contains("That is not it: expected USER@HOST[:PORT]"), "{out}");
    let wipe = "\u{8}".repeat(4);
    let typing = format!("a b{wipe}me@garden.example\nfarm\n{wipe}unix:///s\n\n");
    let (given, out) = typed(&typing).await;
    assert_eq!(
        given.unwrap(),
        answers("garden", "me@garden.example", "unix:///s")
    );
    assert!(out.contains("expected redis://"), "{out}");
    let (given, _) = typed(&format!("192.0.2.7\n\nb d{wipe}shed\n")).await;
    assert_eq!(given.unwrap(), answers("shed", "192.0.2.7", REDIS));
}

#[tokio::test]
async fn leaving_is_possible_at_any_time() {
    for text in ["\u{1b}", "\n\u{3}", "\n\nname\u{1b}", "", "\n"] {
        let (given, _) = typed(text).await;
        assert_eq!(
            given.unwrap_err(),
            "left without an answer; nothing was written",
            "{text:?}"
        );
    }
}

#[test]
fn the_file_is_private_and_says_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("caur/tui.toml");
    let given = answers("garden", "me@farm:2200", "redis://me:pw%22@10.0.0.1");
    write(&path, &given).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let (file, _) = profile::read(&path).unwrap().unwrap();
    let (name, garden) = file.choose(None, &path).unwrap().unwrap();
    let settings = garden.redis(None).unwrap();
    assert_eq!((name, settings.ssh.port), ("garden", 2200));
    assert_eq!(describe(&settings), "10.0.0.1:6379 through farm");
    let again = write(&path, &answers("other", "", REDIS)).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), render(&given));
    let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing but the file");
}

#[test]
fn the_sample_of_the_documentation_is_what_a_first_start_writes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tui.toml");
    let rendered = render(&answers("garden", "maintainer@farm", REDIS));
    if std::env::var_os("UPDATE_SAMPLE").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let sample = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        sample, rendered,
        "write it anew: UPDATE_SAMPLE=1 cargo test -p caur-tui sample"
    );
}

/// The sample with everything in it that is commented out but prose.
fn uncommented(text: &str) -> String {
    let is_setting = |line: &str| {
        line.strip_prefix("# ").is_some_and(|rest| {
            rest.split_once(" = ")
                .is_some_and(|(name, _)| !name.contains(' '))
        })
    };
    text.lines()
        .map(|line| if is_setting(line) { &line[2..] } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_the_sample_has_in_comments_is_what_holds_without() {
    let all = uncommented(&render(&answers("farm", "", REDIS)));
    let file: TuiFile = toml::from_str(&all).unwrap();
    let defaults = TuiFile::default();
    assert_eq!(file.mouse, defaults.mouse);
    let theme = crate::theme::Theme::choose(None, None, None);
    assert_eq!(file.theme, Some(theme));
    let keymap = Keymap::configured(&file.keys).unwrap();
    assert_eq!(keymap, Keymap::configured(&BTreeMap::new()).unwrap());
    assert!(file.keys.keys().all(|name| Action::named(name).is_some()));
    let farm = &file.profiles["farm"];
    assert!(!farm.read_only && farm.ssh.is_some() && farm.redis_password_file.is_some());
    let table: toml::Table = toml::from_str(&all).unwrap();
    let settings = table["profiles"]["farm"].as_table().unwrap();
    assert_eq!(settings.len(), 4, "a setting that the sample lacks: {settings:?}");
    assert_eq!(table.len(), 5, "a setting that the sample lacks: {table:?}");
}
