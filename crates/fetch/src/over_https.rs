//! Connects gix with our HTTPS client: [smart HTTP](https://git-scm.com/docs/http-protocol), in
//! which each step of Git's protocol is a request of its own. gix writes the packets, the client
//! enforces the rules for hosts, redirects and credentials.

use std::{
    any::Any,
    io::{self, BufRead, Cursor, Read, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use contract::Repository;
use gix::protocol::transport::Protocol;
use gix_transport::client::blocking_io::http::{self, GetResponse, Http, PostBodyDataKind, PostResponse};
use https::{Client, Credential, HeaderMap, HeaderName, HeaderValue, HttpsError, Response};

use crate::{FetchError, wire::Wire};

/// gix's transport over our client.
pub(crate) type OverHttps = http::Transport<Requests>;

/// Connects gix to the repository at this URL. The second value is the last response, to read what
/// gix leaves of it.
pub(crate) fn connect(
    url: String,
    client: &Client,
    credential: &Credential,
    wire: &Arc<Wire>,
    repository: &Repository,
) -> gix::Result<(OverHttps, Last)> {
    let last = Last::default();
    // gix only puts its own paths behind it. It never gets the host's, nor the credential.
    let base = gix::url::parse("https://repository/")?;
    let requests = Requests {
        url,
        client: client.clone(),
        credential: credential.clone(),
        wire: Arc::clone(wire),
        repository: repository.clone(),
        last: Arc::clone(&last),
    };
    Ok((http::Transport::new_http(requests, base, Protocol::V2, false), last))
}

/// The last exchange.
pub(crate) type Last = Arc<Mutex<Option<Arc<Mutex<Exchange>>>>>;

/// Reads the rest of the last response, so that its connection serves the next request.
pub(crate) fn hear_out(last: &Last, wire: &Wire) {
    let Some(exchange) = last.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let Some(mut answer) = exchange.lock().unwrap_or_else(PoisonError::into_inner).answer.take() else { return };
    let rest = async { while let Ok(Some(_)) = answer.chunk().await {} };
    if wire.part(rest).is_err() {
        tracing::debug!("the host did not end its response");
    }
}

/// What makes gix's requests.
pub(crate) struct Requests {
    /// The repository's URL, without a slash at the end.
    url: String,
    client: Client,
    credential: Credential,
    wire: Arc<Wire>,
    repository: Repository,
    last: Last,
}

impl Requests {
    fn fail(&self, source: HttpsError) -> io::Error {
        failed(&self.wire, &self.repository, &self.credential, source)
    }

    /// An exchange with a request that isn't sent yet, or with its response.
    fn exchange(&self, state: Result<Response, Request>) -> Arc<Mutex<Exchange>> {
        let (answer, request) = match state {
            Ok(answer) => (Some(answer), None),
            Err(request) => (None, Some(request)),
        };
        let exchange = Exchange { wire: Arc::clone(&self.wire), request, answer };
        let exchange = Arc::new(Mutex::new(exchange));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&exchange));
        exchange
    }
}

/// Notes why the host doesn't serve a request.
fn failed(wire: &Wire, repository: &Repository, credential: &Credential, source: HttpsError) -> io::Error {
    wire.fail(unserved(repository, credential, source))
}

/// Why the host doesn't serve a request.
pub(crate) fn unserved(repository: &Repository, credential: &Credential, source: HttpsError) -> FetchError {
    let repository = repository.clone();
    match source {
        HttpsError::Unauthorized { host } if credential.is_empty() => FetchError::NoToken { host, repository },
        source => FetchError::Https { repository, source },
    }
}

