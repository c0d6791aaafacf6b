//! A web server on loopback: files as an operator's web server gives them out, and gates that hold builds.
//!
//! A gate makes "in the middle of a build" a place instead of a moment: the build asks for `/gate/NAME` and gets its
//! answer when the test opens that gate.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{self, State};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_http::services::ServeDir;

use crate::wait::eventually;

/// The running server. Ends when dropped.
pub struct FileServer {
    port: u16,
    gates: Gates,
    task: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Gates(Arc<Mutex<HashMap<String, Gate>>>);

struct Gate {
    arrivals: usize,
    open: watch::Sender<bool>,
}

impl Gates {
    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(name.to_owned()).or_insert_with(|| Gate {
            arrivals: 0,
            open: watch::Sender::new(false),
        });
        work(gate)
    }
}

impl FileServer {
    /// Serves `repository` below `/repo` and `keyring` below `/keyring`.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(repository: &Path, keyring: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let gates = Gates::default();
        let router = Router::new()
            .route("/gate/{name}", get(wait_at_gate))
            .nest_service("/repo", ServeDir::new(repository))
            .nest_service("/keyring", ServeDir::new(keyring))
            .with_state(gates.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("axum serves until it is dropped");
        });
        Self { port, gates, task }
    }

    /// The server's address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Shell text for a PKGBUILD that waits at the gate `name`; the gate's name goes into no log.
    #[must_use]
    pub fn gate(&self, name: &str) -> String {
        format!(
            "exec 9<>/dev/tcp/127.0.0.1/{}; printf 'GET /gate/{name} HTTP/1.0\\r\\n\\r\\n' >&9; grep -q '^open' <&9",
            self.port
        )
    }

    /// Waits until `count` builds in all have come to the gate `name`.
    ///
    /// # Panics
    /// When they do not come within a minute.
    pub async fn arrived(&self, name: &str, count: usize) {
        let arrived = eventually(Duration::from_secs(60), || async {
            (self.gates.with(name, |gate| gate.arrivals) >= count).then_some(())
        });
        assert!(
            arrived.await.is_ok(),
            "{} builds have come to the gate {name}, not {count}",
            self.gates.with(name, |gate| gate.arrivals)
        );
    }

    /// How many builds have come to the gate `name`.
    #[must_use]
    pub fn arrivals(&self, name: &str) -> usize {
        self.gates.with(name, |gate| gate.arrivals)
    }

    /// Lets everyone through the gate `name`, now and later.
    pub fn open(&self, name: &str) {
        self.gates.with(name, |gate| gate.open.send_replace(true));
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn wait_at_gate(
    State(gates): State<Gates>,
    extract::Path(name): extract::Path<String>,
) -> &'static str {
    let mut open = gates.with(&name, |gate| {
        gate.arrivals += 1;
        gate.open.subscribe()
    });
    match open.wait_for(|open| *open).await {
        Ok(_) => "open\n",
        Err(_) => "gone\n",
    }
}
