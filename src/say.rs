//! Every sentence the bot says, in Vietnamese: short, polite, to be read aloud to a grandmother.

pub mod alert;
pub mod approval;
pub mod card;
pub mod category;
pub mod change;
pub mod desk;
pub mod digest;
pub mod draft;
pub mod groups;
pub mod hand;
pub mod loudspeaker;
pub mod notice;
pub mod phrase;
pub mod poster;
pub mod progress;
pub mod receipt;
pub mod schedule;
