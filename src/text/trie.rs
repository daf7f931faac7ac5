//! The trie of phrases: every known phrase in a text, found in one pass over its tokens.
//!
//! An inner node is a folded word, so phrases that differ only in marks end at one node, and the marks
//! decide between them there. While phrases are added it is a tree of growing lists ([`Growth`]); to be
//! read it is laid out flat ([`Trie`]), because following a phrase is a few look-ups in a few tables
//! for every word of every message.
//!
//! Nodes are numbered level by level, so the children of one stand side by side, and those of the next
//! node behind them.
//!
//! What a deployment adds to the phrases of the lexicon is a trie of its own, and both are followed at
//! once ([`Phrases`]): phrases of both that end at one place are judged together.

use std::collections::HashMap;

use crate::text::lexicon::table::{Pass, Table, narrow};
use crate::text::lexicon::{Hit, What};
use crate::text::token::{Marks, Token};

/// Words between the parts of a phrase with `..`, at most.
const GAP: usize = 3;
/// Words of a phrase, at most.
pub(crate) const LONGEST: usize = 12;
/// Numbers of words, which begin with 1, are below it: it stands for a `..` where a word could.
pub(crate) const WORDS: u32 = u16::MAX as u32;

/// A phrase: what its words' marks must be, and what it is.
#[derive(Debug)]
struct Phrase {
    marks: Box<[Marks]>,
    exact: bool,
    what: What,
}

/// A node while phrases are added; 0 is the root, and as a link means none.
#[derive(Debug, Default)]
struct Growing {
    found: Vec<Phrase>,
    /// By word, sorted; [`WORDS`] for the node behind a `..`.
    next: Vec<(u32, u32)>,
}

/// The trie while phrases are added.
#[derive(Debug)]
pub(crate) struct Growth {
    nodes: Vec<Growing>,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            nodes: vec![Growing::default()],
        }
    }
}

impl Growth {
    /// Adds a phrase: its words between `..`, each with the marks it is written with.
    pub(crate) fn add(&mut self, parts: &[Vec<(u32, Marks)>], exact: bool, what: What) {
        let mut node = 0;
        for (n, words) in parts.iter().enumerate() {
            if n > 0 {
                node = self.step(node, WORDS);
            }
            for (word, _) in words {
                node = self.step(node, *word);
            }
        }
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.found.push(Phrase {
                marks: parts.iter().flatten().map(|(_, marks)| *marks).collect(),
                exact,
                what,
            });
        }
    }

    fn step(&mut self, node: u32, word: u32) -> u32 {
        let made = narrow(self.nodes.len());
        let Some(next) = self.nodes.get_mut(node as usize).map(|node| &mut node.next) else {
            return 0;
        };
        match next.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(at) => next[at].1,
            Err(at) => {
                next.insert(at, (word, made));
                self.nodes.push(Growing::default());
                made
            }
        }
    }

    /// Lays the phrases out to be read.
    pub(crate) fn finish(self) -> Trie {
        let mut whats: Vec<What> = Vec::new();
        let mut numbers: HashMap<What, u16> = HashMap::new();
        let (mut labels, mut nodes) = (vec![[0; 2]], Vec::new());
        let (mut patterns, mut marks) = (Vec::new(), Vec::new());
        // In the order of their numbers: a node's children are put behind all that are waiting.
        let mut level = vec![0];
        let mut at = 0;
        while let Some(node) = level
            .get(at)
            .and_then(|node| self.nodes.get(*node as usize))
        {
            at += 1;
            nodes.push(node_row(level.len(), patterns.len()));
            for (word, child) in &node.next {
                let label = u16::try_from(*word).unwrap_or(u16::MAX);
                labels.push(label.to_le_bytes());
                level.push(*child);
            }
            for phrase in &node.found {
                let what = *numbers.entry(phrase.what).or_insert_with(|| {
                    whats.push(phrase.what);
                    u16::try_from(whats.len() - 1).unwrap_or(EXACT - 1)
                });
                let exact = if phrase.exact { EXACT } else { 0 };
                let ([a, b, c, d], [e, f]) = (
                    narrow(marks.len()).to_le_bytes(),
                    (what | exact).to_le_bytes(),
                );
                patterns.push([a, b, c, d, e, f]);
                marks.extend(phrase.marks.iter().map(|marks| marks.to_bytes()));
            }
        }
        nodes.push(node_row(level.len(), patterns.len()));
        let first = self.nodes.first().map_or(&[][..], |root| &root.next);
        let words = first.last().map_or(0, |(word, _)| *word as usize + 1);
        let mut roots = vec![0; words];
        for (n, (word, _)) in first.iter().enumerate() {
            if let Some(root) = roots.get_mut(*word as usize) {
                *root = narrow(n + 1);
            }
        }
        Trie {
            roots: roots.into_iter().collect(),
            labels: labels.into(),
            nodes: nodes.into(),
            patterns: patterns.into(),
            marks: marks.into(),
            whats,
        }
    }
}

