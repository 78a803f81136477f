//! The acceptance test, for what only AWS can show: in an AWS account it creates a separate stack,
//! uses, changes and deletes it, and records everything that happens.
//!
//! [`promises`] lists what is tried and the results, `steps` implements it, [`record`] defines the
//! record, and [`order`] checks one later. The same run works with an AWS emulator.

mod artifact;
pub mod order;
pub mod promises;
pub mod record;
mod repository;
mod scrub;
mod steps;
mod webhook;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy::pace::Pace;
use deployment::deploy::{self, AssetsError, DestroyError, ParameterError, Parameters, Resource, Template};
use deployment::render::progress::Progress;
use deployment::synth::{self, SynthError};
use deployment::typed::typed;

pub use artifact::ArtifactError;
pub use promises::{Promise, Row, Verdict, table};
pub use record::{Record, RecordError};
pub use repository::{Branch, BranchError, Private, Public};
pub use scrub::NO_ACCOUNT;

use record::{Kind, Operation, Sighting, now};
use scrub::Scrub;
use webhook::Sender;

/// The stack's default name.
pub const STACK: &str = "git2s3-acceptance";
/// The tag of stacks made by an acceptance run.
const TAG: (&str, &str) = ("git2s3:acceptance", "may be deleted at any time");
/// The maximum cost of the run, in words.
pub const COST: &str = "less than a dollar";

/// What to try, and with what.
#[derive(Debug)]
pub struct Options {
    /// The stack's name.
    pub stack_name: String,
    /// The directory with this release's packaged functions.
    pub dist: PathBuf,
    /// The directory with those of the last release, and its template.
    pub from: Option<PathBuf>,
    /// A repository whose archives anybody may download.
    pub public: Public,
    /// A repository that will get the stack's key.
    pub private: Option<Private>,
    /// A VPC, and its subnets.
    pub vpc: Option<(String, String)>,
    /// A domain.
    pub domain: Option<String>,
    /// Values for the stack's parameters.
    pub parameters: Parameters,
}

/// Why nothing can be tried, or something could not be cleaned up.
#[derive(Debug, thiserror::Error)]
pub enum AcceptanceError {
    /// There is a stack of that name which isn't one of ours.
    #[error("there is a stack {stack} already, and it isn't one of an acceptance run")]
    Taken {
        /// The stack's name.
        stack: String,
    },
    /// AWS could not be asked, or refused.
    #[error(transparent)]
    Call(CallError),
    /// The template can't be made.
    #[error("there is no template to deploy")]
    Synth(#[source] SynthError),
    /// The functions aren't packaged.
    #[error("the functions in {} are not packaged", dist.display())]
    NotPackaged {
        /// The directory.
        dist: PathBuf,
    },
    /// The last release's template can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// It is not a template.
    #[error("cannot deploy {}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: cfn::ParseError,
    },
    /// A parameter doesn't fit the template.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// The stack could not be deleted.
    #[error(transparent)]
    Destroy(Box<DestroyError>),
    /// The bucket for code could not be deleted.
    #[error(transparent)]
    Assets(Box<AssetsError>),
}

