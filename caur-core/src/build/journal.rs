//! The builder's own lines in a build's log.

use std::time::Duration;

use tokio::sync::mpsc;

/// How long one line may wait for a log that takes nothing; a stuck log must not hold up the build's end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes lines that start with `==> [caur] ` between the container's output.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    sender: mpsc::Sender<Vec<u8>>,
}

impl Journal {
    pub(super) fn new(sender: mpsc::Sender<Vec<u8>>) -> Self {
        Self { sender }
    }

    /// Where the container's output goes.
    pub(super) fn sender(&self) -> mpsc::Sender<Vec<u8>> {
        self.sender.clone()
    }

    /// Writes `text`, each of its lines marked. A log that nobody reads any more is no failure of the build.
    pub(super) async fn line(&self, text: &str) {
        let lines: Vec<String> = text.lines().map(|line| format!("==> [caur] {line}\n")).collect();
        let bytes = lines.concat();
        match tokio::time::timeout(PATIENCE, self.sender.send(bytes.into_bytes())).await {
            Ok(Ok(()) | Err(_)) => {}
            Err(_) => tracing::warn!(line = text, "the build log takes no more lines"),
        }
    }
}
