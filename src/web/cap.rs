//! An alert in the standard forms: CAP 1.2 for one version of it, Atom for the list.
//!
//! Our profile of CAP (OASIS, *Common Alerting Protocol Version 1.2*, 1 July 2010): one `info` in
//! Vietnamese; category `Security`; `event` one of three names, by level; `expires`, `instruction` and the
//! commune's code are never left out. A correction is an `Update`, the end of a danger an `Update` with
//! `responseType` `AllClear`, a withdrawal a `Cancel`; each refers to every earlier version, and none uses
//! an identifier again. A drill has the status `Exercise`.
//!
//! Nothing here knows of drafts: [`published`] gives what may be told.

use std::io;

use chrono::SecondsFormat;
use chrono::TimeDelta;
use quick_xml::Writer;
use quick_xml::events::BytesDecl;
use quick_xml::events::BytesText;
use quick_xml::events::Event;

use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Level;
use crate::domain::alert::Version;
use crate::domain::alert::VersionKind;
use crate::domain::area::AreaBook;
use crate::domain::clock::Time;
use crate::domain::ids::CheckCode;
use crate::say;

const CAP: &str = "urn:oasis:names:tc:emergency:cap:1.2";
const ATOM: &str = "http://www.w3.org/2005/Atom";

/// The name of our scheme for communes: the codes of the National Statistics Office as in force since 1
/// July 2025. The codes were given out anew then, so the year is part of the name.
const COMMUNES: &str = "VN-GSO-COMMUNE-2025";

/// The name of our scheme for villages, which have no official codes: the deployment's own.
const VILLAGES: &str = "KENG-VILLAGE";

/// An end says its own end: people must have time to see that it is over.
const END_LASTS: TimeDelta = TimeDelta::hours(24);

/// Letters of a CAP headline; longer ones are cut by some receivers (the note on `headline` in CAP 1.2).
const HEADLINE: usize = 160;

/// Where an alert is from.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The unique name of this deployment, without blanks, commas, `<` and `&`: its host name.
    pub sender: &'a str,
    /// Under which address the forms of its alerts are found, ending in `/`.
    pub base: Option<&'a str>,
    /// What places are called.
    pub areas: &'a AreaBook,
}

/// One version of an alert that rooms may have seen.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// The version.
    pub version: &'a Version,
}

/// The versions of an alert that may be told: none of a draft, and of one that was taken back only that it
/// was, since its words may have hurt somebody.
pub fn published(alert: &Alert) -> impl Iterator<Item = Published<'_>> {
    let known = alert.state.is_published();
    let back = alert.state == AlertState::Withdrawn;
    alert
        .versions
        .iter()
        .filter(move |version| known && (!back || version.kind == VersionKind::Withdrawal))
        .map(move |version| Published { alert, version })
}

/// Reads the name of a version without an ending: `7F3A9K-2`, or `7F3A9K` for the latest.
#[must_use]
pub fn parse_name(name: &str) -> Option<(CheckCode, Option<u32>)> {
    let (code, version) = match name.split_once('-') {
        Some((code, version)) => (code, Some(version)),
        None => (name, None),
    };
    let read = CheckCode::parse(code)?;
    // Only as we write it: one form has one address.
    (read.as_str() == code).then_some(())?;
    let Some(version) = version else {
        return Some((read, None));
    };
    let number: u32 = version.parse().ok()?;
    (number.to_string() == version).then_some((read, Some(number)))
}

