//! What officers, heads and administrators are answered.
