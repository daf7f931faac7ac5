//! Links: whether two messages are about one event.
