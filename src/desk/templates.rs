//! Alerts that are written already: the words of `config/alerts`, with blanks for what differs.
//!
//! An officer names one by its number or name in the same message that drafts the alert, and fills the
//! blanks in their order; what is left out has its usual words. So `/canhbao mẫu 1` alone is a whole alert.
//!
//! | behind `/canhbao` | means |
//! | --- | --- |
//! | `mẫu` | the list |
//! | `mẫu 1`, `mẫu công an giả` | the template as it is |
//! | `mẫu 1: chiều nay; thôn Trúc` | with two blanks filled |
//! | `mẫu 1: ; thôn Trúc` | with the second filled |
//! | `mẫu giấy mời giả đang lan trên mạng, bà con đừng tin` | no template: an officer's own words |

use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Captures;
use regex::Regex;
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::is_nfc;

use super::words::plain;
use super::words::says_nothing;
use crate::domain::alert::Level;

/// The built-in files.
const BUILTIN: [(&str, &str); 2] = [
    (
        "config/alerts/scams.toml (built in)",
        include_str!("../../config/alerts/scams.toml"),
    ),
    (
        "config/alerts/ward.toml (built in)",
        include_str!("../../config/alerts/ward.toml"),
    ),
];

/// A blank, and the sign behind it with which the sentence goes on.
static BLANK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{([^{}]*)\}([.,; ]?)").expect("it is written right"));

/// The longest name, in letters and in words: it is typed on a telephone.
const NAME_LETTERS: usize = 30;
const NAME_WORDS: usize = 6;

/// The longest title, in letters: the first line of a message, and the large letters of a card.
const TITLE_LETTERS: usize = 80;

/// More words than these behind `mẫu` are a sentence, not a template whose name was mistyped.
const MISTYPED_WORDS: usize = 4;

/// Why templates cannot be used.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The directory or a file cannot be read.
    #[error("reading the alert templates in {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file does not say what it should.
    #[error("{file}, line {line}: {message}")]
    Entry {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what should be there.
        message: String,
    },
}

/// A place in a template that an officer fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blank {
    name: String,
    /// The words that stand there when it is left empty.
    pub default: String,
}

/// An alert with blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What officers type.
    pub name: String,
    /// How loud.
    pub level: Level,
    /// What may be filled, in order.
    pub blanks: Vec<Blank>,
    title: String,
    text: String,
    instruction: String,
}

/// All templates of a deployment, in the order in which they are numbered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Templates(Vec<Template>);

