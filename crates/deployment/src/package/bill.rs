//! The bill of materials of each function, in OWASP's
//! [CycloneDX](https://cyclonedx.org/docs/1.5/json/): the crates that are linked into the deployed
//! binary, to find out whether a vulnerability affects it. Read from Cargo's own resolution for the
//! target and the features of the build. The same sources give the same bytes, since there is no
//! timestamp or serial number.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asset, Manifest, only_functions};

/// Why there is no bill of materials.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// Cargo could not be asked.
    #[error("cannot run cargo {subcommand}")]
    Start {
        /// The subcommand.
        subcommand: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Cargo failed.
    #[error("cargo {subcommand} failed: {said}")]
    Cargo {
        /// The subcommand.
        subcommand: &'static str,
        /// What it said.
        said: String,
    },
    /// The answer has another form than expected.
    #[error("cannot understand cargo {subcommand}: {what}")]
    Answer {
        /// The subcommand.
        subcommand: &'static str,
        /// What is wrong.
        what: String,
    },
    /// `Cargo.lock` can't be read.
    #[error("cannot read Cargo.lock")]
    Lock(#[source] std::io::Error),
    /// Cargo doesn't list the function.
    #[error("cargo tree has no function {function}")]
    Function {
        /// The function.
        function: String,
    },
}

/// A crate by name and version, as Cargo prints both.
type Crate = (String, String);

/// The bill of each function of the manifest, as JSON.
///
/// # Errors
/// Cargo can't be run, or its answer can't be understood.
pub fn bills(manifest: &Manifest) -> Result<Vec<(String, Vec<u8>)>, BillError> {
    let linked = Linked::ask(manifest.architecture.rust_target())?;
    let known = Known::ask()?;
    let assets = manifest.assets.iter();
    assets.map(|asset| Ok((asset.function.clone(), written(asset, &linked, &known)?))).collect()
}

/// The dependency graph of the functions' packages.
struct Linked(BTreeMap<Crate, BTreeSet<Crate>>);

impl Linked {
    /// Asks for all functions in one call, since a crate's features depend on what is built
    /// together.
    fn ask(target: &str) -> Result<Self, BillError> {
        let edges = "normal,no-proc-macro";
        let arguments = ["--locked", "--target", target, "--edges", edges, "--prefix", "depth", "--format", "{p}"];
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).chain(only_functions()).collect();
        Self::read(&cargo("tree", &arguments)?)
    }

    /// Reads lines such as `2serde v1.0.0 (*)`: the depth, the crate, and in parentheses its source
    /// or that its dependencies were listed before.
    fn read(tree: &str) -> Result<Self, BillError> {
        let mut all: BTreeMap<Crate, BTreeSet<Crate>> = BTreeMap::new();
        let mut above: Vec<Crate> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let wrong = || BillError::Answer { subcommand: "tree", what: line.to_owned() };
            let name = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let depth: usize =
                line.get(..line.len() - name.len()).and_then(|depth| depth.parse().ok()).ok_or_else(wrong)?;
            let mut words = name.split(' ');
            let (Some(name), Some(version)) = (words.next(), words.next().and_then(|word| word.strip_prefix('v')))
            else {
                return Err(wrong());
            };
            let this = (name.to_owned(), version.to_owned());
            above.truncate(depth);
            if let Some(parent) = above.last() {
                all.entry(parent.clone()).or_default().insert(this.clone());
            }
            all.entry(this.clone()).or_default();
            above.push(this);
        }
        Ok(Self(all))
    }

    /// The package of that name, and all crates that are linked with it.
    fn of(&self, package: &str) -> Option<(&Crate, BTreeSet<&Crate>)> {
        let root = self.0.keys().find(|(name, _)| name == package)?;
        let (mut found, mut open) = (BTreeSet::new(), vec![root]);
        while let Some(next) = open.pop() {
            for one in self.0.get(next).into_iter().flatten() {
                if found.insert(one) {
                    open.push(one);
                }
            }
        }
        Some((root, found))
    }
}

/// The licence of each crate, and the checksum of its registry archive.
struct Known {
    licences: BTreeMap<Crate, String>,
    checksums: BTreeMap<Crate, String>,
}

