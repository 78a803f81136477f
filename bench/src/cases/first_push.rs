//! An unknown repository: fetched over SSH, zipped, stored. Each run is a new process with an empty
//! folder, timed from the start of the process.

use anyhow::{Result, ensure};

use crate::account::{Account, OUTPUT};
use crate::bench::Bench;
use crate::function::Function;
use crate::generate::Shape;
use crate::hosted::Hosted;
use crate::row::{Row, Unit};
use crate::sample::Pair;

/// The names of the cases.
pub(crate) const NAMES: [&str; 2] = [WALL, PROCESSOR];
/// The name that the costs are calculated from.
pub(crate) const WALL: &str = "first push";
const PROCESSOR: &str = "first push, processor time";

/// Measures both together.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let account = bench.account().await?;
    let hosted = Hosted::new(bench, account, "git-sized", Shape::GIT)?;
    let port = account.local.sshd.port;
    let environment = account.gitpull(port)?;
    let job = hosted.job()?;
    let ours = async || {
        account.forget().await?;
        Function::start(bench, "gitpull", &environment).await?.first_work(&job).await
    };
    let rival = async || {
        let folder = bench.empty_folder()?;
        hosted.rival(bench, account, port, &folder.path().join("clone")).run(bench).await
    };
    let pair = Pair::cold(WALL, bench.runs, ours, rival).await?;
    same_files(account, &hosted).await?;
    Ok(vec![
        Row::wall(WALL, &pair).goal(0.7),
        Row::of(PROCESSOR, Unit::Seconds, &pair, |sample| sample.processor).goal(0.25),
    ])
}

/// Checks that the zips of both have the same files.
pub(crate) async fn same_files(account: &Account, hosted: &Hosted) -> Result<()> {
    let (ours, rivals) = (files(account, &hosted.key()?).await?, files(account, &hosted.rival_key()).await?);
    ensure!(ours == rivals, "the zips differ: {} files and {}", ours.len(), rivals.len());
    Ok(())
}

async fn files(account: &Account, key: &str) -> Result<Vec<(String, u64)>> {
    let object = account.local.cloud.account.s3.get_object().bucket(OUTPUT).key(key).send().await?;
    let bytes = object.body.collect().await?.to_vec();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let file = zip.by_index_raw(index)?;
        if !file.is_dir() {
            files.push((file.name()?.into_owned(), file.size()));
        }
    }
    files.sort();
    Ok(files)
}
