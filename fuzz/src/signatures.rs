//! Proofs of all schemes, genuine and then modified: an accepted one was made with the secret, for
//! this very body.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use forge::Refusal;

use crate::{
    bytes::Bytes,
    sender::{self, NOW, SECRET},
};

/// The headers with proofs.
const HEADERS: [&str; 10] = [
    "x-hub-signature-256",
    "x-hub-signature",
    "x-gitea-signature",
    "x-forgejo-signature",
    "x-gogs-signature",
    "authorization",
    "x-gitlab-token",
    "x-git-token",
    "webhook-signature",
    // Like the second, with SHA-1.
    "x-hub-signature",
];

/// The signed ID of Standard Webhooks.
const ID: &str = "msg-1";

/// The input: the header, how its value is made, when it was signed, and up to four changes of the
/// value, each a position and a difference. Then the body, or a line with the value and the body.
pub fn signatures(data: &[u8]) {
    let mut bytes = Bytes(data);
    let number = usize::from(bytes.next()) % HEADERS.len();
    let made = bytes.next();
    let seconds = (NOW + (i64::from(bytes.next()) - 128) * 4).to_string();
    let changes = [0; 4].map(|_| (usize::from(bytes.next()), bytes.next()));
    let own = if made & 1 == 1 { Some(bytes.line()) } else { None };
    let body = bytes.0;
    let genuine = genuine(number, &seconds, body);
    let mut value = own.map_or_else(|| genuine.clone().into_bytes(), <[u8]>::to_vec);
    for (at, byte) in changes {
        let length = value.len().max(1);
        if let Some(here) = value.get_mut(at % length) {
            *here = here.wrapping_add(byte);
        }
    }
    if made & 2 == 2 {
        value.truncate(usize::from(made >> 2));
    }
    let headers: [(&str, &[u8]); 5] = [
        ("content-type", b"application/json"),
        ("x-github-event", b"push"),
        ("webhook-id", ID.as_bytes()),
        ("webhook-timestamp", seconds.as_bytes()),
        (HEADERS[number], &value),
    ];
    let delivery = sender::delivery(body, &headers);
    let shown = delivery.headers.get(HEADERS[number]).map(|value| value.as_bytes().to_vec());
    let received = sender::endpoint().receive(&delivery, &sender::secrets());
    let believed = !matches!(received, Err(Refusal::Unauthenticated(_)));
    let fresh = number != 8 || seconds.parse::<i64>().unwrap().abs_diff(NOW) <= 300;
    if shown.as_deref() == Some(genuine.as_bytes()) {
        assert_eq!(believed, fresh, "{genuine}");
    }
    if believed {
        let shown = shown.unwrap();
        assert!(fresh && proves(number, &shown, &seconds, body), "{}", String::from_utf8_lossy(&shown));
    }
}

fn genuine(number: usize, seconds: &str, body: &[u8]) -> String {
    match number {
        0 | 1 => format!("sha256={}", sender::sha256(body)),
        2..=4 => sender::sha256(body),
        5 => format!("Basic {}", STANDARD.encode(format!("user:{SECRET}"))),
        6 | 7 => SECRET.to_owned(),
        8 => format!("v1,{}", sender::standard(ID, seconds, body)),
        _ => format!("sha1={}", sender::sha1(body)),
    }
}

/// Whether a value proves knowledge of the secret for this body.
fn proves(number: usize, value: &[u8], seconds: &str, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    match number {
        0 => text.to_lowercase() == format!("sha256={}", sender::sha256(body)),
        1 | 9 => {
            let lower = text.to_lowercase();
            lower == format!("sha256={}", sender::sha256(body)) || lower == format!("sha1={}", sender::sha1(body))
        }
        2..=4 => text.to_lowercase() == sender::sha256(body),
        5 => STANDARD.decode(text[6..].trim()).unwrap().ends_with(format!(":{SECRET}").as_bytes()),
        6 | 7 => text == SECRET,
        _ => text.split(' ').any(|entry| entry == format!("v1,{}", sender::standard(ID, seconds, body))),
    }
}
