//! A TCP relay on loopback that a test can cut, stall and slow down: the network between a worker and its server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Bytes of a packet on an ordinary network.
const PACKET: usize = 1460;
/// How long TCP takes to notice and mend a lost packet, in milliseconds.
const MENDING: std::ops::Range<u64> = 200..1000;

/// What the way is like in fair weather.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Way {
    /// How long bytes take, in each direction.
    pub delay: Duration,
    /// The share of packets that is lost. TCP sends them again, so what is seen is that everything behind one of them
    /// comes later.
    pub loss: f64,
}

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// It carries everything.
    Fair,
    /// It carries nothing, and loses nothing: all of it arrives later.
    Stalled,
    /// Nothing comes back from the server; all of it arrives later.
    AnswersHeld,
    /// Nothing gets to the server on connections that were open when this began; all of it arrives later.
    RequestsHeld {
        /// The first connection that is not concerned.
        before: u64,
    },
    /// Connections break, and new ones too.
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Weather {
    fn holds(self, direction: Direction, connection: u64) -> bool {
        match self {
            Self::Fair | Self::Cut => false,
            Self::Stalled => true,
            Self::AnswersHeld => direction == Direction::ToClient,
            Self::RequestsHeld { before } => direction == Direction::ToServer && connection < before,
        }
    }
}

/// A relay to one port of this machine. Ends when it is dropped.
pub struct Relay {
    port: u16,
    to: Arc<AtomicU16>,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
    /// What was kept from the server by [`Relay::hold_requests`].
    held: Mutex<Vec<u8>>,
}

impl Relay {
    /// A relay to `to` on 127.0.0.1.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(to: u16) -> Self {
        Self::start_with(to, Way::default()).await
    }

    /// The same over a bad way.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start_with(to: u16, way: Way) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().map_or(0, |address| address.port());
        let weather = watch::Sender::new(Weather::Fair);
        let watched = weather.clone();
        let to = Arc::new(AtomicU16::new(to));
        let target = Arc::clone(&to);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let link = Link {
                    number: counted.connections.fetch_add(1, Ordering::AcqRel),
                    way,
                    weather: watched.subscribe(),
                    counts: Arc::clone(&counted),
                };
                tokio::spawn(link.carry(client, target.load(Ordering::Acquire)));
            }
        });
        Self {
            port,
            to,
            weather,
            counts,
            listening,
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Bytes that it carried so far, in both directions.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.counts.bytes.load(Ordering::Acquire)
    }

    /// Connections that it took so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Acquire)
    }

    /// Whether this is in what [`hold_requests`](Self::hold_requests) has kept from the server so far.
    ///
    /// # Panics
    /// Never: nobody panics while it is looked at.
    #[must_use]
    pub fn has_held(&self, text: &str) -> bool {
        let held = self.counts.held.lock().expect("nobody panics with the lock");
        held.windows(text.len()).any(|part| part == text.as_bytes())
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

    /// Carries nothing from the server until [`mend`](Self::mend); what was on its way arrives then.
    pub fn hold_answers(&self) {
        self.weather.send_replace(Weather::AnswersHeld);
    }

    /// Carries nothing to the server on the connections of now until [`mend`](Self::mend); what was on its way arrives
    /// then, also where the client has hung up since.
    pub fn hold_requests(&self) {
        let before = self.connections();
        self.weather.send_replace(Weather::RequestsHeld { before });
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

/// One connection through a relay.
#[derive(Clone)]
struct Link {
    number: u64,
    way: Way,
    weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
}

impl Link {
    async fn carry(mut self, client: TcpStream, to: u16) {
        if *self.weather.borrow_and_update() == Weather::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await else {
            return;
        };
        // Either fails only for a connection that is gone already.
        let _nodelay = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let there = self.clone().one_way(from_client, to_server, Direction::ToServer);
        let back = self.clone().one_way(from_server, to_client, Direction::ToClient);
        let both = async { tokio::join!(there, back) };
        tokio::select! {
            _ends = both => {}
            _cut = self.weather.wait_for(|weather| *weather == Weather::Cut) => {}
        }
    }

    /// Carries one direction. What is read is under way for a while, and more is read meanwhile.
    async fn one_way(
        self,
        mut from: OwnedReadHalf,
        to: OwnedWriteHalf,
        direction: Direction,
    ) -> io::Result<()> {
        let (send, under_way) = mpsc::channel(64);
        let reading = async {
            let mut dice =
                StdRng::seed_from_u64(self.number * 2 + u64::from(direction == Direction::ToClient));
            let mut buffer = vec![0; 16 * 1024];
            let mut due = Instant::now();
            loop {
                // A client that breaks off has ended; what it sent before is under way all the same.
                let count = from.read(&mut buffer).await.unwrap_or(0);
                let packets = i32::try_from(count.div_ceil(PACKET)).unwrap_or(i32::MAX);
                let is_lost = dice.random_bool(1.0 - (1.0 - self.way.loss).powi(packets));
                let mending = Duration::from_millis(if is_lost { dice.random_range(MENDING) } else { 0 });
                // Nothing overtakes what is late.
                due = due.max(Instant::now() + self.way.delay + mending);
                if send.send((due, buffer[..count].to_vec())).await.is_err() || count == 0 {
                    return Ok::<_, io::Error>(());
                }
            }
        };
        let writing = self.clone().arrive(under_way, to, direction);
        tokio::try_join!(reading, writing).map(drop)
    }

    async fn arrive(
        mut self,
        mut under_way: mpsc::Receiver<(Instant, Vec<u8>)>,
        mut to: OwnedWriteHalf,
        direction: Direction,
    ) -> io::Result<()> {
        while let Some((due, bytes)) = under_way.recv().await {
            if self.way.delay > Duration::ZERO {
                sleep_until(due).await;
            }
            let number = self.number;
            if direction == Direction::ToServer && self.weather.borrow().holds(direction, number) {
                let mut held = self.counts.held.lock().expect("nobody panics with the lock");
                held.extend(&bytes);
            }
            // Without a sender there is no relay any more.
            let fair = self
                .weather
                .wait_for(|weather| !weather.holds(direction, number))
                .await
                .is_ok();
            if !fair || bytes.is_empty() {
                break;
            }
            to.write_all(&bytes).await?;
            self.counts.bytes.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        }
        to.shutdown().await
    }
}
