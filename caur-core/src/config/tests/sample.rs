//! `docs/caur.toml` lists every setting with its default; it is made from the table.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

use super::Fixture;
use crate::config::{Config, SETTINGS, Setting, Source};

const HEAD: &str = "\
# Every setting of caur with its default. A setting without a default is shown with an example behind a #.
# Read from --config, else CAUR_CONFIG, else /etc/caur/caur.toml and then $XDG_CONFIG_HOME/caur/caur.toml.
# Later sources win: these files, then the environment (the name in brackets), then --set KEY=VALUE.
# In the environment tables are JSON and lists are separated by commas; an empty value counts as unset.
";

fn default_of(setting: &Setting) -> Value {
    let all = serde_json::to_value(Config::default()).unwrap();
    all.pointer(&format!("/{}", setting.key.replace('.', "/")))
        .unwrap()
        .clone()
}

fn sample() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for setting in SETTINGS {
        let (table, name) = setting.key.rsplit_once('.').unwrap();
        if table != section {
            write!(text, "\n[{table}]\n").unwrap();
            section = table;
        }
        writeln!(text, "# {} [{}]", setting.doc, setting.env).unwrap();
        let default = default_of(setting);
        if default != Value::Null {
            // Texts, numbers, flags, and empty or simple lists and tables are written alike in JSON and TOML.
            writeln!(text, "{name} = {default}").unwrap();
        }
        if let Some(example) = setting.example {
            writeln!(text, "#{name} = {example}").unwrap();
        }
    }
    text
}

#[test]
fn the_sample_file_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/caur.toml");
    if env::var_os("UPDATE_SAMPLE").is_some() {
        fs::write(&path, sample()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == sample(),
        "docs/caur.toml is out of date: run this test with UPDATE_SAMPLE=1"
    );
}

#[test]
fn the_sample_file_changes_no_default() {
    let loaded = Fixture::new().file(&sample()).load();
    for entry in loaded.describe() {
        let setting = Setting::find(entry.key).unwrap();
        assert_eq!(entry.value, default_of(setting), "{}", entry.key);
        assert!(
            matches!(entry.source, Source::File { .. }) != entry.value.is_null(),
            "{} is missing",
            entry.key
        );
    }
}

#[test]
fn every_setting_has_a_default_or_an_example_and_every_example_is_valid() {
    for setting in SETTINGS {
        assert!(
            setting.example.is_some() || default_of(setting) != Value::Null,
            "{}",
            setting.key
        );
    }
    let mut text = String::new();
    for setting in SETTINGS {
        if let Some(example) = setting.example {
            writeln!(text, "{} = {example}", setting.key).unwrap();
        }
    }
    Fixture::new().file(&text).load();
}
