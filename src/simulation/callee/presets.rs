//! Behaviours with a name, each as real carriers show it.

use crate::simulation::callee::Behaviour;
use crate::simulation::callee::End;
use crate::simulation::callee::Ring;
use crate::simulation::callee::Voice;
use crate::simulation::dice::Law;
use crate::simulation::quirks::Quirks;

impl Behaviour {
    /// Rings, answers, talks, hangs up.
    #[must_use]
    pub fn person(after: Law, talk: Law) -> Self {
        Self::new(
            "person",
            Ring::Ringing,
            End::Answer { after, talk: Some(talk), voice: Voice::Speech },
        )
    }

    /// Answers with a sine wave of 1 kHz, and never hangs up: for measuring sound.
    #[must_use]
    pub fn tone(after: Law, talk: Option<Law>) -> Self {
        Self::new(
            "tone",
            Ring::Ringing,
            End::Answer { after, talk, voice: Voice::Tone { hz: 1000 } },
        )
    }

    /// 486, cause 17 (user busy).
    #[must_use]
    pub fn busy(after: Law) -> Self {
        Self::refusal("busy", after, 486, Some(17))
    }

    /// 180, and nobody picks up.
    #[must_use]
    pub fn no_answer() -> Self {
        Self::new("no_answer", Ring::Ringing, End::Nothing)
    }

    /// 404, cause 1 (unallocated number).
    #[must_use]
    pub fn dead_number(after: Law) -> Self {
        Self::refusal("dead_number", after, 404, Some(1))
    }

    /// 604: does not exist anywhere.
    #[must_use]
    pub fn nowhere(after: Law) -> Self {
        Self::refusal("nowhere", after, 604, None)
    }

    /// 603, cause 21 (call rejected).
    #[must_use]
    pub fn decline(after: Law) -> Self {
        Self { ring: Ring::Ringing, ..Self::refusal("decline", after, 603, Some(21)) }
    }

    /// 607: does not want our calls (RFC 8197).
    #[must_use]
    pub fn unwanted(after: Law) -> Self {
        Self { ring: Ring::Ringing, ..Self::refusal("unwanted", after, 607, None) }
    }

    /// 480, cause 20 (subscriber absent): switched off.
    #[must_use]
    pub fn unavailable(after: Law) -> Self {
        Self::refusal("unavailable", after, 480, Some(20))
    }

    /// 503 with Retry-After, cause 34 (no circuit).
    #[must_use]
    pub fn congestion(after: Law, retry_after_s: u32) -> Self {
        let mut congestion = Self::refusal("congestion", after, 503, Some(34));
        if let End::Refuse { retry_after_s: patience, .. } = &mut congestion.end {
            *patience = Some(retry_after_s);
        }
        congestion
    }

    /// 302 to another number of this carrier (RFC 3261 §21.3.3).
    #[must_use]
    pub fn moved(after: Law, to: &str) -> Self {
        let mut moved = Self::refusal("moved", after, 302, None);
        if let End::Refuse { moved_to, .. } = &mut moved.end {
            *moved_to = Some(to.to_owned());
        }
        moved
    }

    /// The announcement of a dead number as early media, then 404.
    #[must_use]
    pub fn dead_announcement(after: Law) -> Self {
        let ring = Ring::EarlyMedia { voice: Voice::Announcement };
        Self { ring, ..Self::refusal("dead_announcement", after, 404, Some(1)) }
    }

    /// Ringback as early media (400 Hz, as in Japan), then an answer.
    #[must_use]
    pub fn early_media_person(after: Law, talk: Law) -> Self {
        let ring = Ring::EarlyMedia { voice: Voice::Tone { hz: 400 } };
        Self { ring, ..Self::person(after, talk) }
    }

    /// 100, and then nothing: the limit on the post-dial delay must end it.
    #[must_use]
    pub fn silent() -> Self {
        Self::new("silent", Ring::None, End::Nothing)
    }

    /// Answers and hangs up before a word.
    #[must_use]
    pub fn hang_up_at_once(after: Law) -> Self {
        let end = End::Answer { after, talk: Some(Law::fixed(0)), voice: Voice::Silence };
        Self::new("hang_up_at_once", Ring::Ringing, end)
    }

    /// Answers in the moment the caller gives up.
    #[must_use]
    pub fn late_answer(talk: Option<Law>) -> Self {
        Self::new("late_answer", Ring::Ringing, End::AnswerOnCancel { talk, voice: Voice::Speech })
    }

    /// A person whose sound does not come through.
    #[must_use]
    pub fn one_way(after: Law, talk: Law) -> Self {
        Self::new(
            "one_way",
            Ring::Ringing,
            End::Answer { after, talk: Some(talk), voice: Voice::Dead },
        )
    }

    /// A machine: greets, beeps, records in silence, hangs up.
    #[must_use]
    pub fn voicemail(after: Law, talk: Law, greeting_ms: u32, beep_hz: u16) -> Self {
        let voice = Voice::Voicemail { greeting_ms, beep_hz };
        Self::new("voicemail", Ring::Ringing, End::Answer { after, talk: Some(talk), voice })
    }

    /// A final refusal.
    #[must_use]
    pub fn refusal(name: &str, after: Law, status: u16, q850: Option<u8>) -> Self {
        let end = End::Refuse { after, status, q850, retry_after_s: None, moved_to: None };
        Self::new(name, Ring::None, end)
    }

    /// The same with oddities.
    #[must_use]
    pub fn with_quirks(self, quirks: Quirks) -> Self {
        Self { quirks, ..self }
    }

    fn new(name: &str, ring: Ring, end: End) -> Self {
        Self {
            name: name.to_owned(),
            challenge: None,
            ring,
            ring_after: SOON,
            end,
            quirks: Quirks::default(),
        }
    }
}

/// A simulated network finds the callee fast.
const SOON: Law = Law::fixed(20);
