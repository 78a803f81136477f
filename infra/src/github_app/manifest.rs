//! Creates an App [by a manifest][github]: a page on the loopback address posts it to the host,
//! whose owner confirms it there, and whose code comes back to the page.
//!
//! Only who sees the terminal can open the page: its path can't be guessed. The host's answer
//! counts only with the `state` that the page has sent.
//!
//! [github]: https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use contract::AllowedHost;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use maud::{DOCTYPE, html};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// The longest name of an App.
const NAME: usize = 34;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Nothing can listen on the loopback address.
    #[error("could not open a page on the loopback address")]
    Listen(#[source] io::Error),
    /// The page ended by itself.
    #[error("the page on the loopback address ended")]
    Ended,
}

/// What is to be created.
#[derive(Debug)]
pub struct Manifest<'a> {
    /// The host.
    pub host: &'a AllowedHost,
    /// The organisation that owns it; a person without.
    pub organisation: Option<&'a str>,
    /// The stack.
    pub stack: &'a str,
    /// The stack's endpoint.
    pub url: &'a str,
    /// Whether it may set the statuses of commits.
    pub sets_statuses: bool,
}

/// A page that waits for the host's answer.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    address: SocketAddr,
    /// Begins with a slash.
    path: String,
    state: SecretString,
}

/// 128 bits that nobody can guess.
fn unguessable() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

impl Page {
    /// Opens it. It answers when [`code`](Self::code) is called.
    ///
    /// # Errors
    /// Nothing can listen there.
    pub async fn open() -> Result<Self, ManifestError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(ManifestError::Listen)?;
        let address = listener.local_addr().map_err(ManifestError::Listen)?;
        Ok(Self { listener, address, path: format!("/{}", unguessable()), state: unguessable().into() })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }

    /// Serves the page until the host's code for the App comes back.
    ///
    /// # Errors
    /// It ended before.
    pub async fn code(self, manifest: &Manifest<'_>) -> Result<SecretString, ManifestError> {
        let (told, mut code) = mpsc::channel(1);
        let html: Bytes = self.html(manifest).into();
        let Self { listener, address, path, state } = self;
        let site = Arc::new(Site { host: address.to_string(), path, state, html, told });
        loop {
            tokio::select! {
                code = code.recv() => return code.ok_or(ManifestError::Ended),
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let site = Arc::clone(&site);
                    tokio::spawn(async move {
                        let answer = service_fn(|request| {
                            let answer = site.answer(&request);
                            async { Ok::<_, Infallible>(answer) }
                        });
                        let mut server = hyper::server::conn::http1::Builder::new();
                        // A browser that disconnects is no error.
                        drop(server.keep_alive(false).serve_connection(TokioIo::new(stream), answer).await);
                    });
                }
            }
        }
    }

    fn html(&self, manifest: &Manifest<'_>) -> String {
        let Manifest { host, organisation, stack, url, sets_statuses } = manifest;
        let owner = organisation.map(|name| format!("/organizations/{}", contract::url_path::encoded(name)));
        let owner = owner.unwrap_or_default();
        let action = format!("{}{owner}/settings/apps/new?state={}", host.web, self.state.expose_secret());
        let unique = hex::encode(rand::random::<[u8; 3]>());
        let short: String = stack.chars().take(NAME - "git2s3 ".len() - 1 - unique.len()).collect();
        let mut permissions = json!({ "contents": "read", "metadata": "read" });
        if *sets_statuses {
            permissions["statuses"] = "write".into();
        }
        let body = json!({
            "name": format!("git2s3 {short} {unique}"),
            "url": url,
            "hook_attributes": { "url": url, "active": true },
            "redirect_url": format!("{}/created", self.url()),
            "public": false,
            "default_permissions": permissions,
            "default_events": ["push"],
        });
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "git2s3: create a GitHub App" } }
                body {
                    h1 { "Create a GitHub App for stack " (stack) }
                    p {
                        "It may read the contents of the repositories that you install it on, "
                        @if *sets_statuses { "sets the statuses of their commits, " }
                        "and reports pushes to " code { (url) } ". " (host.host) " asks you to confirm it."
                    }
                    form action=(action) method="post" {
                        input type="hidden" name="manifest" value=(body);
                        button { "Continue at " (host.host) }
                    }
                }
            }
        };
        page.into_string()
    }
}

