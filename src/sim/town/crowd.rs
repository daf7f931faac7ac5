//! Many people who write, from a seed.

use super::log::{Kind, Shared};
use super::scenario::{Crowd, Place, Sort};
use super::{BOT, Town};
use crate::sim::folk::Folk;

/// One message of a crowd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds of the town's clock after the beginning.
    pub at_ms: u64,
    /// Where.
    pub room: Shared,
    /// Who.
    pub person: Shared,
    /// What.
    pub text: String,
    /// What must become of it.
    pub sort: Sort,
}

impl Town {
    /// What a crowd writes, in order: the same for the same town and seed.
    #[must_use]
    pub fn crowd(&self, crowd: &Crowd) -> Vec<Line> {
        let mut folk = Folk::new(crowd.seed.wrapping_add(0x0063_726f_7764));
        let log = self.log();
        let rooms: Vec<_> = log
            .chats
            .iter()
            .map(|chat| &chat.room)
            .filter(|room| room.kind != Kind::Private)
            .filter(|room| match crowd.place {
                Place::Platform(at) => room.platform == at,
                _ => true,
            })
            .collect();
        let mut homes: std::collections::HashMap<&str, Vec<&Shared>> = Default::default();
        for person in &log.people {
            for room in &person.rooms {
                homes.entry(room).or_default().push(&person.id);
            }
        }
        let mut lines = Vec::with_capacity(crowd.messages);
        for number in 0..crowd.messages {
            let Some(room) = rooms.get(folk.below(rooms.len())) else {
                break;
            };
            let people = homes.get(&*room.id).map_or(&[][..], Vec::as_slice);
            let Some(person) = people.get(folk.below(people.len())) else {
                continue;
            };
            let is_report = folk.chance(crowd.tagged);
            let (text, sort) = if is_report {
                (format!("{BOT} {}", folk.report().text), Sort::Report)
            } else {
                (folk.chatter().to_owned(), Sort::Chatter)
            };
            let share = number as u64 * u64::from(crowd.seconds) * 1_000;
            lines.push(Line {
                at_ms: share / (crowd.messages as u64).max(1),
                room: room.id.clone(),
                person: (*person).clone(),
                text,
                sort,
            });
        }
        lines
    }
}
