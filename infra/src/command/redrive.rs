//! `infra redrive`: arguments and output.

use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use infra::redrive::{self, WORKERS};

use super::{Outcome, Place};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Only the dead-letter messages of this worker
    #[arg(long, value_parser = WORKERS)]
    worker: Option<String>,
    /// Print what was moved as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    let workers = arguments.worker.as_deref().map_or(WORKERS.to_vec(), |worker| vec![worker]);
    let Some(moved) = redrive::redrive(&located.account, &located.stack_name, &workers, &mut progress).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    drop(progress);
    if arguments.json {
        print::json(&moved)?;
        return Ok(Outcome::Fine);
    }
    for one in moved {
        print::line(&format!("{}: {} dead-letter messages went back", one.queue, one.count));
    }
    Ok(Outcome::Fine)
}