/// What the words behind `/canhbao` ask of the templates.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// The list.
    List,
    /// One of them, filled with these.
    Fill(&'a Template, Vec<&'a str>),
    /// One that does not exist.
    Unknown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    template: Vec<RawTemplate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTemplate {
    name: Spanned<String>,
    title: Option<Spanned<String>>,
    level: Option<Spanned<String>>,
    text: Option<Spanned<String>>,
    instruction: Option<Spanned<String>>,
    #[serde(default)]
    blanks: Vec<RawBlank>,
    #[serde(default)]
    hidden: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBlank {
    name: Spanned<String>,
    default: Spanned<String>,
}

impl Templates {
    /// Those that come with the program.
    ///
    /// # Errors
    /// A built-in file is damaged; tests hold that it is not.
    pub fn builtin() -> Result<Self, TemplateError> {
        let mut all = Self::default();
        for (name, text) in BUILTIN {
            all.add(name, text)?;
        }
        Ok(all)
    }

    /// The built-in ones with the `*.toml` files of a directory laid over them.
    ///
    /// # Errors
    /// The directory cannot be read, or a file in it does not say what it should.
    pub fn load(directory: &Path) -> Result<Self, TemplateError> {
        let read = |path: &Path| {
            let path = path.to_owned();
            move |source| TemplateError::Read { path, source }
        };
        let mut paths = std::fs::read_dir(directory)
            .map_err(read(directory))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(read(directory))?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
        paths.sort();
        let mut all = Self::builtin()?;
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(read(&path))?;
            all.add(&path.display().to_string(), &text)?;
        }
        Ok(all)
    }

    /// Lays one file over what is there.
    fn add(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        let file = File { name, text };
        let raw: RawFile = toml::from_str(text).map_err(|error| {
            let words = error.message().lines().next().unwrap_or_default();
            let words = words.replace("unknown field", "unknown key");
            file.error(error.span().map_or(0, |span| span.start), words)
        })?;
        let mut own: Vec<String> = Vec::new();
        for raw in raw.template {
            let key = plain(raw.name.get_ref());
            if own.contains(&key) {
                return Err(file.error(
                    raw.name.span().start,
                    format!("the name {:?} stands here twice", raw.name.get_ref()),
                ));
            }
            let place = self.0.iter().position(|known| plain(&known.name) == key);
            match (place, raw.hidden) {
                (Some(place), true) => {
                    self.0.remove(place);
                }
                (None, true) => {
                    return Err(file.error(
                        raw.name.span().start,
                        format!("no template is called {:?}", raw.name.get_ref()),
                    ));
                }
                (Some(place), false) => {
                    if let Some(known) = self.0.get_mut(place) {
                        *known = file.template(raw)?;
                    }
                }
                (None, false) => self.0.push(file.template(raw)?),
            }
            own.push(key);
        }
        Ok(())
    }

    /// All of them, the first of which is number 1.
    pub fn all(&self) -> &[Template] {
        &self.0
    }

    /// What the words ask for, when they begin with `mẫu`.
    pub(super) fn wish<'a>(&'a self, text: &'a str) -> Option<Wish<'a>> {
        let mut ends = word_ends(text);
        let head = text.get(..ends.next()?)?;
        if plain(head.trim_end_matches(is_mark)) != "mau" {
            return None;
        }
        let rest = text.get(head.len()..)?;
        if says_nothing(rest.trim_matches(|c: char| c.is_whitespace() || is_mark(c))) {
            return Some(Wish::List);
        }
        let found = word_ends(rest)
            .take(NAME_WORDS)
            .filter_map(|end| {
                let (name, values) = rest.split_at_checked(end)?;
                Some((self.named(name)?, values))
            })
            .last();
        if let Some((template, values)) = found {
            let values =
                values.trim_start_matches(|c: char| c.is_whitespace() || c == ':' || c == '：');
            let values = values.split([';', '\n']).map(str::trim);
            let mut values: Vec<&str> = values.collect();
            while values.last().is_some_and(|value| value.is_empty()) {
                values.pop();
            }
            return Some(Wish::Fill(template, values));
        }
        (rest.split_whitespace().count() <= MISTYPED_WORDS).then_some(Wish::Unknown)
    }

    /// The template of a number or a name.
    fn named(&self, name: &str) -> Option<&Template> {
        let name = name.trim().trim_end_matches(is_mark);
        if let Ok(number) = name.trim_start_matches('#').parse::<usize>() {
            return self.0.get(number.checked_sub(1)?);
        }
        let name = plain(name);
        self.0.iter().find(|template| plain(&template.name) == name)
    }
}

impl Template {
    /// The alert. Values beyond the blanks are the caller's to refuse.
    pub(super) fn filled(&self, values: &[&str]) -> String {
        let words = |part: &str| {
            let filled = BLANK.replace_all(part, |found: &Captures<'_>| {
                let name = found.get(1).map_or("", |name| name.as_str());
                let next = found.get(2).map_or("", |next| next.as_str());
                let blank = self.blanks.iter().position(|blank| blank.name == name);
                let value = blank.map_or("", |at| {
                    let own = values.get(at).copied().filter(|value| !says_nothing(value));
                    own.unwrap_or_else(|| {
                        self.blanks
                            .get(at)
                            .map_or("", |blank| blank.default.as_str())
                    })
                });
                // What an officer ended with a full stop goes on here.
                let value = if next.is_empty() {
                    value
                } else {
                    value.trim_end_matches('.')
                };
                format!("{value}{next}")
            });
            filled.trim().nfc().collect::<String>()
        };
        format!(
            "{}\n\n{}\n\n👉 {}",
            words(&self.title),
            words(&self.text),
            words(&self.instruction)
        )
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, ':' | '：' | ';' | ',' | '.')
}

