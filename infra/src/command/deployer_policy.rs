//! `infra deployer-policy`: arguments and output.

use clap::builder::NonEmptyStringValueParser;
use deployment::deploy::ServiceRole;
use deployment::render::print;
use deployment::stack;
use deployment::typed::typed;
use infra::deployer::{self, Part, Scope};

use super::parameters::Values;
use super::{Outcome, Place, role};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose policy
    #[arg(value_enum, default_value = "deploy")]
    part: Part,
    /// Account ID; without it, AWS is asked whose the credentials are
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    account: Option<String>,
    /// ARN of the role that `CloudFormation` assumes: who deploys has to pass it
    #[arg(long, value_name = "ARN")]
    role_arn: Option<ServiceRole>,
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let configuration = arguments.place.configuration()?;
    let template = stack::template(None)?;
    let parameters = arguments.values.deployed(&template, &configuration)?;
    let role = role(arguments.role_arn.as_ref(), &configuration)?;
    let stack = arguments.place.stack_name(&configuration);
    let (account, region) = if let Some(account) = &arguments.account {
        (account.clone(), arguments.place.region(&configuration).await?)
    } else {
        let located = arguments.place.locate(&configuration).await?;
        (located.account.id, located.account.region)
    };
    let scope = Scope::new(account, region, stack, role, &template, &parameters)?;
    print::json(&deployer::policy(arguments.part, &scope)?)?;
    print::talk_line(&whom(arguments.part, scope.role.as_ref()));
    Ok(Outcome::Fine)
}

/// Who needs the policy, and what else they need.
fn whom(part: Part, role: Option<&ServiceRole>) -> String {
    let [code, data] = ["code", "data"].map(|part| typed(&format!("deployer-policy {part}")));
    match (part, role) {
        (Part::Look, _) => "for who only looks".to_owned(),
        (Part::Deploy, Some(role)) => {
            format!("for who deploys; {} needs what {code} and {data} print", role.arn())
        }
        (Part::Deploy, None) => {
            format!("for who deploys, and with it what {code} and {data} print: CloudFormation acts in their name")
        }
        (Part::Code | Part::Data, Some(role)) => format!("for {}; who deploys needs none of it", role.arn()),
        (Part::Code | Part::Data, None) => "for who deploys: CloudFormation acts in their name".to_owned(),
    }
}
