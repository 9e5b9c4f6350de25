//! From a [`Message`] to bytes. Content-Length is always written, last, and always right.

use super::Message;
use super::Start;
use super::name;
use super::syntax::clean;

/// See [`Message::to_bytes`].
pub(super) fn print(message: &Message) -> Vec<u8> {
    let room: usize =
        message.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut out = Vec::with_capacity(room + message.body.len() + 160);
    match &message.start {
        Start::Request { method, uri } => {
            line(&mut out, &[method.as_str(), " ", &clean(uri), " SIP/2.0"]);
        }
        Start::Response { status, reason } => {
            line(&mut out, &["SIP/2.0 ", &status.to_string(), " ", &clean(reason)]);
        }
    }
    for (name, value) in &message.headers {
        line(&mut out, &[name, ": ", value]);
    }
    line(&mut out, &[name::CONTENT_LENGTH, ": ", &message.body.len().to_string()]);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&message.body);
    out
}

fn line(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}
