//! A provider's zip, made by real tools and by hostile hands, against what comes out of it.

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
