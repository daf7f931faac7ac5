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

    /// The node of the phrases that begin with a word.
    fn root(&self, word: u32) -> Option<Node<'_>> {
        let number = self.roots.number(word as usize)?;
        (number > 0).then(|| self.node(number as usize))?
    }

    fn node(&self, number: usize) -> Option<Node<'_>> {
        let [this, next] = self.nodes.rows(number, number + 2) else {
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

/// Children that are looked at one by one.
const FEW: usize = 8;

/// A node, with where its children and its phrases begin and end.
#[derive(Clone, Copy)]
struct Node<'a> {
    trie: &'a Trie,
    children: (usize, usize),
    patterns: (usize, usize),
}

impl<'a> Node<'a> {
    /// The node behind it for a word.
    fn child(&self, word: u32) -> Option<Self> {
        let (from, to) = self.children;
        let label = |row: &[u8; 2]| u32::from(u16::from_le_bytes(*row));
        let labels = self.trie.labels.rows(from, to);
        // Most nodes have a child or two: to look at each is quicker than to search.
        let at = if labels.len() <= FEW {
            labels.iter().position(|row| label(row) == word)?
        } else {
            labels.binary_search_by_key(&word, label).ok()?
        };
        self.trie.node(from + at)
    }

    /// The node behind a `..`, which is the last child: no word has a higher number.
    fn behind_gap(&self) -> Option<Self> {
        let (from, to) = self.children;
        let last = self.trie.labels.rows(from, to).last()?;
        (u32::from(u16::from_le_bytes(*last)) == WORDS).then(|| self.trie.node(to - 1))?
    }

    /// A phrase goes on behind it.
    fn leads_on(self) -> bool {
        self.children.0 < self.children.1
    }

    /// The phrases of `depth` words that end here: their marks, and what they are.
    fn patterns(&self, depth: usize) -> impl Iterator<Item = (&'a [[u8; 3]], u16)> {
        let (from, to) = self.patterns;
        let rows = self.trie.patterns.rows(from, to);
        // Their marks stand in a row.
        let first = rows.first().map_or(0, |[a, b, c, d, ..]| {
            u32::from_le_bytes([*a, *b, *c, *d]) as usize
        });
        let marks = self.trie.marks.rows(first, first + rows.len() * depth);
        let whats = rows.iter().map(|[.., e, f]| u16::from_le_bytes([*e, *f]));
        marks.chunks_exact(depth).zip(whats)
    }
}

/// The lexicon's phrases, and those that a deployment has added.
#[derive(Debug, Default)]
pub(crate) struct Phrases(pub(crate) [Trie; 2]);

impl Phrases {
    /// Finds every phrase in the tokens, by start, shorter before longer.
    ///
    /// `loose`: the message has so few marks that an unmarked word may be any word.
    pub(crate) fn find(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        match self.own() {
            Some(own) => Walk::new([own], tokens, loose, hits).all(),
            None => Walk::new(self.0.each_ref(), tokens, loose, hits).all(),
        }
    }

    /// Finds every phrase that starts at the first token.
    pub(crate) fn find_first(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        let Some(first) = tokens.first() else {
            return;
        };
        match self.own() {
            Some(own) => Walk::new([own], tokens, loose, hits).from(0, first),
            None => Walk::new(self.0.each_ref(), tokens, loose, hits).from(0, first),
        }
    }

    /// The lexicon's, where nothing was added: following one trie takes half as long as following two.
    fn own(&self) -> Option<&Trie> {
        let [own, added] = &self.0;
        (added.roots.len() == 0).then_some(own)
    }
}

/// Following phrases from one token, in `N` tries at once.
struct Walk<'a, const N: usize> {
    tries: [&'a Trie; N],
    tokens: &'a [Token],
    loose: bool,
    from: usize,
    /// The marks of the tokens on the way.
    marks: [Marks; LONGEST],
    hits: &'a mut Vec<Hit>,
}

/// A node in each of the tries, where one has any.
type Nodes<'a, const N: usize> = [Option<Node<'a>>; N];

/// Whether there is any.
fn some<const N: usize>(nodes: &Nodes<'_, N>) -> bool {
    nodes.iter().any(Option::is_some)
}

impl<'a, const N: usize> Walk<'a, N> {
    fn new(tries: [&'a Trie; N], tokens: &'a [Token], loose: bool, hits: &'a mut Vec<Hit>) -> Self {
        Self {
            tries,
            tokens,
            loose,
            from: 0,
            marks: [Marks::default(); LONGEST],
            hits,
        }
    }

    fn all(&mut self) {
        for (from, token) in self.tokens.iter().enumerate() {
            self.from(from, token);
        }
    }

    fn from(&mut self, from: usize, token: &Token) {
        // No phrase begins with word 0, the unknown one.
        if token.word == 0 {
            return;
        }
        let mut nodes = [None; N];
        for (node, trie) in nodes.iter_mut().zip(self.tries) {
            *node = trie.root(token.word);
        }
        if some(&nodes) {
            self.from = from;
            self.marks[0] = token.marks;
            self.on(&nodes, 1, from + 1);
        }
    }

    /// `depth` words lead to some nodes, the last of them before token `end`.
    fn on(&mut self, nodes: &Nodes<'a, N>, depth: usize, end: usize) {
        self.accept(nodes, depth, end);
        if !nodes.iter().any(|node| node.is_some_and(Node::leads_on)) {
            return;
        }
        self.follow(nodes, depth, end);
        let mut behind_gap = [None; N];
        for (behind, node) in behind_gap.iter_mut().zip(nodes) {
            *behind = node.as_ref().and_then(Node::behind_gap);
        }
        if !some(&behind_gap) {
            return;
        }
        for at in end..=end + GAP {
            if self.tokens.get(at).is_none_or(Token::breaks) {
                break;
            }
            self.follow(&behind_gap, depth, at);
        }
    }

    fn follow(&mut self, nodes: &Nodes<'a, N>, depth: usize, at: usize) {
        let Some(token) = self.tokens.get(at) else {
            return;
        };
        if token.word == 0 || token.breaks() {
            return;
        }
        let next = step(nodes, token.word);
        if some(&next)
            && let Some(marks) = self.marks.get_mut(depth)
        {
            *marks = token.marks;
            self.on(&next, depth + 1, at + 1);
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

    fn accept(&mut self, nodes: &Nodes<'a, N>, depth: usize, to: usize) {
        let first = self.hits.len();
        let typed = self.marks.get(..depth).unwrap_or(&[]);
        // Words that stand apart say less for each other.
        let gaps = to - self.from > depth;
        let mut best = Fit::Within;
        for node in nodes {
            let Some(node) = node else {
                continue;
            };
            for (full, what) in node.patterns(depth) {
                let head = Marks::from_bytes(*full.first().unwrap_or(&[0; 3]));
                // Most phrases that do not fit fail at their first word.
                let same = self.marks[0] == head;
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

/// The nodes behind some for a word.
fn step<'a, const N: usize>(nodes: &Nodes<'a, N>, word: u32) -> Nodes<'a, N> {
    let mut next = [None; N];
    for (next, node) in next.iter_mut().zip(nodes) {
        *next = node.as_ref().and_then(|node| node.child(word));
    }
    next
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
