//! Canary secrets: every secret of a stack has a recognisable value. After a push, a download and
//! failures, everything that people can read is searched for each of them, verbatim and in the
//! encodings in which secrets leak.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_sqs::types::QueueAttributeName;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::HostKind;
use deployment::deploy::{self, Deployment, Parameters, Template};
use deployment::render::progress::Progress;
use deployment::render::shown::Shown;
use infra::github_app::{PrivateKey, import};
use local::archives::{Archives, CONSUMER, TOKEN, address};
use local::artifact::Artifact;
use local::aws::{ACCESS_KEY, Account, REGION, SECRET_KEY};
use local::host_api::HostApis;
use local::local::{Local, STACK, Stack};
use local::process::built;
use local::reconcile::reconcile;
use local::tally;
use local::webhook::{delivery_id, post, signature};
use serde_json::json;
use sha2::{Digest as _, Sha256};

const PATIENCE: Duration = Duration::from_mins(1);

const API_SECRET: &str = "canary-api/9Qx+7w=k3 Vt%";
/// Sent to a host that doesn't accept it.
const REFUSED_TOKEN: &str = "canary-git/token+refused=zR4";
const OAUTH_SECRET: &str = "canary-oauth/secret+refused=Lm8";

/// Where canaries may be, and aren't searched for:
/// - Secrets Manager, where they belong (and where each is found, which shows that the search
///   works)
/// - `DescribeChangeSet`, where the local cloud's own layer masks what AWS masks as `****`
/// - the decrypted object in the key bucket, which is the source of the private key
///
/// `OAuthKey` is a name and not a secret: a parameter that anyone who may describe the stack can
/// read.
struct Canary {
    name: &'static str,
    value: Vec<u8>,
}

impl Canary {
    fn new(name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        Self { name, value: value.into() }
    }

    /// The encodings to search for, each as text in which a character is a byte.
    fn forms(&self) -> Vec<(&'static str, String)> {
        let percent = |keep: &dyn Fn(u8) -> bool| -> String {
            let one = |byte: &u8| if keep(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
            self.value.iter().map(one).collect()
        };
        let unreserved = percent(&|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        let mut forms = vec![
            ("plain", latin(&self.value)),
            ("hex", hex::encode(&self.value)),
            ("hex", hex::encode_upper(&self.value)),
            ("URL", unreserved.replace("%20", "+")),
            ("URL", unreserved.to_lowercase().replace(&latin(&self.value).to_lowercase(), "")),
            ("URL", unreserved),
            ("path", percent(&|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte))),
            ("JSON", serde_json::to_string(&latin(&self.value)).unwrap().trim_matches('"').to_owned()),
        ];
        // Base64 depends on the number of bytes before. The digits that mix with neighbours are
        // omitted.
        for before in 0..3 {
            let padded = [vec![0; before], self.value.clone()].concat();
            let whole = STANDARD.encode(&padded);
            let (start, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            let certain = whole[start..end].to_owned();
            forms.push(("Base64", certain.replace('+', "-").replace('/', "_")));
            forms.push(("Base64", certain));
        }
        forms.retain(|(_, form)| form.len() >= 8);
        forms
    }
}

/// Bytes as text, so that any of them can be searched.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Readable texts, with their sources.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.0.push((place.into(), latin(bytes.as_ref())));
    }

    /// Which canary is where, and how many searches that took.
    fn search(&self, canaries: &[Canary]) -> (Vec<String>, usize) {
        let (mut found, mut searches) = (Vec::new(), 0);
        let forms: Vec<_> = canaries.iter().map(|canary| (canary.name, canary.forms())).collect();
        for (place, text) in &self.0 {
            // A key has line breaks, which JSON encodes as two characters.
            let joined: String = text.replace("\\n", "").split_ascii_whitespace().collect();
            for (name, forms) in &forms {
                for (form, needle) in forms {
                    searches += 2;
                    if text.contains(needle) || joined.contains(needle) {
                        found.push(format!("{name} as {form} in {place}"));
                    }
                }
            }
        }
        (found, searches)
    }
}

impl Progress for Seen {
    fn show(&mut self, text: &Shown) {
        self.add("progress of a deployment", text.plain());
    }

    fn step(&mut self, line: &str) {
        self.add("progress of a deployment", line);
    }

    fn waiting(&mut self, what: &str) {
        self.add("progress of a deployment", what);
    }

