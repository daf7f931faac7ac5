//! The words of an alert before they are a draft: which template fills them, and what its author should
//! look at before everybody does.

use super::Asked;
use super::Desk;
use super::templates::Template;
use super::templates::Wish;
use super::words;
use crate::domain::account::Platform;
use crate::domain::alert::Level;
use crate::domain::person::Staff;
use crate::domain::room::Room;
use crate::say;
use crate::say::draft::Cautions;
use crate::store::Act;
use crate::store::StoreError;
use crate::text::reveal::revealed;

/// What an officer asked to be sent.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) level: Level,
    pub(super) text: String,
    /// How the blanks of the template are filled, where one was taken as it is.
    blanks: Option<String>,
}

impl Desk {
    /// The level and words behind `/canhbao`; else the answer to somebody who looks for a template.
    pub(super) fn wanted(&self, rest: &str) -> Result<Wanted, String> {
        let (named, text) = words::level(rest);
        let templates = &self.wording.templates;
        let list = || {
            let names = templates
                .all()
                .iter()
                .map(|template| template.name.as_str());
            say::draft::templates(names)
        };
        let (template, values) = match templates.wish(text) {
            None => {
                return Ok(Wanted {
                    level: named,
                    text: text.to_owned(),
                    blanks: None,
                });
            }
            Some(Wish::List) => return Err(list()),
            Some(Wish::Unknown) => return Err(say::draft::no_such_template(&list())),
            Some(Wish::Fill(template, values)) => (template, values),
        };
        let number = self.number(template);
        let defaults: Vec<&str> = template
            .blanks
            .iter()
            .map(|blank| blank.default.as_str())
            .collect();
        if values.len() > defaults.len() {
            return Err(say::draft::too_many_blanks(number, &defaults, values.len()));
        }
        // A level in front of the template is the officer's own; the same text without it is the whole.
        let names_level = text.len() != rest.trim().len();
        Ok(Wanted {
            level: if names_level { named } else { template.level },
            text: template.filled(&values),
            blanks: (values.is_empty() && !defaults.is_empty())
                .then(|| say::draft::how_to_fill(number, &defaults)),
        })
    }

    /// `/loa CODE`: an alert as the loudspeakers say it. The words of a draft are told in private only.
    pub(super) async fn loudspeaker(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let found = match words::check_code(rest) {
            Some(code) => self.store.alert_by_code(&code).await?,
            None => None,
        };
        let alert = found.filter(|alert| {
            officer.area.contains(&alert.area) && (alert.state.is_published() || asked.is_private())
        });
        let text = alert.map_or_else(say::loudspeaker::which, |alert| {
            let title = self.areas.title(&alert.area);
            let version = alert.versions.latest();
            let sheet = say::loudspeaker::sheet(&say::loudspeaker::spoken(&alert, version, &title));
            if version.recording.is_none() {
                return sheet;
            }
            // The web knows nothing of drafts.
            let base = { self.forms.as_deref() }.filter(|_| alert.state.is_published());
            let address = base.map(|base| format!("{base}{}-{}.audio", alert.code, version.number));
            let recording = say::loudspeaker::recording(&version.author, address.as_deref());
            format!("{sheet}\n\n{recording}")
        });
        Ok(self.reply(asked, text))
    }

    fn number(&self, template: &Template) -> usize {
        let all = self.wording.templates.all();
        let before = all.iter().take_while(|other| *other != template);
        1 + before.count()
    }

    /// What its author should know of a draft besides where it goes: how to fill the template, what becomes of
    /// the recording that came with it, what could tell who somebody is, how many messages it takes.
    pub(super) fn notes(
        &self,
        wanted: &Wanted,
        rooms: &[Room],
        shown: &str,
        asked: &Asked<'_>,
    ) -> Vec<String> {
        let found = revealed(&wanted.text, &self.wording.lexicon);
        let mut split: Vec<(&str, usize)> = Vec::new();
        let units = shown.encode_utf16().count();
        for room in rooms {
            let Some(carrier) = self.wording.carriers.carrier(&room.id) else {
                continue;
            };
            let parts = units.div_ceil(carrier.max_text.max(1));
            let name = platform(carrier.platform);
            if parts > 1 && !split.iter().any(|(known, _)| *known == name) {
                split.push((name, parts));
            }
        }
        let cautions = say::draft::cautions(&Cautions {
            phones: &found.phones,
            plates: &found.plates,
            names: &found.names,
            accounts: &found.accounts,
            handles: &found.handles,
            links: &found.links,
            split: &split,
            picture: asked.photo.is_some(),
        });
        let recording = asked.recording.as_ref().map(|_| say::draft::recording());
        let notes = wanted.blanks.clone().into_iter();
        notes.chain(recording).chain(cautions).collect()
    }
}

fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Telegram => "Telegram",
        Platform::ZaloBot => "Zalo Bot",
        Platform::ZaloOa => "Zalo OA",
        Platform::Facebook => "Facebook",
    }
}
