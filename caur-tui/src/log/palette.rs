//! The styles of a log under short numbers, so that a run of characters costs four bytes.

use std::collections::HashMap;

use ratatui::style::Style;

use super::sgr;

/// SGR sequences whose effect is remembered; a log with more of them is only slower.
const REMEMBERED: usize = 4096;

/// The number of a style; 0 is plain text.
pub(super) type StyleId = u16;

/// The number of plain text.
pub(super) const PLAIN: StyleId = 0;

/// Characters from a byte of a line on have a style, up to the next run or the line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The byte of the line's text at which it begins.
    pub(super) at: u16,
    /// Its style.
    pub(super) style: StyleId,
}

/// Every style that occurs in a log. When a log uses more than fit, the further ones look plain.
#[derive(Debug)]
pub(super) struct Palette {
    styles: Vec<Style>,
    numbers: HashMap<Style, StyleId>,
    effects: HashMap<StyleId, HashMap<Box<str>, StyleId>>,
    remembered: usize,
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            styles: vec![Style::new()],
            numbers: HashMap::from([(Style::new(), PLAIN)]),
            effects: HashMap::new(),
            remembered: 0,
        }
    }
}

impl Palette {
    /// The style of this number.
    pub(super) fn style(&self, id: StyleId) -> Style {
        self.styles.get(usize::from(id)).copied().unwrap_or_default()
    }

    /// The style after an SGR sequence with these parameters.
    pub(super) fn apply(&mut self, pen: StyleId, parameters: &str) -> StyleId {
        if let Some(&id) = self.effects.get(&pen).and_then(|known| known.get(parameters)) {
            return id;
        }
        let id = self.number(sgr::apply(self.style(pen), parameters));
        if self.remembered < REMEMBERED {
            self.remembered += 1;
            self.effects.entry(pen).or_default().insert(parameters.into(), id);
        }
        id
    }

    fn number(&mut self, style: Style) -> StyleId {
        if let Some(&id) = self.numbers.get(&style) {
            return id;
        }
        let Ok(id) = StyleId::try_from(self.styles.len()) else {
            return PLAIN;
        };
        self.styles.push(style);
        self.numbers.insert(style, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    #[test]
    fn the_same_style_has_one_number() {
        let mut palette = Palette::default();
        let red = palette.apply(PLAIN, "31");
        assert_eq!(palette.apply(PLAIN, "0;31"), red);
        assert_eq!(palette.apply(red, ""), PLAIN);
        assert_eq!(palette.style(red), Style::new().fg(Color::Red));
    }

    #[test]
    fn a_flood_of_styles_ends_in_plain_text() {
        let mut palette = Palette::default();
        for color in 0..70_000_u32 {
            let [_, red, green, blue] = color.to_be_bytes();
            palette.apply(PLAIN, &format!("38;2;{red};{green};{blue}"));
        }
        assert_eq!(palette.styles.len(), 1 << 16);
        assert_eq!(palette.apply(PLAIN, "38;2;9;9;9"), PLAIN);
        assert!(palette.remembered <= REMEMBERED);
    }
}