impl Published<'_> {
    /// `7F3A9K-2`: unique for ever, as CAP wants its identifiers.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.alert.code, self.version.number)
    }

    /// When it stops being of any use.
    #[must_use]
    pub fn expires(&self) -> Time {
        if self.version.kind.ends() {
            self.version.at + END_LASTS
        } else {
            self.alert.expires_at.max(self.version.at)
        }
    }

    fn title(&self) -> String {
        let head = match (self.version.kind, self.alert.level) {
            (VersionKind::AllClear, _) => "Hết cảnh báo",
            (VersionKind::Withdrawal, _) => "Thu hồi",
            (VersionKind::Correction, _) => "Đính chính",
            (VersionKind::First, Level::Info) => "Thông báo",
            (VersionKind::First, Level::Warning) => "Cảnh báo",
            (VersionKind::First, Level::Urgent) => "Khẩn",
        };
        let about = match self.version.kind {
            // What is taken back is not said again.
            VersionKind::Withdrawal => format!("cảnh báo mã {}", self.alert.code),
            VersionKind::AllClear => say::phrase::first_line(self.alert.words(), HEADLINE),
            VersionKind::First | VersionKind::Correction => {
                say::phrase::first_line(&self.version.words, HEADLINE)
            }
        };
        let drill = if self.alert.drill {
            "DIỄN TẬP. "
        } else {
            ""
        };
        say::phrase::clip(&format!("{drill}{head}: {about}"), HEADLINE - 1)
    }

    /// The words; an end without any of its own says what it is.
    fn description(&self) -> String {
        let drill = if self.alert.drill {
            "DIỄN TẬP.\n"
        } else {
            ""
        };
        let words = self.version.words.trim();
        let said = match self.version.kind {
            VersionKind::AllClear => format!("Sự việc đã qua. {words}"),
            VersionKind::Withdrawal => {
                let code = &self.alert.code;
                format!(
                    "Cảnh báo mã {code} không còn đúng, xin bà con bỏ qua và đừng chuyển tiếp. {words}"
                )
            }
            VersionKind::First | VersionKind::Correction => words.to_owned(),
        };
        format!("{drill}{}", said.trim())
    }

    fn instruction(&self) -> String {
        let code = &self.alert.code;
        let check = format!("Kiểm tra tin này: nhắn cho bot /kiemtra {code}. Việc gấp gọi 113.");
        let (.., own) = say::card::parts(&self.version.words);
        format!("{own}\n{check}").trim().to_owned()
    }

    /// The version as a CAP 1.2 message.
    ///
    /// # Errors
    /// Never in practice: it is written into memory.
    pub fn cap(&self, source: &Source<'_>) -> io::Result<Vec<u8>> {
        let mut xml = Xml::new()?;
        xml.element("alert", &[("xmlns", CAP)], |xml| {
            self.envelope(xml, source)?;
            xml.element("info", &[], |xml| self.info(xml, source))
        })?;
        Ok(xml.finish())
    }

    fn envelope(&self, xml: &mut Xml, source: &Source<'_>) -> io::Result<()> {
        let kind = match self.version.kind {
            VersionKind::First => "Alert",
            VersionKind::Correction | VersionKind::AllClear => "Update",
            VersionKind::Withdrawal => "Cancel",
        };
        xml.text("identifier", &self.name())?;
        xml.text("sender", source.sender)?;
        xml.text("sent", &moment(self.version.at))?;
        xml.text(
            "status",
            if self.alert.drill {
                "Exercise"
            } else {
                "Actual"
            },
        )?;
        xml.text("msgType", kind)?;
        xml.text("scope", "Public")?;
        xml.text("code", "keng:1")?;
        if self.alert.drill {
            // CAP: the note says what an exercise is for.
            xml.text("note", "DIỄN TẬP: không phải sự việc thật.")?;
        }
        let earlier: Vec<String> = self
            .alert
            .versions
            .iter()
            .take_while(|version| version.number < self.version.number)
            .map(|version| {
                let (sender, at) = (source.sender, moment(version.at));
                format!("{sender},{}-{},{at}", self.alert.code, version.number)
            })
            .collect();
        if !earlier.is_empty() {
            xml.text("references", &earlier.join(" "))?;
        }
        Ok(())
    }

    fn info(&self, xml: &mut Xml, source: &Source<'_>) -> io::Result<()> {
        let alert = self.alert;
        let over = self.version.kind.ends();
        let (event, urgency, severity, certainty) = match alert.level {
            Level::Info => ("Thông báo an ninh trật tự", "Future", "Minor", "Likely"),
            Level::Warning => ("Cảnh báo an ninh trật tự", "Expected", "Moderate", "Likely"),
            Level::Urgent => ("Cảnh báo khẩn", "Immediate", "Severe", "Observed"),
        };
        xml.text("language", "vi-VN")?;
        xml.text("category", "Security")?;
        xml.text("event", event)?;
        xml.text("responseType", if over { "AllClear" } else { "Monitor" })?;
        xml.text("urgency", if over { "Past" } else { urgency })?;
        xml.text("severity", severity)?;
        xml.text("certainty", certainty)?;
        xml.text("effective", &moment(self.version.at))?;
        xml.text("expires", &moment(self.expires()))?;
        let issuer = say::alert::issuer(alert, &source.areas.title(&alert.area));
        xml.text("senderName", &issuer)?;
        xml.text("headline", &self.title())?;
        xml.text("description", &self.description())?;
        xml.text("instruction", &self.instruction())?;
        xml.text("contact", "113")?;
        xml.element("parameter", &[], |xml| {
            xml.text("valueName", "KENG-CHECK-CODE")?;
            xml.text("value", alert.code.as_str())
        })?;
        if let Some(base) = source.base {
            xml.element("resource", &[], |xml| {
                xml.text("resourceDesc", "card")?;
                xml.text("mimeType", "image/png")?;
                xml.text("uri", &format!("{base}{}.png", self.name()))
            })?;
        }
        for area in &alert.target.areas {
            xml.element("area", &[], |xml| {
                let title = source.areas.title(area);
                let commune = area.commune();
                if area.village().is_some() {
                    let place = format!("{title}, {}", source.areas.title(&commune));
                    xml.text("areaDesc", &place)?;
                } else {
                    xml.text("areaDesc", &title)?;
                }
                let mut code = |name: &str, value: &str| {
                    xml.element("geocode", &[], |xml| {
                        xml.text("valueName", name)?;
                        xml.text("value", value)
                    })
                };
                code(COMMUNES, commune.as_str())?;
                if area.village().is_some() {
                    code(VILLAGES, area.as_str())?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The list of these versions, newest first, as an Atom feed.
///
/// # Errors
/// Never in practice: it is written into memory.
pub fn feed(versions: &[Published<'_>], source: &Source<'_>, now: Time) -> io::Result<Vec<u8>> {
    let mut versions = versions.to_vec();
    versions.sort_by_key(|one| (one.version.at, one.alert.id, one.version.number));
    versions.reverse();
    let updated = versions.first().map_or(now, |one| one.version.at);
    let base = source.base.unwrap_or_default();
    // RFC 4151: a name of ours for ever, wherever the address moves.
    let id = |what: &str| format!("tag:{},2026:{what}", source.sender);
    let mut xml = Xml::new()?;
    xml.element("feed", &[("xmlns", ATOM), ("xml:lang", "vi")], |xml| {
        xml.text("id", &id("alerts"))?;
        xml.text("title", "Cảnh báo an ninh trật tự")?;
        xml.text("updated", &moment(updated))?;
        xml.element("author", &[], |xml| xml.text("name", source.sender))?;
        let own = base.trim_end_matches('/');
        if !own.is_empty() {
            xml.empty(
                "link",
                &[
                    ("rel", "self"),
                    ("type", "application/atom+xml"),
                    ("href", own),
                ],
            )?;
        }
        for one in &versions {
            xml.element("entry", &[], |xml| {
                let name = one.name();
                let at = moment(one.version.at);
                xml.text("id", &id(&format!("alert/{name}")))?;
                xml.text("title", &one.title())?;
                xml.text("updated", &at)?;
                xml.text("published", &at)?;
                let href = format!("{base}{name}.xml");
                xml.empty(
                    "link",
                    &[
                        ("rel", "alternate"),
                        ("type", "application/cap+xml"),
                        ("href", &href),
                    ],
                )?;
                xml.empty("category", &[("term", one.alert.level.as_str())])?;
                xml.text("summary", &one.description())
            })?;
        }
        Ok(())
    })?;
    Ok(xml.finish())
}

/// As CAP wants it: with the offset, never `Z`, in whole seconds.
fn moment(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// What XML 1.0 can hold: an officer's telephone may send anything.
fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// A document that is being written.
struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn new() -> io::Result<Self> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self(writer))
    }

    fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let text: String = text.chars().filter(|&letter| is_xml(letter)).collect();
        self.0
            .create_element(name)
            .write_text_content(BytesText::new(&text))?;
        Ok(())
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.0
            .create_element(name)
            .with_attributes(attributes.iter().copied())
            .write_empty()?;
        Ok(())
    }

    fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inner: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start =
            quick_xml::events::BytesStart::new(name).with_attributes(attributes.iter().copied());
        let end = start.to_end().into_owned();
        self.0.write_event(Event::Start(start.borrow()))?;
        inner(self)?;
        self.0.write_event(Event::End(end))
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner()
    }
}
