//! `keng poster`: an A4 page with the code of a group's link, for the wall of the culture house.
//!
//! Drawn as SVG once; as a PDF it is letters and lines, as a PNG 200 points an inch. The font is in the
//! program, so that it looks alike on every machine.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use anyhow::bail;
use qrcode::Color;
use qrcode::EcLevel;
use qrcode::QrCode;
use url::Url;

use super::groups;
use crate::config::AccountConfig;
use crate::domain::account::Platform;
use crate::draw;
use crate::draw::escaped;
use crate::say;

/// A4 in points.
const PAGE: (f32, f32) = (595.28, 841.89);

/// Points an inch of the PNG.
const DPI: f32 = 200.0;

/// What is asked for.
pub(super) struct Options<'a> {
    pub(super) room: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) link: Option<&'a str>,
    pub(super) title: Option<&'a str>,
    pub(super) output: &'a Path,
}

pub(super) fn run(config: &Path, options: &Options<'_>) -> anyhow::Result<ExitCode> {
    let kind = options.output.extension().and_then(|kind| kind.to_str());
    let pdf = match kind.map(str::to_ascii_lowercase).as_deref() {
        Some("pdf") => true,
        Some("png") => false,
        _ => bail!("--output must end in .pdf or .png, such as to-5.pdf"),
    };
    let loaded = crate::config::load_without_secrets(config)?;
    let account = account(&loaded.accounts, options)?;
    let known = match (options.link, account.platform()) {
        (Some(_), _) => None,
        (None, Platform::ZaloOa) => Some(groups::one(config, &account.name, options.room)?),
        (None, _) => bail!(
            "only an Official Account tells the links of its groups: give it with --link https://…"
        ),
    };
    let link = options
        .link
        .map(str::to_owned)
        .or_else(|| known.as_ref().map(|group| group.link.clone()))
        .unwrap_or_default();
    let title = options
        .title
        .map(str::to_owned)
        .or_else(|| known.map(|group| group.name))
        .unwrap_or_default();
    check_link(&link)?;
    let page = draw(&say::poster::poster(account.platform()), &title, &link)?;
    let bytes = if pdf { as_pdf(&page)? } else { as_png(&page)? };
    std::fs::write(options.output, bytes)
        .with_context(|| format!("writing {}", options.output.display()))?;
    outln!("{}: {link}", options.output.display());
    Ok(ExitCode::SUCCESS)
}

/// The account that the room is reached through.
fn account<'a>(
    accounts: &'a [AccountConfig],
    options: &Options<'_>,
) -> anyhow::Result<&'a AccountConfig> {
    match (options.account, accounts) {
        (Some(name), _) => accounts
            .iter()
            .find(|account| account.name.as_str() == name)
            .with_context(|| format!("no [[account]] is called `{name}`")),
        (None, [only]) => Ok(only),
        (None, _) => {
            let mut official = accounts
                .iter()
                .filter(|account| account.platform() == Platform::ZaloOa);
            match (official.next(), official.next()) {
                (Some(only), None) => Ok(only),
                _ => bail!("several accounts could be meant: name one with --account"),
            }
        }
    }
}

fn check_link(link: &str) -> anyhow::Result<()> {
    let right = Url::parse(link).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    if !right || link.len() > 300 {
        bail!("the link {link:?} is not an https:// address that telephones can open");
    }
    Ok(())
}

