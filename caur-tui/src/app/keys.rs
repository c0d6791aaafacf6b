//! Keys, mouse and pasted text: to the topmost overlay, else to the view.

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use super::{App, NOTICE_READ, View};
use crate::keymap::{Action, Key};
use crate::msg::{Effect, Request};
use crate::overlay::Overlay;
use crate::overlay::confirm::Verdict;
use crate::overlay::palette::Palette;
use crate::overlay::prompt::{Prompt, Purpose};
use crate::view;

/// Lines that one step of the mouse wheel scrolls.
const WHEEL: isize = 3;

impl App {
    pub(super) fn key(&mut self, event: KeyEvent) -> Vec<Effect> {
        if event.kind == KeyEventKind::Release {
            return Vec::new();
        }
        // Whatever is open, this leaves.
        if event.code == KeyCode::Char('c') && event.modifiers.contains(KeyModifiers::CONTROL) {
            return vec![Effect::Quit];
        }
        let read = self.now.saturating_sub(NOTICE_READ);
        self.notice.take_if(|notice| notice.since <= read);
        if self
            .setup
            .keymap
            .keys(Action::Suspend)
            .contains(&Key::from(event))
            && event.modifiers.contains(KeyModifiers::CONTROL)
        {
            return vec![Effect::Suspend];
        }
        if let Some(overlay) = self.overlays.pop() {
            return self.overlay_key(overlay, event);
        }
        let offline = !self.known.is_online();
        let contexts = self.view.contexts();
        let contexts = if offline { contexts } else { &contexts[1..] };
        match self.setup.keymap.action(Key::from(event), contexts) {
            Some(action) => self.run(action, None),
            None => Vec::new(),
        }
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        let Some(overlay) = self.overlays.last_mut() else {
            return Vec::new();
        };
        match overlay {
            Overlay::Prompt(prompt) => prompt.input.insert(text),
            Overlay::Confirm(confirm) => confirm.typed.insert(text),
            Overlay::Palette(palette) => {
                palette.input.insert(text);
                palette.search();
            }
            Overlay::Asked(asked) => asked.typed.insert(text),
            Overlay::Help(_) | Overlay::Operations(_) | Overlay::Tree(_) | Overlay::Repository(_) => {}
        }
        self.prompt_changed();
        vec![Effect::Draw]
    }