    fn pause(&mut self) {}
}

#[test]
fn canary_is_found_in_every_encoding() {
    let canary = Canary::new("secret", b"s\xfc/cret + \"more\" %".to_vec());
    let url = "s%FC%2Fcret%20%2B%20%22more%22%20%25";
    let pem = STANDARD.encode([b"xx".as_slice(), &canary.value, b"yyyyyyyyy"].concat());
    for text in [
        latin(&canary.value),
        hex::encode(&canary.value),
        url.to_owned(),
        url.replace("%20", "+"),
        url.to_lowercase(),
        format!("{}\\n{}\n{}", &pem[..9], &pem[9..14], &pem[14..]),
        STANDARD.encode([b"x".as_slice(), &canary.value].concat()).replace('+', "-").replace('/', "_"),
        json!({ "a": latin(&canary.value) }).to_string(),
    ] {
        let seen = Seen(vec![("here".to_owned(), format!("before {text} after"))]);
        assert!(!seen.search(std::slice::from_ref(&canary)).0.is_empty(), "{text}");
    }
    let seen = Seen(vec![("here".to_owned(), "s/cret".repeat(9))]);
    assert!(seen.search(&[canary]).0.is_empty());
}

/// The host whose repositories are fetched with a GitHub App.
const APP_HOST: &str = "github-app.example";

/// A GitHub App whose key is in KMS, installed on `acme/rocket`.
struct App {
    apis: HostApis,
    id: u64,
    pem: String,
    key: String,
}

impl App {
    async fn create(local: &Local) -> Self {
        let apis = HostApis::start_with_git(local.host.root()).await.unwrap();
        let (id, pem) = apis.state(HostKind::GitHub).add_app("acme");
        let sets_statuses = ("statuses".to_owned(), "write".to_owned());
        apis.state(HostKind::GitHub).apps[0].permissions.extend([sets_statuses]);
        apis.state(HostKind::GitHub).add("acme/rocket");
        apis.state(HostKind::GitHub).install(id, "acme", &["acme/rocket"]);
        let account = deployment::account::Account::open(&local.cloud.account.config).await.unwrap();
        let private = PrivateKey::parse(&pem.as_str().into()).unwrap();
        let key = import(&account, STACK, &id.to_string(), &private).await.unwrap();
        Self { apis, id, pem, key }
    }

    /// The entry of its host.
    fn entry(&self) -> String {
        let (github, port) = (address(HostKind::GitHub), self.apis.port);
        format!("{APP_HOST} kind=github web=https://{github}:{port} private")
    }

    /// A push of a repository at its host.
    fn told(path: &str, commit: &str) -> (&'static str, &'static str, Vec<u8>) {
        let ssh = format!("ssh://git@{APP_HOST}/{path}.git");
        let repository = json!({ "full_name": path, "ssh_url": ssh, "default_branch": "main" });
        let body = json!({ "ref": "refs/heads/main", "after": commit, "repository": repository });
        ("x-github-event", "push", body.to_string().into_bytes())
    }

    /// The statuses that its host shows.
    fn statuses(&self) -> String {
        let statuses = self.apis.state(HostKind::GitHub).find("acme/rocket").unwrap().statuses.clone();
        assert!(statuses.len() >= 2, "{statuses:?}");
        let shown = |one: &local::host_api::Status| [&*one.name, &one.description, &one.url].join(" ");
        statuses.iter().map(shown).collect::<Vec<_>>().join("\n")
    }

    /// Its private key, and everything that it has shown or got.
    fn canaries(&self) -> Vec<Canary> {
        let state = self.apis.state(HostKind::GitHub);
        let body: String = self.pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).unwrap();
        // After the modulus of 2,048 bits comes the private exponent.
        let mut canaries = vec![Canary::new("the App's private key", &der[300..332])];
        assert!(!state.jwts.is_empty() && !state.tokens.is_empty());
        // All before the signature is the same for all in a second, and no secret.
        let signature = |jwt: &String| jwt.rsplit('.').next().unwrap().to_owned();
        canaries.extend(state.jwts.iter().map(|jwt| Canary::new("a signature of the App", signature(jwt))));
        canaries.extend(state.tokens.iter().map(|token| Canary::new("a token of the App", token.token.as_str())));
        canaries
    }
}

