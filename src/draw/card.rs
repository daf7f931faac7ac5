//! The card of an alert: its words in large letters, for cheap telephones and tired eyes.
//!
//! A telephone shows it about 360 points wide, a third of its own size: no letters here are smaller than
//! what is 11 points there, and the words never smaller than 14.

use super::DrawError;
use super::FONT;
use super::Weight;
use super::drawable;
use super::escaped;
use crate::say::card::Card;
use crate::say::card::Tone;

/// The picture, in points: three for each on the screen of a telephone.
const WIDTH: f32 = 1080.0;
const HEIGHT: f32 = 1350.0;

/// Free space at the sides.
const MARGIN: f32 = 64.0;

/// The coloured band at the top.
const BAND: f32 = 190.0;

/// Where the foot with issuer and code begins.
const FOOT: f32 = 1116.0;

/// Sizes of the title and of the words, tried from the largest.
const TITLES: [f32; 6] = [112.0, 92.0, 82.0, 72.0, 64.0, 56.0];
const WORDS: [f32; 7] = [76.0, 64.0, 58.0, 52.0, 48.0, 45.0, 42.0];

/// From line to line, by the size of the letters.
const LEADING: f32 = 1.32;

/// The space between title, words and what to do.
const GAP: f32 = 34.0;

/// What a tone looks like: the band, the letters on it.
fn colours(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Info => ("#0d3b78", "#ffffff"),
        Tone::Warning => ("#f2b632", "#1d1600"),
        Tone::Urgent => ("#b3261e", "#ffffff"),
        Tone::Over => ("#1c7c43", "#ffffff"),
        Tone::Withdrawn => ("#4a4f57", "#ffffff"),
    }
}

/// A block of lines of one size.
struct Block {
    lines: Vec<String>,
    size: f32,
    weight: Weight,
}

impl Block {
    fn new(text: &str, size: f32, weight: Weight, width: f32) -> Self {
        let mut lines = weight.wrapped(text, size, width);
        // An empty line between paragraphs costs a cheap screen too much.
        lines.retain(|line| !line.trim().is_empty());
        Self {
            lines,
            size,
            weight,
        }
    }

    fn height(&self) -> f32 {
        self.lines.len() as f32 * self.size * LEADING
    }

    /// Draws the lines below `top`.
    fn draw(&self, out: &mut String, left: f32, top: f32, fill: &str) {
        let weight = match self.weight {
            Weight::Regular => 400,
            Weight::Bold => 700,
        };
        for (number, line) in self.lines.iter().enumerate() {
            // The foot of the letters stands at about four fifths of a line.
            let y = top + (number as f32 + 0.78) * self.size * LEADING;
            out.push_str(&format!(
                "<text x=\"{left}\" y=\"{y:.1}\" font-size=\"{}\" font-weight=\"{weight}\" fill=\"{fill}\">{}</text>",
                self.size,
                escaped(line)
            ));
        }
    }
}

/// The card as a PNG.
///
/// # Errors
/// When it cannot be drawn.
pub fn png(card: &Card) -> Result<Vec<u8>, DrawError> {
    super::png(&svg(card), 1.0)
}

/// The card as a drawing.
#[must_use]
pub fn svg(card: &Card) -> String {
    let (band, ink) = colours(card.tone);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"{FONT}\">\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\
         <rect width=\"{WIDTH}\" height=\"{BAND}\" fill=\"{band}\"/>"
    );
    let inner = WIDTH - 2.0 * MARGIN;
    sign(&mut out, card.tone, ink);
    let heading = Block::new(card.heading, 100.0, Weight::Bold, inner);
    heading.draw(&mut out, MARGIN, 30.0, ink);
    let mut top = BAND + 26.0;
    if let Some(drill) = card.drill {
        out.push_str(&format!(
            "<rect y=\"{BAND}\" width=\"{WIDTH}\" height=\"86\" fill=\"#12233f\"/>"
        ));
        let drill = Block::new(drill, 50.0, Weight::Bold, inner);
        drill.draw(&mut out, MARGIN, BAND + 11.0, "#ffffff");
        top += 86.0;
    }
    body(&mut out, card, top, inner, band);
    foot(&mut out, card, inner, band);
    out.push_str("</svg>");
    out
}

