//! Something that everybody in a chat can see, told to whoever watches the town, in one shape for all platforms.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is new.
    Wrote,
    /// Its text, marks or buttons changed.
    Edited,
    /// It is gone.
    Removed,
    /// It was pinned.
    Pinned,
    /// It was unpinned.
    Unpinned,
}

/// A button under a message of the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What the bot is told when it is pressed.
    pub data: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The platform's id of the chat: of a group, a Page, or the person in a private chat.
    pub chat: String,
    /// The author's id; `None` for the bot.
    pub person: Option<String>,
    /// The author's name; `None` for the bot.
    pub who: Option<String>,
    /// The platform's id of the message.
    pub message: String,
    /// The message it answers.
    pub reply_to: Option<String>,
    /// The text or caption as it stands now; empty for notices of the platform itself.
    pub text: String,
    /// What can be pressed under it.
    pub buttons: Vec<Button>,
    /// A picture or another file came with it.
    pub picture: bool,
    /// What happened to it.
    pub what: What,
}

/// Who watches a simulator: called with every scene as it happens, in order, while the simulator is locked. It
/// must not call back.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Fn(Scene) + Send + Sync>>);

impl Watcher {
    /// Calls `see` with every scene.
    pub fn new(see: impl Fn(Scene) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(see)))
    }

    /// Shows a scene, which is only made if somebody watches.
    pub(super) fn show(&self, scene: impl FnOnce() -> Scene) {
        if let Some(see) = &self.0 {
            see(scene());
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Watcher(somebody)"
        } else {
            "Watcher(nobody)"
        })
    }
}
