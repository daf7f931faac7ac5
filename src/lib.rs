//! Kẻng.
