//! Frames: what is told by words of certain classes that follow each other, whatever the words.
//!
//! Nobody can list every way to say that a thing was taken: `bẻ cổ con SH`, `hái sạch hai
//! vườn ổi`, `tháo nốt cái máy bơm` all are a taking followed by goods. A frame of
//! `config/lexicon/frames.toml` says so once, `<take> <goods>`, and classes of
//! `config/lexicon/classes.toml` say which words take and which are goods.
//!
//! Without marks a word of one syllable may be another (`bo` is `bò`, `bố`, `bỏ`), so a frame
//! counts for less with each such part.
//!
//! The parts stand in order, in one sentence, with at most a few words between two of them.
//! Time is in proportion to the phrases found: only the last place of each class is kept.

use serde::{Deserialize, Serialize};

use crate::domain::reading::Category;
use crate::text::lexicon::what::by_id;
use crate::text::lexicon::{Hit, What};
use crate::text::token::{Case, Token};

/// Words between two parts of a frame, at most.
const GAP: usize = 7;
/// The same where the frame says `..`.
const WIDE: usize = 16;
/// Classes there can be.
const CLASSES: usize = 224;

/// So many frames are put in their places one by one; more are sorted in.
const FEW: usize = 8;

/// A class that a text shows: tokens `from..to` are of it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The number of the class.
    pub class: u8,
    /// First token.
    pub from: usize,
    /// The token after the last.
    pub to: usize,
    /// One syllable without marks.
    pub bare: bool,
}

/// Where a class was last seen.
#[derive(Debug, Clone, Copy)]
struct Last {
    from: u32,
    to: u32,
    /// One syllable without marks.
    bare: bool,
}

impl Last {
    fn never(&self) -> bool {
        self.from == NEVER.from
    }
}

/// Nowhere.
const NEVER: Last = Last {
    from: u32::MAX,
    to: 0,
    bare: false,
};

/// The weight of a frame of whose parts some are not sure to be what they look like.
fn lowered(weight: u8, unsure: usize) -> u8 {
    match (weight, unsure) {
        (_, 0) => weight,
        (8.., 1) => 5,
        (5.., 1) | (8.., 2) => 3,
        _ => 0,
    }
}

/// A word with a capital beside another is a name: `khu Sao Giả`.
fn is_name(tokens: &[Token], hit: &Hit) -> bool {
    let title = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| token.case == Case::Title)
    };
    let inside = tokens
        .get(hit.from)
        .is_some_and(|token| token.before == ' ');
    title(hit.from) && inside && (hit.from > 0 && title(hit.from - 1) || title(hit.from + 1))
}

#[derive(Debug, Serialize, Deserialize)]
struct Frame {
    /// The classes before the last, from right to left, each with the words that may follow it.
    before: Box<[(u8, usize)]>,
    /// The first of them again: most frames end there.
    nearest: Option<u8>,
    #[serde(with = "by_id")]
    category: Category,
    weight: u8,
}

/// All classes and frames.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Frames {
    names: Vec<String>,
    /// Whether a class has words.
    filled: Vec<bool>,
    /// By their last class.
    frames: Vec<Vec<Frame>>,
    /// By their last class: the classes one of which must have been seen right before it.
    nearest: Vec<Classes>,
}

/// A set of classes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Classes([u64; CLASSES.div_ceil(64)]);

impl Classes {
    fn add(&mut self, class: u8) {
        if let Some(bits) = self.0.get_mut(usize::from(class / 64)) {
            *bits |= 1 << (class % 64);
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, two)| one & two != 0)
    }
}

