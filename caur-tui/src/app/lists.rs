//! What is the same in every view that lists something.

use super::{App, View};
use crate::keymap::Action;
use crate::msg::Effect;
use crate::overlay::Overlay;
use crate::overlay::prompt::Purpose;
use crate::table::{Row, Sort, Table};

/// Calls a method of the table that is looked at; nothing where the view has none.
macro_rules! on_table {
    ($app:expr, $otherwise:expr, $table:ident => $body:expr) => {
        match $app.view {
            View::Queue => {
                let $table = &mut $app.queue.table;
                $body
            }
            View::Builders => {
                let $table = &mut $app.builders.table;
                $body
            }
            View::Repository => {
                let $table = &mut $app.repository.table;
                $body
            }
            View::History => {
                let $table = &mut $app.history.table;
                $body
            }
            View::Activity => {
                let $table = &mut $app.activity.table;
                $body
            }
            View::Job | View::Statistics => $otherwise,
        }
    };
}

impl App {
    /// While it is typed what is to be done, it stays the same rows that it is about, however the list moves.
    pub(super) fn pin_choice(&mut self) {
        let typing = self.overlays.iter().any(|overlay| match overlay {
            Overlay::Prompt(prompt) => matches!(prompt.purpose, Purpose::Command | Purpose::Argument(_)),
            _ => false,
        });
        on_table!(self, (), table => table.pin(typing));
    }

    /// What was marked is done.
    pub(super) fn unmark(&mut self) {
        on_table!(self, (), table => table.unmark_all());
    }

    /// Rows that a page has.
    pub(super) fn page(&self) -> isize {
        let height = self.areas(self.screen).body.height;
        isize::try_from(height.saturating_sub(2).max(1)).unwrap_or(1)
    }

    /// Scrolls whatever is looked at.
    pub(super) fn scroll(&mut self, lines: isize) {
        on_table!(self, self.scroll_other(lines), table => table.move_by(lines));
    }

    fn scroll_other(&mut self, lines: isize) {
        if self.view == View::Statistics {
            self.statistics.scroll(lines);
        } else {
            self.scroll_log(lines);
        }
    }

    /// Selects the row on a line of the screen.
    pub(super) fn select_line(&mut self, line: usize) -> bool {
        on_table!(self, false, table => table.select_line(line))
    }

    /// What is selected, in words that tell one row from the others.
    pub(super) fn selected_key(&mut self) -> Option<String> {
        on_table!(self, None, table => table.selected_key().map(|key| format!("{key:?}")))
    }

    /// Filters the list that is looked at.
    pub(super) fn set_filter(&mut self, text: &str) {
        on_table!(self, (), table => table.set_filter(text));
    }

    /// The filter of the list that is looked at.
    pub fn filter_text(&self) -> Option<&str> {
        match self.view {
            View::Queue => Some(self.queue.table.filter().text()),
            View::Builders => Some(self.builders.table.filter().text()),
            View::Repository => Some(self.repository.table.filter().text()),
            View::History => Some(self.history.table.filter().text()),
            View::Activity => Some(self.activity.table.filter().text()),
            View::Job | View::Statistics => None,
        }
    }

    /// What is wrong with the filter of the list that is looked at.
    pub fn filter_problem(&self) -> Option<&str> {
        match self.view {
            View::Queue => self.queue.table.filter().problem(),
            View::Builders => self.builders.table.filter().problem(),
            View::Repository => self.repository.table.filter().problem(),
            View::History => self.history.table.filter().problem(),
            View::Activity => self.activity.table.filter().problem(),
            View::Job | View::Statistics => None,
        }
    }

    /// How many rows are shown, how many there are, and how many are marked.
    pub fn list_counts(&self) -> Option<(usize, usize, usize)> {
        fn counts<R: Row>(table: &Table<R>) -> (usize, usize, usize) {
            (table.len(), table.total(), table.marks())
        }
        match self.view {
            View::Queue => Some(counts(&self.queue.table)),
            View::Builders => Some(counts(&self.builders.table)),
            View::Repository => Some(counts(&self.repository.table)),
            View::History => Some(counts(&self.history.table)),
            View::Activity => Some(counts(&self.activity.table)),
            View::Job | View::Statistics => None,
        }
    }

    /// The names of the orders of the list that is looked at.
    pub(super) fn orders(&mut self) -> &'static [&'static str] {
        on_table!(self, &[], table => orders_of(table))
    }

    /// The fields of the filter language of the list that is looked at.
    pub(super) fn fields(&mut self) -> &'static [&'static str] {
        on_table!(self, &[], table => fields_of(table))
    }

    /// An action that every list knows; whether it was one.
    pub(super) fn list_action(&mut self, action: Action, argument: Option<&str>) -> Option<Vec<Effect>> {
        let page = self.page();
        let mut problem = None;
        on_table!(self, return None, table => match action {
            Action::Up => table.move_by(-1),
            Action::Down => table.move_by(1),
            Action::PageUp => table.move_by(-page),
            Action::PageDown => table.move_by(page),
            Action::HalfUp => table.move_by(-page / 2),
            Action::HalfDown => table.move_by(page / 2),
            Action::First => table.select_row(0),
            Action::Last => table.select_row(usize::MAX),
            Action::Mark => table.toggle_mark(),
            Action::MarkRange => table.mark_range(),
            Action::MarkAll => table.mark_all(),
            Action::Unmark => table.unmark_all(),
            Action::SortBack => {
                let sort = table.sort();
                table.set_sort(Sort { reversed: !sort.reversed, ..sort });
            }
            Action::Sort => problem = sort(table, argument).err(),
            _ => return None,
        });
        if let Some(problem) = problem {
            self.complain(problem);
        }
        Some(vec![Effect::Draw])
    }
}

fn orders_of<R: Row>(_: &Table<R>) -> &'static [&'static str] {
    R::ORDERS
}

fn fields_of<R: Row>(_: &Table<R>) -> &'static [&'static str] {
    R::FIELDS
}

/// Orders by the named column, or by the next one.
fn sort<R: Row>(table: &mut Table<R>, name: Option<&str>) -> Result<(), String> {
    let order = match name.map(str::trim).filter(|name| !name.is_empty()) {
        None => (table.sort().order + 1) % R::ORDERS.len(),
        Some(name) => R::ORDERS
            .iter()
            .position(|order| order.starts_with(name))
            .ok_or_else(|| format!("no column {name} to sort by; there are {}", R::ORDERS.join(", ")))?,
    };
    table.set_sort(Sort {
        order,
        reversed: false,
    });
    Ok(())
}
