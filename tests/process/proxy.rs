//! A way to the database that can be cut (bytes stay where they are, and nobody is told), be slow, or end as at a restart
//! (every connection is lost, and no new one is made).

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::site::rest;

/// Ends with the test.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    cut: Arc<AtomicBool>,
    away: Arc<AtomicBool>,
    delay_ms: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Proxy {
    /// Connections to it go to `server`.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            server: Arc::new(Mutex::new(server)),
            cut: Arc::default(),
            away: Arc::default(),
            delay_ms: Arc::default(),
            done: Arc::default(),
        };
        let delay_ms = Arc::clone(&proxy.delay_ms);
        let (cut, done) = (Arc::clone(&proxy.cut), Arc::clone(&proxy.done));
        let (away, server) = (Arc::clone(&proxy.away), Arc::clone(&proxy.server));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok(_) if away.load(Ordering::Relaxed) => {}
                    Ok((near, _)) => {
                        let server = *server.lock().unwrap();
                        // A server that is gone: the connection to it ends at once.
                        let Ok(far) = TcpStream::connect(server) else { continue };
                        let back = (far.try_clone().unwrap(), near.try_clone().unwrap());
                        for (from, to) in [(near, far), back] {
                            let flags = [&cut, &away, &done].map(Arc::clone);
                            let delay_ms = Arc::clone(&delay_ms);
                            std::thread::spawn(move || carry(from, to, &flags, &delay_ms));
                        }
                    }
                    Err(_) => rest(Duration::from_millis(5)),
                }
            }
        });
        proxy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing comes through, in either direction.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// As a server that restarts: all connections end, and nobody gets a new one.
    pub(crate) fn go_away(&self) {
        self.away.store(true, Ordering::Relaxed);
    }

    /// From now on a question takes so long to the server, and its answer so long back.
    pub(crate) fn slow_down(&self, each_way: Duration) {
        self.delay_ms.store(each_way.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }

    /// New connections go to another server.
    pub(crate) fn turn_to(&self, server: SocketAddr) {
        *self.server.lock().unwrap() = server;
    }

    /// The server is up again.
    pub(crate) fn come_back(&self) {
        self.away.store(false, Ordering::Relaxed);
    }

    /// What waited goes on its way.
    pub(crate) fn mend(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    [cut, away, done]: &[Arc<AtomicBool>; 3],
    delay_ms: &AtomicU64,
) {
    from.set_nonblocking(false).unwrap();
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut bytes = vec![0; 65_536];
    while !done.load(Ordering::Relaxed) && !away.load(Ordering::Relaxed) {
        let read = from.read(&mut bytes);
        while cut.load(Ordering::Relaxed) && !done.load(Ordering::Relaxed) {
            rest(Duration::from_millis(5));
        }
        match read {
            Ok(0) => break,
            Ok(size) => {
                rest(Duration::from_millis(delay_ms.load(Ordering::Relaxed)));
                if to.write_all(&bytes[..size]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    // The other side hears of it.
    to.shutdown(std::net::Shutdown::Both).ok();
}