impl Frames {
    /// The number of a class by its name.
    ///
    /// # Errors
    /// There are too many classes.
    pub fn class(&mut self, name: &str) -> Result<u8, &'static str> {
        let known = self.names.iter().position(|known| known == name);
        let at = known.unwrap_or(self.names.len());
        if at >= CLASSES {
            return Err("too many classes");
        }
        if known.is_none() {
            self.names.push(name.to_owned());
            self.frames.push(Vec::new());
            self.nearest.push(Classes::default());
            self.filled.push(false);
        }
        u8::try_from(at).map_err(|_| "too many classes")
    }

    /// Notes that a class has words.
    pub fn fill(&mut self, class: u8) {
        if let Some(filled) = self.filled.get_mut(usize::from(class)) {
            *filled = true;
        }
    }

    /// A class that frames name and no word belongs to.
    pub fn empty_class(&self) -> Option<&str> {
        let at = self.filled.iter().position(|filled| !filled)?;
        self.names.get(at).map(String::as_str)
    }

    /// Adds a frame written as `<take> <goods>`, or `<lend> .. <pawn>` when the parts may be far apart.
    ///
    /// # Errors
    /// It is not written so.
    pub fn add(&mut self, text: &str, category: Category, weight: u8) -> Result<(), &'static str> {
        let mut classes: Vec<(u8, usize)> = Vec::new();
        for part in text.split_whitespace() {
            if part == ".." {
                classes.last_mut().ok_or("a frame begins with a class")?.1 = WIDE;
                continue;
            }
            let name = part
                .strip_prefix('<')
                .and_then(|rest| rest.strip_suffix('>'))
                .ok_or("a frame is of classes only, `<take> <goods>`")?;
            classes.push((self.class(name)?, GAP));
        }
        let (last, _) = classes.pop().ok_or("a frame needs a class")?;
        classes.reverse();
        if let Some(nearest) = self.nearest.get_mut(usize::from(last)) {
            match classes.first() {
                Some((class, _)) => nearest.add(*class),
                // Told by one class alone.
                None => *nearest = Classes([u64::MAX; _]),
            }
        }
        if let Some(frames) = self.frames.get_mut(usize::from(last)) {
            frames.push(Frame {
                nearest: classes.first().map(|(class, _)| *class),
                before: classes.into(),
                category,
                weight,
            });
        }
        Ok(())
    }

    /// Adds the frames told by the phrases found so far; `hits` are and stay in order of their start.
    /// `classes` gets every class of words seen on the way.
    pub fn find(
        &self,
        tokens: &[Token],
        cased: bool,
        hits: &mut Vec<Hit>,
        classes: &mut Vec<Seen>,
    ) {
        let mut last = [NEVER; CLASSES];
        let mut known = Classes::default();
        let (mut sentence, mut seen) = (0, 0);
        // Where the longest phrase that began before this one ends.
        let mut covered = 0;
        let mut found = Vec::new();
        // The phrases that begin at one token.
        let mut group = Vec::with_capacity(FEW);
        let counts = |hit: &&Hit| matches!(hit.what, What::Class { .. } | What::Mask);
        let mut phrases = hits.iter().filter(counts).peekable();
        while let Some(first) = phrases.next() {
            group.clear();
            group.push(*first);
            while let Some(next) = phrases.next_if(|next| next.from == first.from) {
                group.push(*next);
            }
            let longest = group.iter().map(|hit| hit.to).max().unwrap_or(0);
            for hit in &group {
                let What::Class { class, syllable } = hit.what else {
                    continue;
                };
                // "xe đạp" before "đạp", "máy khoan" before "khoan".
                if hit.to <= covered || hit.to < longest || cased && is_name(tokens, hit) {
                    continue;
                }
                while seen <= hit.from {
                    if tokens.get(seen).is_some_and(Token::starts_sentence) {
                        sentence = seen;
                    }
                    seen += 1;
                }
                let token = tokens.get(hit.from);
                let bare = syllable && token.is_some_and(|token| token.marks.none());
                classes.push(Seen {
                    class,
                    from: hit.from,
                    to: hit.to,
                    bare,
                });
                // One class alone needs no other before it.
                known.add(class);
                let at = usize::from(class);
                if self.nearest.get(at).is_some_and(|near| near.meets(&known)) {
                    let frames = self.frames.get(at).into_iter().flatten();
                    let told = frames.filter_map(|frame| frame.told(hit, bare, sentence, &last));
                    found.extend(told);
                }
                if let Some(last) = last.get_mut(usize::from(class)) {
                    let narrow = |at: usize| u32::try_from(at).unwrap_or(NEVER.from);
                    *last = Last {
                        from: narrow(hit.from),
                        to: narrow(hit.to),
                        bare,
                    };
                }
            }
            covered = covered.max(longest);
        }
        if found.len() > FEW {
            hits.append(&mut found);
            hits.sort_by_key(|hit| hit.from);
        }
        for frame in found {
            let at = hits.partition_point(|hit| hit.from <= frame.from);
            hits.insert(at, frame);
        }
    }
}

impl Frame {
    /// What the frame tells when its last part is `hit`, in the sentence that begins at a token.
    fn told(&self, hit: &Hit, bare: bool, sentence: usize, last: &[Last]) -> Option<Hit> {
        let seen = |class: u8| {
            let seen = last.get(usize::from(class));
            seen.filter(|seen| !seen.never())
        };
        if self.nearest.is_some_and(|class| seen(class).is_none()) {
            return None;
        }
        let mut from = hit.from;
        let mut unsure = usize::from(bare);
        for (class, gap) in &self.before {
            let seen = seen(*class)?;
            let (start, end) = (seen.from as usize, seen.to as usize);
            if start < sentence || end > from || from - end > *gap {
                return None;
            }
            from = start;
            unsure += usize::from(seen.bare);
        }
        let weight = lowered(self.weight, unsure);
        (weight > 0).then_some(Hit {
            from,
            to: hit.to,
            what: What::Frame(self.category, weight),
        })
    }
}
