//! Categories: what kind of incident a text tells of.
//!
//! Cues found in the text are added up by category. A cue inside a longer phrase
//! or inside a mask (`trộm vía`) does not count, nor one that is denied. The cues
//! speak for the heaviest, except that a graver act against a person comes before
//! what it was done for. With all other signs of [`kinds`] they decide the categories.

use crate::domain::reading::Category;
use crate::text::Page;
use crate::text::kinds;
use crate::text::lexicon::{Hit, State, What};
use crate::text::place::PlaceWord;
use crate::text::token::Case;

/// Below this a text tells of nothing.
pub const TOLD: u16 = 3;
/// No phrase has more tokens than this.
const REACH: usize = 16;
/// Tokens of a cue at most, with what may stand between its words.
const LONGEST_CUE: usize = 20;
/// One decisive cue.
pub const CLEAR: u16 = 8;
/// A second kind of incident is told beside the first when its signs weigh more than this, in parts of
/// [`kinds::UNIT`]. Tried on messages of other hands.
const BESIDE: i32 = 10;
/// What is told by no cue weighs so much more than "other".
const CLEARLY: i32 = 40;
/// Kinds of incident in one message, at most.
const MOST: usize = 3;
/// What a hashtag weighs: more than one decisive cue, less than two.
const TAGGED: u16 = 10;

/// The weights of all categories in a piece of text.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// Weight by category, in the order of [`Category::ALL`].
    pub weights: [u16; 20],
    /// The cues that count.
    pub cues: Vec<Hit>,
}

impl Scores {
    /// The weight of a category.
    pub fn of(&self, category: Category) -> u16 {
        self.weights.get(category as usize).copied().unwrap_or(0)
    }

    /// The greatest weight.
    pub fn best(&self) -> u16 {
        self.weights.iter().copied().max().unwrap_or(0)
    }
}

/// Adds up the cues among tokens `from..to`.
pub fn score(page: &Page<'_>, from: usize, to: usize) -> Scores {
    let mut scores = Scores::default();
    let mut counted_until = [0_usize; 20];
    let others = &page.against;
    let mut first = 0;
    for hit in &page.cues {
        if hit.from < from || hit.to > to {
            continue;
        }
        let hit = *hit;
        while others
            .get(first)
            .is_some_and(|other| other.from + REACH < hit.from)
        {
            first += 1;
        }
        let near = others.get(first..).unwrap_or(&[]);
        let near = near
            .get(..near.partition_point(|other| other.from <= hit.from + REACH))
            .unwrap_or(&[]);
        let What::Cue(category, weight) = hit.what else {
            continue;
        };
        let index = category as usize;
        let Some(until) = counted_until.get_mut(index) else {
            continue;
        };
        if hit.from < *until
            || named(page, hit)
            || covered(page, hit, near)
            || denied(page, hit, near)
        {
            continue;
        }
        *until = hit.to;
        if let Some(sum) = scores.weights.get_mut(index) {
            // The same thing said three times is not three times as true.
            *sum = if *sum >= 16 {
                *sum + 1
            } else {
                *sum + u16::from(weight)
            };
        }
        scores.cues.push(hit);
    }
    add_frames(page, from, to, &mut scores);
    scores
}

/// Adds what frames tell beyond the cues inside them.
fn add_frames(page: &Page<'_>, from: usize, to: usize, scores: &mut Scores) {
    let others = &page.against;
    let cues = scores.cues.len();
    let mut until = [0_usize; 20];
    for hit in &page.frames {
        let What::Frame(category, weight) = hit.what else {
            continue;
        };
        let Some(until) = until.get_mut(category as usize) else {
            continue;
        };
        // What is told already need not be told again; this also bounds the work on a flood of words.
        let told = scores.of(category) >= 16;
        if told || hit.from < from || hit.to > to || hit.from < *until {
            continue;
        }
        let near = others.partition_point(|other| other.from + REACH < hit.from);
        let near = others.get(near..).unwrap_or(&[]);
        let near = near
            .get(..near.partition_point(|other| other.from <= hit.from))
            .unwrap_or(&[]);
        if denied(page, *hit, near) {
            continue;
        }
        // The cues stand by their first tokens, so those inside a frame are near each other.
        let told = scores.cues.get(..cues).unwrap_or(&[]);
        let first = told.partition_point(|cue| cue.from + LONGEST_CUE < hit.from);
        let last = told.partition_point(|cue| cue.from < hit.to);
        let inside = told.get(first..last).unwrap_or(&[]);
        let inside = inside.iter().filter_map(|cue| match cue.what {
            What::Cue(other, weight) if other == category => {
                (cue.from < hit.to && cue.to > hit.from).then_some(weight)
            }
            _ => None,
        });
        let more = weight.saturating_sub(inside.max().unwrap_or(0));
        if more == 0 {
            continue;
        }
        *until = hit.to;
        if let Some(sum) = scores.weights.get_mut(category as usize) {
            *sum += u16::from(more);
        }
        scores.cues.push(Hit {
            what: What::Frame(category, more),
            ..*hit
        });
    }
}