/// Where the words of a text end: at a blank, or behind a mark that ends a name.
fn word_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut in_word = false;
    let mut ends = Vec::new();
    for (at, letter) in text.char_indices() {
        let separates = letter.is_whitespace() || matches!(letter, ':' | '：' | ';');
        if in_word && separates {
            ends.push(at);
        }
        in_word = !separates;
    }
    if in_word {
        ends.push(text.len());
    }
    ends.into_iter()
}

/// A file, for errors that say where.
struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn error(&self, at: usize, message: impl Into<String>) -> TemplateError {
        let before = self.text.bytes().take(at);
        TemplateError::Entry {
            file: self.name.to_owned(),
            line: 1 + before.filter(|&byte| byte == b'\n').count(),
            message: message.into(),
        }
    }

    fn template(&self, raw: RawTemplate) -> Result<Template, TemplateError> {
        let at = raw.name.span().start;
        let name = self.words("name", Some(&raw.name), at)?;
        let letters = name.chars().count();
        if letters > NAME_LETTERS || name.split_whitespace().count() > NAME_WORDS {
            return Err(self.error(
                at,
                format!(
                    "`name` has {letters} letters; at most {NAME_LETTERS} in {NAME_WORDS} words"
                ),
            ));
        }
        if name.contains([':', '：', ';', '\n']) || plain(&name).parse::<u64>().is_ok() {
            return Err(self.error(at, "`name` may be no number and have no colon or semicolon"));
        }
        let title = self.words("title", raw.title.as_ref(), at)?;
        if title.chars().count() > TITLE_LETTERS || title.contains('\n') {
            return Err(self.error(
                at,
                format!("`title` must be one line of at most {TITLE_LETTERS} letters"),
            ));
        }
        let text = self.words("text", raw.text.as_ref(), at)?;
        let instruction = self.words("instruction", raw.instruction.as_ref(), at)?;
        let level = match &raw.level {
            None => Level::Warning,
            Some(level) => match plain(level.get_ref()).as_str() {
                "tin" => Level::Info,
                "canh bao" => Level::Warning,
                "khan" => Level::Urgent,
                _ => {
                    return Err(self.error(
                        level.span().start,
                        "`level` should be \"tin\", \"cảnh báo\" or \"khẩn\"",
                    ));
                }
            },
        };
        let mut blanks: Vec<Blank> = Vec::new();
        let whole = format!("{title}\n{text}\n{instruction}");
        for blank in &raw.blanks {
            let at = blank.name.span().start;
            let name = blank.name.get_ref();
            if !whole.contains(&format!("{{{name}}}")) {
                return Err(self.error(at, format!("the blank {{{name}}} stands in no line")));
            }
            if blanks.iter().any(|known| known.name == *name) {
                return Err(self.error(at, format!("the blank {{{name}}} is listed twice")));
            }
            blanks.push(Blank {
                name: name.clone(),
                default: self.words("default", Some(&blank.default), at)?,
            });
        }
        for named in whole.split('{').skip(1) {
            let named = named.split_once('}').map(|(name, _)| name);
            if !blanks
                .iter()
                .any(|blank| Some(blank.name.as_str()) == named)
            {
                let named = named.unwrap_or("…");
                return Err(self.error(at, format!("{{{named}}} is not among `blanks`")));
            }
        }
        Ok(Template {
            name,
            level,
            blanks,
            title,
            text,
            instruction,
        })
    }

    /// A text that says something, composed as telephones compose it.
    fn words(
        &self,
        key: &str,
        raw: Option<&Spanned<String>>,
        at: usize,
    ) -> Result<String, TemplateError> {
        let Some(raw) = raw else {
            return Err(self.error(at, format!("`{key}` is missing")));
        };
        let text = raw.get_ref().trim();
        if says_nothing(text) {
            return Err(self.error(raw.span().start, format!("`{key}` says nothing")));
        }
        Ok(if is_nfc(text) {
            text.to_owned()
        } else {
            text.nfc().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::incident::MAX_TEXT;
    use crate::text::lexicon::Lexicon;
    use crate::text::reveal::revealed;

    fn builtin() -> Templates {
        Templates::builtin().unwrap()
    }

    #[test]
    fn every_template_is_a_whole_alert_as_it_stands() {
        let lexicon = Lexicon::builtin().unwrap();
        let all = builtin();
        for kind in [
            "công an giả",
            "ngân hàng giả",
            "thuế giả",
            "vneid giả",
            "bưu phẩm",
            "việc làm",
            "vay tiền",
            "đầu tư",
            "deepfake",
            "mất tài khoản",
            "lấy lại tiền",
        ] {
            assert!(all.named(kind).is_some(), "{kind}");
        }
        for template in all.all() {
            let text = template.filled(&[]);
            assert!(!text.contains(['{', '}']), "{text}");
            assert!(is_nfc(&text), "{text}");
            assert!(text.contains("11"), "no number to call: {text}");
            // Fits one message of every platform with heading, issuer and code.
            assert!(
                text.chars().count() < 800,
                "{} letters: {text}",
                text.chars().count()
            );
            assert!(revealed(&text, &lexicon).is_empty(), "{text}");
            assert!(!text.contains(".."), "{text}");
        }
        assert_snapshot!(builtin().named("1").unwrap().filled(&["tối qua ở thôn Trúc Tùng."]), @r"
        Cảnh giác người giả danh công an

        Có người gọi điện tối qua ở thôn Trúc Tùng, tự xưng là công an, viện kiểm sát hoặc toà án, nói người nghe dính vào vụ án, yêu cầu chuyển tiền để “xác minh” và giữ kín với gia đình. Công an không làm việc, không bắt giữ, không thu tiền qua điện thoại.

        👉 Cúp máy, không chuyển tiền, không đọc mã OTP, không giữ bí mật theo lời họ. Gọi 113 hoặc hỏi công an xã, phường.
        ");
    }

    #[test]
    fn a_template_is_named_by_number_or_name_however_it_is_typed() {
        let all = builtin();
        let wish = |text: &str| match all.wish(text) {
            None => "own words".to_owned(),
            Some(Wish::List) => "list".to_owned(),
            Some(Wish::Unknown) => "unknown".to_owned(),
            Some(Wish::Fill(template, values)) => format!("{} {values:?}", template.name),
        };
        for (text, wanted) in [
            ("mẫu", "list"),
            (" Mẫu: ", "list"),
            ("mau", "list"),
            ("mẫu 1", "công an giả []"),
            ("MẪU 1:", "công an giả []"),
            ("mẫu công an giả", "công an giả []"),
            (
                "mau cong an gia: chiều nay; đòi 50 triệu",
                r#"công an giả ["chiều nay", "đòi 50 triệu"]"#,
            ),
            ("mẫu 1 chiều nay", r#"công an giả ["chiều nay"]"#),
            (
                "mẫu 1: ; đòi 50 triệu ;",
                r#"công an giả ["", "đòi 50 triệu"]"#,
            ),
            (
                "mẫu 1\nchiều nay\nđòi tiền",
                r#"công an giả ["chiều nay", "đòi tiền"]"#,
            ),
            ("mẫu đầu tư: sàn X", r#"đầu tư ["sàn X"]"#),
            ("mẫu 999", "unknown"),
            ("mẫu cong an gi", "unknown"),
            ("mẫu 0", "unknown"),
            (
                "mẫu giấy mời giả đang lan trên mạng, bà con đừng tin",
                "own words",
            ),
            ("Máu khan hiếm, bà con đi hiến máu ở trạm xá", "own words"),
            ("có mẫu 1", "own words"),
            ("", "own words"),
        ] {
            assert_eq!(wish(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_officers_fill_in_is_taken_as_it_is_and_never_read_as_a_blank() {
        let all = builtin();
        let template = all.named("cháy").unwrap();
        let text = template.filled(&["chợ {more}", "Gió to."]);
        assert!(text.contains("Cháy tại chợ {more}. Gió to."), "{text}");
    }

    #[test]
    fn a_wards_own_files_add_replace_and_hide() {
        let directory = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write(
            "ours.toml",
            "[[template]]\nname = \"Công An Giả\"\ntitle = \"T\"\ntext = \"Của xã.\"\ninstruction = \"Gọi 113.\"\n\
             [[template]]\nname = \"cháy\"\nhidden = true\n\
             [[template]]\nname = \"cắt nước\"\ntitle = \"Cắt nước\"\nlevel = \"tin\"\ntext = \"Cắt nước {khi}.\"\ninstruction = \"Trữ nước.\"\nblanks = [{ name = \"khi\", default = \"hôm nay\" }]\n",
        );
        write("notes.txt", "not ours");
        let all = Templates::load(directory.path()).unwrap();
        assert_eq!(all.all().len(), builtin().all().len());
        assert_eq!(
            all.named("1").unwrap().filled(&[]),
            "T\n\nCủa xã.\n\n👉 Gọi 113."
        );
        assert!(all.named("cháy").is_none());
        assert_eq!(all.named("cat nuoc").unwrap().level, Level::Info);
    }

    #[test]
    fn every_mistake_names_file_and_line() {
        let refusal = |text: &str| {
            let mut all = builtin();
            all.add("ours.toml", text).unwrap_err().to_string()
        };
        let head = "\n[[template]]\nname = \"x\"\n";
        let whole = "title = \"T\"\ntext = \"A\"\ninstruction = \"B\"\n";
        for (text, wanted) in [
            ("[[template]\n", "ours.toml, line 1: "),
            (
                "\n[[tempalte]]\n",
                "ours.toml, line 2: unknown key `tempalte`, expected `template`",
            ),
            (head, "ours.toml, line 3: `title` is missing"),
            (
                &format!("{head}title = \" \"\n"),
                "ours.toml, line 4: `title` says nothing",
            ),
            (
                &format!("{head}{whole}level = \"đỏ\"\n"),
                "ours.toml, line 7: `level` should be \"tin\", \"cảnh báo\" or \"khẩn\"",
            ),
            (
                &format!("{head}{whole}blanks = [{{ name = \"y\", default = \"z\" }}]\n"),
                "ours.toml, line 7: the blank {y} stands in no line",
            ),
            (
                &format!("{head}title = \"T\"\ntext = \"{{y}}\"\ninstruction = \"B\"\n"),
                "ours.toml, line 3: {y} is not among `blanks`",
            ),
            (
                &format!("{head}{whole}{head}{whole}"),
                "ours.toml, line 9: the name \"x\" stands here twice",
            ),
            (
                "[[template]]\nname = \"zz\"\nhidden = true",
                "ours.toml, line 2: no template is called \"zz\"",
            ),
            (
                "[[template]]\nname = \"12\"\n",
                "ours.toml, line 2: `name` may be no number and have no colon or semicolon",
            ),
        ] {
            let refusal = refusal(text);
            assert!(refusal.starts_with(wanted), "{refusal}");
        }
        let missing = Templates::load(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/at/all"), "{missing}");
    }

    proptest::proptest! {
        #[test]
        fn any_words_can_be_asked_for(text in "(mẫu )?\\PC*") {
            let all = builtin();
            if let Some(Wish::Fill(template, values)) = all.wish(&text) {
                let filled = template.filled(&values);
                proptest::prop_assert!(filled.chars().count() < MAX_TEXT);
            }
        }
    }
}
