//! What was typed before, to be typed again with the arrow keys.

/// Entries that are remembered.
const MOST: usize = 50;

/// Texts that were used, the newest last, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recall {
    entries: Vec<String>,
    /// Which one is shown, counted from the newest; none: what is being typed.
    at: Option<usize>,
    typed: String,
}

impl Recall {
    /// Texts that were used before, the newest last.
    pub fn new(entries: Vec<String>) -> Self {
        let mut recall = Self::default();
        for entry in entries {
            recall.remember(&entry);
        }
        recall
    }

    /// What was used, the newest last.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Notes that a text was used.
    pub fn remember(&mut self, text: &str) {
        self.at = None;
        if text.trim().is_empty() {
            return;
        }
        self.entries.retain(|entry| entry != text);
        self.entries.push(text.to_owned());
        if self.entries.len() > MOST {
            self.entries.remove(0);
        }
    }

    /// The entry before the one that is shown; `typed` is what stands there now.
    pub fn older(&mut self, typed: &str) -> Option<String> {
        let next = match self.at {
            None => {
                typed.clone_into(&mut self.typed);
                0
            }
            Some(at) => at + 1,
        };
        let entry = self.entries.iter().rev().nth(next)?.clone();
        self.at = Some(next);
        Some(entry)
    }

    /// The entry after the one that is shown, at last what was typed.
    pub fn newer(&mut self) -> Option<String> {
        match self.at? {
            0 => {
                self.at = None;
                Some(self.typed.clone())
            }
            at => {
                self.at = Some(at - 1);
                self.entries.iter().rev().nth(at - 1).cloned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arrows_walk_through_what_was_used_and_back() {
        let mut recall = Recall::new(vec!["a".into(), "b".into(), "a".into(), " ".into()]);
        assert_eq!(recall.entries(), ["b", "a"]);
        assert_eq!(recall.older("typ").as_deref(), Some("a"));
        assert_eq!(recall.older("a").as_deref(), Some("b"));
        assert_eq!(recall.older("b"), None);
        assert_eq!(recall.newer().as_deref(), Some("a"));
        assert_eq!(recall.newer().as_deref(), Some("typ"));
        assert_eq!(recall.newer(), None);
    }
}
