//! Puts every rule of `policy/` into the binary, so that `infra check` uses the rules it was built
//! with, wherever it runs. A directory-embedding macro would not notice a new file; this does.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let policy = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../policy");
    println!("cargo::rerun-if-changed={}", policy.display());

    let mut entries = Vec::new();
    for service in fs::read_dir(&policy)? {
        let service = service?;
        if !service.file_type()?.is_dir() {
            continue;
        }
        for rule in fs::read_dir(service.path())? {
            let path = rule?.path().canonicalize()?;
            if path.extension().is_some_and(|extension| extension == "guard") {
                let name = path.file_stem().unwrap_or_default();
                entries.push(format!("{}/{}", service.file_name().display(), name.display()));
            }
        }
    }
    entries.sort();

    let mut source = String::from("&[\n");
    for name in entries {
        let path = policy.join(format!("{name}.guard")).canonicalize()?;
        let path = path.to_str().ok_or("the checkout's path is not UTF-8")?;
        writeln!(source, "    ({name:?}, include_str!({path:?})),")?;
    }
    source.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("rules.rs"), source)?;
    Ok(())
}