/// What the page's server needs for an answer.
struct Site {
    host: String,
    path: String,
    state: SecretString,
    html: Bytes,
    told: mpsc::Sender<SecretString>,
}

impl Site {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        // Another name could be another site's, which resolves to this address.
        let is_here = named == Some(self.host.as_str()) && request.method() == Method::GET;
        let path = request.uri().path();
        match path.strip_prefix(&self.path).filter(|_| is_here) {
            Some("") => page(200, self.html.clone()),
            Some("/created") => self.created(request.uri().query().unwrap_or_default()),
            _ => page(404, "There is nothing here.".into()),
        }
    }

    fn created(&self, query: &str) -> Response<Full<Bytes>> {
        let field = |name: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(field, _)| field == name);
            found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
        };
        let is_ours = field("state").is_some_and(|state| same(&state, self.state.expose_secret()));
        let Some(code) = field("code").filter(|_| is_ours) else {
            return page(403, "This does not come from the page in the terminal.".into());
        };
        // The first one counts.
        match self.told.try_send(code.into()) {
            Ok(()) => page(200, "The host has the GitHub App. Go on in the terminal.".into()),
            Err(_) => page(409, "There was an answer already.".into()),
        }
    }
}

/// Compares in constant time.
fn same(one: &str, other: &str) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(one.as_bytes(), other.as_bytes()))
}

/// A page that loads nothing, and that no other page may frame or refer to.
fn page(status: u16, html: Bytes) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CACHE_CONTROL, "no-store");
    response.body(Full::new(html)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (Site, mpsc::Receiver<SecretString>) {
        let (told, code) = mpsc::channel(1);
        let (host, path) = ("127.0.0.1:1".to_owned(), "/0123".to_owned());
        (Site { host, path, state: "abcd".into(), html: Bytes::from_static(b"the form"), told }, code)
    }

    fn ask(site: &Site, method: Method, host: &str, target: &str) -> u16 {
        let request = Request::builder().method(method).uri(target).header(header::HOST, host);
        let response = site.answer(&request.body(()).unwrap());
        assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        response.status().as_u16()
    }

    #[test]
    fn wrong_answers_never_give_a_code() {
        let (site, mut code) = site();
        let here = "127.0.0.1:1";
        for (method, host, target, status) in [
            (Method::GET, here, "/", 404),
            (Method::GET, here, "/0124", 404),
            (Method::GET, here, "/created?code=c&state=abcd", 404),
            (Method::GET, "localhost:1", "/0123", 404),
            (Method::GET, "attacker.example", "/0123/created?code=c&state=abcd", 404),
            (Method::POST, here, "/0123/created?code=c&state=abcd", 404),
            (Method::GET, here, "/0123/created", 403),
            (Method::GET, here, "/0123/created?code=c", 403),
            (Method::GET, here, "/0123/created?code=c&state=", 403),
            (Method::GET, here, "/0123/created?code=c&state=abc", 403),
            (Method::GET, here, "/0123/created?code=c&state=abce", 403),
            (Method::GET, here, "/0123/created?code=&state=abcd", 403),
        ] {
            assert_eq!(ask(&site, method, host, target), status, "{host} {target}");
            assert!(code.try_recv().is_err(), "{host} {target}");
        }
        assert_eq!(ask(&site, Method::GET, here, "/0123"), 200);
        assert_eq!(ask(&site, Method::GET, here, "/0123/created?code=c&state=abcd"), 200);
        assert_eq!(ask(&site, Method::GET, here, "/0123/created?code=d&state=abcd"), 409);
        assert_eq!(code.try_recv().unwrap().expose_secret(), "c");
    }
}
