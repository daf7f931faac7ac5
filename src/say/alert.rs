//! Alerts as rooms hear them, previews, and answers to those who check a code.
