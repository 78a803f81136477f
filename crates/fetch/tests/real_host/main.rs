//! Tests against real programs: OpenSSH's server and key generator, and git.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod algorithms;
#[cfg(test)]
mod fetching;
#[cfg(test)]
mod host;
#[cfg(test)]
mod https;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lfs;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod references;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod small_disk;
#[cfg(test)]
mod trips;
#[cfg(test)]
mod whole;