fn node_row(children: usize, patterns: usize) -> [u8; 8] {
    (u64::from(narrow(children)) | u64::from(narrow(patterns)) << 32).to_le_bytes()
}

/// Set beside the number of what a pattern is, when its marks must be typed exactly. Its number is lower:
/// there are fewer kinds of phrases than categories by weights.
const EXACT: u16 = 1 << 15;

/// All phrases, laid out to be read.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    /// By word: the node of the phrases that begin with it, 0 for none.
    roots: Table<4>,
    /// By node: the word that leads to it, [`WORDS`] when a `..` does.
    labels: Table<2>,
    /// By node: where its children begin among the nodes (4 bytes), and its phrases in `patterns` (4 bytes).
    /// Those of the next node are the end; behind the last node stands one more row.
    nodes: Table<8>,
    /// By phrase: where its marks begin in `marks` (4 bytes; there are as many as words on the way here), and
    /// what it is, in `whats`, with [`EXACT`] (2 bytes).
    patterns: Table<6>,
    marks: Table<3>,
    whats: Vec<What>,
}

impl Trie {
    /// Goes over all of it.
    pub(crate) fn pass(&mut self, image: &mut impl Pass) -> Option<()> {
        image.table(&mut self.roots)?;
        image.table(&mut self.labels)?;
        image.table(&mut self.nodes)?;
        image.table(&mut self.patterns)?;
        image.table(&mut self.marks)?;
        image.value(&mut self.whats)
    }

    /// How many phrases there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.patterns.len()
    }

    fn node(&self, number: u32) -> Option<Node<'_>> {
        if number == 0 {
            return None;
        }
        let [this, next] = self.nodes.rows(number as usize, number as usize + 2) else {
            return None;
        };
        let starts = |row: &[u8; 8]| {
            let both = u64::from_le_bytes(*row);
            #[expect(clippy::cast_possible_truncation, reason = "each half is one number")]
            let halves = (both as u32 as usize, (both >> 32) as usize);
            halves
        };
        let ((children, patterns), (no_child, no_pattern)) = (starts(this), starts(next));
        Some(Node {
            trie: self,
            children: (children, no_child),
            patterns: (patterns, no_pattern),
        })
    }
}

/// A node, with where its children and its phrases begin and end.
struct Node<'a> {
    trie: &'a Trie,
    children: (usize, usize),
    patterns: (usize, usize),
}

impl Node<'_> {
    /// The node behind it for a word, 0 for none.
    fn child(&self, word: u32) -> u32 {
        let (from, to) = self.children;
        let label = |row: &[u8; 2]| u32::from(u16::from_le_bytes(*row));
        let labels = self.trie.labels.rows(from, to);
        match labels.binary_search_by_key(&word, label) {
            Ok(at) => narrow(from + at),
            Err(_) => 0,
        }
    }

    /// The phrases that end here: where their marks begin, and what they are.
    fn patterns(&self) -> impl Iterator<Item = (usize, u16)> {
        let (from, to) = self.patterns;
        let rows = self.trie.patterns.rows(from, to);
        rows.iter().map(|[a, b, c, d, e, f]| {
            let marks = u32::from_le_bytes([*a, *b, *c, *d]);
            (marks as usize, u16::from_le_bytes([*e, *f]))
        })
    }
}

/// The lexicon's phrases, and those that a deployment has added.
#[derive(Debug, Default)]
pub(crate) struct Phrases(pub(crate) [Trie; 2]);

/// A node in each of the tries, 0 where one has none.
type Place = [u32; 2];

