//! Floor 1, pure: everything that decides. No async, socket, file, SQL, clock or dice.
//!
//! Time and events go in, actions come out. The words, as used by every name in the code:
//!
//! | word | meaning |
//! |---|---|
//! | contact | the person, per seller |
//! | lead | that person in one campaign; the lease is on the lead |
//! | attempt | one decision to call one number of a lead |
//! | leg | one SIP dialog; an attempt may have several, an agent's shift is a leg too |
//! | outcome | what network and detector saw, exactly one per attempt |
//! | disposition | what the agent says happened |
//! | `unknown` | sent, end not known |
//! | seller | the company for which we call |

pub mod agent;
pub mod attempt;
pub mod campaign;
pub mod compliance;
pub mod dialer;
pub mod gate;
pub mod ids;
pub mod media;
pub mod node;
pub mod outcome;
pub mod pacing;
pub mod phone;
pub mod rtp;
pub mod settings;
pub mod sip;
pub mod split_mix;
pub mod time;
