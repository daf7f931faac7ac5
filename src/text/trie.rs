//! The trie of phrases: every known phrase in a text, found in one pass over its tokens.
//!
//! An inner node is a folded word, so phrases that differ only in marks end at one node, and the marks
//! decide between them there. While phrases are added it is a tree of growing lists ([`Growth`]); to be
//! read it is laid out flat ([`Trie`]), because following a phrase is a few look-ups in a few arrays
//! for every word of every message.

use crate::text::lexicon::{Hit, What};
use crate::text::token::{Marks, Token};

/// Words between the parts of a phrase with `..`, at most.
const GAP: usize = 3;
/// Words of a phrase, at most.
pub(super) const LONGEST: usize = 12;

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
    /// By word, sorted.
    next: Vec<(u32, u32)>,
    /// The node behind a `..`.
    gap: u32,
}

/// The trie while phrases are added.
#[derive(Debug)]
pub(super) struct Growth {
    root: Vec<u32>,
    nodes: Vec<Growing>,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            root: Vec::new(),
            nodes: vec![Growing::default()],
        }
    }
}

impl Growth {
    /// Adds a phrase: its words between `..`, each with the marks it is written with.
    pub(super) fn add(&mut self, parts: &[Vec<(u32, Marks)>], exact: bool, what: What) {
        let mut node = 0;
        for (n, words) in parts.iter().enumerate() {
            if n > 0 {
                node = self.gap(node);
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

    fn new_node(&mut self) -> u32 {
        self.nodes.push(Growing::default());
        count(self.nodes.len() - 1)
    }

    fn gap(&mut self, node: u32) -> u32 {
        match self.nodes.get(node as usize).map_or(0, |node| node.gap) {
            0 => {
                let made = self.new_node();
                if let Some(node) = self.nodes.get_mut(node as usize) {
                    node.gap = made;
                }
                made
            }
            gap => gap,
        }
    }

    fn step(&mut self, node: u32, word: u32) -> u32 {
        if node == 0 {
            let at = word as usize;
            if self.root.len() <= at {
                self.root.resize(at + 1, 0);
            }
            if self.root[at] == 0 {
                self.root[at] = self.new_node();
            }
            return self.root[at];
        }
        let place = match self.nodes.get(node as usize) {
            Some(node) => node.next.binary_search_by_key(&word, |(word, _)| *word),
            None => return 0,
        };
        match place {
            Ok(at) => self.nodes[node as usize].next[at].1,
            Err(at) => {
                let made = self.new_node();
                self.nodes[node as usize].next.insert(at, (word, made));
                made
            }
        }
    }

    /// Lays the phrases out to be read.
    pub(super) fn finish(self) -> Trie {
        let mut trie = Trie {
            root: self.root.into(),
            ..Trie::default()
        };
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let (mut edges, mut patterns, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        for node in self.nodes {
            let from = (count(edges.len()), count(patterns.len()));
            let likely = node.next.iter().fold(0, |all, (word, _)| all | bit(*word));
            edges.extend(node.next);
            for phrase in node.found {
                patterns.push(Pattern {
                    marks: count(marks.len()),
                    first: phrase.marks.first().copied().unwrap_or_default(),
                    exact: phrase.exact,
                    what: phrase.what,
                });
                marks.extend(phrase.marks);
            }
            nodes.push(Node {
                edges: (from.0, count(edges.len())),
                patterns: (from.1, count(patterns.len())),
                gap: node.gap,
                likely,
            });
        }
        trie.nodes = nodes.into();
        trie.edges = edges.into();
        trie.patterns = patterns.into();
        trie.marks = marks.into();
        trie
    }
}

/// Fewer than four billion of anything are in a lexicon.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn bit(word: u32) -> u64 {
    1 << (word % 64)
}

#[derive(Debug)]
struct Pattern {
    /// The first of its marks in [`Trie::marks`]; there are as many as words on the way here.
    marks: u32,
    /// That one again: most phrases that do not fit fail at their first word.
    first: Marks,
    exact: bool,
    what: What,
}

#[derive(Debug, Default)]
struct Node {
    /// Words that may follow: `from..to` in [`Trie::edges`], by word.
    edges: (u32, u32),
    /// The phrases that end here: `from..to` in [`Trie::patterns`].
    patterns: (u32, u32),
    /// The node behind a `..`, 0 for none.
    gap: u32,
    /// A bit for each word that may follow: most words that do not are turned away by it.
    likely: u64,
}

/// All phrases, laid out to be read.
#[derive(Debug, Default)]
pub(super) struct Trie {
    /// By word: the node of the phrases that begin with it, 0 for none.
    root: Box<[u32]>,
    nodes: Box<[Node]>,
    edges: Box<[(u32, u32)]>,
    patterns: Box<[Pattern]>,
    marks: Box<[Marks]>,
}

impl Trie {
    /// Back to where phrases can be added.
    pub(super) fn grow(self) -> Growth {
        let mut found: Vec<Vec<Phrase>> = Vec::new();
        for node in &self.nodes {
            let patterns = slice(&self.patterns, node.patterns);
            let next = self.patterns.get(node.patterns.1 as usize);
            let end = next.map_or(self.marks.len(), |next| next.marks as usize);
            let first = patterns.first().map_or(end, |first| first.marks as usize);
            let words = (end - first) / patterns.len().max(1);
            let phrase = |pattern: &Pattern| {
                let from = pattern.marks as usize;
                let marks = self.marks.get(from..from + words).unwrap_or(&[]);
                Phrase {
                    marks: marks.into(),
                    exact: pattern.exact,
                    what: pattern.what,
                }
            };
            found.push(patterns.iter().map(phrase).collect());
        }
        let nodes = self.nodes.iter().zip(found).map(|(node, found)| Growing {
            found,
            next: slice(&self.edges, node.edges).to_vec(),
            gap: node.gap,
        });
        let mut growth = Growth {
            nodes: nodes.collect(),
            root: self.root.into_vec(),
        };
        if growth.nodes.is_empty() {
            growth = Growth::default();
        }
        growth
    }

    /// How many phrases there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Finds every phrase in the tokens, by start, shorter before longer.
    ///
    /// `loose`: the message has so few marks that an unmarked word may be any word.
    pub(super) fn find(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        let mut walk = Walk::new(self, tokens, loose, hits);
        for (from, token) in tokens.iter().enumerate() {
            walk.from(from, token);
        }
    }

    /// Finds every phrase that starts at the first token.
    pub(super) fn find_first(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        if let Some(first) = tokens.first() {
            Walk::new(self, tokens, loose, hits).from(0, first);
        }
    }

    fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize)
    }
}

fn slice<T>(all: &[T], (from, to): (u32, u32)) -> &[T] {
    all.get(from as usize..to as usize).unwrap_or(&[])
}

/// Following phrases from one token.
struct Walk<'a> {
    trie: &'a Trie,
    tokens: &'a [Token],
    loose: bool,
    from: usize,
    /// The marks of the tokens on the way.
    marks: [Marks; LONGEST],
    hits: &'a mut Vec<Hit>,
}

