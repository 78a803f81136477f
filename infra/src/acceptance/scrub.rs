//! Removes from a record what must not be published: the account ID, the credentials' owner,
//! secrets, signed URLs and addresses of machines.

use std::net::IpAddr;

use serde_json::Value;

/// The replacement for an account ID.
pub const NO_ACCOUNT: &str = "000000000000";

/// The minimum length of a secret: shorter texts are part of too many words.
const SHORTEST: usize = 6;

/// The known texts to remove.
#[derive(Debug)]
pub(super) struct Scrub {
    /// Each text with its replacement, in this order.
    known: Vec<(String, &'static str)>,
}

impl Scrub {
    /// For this account, the ARN of the credentials' owner, and these secrets.
    pub(super) fn new(account: &str, principal: &str, secrets: &[&str]) -> Self {
        // One value may contain several secrets, each with a prefix: `host=token,host=token`,
        // `[globs]secret`.
        let parts = secrets.iter().flat_map(|secret| secret.split(','));
        let parts = parts.map(|part| part.rsplit_once(['=', ']']).map_or(part, |(_, secret)| secret));
        let secrets = parts.filter(|part| part.len() >= SHORTEST).map(|part| (part.to_owned(), "[secret]"));
        let principal = principal.rsplit_once(':').map(|(_, name)| (name.to_owned(), "[principal]"));
        let account = [(account.to_owned(), NO_ACCOUNT)];
        let known = secrets.chain(principal.filter(|(name, _)| name.contains('/'))).chain(account);
        Self { known: known.filter(|(text, _)| !text.is_empty()).collect() }
    }

    /// Removes them from all texts of a value, field names included.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                let scrubbed = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                    self.value(&mut value);
                    (self.text(&name), value)
                });
                *fields = scrubbed.collect();
            }
            _ => {}
        }
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (known, instead) in &self.known {
            text = text.replace(known, instead);
        }
        words(&text)
    }
}

/// The text without words that are recognised by their form.
fn words(text: &str) -> String {
    let is_part = |character: char| character.is_ascii_alphanumeric() || ":/.?&=%_-+~@#".contains(character);
    let mut scrubbed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_part) {
        let (before, from) = rest.split_at(begin);
        let (word, after) = from.split_at(from.find(|character| !is_part(character)).unwrap_or(from.len()));
        scrubbed.push_str(before);
        scrubbed.push_str(told(word).unwrap_or(word));
        rest = after;
    }
    scrubbed.push_str(rest);
    scrubbed
}

/// The replacement for a word that must not be published.
fn told(word: &str) -> Option<&'static str> {
    let is_signed =
        ["x-amz-", "signature=", "awsaccesskeyid="].iter().any(|part| word.to_ascii_lowercase().contains(part));
    if is_signed && word.contains("://") {
        return Some("[signed address]");
    }
    let is_key = |part: &str| part.len() == 20 && (part.starts_with("AKIA") || part.starts_with("ASIA"));
    if word.split(|character: char| !character.is_ascii_alphanumeric()).any(is_key) {
        return Some("[access key]");
    }
    let host = word.split_once("://").map_or(word, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = host.trim_end_matches(['.', ':']);
    let without_port = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let address = [host, without_port].into_iter().find_map(|host| host.parse::<IpAddr>().ok());
    // Addresses that are local to the machine reveal nothing.
    address.filter(|address| !address.is_loopback() && !address.is_unspecified()).map(|_| "[address]")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PRINCIPAL: &str = "arn:aws:sts::123456789012:assumed-role/Admin/alice@example.com";

    #[test]
    fn nothing_tells_whose_account_it_was() {
        let mut value = json!({
            "stack": "arn:aws:cloudformation:eu-central-1:123456789012:stack/a/1",
            "bucket-123456789012": ["User: arn:aws:sts::123456789012:assumed-role/Admin/alice@example.com is not authorized"],
            "secret": "it was hunter2.",
            "count": 3,
        });
        Scrub::new("123456789012", PRINCIPAL, &["stack=hunter2"]).value(&mut value);
        assert_eq!(
            value,
            json!({
                "stack": "arn:aws:cloudformation:eu-central-1:000000000000:stack/a/1",
                "bucket-000000000000": ["User: arn:aws:sts::000000000000:[principal] is not authorized"],
                "secret": "it was [secret].",
                "count": 3,
            })
        );
    }

    #[test]
    fn words_are_known_by_their_form() {
        let scrub = Scrub::new("123456789012", "", &[]);
        for (text, expected) in [
            ("see https://b.s3.amazonaws.com/k?X-Amz-Signature=ab&X-Amz-Date=1, then", "see [signed address], then"),
            ("from 203.0.113.9: no", "from [address] no"),
            ("from 203.0.113.9:443.", "from [address]"),
            ("http://203.0.113.9:80/a", "[address]"),
            ("2001:db8::1 said", "[address] said"),
            ("key ASIAABCDEFGHIJKLMNOP", "key [access key]"),
            ("http://127.0.0.1:4566/a", "http://127.0.0.1:4566/a"),
            ("version 1.2.3, 12:30:01 and größer", "version 1.2.3, 12:30:01 and größer"),
            ("X-Amz-Date", "X-Amz-Date"),
        ] {
            assert_eq!(scrub.text(text), expected, "{text}");
        }
    }
}
