//! Times: when it happened, resolved against the moment the message was sent.
//!
//! | text, sent on Tuesday 2026-11-24 at 09:00 | time |
//! | --- | --- |
//! | `tối qua lúc 10h rưỡi` | 2026-11-23 22:30 |
//! | `đêm qua khoảng 1h` | 2026-11-24 01:00 |
//! | `8h kém 15` | 2026-11-24 07:45 |
//! | `thứ 3 tuần trước` | the day 2026-11-17 |
//! | `mùng 2 Tết` | the day 2026-02-18 |
//! | `tối nào cũng`, `hôm trước` | nothing |
//!
//! Words become atoms (a day, a part of the day, a clock time, an instant, an
//! interval), neighbouring atoms become one expression, and the most exact
//! expression of the text is the time.

use chrono::{
    DateTime, Datelike, Days, Duration, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone,
    Weekday,
};

use crate::domain::reading::{Category, When};
use crate::text::Page;
use crate::text::lexicon::What;
use crate::text::lunar::to_solar;
use crate::text::place::PlaceWord as P;

macro_rules! words {
    ($($variant:ident = $name:literal,)+) => {
        /// A word of the grammar of times; the words are in `config/lexicon/times.toml`.
        #[expect(missing_docs, reason = "the file explains the words")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum TimeWord { $($variant,)+ }

        // One bit each, see `bit`.
        const _: () = assert!([$(TimeWord::$variant),+].len() <= 64);

        impl TimeWord {
            /// Its bit in a set of words.
            pub const fn bit(self) -> u64 {
                1 << self as u8
            }

            /// The word class with this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    Today = "today", Yesterday = "yesterday", PastNight = "past_night", TwoDaysAgo = "two_days_ago",
    ThreeDaysAgo = "three_days_ago", Tomorrow = "tomorrow", AfterTomorrow = "after_tomorrow",
    Dawn = "dawn", Early = "early", Morning = "morning", Noon = "noon", Afternoon = "afternoon",
    Evening = "evening", Night = "night", Midnight = "midnight",
    Last = "last", This = "this", Next = "next", Week = "week", Month = "month", Year = "year", Day = "day",
    Hour = "hour", Clock = "clock", Minute = "minute", Half = "half", Less = "less", PastYear = "past_year",
    Weekend = "weekend", StartOfWeek = "start_of_week", JustNow = "just_now", AWhileAgo = "a_while_ago",
    Now = "now", UntilNow = "until_now", Ago = "ago", AgoBefore = "ago_before", Lasting = "lasting", Past = "past",
    Sunday = "sunday", Weekday = "weekday", Monday = "weekday_2", Tuesday = "weekday_3", Wednesday = "weekday_4",
    Thursday = "weekday_5", Friday = "weekday_6", Saturday = "weekday_7", From = "from", To = "to", Filler = "filler",
    HabitBefore = "habit_before", HabitAfter = "habit_after", Vague = "vague", Lunar = "lunar", Tet = "tet",
    NewYearEve = "new_year_eve", FullMoon = "full_moon", FirstDays = "first_days", AHalf = "a_half",
    FirstMonth = "first_month", TwelfthMonth = "twelfth_month", SolarNewYear = "solar_new_year",
    LastNight = "last_night",
}

/// A time expression and the tokens it was read from.
#[derive(Debug, Clone)]
pub struct Found {
    /// The resolved time.
    pub when: When,
    /// First token.
    pub from: usize,
    /// The token after the last.
    pub to: usize,
    /// The words of the second time, when it is told by two.
    pub second: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Dawn,
    Early,
    Morning,
    Noon,
    Afternoon,
    Evening,
    Night,
    Midnight,
}

impl Part {
    /// Start and end in minutes after the midnight of its day.
    fn minutes(self) -> (i64, i64) {
        match self {
            Self::Dawn => (180, 360),
            Self::Early => (300, 420),
            Self::Morning => (300, 660),
            Self::Noon => (660, 810),
            Self::Afternoon => (780, 1080),
            Self::Evening => (1080, 1380),
            Self::Night => (1320, 1740),
            Self::Midnight => (1380, 1560),
        }
    }

    /// Minutes after the midnight of its day of a clock time told with it.
    fn clock(self, hour: u32, minute: u32) -> i64 {
        let hour = i64::from(hour);
        let hour = match self {
            Self::Noon if hour <= 3 => hour + 12,
            Self::Afternoon if hour < 12 => hour + 12,
            Self::Evening if hour == 12 => 24,
            Self::Evening if hour < 12 => hour + 12,
            Self::Night | Self::Midnight if hour == 12 || hour == 0 => 24,
            Self::Night | Self::Midnight if (7..12).contains(&hour) => hour + 12,
            Self::Night | Self::Midnight if hour < 7 => hour + 24,
            _ => hour,
        };
        hour * 60 + i64::from(minute)
    }
}

#[derive(Debug, Clone, Copy)]
enum Atom {
    /// A day, and whether it is only said as "qua" or "nay".
    Day(NaiveDate),
    /// A part of a day in one word: "hồi hôm".
    DayPart(NaiveDate, Part),
    /// Several whole days, the last not included.
    Days(NaiveDate, NaiveDate),
    Part(Part),
    Clock(u32, u32),
    Clocks((u32, u32), (u32, u32)),
    Span(NaiveDateTime, NaiveDateTime),
    Instant(NaiveDateTime),
    JustNow,
}

/// Time expressions looked at in one text; a flood of them must not take for ever.
const GROUPS: usize = 24;

struct Reader<'a> {
    page: &'a Page<'a>,
    now: NaiveDateTime,
    planned: bool,
    acted: bool,
    until: usize,
    /// Whether a token belongs to a plate, a telephone or an account.
    busy: Vec<bool>,
}

/// What a kind of incident makes of the times that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Telling {
    /// A date may lie ahead.
    planned: bool,
    /// Two times are "last seen" and "found missing".
    discovered: bool,
    /// Somebody went at that time, nothing has lasted since.
    acted: bool,
}

