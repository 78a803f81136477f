//! Attacks on the predecessor of this product. Each test fails when its hole is open again. Each
//! first sends the same request in its harmless form, which passes.

use contract::RefName;
use forge::{Delivery, Event};
use proptest::prelude::*;
use serde_json::json;

use crate::sender::{self, Request, SECRET, github_push, ordinary_push};

impl Request {
    /// From this address.
    fn from(mut self, source: &str) -> Self {
        self.delivery.source = Some(source.parse().unwrap());
        self
    }
}

fn main_branch() -> Vec<RefName> {
    vec!["refs/heads/main".parse().unwrap()]
}

/// Signed with the empty key, which anyone can use.
fn signed_with_nothing() -> Request {
    let request = Request::new(&ordinary_push());
    let signature = sender::signature("", &request.delivery.body);
    request.header("X-Hub-Signature-256", &signature)
}

#[test]
fn attack_01_empty_secret_admits_nobody() {
    assert_eq!(Request::signed(&ordinary_push()).outcome(), Ok(main_branch()));
    for secrets in ["", ",", " , ", "\n", "s3cret,", ",s3cret"] {
        for (request, name) in [
            (signed_with_nothing(), "HMAC with the empty key"),
            (Request::new(&ordinary_push()).header("X-Git-Token", ""), "empty X-Git-Token"),
            (Request::new(&ordinary_push()).header("X-Git-Token", ","), "comma as X-Git-Token"),
            (Request::new(&ordinary_push()).header("X-Gitlab-Token", ""), "empty X-Gitlab-Token"),
            (Request::new(&ordinary_push()).header("X-Hub-Signature-256", ""), "empty signature"),
            (Request::new(&ordinary_push()).header("X-Hub-Signature-256", "sha256="), "signature of no digits"),
            (Request::new(&ordinary_push()).header("X-Hub-Signature", "sha1="), "SHA-1 of no digits"),
            (Request::new(&ordinary_push()), "nothing"),
        ] {
            assert_eq!(Request { secrets, ..request }.outcome(), Err(401), "{name} against {secrets:?}");
        }
    }
}

#[test]
fn missing_secret_and_address_refuse_everything() {
    for (allowed_ips, repositories) in [("", ""), ("", "**"), ("github.com=0.0.0.0/0,github.com=::/0", "")] {
        let ping = Request::new(&ordinary_push()).header("X-GitHub-Event", "ping");
        for request in [Request::new(&ordinary_push()), Request::signed(&ordinary_push()), ping] {
            let request = Request { secrets: "", allowed_ips, repositories, ..request };
            assert_eq!(request.from("18.205.93.1").outcome(), Err(401), "{allowed_ips:?} {repositories:?}");
        }
    }
}

#[test]
fn attack_04_mismatched_repository_is_refused() {
    assert_eq!(Request::signed(&ordinary_push()).outcome(), Ok(main_branch()));
    for (full_name, ssh_url) in [
        ("victim/repo", "git@github.com:octo-org/hello.git"),
        ("octo-org/hello", "git@github.com:attacker/hello.git"),
        ("octo-org/hello", "git@github.com:attacker/octo-org/hello.git"),
        ("octo-org/hello", "git@github.com:octo-org/hello.git.git"),
        ("octo-org/hello", "git@github.com:Octo-Org/hello.git"),
        ("octo-org/hello", "https://github.com/octo-org/hello.git?x=/y"),
        ("../hello", "git@github.com:../hello.git"),
    ] {
        let mut payload = ordinary_push();
        payload["repository"]["full_name"] = json!(full_name);
        payload["repository"]["ssh_url"] = json!(ssh_url);
        assert_eq!(Request::signed(&payload).outcome(), Err(400), "{full_name} from {ssh_url}");
    }
}

