//! `keng export`: the rows as JSON lines, CSV or a spreadsheet.

use std::io::IsTerminal as _;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::bail;
use serde_json::Value;

use super::Format;
use super::keep;
use crate::web::export::Pages;
use crate::web::export::What;

/// A spreadsheet holds at most this many rows (Excel's limit), the heading included.
const MAX_SHEET_ROWS: u32 = 1_048_576;

/// Where rows go.
enum Sheet<'a> {
    Lines(Box<dyn Write + 'a>),
    Csv {
        out: Box<csv::Writer<Box<dyn Write + 'a>>>,
        columns: Vec<String>,
    },
    Xlsx {
        book: Box<rust_xlsxwriter::Workbook>,
        path: Option<&'a Path>,
        columns: Vec<String>,
        row: u32,
    },
}

pub(super) fn run(
    config: &Path,
    what: What,
    format: Format,
    output: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    let mut sheet = Sheet::open(format, output)?;
    super::serve::runtime()?.block_on(async {
        match keep::open_or_ask(&config).await? {
            keep::Access::Store(store) => {
                let mut pages = Pages::new(Arc::clone(&store), what, 1000);
                while let Some(rows) = pages.next().await? {
                    rows.iter().try_for_each(|row| sheet.row(row))?;
                }
                store.close().await?;
                Ok(())
            }
            keep::Access::Running(server) => {
                let mut lines = server
                    .lines(&format!("api/export/{}", what.as_str()))
                    .await?;
                while let Some(line) = lines.next().await? {
                    let row = serde_json::from_str(&line)
                        .context("the running server sent a line that is not JSON")?;
                    sheet.row(&row)?;
                }
                Ok::<_, anyhow::Error>(())
            }
        }
    })?;
    sheet.finish()?;
    Ok(ExitCode::SUCCESS)
}

impl<'a> Sheet<'a> {
    fn open(format: Format, output: Option<&'a Path>) -> anyhow::Result<Self> {
        if format == Format::Xlsx {
            if output.is_none() && std::io::stdout().is_terminal() {
                bail!("a spreadsheet is no text for the screen: give --output FILE.xlsx");
            }
            let mut book = Box::new(rust_xlsxwriter::Workbook::new());
            book.add_worksheet();
            return Ok(Self::Xlsx {
                book,
                path: output,
                columns: Vec::new(),
                row: 0,
            });
        }
        let out: Box<dyn Write> = match output {
            Some(path) => Box::new(std::io::BufWriter::new(
                std::fs::File::create(path)
                    .with_context(|| format!("creating {}", path.display()))?,
            )),
            None => Box::new(std::io::BufWriter::new(std::io::stdout().lock())),
        };
        Ok(match format {
            Format::Jsonl => Self::Lines(out),
            _ => Self::Csv {
                out: Box::new(csv::Writer::from_writer(out)),
                columns: Vec::new(),
            },
        })
    }

    fn row(&mut self, row: &Value) -> anyhow::Result<()> {
        match self {
            Self::Lines(out) => writeln!(out, "{row}")?,
            Self::Csv { out, columns } => {
                if columns.is_empty() {
                    *columns = names(row);
                    out.write_record(&*columns)?;
                }
                out.write_record(columns.iter().map(|name| cell(&row[name])))?;
            }
            Self::Xlsx {
                book,
                columns,
                row: number,
                ..
            } => {
                let sheet = book.worksheet_from_index(0)?;
                if columns.is_empty() {
                    *columns = names(row);
                    for (column, name) in columns.iter().enumerate() {
                        sheet.write_string(0, column as u16, name)?;
                    }
                    sheet.set_freeze_panes(1, 0)?;
                }
                *number += 1;
                if *number >= MAX_SHEET_ROWS {
                    bail!(
                        "more than {} rows do not fit a spreadsheet: use --format csv",
                        MAX_SHEET_ROWS - 1
                    );
                }
                for (column, name) in columns.iter().enumerate() {
                    sheet.write_string(*number, column as u16, clip(&cell(&row[name])))?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Lines(mut out) => out.flush()?,
            Self::Csv { mut out, .. } => out.flush()?,
            Self::Xlsx { mut book, path, .. } => {
                let bytes = book.save_to_buffer()?;
                match path {
                    Some(path) => {
                        std::fs::write(path, bytes)
                            .with_context(|| format!("writing {}", path.display()))?;
                    }
                    None => std::io::stdout().lock().write_all(&bytes)?,
                }
            }
        }
        Ok(())
    }
}

/// The columns, in the order in which the first row has them.
fn names(row: &Value) -> Vec<String> {
    row.as_object()
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default()
}

/// One cell. A text that a spreadsheet would take for a formula gets an apostrophe in front: residents'
/// words must not become code on an officer's machine.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number = matches!(value, Value::Number(_)) || text.parse::<f64>().is_ok();
    if !number && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    }
}

/// A cell of a spreadsheet holds at most 32,767 characters (Excel's limit).
fn clip(text: &str) -> String {
    text.chars().take(32_767).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residents_words_never_become_a_formula() {
        assert_eq!(
            cell(&Value::from("=HYPERLINK(\"http://x\")")),
            "'=HYPERLINK(\"http://x\")"
        );
        assert_eq!(cell(&Value::from("-100123")), "-100123");
        assert_eq!(cell(&Value::from("@bot cứu")), "'@bot cứu");
        assert_eq!(cell(&Value::Null), "");
    }
}
