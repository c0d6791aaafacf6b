//! Applies the parameters of SGR sequences to a style.
//!
//! Blinking and concealed text are ignored: a log must not be able to hide a line of itself.

use ratatui::style::{Color, Modifier, Style};

/// The style after an SGR sequence with these parameters.
pub fn apply(style: Style, parameters: &str) -> Style {
    let mut style = style;
    let mut fields = parameters.split(';');
    while let Some(field) = fields.next() {
        let mut parts = field.split(':');
        let code = number(parts.next().unwrap_or_default());
        let parts: Vec<u16> = parts.map(number).collect();
        style = match code {
            38 | 48 => {
                let color = if parts.is_empty() {
                    separate_color(&mut fields)
                } else {
                    joined_color(&parts)
                };
                match (color, code) {
                    (None, _) => style,
                    (Some(color), 38) => style.fg(color),
                    (Some(color), _) => style.bg(color),
                }
            }
            4 if parts.first() == Some(&0) => style.remove_modifier(Modifier::UNDERLINED),
            _ => simple(style, code),
        };
    }
    style
}

fn simple(style: Style, code: u16) -> Style {
    match code {
        0 => Style::new(),
        1 => style.add_modifier(Modifier::BOLD),
        2 => style.add_modifier(Modifier::DIM),
        3 => style.add_modifier(Modifier::ITALIC),
        4 | 21 => style.add_modifier(Modifier::UNDERLINED),
        7 => style.add_modifier(Modifier::REVERSED),
        9 => style.add_modifier(Modifier::CROSSED_OUT),
        22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
        23 => style.remove_modifier(Modifier::ITALIC),
        24 => style.remove_modifier(Modifier::UNDERLINED),
        27 => style.remove_modifier(Modifier::REVERSED),
        29 => style.remove_modifier(Modifier::CROSSED_OUT),
        30..=37 => style.fg(palette(code - 30)),
        39 => Style { fg: None, ..style },
        40..=47 => style.bg(palette(code - 40)),
        49 => Style { bg: None, ..style },
        90..=97 => style.fg(palette(code - 90 + 8)),
        100..=107 => style.bg(palette(code - 100 + 8)),
        _ => style,
    }
}

fn separate_color<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Color> {
    let mut next = || fields.next().map(number);
    match next()? {
        5 => Some(Color::Indexed(channel(next()?))),
        2 => {
            let (red, green, blue) = (next()?, next()?, next()?);
            Some(Color::Rgb(channel(red), channel(green), channel(blue)))
        }
        _ => None,
    }
}

/// `5:N`, `2:R:G:B` or, with a colour space in front, `2:S:R:G:B`.
fn joined_color(parts: &[u16]) -> Option<Color> {
    match parts {
        [5, index, ..] => Some(Color::Indexed(channel(*index))),
        [2, red, green, blue] | [2, _, red, green, blue, ..] => {
            Some(Color::Rgb(channel(*red), channel(*green), channel(*blue)))
        }
        _ => None,
    }
}

fn number(text: &str) -> u16 {
    if text.is_empty() {
        0
    } else {
        text.parse().unwrap_or(u16::MAX)
    }
}

fn channel(value: u16) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn palette(index: u16) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    NAMED[usize::from(index) % NAMED.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_modifiers() {
        let plain = Style::new();
        let cases = [
            ("1;31", plain.fg(Color::Red).add_modifier(Modifier::BOLD)),
            ("38;5;208", plain.fg(Color::Indexed(208))),
            (
                "48;2;1;2;3;1",
                plain.bg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD),
            ),
            ("38:2::10:20:30", plain.fg(Color::Rgb(10, 20, 30))),
            ("38:2:10:20:30", plain.fg(Color::Rgb(10, 20, 30))),
            ("97;104", plain.fg(Color::White).bg(Color::LightBlue)),
            ("8;5", plain),
            ("38", plain),
            ("99999999", plain),
        ];
        for (parameters, expected) in cases {
            assert_eq!(apply(plain, parameters), expected, "{parameters}");
        }
    }

    #[test]
    fn an_empty_sequence_resets() {
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        assert_eq!(apply(red, ""), Style::new());
        assert_eq!(apply(red, "39;22").fg, None);
    }
}