#[test]
fn attack_10_unconfigured_hosts_are_refused() {
    for ssh_url in [
        "git@evil.example:octo-org/hello.git",
        "ssh://git@github.com.evil.example/octo-org/hello.git",
        "ssh://github.com@evil.example/octo-org/hello.git",
        "https://127.0.0.1/octo-org/hello.git",
        "http://169.254.169.254/octo-org/hello",
    ] {
        let mut payload = ordinary_push();
        payload["repository"]["ssh_url"] = json!(ssh_url);
        assert_eq!(Request::signed(&payload).outcome(), Err(403), "{ssh_url}");
    }
}

/// From an address that is trusted for GitHub. All users of a public provider share it.
fn from_a_public_provider(repositories: &'static str) -> Request {
    let request = Request { allowed_ips: "github.com=18.205.93.0/25", repositories, ..Request::new(&ordinary_push()) };
    request.from("18.205.93.1")
}

#[test]
fn attack_05_address_needs_named_repository() {
    assert_eq!(from_a_public_provider("github.com/octo-org/hello").outcome(), Ok(main_branch()));
    assert_eq!(from_a_public_provider("").outcome(), Err(401));
    assert_eq!(from_a_public_provider("github.com/octo-org/other").outcome(), Err(401));
    assert_eq!(from_a_public_provider("**").from("18.205.93.128").outcome(), Err(401));
    let mut nowhere = from_a_public_provider("**");
    nowhere.delivery.source = None;
    assert_eq!(nowhere.outcome(), Err(401));
}

/// A push of this repository as Bitbucket Cloud sends it.
fn bitbucket_push(full_name: &str) -> Request {
    let payload = json!({
        "push": { "changes": [{ "new": { "type": "branch", "name": "main", "target": { "hash": "a".repeat(40) } } }] },
        "repository": { "full_name": full_name, "links": { "html": { "href": format!("https://bitbucket.org/{full_name}") } } },
    });
    let mut request = Request::new(&payload).header("X-Event-Key", "repo:push");
    request.delivery.headers.remove("X-GitHub-Event");
    request
}

#[test]
fn address_vouches_only_for_its_host() {
    let from_bitbucket = |request: Request, repositories| {
        let request = Request { allowed_ips: "bitbucket.org=18.205.93.0/25", repositories, ..request };
        request.from("18.205.93.1").outcome()
    };
    let all = "github.com/octo-org/*,bitbucket.org/octo-org/*";
    assert_eq!(from_bitbucket(bitbucket_push("octo-org/hello"), all), Ok(main_branch()));
    // The original vulnerability: GitHub's payload from an address of Bitbucket, with a secret that
    // nobody had to know.
    assert_eq!(from_bitbucket(Request::new(&ordinary_push()), all), Err(401));
    // GitHub's payload of a repository on Bitbucket.
    let mut claimed = ordinary_push();
    claimed["repository"]["ssh_url"] = json!("git@bitbucket.org:octo-org/hello.git");
    claimed["repository"]["clone_url"] = json!("https://bitbucket.org/octo-org/hello.git");
    assert_eq!(from_bitbucket(Request::new(&claimed), all), Err(401));
    // The same from a sender of unknown kind.
    let mut generic = Request::new(&claimed);
    generic.delivery.headers.remove("X-GitHub-Event");
    assert_eq!(from_bitbucket(generic, all), Err(401));
    assert_eq!(from_bitbucket(bitbucket_push("octo-org/hello"), "github.com/octo-org/hello"), Err(401));
    // Not even a ping of another kind is answered.
    let ping = Request::new(&json!({})).header("X-GitHub-Event", "ping");
    assert_eq!(from_bitbucket(ping, all), Err(401));
}