impl Phrases {
    /// Finds every phrase in the tokens, by start, shorter before longer.
    ///
    /// `loose`: the message has so few marks that an unmarked word may be any word.
    pub(crate) fn find(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        let mut walk = Walk::new(self, tokens, loose, hits);
        for (from, token) in tokens.iter().enumerate() {
            walk.from(from, token);
        }
    }

    /// Finds every phrase that starts at the first token.
    pub(crate) fn find_first(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        if let Some(first) = tokens.first() {
            Walk::new(self, tokens, loose, hits).from(0, first);
        }
    }
}

/// Following phrases from one token.
struct Walk<'a> {
    tries: [&'a Trie; 2],
    tokens: &'a [Token],
    loose: bool,
    from: usize,
    /// The marks of the tokens on the way.
    marks: [Marks; LONGEST],
    hits: &'a mut Vec<Hit>,
}

impl<'a> Walk<'a> {
    fn new(phrases: &'a Phrases, tokens: &'a [Token], loose: bool, hits: &'a mut Vec<Hit>) -> Self {
        Self {
            tries: phrases.0.each_ref(),
            tokens,
            loose,
            from: 0,
            marks: [Marks::default(); LONGEST],
            hits,
        }
    }

    fn from(&mut self, from: usize, token: &Token) {
        // No phrase begins with word 0, the unknown one.
        let root = |trie: &Trie| trie.roots.number(token.word as usize).unwrap_or(0);
        let place = self.tries.map(root);
        if place != [0; 2] {
            self.from = from;
            self.marks[0] = token.marks;
            self.on(place, 1, from + 1);
        }
    }

    fn nodes(&self, [own, added]: Place) -> [Option<Node<'a>>; 2] {
        [self.tries[0].node(own), self.tries[1].node(added)]
    }

    /// `depth` words lead to a place, the last of them before token `end`.
    fn on(&mut self, place: Place, depth: usize, end: usize) {
        let nodes = self.nodes(place);
        self.accept(&nodes, depth, end);
        let mut inner = nodes.iter().flatten();
        if inner.all(|node| node.children.0 == node.children.1) {
            return;
        }
        self.follow(&nodes, depth, end);
        let behind_gap = step(&nodes, WORDS);
        if behind_gap == [0; 2] {
            return;
        }
        let nodes = self.nodes(behind_gap);
        for at in end..=end + GAP {
            if self.tokens.get(at).is_none_or(Token::breaks) {
                break;
            }
            self.follow(&nodes, depth, at);
        }
    }

