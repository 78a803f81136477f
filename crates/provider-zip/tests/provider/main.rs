//! Converts providers' zips, made by real tools and by attackers, and checks the results.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod hand;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod made_by;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod takeover;
