//! What everybody in the town can see, printed as it happens.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::sim::town::Event;
use crate::sim::town::From;
use crate::sim::town::Town;
use crate::sim::town::What;

/// Prints until it is ended.
pub(super) struct Transcript {
    stop: oneshot::Sender<u64>,
    printing: JoinHandle<()>,
    town: Town,
}

impl Transcript {
    /// From now on.
    pub(super) fn of(town: &Town) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let watched = town.clone();
        let printing = tokio::spawn(async move {
            let mut page = Page::default();
            let (mut after, mut until) = (watched.seq(), u64::MAX);
            while after < until {
                let events = tokio::select! {
                    events = watched.events(after) => events,
                    end = &mut stopped, if until == u64::MAX => {
                        until = end.unwrap_or(0);
                        continue;
                    }
                };
                for event in events {
                    after = event.seq;
                    page.print(&watched, &event);
                }
            }
        });
        Self {
            stop,
            printing,
            town: town.clone(),
        }
    }

    /// Prints what happened so far, and ends.
    pub(super) async fn end(self) {
        // Whoever prints may have panicked; then there is nobody to be told.
        let _ = self.stop.send(self.town.seq());
        let _ = self.printing.await;
    }
}

/// What was printed so far.
#[derive(Default)]
struct Page {
    room: String,
    /// Long words of the bot, which the next rooms hear, too.
    heard: BTreeSet<String>,
}

impl Page {
    /// One message; the room is named when it is another one than before.
    fn print(&mut self, town: &Town, event: &Event) {
        let verb = match event.what {
            What::Wrote => "",
            What::Edited => " (sửa)",
            What::Removed => " (xoá)",
            What::Pinned | What::Unpinned => return,
        };
        let message = &event.message;
        let (indent, who) = match &message.from {
            From::Bot => ("      ", "🔔 Kẻng"),
            From::Person { name, .. } => ("  ", name.as_str()),
        };
        let mut text = message.text.replace('\n', &format!("\n{indent}  "));
        if message.is_bots()
            && let Some((first, _)) = message.text.split_once('\n')
            && !self.heard.insert(numberless(&message.text))
        {
            text = format!("{first} … (như trên)");
        }
        if self.room != *event.room {
            let title = town.room(&event.room).map(|room| room.title);
            let title = title.unwrap_or_default();
            outln!("\n── {} · {title} ──", event.platform.title());
            self.room = event.room.to_string();
        }
        let picture = if message.picture { "[ảnh] " } else { "" };
        outln!("{indent}{who}{verb}: {picture}{text}");
    }
}

/// Words that differ only in somebody's number are the same words to whoever reads along.
fn numberless(text: &str) -> String {
    text.chars().filter(|one| !one.is_ascii_digit()).collect()
}
