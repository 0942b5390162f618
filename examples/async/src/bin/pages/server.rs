//! The server of `pages`: a thousand items on pages of twenty, and one request that fails.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use watertight::{StopHandle, try_async_generator};

pub const PER_PAGE: usize = 20;

const ITEMS: usize = 1000;

/// The request that is refused, for the client to try again.
const REFUSED: usize = 2;

pub struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// Ends the acceptance of connections.
    stop: StopHandle,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let sockets = try_async_generator(async move |mut co| -> io::Result<()> {
            loop {
                co.yield_(listener.accept().await?.0).await;
            }
        });
        let (mut sockets, stop) = sockets.releasable();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(Ok(socket)) = sockets.next().await {
                let seen = seen.clone();
                let service = service_fn(move |request| {
                    let number = seen.fetch_add(1, Ordering::Relaxed) + 1;
                    async move { answer(&request, number) }
                });
                let http = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                connections.spawn(http);
            }
            while connections.join_next().await.is_some() {}
        });
        Ok(Server { address, requests, stop, task })
    }

    pub fn first_page(&self) -> Uri {
        format!("http://{}/items", self.address).parse().expect("an address makes a URL")
    }

    /// Accepts nobody any more, and waits until all clients have closed their connections. Gives the
    /// number of requests. It would wait for ever for a client that had leaked one.
    pub async fn close(self) -> usize {
        self.stop.stop();
        self.task.await.expect("the server does not panic");
        self.requests.load(Ordering::Relaxed)
    }
}

fn answer(request: &Request<Incoming>, number: usize) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    if number == REFUSED {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    }
    let after = request.uri().query().and_then(|query| query.strip_prefix("after=")?.parse().ok());
    let after = after.unwrap_or(0).min(ITEMS);
    let last = (after + PER_PAGE).min(ITEMS);
    let items: Vec<String> = (after + 1..=last).map(|n| format!("item {n}")).collect();
    let next = (last < ITEMS).then(|| format!("/items?after={last}"));
    *response.body_mut() = json!({ "items": items, "next": next }).to_string().into();
    Ok(response)
}