impl<'a> Walk<'a> {
    fn new(trie: &'a Trie, tokens: &'a [Token], loose: bool, hits: &'a mut Vec<Hit>) -> Self {
        Self {
            trie,
            tokens,
            loose,
            from: 0,
            marks: [Marks::default(); LONGEST],
            hits,
        }
    }

    fn from(&mut self, from: usize, token: &Token) {
        // No phrase begins with word 0, the unknown one.
        if let Some(node) = self.trie.root.get(token.word as usize)
            && *node != 0
        {
            self.from = from;
            self.marks[0] = token.marks;
            self.on(*node, 1, from + 1);
        }
    }

    /// `depth` words lead to a node, the last of them before token `end`.
    fn on(&mut self, node: u32, depth: usize, end: usize) {
        let trie = self.trie;
        let Some(node) = trie.node(node) else {
            return;
        };
        if node.patterns.0 < node.patterns.1 {
            self.accept(node, depth, end);
        }
        if node.edges.0 < node.edges.1 {
            self.follow(node, depth, end);
        }
        if node.gap != 0
            && let Some(after_gap) = trie.node(node.gap)
        {
            for at in end..=end + GAP {
                if self.tokens.get(at).is_none_or(Token::breaks) {
                    break;
                }
                self.follow(after_gap, depth, at);
            }
        }
    }

    fn follow(&mut self, node: &Node, depth: usize, at: usize) {
        let Some(token) = self.tokens.get(at) else {
            return;
        };
        if node.likely & bit(token.word) == 0 || token.word == 0 || token.breaks() {
            return;
        }
        let edges = slice(&self.trie.edges, node.edges);
        if let Ok(found) = edges.binary_search_by_key(&token.word, |(word, _)| *word)
            && let Some((_, child)) = edges.get(found)
            && let Some(marks) = self.marks.get_mut(depth)
        {
            *marks = token.marks;
            self.on(*child, depth + 1, at + 1);
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

    fn accept(&mut self, node: &Node, depth: usize, to: usize) {
        let first = self.hits.len();
        let typed = self.marks.get(..depth).unwrap_or(&[]);
        // Words that stand apart say less for each other.
        let gaps = to - self.from > depth;
        let mut best = Fit::Within;
        for pattern in slice(&self.trie.patterns, node.patterns) {
            let same = self.marks[0] == pattern.first;
            // One word alone must have its marks, unless any word may lack them.
            if !same && (depth == 1 && !self.loose || !self.marks[0].within(pattern.first)) {
                continue;
            }
            let fit = if same && depth == 1 {
                Some(Fit::Exact)
            } else {
                let from = pattern.marks as usize;
                let full = self.trie.marks.get(from..from + depth).unwrap_or(&[]);
                let exact = pattern.exact || gaps && !self.loose;
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
            if fit == best || self.loose {
                self.hits.push(Hit {
                    from: self.from,
                    to,
                    what: pattern.what,
                });
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Within,
    Exact,
}

/// How well words typed with some marks fit a phrase written with all of its own.
fn fit(typed: &[Marks], full: &[Marks], exact: bool, loose: bool) -> Option<Fit> {
    let mut bare = 0;
    let mut marked = false;
    for (typed, full) in typed.iter().zip(full) {
        if typed == full {
            marked |= !full.none();
        } else if typed.within(*full) && (loose || typed.none()) {
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
