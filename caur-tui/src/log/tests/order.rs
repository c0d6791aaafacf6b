//! The order in which the pieces of a log arrive makes no difference.

use super::*;

/// A log in chunks of these sizes, all the same time apart.
fn chunks<'a>(bytes: &'a [u8], sizes: &[usize]) -> Vec<LogPiece<'a>> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let mut offset = 0;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (bytes, others) = rest.split_at((*size).min(rest.len()));
        pieces.push(LogPiece {
            offset,
            at: offset + 7,
            bytes,
        });
        offset += bytes.len() as u64;
        rest = others;
    }
    pieces
}

/// Everything about the lines but their styles, which may differ after a page's border.
fn lines(store: &LogStore) -> Vec<(u64, u64, u64, String)> {
    items(store)
        .iter()
        .map(|item| match item {
            Item::Line(line) => (line.offset, line.end, line.at, line.text.to_owned()),
            Item::Gap(gap) => panic!("{gap}"),
        })
        .collect()
}

fn arrived(pieces: &[LogPiece<'_>], total: u64) -> LogStore {
    let mut store = LogStore::default();
    store.set_total(total);
    for piece in pieces {
        store.push(*piece);
    }
    store.finish();
    store
}

fn shuffled(sizes: Vec<usize>, bytes: Vec<u8>, keys: Vec<usize>) -> (Vec<u8>, Vec<usize>, Vec<usize>) {
    let count = chunks(&bytes, &sizes).len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|index| (keys[index % keys.len()].wrapping_mul(*index | 1), *index));
    (bytes, sizes, order)
}

fn any_order() -> impl Strategy<Value = (Vec<u8>, Vec<usize>, Vec<usize>)> {
    let sizes = prop::collection::vec(1_usize..40, 1..6);
    let keys = prop::collection::vec(any::<usize>(), 1..40);
    (sizes, hostile(), keys).prop_map(|(sizes, bytes, keys)| shuffled(sizes, bytes, keys))
}

proptest! {
    #[test]
    fn pieces_in_any_order_make_the_same_lines((bytes, sizes, order) in any_order()) {
        let pieces = chunks(&bytes, &sizes);
        let whole = arrived(&pieces, 0);
        let mixed: Vec<LogPiece<'_>> = order.iter().map(|&index| pieces[index]).collect();
        let mixed = arrived(&mixed, bytes.len() as u64);
        prop_assert_eq!(lines(&whole), lines(&mixed));
        prop_assert_eq!(mixed.unloaded(0..u64::MAX), 0);
        prop_assert_eq!(mixed.lines(), items(&mixed).len() as u64);
    }

    #[test]
    fn pieces_that_overlap_make_the_same_lines((bytes, sizes, order) in any_order()) {
        let pieces = chunks(&bytes, &sizes);
        let whole = store(&[&bytes]);
        let mut mixed = LogStore::default();
        for &index in &order {
            let start = usize::try_from(pieces[index].offset).unwrap();
            let begin = start.saturating_sub(5);
            let end = (start + pieces[index].bytes.len() + 9).min(bytes.len());
            mixed.push(piece(begin as u64, &bytes[begin..end]));
        }
        mixed.finish();
        prop_assert_eq!(texts(&whole), texts(&mixed));
    }

    #[test]
    fn chunks_make_no_difference_not_even_to_styles(bytes in hostile(), size in 1_usize..9) {
        let whole = store(&[&bytes]);
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        let parts = store(&chunks);
        prop_assert_eq!(items(&whole), items(&parts));
    }

    #[test]
    fn every_way_through_a_half_loaded_log_is_the_same((bytes, sizes, order) in any_order()) {
        let pieces = chunks(&bytes, &sizes);
        let some: Vec<LogPiece<'_>> = order.iter().take(order.len() / 2).map(|&index| pieces[index]).collect();
        let log = arrived(&some, bytes.len() as u64);
        let forward = items(&log);
        let mut backward: Vec<Item<'_>> =
            std::iter::successors(log.last(), |item| log.prev(item)).collect();
        backward.reverse();
        prop_assert_eq!(&forward, &backward);
        prop_assert!(forward.is_sorted_by(|a, b| a.end() <= b.offset()));
        for item in &forward {
            prop_assert_eq!(log.line_at_or_before(item.offset()), Some(*item));
            prop_assert_eq!(log.line_at_or_before(item.end() - 1), Some(*item));
        }
        let missing = bytes.len() as u64 - some.iter().map(|piece| piece.bytes.len() as u64).sum::<u64>();
        prop_assert_eq!(log.unloaded(0..u64::MAX), missing);
    }
}
