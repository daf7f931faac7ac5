//! A resident's message becomes a record.
