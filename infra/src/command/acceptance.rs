//! `infra acceptance`: arguments, the question before anything is created, and output.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use infra::acceptance::{Acceptance, Options, Private, Public, Record, STACK, table};

use super::parameters::Given;
use super::{Located, Outcome, Place, Target, caller, confirm_or};
use crate::report::Interrupted;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name of the stack that is made and deleted
    #[arg(long, value_name = "NAME", default_value = STACK)]
    stack_name: String,
    /// AWS region, instead of `AWS_REGION` and the configured one
    #[arg(long, value_name = "REGION", value_parser = NonEmptyStringValueParser::new())]
    region: Option<String>,
    /// Profile of AWS's configuration files, instead of `AWS_PROFILE` and credentials of the
    /// environment
    #[arg(long, value_name = "PROFILE", value_parser = NonEmptyStringValueParser::new())]
    profile: Option<String>,
    /// Go ahead without asking
    #[arg(long, short)]
    yes: bool,
    /// Directory with this release's `assets.json` and `assets/` [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
    /// Directory with those of the last release and its `git2s3.template.json`: deployed first, and
    /// then updated
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    from: Option<PathBuf>,
    /// Repository that anybody may download, and a branch of it
    #[arg(long, value_name = "HOST/OWNER/NAME#BRANCH", default_value = "github.com/octocat/Hello-World#master")]
    public_repository: Public,
    /// Repository to fetch over SSH, and a branch of it: the stack's public key is shown, and has
    /// to become a deploy key
    #[arg(long, value_name = "USER@HOST:OWNER/NAME.git#BRANCH")]
    repository: Option<Private>,
    /// VPC to move the workers into and out of
    #[arg(long, value_name = "ID", requires = "subnets")]
    vpc: Option<String>,
    /// Subnets of that VPC, separated by commas, with a way out to AWS and to the public repository
    #[arg(long, value_name = "IDS", requires = "vpc")]
    subnets: Option<String>,
    /// Domain to give to the endpoint; two records have to be added to its DNS meanwhile
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    // For Git hosts of one's own.
    #[command(flatten)]
    parameters: Given,
    /// File to write every event, status and answer to; nothing in it identifies the account
    /// [default: acceptance.json]
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    output: Option<PathBuf>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let Arguments { stack_name, region, profile, yes, output, json, .. } = &arguments;
    // Only region and profile come from the configuration: its stack name and parameters belong to
    // another stack.
    let place =
        Place { config: None, stack_name: Some(stack_name.clone()), region: region.clone(), profile: profile.clone() };
    let target = Target { place, role_arn: None, yes: *yes };
    let question = target.question()?;
    let parameters = arguments.parameters.read()?;
    let located = target.place.locate(&target.place.configuration()?).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    let Located { stack_name, account, .. } = located;
    let (output, json) = (output.clone().unwrap_or_else(|| "acceptance.json".into()), *json);
    let options = Options {
        stack_name: stack_name.clone(),
        dist: caller::dist(arguments.dist.as_deref()),
        from: arguments.from,
        public: arguments.public_repository,
        private: arguments.repository,
        vpc: arguments.vpc.zip(arguments.subnets),
        domain: arguments.domain,
        parameters,
    };
    let mut acceptance = Acceptance::prepare(account, options).await?;
    for line in acceptance.announcement() {
        progress.step(&line);
    }
    let stays = || Interrupted("nothing was made".to_owned(), None);
    if !confirm_or(question, "begin?", "y", &mut progress, stays).await? {
        progress.step("nothing was made");
        return Ok(Outcome::Declined);
    }

    let is_interrupted = tokio::select! {
        () = acceptance.run(&mut progress) => false,
        _ = tokio::signal::ctrl_c() => true,
    };
    progress.step(if is_interrupted {
        "interrupted: cleaning up; Ctrl-C again leaves it to you"
    } else {
        "cleaning up"
    });
    let cleaned = tokio::select! {
        cleaned = acceptance.clean_up(&mut progress) => Some(cleaned),
        _ = tokio::signal::ctrl_c() => None,
    };
    // Written and printed before any cleanup error: it says what happened until then.
    let record = acceptance.finish()?;
    record.write(&output)?;
    progress.step(&format!("written to {}", output.display()));
    match cleaned {
        Some(Ok(())) => progress.step("cleaned up"),
        Some(Err(_)) | None => progress.step(&acceptance.by_hand()),
    }
    drop(progress);
    tell(&record, json)?;
    match cleaned {
        Some(cleaned) => cleaned?,
        None => return Err(Interrupted(format!("stack {stack_name} is left"), Some(acceptance.by_hand())).into()),
    }
    if is_interrupted {
        return Err(Interrupted(format!("nothing is left of stack {stack_name}"), None).into());
    }
    Ok(if record.passes() { Outcome::Fine } else { Outcome::Findings })
}

fn tell(record: &Record, json: bool) -> anyhow::Result<()> {
    if json {
        print::json(&record.rows)?;
    } else {
        print::data(&table(&record.rows).render());
    }
    Ok(())
}