impl Http for Requests {
    type Headers = Cursor<Vec<u8>>;
    type ResponseBody = Incoming;
    type PostBody = Outgoing;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let path = below(url, base_url);
        let asked = format!("{}/{path}", self.url);
        let host = self.repository.host.as_str();
        let answer = self.client.get_from_one(&asked, host, &self.credential, header_map(headers));
        let answer = self.wire.wait(async { Some(answer.await) }).map_err(gix::Error::from_error)?;
        let answer = answer.map_err(|error| gix::Error::from_error(self.fail(error)))?;
        // The host may have redirected to another path of its own, of a renamed repository.
        if let Some(url) = answer.url().as_str().strip_suffix(path) {
            url.trim_end_matches('/').clone_into(&mut self.url);
        }
        let kind = media_type(&answer);
        if kind != ADVERTISEMENT {
            let answer = HttpsError::Answer { host: host.to_owned(), what: "the request for references" };
            return Err(gix::Error::from_error(self.fail(answer)));
        }
        let body = Incoming { exchange: self.exchange(Ok(answer)), pending: Bytes::new() };
        Ok(GetResponse { headers: content_type(ADVERTISEMENT), body })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let request = Request {
            url: format!("{}/{}", self.url, below(url, base_url)),
            client: self.client.clone(),
            credential: self.credential.clone(),
            headers: header_map(headers),
            repository: self.repository.clone(),
            body: Vec::new(),
        };
        let exchange = self.exchange(Err(request));
        Ok(PostResponse {
            post_body: Outgoing { exchange: Arc::clone(&exchange) },
            // gix asks for it before the request is sent. The response's own is checked then.
            headers: content_type(RESULT),
            body: Incoming { exchange, pending: Bytes::new() },
        })
    }

    fn configure(&mut self, _: &dyn Any) -> gix::Result {
        Ok(())
    }
}

/// The media types of the two responses.
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";

fn below<'u>(url: &'u str, base_url: &str) -> &'u str {
    url.strip_prefix(base_url).unwrap_or(url).trim_start_matches('/')
}

/// gix's headers. It writes them itself, so none is malformed.
fn header_map(lines: impl IntoIterator<Item = impl AsRef<str>>) -> HeaderMap {
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    lines.into_iter().filter_map(|line| header(line.as_ref())).collect()
}

fn content_type(kind: &str) -> Cursor<Vec<u8>> {
    Cursor::new(format!("content-type: {kind}\n").into_bytes())
}

fn media_type(answer: &Response) -> &str {
    answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// A request that waits for its body.
struct Request {
    url: String,
    client: Client,
    credential: Credential,
    headers: HeaderMap,
    repository: Repository,
    body: Vec<u8>,
}

/// A request and its response.
pub(crate) struct Exchange {
    wire: Arc<Wire>,
    request: Option<Request>,
    answer: Option<Response>,
}

impl Exchange {
    /// The next bytes of the response, for which the request is sent. Empty at its end.
    fn next(&mut self) -> io::Result<Bytes> {
        if let Some(request) = self.request.take() {
            self.answer = Some(self.send(request)?);
        }
        let Some(answer) = &mut self.answer else { return Ok(Bytes::new()) };
        let piece = self.wire.wait(async { answer.chunk().await.ok() })?.unwrap_or_default();
        self.wire.count(piece.len())?;
        Ok(piece)
    }

    fn send(&self, request: Request) -> io::Result<Response> {
        let Request { url, client, credential, headers, repository, body } = request;
        let host = repository.host.as_str();
        let answer = self.wire.wait(async { Some(client.post_with(&url, host, &credential, headers, body).await) })?;
        let answer = answer.and_then(|answer| match media_type(&answer) {
            RESULT => Ok(answer),
            _ => Err(HttpsError::Answer { host: host.to_owned(), what: "a request of Git's protocol" }),
        });
        answer.map_err(|error| failed(&self.wire, &repository, &credential, error))
    }
}

/// A response's body.
pub(crate) struct Incoming {
    exchange: Arc<Mutex<Exchange>>,
    pending: Bytes,
}

impl BufRead for Incoming {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.pending.is_empty() {
            self.pending = self.exchange.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        }
        Ok(&self.pending)
    }

    fn consume(&mut self, bytes: usize) {
        drop(self.pending.split_to(bytes.min(self.pending.len())));
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?.read(buffer)?;
        self.consume(bytes);
        Ok(bytes)
    }
}

/// A request's body, which is sent when the response is read. It is small: what we want and have.
pub(crate) struct Outgoing {
    exchange: Arc<Mutex<Exchange>>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let request = exchange.request.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        request.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