    pub(super) fn mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let steps = match event.kind {
            MouseEventKind::ScrollUp => -WHEEL,
            MouseEventKind::ScrollDown => WHEEL,
            MouseEventKind::Down(MouseButton::Left) => {
                return self.click(Position::new(event.column, event.row));
            }
            _ => return Vec::new(),
        };
        match self.overlays.last_mut() {
            Some(Overlay::Help(scroll) | Overlay::Operations(scroll)) => {
                *scroll = scroll.saturating_add_signed(steps);
            }
            Some(Overlay::Confirm(confirm)) => {
                let last = confirm.lines.len().saturating_sub(1);
                confirm.scroll = confirm.scroll.saturating_add_signed(steps).min(last);
            }
            Some(Overlay::Tree(tree)) => {
                tree.cursor = tree.cursor.saturating_add_signed(steps).min(tree.lines.len() - 1);
            }
            Some(Overlay::Repository(overlay)) => overlay.scroll(steps),
            Some(Overlay::Prompt(_) | Overlay::Palette(_) | Overlay::Asked(_)) => {}
            None => self.scroll(steps),
        }
        vec![Effect::Draw]
    }

    fn click(&mut self, at: Position) -> Vec<Effect> {
        if !self.overlays.is_empty() {
            return Vec::new();
        }
        let areas = self.areas(self.screen);
        if areas.tabs.contains(at)
            && let Some(view) = view::header::tab_at(self, areas.tabs, at.x)
        {
            return self.run(view.action(), None);
        }
        let body = areas.body;
        if body.contains(at) && at.y > body.y && self.view != View::Job {
            let line = usize::from(at.y - body.y - 1);
            let before = self.selected_key();
            if self.select_line(line) && before.is_some() && before == self.selected_key() {
                return self.open();
            }
        }
        vec![Effect::Draw]
    }

    fn overlay_key(&mut self, overlay: Overlay, event: KeyEvent) -> Vec<Effect> {
        match overlay {
            Overlay::Prompt(prompt) => return self.prompt_key(prompt, event),
            Overlay::Confirm(mut confirm) => match confirm.key(event) {
                Verdict::Open => self.overlays.push(Overlay::Confirm(confirm)),
                Verdict::No => {}
                Verdict::Yes => match self.why_not_change() {
                    None => return self.send(confirm.requests),
                    Some(reason) => {
                        self.complain(format!("not done: {reason}"));
                        self.overlays.push(Overlay::Confirm(confirm));
                    }
                },
            },
            Overlay::Asked(mut asked) => match asked.key(event) {
                None => self.overlays.push(Overlay::Asked(asked)),
                Some(answer) => {
                    let request = Request::Answer(asked.id, answer);
                    return vec![Effect::Draw, Effect::Ask(Box::new(request))];
                }
            },
            Overlay::Palette(palette) => return self.palette_key(palette, event),
            Overlay::Help(scroll) => {
                if let Some(scroll) = self.scrolled(scroll, event) {
                    self.overlays.push(Overlay::Help(scroll));
                }
            }
            Overlay::Operations(scroll) => {
                if let Some(scroll) = self.scrolled(scroll, event) {
                    let last = self.count_asked().saturating_sub(1);
                    self.overlays.push(Overlay::Operations(scroll.min(last)));
                }
            }
            Overlay::Repository(overlay) => return self.repository_overlay_key(overlay, event),
            Overlay::Tree(mut tree) => {
                if event.code == KeyCode::Enter {
                    let job = tree.lines[tree.cursor].job;
                    return self.show_job(job);
                }
                if let Some(cursor) = self.scrolled(tree.cursor, event) {
                    tree.cursor = cursor.min(tree.lines.len() - 1);
                    self.overlays.push(Overlay::Tree(tree));
                }
            }
        }
        vec![Effect::Draw]
    }

    /// Where a scrolled overlay stands after a key; none when the key closes it.
    pub(super) fn scrolled(&self, scroll: usize, event: KeyEvent) -> Option<usize> {
        let page = usize::from(self.screen.height.saturating_sub(4).max(1));
        let key = Key::from(event);
        let keymap = &self.setup.keymap;
        let closes = [
            Action::Back,
            Action::Help,
            Action::Quit,
            Action::Operations,
            Action::Tree,
        ];
        if closes.iter().any(|action| keymap.keys(*action).contains(&key)) {
            return None;
        }
        let moves = [
            (Action::Up, -1),
            (Action::Down, 1),
            (Action::PageUp, -page.cast_signed()),
            (Action::PageDown, page.cast_signed()),
            (Action::First, isize::MIN),
            (Action::Last, isize::MAX),
        ];
        let step = moves
            .iter()
            .find(|(action, _)| keymap.keys(*action).contains(&key))
            .map_or(0, |(_, step)| *step);
        Some(scroll.saturating_add_signed(step))
    }

    fn palette_key(&mut self, mut palette: Palette, event: KeyEvent) -> Vec<Effect> {
        let last = palette.found.len().saturating_sub(1);
        match event.code {
            KeyCode::Esc => return vec![Effect::Draw],
            KeyCode::Enter => {
                let Some(definition) = palette.found.get(palette.cursor) else {
                    return vec![Effect::Draw];
                };
                return self.run(definition.action, None);
            }
            KeyCode::Up => palette.cursor = palette.cursor.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => palette.cursor = (palette.cursor + 1).min(last),
            KeyCode::PageUp => palette.cursor = palette.cursor.saturating_sub(10),
            KeyCode::PageDown => palette.cursor = (palette.cursor + 10).min(last),
            _ => {
                if palette.input.key(event) {
                    palette.search();
                }
            }
        }
        self.overlays.push(Overlay::Palette(palette));
        vec![Effect::Draw]
    }

    fn prompt_key(&mut self, mut prompt: Prompt, event: KeyEvent) -> Vec<Effect> {
        match event.code {
            KeyCode::Esc => {
                prompt.input = crate::input::Input::new(prompt.before.clone());
                if prompt.purpose == Purpose::Search {
                    self.end_search(false);
                    return vec![Effect::Draw];
                }
                self.overlays.push(Overlay::Prompt(prompt));
                self.prompt_changed();
                self.overlays.pop();
                return vec![Effect::Draw];
            }
            KeyCode::Enter => return self.prompt_entered(&prompt),
            KeyCode::Tab => self.complete(&mut prompt, 1),
            KeyCode::BackTab => self.complete(&mut prompt, -1),
            KeyCode::Up | KeyCode::Down => {
                let recall = match prompt.purpose {
                    Purpose::Filter => &mut self.filters,
                    Purpose::Search => &mut self.searches,
                    Purpose::Command => &mut self.commands,
                    Purpose::Argument(_) => &mut self.arguments,
                };
                let text = if event.code == KeyCode::Up {
                    recall.older(prompt.input.text())
                } else {
                    recall.newer()
                };
                if let Some(text) = text {
                    prompt.input = crate::input::Input::new(text);
                }
            }
            _ => {
                if prompt.input.key(event) {
                    prompt.completions = None;
                    prompt.problem = None;
                }
            }
        }
        self.overlays.push(Overlay::Prompt(prompt));
        let mut effects = self.prompt_changed();
        effects.push(Effect::Draw);
        effects
    }

    /// Lets a filter or a search act while it is typed.
    fn prompt_changed(&mut self) -> Vec<Effect> {
        let Some(Overlay::Prompt(prompt)) = self.overlays.last() else {
            return Vec::new();
        };
        let text = prompt.input.text().to_owned();
        match prompt.purpose {
            Purpose::Filter => {
                self.set_filter(&text);
                Vec::new()
            }
            Purpose::Search => self.search(&text),
            Purpose::Command | Purpose::Argument(_) => Vec::new(),
        }
    }

    fn prompt_entered(&mut self, prompt: &Prompt) -> Vec<Effect> {
        let text = prompt.input.text();
        let effects = match prompt.purpose {
            Purpose::Filter => {
                self.filters.remember(text);
                self.set_filter(text);
                Vec::new()
            }
            Purpose::Search => {
                self.searches.remember(text);
                let effects = self.search(text);
                self.end_search(true);
                effects
            }
            Purpose::Command => {
                self.commands.remember(text);
                let before = self.complaints;
                let effects = self.command(text);
                self.type_again(prompt, before);
                effects
            }
            Purpose::Argument(action) => {
                self.arguments.remember(text);
                let before = self.complaints;
                let effects = self.run(action, Some(text));
                self.type_again(prompt, before);
                effects
            }
        };
        [vec![Effect::Draw], effects].concat()
    }

    /// What was refused stays where it was typed, with the reason: a correction must not act as keys.
    fn type_again(&mut self, prompt: &Prompt, complaints_before: u64) {
        if self.complaints == complaints_before {
            return;
        }
        let mut again = Prompt::new(prompt.purpose, prompt.input.text());
        again.problem = self.notice.take().map(|notice| notice.text);
        self.overlays.push(Overlay::Prompt(again));
    }
}
