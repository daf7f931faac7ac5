//! The demo's page: the town in a browser, with the bot's side beside it, and what a visitor orders.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::bot::Bot;
use super::onlooker::Onlooker;
use crate::sim::page;
use crate::sim::page::Order;
use crate::sim::town::Town;
use crate::sim::town::scenario::Scenario;

/// Orders that may wait; nobody clicks faster than they are carried out.
const ORDERS: usize = 4;

/// How far a scenario has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    /// Its end is held against what must be true.
    Checking,
    /// All of it was.
    Holds,
    /// Something was not.
    Differs,
}

impl Progress {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Checking => "checking",
            Self::Holds => "holds",
            Self::Differs => "differs",
        }
    }
}

/// One town on the page.
pub(super) struct Stage {
    play: watch::Sender<Arc<str>>,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    looking: JoinHandle<()>,
}

impl Stage {
    /// Shows a town and its bot; with what visitors order.
    ///
    /// # Errors
    /// When the bot's config cannot be read.
    pub(super) fn open(
        listener: TcpListener,
        town: &Town,
        bot: &Bot,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Order>)> {
        let config = crate::config::load_without_secrets(&bot.config())?;
        let (tell, seen) = watch::channel("".into());
        let (play, playing) = watch::channel("null".into());
        let (ordering, orders) = mpsc::channel(ORDERS);
        let (end, ended) = oneshot::channel::<()>();
        let plays = Scenario::all()?.into_iter().map(|scenario| page::Play {
            name: scenario.name,
            title: scenario.title,
        });
        let side = page::Side {
            seen,
            play: playing,
            orders: ordering,
            plays: plays.collect(),
        };
        let onlooker = Onlooker::new(town.clone(), config)?;
        let looking = tokio::spawn(async move { onlooker.run(&tell).await });
        let served = page::serve(listener, town.clone(), Some(side), async {
            // Dropped or sent, the town is at its end.
            let _ = ended.await;
        });
        let serving = tokio::spawn(async move {
            if let Err(error) = served.await {
                warn!(%error, "the page cannot be served any more");
            }
        });
        let stage = Self {
            play,
            end,
            serving,
            looking,
        };
        Ok((stage, orders))
    }

    /// Tells how far the scenario has come, and what was not as it must be.
    pub(super) fn tell(&self, scenario: &Scenario, progress: Progress, failures: &[String]) {
        let told: Value = json!({
            "name": scenario.name,
            "title": scenario.title,
            "about": scenario.about,
            "state": progress.as_str(),
            "failures": failures,
        });
        self.play.send_replace(told.to_string().into());
    }

    /// Lets every browser go. They come back to whoever listens at the address next.
    pub(super) async fn close(self) {
        self.looking.abort();
        // Nobody waits for it when the listener has failed.
        let _ = self.end.send(());
        let _ = self.serving.await;
    }
}
