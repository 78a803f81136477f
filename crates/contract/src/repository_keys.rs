//! The SSH keys of single repositories: where they are stored, and what the ssh-key function is
//! asked about them. Only a caller with the right to invoke the function can ask: the webhook
//! function, which receives payloads, has no such right.
//!
//! A host may refuse one deploy key on a second repository, as
//! [GitHub](https://docs.github.com/en/authentication/connecting-to-github-with-ssh/managing-deploy-keys)
//! does, so a key of the whole stack isn't enough.

use serde::{Deserialize, Serialize};

use crate::{
    custom::{CONTEXT_PURPOSE, CONTEXT_STACK, SSH_KEY_PREFIX, SSH_KEY_PURPOSE},
    repository::Repository,
};

/// The context key for the repository.
const CONTEXT_REPOSITORY: &str = "repository";

/// The prefix of the objects with the keys of repositories, in the key bucket.
pub fn prefix() -> String {
    format!("{SSH_KEY_PREFIX}repository/")
}

/// The name under which a repository's keys are stored. Most hosts ignore case, and a payload may
/// spell a name differently than the person who connected it.
pub fn stored_name(repository: &Repository) -> String {
    repository.to_string().to_lowercase()
}

/// The key of the object with a repository's [`KeyPairs`].
pub fn object_key(repository: &Repository) -> String {
    format!("{}{}", prefix(), stored_name(repository))
}

/// The KMS encryption context of a repository's key: the ciphertext of another repository doesn't
/// decrypt, wherever it is stored. See [`crate::custom::encryption_context`].
pub fn encryption_context<'a>(stack_name: &'a str, stored_name: &'a str) -> [(&'static str, &'a str); 3] {
    [(CONTEXT_STACK, stack_name), (CONTEXT_PURPOSE, SSH_KEY_PURPOSE), (CONTEXT_REPOSITORY, stored_name)]
}

/// Whether two lines of `authorized_keys` have the same key, whatever their comments.
pub fn is_same_key(one: &str, other: &str) -> bool {
    let key = |line: &str| line.split_ascii_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    key(one) == key(other)
}

/// The content of the object, as JSON: the key pairs of a repository, newest first. There are two
/// while one replaces the other, and none after both were removed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyPairs {
    /// The key pairs.
    pub keys: Vec<KeyPair>,
    /// The repository as the person who connected it spelled it. Objects of older versions don't
    /// have it, and then only a push tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyPair {
    /// The public key as a line of `authorized_keys`.
    pub public_key: String,
    /// The private key in OpenSSH's format, encrypted by KMS, as Base64.
    pub ciphertext: String,
}

/// What the ssh-key function is asked. Each request may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Action", rename_all_fields = "PascalCase", deny_unknown_fields)]
pub enum KeyRequest {
    /// The keys of a repository; one is generated if there is none.
    Make {
        /// The repository.
        repository: Repository,
    },
    /// The same, with a new key before the one that `replaced` is. If another one is already the
    /// newest, nothing changes.
    Rotate {
        /// The repository.
        repository: Repository,
        /// The public key to replace; comments don't matter.
        replaced: String,
    },
    /// Removes a key, if it is there.
    Remove {
        /// The repository.
        repository: Repository,
        /// Its public key; comments don't matter.
        public_key: String,
    },
    /// The keys of all repositories.
    List,
}

/// The response: the keys of the repositories asked about, newest first for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyResponse {
    /// The keys.
    pub keys: Vec<RepositoryKey>,
}

/// A repository's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RepositoryKey {
    /// The repository as in [`stored_name`].
    pub repository: String,
    /// The public key as a line of `authorized_keys`.
    pub public_key: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spelling_of_name_selects_no_key() {
        let [one, other] = ["github.com/Octo/Hello", "github.com/octo/hello"].map(|name| name.parse().unwrap());
        assert_eq!(object_key(&one), "ssh-key/repository/github.com/octo/hello");
        assert_eq!(object_key(&one), object_key(&other));
    }

    #[test]
    fn requests_are_tagged_pascal_case() {
        let make = KeyRequest::Make { repository: "github.com/octo/hello".parse().unwrap() };
        let text = json!({ "Action": "Make", "Repository": { "host": "github.com", "path": "octo/hello" } });
        assert_eq!(serde_json::to_value(&make).unwrap(), text);
        assert_eq!(serde_json::from_value::<KeyRequest>(text).unwrap(), make);
        assert_eq!(serde_json::to_value(KeyRequest::List).unwrap(), json!({ "Action": "List" }));
        let traversal = json!({ "Action": "Make", "Repository": { "host": "github.com", "path": "octo/../x" } });
        assert!(serde_json::from_value::<KeyRequest>(traversal).is_err());
    }
}