/// Title, words and what to do, as large as they fit.
fn body(out: &mut String, card: &Card, top: f32, inner: f32, band: &str) {
    let room = FOOT - top - 18.0;
    let words = drawable(&card.words);
    let to_do = drawable(&card.instruction);
    let frame = |block: &Block| {
        if block.lines.is_empty() {
            0.0
        } else {
            block.height() + 44.0 + GAP
        }
    };
    let blocks = |title: f32, size: f32| {
        [
            Block::new(&drawable(&card.title), title, Weight::Bold, inner),
            Block::new(&words, size, Weight::Regular, inner),
            Block::new(&to_do, size, Weight::Bold, inner - 56.0),
        ]
    };
    let needed = |[title, words, to_do]: &[Block; 3]| {
        let gap = if title.lines.is_empty() || words.lines.is_empty() {
            0.0
        } else {
            GAP
        };
        title.height() + gap + words.height() + frame(to_do)
    };
    // The words shrink before the title does, and both together at last.
    let steps = TITLES.len() + WORDS.len() - 1;
    let sizes = (0..steps).map(|step| (step / 2, step.div_ceil(2)));
    let fitting = sizes.into_iter().find_map(|(title, size)| {
        let made = blocks(*TITLES.get(title)?, *WORDS.get(size)?);
        (needed(&made) <= room && made[0].lines.len() <= 4).then_some(made)
    });
    let [title, words, to_do] = fitting.unwrap_or_else(|| cut(card, blocks(56.0, 42.0), room));
    let mut top = top;
    title.draw(out, MARGIN, top, "#12233f");
    if !title.lines.is_empty() {
        top += title.height() + GAP;
    }
    words.draw(out, MARGIN, top, "#12233f");
    if to_do.lines.is_empty() {
        return;
    }
    if !words.lines.is_empty() {
        top += words.height() + GAP;
    }
    let height = to_do.height() + 44.0;
    out.push_str(&format!(
        "<rect x=\"{MARGIN}\" y=\"{top}\" width=\"{inner}\" height=\"{height}\" rx=\"22\" fill=\"#f3f5f8\"/>\
         <rect x=\"{MARGIN}\" y=\"{top}\" width=\"14\" height=\"{height}\" rx=\"7\" fill=\"{band}\"/>"
    ));
    to_do.draw(out, MARGIN + 38.0, top + 20.0, "#12233f");
}

/// What fits of words that are too long: what to do stays, and a line says where the rest is.
fn cut(card: &Card, [mut title, mut words, mut to_do]: [Block; 3], room: f32) -> [Block; 3] {
    title.lines.truncate(4);
    to_do.lines.truncate(5);
    let line = words.size * LEADING;
    let left = room - title.height() - to_do.height() - 44.0 - 3.0 * GAP - line;
    let fits = (left / line).max(0.0) as usize;
    if words.lines.len() > fits {
        words.lines.truncate(fits);
        if let Some(last) = words.lines.last_mut() {
            last.truncate(last.trim_end_matches(['.', ',', ';', ' ']).len());
            last.push('…');
        }
    }
    words.lines.push(card.more.to_owned());
    [title, words, to_do]
}

/// Who, when, and how to check it.
fn foot(out: &mut String, card: &Card, inner: f32, band: &str) {
    out.push_str(&format!(
        "<rect y=\"{FOOT}\" width=\"{WIDTH}\" height=\"{}\" fill=\"#eef1f5\"/>\
         <rect y=\"{FOOT}\" width=\"{WIDTH}\" height=\"8\" fill=\"{band}\"/>",
        HEIGHT - FOOT
    ));
    let issuer = drawable(&card.issuer);
    let size = [38.0, 34.0, 33.0]
        .into_iter()
        .find(|&size| Weight::Bold.width(&issuer, size) <= inner)
        .unwrap_or(33.0);
    let mut issuer = Block::new(&issuer, size, Weight::Bold, inner);
    issuer.lines.truncate(2);
    let top = if issuer.lines.len() > 1 { 12.0 } else { 26.0 };
    issuer.draw(out, MARGIN, FOOT + top, "#12233f");
    let line = |text: &str, size, weight| Block::new(text, size, weight, inner);
    line(card.code_head, 34.0, Weight::Regular).draw(out, MARGIN, FOOT + 106.0, "#3c4a60");
    line(&card.code, 70.0, Weight::Bold).draw(out, MARGIN + 216.0, FOOT + 82.0, "#12233f");
    line(&card.code_how, 34.0, Weight::Regular).draw(out, MARGIN, FOOT + 172.0, "#3c4a60");
}

