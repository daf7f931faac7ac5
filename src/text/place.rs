//! Places: the longest sensible phrase that says where it happened.
//!
//! | text | place |
//! | --- | --- |
//! | `mất xe ở cổng chợ Hà Lầm lúc 3h` | `cổng chợ Hà Lầm` |
//! | `nhà số 5 ngõ Tre phố Trại Lốc bị cháy` | `nhà số 5 ngõ Tre phố Trại Lốc` |
//! | `o xom cau lam co dan de pha rau` | `xom cau lam` |
//! | `gọi công an phường giúp em` | nothing |
//!
//! A phrase begins at a word for a place (thôn, ngõ, chợ …) or at a known name,
//! takes the name that follows, and goes on while another place follows. Of all
//! phrases of the text the one with a name and a preposition before it wins.

use crate::text::Page;
pub use crate::text::lexicon::PlaceWord;
use crate::text::lexicon::{State, What};
use crate::text::token::{Case, Token};

/// A place phrase: tokens `from..to`.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// First token.
    pub from: usize,
    /// The token after the last.
    pub to: usize,
    score: i32,
}

use PlaceWord as P;

/// How many heads are looked through to judge one.
const DEPTH: u8 = 3;

/// Heads of one phrase, at most.
const MOST_HEADS: usize = 8;

/// The words that begin a phrase; of two as long the later one here.
const HEADS: [PlaceWord; 6] = [P::Area, P::Site, P::House, P::Part, P::Known, P::Numbered];

const HEAD_WORDS: u32 = P::Area.bit()
    | P::Site.bit()
    | P::House.bit()
    | P::Part.bit()
    | P::Known.bit()
    | P::Numbered.bit();

/// A phrase that ends the name of a place where it starts.
pub(super) fn stops(what: What) -> bool {
    matches!(
        what,
        What::Place(P::Stop | P::Authority | P::Away)
            | What::Cue(_, 3..)
            | What::State(State::Ongoing | State::Help | State::Habit)
    )
}

struct Reader<'a> {
    page: &'a Page<'a>,
    until: usize,
    busy: Vec<bool>,
}

/// The place told by tokens `from..to`; `busy` are tokens taken by times and numbers.
pub fn read(page: &Page<'_>, from: usize, to: usize, busy: &[(usize, usize)]) -> Option<Found> {
    let reader = Reader {
        page,
        until: to,
        busy: page.taken(busy),
    };
    let mut best: Option<Found> = None;
    let mut at = from;
    while at < to {
        match reader.phrase(at) {
            Some(found) => {
                if found.score <= 0 {
                    // What is hidden in it may be better: "đồng ở lò gạch cũ".
                    at += 1;
                    continue;
                }
                if best.is_none_or(|best| found.score > best.score) {
                    best = Some(found);
                }
                at = found.to.max(at + 1);
            }
            None => {
                let after = reader.word(at, P::Authority).unwrap_or(at + 1);
                let last = after - 1;
                at = if last > at && reader.outgrows(last) {
                    last
                } else {
                    after
                };
            }
        }
    }
    best
}

