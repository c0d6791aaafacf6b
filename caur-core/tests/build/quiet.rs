//! Tests that measure time run alone: the others would be in their way on a small machine.

use std::sync::LazyLock;

use tokio::sync::watch;

/// How many ordinary tests run, or [`ALONE`].
static RUNNING: LazyLock<watch::Sender<i32>> = LazyLock::new(|| watch::Sender::new(0));
const ALONE: i32 = -1;

/// A test's place; the others hear when it is dropped.
pub struct Place {
    alone: bool,
}

/// Waits for a place beside others, or for one alone. Nobody queues: a test may take several places.
pub async fn place(alone: bool) -> Place {
    let free = |running: &i32| if alone { *running == 0 } else { *running != ALONE };
    let mut changes = RUNNING.subscribe();
    loop {
        changes.wait_for(free).await.unwrap();
        let taken = RUNNING.send_if_modified(|running| {
            let may = free(running);
            if may {
                *running = if alone { ALONE } else { *running + 1 };
            }
            may
        });
        if taken {
            return Place { alone };
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        RUNNING.send_modify(|running| *running = if self.alone { 0 } else { *running - 1 });
    }
}