/// Stack parameters whose secrets are canaries.
fn parameters(local: &Local, archives: &Archives, app: &App) -> Parameters {
    let hosts = HostKind::ALL.map(|kind| {
        let (user, ssh, https) = (&local.sshd.user, local.sshd.port, archives.port);
        format!("{user}@{}:{ssh}={}:{https}+private", address(kind), kind.name())
    });
    let tokens = format!("{}={TOKEN},{}={REFUSED_TOKEN}", address(HostKind::GitHub), address(HostKind::GitLab));
    local
        .parameters()
        .unwrap()
        .0
        .with("ApiSecret", API_SECRET)
        .with(
            "AllowedGitHosts",
            format!(
                "{},{}@127.0.0.1:{},127.0.0.21+private,{}",
                hosts.join(","),
                local.sshd.user,
                local.sshd.port,
                app.entry()
            ),
        )
        .with("KnownHosts", local.sshd.known_hosts_lines().unwrap())
        .with("Repositories", format!("127.0.0.*/**,{APP_HOST}/**"))
        .with("GitHubAppId", app.id.to_string())
        .with("GitHubAppKey", app.key.clone())
        .with("GitHubAppHost", APP_HOST)
        .with("KeyLayout", "host/path")
        .with("CommitStatus", "on")
        .with("GitToken", tokens)
        .with("OAuthKey", CONSUMER)
        .with("OAuthSecret", OAUTH_SECRET)
        .with("CaBundle", format!("{}\n{}", archives.ca, app.apis.ca))
}

/// A push in the format of one of the hosts.
fn told(kind: HostKind, commit: &str) -> (&'static str, &'static str, Vec<u8>) {
    let (host, path) = (address(kind), "acme/rocket");
    let ssh = format!("ssh://git@{host}/{path}.git");
    let (header, event, body) = match kind {
        HostKind::GitLab => (
            "x-gitlab-event",
            "Push Hook",
            json!({
                "object_kind": "push", "ref": "refs/heads/main", "after": commit, "checkout_sha": commit,
                "project": { "path_with_namespace": path, "git_ssh_url": ssh, "default_branch": "main" },
            }),
        ),
        HostKind::Bitbucket => (
            "x-event-key",
            "repo:push",
            json!({
                "push": { "changes": [{ "old": null, "new": {
                    "type": "branch", "name": "main", "target": { "hash": commit, "message": "x" },
                } }] },
                "repository": { "full_name": path, "links": { "html": { "href": format!("https://{host}/{path}") } } },
            }),
        ),
        _ => (
            "x-github-event",
            "push",
            json!({
                "ref": "refs/heads/main", "after": commit,
                "repository": { "full_name": path, "ssh_url": ssh, "default_branch": "main" },
            }),
        ),
    };
    (header, event, body.to_string().into_bytes())
}

/// The endpoint's response to a push that is signed with, or shows, `secret`.
async fn send(url: &str, secret: &str, (header, event, body): (&str, &str, Vec<u8>), seen: &mut Seen) -> u16 {
    let (signature, delivery) = (signature(secret, &body), delivery_id());
    let proof =
        if header == "x-gitlab-event" { ("x-gitlab-token", secret) } else { ("x-hub-signature-256", &*signature) };
    let answer = post(url, &[(header, event), ("x-github-delivery", &delivery), proof], body).await.unwrap();
    seen.add(format!("answer {} of the endpoint", answer.status), &answer.body);
    answer.status
}

