//! Writes what a lexicon is laid out as: the bytes that the program reads it from.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::text::lexicon::table::{Pass, Table, narrow};

/// An image while it is written.
#[derive(Debug, Default)]
pub(crate) struct Image(pub(crate) Vec<u8>);

impl Image {
    fn section(&mut self, bytes: &[u8]) {
        self.0.extend(narrow(bytes.len()).to_le_bytes());
        self.0.extend(bytes);
    }
}

impl Pass for Image {
    fn table<const N: usize>(&mut self, table: &mut Table<N>) -> Option<()> {
        self.section(table.rows(0, table.len()).as_flattened());
        Some(())
    }

    fn value<T: Serialize + DeserializeOwned>(&mut self, value: &mut T) -> Option<()> {
        self.section(&postcard::to_stdvec(value).ok()?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lexicon::grow::lay_out;
    use crate::text::lexicon::table::{Index, Reading};

    #[test]
    fn an_image_is_read_as_it_was_written() {
        let mut table: Table<3> = vec![[1, 2, 3], [4, 5, 6]].into();
        let mut index = Index::of(&mut [(7, ()), (9, ())]);
        let mut image = Image::default();
        image.table(&mut table).unwrap();
        image.index(&mut index).unwrap();
        image.value(&mut ("bản".to_owned(), 5_u16)).unwrap();
        let bytes: &'static [u8] = image.0.leak();
        let (mut same, mut found, mut value) =
            (Table::default(), Index::default(), Default::default());
        let mut reading = Reading(bytes);
        reading.table::<3>(&mut same).unwrap();
        reading.index(&mut found).unwrap();
        reading.value::<(String, u16)>(&mut value).unwrap();
        assert_eq!((same, found), (table, index));
        assert_eq!(value, ("bản".to_owned(), 5));
        assert!(
            reading.table(&mut Table::<3>::default()).is_none(),
            "that was all"
        );
        let other = Reading(bytes).table(&mut Table::<4>::default());
        assert!(other.is_none(), "rows of three bytes are not rows of four");
    }

    #[test]
    fn what_the_program_comes_with_is_what_it_would_lay_out_itself() {
        let mut laid = lay_out(Vec::new()).unwrap();
        let mut image = Image::default();
        laid.pass(&mut image).unwrap();
        assert!(image.0 == crate::text::lexicon::BUILTIN);
    }
}