#[test]
fn unsigned_request_needs_address_entry() {
    for address in ["18.205.93.1", "18.234.32.129", "13.52.5.1", "140.82.112.1", "127.0.0.1"] {
        for request in [Request::new(&ordinary_push()), bitbucket_push("octo-org/hello")] {
            let request = Request { repositories: "**", ..request };
            assert_eq!(request.from(address).outcome(), Err(401), "{address}");
        }
    }
    // An entry for a host that isn't allowed has no effect.
    let request =
        Request { allowed_ips: "evil.example=0.0.0.0/0", repositories: "**", ..Request::new(&ordinary_push()) };
    assert_eq!(request.from("192.0.2.1").outcome(), Err(401));
}

#[test]
fn address_is_never_read_from_headers() {
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"] {
        let request = from_a_public_provider("**").from("203.0.113.9").header(header, "18.205.93.1");
        assert_eq!(request.outcome(), Err(401), "{header}");
    }
}

#[test]
fn wrong_signature_fails_despite_allowed_address() {
    for (header, value) in [
        ("X-Hub-Signature-256", "sha256=00"),
        ("X-Hub-Signature", "sha1=00"),
        ("X-Hub-Signature-256", ""),
        ("X-Gitlab-Token", "guess"),
        ("X-Git-Token", ""),
        ("webhook-signature", "v1,AAAA"),
    ] {
        let request = from_a_public_provider("github.com/octo-org/*").header(header, value);
        assert_eq!(request.outcome(), Err(401), "{header}: {value}");
    }
}

#[test]
fn secret_overrides_address_but_not_repositories() {
    let elsewhere = |repositories| {
        let request =
            Request { allowed_ips: "github.com=192.0.2.0/24", repositories, ..Request::signed(&ordinary_push()) };
        request.from("203.0.113.9").outcome()
    };
    assert_eq!(elsewhere(""), Ok(main_branch()));
    assert_eq!(elsewhere("github.com/octo-org/*"), Ok(main_branch()));
    assert_eq!(elsewhere("github.com/other/*"), Err(403));
}

#[test]
fn limited_secret_fits_only_its_repositories() {
    let with = |secrets| Request { secrets, ..Request::signed(&ordinary_push()) }.outcome();
    assert_eq!(with("[github.com/octo-org/*]s3cret"), Ok(main_branch()));
    assert_eq!(with("[github.com/other/*]s3cret"), Err(401));
    assert_eq!(with("[github.com/octo-org/*]other,[github.com/other/*]s3cret"), Err(401));
    assert_eq!(with("[github.com/other/*]s3cret,[**]s3cret"), Ok(main_branch()));
    assert_eq!(with("[[]s3cret"), Err(401));
    // Two signatures with secrets for different repositories don't add up.
    let two =
        Request { secrets: "[github.com/octo-org/*]s3cret,[github.com/x/*]t0ken", ..Request::signed(&ordinary_push()) };
    assert_eq!(two.header("X-Git-Token", "t0ken").outcome(), Err(401));
}

#[test]
fn comma_never_makes_general_secret() {
    let with = |secrets| Request { secrets, ..Request::signed(&ordinary_push()) }.outcome();
    assert_eq!(with("[github.com/{octo-org,beta}/*]s3cret"), Ok(main_branch()));
    assert_eq!(with("[github.com/{acme,beta}/*]s3cret"), Err(401));
    for (secrets, forged) in [
        ("[github.com/{acme,beta}/*]s3cret", "[github.com/{acme"),
        ("[github.com/{acme,beta}/*]s3cret", "beta}/*]s3cret"),
        ("[github.com/{acme,beta}/*s3cret", "beta}/*s3cret"),
        ("[github.com/acme/*s3cret", "[github.com/acme/*s3cret"),
    ] {
        let request = Request { secrets, ..Request::new(&ordinary_push()) }.header("X-Git-Token", forged);
        assert_eq!(request.outcome(), Err(401), "{forged} against {secrets}");
    }
    // The rest of the list still works.
    assert_eq!(with("[github.com/acme/*,s3cret"), Ok(main_branch()));
}

