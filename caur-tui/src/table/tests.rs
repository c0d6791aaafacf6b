use proptest::prelude::*;

use super::*;
use crate::filter::{Value, letters};

#[derive(Debug, Clone, PartialEq)]
struct Fruit {
    id: u32,
    name: String,
    weight: u32,
}

fn fruit(id: u32, name: &str, weight: u32) -> Fruit {
    Fruit {
        id,
        name: name.to_owned(),
        weight,
    }
}

impl Subject for Fruit {
    fn text(&self) -> &str {
        &self.name
    }

    fn letters(&self) -> u64 {
        letters(&self.name)
    }

    fn field(&self, name: &str, _now: u64) -> Option<Value<'_>> {
        (name == "weight").then(|| Value::count(self.weight.into()))
    }
}

impl Row for Fruit {
    type Key = u32;
    const ORDERS: &'static [&'static str] = &["id", "weight"];
    const FIELDS: &'static [&'static str] = &["weight"];

    fn key(&self) -> u32 {
        self.id
    }

    fn compare(&self, other: &Self, order: usize) -> Ordering {
        match order {
            1 => self.weight.cmp(&other.weight),
            _ => self.id.cmp(&other.id),
        }
    }

    fn group(&self) -> (u8, &'static str) {
        if self.weight < 100 {
            (0, "light")
        } else {
            (1, "heavy")
        }
    }
}

fn basket() -> Table<Fruit> {
    let mut table = Table::default();
    table.replace([
        fruit(1, "apple", 150),
        fruit(2, "cherry", 8),
        fruit(3, "melon", 900),
        fruit(4, "fig", 40),
        fruit(5, "pear", 170),
    ]);
    table.settle(3);
    table
}

fn ids(table: &Table<Fruit>, height: usize) -> Vec<String> {
    table
        .visible(height)
        .map(|line| match line {
            Line::Group(title, count) => format!("{title} {count}"),
            Line::Row(row) => row.id.to_string(),
        })
        .collect()
}

#[test]
fn the_selection_stays_on_its_row() {
    let mut table = basket();
    table.select(&3);
    table.set_sort(Sort {
        order: 1,
        reversed: true,
    });
    table.settle(3);
    assert_eq!((table.cursor(), table.selected().unwrap().id), (0, 3));
    table.change(vec![fruit(3, "melon", 1)], &[]);
    table.settle(3);
    assert_eq!((table.cursor(), table.selected().unwrap().id), (4, 3));
    assert_eq!(ids(&table, 3), ["4", "2", "3"]);
}

#[test]
fn what_takes_the_place_of_a_row_that_is_gone_is_selected() {
    let mut table = basket();
    table.select(&3);
    table.change(Vec::new(), &[3]);
    table.settle(3);
    assert_eq!(table.selected().unwrap().id, 4);
    table.select(&5);
    table.change(Vec::new(), &[5]);
    table.settle(3);
    assert_eq!(table.selected().unwrap().id, 4);
    table.replace([]);
    table.settle(3);
    assert_eq!(table.selected(), None);
}

#[test]
fn groups_have_headings_that_cannot_be_selected() {
    let mut table = basket();
    table.set_grouped(true);
    table.select_row(0);
    table.settle(7);
    assert_eq!(ids(&table, 7), ["light 2", "2", "4", "heavy 3", "1", "3", "5"]);
    for (line, id) in [(1, 2), (2, 4), (3, 1), (4, 1), (6, 5)] {
        table.select_line(line);
        assert_eq!(table.selected().unwrap().id, id, "line {line}");
    }
    table.settle(2);
    assert_eq!(ids(&table, 2), ["3", "5"]);
    table.select_row(2);
    table.settle(3);
    assert_eq!(ids(&table, 3), ["heavy 3", "1", "3"]);
}

#[test]
fn marks_are_what_actions_are_about() {
    let mut table = basket();
    assert_eq!(table.chosen().len(), 1);
    table.toggle_mark();
    table.select(&4);
    table.mark_range();
    let chosen = |table: &Table<Fruit>| -> Vec<u32> { table.chosen().iter().map(|row| row.id).collect() };
    assert_eq!(chosen(&table), [1, 2, 3, 4]);
    table.change(Vec::new(), &[2]);
    assert_eq!(chosen(&table), [1, 3, 4]);
    table.unmark_all();
    table.set_filter("e");
    table.mark_all();
    assert_eq!(chosen(&table), [1, 3, 5]);
    assert_eq!(table.marks(), 3);
}

proptest! {
    /// However rows come and go, the table shows what a plain sort and filter of the same rows would.
    #[test]
    fn it_shows_what_a_plain_sort_and_filter_would(
        steps in prop::collection::vec((0_u32..12, 0_u32..200, 0_u8..10), 0..60),
        filter in "[ab]{0,2}",
        order in 0_usize..2,
        reversed: bool,
        grouped: bool,
    ) {
        let mut table = Table::default();
        let mut plain: Vec<Fruit> = Vec::new();
        table.set_sort(Sort { order, reversed });
        table.set_grouped(grouped);
        for (at, (id, weight, kind)) in steps.into_iter().enumerate() {
            if at == 20 {
                table.set_filter(&filter);
            }
            plain.retain(|row| row.id != id);
            if kind == 0 {
                table.change(Vec::new(), &[id]);
            } else {
                let row = fruit(id, ["a", "b", "ab"][weight as usize % 3], weight);
                plain.push(row.clone());
                table.change(vec![row], &[]);
            }
            table.settle(5);
        }
        table.set_filter(&filter);
        plain.retain(|row| row.name.contains(&filter));
        plain.sort_by(|a, b| compare(a, b, Sort { order, reversed }, grouped));
        let shown: Vec<u32> = table.shown.iter().map(|slot| table.row(*slot).id).collect();
        prop_assert_eq!(shown, plain.iter().map(|row| row.id).collect::<Vec<_>>());
        table.settle(5);
        prop_assert_eq!(table.selected().is_some(), !plain.is_empty());
    }
}