impl AcceptanceError {
    /// Whether the caller has to change something.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Taken { .. }
                | Self::NotPackaged { .. }
                | Self::Read { .. }
                | Self::Template { .. }
                | Self::Parameters(_)
        )
    }

    /// What to do about it, if known and not said by the error's source.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => Some("choose another name: `--stack-name`".to_owned()),
            Self::NotPackaged { .. } => Some(format!("{} packages them", typed("package"))),
            // These messages are shown as they are, not as a cause.
            Self::Call(error) => error.hint(),
            Self::Parameters(error) => error.hint(),
            Self::Destroy(error) => error.hint(),
            Self::Assets(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<DestroyError> for AcceptanceError {
    fn from(error: DestroyError) -> Self {
        Self::Destroy(Box::new(error))
    }
}

impl From<AssetsError> for AcceptanceError {
    fn from(error: AssetsError) -> Self {
        Self::Assets(Box::new(error))
    }
}

/// A stack that was made.
#[derive(Debug)]
struct Running {
    bucket: String,
    /// The API's own addresses, by the name of the output.
    urls: BTreeMap<String, String>,
    public_key: String,
}

/// An operation on the stack that is under way.
#[derive(Debug)]
struct UnderWay {
    kind: Kind,
    what: &'static str,
    begun: Instant,
    template: Option<Template>,
}

/// One run.
#[derive(Debug)]
pub struct Acceptance {
    account: Account,
    options: Options,
    template: Template,
    last_release: Option<Template>,
    secret: String,
    sender: Arc<Sender>,
    /// The stack's parameters so far.
    chosen: Vec<Parameters>,
    /// The stack's template.
    deployed: Option<Template>,
    running: Option<Running>,
    stack_id: Option<String>,
    /// The stack's resources, to look for after its deletion.
    made: Vec<Resource>,
    /// Whether the account had its bucket for code before.
    had_assets: bool,
    under_way: Option<UnderWay>,
    told: HashSet<String>,
    record: Record,
}

impl Acceptance {
    /// Checks the prerequisites; changes nothing.
    ///
    /// # Errors
    /// See [`AcceptanceError`].
    pub async fn prepare(account: Account, options: Options) -> Result<Self, AcceptanceError> {
        let template = synth::synthesize(&options.dist).map_err(AcceptanceError::Synth)?;
        if !options.dist.join("assets.json").is_file() {
            return Err(AcceptanceError::NotPackaged { dist: options.dist });
        }
        let last_release = options.from.as_deref().map(|from| {
            let path = from.join("git2s3.template.json");
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|source| AcceptanceError::Read { path: path.clone(), source })?;
            Template::parse_json(text).map_err(|source| AcceptanceError::Template { path, source })
        });
        let last_release = last_release.transpose()?;
        options.parameters.check(&template)?;
        let existing = deploy::identity(&account, &options.stack_name).await.map_err(AcceptanceError::Call)?;
        if existing.is_some_and(|stack| !stack.tags.contains_key(TAG.0)) {
            return Err(AcceptanceError::Taken { stack: options.stack_name });
        }
        let had_assets = deploy::assets_bucket_exists(&account).await?;
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let record = Record {
            version: record::VERSION,
            product: env!("CARGO_PKG_VERSION").to_owned(),
            region: account.region.clone(),
            is_aws: account.is_aws(),
            begun: now(),
            ended: String::new(),
            rows: Vec::new(),
            operations: Vec::new(),
            answers: Vec::new(),
            sightings: Vec::new(),
        };
        Ok(Self {
            account,
            template,
            last_release,
            sender: Arc::new(Sender::new(&secret)),
            secret,
            chosen: Vec::new(),
            deployed: None,
            running: None,
            stack_id: None,
            made: Vec::new(),
            had_assets,
            under_way: None,
            told: HashSet::new(),
            record,
            options,
        })
    }

    /// What to know before the run, one sentence per line.
    pub fn announcement(&self) -> Vec<String> {
        let options = &self.options;
        let public = &options.public.0.repository;
        let mut lines = vec![
            format!("makes the stack {}, uses it, changes it and deletes it", options.stack_name),
            format!("pushes are told of {public}, which is not changed"),
        ];
        if let Some(Private(branch)) = &options.private {
            lines.push(format!("shows a public key that has to become a deploy key of {}", branch.repository));
        }
        if let Some((vpc, subnets)) = &options.vpc {
            lines.push(format!("runs the workers in {vpc}, {subnets}; leaving it takes AWS 20 to 45 minutes"));
        }
        if let Some(domain) = &options.domain {
            lines.push(format!("makes a certificate for {domain}, and waits for two records in its DNS"));
        }
        lines.push(format!("costs {COST}, and cleans up after itself whatever happens; Ctrl-C ends it early"));
        lines
    }

    /// Tries everything. Failures are recorded, and don't end the run.
    pub async fn run(&mut self, progress: &mut dyn Progress) {
        for promise in Promise::ALL {
            progress.step(&format!("{promise}:"));
            let begun = Instant::now();
            let outcome = Box::pin(self.try_out(promise, progress)).await;
            let row = Row::new(promise, outcome, begun.elapsed());
            progress.step(&format!("{}: {}", row.result, row.reason));
            self.record.rows.push(row);
        }
    }

    /// Deletes the stack, if it still exists, and whatever else the run created. It can be called
    /// at any time, and repeatedly.
    ///
    /// # Errors
    /// Something could not be deleted.
    pub async fn clean_up(&mut self, progress: &mut dyn Progress) -> Result<(), AcceptanceError> {
        // Deleting the stack matters more than the record.
        drop(self.note_operation().await);
        // An interrupted operation goes on, and a stack can't be deleted during an update.
        self.idle(progress).await.map_err(AcceptanceError::Call)?;
        self.destroy("what is left", progress).await?;
        if !self.had_assets {
            deploy::remove_assets_bucket(&self.account).await?;
        }
        Ok(())
    }

    /// How to do by hand what [`Acceptance::clean_up`] does.
    pub fn by_hand(&self) -> String {
        let stack = &self.options.stack_name;
        let assets = format!("git2s3-assets-{}-{}", self.account.id, self.account.region);
        let bucket =
            if self.had_assets { String::new() } else { format!("; then empty and delete the bucket {assets}") };
        format!("{} deletes what was made{bucket}", typed(&format!("destroy --stack-name {stack}")))
    }

    /// The record of the run, with everything untried as skipped.
    ///
    /// # Errors
    /// It can't be written as JSON, which is a bug in this module.
    pub fn finish(&mut self) -> serde_json::Result<Record> {
        let rows = &mut self.record.rows;
        let missing: Vec<_> =
            Promise::ALL.into_iter().filter(|one| rows.iter().all(|row| row.promise != *one)).collect();
        rows.extend(missing.into_iter().map(|promise| Row {
            promise,
            result: Verdict::Skipped,
            reason: "interrupted".to_owned(),
            seconds: 0.0,
        }));
        self.record.ended = now();
        let given = self.options.parameters.secrets(&self.template);
        let secrets: Vec<_> = given.iter().map(String::as_str).chain([self.secret.as_str()]).collect();
        self.record.scrubbed(&Scrub::new(&self.account.id, &self.account.principal, &secrets))
    }

    /// Waits until nobody changes the stack any more. A creation may be deleted at once.
    async fn idle(&self, progress: &mut dyn Progress) -> Result<(), CallError> {
        let mut pace = Pace::default();
        let mut is_cancelled = false;
        while let Some(stack) = deploy::identity(&self.account, &self.options.stack_name).await? {
            let waits = ["UPDATE_", "ROLLBACK_"].iter().any(|what| stack.status.starts_with(what));
            if !waits || !stack.status.ends_with("_IN_PROGRESS") {
                break;
            }
            if stack.status == "UPDATE_IN_PROGRESS" && !is_cancelled {
                // If it is too late for that, the update ends by itself.
                drop(self.account.cloudformation.cancel_update_stack().stack_name(&stack.id).send().await);
                is_cancelled = true;
            }
            progress.waiting(&format!("waiting until stack {} is done", self.options.stack_name));
            pace.pause().await;
        }
        Ok(())
    }

    /// Deletes the stack, if it exists, and returns whether it did.
    async fn destroy(&mut self, what: &'static str, progress: &mut dyn Progress) -> Result<bool, DestroyError> {
        let Some(losses) = deploy::losses(&self.account, &self.options.stack_name).await? else { return Ok(false) };
        self.remember().await;
        self.begin(Kind::Delete, what);
        let deleted = losses.execute(progress).await;
        drop(self.note_operation().await);
        deleted.map(|()| true)
    }

    /// Remembers the stack's resources.
    async fn remember(&mut self) {
        if let Ok(Some(stack)) = deploy::identity(&self.account, &self.options.stack_name).await {
            self.stack_id = Some(stack.id);
        }
        if let Ok(resources) = deploy::resources(&self.account, &self.options.stack_name).await {
            self.made = resources;
        }
    }

    fn begin(&mut self, kind: Kind, what: &'static str) {
        self.under_way = Some(UnderWay { kind, what, begun: Instant::now(), template: self.deployed.clone() });
    }

    /// Records the operation that was under way, with all events not yet recorded.
    async fn note_operation(&mut self) -> Result<(), CallError> {
        let Some(UnderWay { kind, what, begun, template }) = self.under_way.take() else { return Ok(()) };
        if let Some(stack) = deploy::identity(&self.account, &self.options.stack_name).await? {
            self.stack_id = Some(stack.id);
        }
        let Some(id) = self.stack_id.clone() else { return Ok(()) };
        let seconds = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        let mut events = deploy::history(&self.account, &id).await?;
        events.retain(|event| self.told.insert(event.id.clone()));
        let of_stack = events.iter().rev().find(|event| event.resource_type == "AWS::CloudFormation::Stack");
        let status = of_stack.map(|event| event.status.clone()).unwrap_or_default();
        let evaluated = template.and_then(|template| deploy::evaluated(&template, &self.chosen).ok());
        let dependencies = evaluated.map(|template| cfn::order::dependencies(&template)).unwrap_or_default();
        self.record.operations.push(Operation { kind, what: what.to_owned(), status, seconds, dependencies, events });
        Ok(())
    }

    fn saw(&mut self, what: String) {
        self.record.sightings.push(Sighting { time: now(), what });
    }
}

/// Polls until there is a result, and reports what it waits for.
async fn until<T, E>(
    what: &str,
    patience: Duration,
    progress: &mut dyn Progress,
    mut look: impl AsyncFnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let deadline = Instant::now() + patience;
    let mut pace = Pace::default();
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        progress.waiting(&format!("waiting for {what}"));
        pace.pause().await;
    }
}

/// Waits before a retry of something that a person has to make possible.
async fn breather() {
    sleep(Duration::from_secs(5)).await;
}
