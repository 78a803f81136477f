//! `infra package`: arguments, and a table of sizes.

use std::path::PathBuf;

use clap::ValueEnum;
use deployment::package::{self, Architecture, Manifest, Packaging, Profile, Target};
use deployment::render::print;
use deployment::render::progress::Terminal;
use deployment::render::table::{Align, Table};

use super::{Outcome, caller};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Processor of the functions; `host` builds for this machine, for the local cloud
    #[arg(long, value_enum, default_value = "arm64")]
    architecture: Processor,
    /// Cargo profile
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Directory for `assets.json`, `assets/` and the bills of materials [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
    /// Print what was packaged as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Processor {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
    Host,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let target = match arguments.architecture {
        Processor::Arm64 => Target::Lambda(Architecture::Arm64),
        Processor::X86_64 => Target::Lambda(Architecture::X86_64),
        Processor::Host => Target::Host,
    };
    let packaging = Packaging { target, profile: arguments.profile, dist: caller::dist(arguments.dist.as_deref()) };
    let manifest = package::package(&packaging, &mut Terminal::new())?;
    if arguments.json {
        print::json(&manifest)?;
    } else {
        print::data(&table(&manifest).render());
    }
    Ok(Outcome::Fine)
}

fn table(manifest: &Manifest) -> Table {
    let mut table = Table::new([("Function", Align::Left), ("Bytes", Align::Right), ("Zip", Align::Left)]);
    for asset in &manifest.assets {
        table.row([asset.function.clone(), asset.size.to_string(), asset.file.clone()]);
    }
    table
}
