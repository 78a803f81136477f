//! `infra synth`: arguments, and the paths of the template.

use std::path::PathBuf;

use deployment::render::print;
use deployment::synth;

use super::parameters::Values;
use super::{Outcome, caller};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory for the template, with the packaged functions [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
    #[command(flatten)]
    values: Values,
    /// Print the paths of what was written as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let dist = caller::dist(arguments.dist.as_deref());
    let template = synth::synthesize(&dist)?;
    arguments.values.checked(&template)?;
    let bytes = template.text().len();
    if template.is_large() {
        print::talk_line(&format!(
            "{bytes} bytes: CloudFormation takes so much from S3 only, where `deploy` and the console put it"
        ));
    }
    let [json, yaml] = synth::write(&template, &dist)?.map(|path| path.display().to_string());
    if arguments.json {
        print::json(&serde_json::json!({ "json": json, "yaml": yaml, "bytes": bytes }))?;
    } else {
        print::line(&json);
        print::line(&yaml);
    }
    Ok(Outcome::Fine)
}
