//! Compares our zip with the tree that `git archive` gives for the same commit, as independent
//! readers see it.

#[cfg(test)]
mod attributes;
#[cfg(test)]
mod bombs;
#[cfg(test)]
mod commits;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod encodings;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod large_files;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod substitution;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod work_tree;
