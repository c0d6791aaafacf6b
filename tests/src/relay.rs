//! A TCP relay on loopback that a test can cut and stall: the network between a worker and its server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// It carries everything.
    Fair,
    /// It carries nothing, and loses nothing: all of it arrives later.
    Stalled,
    /// Connections break, and new ones too.
    Cut,
}

/// A relay to one port of this machine. Ends when it is dropped.
pub struct Relay {
    port: u16,
    to: Arc<AtomicU16>,
    weather: watch::Sender<Weather>,
    listening: JoinHandle<()>,
}

impl Relay {
    /// A relay to `to` on 127.0.0.1.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().map_or(0, |address| address.port());
        let weather = watch::Sender::new(Weather::Fair);
        let watched = weather.clone();
        let to = Arc::new(AtomicU16::new(to));
        let target = Arc::clone(&to);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.load(Ordering::Acquire), watched.subscribe()));
            }
        });
        Self {
            port,
            to,
            weather,
            listening,
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes new connections to another port; open ones stay where they are.
    pub fn turn_to(&self, port: u16) {
        self.to.store(port, Ordering::Release);
    }

    /// Breaks all connections, and new ones, until [`mend`](Self::mend).
    pub fn cut(&self) {
        self.weather.send_replace(Weather::Cut);
    }

    /// Carries nothing until [`mend`](Self::mend); what was on its way arrives then.
    pub fn stall(&self) {
        self.weather.send_replace(Weather::Stalled);
    }

    /// Carries everything.
    pub fn mend(&self) {
        self.weather.send_replace(Weather::Fair);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
        self.listening.abort();
    }
}

async fn carry(client: TcpStream, to: u16, mut weather: watch::Receiver<Weather>) {
    if *weather.borrow_and_update() == Weather::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await else {
        return;
    };
    // Either fails only for a connection that is gone already.
    let _nodelay = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = async {
        tokio::join!(
            one_way(from_client, to_server, weather.clone()),
            one_way(from_server, to_client, weather.clone()),
        )
    };
    let mut cut = weather.clone();
    tokio::select! {
        _ends = both => {}
        _cut = cut.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        // Without a sender there is no relay any more.
        let fair = weather
            .wait_for(|weather| *weather != Weather::Stalled)
            .await
            .is_ok();
        if !fair || count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}