impl Known {
    fn ask() -> Result<Self, BillError> {
        #[derive(Deserialize)]
        struct Packages<T> {
            #[serde(alias = "package")]
            packages: Vec<T>,
            workspace_root: Option<String>,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            version: String,
            license: Option<String>,
            checksum: Option<String>,
        }
        fn understood<T, E: ToString>(read: Result<T, E>) -> Result<T, BillError> {
            read.map_err(|error| BillError::Answer { subcommand: "metadata", what: error.to_string() })
        }
        let metadata = cargo("metadata", &["--locked", "--format-version", "1"])?;
        let metadata: Packages<Package> = understood(serde_json::from_str(&metadata))?;
        let lock = Path::new(&metadata.workspace_root.unwrap_or_default()).join("Cargo.lock");
        let lock = std::fs::read_to_string(lock).map_err(BillError::Lock)?;
        let lock: Packages<Package> = understood(toml::from_str(&lock))?;
        let of = |packages: Vec<Package>, what: fn(&mut Package) -> Option<String>| {
            let told = packages.into_iter().filter_map(|mut package| Some((what(&mut package)?, package)));
            told.map(|(text, package)| ((package.name, package.version), text)).collect()
        };
        Ok(Self {
            licences: of(metadata.packages, |package| package.license.take()),
            checksums: of(lock.packages, |package| package.checksum.take()),
        })
    }

    fn component(&self, this: &Crate) -> Value {
        let (name, version) = this;
        let mut component = json!({ "type": "library", "bom-ref": reference(this), "name": name, "version": version });
        if let Some(licence) = self.licences.get(this) {
            component["licenses"] = json!([{ "expression": expression(licence) }]);
        }
        // Crates outside the registry are ours, and have no address there.
        if let Some(checksum) = self.checksums.get(this) {
            component["hashes"] = sha256(checksum);
            component["purl"] = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")).into();
        }
        component
    }
}

fn reference((name, version): &Crate) -> String {
    format!("{name}@{version}")
}

fn sha256(hex: &str) -> Value {
    json!([{ "alg": "SHA-256", "content": hex }])
}

/// The licence as an SPDX expression; older crates write a slash for `OR`.
fn expression(licence: &str) -> String {
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

fn written(asset: &Asset, linked: &Linked, known: &Known) -> Result<Vec<u8>, BillError> {
    let found = linked.of(&format!("git2s3-{}", asset.function));
    let (root, crates) = found.ok_or_else(|| BillError::Function { function: asset.function.clone() })?;
    let mut itself = known.component(root);
    itself["type"] = "application".into();
    itself["name"] = asset.function.clone().into();
    itself["hashes"] = sha256(&asset.sha256);
    let dependency = |this: &Crate| {
        let on: Vec<_> = linked.0.get(this).into_iter().flatten().map(reference).collect();
        json!({ "ref": reference(this), "dependsOn": on })
    };
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": itself },
        "components": crates.iter().map(|this| known.component(this)).collect::<Vec<_>>(),
        "dependencies": std::iter::once(&root).chain(&crates).map(|this| dependency(this)).collect::<Vec<_>>(),
    });
    Ok(format!("{bill:#}\n").into_bytes())
}

fn cargo<A: AsRef<OsStr>>(subcommand: &'static str, arguments: &[A]) -> Result<String, BillError> {
    let mut command: Command = super::cargo::cargo();
    command.arg(subcommand).args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|source| BillError::Start { subcommand, source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BillError::Cargo { subcommand, said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deduplicated_subtree_counts_for_every_crate() {
        let tree = "0one v0.1.0 (/here)\n1serde v1.0.0\n2serde_core v1.0.0\n\n0two v0.1.0 (/here)\n1serde v1.0.0 (*)\n";
        let linked = Linked::read(tree).unwrap();
        let (_, crates) = linked.of("two").unwrap();
        assert_eq!(crates.iter().map(|this| reference(this)).collect::<Vec<_>>(), ["serde@1.0.0", "serde_core@1.0.0"]);
        assert!(linked.of("three").is_none());
        assert!(Linked::read("serde v1.0.0").is_err() && Linked::read("0serde").is_err());
    }

    #[test]
    fn an_old_licence_is_an_expression() {
        assert_eq!(expression("MIT/Apache-2.0"), "MIT OR Apache-2.0");
        assert_eq!(expression("MIT OR Apache-2.0"), "MIT OR Apache-2.0");
    }
}
