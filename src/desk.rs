//! What officers, heads and administrators may do; chat commands and web forms call the same acts.