/// A single word with a capital inside a sentence is a name: `dốc Ba Dao`.
fn named(page: &Page<'_>, hit: Hit) -> bool {
    let title = |at: usize| {
        page.tokens
            .get(at)
            .is_some_and(|token| token.case == Case::Title)
    };
    page.cased
        && hit.to - hit.from == 1
        && hit.from > 0
        && title(hit.from)
        && page
            .tokens
            .get(hit.from)
            .is_some_and(|token| matches!(token.before, ' ' | '-'))
        && (title(hit.from - 1) || title(hit.to))
}

fn covered(page: &Page<'_>, hit: Hit, near: &[Hit]) -> bool {
    near.iter().any(|other| {
        let covers = other.from <= hit.from && other.to >= hit.to;
        match other.what {
            What::Mask => covers,
            // "Bãi Cháy" is a town.
            // "lan can cầu Bãi Cháy" is no "lán cháy" either.
            What::Place(PlaceWord::Known) if other.to - other.from > 1 => {
                let touches = |at: usize| (other.from..other.to).contains(&at);
                (covers || page.cased && (touches(hit.from) || touches(hit.to - 1)))
                    && (page.is_capital(other.from) || !page.cased)
            }
            // The weapon of a fight is told by the fight's own words.
            What::Cue(..)
                if matches!(hit.what, What::Cue(Category::IllegalExplosivesWeapons, _)) =>
            {
                false
            }
            What::Cue(..) => covers && other.to - other.from > hit.to - hit.from,
            _ => false,
        }
    })
}

fn denied(page: &Page<'_>, hit: Hit, near: &[Hit]) -> bool {
    near.iter().any(|other| {
        other.what == What::State(State::Negate)
            && other.to == hit.from
            && other.from < hit.from
            // "cam ma tau" without marks is "cầm mã tấu", not "cấm".
            && !page
                .hits_at(other.from)
                .iter()
                .any(|cue| matches!(cue.what, What::Cue(..)) && cue.to >= hit.to)
    }) && page
        .tokens
        .get(hit.from)
        .is_some_and(|token| !token.breaks())
}

use Category as C;

/// The first is filed before the second when both are clear.
const GRAVER: &[(Category, Category)] = &[
    (C::Robbery, C::Theft),
    (C::Robbery, C::SuspiciousPerson),
    (C::Robbery, C::DisorderFight),
    (C::Robbery, C::IllegalExplosivesWeapons),
    (C::Robbery, C::Traffic),
    (C::DomesticViolence, C::DisorderFight),
    (C::DomesticViolence, C::HouseholdDispute),
    (C::DomesticViolence, C::IllegalExplosivesWeapons),
    (C::DomesticViolence, C::EnvironmentNoise),
    (C::DisorderFight, C::IllegalExplosivesWeapons),
    (C::DisorderFight, C::EnvironmentNoise),
    (C::DisorderFight, C::UrbanOrder),
    (C::Theft, C::SuspiciousPerson),
    (C::Theft, C::Animal),
    (C::Theft, C::Other),
    (C::Robbery, C::Other),
    (C::Drugs, C::SuspiciousPerson),
    (C::Gambling, C::SuspiciousPerson),
    (C::Fire, C::EnvironmentNoise),
    (C::Fire, C::Other),
    (C::Animal, C::Traffic),
    (C::FraudScam, C::SuspiciousPerson),
    (C::Robbery, C::MissingPerson),
    (C::Theft, C::EnvironmentNoise),
    (C::Theft, C::MissingPerson),
    (C::Prostitution, C::EnvironmentNoise),
    (C::Prostitution, C::Residence),
    (C::Drugs, C::EnvironmentNoise),
    (C::Drugs, C::Residence),
    (C::Gambling, C::EnvironmentNoise),
    (C::DomesticViolence, C::Other),
    (C::DomesticViolence, C::MissingPerson),
    (C::CounterfeitSmuggling, C::Animal),
    (C::Animal, C::HouseholdDispute),
    (C::DisorderFight, C::Traffic),
];

