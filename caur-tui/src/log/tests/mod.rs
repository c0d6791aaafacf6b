//! Logs and what is read of them, for all tests of logs.

mod budget;
mod drawing;
mod hostile;
mod order;
mod pane;
mod random_views;
mod reading;
mod scanning;

use proptest::prelude::*;

use super::{Item, LogPiece, LogStore};

/// A piece that arrived at the beginning of time.
pub fn piece(offset: u64, bytes: &[u8]) -> LogPiece<'_> {
    LogPiece { offset, at: 0, bytes }
}

/// A finished log that arrived in these chunks, one after the other.
pub fn store(chunks: &[&[u8]]) -> LogStore {
    let mut store = LogStore::default();
    let mut offset = 0;
    for chunk in chunks {
        store.push(piece(offset, chunk));
        offset += chunk.len() as u64;
    }
    store.finish();
    store
}

/// Every line and gap.
pub fn items(store: &LogStore) -> Vec<Item<'_>> {
    std::iter::successors(store.first(), |item| store.next(item)).collect()
}

/// The text of every line, and gaps as they are shown.
pub fn texts(store: &LogStore) -> Vec<String> {
    items(store)
        .iter()
        .map(|item| match item {
            Item::Line(line) => line.text.to_owned(),
            Item::Gap(gap) => gap.to_string(),
        })
        .collect()
}

/// Bytes such as a stranger would put into a log.
pub fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let spice = prop::sample::select(vec![
        b"\x1b[31m".to_vec(),
        b"\x1b]0;t\x07".to_vec(),
        b"\x1b".to_vec(),
        b"\x1b[".to_vec(),
        b"\x1bP".to_vec(),
        b"\r".to_vec(),
        b"\n".to_vec(),
        b"plain words\r\n".to_vec(),
        "\u{202e}\u{200b}\u{301}".as_bytes().to_vec(),
        "日本😀".as_bytes().to_vec(),
        b"\xf0\x9f".to_vec(),
    ]);
    let piece = prop_oneof![spice, prop::collection::vec(any::<u8>(), 0..12)];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}
