//! `infra synth`: arguments, and where the template was written to.

use std::path::PathBuf;

use git2s3_infra::render::print;
use git2s3_infra::synth;

use super::{Outcome, caller};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory for the template, which also tells what was packaged [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let dist = caller::dist(arguments.dist.as_deref());
    let template = synth::synthesize(&dist)?;
    let bytes = template.to_json().len();
    if bytes > cfn::quota::TEMPLATE_BYTES_INLINE {
        print::talk_line(&format!(
            "{bytes} bytes: CloudFormation takes so much from S3 only, where `deploy` and the console put it"
        ));
    }
    for path in synth::write(&template, &dist)? {
        print::line(&path.display().to_string());
    }
    Ok(Outcome::Fine)
}
