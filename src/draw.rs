//! Pictures that the program makes itself: SVG, drawn in a font that is part of it, so that they look
//! alike on every machine.

pub mod card;

use std::sync::Arc;
use std::sync::LazyLock;

use resvg::tiny_skia::Pixmap;
use resvg::tiny_skia::Transform;
use resvg::usvg;
use thiserror::Error;

/// Be Vietnam Pro, under the SIL Open Font Licence (`config/fonts/OFL.txt`).
const REGULAR: &[u8] = include_bytes!("../config/fonts/BeVietnamPro-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../config/fonts/BeVietnamPro-Bold.ttf");

/// The name under which drawings ask for the font.
pub const FONT: &str = "Be Vietnam Pro";

/// A picture could not be made.
#[derive(Debug, Error)]
pub enum DrawError {
    /// The drawing is no SVG.
    #[error("drawing a picture")]
    Drawing(#[from] usvg::Error),
    /// It has no size, or a monstrous one.
    #[error("a picture of {0} by {1} points cannot be made")]
    Size(u32, u32),
    /// It could not be written as PNG.
    #[error("writing a picture as PNG")]
    Png(#[from] png::EncodingError),
}

/// Reads a drawing.
///
/// # Errors
/// When it is no SVG.
pub fn tree(svg: &str) -> Result<usvg::Tree, DrawError> {
    static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = usvg::fontdb::Database::new();
        for font in [REGULAR, BOLD] {
            fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(font)));
        }
        Arc::new(fonts)
    });
    let options = usvg::Options {
        font_family: FONT.to_owned(),
        fontdb: Arc::clone(&FONTS),
        ..usvg::Options::default()
    };
    Ok(usvg::Tree::from_str(svg, &options)?)
}

/// Paints a drawing, each of its units `scale` points wide.
///
/// # Errors
/// When it is no SVG, or too large.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, DrawError> {
    let tree = tree(svg)?;
    let side = |units: f32| (units * scale).round() as u32;
    let (width, height) = (side(tree.size().width()), side(tree.size().height()));
    let mut pixels = Pixmap::new(width, height).ok_or(DrawError::Size(width, height))?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixels.as_mut(),
    );
    // Every point is covered, so what stands for glass is left out; a group with a slow line is sent less.
    let points: Vec<u8> = pixels
        .pixels()
        .iter()
        .flat_map(|point| [point.red(), point.green(), point.blue()])
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Best);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&points)?;
    writer.finish()?;
    Ok(bytes)
}

/// Text as XML holds it; signs that XML cannot hold are left out.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .map(|letter| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// For reading.
    Regular,
    /// For what must be seen.
    Bold,
}

impl Weight {
    fn face(self) -> Option<&'static ttf_parser::Face<'static>> {
        static FACES: LazyLock<[Option<ttf_parser::Face<'static>>; 2]> =
            LazyLock::new(|| [REGULAR, BOLD].map(|font| ttf_parser::Face::parse(font, 0).ok()));
        let [regular, bold] = &*FACES;
        match self {
            Self::Regular => regular.as_ref(),
            Self::Bold => bold.as_ref(),
        }
    }

    /// The width of a line, in units of the drawing.
    #[must_use]
    pub fn width(self, line: &str, size: f32) -> f32 {
        let Some(face) = self.face() else { return 0.0 };
        let units: u32 = line
            .chars()
            .filter_map(|letter| face.glyph_hor_advance(face.glyph_index(letter)?))
            .map(u32::from)
            .sum();
        units as f32 * size / f32::from(face.units_per_em())
    }

    /// Lines that are no wider than this, broken between words, or inside one that is too long by itself.
    #[must_use]
    pub fn wrapped(self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() {
                    word.to_owned()
                } else {
                    format!("{line} {word}")
                };
                if self.width(&longer, size) <= width {
                    line = longer;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                for letter in word.chars() {
                    line.push(letter);
                    if self.width(&line, size) > width && line.chars().count() > 1 {
                        line.pop();
                        lines.push(std::mem::replace(&mut line, letter.to_string()));
                    }
                }
            }
            lines.push(line);
        }
        lines
    }
}

/// Text without the signs that the font lacks, such as faces and flags: they would show as boxes.
#[must_use]
pub fn drawable(text: &str) -> String {
    let Some(face) = Weight::Regular.face() else {
        return text.to_owned();
    };
    text.chars()
        .filter(|&letter| {
            letter == '\n' || letter.is_whitespace() || face.glyph_index(letter).is_some()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_every_word_and_their_width() {
        let text =
            "Không chuyển tiền cho người lạ.\n\nNghiêngngảnghiêngngảnghiêngngảnghiêngngả gọi 113";
        for size in [20.0, 60.0] {
            let lines = Weight::Bold.wrapped(text, size, 400.0);
            assert!(
                lines
                    .iter()
                    .all(|line| Weight::Bold.width(line, size) <= 400.0)
            );
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&lines.concat()), squeezed(text));
        }
        assert_eq!(
            Weight::Regular.wrapped("", 20.0, 400.0),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_vietnamese_letter_has_its_shape_and_emoji_are_left_out() {
        let letters =
            "aàảãáạăằẳẵắặâầẩẫấậbcdđeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵ“”…–•";
        let both = format!("{letters}{}", letters.to_uppercase());
        assert_eq!(drawable(&both), both);
        assert_eq!(drawable("👉 Gọi 113 🚨!"), " Gọi 113 !");
        for weight in [Weight::Regular, Weight::Bold] {
            assert!(weight.width("Ặ", 10.0) > 4.0);
        }
    }
}
