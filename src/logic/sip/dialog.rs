//! One dialog: what a request inside it must carry, and where it goes (RFC 3261 §12).

use std::fmt;
use std::net::SocketAddr;

use super::message::Message;
use super::message::Method;
use super::message::NameAddr;
use super::message::Uri;
use super::message::name;

/// An early or confirmed dialog, seen from our side. `Debug` hides whom it is with.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Our From: value with our tag.
    pub local: String,
    /// Our To: value with the far end's tag, if it has one.
    pub remote: String,
    /// The far end's tag; empty when it sent none (RFC 2543).
    pub remote_tag: String,
    /// CSeq of our last request.
    pub local_cseq: u32,
    /// CSeq of the far end's last request.
    pub remote_cseq: Option<u32>,
    /// URI of the far end's Contact.
    pub remote_target: String,
    /// Route values in the order they are sent.
    pub route_set: Vec<String>,
    /// Where the far end's packets come from.
    pub peer: SocketAddr,
    /// Whether the far end's Allow has UPDATE.
    pub allows_update: bool,
}

impl Dialog {
    /// A dialog made by a response to our INVITE with this To tag. `request_uri` stands in where there is no Contact.
    #[must_use]
    pub fn from_response(
        response: &Message,
        remote_tag: &str,
        local: &str,
        cseq: u32,
        request_uri: &str,
        peer: SocketAddr,
    ) -> Self {
        let mut dialog = Self {
            local: local.to_owned(),
            remote: String::new(),
            remote_tag: remote_tag.to_owned(),
            local_cseq: cseq,
            remote_cseq: None,
            remote_target: request_uri.to_owned(),
            route_set: Vec::new(),
            peer,
            allows_update: false,
        };
        dialog.refresh_from_response(response, peer);
        dialog
    }

    /// The 2xx of an early dialog: its Contact and Record-Route replace those of the 1xx (RFC 3261 §13.2.2.4).
    pub fn refresh_from_response(&mut self, response: &Message, peer: SocketAddr) {
        if let Some(to) = response.first(name::TO) {
            to.clone_into(&mut self.remote);
        }
        self.retarget(response, None);
        self.route_set = response.record_routes();
        self.route_set.truncate(MAX_ROUTES);
        self.route_set.reverse();
        self.peer = peer;
    }

    /// A dialog made by an INVITE of the far end. `local_tag` is ours.
    #[must_use]
    pub fn from_request(request: &Message, cseq: u32, local_tag: &str, peer: SocketAddr) -> Self {
        let from = request.from();
        let mut dialog = Self {
            local: format!("{};tag={local_tag}", request.first(name::TO).unwrap_or_default()),
            remote: request.first(name::FROM).unwrap_or_default().to_owned(),
            remote_tag: from
                .as_ref()
                .and_then(|from| from.tag().map(str::to_owned))
                .unwrap_or_default(),
            local_cseq: 0,
            remote_cseq: Some(cseq),
            remote_target: from.map(|from| from.uri).unwrap_or_default(),
            route_set: request.record_routes(),
            peer,
            allows_update: false,
        };
        dialog.route_set.truncate(MAX_ROUTES);
        dialog.retarget(request, None);
        dialog
    }

    /// Target refresh by a re-INVITE or UPDATE, or the 2xx to ours (RFC 3261 §12.2).
    pub fn retarget(&mut self, message: &Message, peer: Option<SocketAddr>) {
        if let Some(contact) = message.contact() {
            self.remote_target = contact.uri;
        }
        if message.first(name::ALLOW).is_some() {
            self.allows_update = message.lists(name::ALLOW, "UPDATE");
        }
        // Who sends UPDATE takes it.
        self.allows_update |= message.method() == Some(&Method::UPDATE);
        if let Some(peer) = peer {
            self.peer = peer;
        }
    }

