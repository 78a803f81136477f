//! The resource against fakes of S3 and KMS.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time::Instant;
use wiremock::{Mock, MockServer, Request as HttpRequest, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::fakes::{clients, sealed};

/// An object: its content and its public key.
type Stored = (Vec<u8>, String);

#[derive(Clone, Default)]
struct Aws {
    objects: Arc<Mutex<BTreeMap<String, Stored>>>,
    encryptions: Arc<Mutex<Vec<Value>>>,
    kms_denies: bool,
    s3_hides: bool,
}

impl Respond for Aws {
    fn respond(&self, request: &HttpRequest) -> ResponseTemplate {
        if request.headers.contains_key("x-amz-target") {
            return self.kms(&request.body_json().unwrap());
        }
        let path = request.url.path().to_owned();
        let mut objects = self.objects.lock().unwrap();
        match (request.method.as_str(), objects.get(&path)) {
            ("PUT", Some(_)) => {
                assert_eq!(request.headers["if-none-match"], "*");
                ResponseTemplate::new(412).set_body_string("<Error><Code>PreconditionFailed</Code></Error>")
            }
            ("PUT", None) => {
                let public = request.headers["x-amz-meta-public-key"].to_str().unwrap().to_owned();
                objects.insert(path, (request.body.clone(), public));
                ResponseTemplate::new(200)
            }
            ("HEAD", Some((_, public))) if !self.s3_hides => {
                ResponseTemplate::new(200).insert_header("x-amz-meta-public-key", public.as_str())
            }
            ("HEAD", _) => ResponseTemplate::new(403),
            (other, _) => panic!("unexpected {other} {path}"),
        }
    }
}

impl Aws {
    fn kms(&self, request: &Value) -> ResponseTemplate {
        if self.kms_denies {
            let denied =
                json!({ "__type": "AccessDeniedException", "Message": "no identity-based policy allows kms:Encrypt" });
            return ResponseTemplate::new(400).set_body_json(denied);
        }
        let plaintext = STANDARD.decode(request["Plaintext"].as_str().unwrap()).unwrap();
        self.encryptions.lock().unwrap().push(request.clone());
        let ciphertext = STANDARD.encode(sealed(&plaintext));
        ResponseTemplate::new(200).set_body_json(json!({ "CiphertextBlob": ciphertext, "KeyId": request["KeyId"] }))
    }

    async fn serve(&self) -> (MockServer, StackKey) {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(self.clone()).mount(&server).await;
        let (s3, kms) = clients(&server.uri());
        let resource = StackKey { s3, kms };
        (server, resource)
    }
}

const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn request(key_type: KeyType, kms_key: &str) -> Request<Properties> {
    Request {
        stack_id: "arn:stack".into(),
        request_id: "r1".into(),
        logical_resource_id: "SshKey".into(),
        physical_resource_id: None,
        properties: SshKeyProperties {
            key_bucket: "keys".parse().unwrap(),
            kms_key: kms_key.parse().unwrap(),
            key_type,
            stack_name: "demo".into(),
        },
        deadline: Instant::now(),
    }
}

fn ed25519() -> Request<Properties> {
    request(KeyType::Ed25519, KMS_KEY)
}

#[tokio::test]
async fn private_key_is_stored_encrypted() {
    let aws = Aws::default();
    let (_server, resource) = aws.serve().await;
    let answer = resource.create(ed25519()).await.unwrap();
    assert_eq!(answer.physical_resource_id, "ssh-key/ed25519/1234abcd-12ab-34cd-56ef-1234567890ab");
    assert_eq!(answer.data.object_key, answer.physical_resource_id);
    assert!(answer.data.public_key.starts_with("ssh-ed25519 ") && answer.data.public_key.ends_with(" git2s3-demo"));

    let encryption = aws.encryptions.lock().unwrap()[0].clone();
    assert_eq!(encryption["EncryptionContext"], json!({ "stack": "demo", "purpose": "git-ssh-key" }));
    assert_eq!(encryption["KeyId"], KMS_KEY);
    let objects = aws.objects.lock().unwrap();
    let (ciphertext, public) = &objects[&format!("/keys/{}", answer.data.object_key)];
    assert_eq!(public, &answer.data.public_key);
    let private = russh::keys::decode_secret_key(std::str::from_utf8(&sealed(ciphertext)).unwrap(), None).unwrap();
    assert_eq!(&private.public_key().to_openssh().unwrap(), public);
    assert!(resource.owns(&answer.physical_resource_id) && !resource.owns("never-made/r1"));
}

fn assert_same(one: &Answer<SshKeyData<Runtime>>, other: &Answer<SshKeyData<Runtime>>) {
    assert_eq!(one.physical_resource_id, other.physical_resource_id);
    assert_eq!(one.data.public_key, other.data.public_key);
}

#[tokio::test]
async fn repeated_or_updated_request_keeps_key() {
    let aws = Aws::default();
    let (_server, resource) = aws.serve().await;
    let first = resource.create(ed25519()).await.unwrap();
    assert_same(&resource.create(ed25519()).await.unwrap(), &first);
    assert_same(&resource.update(ed25519()).await.unwrap(), &first);
    assert_eq!(aws.encryptions.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn kms_key_change_can_roll_back() {
    let (_server, resource) = Aws::default().serve().await;
    let first = resource.create(ed25519()).await.unwrap();
    let other = resource.update(request(KeyType::Ed25519, "5678abcd")).await.unwrap();
    assert_ne!(other.physical_resource_id, first.physical_resource_id);
    assert_ne!(other.data.public_key, first.data.public_key);
    resource.delete(request(KeyType::Ed25519, "5678abcd")).await.unwrap();
    assert_same(&resource.update(ed25519()).await.unwrap(), &first);
}

#[tokio::test]
async fn another_kind_is_another_resource() {
    assert_eq!(object_key(&request(KeyType::Rsa, "1234abcd").properties), "ssh-key/rsa/1234abcd");
}

#[tokio::test]
async fn existing_key_is_never_replaced() {
    let aws = Aws { s3_hides: true, ..Aws::default() };
    let path = "/keys/ssh-key/ed25519/1234abcd-12ab-34cd-56ef-1234567890ab";
    aws.objects.lock().unwrap().insert(path.into(), (b"first".into(), "ssh-ed25519 first".into()));
    let (_server, resource) = aws.serve().await;
    let error = resource.create(ed25519()).await.unwrap_err();
    assert!(matches!(error, StackKeyError::Hidden { .. }), "{error}");
    assert!(StackKey::lacks_rights(&error));
    assert_eq!(aws.objects.lock().unwrap()[path].0, b"first");
}

#[tokio::test]
async fn denied_encryption_stores_nothing() {
    let aws = Aws { kms_denies: true, ..Aws::default() };
    let (_server, resource) = aws.serve().await;
    let error = resource.create(ed25519()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("could not encrypt the private key with {KMS_KEY}"));
    assert!(StackKey::lacks_rights(&error));
    let causes = std::iter::successors(std::error::Error::source(&error), |&cause| cause.source());
    let causes = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    assert!(causes.contains("AccessDeniedException") && causes.contains("kms:Encrypt"), "{causes}");
    assert!(aws.objects.lock().unwrap().is_empty());
}
