//! Two small bar charts of a digest as one SVG picture: cases by day, cases by kind.
//!
//! The picture names no font but `sans-serif` and holds no words except those it is given, so that it
//! can be drawn by any renderer with any font that has Vietnamese letters.

use std::fmt::Write as _;

use crate::domain::digest::Digest;
use crate::say::category::category;

const WIDTH: u32 = 720;
const LEFT: u32 = 24;
const LABELS: u32 = 220;
const DAY_HEIGHT: u32 = 140;
const ROW: u32 = 32;
/// Kinds drawn; the text lists all of them.
const KINDS: usize = 8;

/// The picture.
#[must_use]
pub fn svg(digest: &Digest) -> String {
    let kinds: Vec<_> = digest
        .counts
        .iter()
        .filter(|count| count.now > 0)
        .take(KINDS)
        .collect();
    let kinds_top = 56 + DAY_HEIGHT + 48;
    let rows = u32::try_from(kinds.len()).unwrap_or(0);
    let height = kinds_top + rows * ROW + 24;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"16\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    label(&mut svg, LEFT, 34, "start", &digest.title);

    let most = digest
        .by_day
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let days = u32::try_from(digest.by_day.len()).unwrap_or(1).max(1);
    let slot = ((WIDTH - 2 * LEFT) / days).max(1);
    let bottom = 56 + DAY_HEIGHT;
    // Dates and numbers are written under as many bars as have room for them.
    let every = (days * 48).div_ceil(WIDTH - 2 * LEFT).max(1);
    for (index, (day, count)) in (0_u32..).zip(&digest.by_day) {
        let x = LEFT + index * slot;
        let tall = scaled(*count, most, DAY_HEIGHT - 24);
        bar(&mut svg, x, bottom - tall, (slot * 3 / 4).max(1), tall);
        if index % every == 0 {
            let middle = x + slot * 3 / 8;
            label(
                &mut svg,
                middle,
                bottom + 20,
                "middle",
                &day.format("%d/%m").to_string(),
            );
            if *count > 0 {
                label(
                    &mut svg,
                    middle,
                    bottom - tall - 6,
                    "middle",
                    &count.to_string(),
                );
            }
        }
    }

    let most = kinds
        .iter()
        .map(|count| count.now)
        .max()
        .unwrap_or(0)
        .max(1);
    for (index, count) in (0_u32..).zip(kinds) {
        let y = kinds_top + index * ROW;
        let wide = scaled(count.now, most, WIDTH - LABELS - 2 * LEFT - 40);
        label(&mut svg, LABELS, y + 18, "end", category(count.category));
        bar(&mut svg, LABELS + 12, y, wide, ROW - 8);
        label(
            &mut svg,
            LABELS + 20 + wide,
            y + 18,
            "start",
            &count.now.to_string(),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A length for a value, at least one unit where there is anything to see.
fn scaled(value: u32, most: u32, length: u32) -> u32 {
    let long = u64::from(value) * u64::from(length) / u64::from(most.max(1));
    u32::try_from(long)
        .unwrap_or(length)
        .max(u32::from(value > 0))
}

fn bar(svg: &mut String, x: u32, y: u32, width: u32, height: u32) {
    if width > 0 && height > 0 {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"#b3541e\"/>"
        );
    }
}

fn label(svg: &mut String, x: u32, y: u32, anchor: &str, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}