    /// Whether `cseq` of a new request is in order; remembers it if so (RFC 3261 §12.2.2).
    pub fn takes_cseq(&mut self, cseq: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| cseq >= last);
        if in_order {
            self.remote_cseq = Some(cseq);
        }
        in_order
    }

    /// The CSeq of our next request.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// A request of ours with everything the dialog decides; Via, Contact and body are the caller's.
    #[must_use]
    pub fn request(&self, method: Method, call_id: &str, cseq: u32) -> Message {
        let (uri, routes) = self.request_line();
        let mut request = Message::request(method.clone(), uri);
        for route in &routes {
            request.push(name::ROUTE, route);
        }
        request.push(name::MAX_FORWARDS, "70");
        request.push(name::FROM, &self.local).push(name::TO, &self.remote);
        request.push(name::CALL_ID, call_id).push(name::CSEQ, format!("{cseq} {method}"));
        request
    }

    /// Where requests go. `symmetric`: to where the far end's packets come from. Else to the first route, or the remote
    /// target, as far as it is an address: names are not resolved here.
    #[must_use]
    pub fn next_hop(&self, symmetric: bool) -> SocketAddr {
        if symmetric {
            return self.peer;
        }
        let first = self.route_set.first().and_then(|route| NameAddr::parse(route));
        let uri = first.map_or_else(|| self.remote_target.clone(), |route| route.uri);
        address_of(&uri).unwrap_or(self.peer)
    }

    /// Request-URI and Route values (RFC 3261 §12.2.1.1). A first route without `lr` is a strict router: it becomes the
    /// Request-URI, and the remote target goes last.
    fn request_line(&self) -> (String, Vec<String>) {
        let target = as_request_uri(&self.remote_target);
        let first = self.route_set.first().and_then(|route| NameAddr::parse(route));
        match first {
            Some(first) if !is_loose(&first.uri) => {
                let mut routes: Vec<_> = self.route_set.iter().skip(1).cloned().collect();
                routes.push(format!("<{target}>"));
                (as_request_uri(&first.uri), routes)
            }
            Some(_) | None => (target, self.route_set.clone()),
        }
    }
}

impl fmt::Debug for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialog")
            .field("remote_tag", &self.remote_tag)
            .field("local_cseq", &self.local_cseq)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The address a URI names, if it is a literal.
#[must_use]
pub fn address_of(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    let sip = uri.as_sip()?;
    Some(SocketAddr::new(sip.host.ip()?, sip.port.unwrap_or(super::message::DEFAULT_PORT)))
}

fn is_loose(uri: &str) -> bool {
    Uri::parse(uri)
        .is_ok_and(|uri| uri.as_sip().is_none_or(super::message::SipUri::is_loose_router))
}

fn as_request_uri(uri: &str) -> String {
    // As good as always there is nothing to leave out.
    if !uri.contains('?') && !uri.to_ascii_lowercase().contains("method") {
        return uri.to_owned();
    }
    match Uri::parse(uri) {
        Ok(Uri::Sip(sip)) => Uri::Sip(sip.as_request_uri()).to_string(),
        Ok(Uri::Tel { .. } | Uri::Other { .. }) | Err(_) => uri.to_owned(),
    }
}

/// More proxies than any call passes; a longer list would make a datagram too large for UDP.
const MAX_ROUTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> SocketAddr {
        "203.0.113.9:5070".parse().unwrap()
    }

    fn answer(extra: &[(&str, &str)]) -> Message {
        let mut response = Message::response(200, "");
        response.push("To", "<sip:b@x>;tag=far");
        for (name, value) in extra {
            response.push(name, value);
        }
        response
    }

    fn dialog(extra: &[(&str, &str)]) -> Dialog {
        Dialog::from_response(&answer(extra), "far", "<sip:a@y>;tag=near", 1, "sip:b@x", peer())
    }

    #[test]
    fn record_routes_are_reversed_and_loose_routing_keeps_the_target() {
        let dialog = dialog(&[
            ("Record-Route", "<sip:192.0.2.1;lr>, <sip:192.0.2.2:5080;lr>"),
            ("Contact", "<sip:b@10.0.0.1:5090;transport=UDP>"),
        ]);
        let bye = dialog.request(Method::BYE, "c", 2);
        assert_eq!(bye.routes(), ["<sip:192.0.2.2:5080;lr>", "<sip:192.0.2.1;lr>"]);
        let text = String::from_utf8(bye.to_bytes()).unwrap();
        assert!(text.starts_with("BYE sip:b@10.0.0.1:5090;transport=UDP SIP/2.0\r\n"), "{text}");
        assert_eq!(dialog.next_hop(true), peer());
        assert_eq!(dialog.next_hop(false), "192.0.2.2:5080".parse().unwrap());
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri() {
        let dialog = dialog(&[
            ("Record-Route", "<sip:192.0.2.1;lr>, <sip:192.0.2.2>"),
            ("Contact", "<sip:b@10.0.0.1>"),
        ]);
        let bye = dialog.request(Method::BYE, "c", 2);
        assert_eq!(bye.routes(), ["<sip:192.0.2.1;lr>", "<sip:b@10.0.0.1>"]);
        assert!(bye.to_bytes().starts_with(b"BYE sip:192.0.2.2 SIP/2.0\r\n"));
    }

    #[test]
    fn without_contact_the_request_target_stands_in() {
        let dialog = dialog(&[]);
        assert_eq!(dialog.remote_target, "sip:b@x");
        assert_eq!(dialog.next_hop(false), peer(), "a name is not resolved");
    }

    #[test]
    fn an_older_cseq_is_out_of_order() {
        let mut dialog = dialog(&[]);
        assert!(dialog.takes_cseq(7) && dialog.takes_cseq(8));
        assert!(!dialog.takes_cseq(7));
    }
}
