//! A push of one changed file to a warm worker, at a distance of 80 ms from the Git host: the usual
//! case between two continents, where the wait is round trips. The rival fetches over OpenSSH, and
//! everything passes the same proxies.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use git_http::Authority;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use local::proxy::{Network, Proxy};
use local::trips::Latency;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::next_push::RivalWorker;
use crate::account::Account;
use crate::bench::Bench;
use crate::function::Function;
use crate::generate::Shape;
use crate::hosted::Hosted;
use crate::report::count;
use crate::row::{Row, Unit};
use crate::sample::{Pair, Sample};

/// The names of the cases.
pub(crate) const NAMES: [&str; 9] = [
    "push to zip, 80 ms each way, over SSH",
    "push to zip, 80 ms each way, over a new SSH session",
    "push to zip, 80 ms each way, over HTTPS",
    "push to zip, 80 ms each way, over SSH, small repository",
    "push to zip, 80 ms each way, over a new SSH session, small repository",
    "push to zip, 80 ms each way, over HTTPS, small repository",
    "push to zip, round trips over SSH",
    "push to zip, round trips over a new SSH session",
    "push to zip, round trips over HTTPS",
];
const NETWORK: Network = Network { rate: None, latency: Latency::Time(Duration::from_millis(80)) };
/// The largest acceptable part of the rival's time.
const GOAL: f64 = 0.5;

/// Measures all ways and their rival together, for a repository of Git's size and for a small one.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let [ssh, new_ssh, https, small_ssh, small_new_ssh, small_https, ssh_trips, new_ssh_trips, https_trips] = NAMES;
    let [over_ssh, over_new_ssh, over_https] = measure(bench, "git-sized", Shape::GIT).await?;
    let [small_over_ssh, small_over_new_ssh, small_over_https] = measure(bench, "small", Shape::SMALL).await?;
    let trips = |case, pair| Row::of(case, Unit::Count, pair, |sample| count(sample.trips));
    Ok(vec![
        Row::wall(ssh, &over_ssh).goal(GOAL),
        Row::wall(new_ssh, &over_new_ssh).goal(GOAL),
        Row::wall(https, &over_https).goal(GOAL),
        Row::wall(small_ssh, &small_over_ssh).goal(GOAL),
        // Nine round trips of the rival's twelve can't take half of its time.
        Row::wall(small_new_ssh, &small_over_new_ssh),
        Row::wall(small_https, &small_over_https).goal(GOAL),
        trips(ssh_trips, &over_ssh),
        trips(new_ssh_trips, &over_new_ssh),
        trips(https_trips, &over_https),
    ])
}

/// Our results over an open SSH session, a new one, and HTTPS, each with the rival's.
async fn measure(bench: &Bench, name: &str, shape: Shape) -> Result<[Pair; 3]> {
    let account = bench.account().await?;
    let mut hosted = Hosted::new(bench, account, name, shape)?;
    account.forget().await?;
    let line = Proxy::start(account.local.sshd.port, NETWORK).await?;
    let tls = TlsHost::start(account).await?;
    let tls_line = Proxy::start(tls.port, NETWORK).await?;
    let folder = bench.empty_folder()?;
    let mut over_ssh = Function::start(bench, "gitpull", &account.gitpull(line.port)?).await?;
    let environment = account.gitpull_over_https(tls_line.port, &tls.authority).await?;
    let mut over_https = Function::start(bench, "gitpull", &environment).await?;
    let mut rival = RivalWorker::start(bench, account, &hosted, line.port, folder.path()).await?;
    let mut pairs: [Pair; 3] = Default::default();
    for run in 0..=bench.runs {
        crate::progress::progress(&format!("push to zip of {name}, 80 ms each way, {run} of {}", bench.runs));
        // Each way has its own push. Otherwise the second would find the zip of the first.
        let mut samples = Vec::new();
        for (is_new, is_https) in [(false, false), (true, false), (false, true)] {
            let (function, line) = if is_https { (&mut over_https, &tls_line) } else { (&mut over_ssh, &line) };
            if is_new {
                line.cut();
            }
            hosted.push()?;
            let (received, trips) = (line.received(), line.round_trips());
            let sample = function.work(&hosted.job()?).await?;
            let (bytes, trips) = (line.received() - received, line.round_trips() - trips);
            samples.push(Sample { bytes, trips, ..sample });
        }
        let trips = line.round_trips();
        let wall = rival.push().await?;
        let theirs = Sample { wall, trips: line.round_trips() - trips, ..Sample::default() };
        // The first time, everything is fetched.
        if run > 0 {
            for (pair, sample) in pairs.iter_mut().zip(samples) {
                pair.ours.push(sample);
                pair.rival.push(theirs);
            }
        }
    }
    super::first_push::same_files(account, &hosted).await?;
    Ok(pairs)
}

/// The account's repositories over HTTPS.
struct TlsHost {
    port: u16,
    /// The certificate of its authority in PEM.
    authority: String,
    task: JoinHandle<()>,
}

impl Drop for TlsHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsHost {
    async fn start(account: &Account) -> Result<Self> {
        let authority = Authority::new().context("make an authority")?;
        let tls = authority.acceptor(vec!["127.0.0.1".to_owned()]).context("make a certificate")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let root = account.local.host.root();
        let answer = move |request: Request<Bytes>| {
            let root = root.clone();
            async move {
                let git = move || git_http::backend(&root, request.uri().path(), &request);
                let ran = tokio::task::spawn_blocking(git).await;
                let answer = ran.ok().and_then(Result::ok).unwrap_or_else(|| {
                    let mut failed = Response::new(Bytes::new());
                    *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    failed
                });
                answer.map(Full::new)
            }
        };
        let task = tokio::spawn(git_http::serve(listener, tls, answer));
        Ok(Self { port, authority: authority.pem(), task })
    }
}