/// The page as SVG, in tenths of a millimetre.
fn draw(words: &say::poster::Poster, title: &str, link: &str) -> anyhow::Result<String> {
    let mut page = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 2100 2970\" \
         font-family=\"Be Vietnam Pro\" fill=\"#12233f\">\
         <rect width=\"2100\" height=\"2970\" fill=\"#ffffff\"/>\
         <rect width=\"2100\" height=\"500\" fill=\"#0d3b78\"/>\
         <rect y=\"500\" width=\"2100\" height=\"18\" fill=\"#f2b632\"/>",
        PAGE.0, PAGE.1
    );
    let mut text = |x: u32, y: u32, size: u32, look: &str, line: &str| {
        page.push_str(&format!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" {look}>{}</text>",
            escaped(line)
        ));
    };
    const MIDDLE: &str = "text-anchor=\"middle\"";
    let bold = |fill: &str| format!("font-weight=\"700\" fill=\"{fill}\"");
    let in_middle = |fill: &str| format!("{MIDDLE} {}", bold(fill));
    if title.is_empty() {
        text(1050, 305, 138, &in_middle("#ffffff"), words.title);
    } else {
        text(1050, 225, 138, &in_middle("#ffffff"), words.title);
        let letters = title.chars().count();
        let size = if letters <= 26 { 108 } else { 84 };
        // Two lines of about the same length look better than a long one and a word.
        let lines = wrapped(
            title,
            if letters <= 38 {
                38
            } else {
                (letters / 2 + 6).min(38)
            },
        );
        let places: &[u32] = if lines.len() > 1 { &[362, 458] } else { &[400] };
        for (line, y) in lines.iter().zip(places) {
            text(1050, *y, size, &in_middle("#f8cf6b"), line);
        }
    }
    let side = 820_u32;
    let (left, top) = (640, 580);
    text(1050, 1500, 62, &in_middle("#0d3b78"), words.scan);
    for (number, ((head, line), y)) in words.steps.iter().zip([1690, 1930, 2170]).enumerate() {
        text(400, y, 96, &bold("#0d3b78"), head);
        text(400, y + 78, 54, "", line);
        text(
            254,
            y + 42,
            120,
            &in_middle("#ffffff"),
            &(number + 1).to_string(),
        );
    }
    for (x, mark, head, lines) in [
        (180, "#1c7c43", words.keeps_head, &words.keeps),
        (1090, "#b3261e", words.leaves_head, &words.leaves),
    ] {
        text(x, 2440, 56, &bold(mark), head);
        for (line, y) in lines.iter().zip([2512, 2576]) {
            text(x, y, 44, "", line);
        }
    }
    text(1050, 2778, 66, &in_middle("#ffffff"), words.urgent);
    text(1050, 2905, 40, MIDDLE, words.note);
    page.push_str(&code(link, left, top, side)?);
    // What lies under the words is drawn before them.
    let mut under = String::new();
    for y in [1690, 1930, 2170] {
        under.push_str(&format!(
            "<circle cx=\"254\" cy=\"{y}\" r=\"92\" fill=\"#0d3b78\"/>"
        ));
    }
    under.push_str(
        "<rect x=\"140\" y=\"2350\" width=\"1820\" height=\"270\" rx=\"28\" fill=\"#eef3fa\"/>",
    );
    under.push_str("<rect y=\"2680\" width=\"2100\" height=\"150\" fill=\"#b3261e\"/>");
    let page = page.replacen("<text", &format!("{under}<text"), 1);
    Ok(page + "</svg>")
}

/// The code as one path of squares, with the quiet border that scanners need.
fn code(link: &str, left: u32, top: u32, side: u32) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::Q)
        .map_err(|error| anyhow::anyhow!("the link does not fit into a code: {error}"))?;
    let width = code.width();
    // Four modules of white on each side, as the standard asks.
    let module = f64::from(side) / (width + 8) as f64;
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let x = f64::from(left) + ((index % width) + 4) as f64 * module;
            let y = f64::from(top) + ((index / width) + 4) as f64 * module;
            path.push_str(&format!(
                "M{x:.2} {y:.2}h{module:.2}v{module:.2}h-{module:.2}z"
            ));
        }
    }
    Ok(format!(
        "<rect x=\"{left}\" y=\"{top}\" width=\"{side}\" height=\"{side}\" rx=\"24\" fill=\"#ffffff\" \
         stroke=\"#0d3b78\" stroke-width=\"10\"/><path d=\"{path}\" fill=\"#000000\" shape-rendering=\"crispEdges\"/>"
    ))
}

/// Lines of about so many letters, broken between words.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.chars().take(letters).collect()),
        }
    }
    lines
}

fn as_pdf(page: &str) -> anyhow::Result<Vec<u8>> {
    // One unit of the drawing is one point.
    let size = svg2pdf::PageOptions { dpi: 72.0 };
    svg2pdf::to_pdf(
        &draw::tree(page)?,
        svg2pdf::ConversionOptions::default(),
        size,
    )
    .map_err(|error| anyhow::anyhow!("writing the poster as PDF: {error:?}"))
}

fn as_png(page: &str) -> anyhow::Result<Vec<u8>> {
    Ok(draw::png(page, DPI / 72.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poster_is_drawn_for_every_platform_and_any_title() {
        for platform in [Platform::Telegram, Platform::ZaloBot, Platform::ZaloOa] {
            let words = say::poster::poster(platform);
            for title in [
                "",
                "Tổ dân phố 5",
                "Thôn Tân Trúc Tùng – bà con mình cùng giữ bình yên & <an ninh> \u{0}",
            ] {
                let page = draw(&words, title, "https://zalo.me/g/ksqzbt512").expect("a page");
                let png = as_png(&page).expect("a picture");
                assert!(png.starts_with(b"\x89PNG"));
                let pdf = as_pdf(&page).expect("a document");
                assert!(pdf.starts_with(b"%PDF"));
            }
        }
        check_link("https://zalo.me/g/ksqzbt512").expect("a link");
        for wrong in [
            "",
            "zalo.me/g/x",
            "http://zalo.me/g/x",
            "javascript:alert(1)",
        ] {
            check_link(wrong).expect_err(wrong);
        }
    }
}
