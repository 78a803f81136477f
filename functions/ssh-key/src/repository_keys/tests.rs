//! The requests against fakes of S3 and KMS.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::fakes::{clients, sealed};

#[derive(Clone, Default)]
struct Aws {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    encryptions: Arc<Mutex<Vec<Value>>>,
    /// Stored by another request just before ours, once.
    overtaken_by: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Respond for Aws {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.headers.contains_key("x-amz-target") {
            return self.kms(&request.body_json().unwrap());
        }
        let path = request.url.path().to_owned();
        match request.method.as_str() {
            "PUT" => self.put(request, path),
            _ if request.url.query().is_some_and(|query| query.contains("list-type=2")) => self.list(),
            _ => match self.objects.lock().unwrap().get(&path) {
                Some(body) => ResponseTemplate::new(200).insert_header("etag", etag(body)).set_body_bytes(body.clone()),
                None => ResponseTemplate::new(404).set_body_string("<Error><Code>NoSuchKey</Code></Error>"),
            },
        }
    }
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", body.len())
}

impl Aws {
    fn kms(&self, request: &Value) -> ResponseTemplate {
        self.encryptions.lock().unwrap().push(request.clone());
        let plaintext = STANDARD.decode(request["Plaintext"].as_str().unwrap()).unwrap();
        ResponseTemplate::new(200).set_body_json(json!({ "CiphertextBlob": STANDARD.encode(sealed(&plaintext)) }))
    }

    fn put(&self, request: &Request, path: String) -> ResponseTemplate {
        let mut objects = self.objects.lock().unwrap();
        if let Some(other) = self.overtaken_by.lock().unwrap().take() {
            objects.insert(path.clone(), other);
        }
        let holds = match objects.get(&path) {
            Some(body) => request.headers.get("if-match").is_some_and(|tag| tag.to_str().unwrap() == etag(body)),
            None => request.headers["if-none-match"] == "*",
        };
        if !holds {
            return ResponseTemplate::new(412).set_body_string("<Error><Code>PreconditionFailed</Code></Error>");
        }
        objects.insert(path, request.body.clone());
        ResponseTemplate::new(200)
    }

    fn list(&self) -> ResponseTemplate {
        let objects = self.objects.lock().unwrap();
        let of = |path: &String| format!("<Contents><Key>{}</Key></Contents>", path.trim_start_matches("/keys/"));
        let contents: String = objects.keys().map(of).collect();
        ResponseTemplate::new(200).set_body_string(format!("<ListBucketResult>{contents}</ListBucketResult>"))
    }

    async fn serve(&self) -> (MockServer, RepositoryKeys) {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(self.clone()).mount(&server).await;
        let (s3, kms) = clients(&server.uri());
        let environment = SshKeyEnvironment {
            key_bucket: "keys".parse().unwrap(),
            kms_key: "1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
            key_type: contract::custom::KeyType::Ed25519,
            stack_name: "demo".into(),
        };
        (server, RepositoryKeys { s3, kms, environment })
    }
}

fn hello() -> Repository {
    "github.com/Octo/Hello".parse().unwrap()
}

async fn public_keys_after(keys: &RepositoryKeys, request: KeyRequest) -> Vec<String> {
    keys.answer(request).await.unwrap().keys.into_iter().map(|key| key.public_key).collect()
}

#[tokio::test]
async fn repeated_request_returns_same_key() {
    let aws = Aws::default();
    let (_server, keys) = aws.serve().await;
    let first = public_keys_after(&keys, KeyRequest::Make { repository: hello() }).await;
    assert_eq!(first, public_keys_after(&keys, KeyRequest::Make { repository: hello() }).await);
    let [encryption] = &aws.encryptions.lock().unwrap()[..] else { panic!("not one key") };
    let context = json!({ "stack": "demo", "purpose": "git-ssh-key", "repository": "github.com/octo/hello" });
    assert_eq!(encryption["EncryptionContext"], context);
    let stored = aws.objects.lock().unwrap()["/keys/ssh-key/repository/github.com/octo/hello"].clone();
    assert!(!String::from_utf8(stored).unwrap().contains("PRIVATE"));
}

#[tokio::test]
async fn rotation_keeps_both_until_removal() {
    let (_server, keys) = Aws::default().serve().await;
    let old = public_keys_after(&keys, KeyRequest::Make { repository: hello() }).await.remove(0);
    let rotate = KeyRequest::Rotate { repository: hello(), replaced: old.clone() };
    let both = public_keys_after(&keys, rotate.clone()).await;
    assert_eq!((both.len(), &both[1]), (2, &old));
    assert_eq!(public_keys_after(&keys, rotate).await, both, "a repetition changes nothing");
    let without_comment = old.rsplit_once(' ').unwrap().0.to_owned();
    let remove = KeyRequest::Remove { repository: hello(), public_key: without_comment };
    assert_eq!(public_keys_after(&keys, remove.clone()).await, both[..1]);
    assert_eq!(public_keys_after(&keys, remove).await, both[..1]);
}

#[tokio::test]
async fn removed_key_leaves_no_ciphertext() {
    let aws = Aws::default();
    let (_server, keys) = aws.serve().await;
    let public_key = public_keys_after(&keys, KeyRequest::Make { repository: hello() }).await.remove(0);
    public_keys_after(&keys, KeyRequest::Remove { repository: hello(), public_key }).await;
    assert_eq!(aws.objects.lock().unwrap().values().next().unwrap(), br#"{"Keys":[]}"#);
    assert!(public_keys_after(&keys, KeyRequest::List).await.is_empty());
}

#[tokio::test]
async fn concurrent_requests_agree_on_key() {
    let aws = Aws::default();
    let (_server, keys) = aws.serve().await;
    let faster = br#"{"Keys":[{"PublicKey":"ssh-ed25519 faster","Ciphertext":""}]}"#;
    *aws.overtaken_by.lock().unwrap() = Some(faster.to_vec());
    assert_eq!(public_keys_after(&keys, KeyRequest::Make { repository: hello() }).await, ["ssh-ed25519 faster"]);
}

#[tokio::test]
async fn list_names_each_repository() {
    let (_server, keys) = Aws::default().serve().await;
    for name in ["github.com/octo/b", "github.com/octo/a"] {
        keys.answer(KeyRequest::Make { repository: name.parse().unwrap() }).await.unwrap();
    }
    let listed = keys.answer(KeyRequest::List).await.unwrap().keys;
    let names: Vec<_> = listed.iter().map(|key| key.repository.as_str()).collect();
    assert_eq!(names, ["github.com/octo/a", "github.com/octo/b"]);
}

#[tokio::test]
async fn foreign_object_is_never_replaced() {
    let aws = Aws::default();
    let path = "/keys/ssh-key/repository/github.com/octo/hello";
    aws.objects.lock().unwrap().insert(path.into(), b"not keys".into());
    let (_server, keys) = aws.serve().await;
    let error = keys.answer(KeyRequest::Make { repository: hello() }).await.unwrap_err();
    assert!(matches!(error, RepositoryKeyError::Malformed { .. }), "{error}");
    assert_eq!(aws.objects.lock().unwrap()[path], b"not keys");
}
