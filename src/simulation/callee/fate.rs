//! A behaviour with its times drawn: what happens in one call.

use std::time::Duration;

use crate::simulation::callee::Behaviour;
use crate::simulation::callee::End;
use crate::simulation::callee::Ring;
use crate::simulation::callee::Voice;
use crate::simulation::dice::Dice;
use crate::simulation::digest_user::ChallengeStyle;
use crate::simulation::quirks::Quirks;

/// A behaviour with its times drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// [`Behaviour::name`].
    pub name: String,
    /// [`Behaviour::challenge`].
    pub challenge: Option<ChallengeStyle>,
    /// What is signalled when, if it comes before the end.
    pub ring: Option<(Duration, Ring)>,
    /// The end.
    pub end: FateEnd,
    /// [`Behaviour::quirks`].
    pub quirks: Quirks,
}

/// The end of the ringing, with its times drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FateEnd {
    /// See [`End::Answer`].
    Answer {
        /// Since the arrival of the INVITE.
        after: Duration,
        /// Since the answer.
        talk: Option<Duration>,
        /// What the callee says.
        voice: Voice,
    },
    /// See [`End::Refuse`].
    Refuse {
        /// Since the arrival of the INVITE.
        after: Duration,
        /// 300..=699.
        status: u16,
        /// Cause of a Reason header.
        q850: Option<u8>,
        /// Seconds.
        retry_after_s: Option<u32>,
        /// Number of a Contact header.
        moved_to: Option<String>,
    },
    /// See [`End::Nothing`].
    Nothing,
    /// See [`End::AnswerOnCancel`].
    AnswerOnCancel {
        /// Since the answer.
        talk: Option<Duration>,
        /// What the callee says.
        voice: Voice,
    },
}

impl Fate {
    pub(super) fn draw(behaviour: &Behaviour, dice: &mut Dice) -> Self {
        let ring_after = behaviour.ring_after.draw(dice);
        let (ends, end) = match &behaviour.end {
            End::Answer { after, talk, voice } => {
                let after = after.draw(dice);
                let talk = talk.map(|talk| talk.draw(dice));
                (Some(after), FateEnd::Answer { after, talk, voice: *voice })
            }
            End::Refuse { after, status, q850, retry_after_s, moved_to } => {
                let after = after.draw(dice);
                let end = FateEnd::Refuse {
                    after,
                    status: *status,
                    q850: *q850,
                    retry_after_s: *retry_after_s,
                    moved_to: moved_to.clone(),
                };
                (Some(after), end)
            }
            End::Nothing => (None, FateEnd::Nothing),
            End::AnswerOnCancel { talk, voice } => {
                let talk = talk.map(|talk| talk.draw(dice));
                (None, FateEnd::AnswerOnCancel { talk, voice: *voice })
            }
        };
        let rings = behaviour.ring != Ring::None && ends.is_none_or(|ends| ring_after < ends);
        Self {
            name: behaviour.name.clone(),
            challenge: behaviour.challenge.clone(),
            ring: rings.then_some((ring_after, behaviour.ring)),
            end,
            quirks: behaviour.quirks.clone(),
        }
    }

    /// Whether sound will be wanted.
    pub(crate) fn has_sound(&self) -> bool {
        let early = matches!(self.ring, Some((_, Ring::EarlyMedia { .. })));
        early
            || match self.end {
                FateEnd::Answer { .. } | FateEnd::AnswerOnCancel { .. } => true,
                FateEnd::Refuse { .. } | FateEnd::Nothing => false,
            }
    }
}