#[test]
fn repository_case_follows_host_rules() {
    let push = |repositories, secrets| Request { secrets, repositories, ..Request::signed(&ordinary_push()) };
    assert_eq!(push("github.com/Octo-Org/Hello", SECRET).outcome(), Ok(main_branch()));
    assert_eq!(push("GitHub.com/**", SECRET).outcome(), Ok(main_branch()));
    assert_eq!(push("", "[github.com/OCTO-ORG/*]s3cret").outcome(), Ok(main_branch()));
    for repositories in ["!github.com/Octo-Org/*", "**,!GITHUB.COM/octo-org/HELLO"] {
        assert_eq!(push(repositories, SECRET).outcome(), Ok(Vec::new()), "{repositories}");
    }
}

#[test]
fn push_carries_its_senders_scope() {
    let scope = |request: Request| {
        let Ok(Event::Push(push)) = request.receive() else { panic!("not a push") };
        push.jobs().next().unwrap().scope.clone().unwrap()
    };
    let signed = |repositories, secrets| Request { secrets, repositories, ..Request::signed(&ordinary_push()) };
    assert!(scope(signed("", SECRET)).is_empty());
    assert_eq!(scope(signed("github.com/octo-org/*,!**/x", SECRET)), ["github.com/octo-org/*,!**/x"]);
    assert_eq!(scope(signed("**", "[github.com/octo-org/*]s3cret")), ["github.com/octo-org/*", "**"]);
    assert_eq!(scope(from_a_public_provider("**")), ["github.com/**", "**"]);
}

#[test]
fn attack_09_no_reference_is_lost() {
    let reference = |name: &str| json!({ "new": { "type": "branch", "name": name, "target": { "hash": "a".repeat(40) } }, "old": null });
    let payload = json!({
        "push": { "changes": [reference("a"), reference("b"), { "new": null, "old": null }] },
        "repository": {
            "full_name": "octo-org/hello", "links": { "html": { "href": "https://bitbucket.org/octo-org/hello" } },
        },
    });
    let mut request = Request::signed(&payload).header("X-Event-Key", "repo:push");
    request.delivery.headers.remove("X-GitHub-Event");
    assert_eq!(request.outcome(), Ok(vec!["refs/heads/a".parse().unwrap(), "refs/heads/b".parse().unwrap()]));
}

#[test]
fn body_with_flipped_bit_is_refused() {
    let request = Request::signed(&ordinary_push());
    for index in 0..request.delivery.body.len() {
        let mut changed = Request::signed(&ordinary_push());
        changed.delivery.body[index] ^= 1;
        assert_eq!(changed.outcome(), Err(401), "byte {index}");
    }
}

#[test]
fn attack_08_whole_signature_is_checked() {
    let body = ordinary_push().to_string();
    let right = sender::signature(SECRET, body.as_bytes());
    for value in [right[..right.len() - 2].to_owned(), format!("{right}00"), right.replace("sha256=", "sha1=")] {
        for header in ["X-Hub-Signature-256", "X-Hub-Signature"] {
            let request = Request::new(&ordinary_push()).header(header, &value);
            assert_eq!(request.outcome(), Err(401), "{header}: {value}");
        }
    }
}

#[test]
fn attack_09_only_updates_are_fetched() {
    let ping = Request::signed(&ordinary_push()).header("X-GitHub-Event", "ping");
    assert_eq!(ping.outcome(), Ok(Vec::new()));
    // A deletion fetches nothing: the null ID isn't a commit, and the worker asks the host.
    let deletion = Request::signed(&github_push("refs/heads/master", &"0".repeat(40)));
    let Ok(Event::Push(push)) = deletion.receive() else { panic!("not a push") };
    let told: Vec<_> = push.updates().iter().map(|update| (update.deleted, &update.commit)).collect();
    assert_eq!(told, [(true, &None)]);
    let tag = Request::signed(&github_push("refs/tags/v1", &"a".repeat(40)));
    assert_eq!(tag.outcome(), Ok(vec!["refs/tags/v1".parse().unwrap()]));
}