    fn follow(&mut self, nodes: &[Option<Node<'_>>; 2], depth: usize, at: usize) {
        let Some(token) = self.tokens.get(at) else {
            return;
        };
        if token.word == 0 || token.breaks() {
            return;
        }
        let place = step(nodes, token.word);
        if place != [0; 2]
            && let Some(marks) = self.marks.get_mut(depth)
        {
            *marks = token.marks;
            self.on(place, depth + 1, at + 1);
        }
    }

    /// One of the words on the way has no marks and three letters at most: in a text with marks "cho" is
    /// not "chở".
    fn short_word(&self, depth: usize) -> bool {
        let words = self.tokens.get(self.from..self.from + depth).unwrap_or(&[]);
        words
            .iter()
            .any(|word| word.marks.none() && word.length < 4)
    }

    fn accept(&mut self, nodes: &[Option<Node<'_>>; 2], depth: usize, to: usize) {
        let first = self.hits.len();
        let typed = self.marks.get(..depth).unwrap_or(&[]);
        // Words that stand apart say less for each other.
        let gaps = to - self.from > depth;
        let mut best = Fit::Within;
        for node in nodes.iter().flatten() {
            for (marks, what) in node.patterns() {
                let full = node.trie.marks.rows(marks, marks + depth);
                let Some(head) = full.first().map(|head| Marks::from_bytes(*head)) else {
                    continue;
                };
                // Most phrases that do not fit fail at their first word.
                let same = typed.first() == Some(&head);
                // One word alone must have its marks, unless any word may lack them.
                if !same && (depth == 1 && !self.loose || !self.marks[0].within(head)) {
                    continue;
                }
                let exact = what & EXACT > 0 || gaps && !self.loose;
                let fit = if same && depth == 1 {
                    Some(Fit::Exact)
                } else {
                    fit(typed, full, exact, self.loose)
                };
                let Some(fit) = fit else {
                    continue;
                };
                if fit == Fit::Within && !self.loose && depth < 3 && self.short_word(depth) {
                    continue;
                }
                // Without marks "bao" may be any word, whoever has a phrase without marks.
                if fit > best && !self.loose {
                    self.hits.truncate(first);
                    best = fit;
                }
                if (fit == best || self.loose)
                    && let Some(what) = node.trie.whats.get(usize::from(what & !EXACT))
                {
                    self.hits.push(Hit {
                        from: self.from,
                        to,
                        what: *what,
                    });
                }
            }
        }
    }
}

/// The place behind some nodes for a word.
fn step(nodes: &[Option<Node<'_>>; 2], word: u32) -> Place {
    let child = |node: &Option<Node<'_>>| node.as_ref().map_or(0, |node| node.child(word));
    nodes.each_ref().map(child)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Within,
    Exact,
}

/// How well words typed with some marks fit a phrase written with all of its own.
fn fit(typed: &[Marks], full: &[[u8; 3]], exact: bool, loose: bool) -> Option<Fit> {
    let mut bare = 0;
    let mut marked = false;
    for (typed, full) in typed.iter().zip(full) {
        let full = Marks::from_bytes(*full);
        if *typed == full {
            marked |= !full.none();
        } else if typed.within(full) && (loose || typed.none()) {
            // In a text with marks "đám" is not "đấm" with one left out, but another word.
            bare += 1;
        } else {
            return None;
        }
    }
    if bare == 0 {
        return Some(Fit::Exact);
    }
    // Among marked words one may lack its marks when another right beside it has them.
    let vague = exact || (!loose && (bare > 1 || !marked));
    (!vague).then_some(Fit::Within)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::token::tokens;

    /// Syllables that fold alike in threes.
    const WORDS: [&str; 9] = [
        "trom", "trộm", "tròm", "xe", "xé", "xẻ", "bao", "báo", "bảo",
    ];

    fn text(words: &[usize], between: &str) -> String {
        let words: Vec<_> = words.iter().map(|word| WORDS[*word]).collect();
        words.join(between)
    }

    /// Numbers words that fold alike alike: "trom" is 1, "xe" 2, "bao" 3.
    fn named(text: &str) -> Vec<Token> {
        let mut tokens = tokens(text);
        for token in &mut tokens {
            let same = |word: &&str| key(word) == token.key;
            let at = WORDS.iter().position(same);
            token.word = at.map_or(0, |at| narrow(at / 3 + 1));
        }
        tokens
    }

    fn key(word: &str) -> u64 {
        tokens(word)[0].key
    }

    proptest! {
        /// Whatever a deployment adds is found as if it had stood in the lexicon.
        #[test]
        fn phrases_in_two_tries_are_found_as_in_one(
            phrases in prop::collection::vec(
                (prop::collection::vec(0..9_usize, 1..4), any::<bool>(), any::<bool>()), 1..40),
            split in 0..40_usize,
            said in prop::collection::vec(0..9_usize, 0..12),
            comma in any::<bool>(),
            loose in any::<bool>(),
        ) {
            let mut one = Growth::default();
            let mut two = [Growth::default(), Growth::default()];
            for (n, (words, gap, exact)) in phrases.iter().enumerate() {
                let path = named(&text(words, " ")).iter().map(|token| (token.word, token.marks)).collect::<Vec<_>>();
                let parts = match path.split_at_checked(1) {
                    Some((head, tail)) if *gap && !tail.is_empty() => vec![head.to_vec(), tail.to_vec()],
                    _ => vec![path],
                };
                let what = What::Number(narrow(n));
                one.add(&parts, *exact, what);
                two[usize::from(n >= split)].add(&parts, *exact, what);
            }
            let text = text(&said, if comma { ", " } else { " " });
            let tokens = named(&text);
            let find = |tries: [Trie; 2]| {
                let mut hits = Vec::new();
                Phrases(tries).find(&tokens, loose, &mut hits);
                hits.iter().map(|hit| (hit.from, hit.to, hit.what)).collect::<Vec<_>>()
            };
            prop_assert_eq!(find([one.finish(), Trie::default()]), find(two.map(Growth::finish)));
        }
    }
}