/// Waits until the log contains all these texts.
async fn logged(account: &Account, words: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = account.log_messages().await.unwrap().concat();
        let Some(missing) = words.iter().find(|word| !log.contains(**word)) else { return };
        assert!(Instant::now() < deadline, "nobody logged {missing}: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All outcomes of a push: fetched, downloaded, refused by the endpoint, refused by the host, and
/// finally a host that no longer exists.
async fn push(local: &mut Local, stack: &Stack, seen: &mut Seen) {
    let account = local.cloud.account.clone();
    let bucket = stack.output("OutputBucketName").unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    fs::write(clone.dir().join("a"), "x").unwrap();
    let commit = clone.commit("First").await.unwrap();
    local.host.report_to(&stack.webhook_url, API_SECRET).unwrap();
    seen.add("git push", clone.push(&["main"]).await.unwrap());
    Artifact::wait(&account, bucket, "127.0.0.1/acme/rocket/acme_rocket.zip", &commit, PATIENCE).await.unwrap();

    let second = clone.commit("Second").await.unwrap();
    local.host.report_to(&stack.zip_download_url, API_SECRET).unwrap();
    clone.push(&["main"]).await.unwrap();
    let github = || told(HostKind::GitHub, &second);
    assert_eq!(send(&stack.zip_download_url, API_SECRET, github(), seen).await, 202);
    let downloaded = format!("{}/acme/rocket/acme_rocket.zip", address(HostKind::GitHub));
    Artifact::wait(&account, bucket, &downloaded, &second, PATIENCE).await.unwrap();

    for url in [&stack.webhook_url, &stack.zip_download_url] {
        assert_eq!(send(url, "another secret", github(), seen).await, 401);
        assert_eq!(send(url, &format!("{API_SECRET}x"), told(HostKind::GitLab, &second), seen).await, 401);
        let broken = ("x-github-event", "push", b"{\"ref\":".to_vec());
        assert_eq!(send(url, API_SECRET, broken, seen).await, 400);
    }
    for kind in [HostKind::GitLab, HostKind::Bitbucket] {
        assert_eq!(send(&stack.zip_download_url, API_SECRET, told(kind, &second), seen).await, 202);
    }
    logged(&account, &["127.0.0.12", "127.0.0.13", "401"]).await;

    // With the App's token, and without one, since it isn't installed there.
    assert_eq!(send(&stack.webhook_url, API_SECRET, App::told("acme/rocket", &second), seen).await, 202);
    let fetched = format!("{APP_HOST}/acme/rocket/acme_rocket.zip");
    Artifact::wait(&account, bucket, &fetched, &second, PATIENCE).await.unwrap();
    logged(&account, &["set the commit's status", "could not set the commit's status"]).await;
    assert_eq!(send(&stack.webhook_url, API_SECRET, App::told("acme/other", &second), seen).await, 202);
    logged(&account, &["is not installed on"]).await;

    let resources = account.resources(STACK).await.unwrap();
    let compared = reconcile(&account, &resources, "2026-11-30T12:00:00Z").await;
    seen.add("a run of the reconciler", format!("{compared:?}"));
    logged(&account, &["compared with what is stored"]).await;
    for queue in ["GitPullQueue", "ZipDlQueue"] {
        let queue = account.sqs.set_queue_attributes().queue_url(resources.id(queue).unwrap());
        queue.attributes(QueueAttributeName::VisibilityTimeout, "1").send().await.unwrap();
    }
    local.sshd.replace_host_key().await.unwrap();
    // The host isn't who it was.
    let compared = reconcile(&account, &resources, "2026-11-30T12:30:00Z").await;
    seen.add("a run of the reconciler", format!("{compared:?}"));
    logged(&account, &["the host failed: its others are left out"]).await;
    local.host.trust(&local.sshd).unwrap();
    clone.commit("Third").await.unwrap();
    local.host.report_to(&stack.webhook_url, API_SECRET).unwrap();
    seen.add("git push", clone.push(&["main"]).await.unwrap());
    let dead = resources.id("GitPullDeadLetterQueue").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while account.messages(dead).await.unwrap() == 0 {
        assert!(Instant::now() < deadline, "no dead-letter message");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A stack whose custom resource fails because KMS refuses.
async fn fail(local: &Local, archives: &Archives, app: &App, seen: &mut Seen) {
    let text = local.template().unwrap().text().replace("\"git-ssh-key\"", "\"something-else\"");
    let deployment = Deployment {
        stack_name: "broken".to_owned(),
        template: Template::parse(text).unwrap(),
        dist: local.dist(),
        parameters: parameters(local, archives, app),
        tags: [].into(),
        role: None,
    };
    let error = deploy::deploy(&local.cloud.account.config, &deployment, seen).await.unwrap_err();
    seen.add("why a stack failed", format!("{error:?} {error}"));
    stack(&local.cloud.account, "broken", seen).await;
    local.destroy("broken", seen).await.unwrap();
}

/// CloudFormation's data about a stack that people may see.
async fn stack(account: &Account, name: &str, seen: &mut Seen) {
    let cloudformation = &account.cloudformation;
    let stacks = cloudformation.describe_stacks().stack_name(name).send().await.unwrap();
    seen.add(format!("DescribeStacks {name}"), format!("{stacks:?}"));
    let events = cloudformation.describe_stack_events().stack_name(name).send().await.unwrap();
    assert!(events.stack_events().len() > 20);
    seen.add(format!("DescribeStackEvents {name}"), format!("{events:?}"));
    let resources = cloudformation.describe_stack_resources().stack_name(name).send().await.unwrap();
    seen.add(format!("DescribeStackResources {name}"), format!("{resources:?}"));
    let template = cloudformation.get_template().stack_name(name).send().await.unwrap();
    seen.add(format!("GetTemplate {name}"), template.template_body().unwrap());
}

/// The command's output and files for a running stack.
async fn commands(local: &Local, app: &App, dir: &Path, seen: &mut Seen) {
    fs::create_dir_all(dir).unwrap();
    std::os::unix::fs::symlink(local.dist(), dir.join("dist")).unwrap();
    for (name, secret) in [("api", API_SECRET), ("oauth", OAUTH_SECRET)] {
        fs::write(dir.join(name), secret).unwrap();
    }
    let configuration = format!(
        "stack-name = '{STACK}'\nregion = '{REGION}'\n[parameters]\nRefs = 'main'\n\
         [secrets]\nApiSecret = {{ file = 'api' }}\nOAuthSecret = {{ file = 'oauth' }}\n"
    );
    fs::write(dir.join("git2s3.toml"), configuration).unwrap();
    fs::write(dir.join("app.pem"), &app.pem).unwrap();
    let (id, repository) = (app.id.to_string(), format!("{APP_HOST}/acme/rocket"));
    for arguments in [
        &["app", "import", "--id", &id, "--host", APP_HOST, "app.pem"][..],
        &["connect", &repository],
        &["connect", &format!("{APP_HOST}/acme/other")],
        &["doctor", &repository],
        &["status"],
        &["status", "--json"],
        &["diff"],
        &["review", "--against", "deployed"],
        &["check"],
        &["check", "--format", "json"],
        &["synth"],
        &["deploy", "--dry-run"],
        &["deploy", "--yes"],
        &["deploy", "--yes", "--json"],
    ] {
        let mut infra = tokio::process::Command::new(built("infra").unwrap());
        infra.args(arguments).current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        infra.env("AWS_ENDPOINT_URL", &local.cloud.account.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        infra.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        let out = infra.kill_on_drop(true).output().await.unwrap();
        let told = [out.stdout, out.stderr].concat();
        assert!(matches!(out.status.code(), Some(0 | 1)) && !told.is_empty(), "{arguments:?}: {}", latin(&told));
        seen.add(format!("infra {arguments:?}"), told);
    }
    for file in ["review.html", "git2s3.template.json"] {
        seen.add(file, fs::read(dir.join("dist").join(file)).unwrap());
    }
}

/// The files that functions left behind.
fn files(folder: &Path, seen: &mut Seen) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, seen);
        } else if path.metadata().is_ok_and(|file| file.len() < 1 << 20) {
            seen.add(path.to_string_lossy(), fs::read(&path).unwrap());
        }
    }
}

/// The account's data: functions, logs, dead-letter messages, objects.
async fn account(account: &Account, seen: &mut Seen) {
    let resources = account.resources(STACK).await.unwrap();
    let functions = resources.of_type("AWS::Lambda::Function");
    assert_eq!(functions.len(), 6);
    for function in &functions {
        let configuration = account.function(function).await.unwrap();
        assert!(configuration["Environment"]["Variables"].is_object());
        seen.add(format!("configuration of {function}"), configuration.to_string());
    }
    let messages = account.log_messages().await.unwrap();
    assert!(messages.len() > 20, "{messages:?}");
    seen.add("the logs", messages.join("\n"));
    let mut messages = 0;
    for queue in resources.of_type("AWS::SQS::Queue") {
        let received = account.sqs.receive_message().queue_url(&queue).max_number_of_messages(10);
        let received = received.message_system_attribute_names("All".into()).message_attribute_names("All");
        let received = received.send().await.unwrap();
        messages += received.messages().len();
        seen.add(queue, format!("{received:?}"));
    }
    assert!(messages > 0, "no dead-letter message");
    for bucket in account.s3.list_buckets().send().await.unwrap().buckets() {
        let bucket = bucket.name().unwrap();
        for (key, _) in account.versions(bucket).await.unwrap() {
            let Ok(object) = account.s3.get_object().bucket(bucket).key(&key).send().await else { continue };
            let place = format!("s3://{bucket}/{key}");
            seen.add(place.clone(), format!("{key} {object:?}"));
            // Instead of the packaged functions, which are large, the build's inputs are checked.
            let body = object.body.collect().await.unwrap().to_vec();
            seen.add(place, if body.len() < 1 << 20 { &body[..] } else { b"" });
        }
    }
}

/// The secrets that the stack generated or received.
async fn made(account: &Account) -> Vec<Canary> {
    let resources = account.resources(STACK).await.unwrap();
    let bucket = resources.id("KeyBucket").unwrap();
    let objects = account.s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    let object = account.s3.get_object().bucket(bucket).key(objects.contents()[0].key().unwrap()).send().await.unwrap();
    let ciphertext = object.body.collect().await.unwrap().to_vec();
    let context: serde_json::Map<_, _> = contract::custom::encryption_context(STACK)
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let pem = String::from_utf8(account.decrypt(&ciphertext, &context.into()).await.unwrap()).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let body = STANDARD.decode(body).unwrap();
    // After the length of both halves of an Ed25519 key comes the secret one.
    let start = body.windows(4).rposition(|window| window == [0, 0, 0, 64]).unwrap() + 4;
    let mut canaries = vec![Canary::new("the SSH private key", &body[start..start + 32])];
    for function in resources.of_type("AWS::Lambda::Function") {
        let configuration = account.function(&function).await.unwrap();
        let text = |name: &str| configuration[name].as_str().unwrap().to_owned();
        // In the emulator's format.
        let digest = hex::encode(Sha256::digest(format!("{}:{}", text("FunctionArn"), text("Role"))));
        let derived = |what: &str| hex::encode(Sha256::digest(format!("{what}:{digest}")));
        let (secret, token) = (derived("secret"), derived("token"));
        let key = format!("ASIA{}", digest[..16].to_uppercase());
        let credentials = Credentials::new(key, &secret, Some(token.clone()), None, "a function's");
        let config = account.config.to_builder();
        let config =
            config.credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials));
        let refused = aws_sdk_s3::Client::new(&config.build()).list_buckets().send().await.unwrap_err();
        let refused = format!("{refused:?}");
        assert!(refused.contains("AccessDenied"), "these aren't the credentials of {function}: {refused}");
        canaries.push(Canary::new("a function's secret key", secret));
        canaries.push(Canary::new("a function's session token", token));
    }
    canaries
}

