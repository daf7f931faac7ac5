//! What was written while nobody listened: read from the groups' own history.
//!
//! Zalo calls a webhook again for almost two hours and then gives up. So at the start, and every few
//! minutes after, the history of each group is read back to the moment up to which everything is known
//! to be taken in. That moment is on a page of the [`Notebook`](crate::channel::Notebook), and moves only
//! when a whole pass is durable. What a webhook brought as well is known by its message id.
//!
//! The list of groups comes first: a group that was made while we were away is told as joined.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::time::Instant;
use tracing::debug;
use tracing::info;

use super::Shared;
use super::manage::unreadable;
use crate::channel::PollError;
use crate::channel::Source;
use crate::channel::fields::Object;
use crate::channel::groups::GroupError;
use crate::channel::groups::Member;
use crate::domain::clock::Time;
use crate::domain::clock::from_unix_ms;
use crate::domain::ids::RoomId;
use crate::domain::message::Inbound;
use crate::domain::message::Sender;
use crate::domain::room::RoomKind;

/// The page that says up to when everything is taken in, in Unix milliseconds.
const PAGE: &str = "zalo_oa.taken_until_ms";

/// Read once more at each pass: clocks differ, and a message may enter the history late.
const OVERLAP: TimeDelta = TimeDelta::minutes(3);

/// Pages of one group's history in one pass; twenty thousand messages.
const PAGES: usize = 2_000;

/// History older than this is not read, whatever was missed: nobody waits for a receipt that long.
const OLDEST: TimeDelta = TimeDelta::days(7);

/// After a fault that concerns the account as a whole. Webhooks still come in meanwhile.
const REST: Duration = Duration::from_secs(60);

/// The history of an account's groups.
#[derive(Debug)]
pub struct Past {
    shared: Arc<Shared>,
    /// Between the starts of two passes.
    every: Duration,
    /// When the next pass begins; at once without one.
    due: Option<Instant>,
    pass: Option<Pass>,
}

/// One going round of all groups.
#[derive(Debug)]
struct Pass {
    /// Back to here.
    since: Time,
    /// What everything is taken in up to, when the pass is done.
    until: Time,
    /// Groups still to be read.
    left: VecDeque<String>,
    /// Messages handed out.
    found: usize,
    /// Readings in a row that failed.
    failures: usize,
}

impl Past {
    pub(super) fn new(shared: Arc<Shared>, every: Duration) -> Self {
        Self {
            shared,
            every,
            due: None,
            pass: None,
        }
    }

    async fn begin(&mut self) -> Result<Vec<Inbound>, PollError> {
        let now = self.shared.clock.now();
        let noted = self.shared.notebook.read(PAGE).await;
        let noted =
            noted.map_err(|why| not_now(format!("reading up to when all is taken in: {why}")))?;
        let since = noted
            .and_then(|ms| ms.trim().parse().ok())
            .map(from_unix_ms);
        let since = match since {
            Some(since) => since,
            // What was written before there was a Kẻng was not written to it.
            None => {
                self.note(now).await?;
                now
            }
        };
        let groups = self.shared.all_groups().await.map_err(no_news)?;
        let groups: Vec<_> = groups.into_iter().filter(|group| group.enabled).collect();
        self.pass = Some(Pass {
            since: (since - OVERLAP).max(now - OLDEST),
            until: now,
            left: groups.iter().map(|group| group.id.clone()).collect(),
            found: 0,
            failures: 0,
        });
        let joined = groups.into_iter().map(|group| Inbound::Joined {
            room: RoomId::new(self.shared.account.name.clone(), group.id),
            kind: RoomKind::Group,
            title: group.name,
            sees_all: true,
            at: now,
        });
        Ok(joined.collect())
    }

