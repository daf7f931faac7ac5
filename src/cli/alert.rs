//! `keng alert`: the latest version of an alert in one of its forms, beside a running server or while it is
//! down.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::bail;
use clap::ValueEnum;

use super::keep;
use crate::domain::ids::CheckCode;
use crate::web::alerts::Forms;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// The words for the loudspeakers.
    Txt,
    /// CAP 1.2.
    Xml,
    /// The card.
    Png,
}

impl Form {
    fn ending(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Xml => "xml",
            Self::Png => "png",
        }
    }
}

pub(super) fn run(
    config: &Path,
    code: &str,
    form: Form,
    output: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let loaded = crate::config::load_without_secrets(config)?;
    let Some(code) = CheckCode::parse(code) else {
        bail!("`{code}` is no check code: it stands at the end of the alert, such as 7F3A9K");
    };
    if form == Form::Png && output.is_none() {
        bail!("a card is a picture: say where to with --output FILE");
    }
    let name = format!("{code}.{}", form.ending());
    let made = super::serve::runtime()?.block_on(async {
        Ok::<_, anyhow::Error>(match keep::open_or_ask(&loaded).await? {
            keep::Access::Store(store) => {
                let areas = Arc::new(loaded.areas.clone());
                let forms = Forms::new(Arc::clone(&store), areas, loaded.web.public_url.as_ref());
                let made = forms.form(&name).await;
                store.close().await?;
                made?.map(|form| form.bytes)
            }
            keep::Access::Running(server) => server.file(&format!("api/alerts/{name}")).await?,
        })
    })?;
    let Some(bytes) = made else {
        bail!("no alert with the code {code} was ever sent");
    };
    match output {
        Some(file) => {
            std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?
        }
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