/// The search must find the contents of Secrets Manager. Otherwise it proves nothing elsewhere.
async fn kept(account: &Account, canaries: &[Canary]) {
    let mut seen = Seen::default();
    for secret in account.resources(STACK).await.unwrap().of_type("AWS::SecretsManager::Secret") {
        seen.add("Secrets Manager", account.secret(&secret).await.unwrap());
    }
    let (found, _) = seen.search(canaries);
    for canary in canaries {
        assert!(
            found.iter().any(|found| found.starts_with(canary.name)),
            "{} isn't found in its own secret",
            canary.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_are_found_nowhere() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let cloud = dir.path().join("cloud");
    let mut local = Local::tied(&cloud).await.unwrap();
    let archives = Archives::start(local.host.root()).await.unwrap();
    local.packaged().unwrap();
    let mut seen = Seen::default();
    let app = App::create(&local).await;
    let given = parameters(&local, &archives, &app);
    let running = local.deploy_with(&mut seen, |_| given).await.unwrap();
    fail(&local, &archives, &app, &mut seen).await;
    push(&mut local, &running, &mut seen).await;
    commands(&local, &app, &dir.path().join("desk"), &mut seen).await;
    seen.add("the statuses of commits", app.statuses());
    stack(&local.cloud.account, STACK, &mut seen).await;
    account(&local.cloud.account, &mut seen).await;
    files(&cloud.join("tmp"), &mut seen);

    let given = [
        Canary::new("ApiSecret", API_SECRET),
        Canary::new("GitToken", TOKEN),
        Canary::new("the refused GitToken", REFUSED_TOKEN),
        Canary::new("OAuthSecret", OAUTH_SECRET),
    ];
    kept(&local.cloud.account, &given).await;
    let owner = Canary::new("the owner's secret key", SECRET_KEY);
    let canaries: Vec<_> =
        given.into_iter().chain([owner]).chain(made(&local.cloud.account).await).chain(app.canaries()).collect();
    assert!(canaries.len() > 15, "{}", canaries.len());
    let (found, searches) = seen.search(&canaries);
    assert!(found.is_empty(), "{found:#?}");
    tally::tried(searches);
}
