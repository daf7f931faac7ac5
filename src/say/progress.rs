//! How the sending of an alert goes, for its author.
