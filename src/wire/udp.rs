//! UDP sockets with large buffers; sending never waits.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

/// A socket that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot open UDP {addr}: {source}; is the address this machine's, and the port free?")]
pub struct BindError {
    /// What was asked for.
    pub addr: SocketAddr,
    /// The system's answer.
    pub source: io::Error,
}

/// The socket that SIP goes through.
#[derive(Debug)]
pub struct SipSocket {
    socket: tokio::net::UdpSocket,
    /// The same socket. tokio's own `try_send_to` also says "would block" while it has not yet looked.
    sender: std::net::UdpSocket,
    local: SocketAddr,
    full: AtomicU64,
    failed: AtomicU64,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The system has it.
    Sent,
    /// The socket's buffer is full: the datagram is lost, as on the network; SIP repeats it.
    Full,
    /// The system refused it: no route, too long, a bad address.
    Failed,
}

impl SipSocket {
    /// Binds `addr` (port 0: any) inside a tokio runtime, asking for `buffer` bytes each way; the system may
    /// give less.
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be bound.
    pub fn bind(addr: SocketAddr, buffer: usize) -> Result<Self, BindError> {
        let fail = |source| BindError { addr, source };
        let socket = bind_datagram(addr, buffer, CS3).map_err(fail)?;
        let local = socket.local_addr().map_err(fail)?;
        let sender = socket.try_clone().map_err(fail)?;
        let socket = tokio::net::UdpSocket::from_std(socket).map_err(fail)?;
        Ok(Self { socket, sender, local, full: AtomicU64::new(0), failed: AtomicU64::new(0) })
    }

    /// The address with the port the system chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits until a datagram may be there to be taken by [`SipSocket::try_recv_from`].
    ///
    /// # Errors
    /// The system's, when the socket is broken.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Waits until the socket takes datagrams. A new one is believed to be full until the poller has seen it: without
    /// this wait its first datagrams would be lost.
    ///
    /// # Errors
    /// The system's, when the socket is broken.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Waits for a datagram; what does not fit into `buffer` is cut off. Safe to cancel.
    ///
    /// # Errors
    /// The system's. An error is about one datagram (such as an ICMP reply to one of ours): go on receiving.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer).await
    }

    /// Takes a datagram that is there already; `WouldBlock` when none is known to be.
    ///
    /// # Errors
    /// As [`SipSocket::recv_from`].
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.try_recv_from(buffer)
    }

    /// Sends now or never.
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> SendOutcome {
        match self.sender.send_to(bytes, to) {
            Ok(_) => SendOutcome::Sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.full.fetch_add(1, Ordering::Relaxed);
                SendOutcome::Full
            }
            Err(_) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                SendOutcome::Failed
            }
        }
    }

    /// Datagrams lost to a full buffer so far.
    #[must_use]
    pub fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// Datagrams the system refused so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Enough for some 3,000 SIP messages that arrive together.
pub const SIP_BUFFER: usize = 4 << 20;

/// RFC 4594 §4.1: signalling.
const CS3: u32 = 24 << 2;

/// A non-blocking socket; `buffer` bytes are asked for each way, and `tos` is the traffic class of all it sends.
pub(super) fn bind_datagram(
    addr: SocketAddr,
    buffer: usize,
    tos: u32,
) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system caps sizes silently; a refusal leaves the default, which works too.
    socket.set_recv_buffer_size(buffer).ok();
    socket.set_send_buffer_size(buffer).ok();
    if addr.is_ipv4() {
        socket.set_tos_v4(tos).ok();
    } else {
        socket.set_tclass_v6(tos).ok();
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_loopback(check: impl AsyncFnOnce()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check());
    }

    #[test]
    fn a_datagram_goes_from_one_socket_to_another() {
        on_loopback(async || {
            let any = "127.0.0.1:0".parse().unwrap();
            let (a, b) =
                (SipSocket::bind(any, 1 << 16).unwrap(), SipSocket::bind(any, 1 << 16).unwrap());
            assert_eq!(a.try_send_to(b"hello", b.local_addr()), SendOutcome::Sent);
            let mut buffer = [0; 100];
            assert_eq!(b.recv_from(&mut buffer).await.unwrap(), (5, a.local_addr()));
            assert_eq!(&buffer[..5], b"hello");
        });
    }

    #[test]
    fn what_cannot_be_sent_is_counted_and_never_waited_for() {
        on_loopback(async || {
            let socket = SipSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
            let to = socket.local_addr();
            assert_eq!(socket.try_send_to(&[0; 70_000], to), SendOutcome::Failed);
            assert_eq!((socket.full(), socket.failed()), (0, 1));
        });
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        on_loopback(async || {
            let first = SipSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
            let error = SipSocket::bind(first.local_addr(), 1 << 16).unwrap_err();
            assert!(error.to_string().contains(&first.local_addr().to_string()), "{error}");
        });
    }
}
