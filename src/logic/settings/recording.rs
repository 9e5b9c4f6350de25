//! What an answered person hears in agentless mode, and what the keys mean.

use std::collections::BTreeMap;
use std::time::Duration;

/// The recorded message of a campaign, with its menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// On what recorded calls to these people rest, in the words of whoever answers for it: most laws ask for consent
    /// given before (47 CFR 64.1200(a)(2)-(3), Directive 2002/58/EC art. 13(1)).
    pub basis: String,
    /// Language to file: the message.
    pub files: BTreeMap<String, String>,
    /// Language to file: played once a refusal is durable. Empty: the call ends at that moment.
    pub removed: BTreeMap<String, String>,
    /// Language to file: played once any other choice is durable. Empty: the call ends at that moment.
    pub thanks: BTreeMap<String, String>,
    /// What each key says: the code of a disposition. One of them is a refusal.
    pub keys: BTreeMap<char, String>,
    /// How often the message is played again to whoever pressed nothing.
    pub repeat: u32,
    /// How long a key is waited for after the message.
    pub wait: Duration,
    /// So many keys without a meaning end the call.
    pub wrong_keys: u32,
    /// Most calls of this kind under way at once.
    pub lines: Option<u32>,
}

impl Recording {
    /// Every file that can be played.
    pub fn sound_files(&self) -> impl Iterator<Item = &String> {
        self.files.values().chain(self.removed.values()).chain(self.thanks.values())
    }
}
