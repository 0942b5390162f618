//! The client of `pages`: a page for a URL.

use std::io;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The longest page that is read.
const LONGEST_PAGE: usize = 1 << 20;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{url}: not the address of an http server")]
    Address { url: Uri },
    #[error("{url}: cannot connect: {source}")]
    Connect { url: Uri, source: io::Error },
    #[error("{url}: {source}")]
    Http { url: Uri, source: hyper::Error },
    #[error("{url}: {status}")]
    Status { url: Uri, status: StatusCode },
    #[error("{url}: the page cannot be read: {source}")]
    Body { url: Uri, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{url}: not a page: {source}")]
    Page { url: Uri, source: serde_json::Error },
    #[error("{url}: the next page is `{link}`, which is not on this server")]
    Link { url: Uri, link: String },
}

#[derive(Deserialize)]
pub struct Page {
    pub items: Vec<String>,
    pub next: Option<String>,
}

/// Where a link on the page at `url` leads to.
pub fn follow(url: &Uri, link: String) -> Result<Uri, Error> {
    let resolve = || {
        let mut parts = link.parse::<Uri>().ok()?.into_parts();
        parts
            .scheme
            .get_or_insert_with(|| url.scheme().cloned().expect("it has been connected to"));
        let authority = parts.authority.take().or_else(|| url.authority().cloned());
        parts.authority = authority.filter(|authority| Some(authority) == url.authority());
        Uri::from_parts(parts).ok()
    };
    resolve().ok_or_else(|| Error::Link { url: url.clone(), link })
}

/// A connection, for one request after the other.
pub struct Client {
    sender: SendRequest<Empty<Bytes>>,
    /// The task that moves its bytes. It is aborted, and the socket closed, when this is dropped.
    _connection: JoinSet<()>,
}

impl Client {
    pub async fn connect(url: &Uri) -> Result<Self, Error> {
        let host = url.host().filter(|_| url.scheme_str() == Some("http"));
        let host = host.ok_or_else(|| Error::Address { url: url.clone() })?;
        let address = (host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
        let socket = TcpStream::connect(address).await;
        let socket = socket.map_err(|source| Error::Connect { url: url.clone(), source })?;
        let (sender, connection) = handshake(TokioIo::new(socket))
            .await
            .map_err(|source| Error::Http { url: url.clone(), source })?;
        let mut task = JoinSet::new();
        task.spawn(async { drop(connection.await) }); // Its errors are those of the requests, too.
        Ok(Client { sender, _connection: task })
    }

    /// One page, by one request. A server that has failed is asked once more.
    pub async fn page(&mut self, url: &Uri) -> Result<Page, Error> {
        let bytes = match self.get(url).await {
            Err(Error::Status { status, .. }) if status.is_server_error() => self.get(url).await?,
            got => got?,
        };
        serde_json::from_slice(&bytes).map_err(|source| Error::Page { url: url.clone(), source })
    }

    async fn get(&mut self, url: &Uri) -> Result<Bytes, Error> {
        // The server may have closed it after the last response.
        if self.sender.ready().await.is_err() {
            *self = Client::connect(url).await?;
        }
        let host = url.authority().map_or("", |authority| authority.as_str());
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path).header(HOST, host).body(Empty::new());
        let response =
            self.sender.send_request(request.expect("its parts are those of a URL")).await;
        let response = response.map_err(|source| Error::Http { url: url.clone(), source })?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(Error::Status { url: url.clone(), status });
        }
        let body = Limited::new(response.into_body(), LONGEST_PAGE).collect().await;
        Ok(body.map_err(|source| Error::Body { url: url.clone(), source })?.to_bytes())
    }
}
