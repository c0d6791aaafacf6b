//! The key reference of `docs/`, written from the list of actions.

use super::{ACTIONS, Context, Keymap};
use crate::filter;

/// The reference as Markdown.
pub fn reference() -> String {
    let keymap = Keymap::default();
    let mut text = String::from(
        "# Keys of caur-tui\n\nWritten from the program's own list by `UPDATE_KEYS=1 cargo test -p caur-tui keymap`; a test \
         holds it equal.\nA key can be given another meaning in `tui.toml`: `[keys]` with a line `NAME = [\"KEY\", …]`; every name is a \
         `:` command too.\n",
    );
    for context in Context::ALL {
        let title = context.title();
        text.push_str(&format!(
            "\n## {}{}\n\n| key | name | what it does |\n|---|---|---|\n",
            title[..1].to_uppercase(),
            &title[1..]
        ));
        for definition in ACTIONS.iter().filter(|definition| definition.context == context) {
            let argument = if definition.argument.is_empty() {
                String::new()
            } else {
                format!(" {}", definition.argument)
            };
            text.push_str(&format!(
                "| {} | `{}{}` | {} |\n",
                keymap.labels(definition.action).replace('|', "\\|"),
                definition.name,
                argument.replace('|', "\\|"),
                definition.help
            ));
        }
    }
    text.push_str("\n## The filter language\n\n| term | rows that it shows |\n|---|---|\n");
    for (term, meaning) in filter::LANGUAGE {
        text.push_str(&format!("| `{}` | {meaning} |\n", term.replace('|', "\\|")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_reference_in_the_documentation_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/KEYS.md");
        let text = super::reference();
        if std::env::var_os("UPDATE_KEYS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "docs/KEYS.md is out of date: UPDATE_KEYS=1 cargo test -p caur-tui keymap"
        );
    }
}