impl Reader<'_> {
    fn word(&self, at: usize, word: PlaceWord) -> Option<usize> {
        if at >= self.until || self.page.places_at(at) & word.bit() == 0 {
            return None;
        }
        self.page
            .hits_at(at)
            .iter()
            .rev()
            .find(|hit| hit.what == What::Place(word) && hit.to <= self.until)
            .map(|hit| hit.to)
    }

    fn is_busy(&self, at: usize) -> bool {
        self.busy.get(at) == Some(&true)
    }

    /// The last word of what is no place begins one: "giữa đường vào mỏ", and "o to 11 khu 2" is "ở tổ 11"
    /// before it is "ô tô".
    fn outgrows(&self, at: usize) -> bool {
        if self.head(at).is_some_and(|(end, _)| end > at + 1) {
            return true;
        }
        self.page.loose
            && self.word(at, P::Numbered) == Some(at + 1)
            && self
                .page
                .tokens
                .get(at + 1)
                .is_some_and(|token| token.is_number() && token.before == ' ')
            && self.head(at + 2).is_some_and(|(_, head)| head == P::Area)
    }

    /// The longest head at a token: its end and whether it begins an area's name.
    fn head(&self, at: usize) -> Option<(usize, PlaceWord)> {
        self.head_within(at, DEPTH)
    }

    /// `depth` bounds how many parts are looked through: "cổng cổng cổng …" must not take for ever.
    fn head_within(&self, at: usize, depth: u8) -> Option<(usize, PlaceWord)> {
        let depth = depth.checked_sub(1)?;
        if self.is_busy(at) {
            return None;
        }
        if self.page.places_at(at) & HEAD_WORDS == 0 {
            return self.house_number(at).map(|end| (end, P::House));
        }
        let heads = self
            .page
            .hits_at(at)
            .iter()
            .filter_map(|hit| match hit.what {
                What::Place(word) if hit.to <= self.until => {
                    let rank = HEADS.iter().position(|head| *head == word)?;
                    Some((hit.to, rank, word))
                }
                _ => None,
            });
        let (end, _, word) = heads.max_by_key(|(end, rank, _)| (*end, *rank))?;
        if self
            .word(at, P::Authority)
            .is_some_and(|other| other >= end)
        {
            return None;
        }
        let next = self.page.tokens.get(end).filter(|_| end < self.until);
        let counts = word == P::Numbered
            && self.page.tokens.get(end + 1).is_some_and(Token::glued)
            && self.page.unit_follows(end + 1);
        let next_is_number = !counts
            && next.is_some_and(|token| token.is_number() && !self.is_busy(end) && !token.breaks());
        let title = self.word(end, P::Title).is_some();
        let next_is_name = next_is_number
            || next.is_some_and(|token| !token.breaks())
                && self.page.is_capital(end)
                && !self.is_busy(end);
        // "ban phao" is no "bản Pháo", "xa rac" no "xã Rác".
        let act = self.page.loose
            && end - at == 1
            && self
                .page
                .hits_at(at)
                .iter()
                .any(|hit| matches!(hit.what, What::Cue(_, 5..)) && hit.to > end);
        if act {
            return None;
        }
        let unsure = self.page.loose && self.page.cased && end - at == 1;
        let ok = match word {
            // "nhà" alone is the writer's own; "số" alone is any number.
            P::House if end - at == 1 => {
                let long = next.is_some_and(|token| token.digits > 4);
                let storeys = self
                    .word(end + 1, P::Numbered)
                    .is_some_and(|after| self.number_less(after));
                (next_is_number && !long && !storeys)
                    || (title && self.page.is_capital(end + 1) && self.word(at, P::Home).is_some())
            }
            // "đầu đường" before "vào thôn" is the part "đầu" of "đường vào thôn".
            P::Part if end - at > 1 => {
                if self
                    .head_within(end - 1, depth)
                    .is_some_and(|(longer, _)| longer > end)
                {
                    return Some((end - 1, word));
                }
                true
            }
            P::Part => self.head_within(end, depth).is_some(),
            P::Numbered if self.page.loose => next_is_name,
            P::Numbered => {
                next_is_name || !self.page.cased && self.head_within(end, depth).is_some()
            }
            // Without marks "ban" is rarely "bản", and "lang" rarely "làng".
            P::Area if unsure => next_is_name || self.head_within(end, depth).is_some(),
            _ => true,
        };
        ok.then_some((end, word))
    }

    /// A word that no name of a place has, whatever it is about.
    fn is_verb(&self, at: usize) -> bool {
        let never = P::Stop.bit()
            | P::HardStop.bit()
            | P::Authority.bit()
            | P::Away.bit()
            | P::Prep.bit()
            | P::Link.bit()
            | P::Title.bit();
        self.page.places_at(at) & never != 0
            || self
                .page
                .hits_at(at)
                .iter()
                .any(|hit| matches!(hit.what, What::State(_)))
    }

    /// "ở 21 ngách 3": a number between a preposition and a road with a name.
    fn house_number(&self, at: usize) -> Option<usize> {
        let token = self.page.tokens.get(at).filter(|_| at < self.until)?;
        let alone = token.is_number() && token.digits <= 4 && token.before == ' ';
        let at_road = |road: usize| {
            let spaced = |token: &Token| token.before == ' ';
            self.page.tokens.get(road).is_some_and(spaced)
                && self
                    .word(road, P::Area)
                    .is_some_and(|end| self.name(end, P::Area).1)
        };
        (alone && self.page.places_before(at) & P::At.bit() != 0 && at_road(at + 1))
            .then_some(at + 1)
    }

    /// No number stands here: "nhà 3 tầng" is no address.
    fn number_less(&self, at: usize) -> bool {
        self.page
            .tokens
            .get(at)
            .is_none_or(|token| !token.is_number() || token.breaks())
    }

    fn is_stop(&self, at: usize) -> bool {
        self.is_busy(at) || self.page.stops_at(at)
    }

    fn phrase(&self, start: usize) -> Option<Found> {
        let (mut at, first) = self.head(start)?;
        // "trước cửa", "dọc hàng rào" only say where beside the place.
        let beside =
            self.page.long_prepositions
                && self.page.hits_near(start).iter().any(|hit| {
                    hit.what == What::Place(P::Prep) && hit.from < start && hit.to >= at
                });
        if beside {
            return None;
        }
        if self.word(start, P::Known).is_some() && first == P::Known {
            let score = 4 + self.context(start);
            let to = self.follow(self.more_of_a_name(at));
            return Some(Found {
                from: start,
                to,
                score,
            });
        }
        // Without marks "cho", "ga", "cau" alone are hardly ever places.
        let bare = at - start == 1 && first == P::Site;
        let mut score = match first {
            P::Area | P::House => 4,
            _ => 3,
        };
        let mut named = false;
        let mut areas = usize::from(first == P::Area);
        let mut head = first;
        for _ in 0..MOST_HEADS {
            let (end, got) = self.name(at, head);
            // "cột điện ở dốc Cầu Trắng", "chuồng gà nhà em ở thôn 2": the one with a name is the place.
            if !got && !named && self.at_a_named_place(end) {
                return Some(Found {
                    from: start,
                    to: end,
                    score: 0,
                });
            }
            if bare && self.page.loose && !got && at - start == 1 && !self.has_place_next(end) {
                return None;
            }
            named |= got;
            at = end;
            if let Some((end, next)) = self.next_head(at)
                && (!named || self.has_more(at, end, next))
            {
                areas += usize::from(next == P::Area);
                (at, head) = (end, next);
                continue;
            }
            break;
        }
        let to = at;
        // "nhà bác" says whose house it is to nobody.
        if !named && first == P::House {
            score -= 5;
        }
        if named {
            score += 5;
        } else if first == P::Area && areas < 2 {
            score -= 7;
        }
        if !named && bare {
            if self.page.loose {
                return None;
            }
            score -= 3;
        }
        score += i32::try_from(areas.min(3)).unwrap_or(0);
        score += self.context(start);
        Some(Found {
            from: start,
            to,
            score,
        })
    }

    /// "ở" and a place with a name follow.
    fn at_a_named_place(&self, at: usize) -> bool {
        let Some(next) = self.word(at, P::At) else {
            return false;
        };
        let breaks = |at: usize| self.page.tokens.get(at).is_none_or(Token::breaks);
        !breaks(at)
            && !breaks(next)
            && self.head(next).is_some_and(|(end, head)| {
                head == P::Known || self.name(end, head).1 || self.next_head(end).is_some()
            })
    }

    /// A further place follows without a word between.
    fn has_place_next(&self, at: usize) -> bool {
        self.head(at).is_some()
    }

    /// After a name a further head needs a name of its own, or more than one syllable.
    fn has_more(&self, at: usize, end: usize, head: PlaceWord) -> bool {
        head == P::Known
            || self.name(end, head).1
            || self.next_head(end).is_some()
            || (matches!(head, P::Site | P::Part) && end - at > 1)
    }

    /// A known place's name may be followed by more of the same phrase.
    fn follow(&self, mut at: usize) -> usize {
        while let Some((end, head)) = self.next_head(at) {
            (at, _) = self.name(end, head);
        }
        at
    }

    /// The head after a finished name: directly, after a comma, or after one linking word.
    fn next_head(&self, at: usize) -> Option<(usize, PlaceWord)> {
        self.next_head_within(at, DEPTH)
    }

    fn next_head_within(&self, at: usize, depth: u8) -> Option<(usize, PlaceWord)> {
        let depth = depth.checked_sub(1)?;
        let token = self.page.tokens.get(at).filter(|_| at < self.until)?;
        if matches!(
            token.before,
            ' ' | ',' | '-' | '(' | '"' | '\0' | '_' | '/' | '+'
        ) {
            let after_comma = token.before == ',';
            if let Some((end, word)) = self.head(at)
                && (!after_comma || matches!(word, P::Area | P::Known | P::House | P::Numbered))
            {
                return Some((end, word));
            }
        }
        if token.breaks() {
            return None;
        }
        let mut link = self.word(at, P::Link)?;
        // "đoạn trước cổng Vincom"
        if let Some(second) = self.word(link, P::Link)
            && self.head(link).is_none()
        {
            link = second;
        }
        let next = self.page.tokens.get(link)?;
        if next.breaks() || self.word(at, P::Away).is_some_and(|end| end >= link) {
            return None;
        }
        let (end, word) = self.head(link)?;
        // The second place must have a name of its own.
        let (_, named) = self.name(end, word);
        let described = word == P::Site && end - link > 1 && self.word(end, P::Detail).is_some();
        (named || described || word == P::Known || self.next_head_within(end, depth).is_some())
            .then_some((end, word))
    }

    /// The name after a head: its end, and whether there is one.
    fn name(&self, start: usize, head: PlaceWord) -> (usize, bool) {
        if head == P::Known {
            return (self.more_of_a_name(start), true);
        }
        let cased = self.page.cased;
        let mut at = start;
        let mut named = false;
        let mut loose_words = 0;
        let mut by_capital = false;
        // "ao nhà tôi ở thôn 2": whose it is belongs to the phrase when a place with a name follows.
        if matches!(head, P::Site)
            && let Some(end) = self
                .word(at, P::Home)
                .and_then(|end| self.word(end, P::Owner))
            && let Some(link) = self.word(end, P::Link)
            && let Some((next, word)) = self.head(link)
            && word != P::House
            && self
                .page
                .tokens
                .get(next)
                .is_some_and(|token| !token.breaks())
        {
            return (end, false);
        }
        if let Some(end) = self.word(at, P::Title)
            && self
                .page
                .tokens
                .get(at)
                .is_some_and(|token| !token.breaks())
            && (head == P::House || head == P::Site && self.page.is_capital(end))
        {
            at = end;
        }
        while at < self.until && at - start < 8 {
            let Some(token) = self.page.tokens.get(at) else {
                break;
            };
            let joined = match token.before {
                ' ' | '\0' | '_' | '"' | '\'' | '(' => true,
                // "P.12", "Tp.Hạ Long"; a full stop with a space behind it ends the phrase.
                '.' => !token.spaced || self.is_short(at.wrapping_sub(1)),
                '-' | '+' | '&' | '/' => at > start,
                _ => false,
            };
            let breaks = token.breaks() && (token.before != '.' || !joined);
            if at > start && !joined || at == start && breaks {
                break;
            }
            if self.is_busy(at) {
                break;
            }
            if token.is_number() {
                if token.digits > 4 || (self.page.unit_follows(at + 1) && !self.is_busy(at + 1)) {
                    break;
                }
                named = true;
                at += 1;
                continue;
            }
            let name_goes_on = cased
                && token.case == Case::Title
                && at > start
                && self.page.is_capital(at - 1)
                && self
                    .head(at)
                    .is_some_and(|(end, word)| end == at + 1 && word != P::Known);
            if named && at > start && !name_goes_on && self.head(at).is_some() {
                break;
            }
            let capital = token.case != Case::Lower;
            if capital && !self.page.all_upper && (cased || token.case == Case::Title) {
                if at > start && token.starts_sentence() {
                    break;
                }
                // A capital that only starts a new thought is no name.
                let within = at > start && self.page.is_capital(at - 1) && token.before == ' ';
                if !within
                    && self.is_stop(at)
                    && self
                        .page
                        .hits_at(at)
                        .iter()
                        .any(|hit| matches!(hit.what, What::Cue(_, 5..)))
                    && hit_is_long(self.page, at)
                {
                    break;
                }
                named = true;
                by_capital = true;
                at += 1;
                continue;
            }
            // One small word between capitals belongs to the name: "Du học Ánh Dương".
            if by_capital {
                let between = !self.is_stop(at)
                    && self.head(at).is_none()
                    && self.page.is_capital(at + 1)
                    && at + 1 < self.until
                    && self
                        .page
                        .tokens
                        .get(at + 1)
                        .is_some_and(|next| next.before == ' ');
                // The last syllable of a name is often small: "khu Xi măng", "Cung Văn hoá".
                let last = !self.is_stop(at)
                    && token.length > 1
                    && self.page.is_capital(at - 1)
                    && !self.is_verb(at)
                    && at + 1 < self.until
                    && self.page.tokens.get(at + 1).is_some_and(Token::breaks);
                if last {
                    at += 1;
                    break;
                }
                if between && self.head(at + 1).is_none_or(|(_, word)| word == P::Known) {
                    at += 2;
                    continue;
                }
            }
            if token.length == 1 && token.glued() && named {
                at += 1;
                continue;
            }
            if self.head(at).is_some() {
                break;
            }
            if let Some(end) = self.word(at, P::Detail)
                && (at > start || head != P::Area)
                && (named || at == start || loose_words > 0)
                && self.detail_ends(at, end)
            {
                at = end;
                break;
            }
            let lenient = at == start
                && head == P::Area
                && self.page.loose
                && !self.is_busy(at)
                && self.word(at, P::HardStop).is_none();
            if self.is_stop(at) && !lenient
                || self
                    .page
                    .tokens
                    .get(at.wrapping_sub(1))
                    .is_some_and(|last| at > start && last.is_number())
            {
                break;
            }
            if cased {
                // Small words belong to the name when a capital or a number follows soon.
                // What a shop or a field is for may be telling, too: "vườn thanh long thôn 5".
                let kind = head == P::Site && !self.page.loose;
                let reach = (1..=if kind { 3 } else { 2 }).find(|step| {
                    let next = at + step;
                    let far =
                        self.head(next).is_some_and(|(end, word)| {
                            matches!(word, P::Area | P::Known) && self.page.is_capital(end)
                                || matches!(word, P::Area | P::Numbered)
                                    && self.page.tokens.get(end).is_some_and(|token| {
                                        token.is_number() && token.before == ' '
                                    })
                        });
                    let open = |at: usize| {
                        (!self.is_stop(at) || kind && far && !self.is_busy(at) && !self.is_verb(at))
                            && self
                                .page
                                .tokens
                                .get(at)
                                .is_some_and(|token| !token.breaks())
                    };
                    self.page
                        .tokens
                        .get(next)
                        .filter(|_| next < self.until)
                        .is_some_and(|token| {
                            !token.breaks()
                                && !self.is_busy(next)
                                && (*step < 3 || far)
                                && (self.page.is_capital(next)
                                    || token.is_number()
                                    || self.head(next).is_some())
                        })
                        && (0..*step).all(|back| open(at + back))
                });
                match reach {
                    Some(step) if !named => at += step,
                    _ => break,
                }
            } else {
                // Most names have two syllables; a third belongs to the name when the phrase ends behind it.
                let ends = loose_words == 2 && self.ends_clause(at + 1);
                if loose_words == 2 && !ends || loose_words > 2 || by_capital {
                    break;
                }
                loose_words += 1;
                named = true;
                at += 1;
            }
        }
        (at, named)
    }

    /// Capitals behind a known name belong to it: "Quảng Trung Thượng" is another than "Quảng Trung".
    fn more_of_a_name(&self, mut at: usize) -> usize {
        let goes_on = |at: usize| {
            self.page.cased
                && at < self.until
                && self.page.is_capital(at)
                && self.page.tokens.get(at).is_some_and(|token| {
                    token.before == ' ' && token.case == Case::Title && !self.is_busy(at)
                })
                && !self.is_verb(at)
                && self.page.places_at(at) == 0
                && self.word(at, P::Authority).is_none()
        };
        while goes_on(at) {
            at += 1;
        }
        at
    }

    /// Nothing more of a phrase can stand here.
    fn ends_clause(&self, at: usize) -> bool {
        let next = self.page.tokens.get(at).filter(|_| at < self.until);
        next.is_none_or(Token::breaks) || self.is_busy(at)
    }

    /// An abbreviation such as `P` or `Tp`.
    fn is_short(&self, at: usize) -> bool {
        let token = self.page.tokens.get(at);
        token.is_some_and(|token| !token.is_number() && token.length <= 2)
    }

    fn detail_ends(&self, at: usize, end: usize) -> bool {
        let next = self.page.tokens.get(end).filter(|_| end < self.until);
        // "moi" in "moi nguoi" is not "mới", and what follows "sau" is behind something else.
        let other = [P::Stop, P::Authority].map(|word| self.word(at, word));
        if other.into_iter().flatten().any(|other| other > end) {
            return false;
        }
        if self.word(at, P::Prep).is_some_and(|prep| prep == end)
            && self.word(at, P::Link).is_some()
        {
            return next.is_none_or(Token::breaks)
                || self.word(end, P::HardStop).is_some() && !self.is_busy(end)
                || self.head(end).is_some();
        }
        next.is_none_or(|token| {
            token.breaks()
                || self.is_stop(end)
                || self.head(end).is_some()
                || self.word(end, P::Link).is_some()
                || self.word(end, P::Prep).is_some()
                || self.page.cased && !self.page.loose
        })
    }

    /// What stands before the phrase.
    fn context(&self, start: usize) -> i32 {
        let mut score = 0;
        let ends_here = |word: PlaceWord| {
            self.page
                .tokens
                .get(start)
                .is_some_and(|token| !token.starts_sentence())
                && self.page.places_before(start) & word.bit() != 0
        };
        if ends_here(P::Prep) {
            score += 2;
        }
        if ends_here(P::Away) {
            score -= 3;
        }
        if ends_here(P::Authority)
            || self.page.has_anywhere(P::Authority)
                && self.page.hits_near(start).iter().any(|hit| {
                    hit.what == What::Place(P::Authority)
                        && hit.from < start
                        && hit.to >= start
                        && !(hit.to == start + 1 && self.outgrows(start))
                })
        {
            score -= 6;
        }
        score
    }
}

/// A telling phrase of several words starts here; one whose words all have capitals is a name.
fn hit_is_long(page: &Page<'_>, at: usize) -> bool {
    page.hits_at(at).iter().any(|hit| {
        matches!(hit.what, What::Cue(_, 5..))
            && hit.to - hit.from > 1
            && !(hit.from..hit.to).all(|at| page.is_capital(at))
    })
}
