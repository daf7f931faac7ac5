//! What the bot says about itself: on joining a group, and when asked for help.
