//! A photo, as residents send them.

use resvg::tiny_skia::Color;
use resvg::tiny_skia::Pixmap;

/// A small picture of nothing, as a PNG.
pub(super) fn photo() -> Vec<u8> {
    let picture = Pixmap::new(64, 48).and_then(|mut canvas| {
        canvas.fill(Color::from_rgba8(0x6b, 0x8e, 0x23, 0xff));
        canvas.encode_png().ok()
    });
    picture.unwrap_or_default()
}
