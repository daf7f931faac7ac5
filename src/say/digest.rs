//! The digest as text.
