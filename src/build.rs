//! Lays the built-in lexicon out while the program is built, so that it is read where it lies and takes
//! neither time nor memory when the program starts: see `src/text/lexicon/grow.rs`.
//!
//! The modules below are the program's own; a test holds that both lay out the same.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "only what lays a lexicon out is used of these modules"
)]

use std::error::Error;
use std::path::Path;

mod domain {
    pub mod reading;
}

mod text {
    pub mod fold;
    pub mod frame;
    pub mod often;
    pub mod token;
    pub mod trie;

    pub mod lexicon {
        pub mod grow;
        pub mod hash;
        pub mod image;
        pub mod source;
        pub mod table;
        pub mod what;

        pub use hash::Mix;
        pub(crate) use hash::{Names, Set};
        pub use what::{Hit, PlaceWord, State, TimeWord, What};
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for used in [
        "config/lexicon",
        "src/build.rs",
        "src/domain/reading.rs",
        "src/text",
    ] {
        println!("cargo::rerun-if-changed={used}");
    }
    let mut image = text::lexicon::image::Image::default();
    let mut laid = text::lexicon::grow::lay_out(Vec::new())?;
    laid.pass(&mut image)
        .ok_or("the lexicon cannot be written")?;
    let folder = std::env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    std::fs::write(Path::new(&folder).join("lexicon.bin"), image.0)?;
    Ok(())
}
