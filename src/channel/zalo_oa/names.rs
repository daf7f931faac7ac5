//! What people are called: events do not say it, so it is asked for and remembered for a day.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use crate::channel::groups::Member;

/// How long a name is believed.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// More are not remembered: then all are forgotten and asked for again.
const MOST: usize = 20_000;

/// Names by user id; in memory only.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<String, (String, Instant)>>);

impl Names {
    pub(super) fn of(&self, person: &str) -> Option<String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, learned) = names.get(person)?;
        (learned.elapsed() < FRESH).then(|| name.clone())
    }

    pub(super) fn learn<'m>(&self, members: impl Iterator<Item = &'m Member>) {
        let now = Instant::now();
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for member in members.filter(|member| !member.name.is_empty()) {
            if names.len() >= MOST {
                names.clear();
            }
            names.insert(member.id.clone(), (member.name.clone(), now));
        }
    }
}
