//! `infra keys`: the SSH keys of a stack and of its repositories, with their fingerprints.

use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::render::table::{Align, Table};
use serde::Serialize;

use super::connect::target;
use super::{Outcome, Place};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Print the keys as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    /// `None` for the key of the whole stack.
    repository: Option<String>,
    fingerprint: String,
    public_key: String,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let Some(target) = target(&located).await? else {
        Terminal::new().step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let of_stack = target.stack_key.iter().map(|key| (None, key.clone()));
    let own = target.keys.all().into_iter();
    let own = own.flat_map(|(name, keys)| keys.into_iter().map(move |key| (Some(name.clone()), key)));
    let keys: Vec<_> = of_stack
        .chain(own)
        .map(|(repository, key)| Key { repository, fingerprint: key.fingerprint(), public_key: key.to_string() })
        .collect();
    if arguments.json {
        print::json(&keys)?;
        return Ok(Outcome::Fine);
    }
    let mut table = Table::new([("repository", Align::Left), ("fingerprint", Align::Left), ("key", Align::Left)]);
    for Key { repository, fingerprint, public_key } in keys {
        table.row([repository.unwrap_or_else(|| "all others".to_owned()), fingerprint, public_key]);
    }
    print::data(&table.render());
    Ok(Outcome::Fine)
}
