//! Whether the endpoint can be reached as a Git host reaches it: by its name, with a valid
//! certificate.

use std::error::Error;

use https::{Client, Credential, MediaTypes, Method, Url};

/// How far a request to the endpoint gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It answers, with this status.
    Answered(u16),
    /// Its name has no address.
    NoAddress(String),
    /// Its certificate isn't valid for it.
    Certificate(String),
    /// Nothing answers there.
    Nothing(String),
    /// It can't be tried from here: an emulator's addresses exist only within it.
    Untried,
}

/// What the request accepts: any answer shows that the endpoint is there.
const ANYTHING: MediaTypes = MediaTypes { sent: "application/json", accepted: "*/*" };

/// Sends a request without a body, which no endpoint takes for a push.
pub(super) async fn reach(url: &str, client: &Client) -> Reached {
    let Some((host, port)) = address(url) else { return Reached::NoAddress(url.to_owned()) };
    if !tokio::net::lookup_host((&*host, port)).await.is_ok_and(|mut found| found.next().is_some()) {
        return Reached::NoAddress(host);
    }
    match client.send(Method::GET, url, &host, &Credential::default(), &ANYTHING, None).await {
        Ok(answer) => Reached::Answered(answer.status().as_u16()),
        Err(error) => {
            let told = contract::error_chain(&error);
            if is_about_the_certificate(&error) { Reached::Certificate(told) } else { Reached::Nothing(told) }
        }
    }
}

fn address(url: &str) -> Option<(String, u16)> {
    let url: Url = url.parse().ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

fn is_about_the_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("certificate") {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new(&"127.0.0.1 private".parse().unwrap(), "").unwrap()
    }

    #[tokio::test]
    async fn unknown_name_is_reported() {
        let reached = reach("https://no-such-host.invalid/Prod/gitpull", &client()).await;
        assert_eq!(reached, Reached::NoAddress("no-such-host.invalid".to_owned()));
    }

    #[tokio::test]
    async fn closed_port_is_reported() {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let reached = reach(&format!("https://127.0.0.1:{port}/Prod/gitpull"), &client()).await;
        assert!(matches!(reached, Reached::Nothing(_)), "{reached:?}");
    }
}
