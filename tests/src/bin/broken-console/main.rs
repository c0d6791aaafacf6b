//! The console with a backend that has a bug: it reports that it is online, and panics when it is asked to reconnect.
//! Started by `tests/tests/console.rs`, which looks at what is left of the terminal.

use caur_tui::app::Setup;
use caur_tui::backend::{Backend, Reports, Wishes};
use caur_tui::console;
use caur_tui::keymap::Keymap;
use caur_tui::msg::{BackendMsg, LinkState};
use caur_tui::runtime;
use caur_tui::theme::Theme;
use color_eyre::eyre::Result;

struct Broken;

impl Backend for Broken {
    async fn run(self, mut wishes: Wishes, reports: Reports) {
        let lost = LinkState::Failed {
            reason: "ready to break".to_owned(),
        };
        if reports.send(BackendMsg::Link(lost)).await.is_err() {
            return;
        }
        let asked = wishes.requests.recv().await;
        panic!("a bug in the backend met {asked:?}");
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    color_eyre::install()?;
    let setup = Setup {
        theme: Theme::Dark,
        read_only: false,
        title: "broken".to_owned(),
        now: runtime::now(),
        keymap: Keymap::default(),
        session: "broken".to_owned(),
        mouse: true,
        utc_offset: 0,
        filters: Vec::new(),
    };
    console::show(Broken, setup).await.map(drop)
}
