//! What goes wrong on purpose: slow links, lost answers, refusals.
//!
//! Everything is decided by seeded dice, so a run can be repeated.

use std::time::Duration;

use super::world::Dice;
use crate::sim::weather::Bad;

/// One thing that can go wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `retry_after` seconds; nothing is done.
    TooMany {
        /// Seconds the bot is asked to wait.
        retry_after: u64,
    },
    /// This error; nothing is done.
    Refuse {
        /// The HTTP status and `error_code`.
        code: u16,
        /// The whole description, `"Forbidden: …"`.
        description: String,
    },
    /// HTML with status 502; nothing is done.
    BadGateway,
    /// HTML with status 502 although the call was carried out.
    BadGatewayAfter,
    /// 500 in JSON although the call was carried out.
    ErrorAfter,
    /// The connection ends before anything is done.
    CloseBefore,
    /// The call is carried out, then the connection ends without an answer.
    CloseAfter,
    /// The call is carried out, and no answer ever comes.
    HangAfter,
    /// Nothing is done, and no answer ever comes.
    HangBefore,
    /// Status 200 with these bytes instead of the answer; nothing is done.
    Body(Vec<u8>),
}

impl Fault {
    /// The call takes effect although it seems to fail.
    pub(super) fn is_after(&self) -> bool {
        matches!(
            self,
            Self::BadGatewayAfter | Self::ErrorAfter | Self::CloseAfter | Self::HangAfter
        )
    }

    /// The name used by the control API.
    pub(super) fn parse(name: &str, value: &serde_json::Value) -> Option<Self> {
        let number = |key: &str| value.get(key).and_then(serde_json::Value::as_u64);
        let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
        Some(match name {
            "too_many" => Self::TooMany {
                retry_after: number("retry_after").unwrap_or(1),
            },
            "refuse" => Self::Refuse {
                code: number("code")
                    .and_then(|code| u16::try_from(code).ok())
                    .unwrap_or(400),
                description: text("description")
                    .unwrap_or("Bad Request: refused")
                    .to_owned(),
            },
            "bad_gateway" => Self::BadGateway,
            "bad_gateway_after" => Self::BadGatewayAfter,
            "error_after" => Self::ErrorAfter,
            "close_before" => Self::CloseBefore,
            "close_after" => Self::CloseAfter,
            "hang_after" => Self::HangAfter,
            "hang_before" => Self::HangBefore,
            "body" => Self::Body(text("body").unwrap_or("").as_bytes().to_vec()),
            _ => return None,
        })
    }
}

impl From<Bad> for Fault {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::TooMany => Self::TooMany { retry_after: 1 },
            Bad::LostAnswer => Self::CloseAfter,
            Bad::Token => Self::Refuse {
                code: 401,
                description: "Unauthorized".to_owned(),
            },
            Bad::Outage => Self::CloseBefore,
        }
    }
}

/// Which calls meet a fault, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// A method name; `send*` for everything that posts, `*` for all.
    pub method: String,
    /// Only calls about this chat.
    pub chat: Option<i64>,
    /// How many of a hundred such calls.
    pub percent: f64,
    /// After this many the rule is gone; `None` keeps it.
    pub times: Option<u64>,
    /// What they meet.
    pub fault: Fault,
}

impl Rule {
    /// The next call of `method` meets `fault`, once.
    pub fn once(method: &str, fault: Fault) -> Self {
        Self {
            method: method.to_owned(),
            chat: None,
            percent: 100.0,
            times: Some(1),
            fault,
        }
    }

    /// `percent` of all calls of `method` meet `fault`.
    pub fn percent(method: &str, percent: f64, fault: Fault) -> Self {
        Self {
            method: method.to_owned(),
            chat: None,
            percent,
            times: None,
            fault,
        }
    }

    /// The same for one chat only.
    #[must_use]
    pub fn for_chat(mut self, chat: super::Chat) -> Self {
        self.chat = Some(chat.id);
        self
    }

    /// The same, `times` times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn covers(&self, method: &str, posts: bool, chat: Option<i64>) -> bool {
        let named = match self.method.as_str() {
            "*" => true,
            "send*" => posts,
            name => name.eq_ignore_ascii_case(method),
        };
        named && self.chat.is_none_or(|id| chat == Some(id))
    }
}

/// All that is set to go wrong now.
#[derive(Debug)]
pub(super) struct Faults {
    dice: Dice,
    pub(super) rules: Vec<Rule>,
    /// Every call is thought about this long.
    pub(super) latency: Duration,
    /// The way of every request and of every answer.
    pub(super) link: Duration,
    /// Updates that a webhook gets twice, in a hundred.
    pub(super) repeat_percent: f64,
    /// A webhook gets even the updates of one chat in any order.
    pub(super) shuffle_webhook: bool,
    /// How many calls met a fault.
    pub(super) met: u64,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            rules: Vec::new(),
            latency: Duration::ZERO,
            link: Duration::ZERO,
            repeat_percent: 0.0,
            shuffle_webhook: false,
            met: 0,
        }
    }

    /// Everything goes well again.
    pub(super) fn clear(&mut self) {
        let (dice, met) = (self.dice.clone(), self.met);
        *self = Self {
            dice,
            met,
            ..Self::new(0)
        };
    }

    /// The fault that this call meets. `posts`: it puts a message in a chat.
    pub(super) fn meet(&mut self, method: &str, posts: bool, chat: Option<i64>) -> Option<Fault> {
        if self.rules.is_empty() {
            return None;
        }
        let dice = &mut self.dice;
        let index = self
            .rules
            .iter()
            .position(|rule| rule.covers(method, posts, chat) && dice.percent(rule.percent))?;
        self.met += 1;
        let rule = self.rules.get_mut(index)?;
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.rules.remove(index);
            }
        }
        Some(fault)
    }

    pub(super) fn repeats(&mut self) -> bool {
        self.repeat_percent > 0.0 && self.dice.percent(self.repeat_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_one_time_is_met_once_by_the_calls_it_covers() {
        let mut faults = Faults::new(1);
        faults
            .rules
            .push(Rule::once("send*", Fault::CloseAfter).for_chat(super::super::Chat { id: -5 }));
        assert_eq!(faults.meet("getMe", false, None), None);
        assert_eq!(faults.meet("sendMessage", true, Some(-6)), None);
        assert_eq!(
            faults.meet("sendMessage", true, Some(-5)),
            Some(Fault::CloseAfter)
        );
        assert_eq!(faults.meet("sendMessage", true, Some(-5)), None);
    }

    #[test]
    fn one_percent_is_about_one_in_a_hundred_and_the_same_every_time() {
        let count = |seed| {
            let mut faults = Faults::new(seed);
            faults
                .rules
                .push(Rule::percent("send*", 1.0, Fault::CloseAfter));
            (0..10_000)
                .filter(|_| faults.meet("sendMessage", true, None).is_some())
                .count()
        };
        assert!((60..140).contains(&count(7)), "{}", count(7));
        assert_eq!(count(7), count(7));
    }
}