    /// News of one group, oldest first.
    async fn read(&self, group: &str, since: Time) -> Result<Vec<Inbound>, GroupError> {
        let mut news: Vec<(Time, Inbound)> = Vec::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            let page = self
                .shared
                .page("conversation", Some(group), offset)
                .await?;
            let page = format!("{{\"all\":{page}}}");
            let page = Object::read(&page).ok_or_else(unreadable)?;
            let lines = page.objects("all").unwrap_or_default();
            if lines.is_empty() {
                break;
            }
            // What is written meanwhile moves the rest on: a line may come twice, none is passed over.
            offset += lines.len();
            let mut older = false;
            for line in &lines {
                let Some(line) = self.shared.reading(|reader| reader.line(line)) else {
                    continue;
                };
                if line.at < since {
                    older = true;
                    continue;
                }
                if let Some(told) = line.told {
                    news.push((line.at, told));
                }
            }
            if older {
                break;
            }
        }
        news.sort_by_key(|(at, _)| *at);
        Ok(news.into_iter().map(|(_, told)| told).collect())
    }

    async fn note(&self, until: Time) -> Result<(), PollError> {
        let words = until.timestamp_millis().to_string();
        let noted = self.shared.notebook.write(PAGE, &words).await;
        noted.map_err(|why| not_now(format!("noting up to when all is taken in: {why}")))
    }

    /// A group could not be read: the others are not to wait for it. When none can be, the whole pass
    /// begins again soon, back to the same moment.
    fn failed(&mut self) {
        let Some(pass) = &mut self.pass else { return };
        if !pass.left.is_empty() {
            pass.left.rotate_left(1);
        }
        pass.failures += 1;
        if pass.failures > pass.left.len() + 2 {
            self.pass = None;
            self.due = Some(Instant::now() + REST);
        }
    }

    /// Everything handed out so far is durable: the caller asks for more.
    async fn end(&mut self) -> Result<(), PollError> {
        let Some(pass) = self.pass.take_if(|pass| pass.left.is_empty()) else {
            return Ok(());
        };
        if let Err(error) = self.note(pass.until).await {
            self.pass = Some(pass);
            return Err(error);
        }
        self.shared
            .passes
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        debug!(account = %self.shared.account.name, messages = pass.found, "the groups' history is read");
        Ok(())
    }
}

#[async_trait]
impl Source for Past {
    async fn next(&mut self) -> Result<Vec<Inbound>, PollError> {
        loop {
            self.end().await?;
            let Some(pass) = &self.pass else {
                if let Some(due) = self.due {
                    tokio::time::sleep_until(due).await;
                }
                let joined = self.begin().await?;
                self.due = Some(Instant::now() + self.every);
                self.shared.api.tokens.watch().await;
                return Ok(joined);
            };
            let (since, Some(group)) = (pass.since, pass.left.front().cloned()) else {
                continue;
            };
            let news = match self.read(&group, since).await {
                Ok(news) => news,
                Err(GroupError::Refused(why)) => {
                    // It was closed between the list and now.
                    info!(account = %self.shared.account.name, group, why, "a group's history cannot be read");
                    Vec::new()
                }
                Err(error) => {
                    self.failed();
                    return Err(no_news(error));
                }
            };
            self.shared.remember(&news);
            if let Some(pass) = &mut self.pass {
                pass.left.pop_front();
                pass.found += news.len();
                pass.failures = 0;
            }
            if !news.is_empty() {
                return Ok(news);
            }
        }
    }

    async fn confirm(&mut self) -> Result<(), PollError> {
        self.end().await
    }
}

impl Shared {
    /// Learns what lines of history tell beside themselves: names, and which messages are ours.
    fn remember(&self, news: &[Inbound]) {
        let people = news.iter().filter_map(|one| match one {
            Inbound::Said(message) => match &message.sender {
                Sender::Person { native, name } => Some(Member {
                    id: native.clone(),
                    name: name.clone(),
                    is_us: false,
                }),
                Sender::Anonymous | Sender::Bot => None,
            },
            _ => None,
        });
        let people: Vec<Member> = people.collect();
        self.names.learn(people.iter());
        self.note_ours(news);
    }
}

fn not_now(why: String) -> PollError {
    PollError::NotNow { why, wait: None }
}

/// Webhooks still bring news: nothing here stops the account by itself.
fn no_news(error: GroupError) -> PollError {
    match error {
        GroupError::NotNow(why) => not_now(why),
        GroupError::NeedsPerson(why) | GroupError::Refused(why) => PollError::NotNow {
            why,
            wait: Some(REST),
        },
    }
}
