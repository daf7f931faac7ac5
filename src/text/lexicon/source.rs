//! The files of a lexicon: which there are, and what stands in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;

/// The built-in files.
pub(crate) const BUILTIN: &[(&str, &str)] = &[
    (
        "tags.toml",
        include_str!("../../../config/lexicon/tags.toml"),
    ),
    (
        "cues.toml",
        include_str!("../../../config/lexicon/cues.toml"),
    ),
    (
        "classes.toml",
        include_str!("../../../config/lexicon/classes.toml"),
    ),
    (
        "frames.toml",
        include_str!("../../../config/lexicon/frames.toml"),
    ),
    (
        "masks.toml",
        include_str!("../../../config/lexicon/masks.toml"),
    ),
    (
        "state.toml",
        include_str!("../../../config/lexicon/state.toml"),
    ),
    (
        "places.toml",
        include_str!("../../../config/lexicon/places.toml"),
    ),
    (
        "times.toml",
        include_str!("../../../config/lexicon/times.toml"),
    ),
    (
        "words.toml",
        include_str!("../../../config/lexicon/words.toml"),
    ),
];

/// Why a lexicon could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LexiconError {
    /// The directory or a file could not be read.
    #[error("read lexicon {path}")]
    Read {
        /// What was read.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not TOML of the expected shape.
    #[error("parse lexicon {file}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's words, with line and column.
        message: String,
    },
    /// The built-in lexicon is not what the program was built with.
    #[error("the built-in lexicon is damaged: install the program anew")]
    Damaged,
    /// A section, list or phrase means nothing to the reader.
    #[error("lexicon {file}:{line}: {message}")]
    Entry {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

type File = BTreeMap<String, BTreeMap<String, Vec<Spanned<String>>>>;

/// One line of a list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) list: String,
    pub(crate) phrase: String,
    file: String,
    line: usize,
}

impl Entry {
    pub(crate) fn error(&self, message: impl Into<String>) -> LexiconError {
        LexiconError::Entry {
            file: self.file.clone(),
            line: self.line,
            message: message.into(),
        }
    }
}

/// The entries of a file.
///
/// # Errors
/// It is not TOML of the expected shape.
pub(crate) fn parse_file(
    name: &str,
    source: &str,
    entries: &mut Vec<Entry>,
) -> Result<(), LexiconError> {
    let file: File = toml::from_str(source).map_err(|error| LexiconError::Syntax {
        file: name.to_owned(),
        message: error.to_string(),
    })?;
    for (section, lists) in file {
        for (list, phrases) in lists {
            for phrase in phrases {
                let before = source.get(..phrase.span().start).unwrap_or(source);
                let line = before.matches('\n').count() + 1;
                entries.push(Entry {
                    section: section.clone(),
                    list: list.clone(),
                    phrase: phrase.into_inner(),
                    file: name.to_owned(),
                    line,
                });
            }
        }
    }
    Ok(())
}

/// Writes out the alternatives of a phrase.
pub(crate) fn expand(phrase: &str) -> Result<Vec<String>, &'static str> {
    let Some((head, rest)) = phrase.split_once('(') else {
        return if phrase.contains(')') {
            Err("`)` without `(`")
        } else {
            Ok(vec![phrase.to_owned()])
        };
    };
    let (choices, tail) = rest.split_once(')').ok_or("`(` without `)`")?;
    let tails = expand(tail)?;
    let mut all = Vec::new();
    for choice in choices.split('|') {
        for tail in &tails {
            all.push(format!("{head}{choice}{tail}"));
        }
    }
    if all.len() > 2000 {
        Err("too many alternatives")
    } else {
        Ok(all)
    }
}

/// The entries of the `*.toml` files of a directory.
///
/// # Errors
/// The directory or a file cannot be read, or is not TOML of the expected shape.
pub(crate) fn parse_dir(dir: &Path) -> Result<Vec<Entry>, LexiconError> {
    let read_error = |path: &Path| {
        let path = path.to_owned();
        move |source| LexiconError::Read { path, source }
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(read_error(dir))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(read_error(dir))?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    let mut entries = Vec::new();
    for path in paths {
        let source = std::fs::read_to_string(&path).map_err(read_error(&path))?;
        parse_file(&path.display().to_string(), &source, &mut entries)?;
    }
    Ok(entries)
}