/// A sign that says at a glance what the colour says, for those who cannot tell colours apart.
fn sign(out: &mut String, tone: Tone, ink: &str) {
    let (x, y) = (WIDTH - MARGIN - 124.0, 33.0);
    let at = format!(
        "transform=\"translate({x} {y})\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"12\" stroke-linejoin=\"round\" stroke-linecap=\"round\""
    );
    let shape = match tone {
        Tone::Warning | Tone::Urgent => {
            "<path d=\"M62 10L116 112H8Z\"/><path d=\"M62 46V78\"/><path d=\"M62 95V96\"/>"
        }
        Tone::Info => {
            "<circle cx=\"62\" cy=\"62\" r=\"52\"/><path d=\"M62 58V88\"/><path d=\"M62 36V37\"/>"
        }
        Tone::Over => "<circle cx=\"62\" cy=\"62\" r=\"52\"/><path d=\"M38 64L56 82L88 46\"/>",
        Tone::Withdrawn => {
            "<circle cx=\"62\" cy=\"62\" r=\"52\"/><path d=\"M40 40L84 84M84 40L40 84\"/>"
        }
    };
    out.push_str(&format!("<g {at}>{shape}</g>"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(title: &str, words: &str, instruction: &str) -> Card {
        Card {
            tone: Tone::Warning,
            heading: "CẢNH BÁO",
            drill: None,
            title: title.to_owned(),
            words: words.to_owned(),
            instruction: instruction.to_owned(),
            more: "Xem đủ nội dung trong tin nhắn.",
            issuer: "Công an phường Móng Cái 1, 15:07 ngày 24/11/2026".to_owned(),
            code_head: "Mã kiểm tra",
            code: "7F3A9K".to_owned(),
            code_how: "Nhắn cho bot: /kiemtra 7F3A9K".to_owned(),
        }
    }

    /// The lowest line of the words, and the size of their letters.
    fn lowest(svg: &str) -> f32 {
        svg.split("<text ")
            .skip(1)
            .filter_map(|text| text.split("y=\"").nth(1)?.split('"').next()?.parse().ok())
            .filter(|y| *y < FOOT + 30.0)
            .fold(0.0, f32::max)
    }

    #[test]
    fn every_length_stays_above_the_foot_and_inside_a_megabyte() {
        let word = "Không chuyển tiền cho người lạ, gọi ngay 113. ";
        for (title, words, to_do) in [
            ("", "", ""),
            ("Cháy", "", ""),
            ("Cảnh giác", word, word),
            (
                "Cảnh giác cuộc gọi video giả mặt người thân để vay tiền ở nhiều thôn trong xã",
                &word.repeat(6),
                &word.repeat(3),
            ),
            ("", &word.repeat(60), ""),
            (
                "Nghiêng".repeat(12).as_str(),
                &word.repeat(430),
                &word.repeat(40),
            ),
            ("\u{0}<b>&amp;", "]]> <script> 👉🚨", "\u{202E}"),
        ] {
            for tone in [
                Tone::Info,
                Tone::Warning,
                Tone::Urgent,
                Tone::Over,
                Tone::Withdrawn,
            ] {
                for drill in [None, Some("DIỄN TẬP")] {
                    let mut card = card(title, words, to_do);
                    (card.tone, card.drill) = (tone, drill);
                    let svg = svg(&card);
                    assert!(lowest(&svg) < FOOT, "{title}: {}", lowest(&svg));
                    if tone == Tone::Warning && drill.is_none() {
                        let png = png(&card).unwrap();
                        assert!(
                            png.starts_with(b"\x89PNG") && png.len() < 1_000_000,
                            "{}",
                            png.len()
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn words_that_do_not_fit_say_where_the_rest_is() {
        let long = card("Cảnh giác", &"Nước lên nhanh. ".repeat(200), "Gọi 113.");
        let svg = svg(&long);
        assert!(svg.contains("Xem đủ nội dung") && svg.contains("Gọi 113."));
        let short = card("Cảnh giác", "Nước lên nhanh.", "Gọi 113.");
        assert!(!super::svg(&short).contains("Xem đủ nội dung"));
    }
}