impl From<Category> for Telling {
    fn from(kind: Category) -> Self {
        Self {
            planned: kind == Category::Residence,
            discovered: matches!(kind, Category::Theft | Category::MissingPerson),
            acted: kind == Category::MissingPerson,
        }
    }
}

/// The time told by tokens `from..to`, and the words it was read from.
pub fn read(
    page: &Page<'_>,
    from: usize,
    to: usize,
    busy: &[(usize, usize)],
    telling: Telling,
) -> Option<Found> {
    let Telling {
        planned,
        discovered,
        acted,
    } = telling;
    let now = page.now.naive_local();
    let reader = Reader {
        page,
        now,
        planned,
        acted,
        until: to,
        busy: page.taken(busy),
    };
    let groups = reader.groups(from);
    let zone = *page.now.offset();
    let at = |time: NaiveDateTime| zone.from_local_datetime(&time).single().unwrap_or(page.now);
    let mut best: Option<(u8, Found)> = None;
    let mut spans: Vec<(NaiveDateTime, NaiveDateTime, usize, usize)> = Vec::new();
    let habit = page.has_habit();
    for group in &groups {
        // "chiều nào cũng có người đến lúc 6 rưỡi": the hour of a habit is not when it happened.
        if habit && group.of_any_day() {
            continue;
        }
        // Words that together would tell of a time that runs back tell of none.
        let resolved = reader.resolve(group, &groups);
        let Some((start, end)) = resolved.filter(|(start, end)| start <= end) else {
            continue;
        };
        let rank = group.rank();
        if rank > 1 {
            spans.push((start, end, group.from, group.to));
        }
        let when = if start == end {
            When::At(at(start))
        } else {
            When::Between(at(start), at(end))
        };
        if best.as_ref().is_none_or(|(least, _)| rank > *least) {
            best = Some((
                rank,
                Found {
                    when,
                    from: group.from,
                    to: group.to,
                    second: None,
                },
            ));
        }
    }
    if discovered && let [(start, _, from, to), (_, end, from_second, to_second)] = spans.as_slice()
    {
        let long = *end - *start;
        if start < end && long <= Duration::days(3) && *end <= now && long > Duration::hours(1) {
            return Some(Found {
                when: When::Between(at(*start), at(*end)),
                from: *from,
                to: *to,
                second: Some((*from_second, *to_second)),
            });
        }
    }
    best.map(|(_, found)| found)
}

#[derive(Debug, Clone, Default)]
struct Group {
    from: usize,
    to: usize,
    day: Option<NaiveDate>,
    days: Option<(NaiveDate, NaiveDate)>,
    part: Option<Part>,
    clock: Option<(u32, u32)>,
    clock_end: Option<(u32, u32)>,
    span: Option<(NaiveDateTime, NaiveDateTime)>,
    just_now: bool,
    starts: bool,
    ends: bool,
    until_now: bool,
}

impl Group {
    fn accepts(&self, atom: &Atom) -> bool {
        if self.span.is_some() || self.just_now {
            return false;
        }
        match atom {
            Atom::Day(_) => self.day.is_none() && self.days.is_none(),
            Atom::DayPart(..) => self.day.is_none() && self.days.is_none() && self.part.is_none(),
            Atom::Days(..) => self.days.is_none() && self.day.is_none(),
            Atom::Part(_) => self.part.is_none(),
            Atom::Clock(..) | Atom::Clocks(..) => self.clock.is_none(),
            Atom::Span(..) | Atom::Instant(_) | Atom::JustNow => false,
        }
    }

    fn add(&mut self, atom: Atom) {
        match atom {
            Atom::Day(day) => self.day = Some(day),
            Atom::DayPart(day, part) => (self.day, self.part) = (Some(day), Some(part)),
            Atom::Days(from, to) => self.days = Some((from, to)),
            Atom::Part(part) => self.part = Some(part),
            Atom::Clock(hour, minute) => self.clock = Some((hour, minute)),
            Atom::Clocks(first, second) => {
                (self.clock, self.clock_end) = (Some(first), Some(second))
            }
            Atom::Span(from, to) => self.span = Some((from, to)),
            Atom::Instant(at) => self.span = Some((at, at)),
            Atom::JustNow => self.just_now = true,
        }
    }

    /// An hour or a part of the day, and no word of which day.
    fn of_any_day(&self) -> bool {
        self.day.is_none()
            && self.days.is_none()
            && self.span.is_none()
            && !self.just_now
            && !self.until_now
            && !self.starts
    }

    /// How exact it is.
    fn rank(&self) -> u8 {
        if self.until_now || self.span.is_some_and(|(from, to)| from == to) {
            5
        } else if self.clock.is_some() {
            6
        } else if self.part.is_some() && self.day.is_some() {
            4
        } else if self.day.is_some() || self.part.is_some() || self.span.is_some() {
            3
        } else if self.days.is_some() {
            2
        } else {
            1
        }
    }
}

use TimeWord as T;