#[test]
fn attack_11_a_reference_never_escapes() {
    for reference in [
        "refs/heads/../../x",
        "refs/heads/..",
        "refs/tags/../heads/main",
        "refs/heads/a/../../../../victim/repo/victim_repo",
        "/refs/heads/main",
        "refs/heads/main\n",
        "refs/heads/main --config=core.sshCommand=id",
        "refs/heads/\u{0}",
        "",
    ] {
        assert_eq!(Request::signed(&github_push(reference, &"a".repeat(40))).outcome(), Err(400), "{reference:?}");
    }
    let odd = "refs/heads/-$(id)`;|&'\"{}%ü";
    assert_eq!(Request::signed(&github_push(odd, &"a".repeat(40))).outcome(), Ok(vec![odd.parse().unwrap()]));
}

#[test]
fn oversized_body_returns_413() {
    let mut request = Request::signed(&ordinary_push());
    request.delivery.body.resize(Delivery::MAX_BODY_BYTES, b' ');
    let signature = sender::signature(SECRET, &request.delivery.body);
    let mut request = request.header("X-Hub-Signature-256", &signature);
    assert_eq!(request.outcome(), Ok(main_branch()));
    request.delivery.body.push(b' ');
    assert_eq!(request.outcome(), Err(413));
}

#[test]
fn attack_12_jobs_stay_small() {
    let mut payload = ordinary_push();
    payload["commits"] = (0..17_500).map(|n| json!({ "id": format!("{n:040}"), "message": "x".repeat(200) })).collect();
    let request = Request::signed(&payload);
    // Nearly the largest body that AWS delivers.
    let bytes = request.delivery.body.len();
    assert!((4_600_000..=Delivery::MAX_BODY_BYTES).contains(&bytes), "{bytes}");
    let Ok(Event::Push(push)) = request.receive() else { panic!("not a push") };
    let jobs: Vec<_> = push.jobs().collect();
    let [job] = &jobs[..] else { panic!("not one job") };
    assert!(serde_json::to_string(job).unwrap().len() < 500);
}

#[test]
fn only_json_and_forms_are_accepted() {
    for media_type in ["text/plain", "application/xml", ""] {
        let request = Request::signed(&ordinary_push()).header("Content-Type", media_type);
        assert_eq!(request.outcome(), Err(415), "{media_type:?}");
    }
    let form = form_urlencoded::Serializer::new(String::new());
    let form = { form }.append_pair("payload", &ordinary_push().to_string()).finish();
    let signature = sender::signature(SECRET, form.as_bytes());
    let mut request = Request::new(&ordinary_push());
    request.delivery.body = form.into_bytes();
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(request.header("X-Hub-Signature-256", &signature).outcome(), Ok(main_branch()));
}

proptest! {
    #[test]
    fn unsigned_requests_are_always_refused(body: Vec<u8>, event in "[a-zA-Z _-]{0,16}") {
        for header in ["X-GitHub-Event", "X-Gitlab-Event", "X-Other"] {
            let mut request = Request::new(&json!({})).header(header, &event);
            request.delivery.body.clone_from(&body);
            prop_assert_eq!(request.outcome(), Err(401));
        }
    }

    #[test]
    fn signed_garbage_gets_400(body: Vec<u8>, form: bool, gitlab: bool) {
        let mut request = Request::new(&json!({}));
        request.delivery.body.clone_from(&body);
        let media_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let (header, event) = if gitlab { ("X-Gitlab-Event", "Push Hook") } else { ("X-GitHub-Event", "push") };
        let request = request.header("Content-Type", media_type).header(header, event);
        let request = request.header("X-Hub-Signature-256", &sender::signature(SECRET, &body));
        prop_assert_eq!(request.outcome(), Err(400));
    }
}
