//! Plain types that know no one.
pub mod reading;