/// The first is filed however much is told of the second: what a man does who is out of his mind
/// through drugs.
const CAUSES: &[(Category, Category)] = &[(C::Drugs, C::DisorderFight)];

/// The weights of the cues and of what the hashtags name.
pub fn weights(scores: &Scores, tags: &[Option<Category>]) -> [u16; 20] {
    let mut weights = scores.weights;
    for category in tags.iter().flatten() {
        if let Some(weight) = weights.get_mut(*category as usize) {
            *weight += TAGGED;
        }
    }
    weights
}

/// The category that the cues and what the hashtags name speak for.
pub fn decide(scores: &Scores, tags: &[Option<Category>]) -> Category {
    let weights = weights(scores, tags);
    let of = |category: Category| weights.get(category as usize).copied().unwrap_or(0);
    let mut primary = Category::Other;
    for category in Category::ALL {
        let more = of(*category) > of(primary);
        // "Other" is what is left when nothing else is told.
        if more || primary == Category::Other && of(*category) == of(primary) {
            primary = *category;
        }
    }
    if of(primary) < TOLD {
        return Category::Other;
    }
    let clear = |other: &Category| *other != primary && scores.of(*other) >= CLEAR;
    if !Category::ALL.iter().any(clear) {
        return primary;
    }
    for _ in 0..2 {
        for (graver, lesser) in GRAVER {
            if primary == *lesser && scores.of(*graver) >= CLEAR && 2 * of(*graver) >= of(*lesser) {
                primary = *graver;
            }
        }
    }
    for (cause, act) in CAUSES {
        if primary == *act && scores.of(*cause) >= CLEAR {
            primary = *cause;
        }
    }
    primary
}

/// The categories that all signs together speak for, the primary one first.
pub fn told(weights: &[i32; kinds::COLUMNS]) -> Vec<Category> {
    let of = |category: Category| weights.get(category as usize).copied().unwrap_or(0);
    let mut all = Vec::with_capacity(MOST);
    while all.len() < MOST {
        let others = Category::ALL.iter().filter(|one| !all.contains(*one));
        let heaviest = others.reduce(|one, other| if of(*other) > of(*one) { other } else { one });
        match heaviest {
            Some(next) if all.is_empty() || of(*next) > BESIDE => all.push(*next),
            _ => break,
        }
    }
    all
}

/// The same where no cue outside the hashtags names a kind: words alone must speak clearly against what a
/// hashtag names, or for anything at all where none does.
pub fn told_by_words(weights: &[i32; kinds::COLUMNS], named: Option<Category>) -> Vec<Category> {
    let of = |category: Category| weights.get(category as usize).copied().unwrap_or(0);
    let (kind, clearly) = named.map_or((Category::Other, CLEARLY), |named| (named, 2 * CLEARLY));
    let mut all = told(weights);
    if all
        .first()
        .is_some_and(|first| of(*first) - of(kind) <= clearly)
    {
        all = vec![kind];
    }
    all
}

/// The second is a part of the telling of the first, or the first of the second.
pub fn belongs(one: Category, other: Category) -> bool {
    tells(one, other) || tells(other, one)
}

/// Words that belong to the telling of the first are no second incident.
fn tells(primary: Category, other: Category) -> bool {
    matches!(
        (primary, other),
        (
            C::Theft,
            C::SuspiciousPerson | C::Animal | C::Robbery | C::MissingPerson | C::Other
        ) | (
            C::Drugs,
            C::SuspiciousPerson | C::Fire | C::EnvironmentNoise
        ) | (C::Gambling | C::Prostitution, C::SuspiciousPerson)
            | (C::IllegalExplosivesWeapons, C::FraudScam | C::Traffic)
            | (
                C::Robbery,
                C::Theft | C::SuspiciousPerson | C::Traffic | C::DisorderFight
            )
            | (C::DomesticViolence, C::DisorderFight | C::HouseholdDispute)
            | (C::DisorderFight, C::HouseholdDispute | C::DomesticViolence)
            | (C::Fire, C::EnvironmentNoise | C::Other | C::Traffic)
            | (C::Traffic, C::Other | C::UrbanOrder | C::Fire)
            | (C::Animal, C::Traffic | C::Fire)
            | (C::Prostitution, C::EnvironmentNoise | C::Residence)
            | (C::FraudScam, C::SuspiciousPerson | C::CounterfeitSmuggling)
            | (C::MissingPerson, C::SuspiciousPerson | C::Other)
            | (C::Other, C::Traffic)
    )
}