const PARTS: u64 = T::Midnight.bit()
    | T::Dawn.bit()
    | T::Early.bit()
    | T::Morning.bit()
    | T::Noon.bit()
    | T::Afternoon.bit()
    | T::Evening.bit()
    | T::Night.bit();
const WEEKDAYS: u64 = T::Monday.bit()
    | T::Tuesday.bit()
    | T::Wednesday.bit()
    | T::Thursday.bit()
    | T::Friday.bit()
    | T::Saturday.bit()
    | T::Sunday.bit();
/// Before a part of the day they say that it is one.
const COMPANY: u64 = T::Clock.bit()
    | T::Half.bit()
    | T::Minute.bit()
    | T::From.bit()
    | T::Filler.bit()
    | T::Morning.bit();
const DAYS: u64 = T::Today.bit()
    | T::Yesterday.bit()
    | T::PastNight.bit()
    | T::TwoDaysAgo.bit()
    | T::ThreeDaysAgo.bit()
    | T::Tomorrow.bit()
    | T::AfterTomorrow.bit()
    | T::LastNight.bit();

impl Reader<'_> {
    fn word(&self, at: usize, word: TimeWord) -> Option<usize> {
        if !self.has_any(at, word.bit()) {
            return None;
        }
        self.page
            .hits_at(at)
            .iter()
            .rev()
            .find(|hit| hit.what == What::Time(word))
            .map(|hit| hit.to)
    }

    /// One of several words stands here.
    fn has_any(&self, at: usize, words: u64) -> bool {
        at < self.until && self.page.times_at(at) & words != 0
    }

    fn number(&self, at: usize) -> Option<u32> {
        let token = self.page.tokens.get(at).filter(|_| at < self.until)?;
        (token.is_number() && token.digits <= 4 && self.busy.get(at) != Some(&true))
            .then_some(token.value)
    }

    fn before(&self, at: usize) -> char {
        self.page.tokens.get(at).map_or('\n', |token| token.before)
    }

    fn groups(&self, from: usize) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut open = false;
        let mut starts = false;
        let mut ends = false;
        let mut idle = 0;
        let mut at = from;
        while at < self.until && groups.len() < GROUPS {
            if self
                .page
                .tokens
                .get(at)
                .is_some_and(|token| token.starts_sentence())
                && at > from
            {
                open = false;
            }
            if self.page.times_at(at) == 0
                && self.number(at).is_none()
                && self.page.counting_word(at).is_none()
            {
                idle += 2;
                if idle > 2 {
                    (starts, ends) = (false, false);
                }
                open &= idle <= 3;
                at += 1;
                continue;
            }
            if let Some(end) = self.word(at, T::Vague) {
                at = end;
                (open, starts, ends) = (false, false, false);
                continue;
            }
            if let Some((atom, end)) = self.atom(at) {
                let habit = self.habit(at, end);
                if habit {
                    at = self.word(end, T::HabitAfter).unwrap_or(end);
                    open = false;
                    continue;
                }
                match groups.last_mut() {
                    Some(group) if open && !starts && !ends && group.accepts(&atom) => {
                        group.add(atom);
                        group.to = end;
                    }
                    _ => {
                        let mut group = Group {
                            from: at,
                            to: end,
                            starts,
                            ends,
                            ..Group::default()
                        };
                        group.add(atom);
                        groups.push(group);
                    }
                }
                (open, starts, ends, idle) = (true, false, false, 0);
                at = end;
                continue;
            }
            if let Some(end) = self.word(at, T::UntilNow) {
                if let Some(group) = groups.last_mut()
                    && at - group.to <= 6
                    && !group.just_now
                {
                    group.until_now = true;
                    group.to = end;
                }
                at = end;
                open = false;
                continue;
            }
            if let Some(end) = self.word(at, T::From) {
                (starts, open) = (true, false);
                at = end;
                continue;
            }
            if open && let Some(end) = self.word(at, T::To) {
                ends = true;
                at = end;
                continue;
            }
            if self.word(at, T::Filler).is_some() {
                idle += 1;
            } else {
                idle += 2;
                if idle > 2 {
                    (starts, ends) = (false, false);
                }
            }
            if idle > 3 {
                open = false;
            }
            at += 1;
        }
        groups
    }

    fn habit(&self, at: usize, end: usize) -> bool {
        self.word(end, T::HabitAfter).is_some()
            || (at > 0
                && !self.page.tokens.get(at).is_some_and(|token| token.breaks())
                && (at.saturating_sub(3)..at)
                    .any(|before| self.word(before, T::HabitBefore) == Some(at)))
    }

    fn part(&self, at: usize) -> Option<(Part, usize)> {
        if !self.has_any(at, PARTS) {
            return None;
        }
        let parts = [
            (T::Midnight, Part::Midnight),
            (T::Dawn, Part::Dawn),
            (T::Early, Part::Early),
            (T::Morning, Part::Morning),
            (T::Noon, Part::Noon),
            (T::Afternoon, Part::Afternoon),
            (T::Evening, Part::Evening),
            (T::Night, Part::Night),
        ];
        parts
            .iter()
            .filter_map(|(word, part)| self.word(at, *word).map(|end| (*part, end)))
            .max_by_key(|(_, end)| *end)
    }

    fn atom(&self, at: usize) -> Option<(Atom, usize)> {
        if self.page.times_at(at) == 0
            && self.number(at).is_none()
            && self.page.counting_word(at).is_none()
        {
            return None;
        }
        self.relative(at)
            .or_else(|| self.clock(at))
            .or_else(|| self.lunar(at))
            .or_else(|| self.date(at))
            .or_else(|| self.weekday(at))
            .or_else(|| self.week(at))
            .or_else(|| self.day(at))
            .or_else(|| self.part_of_day(at))
            .or_else(|| self.just_now(at))
    }

    fn just_now(&self, at: usize) -> Option<(Atom, usize)> {
        if let Some(end) = self.word(at, T::AWhileAgo) {
            return Some((Atom::Span(self.now - Duration::hours(3), self.now), end));
        }
        if let Some(end) = self.word(at, T::Now) {
            return Some((Atom::JustNow, end)).filter(|_| end > at);
        }
        self.word(at, T::JustNow).map(|end| (Atom::JustNow, end))
    }

    fn count(&self, at: usize) -> Option<(f64, usize)> {
        if let Some(end) = self.word(at, T::AHalf) {
            return Some((0.5, end));
        }
        if let Some(value) = self.number(at) {
            return Some((f64::from(value), at + 1));
        }
        self.page
            .counting_word(at)
            .map(|value| (f64::from(value), at + 1))
    }

    fn relative(&self, at: usize) -> Option<(Atom, usize)> {
        let (start, ago_before) = match self.word(at, T::AgoBefore) {
            Some(mut end) => {
                while let Some(next) = self.word(end, T::Filler) {
                    end = next;
                }
                (end, true)
            }
            None => (at, false),
        };
        let (mut count, mut next) = self.count(start)?;
        let unit = next;
        let half = |at: usize| self.word(at, T::Half);
        let clock_word = self.word(unit, T::Clock);
        let (minutes, whole) = if let Some(end) = self.word(unit, T::Hour).or(clock_word) {
            next = end;
            (60.0, None)
        } else if let Some(end) = self.word(unit, T::Minute) {
            next = end;
            (1.0, None)
        } else if let Some(end) = self.word(unit, T::Day) {
            next = end;
            (1440.0, Some(T::Day))
        } else if let Some(end) = self.word(unit, T::Week) {
            next = end;
            (10080.0, Some(T::Week))
        } else if let Some(end) = self.word(unit, T::Month) {
            next = end;
            (43200.0, Some(T::Month))
        } else {
            return None;
        };
        if let Some(end) = half(next) {
            count += 0.5;
            next = end;
        } else if minutes == 60.0
            && let Some(more) = self.number(next).filter(|more| *more < 60)
            && let Some(end) = self.word(next + 1, T::Minute)
        {
            // "1 tiếng 20 phút trước"
            count += f64::from(more) / 60.0;
            next = end;
        }
        let ago = self.word(next, T::Ago);
        let lasting = self.word(next, T::Lasting);
        let end = match (ago_before, ago, lasting) {
            (true, _, _) => next,
            (false, Some(end), _) => end,
            (false, None, Some(end)) => end,
            _ => return None,
        };
        // "2h trưa", "8 giờ sáng nay" are clock times, and so is "lúc 8h rồi bỏ chạy".
        let at_that_hour = self.page.times_before(at) & T::Filler.bit() != 0;
        if clock_word.is_some() && !ago_before && (ago.is_none() || at_that_hour) {
            return None;
        }
        if count > 400.0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a few million minutes at most"
        )]
        let span = Duration::minutes((count * minutes) as i64);
        if lasting.is_some() && !ago_before && ago.is_none() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a few hundred days at most"
            )]
            let start = match whole {
                Some(T::Day) => midnight(self.now.date() - Duration::days(count as i64 - 1)),
                _ => self.now - span,
            };
            return Some((Atom::Span(start, self.now), end));
        }
        let atom = match whole {
            None => Atom::Instant(self.now - span),
            Some(T::Day) => Atom::Day((self.now - span).date()),
            Some(T::Week) => {
                let monday = monday((self.now - span).date());
                Atom::Days(monday, monday + Duration::days(7))
            }
            _ => {
                let day = (self.now - span).date();
                let (from, to) = month_of(day.year(), day.month())?;
                Atom::Days(from, to)
            }
        };
        Some((atom, end))
    }

    fn clock(&self, at: usize) -> Option<(Atom, usize)> {
        let hour = self.number(at).or_else(|| self.page.counting_word(at))?;
        if hour > 24
            || self
                .page
                .tokens
                .get(at)
                .is_some_and(|token| token.digits > 2)
        {
            return None;
        }
        let worded = self.number(at).is_none();
        // 16:30
        if self.before(at + 1) == ':'
            && let Some(minute) = self.number(at + 1)
            && self
                .page
                .tokens
                .get(at + 1)
                .is_some_and(|token| token.digits == 2 && !token.spaced)
            && minute < 60
            && hour < 24
        {
            let end = self
                .word(at + 2, T::Clock)
                .filter(|_| self.before(at + 2) == '\0')
                .unwrap_or(at + 2);
            return Some((Atom::Clock(hour, minute), end));
        }
        // 8-9h
        if !worded
            && self.before(at + 1) == '-'
            && let Some(second) = self.number(at + 1)
            && second <= 24
            && second > hour
            && let Some(end) = self.word(at + 2, T::Clock)
        {
            return Some((Atom::Clocks((hour, 0), (second, 0)), end));
        }
        // "tầm 9 rưỡi"
        // and "9 rưỡi tối nay"
        if let Some(end) = self.word(at + 1, T::Half)
            && (1..=12).contains(&hour)
            && (self.page.times_before(at) & (T::Filler.bit() | PARTS | DAYS) != 0
                || self.has_any(end, PARTS)
                    && (!self.page.loose
                        || end - at == 2 && self.page.times_at(end) & T::Evening.bit() == 0))
        {
            return Some((Atom::Clock(hour, 30), end));
        }
        let mut end = self.word(at + 1, T::Clock)?;
        let letter = self.page.tokens.get(at + 1)?;
        let spelled = letter.length > 1;
        if worded && !spelled {
            return None;
        }
        // "5 g" is a weight and "B g" a name; the letter stands close to its number.
        if !spelled && letter.spaced && letter.key != u64::from(b'h') {
            return None;
        }
        let mut minute = 0;
        let mut hour = hour;
        if let Some(value) = self.number(end)
            && value < 60
            && self
                .page
                .tokens
                .get(end)
                .is_some_and(|token| token.digits <= 2 && (token.glued() || token.before == ' '))
            && self
                .word(end + 1, T::Clock)
                .is_none_or(|_| self.before(end + 1) != '\0')
            && (self.before(end) == '\0' || spelled || self.word(end + 1, T::Minute).is_some())
        {
            minute = value;
            end += 1;
            if let Some(next) = self.word(end, T::Minute) {
                end = next;
            }
        } else if let Some(next) = self.word(end, T::Half) {
            minute = 30;
            end = next;
        } else if let Some(next) = self.word(end, T::Less)
            && let Some(value) = self.number(next)
            && value < 60
        {
            hour = if hour == 0 { 23 } else { hour - 1 };
            minute = 60 - value;
            end = self.word(next + 1, T::Minute).unwrap_or(next + 1);
        }
        if hour == 24 {
            if minute == 0 && letter.glued() && self.part(end).is_none() {
                return None; // "24h" is the whole day
            }
            hour = 0;
        }
        Some((Atom::Clock(hour, minute), end))
    }

    fn lunar(&self, at: usize) -> Option<(Atom, usize)> {
        if let Some(end) = self.word(at, T::SolarNewYear) {
            let (day, ()) = self.latest(|year| NaiveDate::from_ymd_opt(year, 1, 1))?;
            return Some((Atom::Day(day), end));
        }
        if let Some(end) = self.word(at, T::NewYearEve) {
            // The moment between two years, when it has passed.
            let (day, ()) = self.latest(|year| to_solar(1, 1, year))?;
            let past = self.word(end, T::Past);
            let eve = day - Days::new(1);
            return Some(match past {
                Some(end) => (Atom::Instant(midnight(day)), end),
                None => (Atom::Day(eve), end),
            });
        }
        let (day, mut end) = if let Some(end) = self.word(at, T::FullMoon) {
            (15, end)
        } else {
            let end = self.word(at, T::FirstDays)?;
            let day = self.number(end).or_else(|| self.page.counting_word(end))?;
            (day, end + 1)
        };
        let mut month = None;
        let mut is_lunar = day == 15 && self.word(at, T::FullMoon).is_some();
        if let Some(next) = self.word(end, T::Tet) {
            (month, end, is_lunar) = (Some(1), next, true);
        } else if let Some(next) = self.word(end, T::FirstMonth) {
            (month, end, is_lunar) = (Some(1), next, true);
        } else if let Some(next) = self.word(end, T::TwelfthMonth) {
            (month, end, is_lunar) = (Some(12), next, true);
        } else if let Some(next) = self.word(end, T::Month)
            && let Some(value) = self.number(next).or_else(|| self.page.counting_word(next))
        {
            (month, end) = (Some(value), next + 1);
        }
        if let Some(next) = self.word(end, T::Lunar) {
            (end, is_lunar) = (next, true);
        }
        let found = match (month, is_lunar) {
            (Some(month), true) => self.latest(|year| to_solar(day, month, year))?.0,
            (None, true) => self.day_of_moon(day)?,
            (Some(month), false) => {
                self.latest(|year| NaiveDate::from_ymd_opt(year, month, day))?
                    .0
            }
            (None, false) => self.day_of_month(day)?,
        };
        Some((Atom::Day(found), end))
    }

    /// The latest such day not after today; with plans, the nearest.
    fn latest(&self, date: impl Fn(i32) -> Option<NaiveDate>) -> Option<(NaiveDate, ())> {
        let today = self.now.date();
        let year = today.year();
        let all = [year + 1, year, year - 1].map(date);
        let mut all = all.into_iter().flatten();
        let found = if self.planned {
            all.min_by_key(|date| (*date - today).num_days().abs())
        } else {
            all.find(|date| *date <= today)
        };
        found.map(|date| (date, ()))
    }

    /// The latest such day of a lunar month not after today.
    fn day_of_moon(&self, day: u32) -> Option<NaiveDate> {
        let today = self.now.date();
        (1..=12)
            .flat_map(|month| {
                [today.year() - 1, today.year()].map(|year| to_solar(day, month, year))
            })
            .flatten()
            .filter(|date| *date <= today)
            .max()
    }

    fn day_of_month(&self, day: u32) -> Option<NaiveDate> {
        let today = self.now.date();
        let last_month = today.with_day(1)? - Days::new(1);
        let this = NaiveDate::from_ymd_opt(today.year(), today.month(), day);
        let before = NaiveDate::from_ymd_opt(last_month.year(), last_month.month(), day);
        if self.planned && this.is_some() {
            return this;
        }
        this.filter(|date| *date <= today).or(before)
    }

    fn date(&self, at: usize) -> Option<(Atom, usize)> {
        // "2 ngày 1 đêm" counts days.
        let counted = self.word(at, T::Day).is_some()
            && !self.page.tokens.get(at).is_some_and(|token| token.breaks())
            && at > 0
            && self.number(at - 1).is_some();
        let (named, start) = match self.word(at, T::Day) {
            Some(_) if counted => return None,
            Some(end) if self.number(end).is_some() => (true, end),
            _ => (false, at),
        };
        if let Some(day) = self.number(start).filter(|day| (1..=31).contains(day)) {
            // "đường 25/4", "quảng trường 30/10" are names.
            if !named && self.page.places_before(start) & (P::Area.bit() | P::Site.bit()) != 0 {
                return None;
            }
            let separator = self.before(start + 1);
            let second = self.page.tokens.get(start + 1);
            if let Some(month) = self
                .number(start + 1)
                .filter(|month| (1..=12).contains(month))
                && second.is_some_and(|token| !token.spaced && token.digits <= 2)
                && (separator == '/' || (named && matches!(separator, '-' | '.')))
                && self
                    .page
                    .tokens
                    .get(start)
                    .is_some_and(|token| token.before != '/' && token.digits <= 2)
            {
                if self.before(start + 2) == separator
                    && let Some(year) = self.number(start + 2)
                    && self
                        .page
                        .tokens
                        .get(start + 2)
                        .is_some_and(|token| !token.spaced)
                {
                    let year = if year < 100 { 2000 + year } else { year };
                    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
                    return Some((Atom::Day(date), start + 3));
                }
                if (day, month) == (24, 7) {
                    return None;
                }
                let end = self
                    .word(start + 2, T::Lunar)
                    .filter(|_| !self.page.is_capital(start + 2));
                if let Some(end) = end {
                    return Some((
                        Atom::Day(self.latest(|year| to_solar(day, month, year))?.0),
                        end,
                    ));
                }
                let date = self
                    .latest(|year| NaiveDate::from_ymd_opt(year, month, day))?
                    .0;
                return Some((Atom::Day(date), start + 2));
            }
            if let Some(next) = self.word(start + 1, T::Month)
                && let Some(month) = self.number(next).filter(|month| (1..=12).contains(month))
            {
                if let Some(end) = self.word(next + 1, T::Lunar) {
                    return Some((
                        Atom::Day(self.latest(|year| to_solar(day, month, year))?.0),
                        end,
                    ));
                }
                let date = self
                    .latest(|year| NaiveDate::from_ymd_opt(year, month, day))?
                    .0;
                return Some((Atom::Day(date), next + 1));
            }
            // "đêm 14 âm": of the last month of the moon that has had that day
            if let Some(end) = self.word(start + 1, T::Lunar).filter(|_| {
                (named || self.page.times_before(start) & PARTS != 0)
                    && !self.page.is_capital(start + 1)
            }) {
                return Some((Atom::Day(self.day_of_moon(day)?), end));
            }
            if named
                && self.word(start + 1, T::Clock).is_none()
                && self.page.tokens.get(start)?.digits <= 2
            {
                return self
                    .day_of_month(day)
                    .map(|date| (Atom::Day(date), start + 1));
            }
        }
        let month_word = self.word(at, T::Month)?;
        if let Some(month) = self
            .number(month_word)
            .filter(|month| (1..=12).contains(month))
        {
            let today = self.now.date();
            let mut year = if month <= today.month() {
                today.year()
            } else {
                today.year() - 1
            };
            let mut end = month_word + 1;
            if self.before(end) == '/'
                && let Some(told) = self.number(end).filter(|year| (2000..2100).contains(year))
            {
                year = i32::try_from(told).ok()?;
                end += 1;
            } else if let Some(next) = self.word(end, T::PastYear) {
                year = today.year() - 1;
                end = next;
            }
            let (from, to) = month_of(year, month)?;
            return Some((Atom::Days(from, to), end));
        }
        let today = self.now.date();
        let first = today.with_day(1)?;
        if let Some(end) = self.word(month_word, T::Lasting) {
            return Some((Atom::Span(self.now - Duration::days(30), self.now), end));
        }
        if let Some(end) = self.word(month_word, T::This) {
            let (from, to) = month_of(today.year(), today.month())?;
            return Some((Atom::Days(from, to), end));
        }
        let end = self.word(month_word, T::Last)?;
        let last = first - Days::new(1);
        let (from, to) = month_of(last.year(), last.month())?;
        Some((Atom::Days(from, to), end))
    }

    fn weekday(&self, at: usize) -> Option<(Atom, usize)> {
        if !self.has_any(at, WEEKDAYS) {
            return None;
        }
        let days = [
            (T::Monday, Weekday::Mon),
            (T::Tuesday, Weekday::Tue),
            (T::Wednesday, Weekday::Wed),
            (T::Thursday, Weekday::Thu),
            (T::Friday, Weekday::Fri),
            (T::Saturday, Weekday::Sat),
            (T::Sunday, Weekday::Sun),
        ];
        let (weekday, end) = days
            .iter()
            .filter_map(|(word, day)| self.word(at, *word).map(|end| (*day, end)))
            .max_by_key(|(_, end)| *end)?;
        // "lần thứ 2", "vụ thứ hai" count, they are no days.
        if weekday != Weekday::Sun
            && self
                .page
                .tokens
                .get(at.wrapping_sub(1))
                .is_some_and(|token| self.page.counts_before(token))
        {
            return None;
        }
        let today = self.now.date();
        let this_week = monday(today) + Days::new(u64::from(weekday.num_days_from_monday()));
        let date;
        let mut end = end;
        if let Some(week) = self.word(end, T::Week) {
            if let Some(next) = self.word(week, T::Last) {
                (date, end) = (this_week - Days::new(7), next);
            } else if let Some(next) = self.word(week, T::Next) {
                (date, end) = (this_week + Days::new(7), next);
            } else if let Some(next) = self.word(week, T::This) {
                (date, end) = (this_week, next);
            } else {
                date = if this_week <= today {
                    this_week
                } else {
                    this_week - Days::new(7)
                };
            }
        } else if let Some(next) = self.word(end, T::Past).or_else(|| self.word(end, T::Last)) {
            (date, end) = (
                if this_week < today {
                    this_week
                } else {
                    this_week - Days::new(7)
                },
                next,
            );
        } else if let Some(next) = self.word(end, T::Next).filter(|_| self.planned) {
            (date, end) = (
                if this_week > today {
                    this_week
                } else {
                    this_week + Days::new(7)
                },
                next,
            );
        } else if let Some(next) = self.word(end, T::This) {
            (date, end) = (
                if this_week <= today || self.planned {
                    this_week
                } else {
                    this_week - Days::new(7)
                },
                next,
            );
        } else if self.planned && this_week > today {
            date = this_week;
        } else {
            date = if this_week <= today {
                this_week
            } else {
                this_week - Days::new(7)
            };
        }
        Some((Atom::Day(date), end))
    }

    fn week(&self, at: usize) -> Option<(Atom, usize)> {
        let today = self.now.date();
        let this = monday(today);
        if let Some(end) = self.word(at, T::Weekend) {
            let saturday = this + Days::new(5);
            let (from, end) = if let Some(next) = self.word(end, T::Past) {
                (
                    if saturday + Days::new(1) < today {
                        saturday
                    } else {
                        saturday - Days::new(7)
                    },
                    next,
                )
            } else if let Some(next) = self.word(end, T::Last) {
                (saturday - Days::new(7), next)
            } else if let Some(next) = self.word(end, T::This) {
                (saturday, next)
            } else {
                (
                    if saturday <= today {
                        saturday
                    } else {
                        saturday - Days::new(7)
                    },
                    end,
                )
            };
            return Some((Atom::Days(from, from + Days::new(2)), end));
        }
        if let Some(end) = self.word(at, T::StartOfWeek) {
            return Some((Atom::Days(this, this + Days::new(2)), end));
        }
        if let Some(end) = self.word(at, T::PastYear) {
            let year = today.year() - 1;
            return Some((
                Atom::Days(
                    NaiveDate::from_ymd_opt(year, 1, 1)?,
                    NaiveDate::from_ymd_opt(year + 1, 1, 1)?,
                ),
                end,
            ));
        }
        let end = self.word(at, T::Week)?;
        if let Some(next) = self.word(end, T::Lasting) {
            return Some((Atom::Span(self.now - Duration::days(7), self.now), next));
        }
        if let Some(next) = self.word(end, T::This) {
            return Some((Atom::Days(this, this + Days::new(7)), next));
        }
        if let Some(next) = self
            .word(end, T::Next)
            .filter(|_| self.word(end, T::Last).is_none())
        {
            return Some((Atom::Days(this + Days::new(7), this + Days::new(14)), next));
        }
        let next = self.word(end, T::Last)?;
        Some((Atom::Days(this - Days::new(7), this), next))
    }

    fn day(&self, at: usize) -> Option<(Atom, usize)> {
        if !self.has_any(at, DAYS) {
            return None;
        }
        let today = self.now.date();
        if let Some(end) = self.word(at, T::LastNight) {
            return Some((Atom::DayPart(today - Days::new(1), Part::Night), end));
        }
        let days: [(TimeWord, i64); 7] = [
            (T::Today, 0),
            (T::Yesterday, -1),
            (T::PastNight, -1),
            (T::TwoDaysAgo, -2),
            (T::ThreeDaysAgo, -3),
            (T::Tomorrow, 1),
            (T::AfterTomorrow, 2),
        ];
        let (word, days, end) = days
            .iter()
            .filter_map(|(word, days)| self.word(at, *word).map(|end| (*word, *days, end)))
            .max_by_key(|(_, _, end)| *end)?;
        let single = end - at == 1;
        // "qua" and "nay" are days only after a part of the day or a clock time.
        if single
            && matches!(
                word,
                T::PastNight | T::Today | T::Tomorrow | T::AfterTomorrow
            )
        {
            let after_time = at > 0
                && !self.page.tokens.get(at).is_some_and(|token| token.breaks())
                && self.page.times_before(at) & (PARTS | T::Clock.bit()) != 0;
            let short = self
                .page
                .tokens
                .get(at)
                .is_some_and(|token| token.length > 3);
            let planned = self.planned
                && word == T::Tomorrow
                && self.page.times_before(at) & (T::From.bit() | T::To.bit()) != 0;
            if self.page.is_capital(at) || (!after_time && !short && !planned) {
                return None;
            }
        }
        Some((Atom::Day(today + Duration::days(days)), end))
    }

    fn part_of_day(&self, at: usize) -> Option<(Atom, usize)> {
        let (part, end) = self.part(at)?;
        // "sáng", "tối", "sớm", "đêm" are also adjectives and nouns: alone they need company.
        let company = end - at > 1
            || self.word(end, T::Today).is_some()
            || self.word(end, T::PastNight).is_some()
            || self.word(end, T::Yesterday).is_some()
            || self.word(end, T::TwoDaysAgo).is_some()
            || self.word(end, T::Tomorrow).is_some()
            || self.weekday(end).is_some()
            || self.word(end, T::Day).is_some()
            || self.date(end).is_some()
            || self.lunar(end).is_some()
            || at == 0
            || self.page.times_before(at) & COMPANY != 0
            || self
                .page
                .tokens
                .get(at.wrapping_sub(1))
                .is_some_and(|token| token.is_number() && token.digits <= 2)
            || self.page.tokens.get(at).is_some_and(|token| token.breaks());
        // Without marks "toi" by itself is "tôi".
        let by_itself = self.page.loose
            && part == Part::Evening
            && end - at == 1
            && self.page.times_at(end) & (DAYS | WEEKDAYS | T::Day.bit()) == 0;
        if by_itself && self.page.times_before(at) & COMPANY == 0 {
            return None;
        }
        let early = if part == Part::Night && self.word(end, T::Dawn).is_some() {
            Part::Dawn
        } else {
            part
        };
        company.then_some((Atom::Part(early), end))
    }

    fn resolve(&self, group: &Group, all: &[Group]) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let index = all.iter().position(|other| other.from == group.from)?;
        if group.ends
            && index > 0
            && all
                .get(index - 1)
                .is_some_and(|previous| previous.starts || previous.clock.is_some())
        {
            return None; // told by the group that starts the range
        }
        let (start, mut end) = self.span(group, all)?;
        if group.until_now && !self.acted {
            return (start <= self.now).then_some((start, self.now));
        }
        if let Some(next) = all.get(index + 1).filter(|next| next.ends) {
            let mut next = next.clone();
            next.day = next.day.or(group.day);
            let mut first = group.clone();
            first.part = first.part.or(next.part);
            next.part = next.part.or(group.part);
            let (start, _) = self.span(&first, all)?;
            let (_, last) = self.span(&next, all)?;
            if last > start {
                return Some((start, last));
            }
            end = end.max(start);
        }
        Some((start, end))
    }

    fn span(&self, group: &Group, all: &[Group]) -> Option<(NaiveDateTime, NaiveDateTime)> {
        if group.just_now {
            return Some((self.now - Duration::minutes(30), self.now));
        }
        if let Some((start, end)) = group.span {
            return Some((start, end));
        }
        let today = self.now.date();
        if let Some(clock) = group.clock {
            // A day told elsewhere belongs to the only clock time.
            let clocks = all.iter().filter(|other| other.clock.is_some()).count();
            let lender = (group.day.is_none() && clocks == 1)
                .then(|| {
                    all.iter().find(|other| {
                        other.from != group.from
                            && other.day.is_some()
                            && !other.ends
                            && !other.starts
                    })
                })
                .flatten();
            let day = group.day.or(lender.and_then(|lender| lender.day));
            let part = group.part.or_else(|| {
                lender.and_then(|lender| lender.part).or_else(|| {
                    all.iter()
                        .find(|other| clocks == 1 && other.day.is_none() && other.clock.is_none())
                        .and_then(|other| other.part)
                })
            });
            let start = self.clock_time(clock, part, day)?;
            if let Some(second) = group.clock_end {
                let end = self.clock_time(second, part, day)?;
                return Some((start, end.max(start)));
            }
            return Some((start, start));
        }
        if let Some(part) = group.part {
            let (from, to) = part.minutes();
            if let Some((first, _)) = group.days {
                return Some((midnight(first), midnight(first) + Duration::days(1)));
            }
            let mut day = group.day.unwrap_or(today);
            let mut start = midnight(day) + Duration::minutes(from);
            if start > self.now && (group.day.is_none() || (day == today && !self.planned)) {
                day = day - Days::new(1);
                start = midnight(day) + Duration::minutes(from);
            }
            let end = midnight(day) + Duration::minutes(to);
            return Some((start, self.clip(start, end)));
        }
        if let Some(day) = group.day {
            let start = midnight(day);
            return Some((start, self.clip(start, start + Duration::days(1))));
        }
        let (from, to) = group.days?;
        Some((midnight(from), self.clip(midnight(from), midnight(to))))
    }

    fn clip(&self, start: NaiveDateTime, end: NaiveDateTime) -> NaiveDateTime {
        if start < self.now && end > self.now && !self.planned {
            self.now
        } else {
            end
        }
    }

    fn clock_time(
        &self,
        (hour, minute): (u32, u32),
        part: Option<Part>,
        day: Option<NaiveDate>,
    ) -> Option<NaiveDateTime> {
        let minutes = match part {
            Some(part) => part.clock(hour, minute),
            None => i64::from(hour) * 60 + i64::from(minute),
        };
        let today = self.now.date();
        let slack = Duration::minutes(5);
        if let Some(day) = day {
            let time = midnight(day) + Duration::minutes(minutes);
            // "đêm nay 2h" told in the morning is the night that has passed.
            if time > self.now + slack && minutes >= 1440 && day == today {
                return Some(time - Duration::days(1));
            }
            return Some(time);
        }
        let mut time = midnight(today) + Duration::minutes(minutes);
        while time > self.now + slack {
            time -= Duration::days(1);
        }
        Some(time)
    }
}

fn midnight(day: NaiveDate) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN)
}

fn monday(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
}

fn month_of(year: i32, month: u32) -> Option<(NaiveDate, NaiveDate)> {
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    let next = if month == 12 {
        NaiveDate::from_ymd_opt(year + 1, 1, 1)?
    } else {
        NaiveDate::from_ymd_opt(year, month + 1, 1)?
    };
    Some((first, next))
}

/// Whether a time is so close to `now` that the incident may be going on.
pub fn is_recent(when: &When, now: DateTime<FixedOffset>) -> bool {
    (now - when.end()).abs() <= Duration::hours(1)
}
