//! Actions found by their words.

use crate::filter::is_subsequence;
use crate::input::Input;
use crate::keymap::{ACTIONS, Context, Definition};

/// A list of actions that is being narrowed.
#[derive(Debug)]
pub struct Palette {
    /// What was typed.
    pub input: Input,
    /// What it shows, the best first.
    pub found: Vec<&'static Definition>,
    /// The selected one.
    pub cursor: usize,
    contexts: &'static [Context],
    read_only: bool,
}

impl Palette {
    /// Every action of these contexts.
    pub fn new(contexts: &'static [Context], read_only: bool) -> Self {
        let mut palette = Self {
            input: Input::default(),
            found: Vec::new(),
            cursor: 0,
            contexts,
            read_only,
        };
        palette.search();
        palette
    }

    /// Finds anew after the input changed.
    pub fn search(&mut self) {
        let typed = self.input.text().to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        let letters: String = typed.split_whitespace().collect();
        let offered = |definition: &&Definition| {
            self.contexts.contains(&definition.context) && !(self.read_only && definition.changes)
        };
        let mut found: Vec<(u8, &Definition)> = ACTIONS
            .iter()
            .filter(offered)
            .filter_map(|definition| {
                let text = format!("{} {}", definition.name, definition.help).to_lowercase();
                let score = if words.iter().all(|word| definition.name.contains(word)) {
                    0
                } else if words.iter().all(|word| text.contains(word)) {
                    1
                } else if is_subsequence(&letters, &text) {
                    2
                } else {
                    return None;
                };
                Some((score, definition))
            })
            .collect();
        found.sort_by_key(|(score, _)| *score);
        self.found = found.into_iter().map(|(_, definition)| definition).collect();
        self.cursor = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keymap::TOGETHER;

    fn found(typed: &str, read_only: bool) -> Vec<&'static str> {
        let mut palette = Palette::new(TOGETHER[0], read_only);
        palette.input = Input::new(typed);
        palette.search();
        palette.found.iter().map(|definition| definition.name).collect()
    }

    #[test]
    fn actions_are_found_by_name_by_words_and_by_letters() {
        assert_eq!(found("cancel", false)[0], "cancel");
        assert_eq!(found("build again", false), ["retry"]);
        assert!(found("mrkall", false).contains(&"mark-all"));
        assert!(!found("", true).contains(&"cancel"));
        assert!(!found("", false).contains(&"search"), "it is of another view");
    }
}
