//! What a stack's functions need from their AWS account, in the local cloud: buckets, a KMS key,
//! the encrypted SSH key that the Git host accepts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_s3::primitives::ByteStream;
use contract::{KeyLayout, custom::encryption_context};
use local::cloud::Cloud;
use local::local::Local;
use local::sshd::{Access, generate_key};

/// The stack name, which the SSH key is bound to.
const STACK: &str = "bench";
/// The bucket for zips.
pub(crate) const OUTPUT: &str = "bench-output";
/// The bucket of cached packs.
pub(crate) const CACHE: &str = "bench-cache";
const KEYS: &str = "bench-keys";
/// The object with the encrypted SSH key.
pub(crate) const KEY_OBJECT: &str = "ssh-key/bench";

/// The account and the Git host.
#[derive(Debug)]
pub(crate) struct Account {
    /// The emulators.
    pub(crate) local: Local,
    /// The private key that may fetch, also for rivals.
    pub(crate) identity: PathBuf,
    kms_key: String,
}

/// The environment variables of a function.
pub(crate) type Environment = Vec<(&'static str, String)>;

impl Account {
    /// Starts everything in this folder.
    pub(crate) async fn start(scratch: &Path) -> Result<Self> {
        crate::progress::progress("starting an AWS account and a Git host");
        let local = Local::tied(&scratch.join("local")).await?;
        let identity = scratch.join("deploy_key");
        generate_key(&identity, "bench")?;
        let public = fs::read_to_string(identity.with_extension("pub"))?;
        local.sshd.authorize(&public, Access::Read, &local.host.serve())?;
        let kms_key = keep_key(&local.cloud, fs::read(&identity)?).await?;
        Ok(Self { local, identity, kms_key })
    }

    /// The environment of gitpull for a Git host on this port.
    pub(crate) fn gitpull(&self, port: u16) -> Result<Environment> {
        let sshd = &self.local.sshd;
        let known_hosts = sshd.known_hosts_line()?.replace(&format!("]:{}", sshd.port), &format!("]:{port}"));
        let mut environment = gitpull(&self.local.cloud.account.endpoint, &sshd.user, port, known_hosts);
        environment.push(("KMS_KEY", self.kms_key.clone()));
        Ok(environment)
    }

    /// The same over HTTPS, with a host on this port whose certificate this authority has issued.
    pub(crate) async fn gitpull_over_https(&self, port: u16, authority: &str) -> Result<Environment> {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.local.cloud.account.config);
        let token = format!("127.0.0.1={}", local::archives::TOKEN);
        let credentials = serde_json::json!({ "GitToken": token, "OAuthKey": "", "OAuthSecret": "" });
        let name = format!("bench-tokens-{port}");
        secrets.create_secret().name(&name).secret_string(credentials.to_string()).send().await?;
        let host = format!("127.0.0.1 kind=gitea web=https://127.0.0.1:{port} private");
        let own = [("TOKENS", name), ("CA_BUNDLE", authority.to_owned()), ("ALLOWED_HOSTS", host)];
        let others = self.gitpull(port)?.into_iter().filter(|(name, _)| own.iter().all(|(own, _)| own != name));
        Ok(others.chain(own.clone()).collect())
    }

    /// Empties the buckets for zips and packs: the next push is a first push.
    pub(crate) async fn forget(&self) -> Result<()> {
        let account = &self.local.cloud.account;
        for bucket in [OUTPUT, CACHE] {
            let objects = account.s3.list_objects_v2().bucket(bucket).send().await?;
            for key in objects.contents().iter().filter_map(|object| object.key()) {
                account.s3.delete_object().bucket(bucket).key(key).send().await?;
            }
        }
        Ok(())
    }
}

/// gitpull's environment, without the KMS key.
pub(crate) fn gitpull(endpoint: &str, user: &str, port: u16, known_hosts: String) -> Environment {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("KEY_BUCKET", KEYS.to_owned()),
        ("KEY_OBJECT", KEY_OBJECT.to_owned()),
        ("STACK_NAME", STACK.to_owned()),
        ("OUTPUT_BUCKET", OUTPUT.to_owned()),
        ("CACHE_BUCKET", CACHE.to_owned()),
        ("QUEUE", "https://sqs.us-east-1.amazonaws.com/000000000000/gitpull.fifo".to_owned()),
        ("DEAD_LETTER_QUEUE", "https://sqs.us-east-1.amazonaws.com/000000000000/dead.fifo".to_owned()),
        ("ALLOWED_HOSTS", format!("{user}@127.0.0.1:{port}")),
        ("KEY_LAYOUT", KeyLayout::default().name().to_owned()),
        ("KNOWN_HOSTS", known_hosts),
        ("EXCLUDE_GIT", "True".to_owned()),
        ("SUBMODULES", "off".to_owned()),
        ("LFS", "off".to_owned()),
        ("CA_BUNDLE", String::new()),
        ("PATHS", String::new()),
    ]
}

/// Stores the private key like the ssh-key function. Returns the ID of the KMS key.
async fn keep_key(cloud: &Cloud, private: Vec<u8>) -> Result<String> {
    let s3 = &cloud.account.s3;
    for bucket in [KEYS, OUTPUT, CACHE] {
        s3.create_bucket().bucket(bucket).send().await.with_context(|| format!("make the bucket {bucket}"))?;
    }
    let kms = aws_sdk_kms::Client::new(&cloud.account.config);
    let key = kms.create_key().send().await.context("make a KMS key")?;
    let key = key.key_metadata.context("read the KMS key's id")?.key_id;
    let mut request = kms.encrypt().key_id(&key).plaintext(Blob::new(private));
    for (name, value) in encryption_context(STACK) {
        request = request.encryption_context(name, value);
    }
    let encrypted = request.send().await.context("encrypt the SSH key")?.ciphertext_blob;
    let encrypted = encrypted.context("read the encrypted SSH key")?.into_inner();
    let put = s3.put_object().bucket(KEYS).key(KEY_OBJECT).body(ByteStream::from(encrypted));
    put.send().await.context("store the SSH key")?;
    Ok(key)
}
