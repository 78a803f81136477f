//! `%(describe)`: the commit's name relative to the nearest tag, like `git describe`.

use std::borrow::Cow;

use gix::{
    ObjectId, Repository, Tag,
    bstr::{BStr, BString, ByteSlice},
    hashtable::HashMap,
    prelude::ObjectIdExt,
    revision::plumbing,
};

use crate::{
    pushed::Pushed,
    wildmatch::{self, Slash},
};

/// The limit for matching all patterns with the names of all tags: a tenth of a second, as the
/// result is only one line of text.
const STEPS: u64 = 1 << 26;

/// The limit is exceeded.
#[derive(Debug)]
pub(crate) struct Costly;

/// Which tags count, and the format of the name:
/// `%(describe:tags=true,match=v*,exclude=*-rc*,abbrev=10)`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Lightweight tags count, too.
    tags: bool,
    matching: Vec<BString>,
    excluding: Vec<BString>,
    /// The number of hexadecimal digits of the commit's ID. 0 omits it.
    abbrev: Option<usize>,
}

impl Options {
    /// Parses the options between `(describe` and `)`. `None` if Git wouldn't understand them
    /// either.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut options = Self::default();
        let text = if text.is_empty() { text } else { text.strip_prefix(b":")? };
        for option in text.split_str(",").filter(|option| !option.is_empty()) {
            match option.split_once_str("=").unwrap_or((option, b"true")) {
                (b"tags", b"true" | b"yes" | b"on" | b"1") => options.tags = true,
                (b"tags", b"false" | b"no" | b"off" | b"0" | b"") => options.tags = false,
                (b"match", pattern) => options.matching.push(pattern.into()),
                (b"exclude", pattern) => options.excluding.push(pattern.into()),
                (b"abbrev", digits) => options.abbrev = Some(digits.to_str().ok()?.parse().ok()?),
                _ => return None,
            }
        }
        Some(options)
    }

    fn wants(&self, name: &BStr, steps: &mut u64) -> Result<bool, Costly> {
        let mut any = |patterns: &[BString]| {
            for pattern in patterns {
                if wildmatch::matches(pattern, name, Slash::IsALetter, steps).ok_or(Costly)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        Ok((self.matching.is_empty() || any(&self.matching)?) && !any(&self.excluding)?)
    }
}

/// The commit's name, if there is a near tag.
pub(crate) fn describe(
    repository: &Repository,
    id: ObjectId,
    pushed: Option<&Pushed>,
    options: &Options,
) -> Result<Option<String>, Costly> {
    let names = match pushed {
        Some(pushed) => Some(only(repository, pushed, id, options)?),
        None => tags(repository, options)?,
    };
    Ok(names.and_then(|names| nearest(repository, id, options, &names)))
}

/// A tag as the name of a commit.
#[derive(Debug, Clone)]
struct Name {
    reference: BString,
    /// The own name of an annotated tag and its commit, if that name differs from its reference.
    own: Option<(BString, ObjectId)>,
}

impl Name {
    fn of(reference: &BStr, tag: Option<&Tag<'_>>) -> Self {
        let own = tag.and_then(|tag| tag.decode().ok()).filter(|tag| tag.name != reference);
        Self { reference: reference.to_owned(), own: own.map(|tag| (tag.name.to_owned(), tag.target())) }
    }
}

type Names = HashMap<ObjectId, Name>;

/// The name of the pushed reference, if it is a tag that counts.
fn only(
    repository: &Repository,
    Pushed { reference, target }: &Pushed,
    id: ObjectId,
    options: &Options,
) -> Result<Names, Costly> {
    let mut names = Names::default();
    if let Some(tag) = reference.tag()
        && (options.tags || *target != id)
        && options.wants(tag.into(), &mut STEPS.clone())?
    {
        let object = repository.find_object(*target).ok().and_then(|object| object.try_into_tag().ok());
        names.insert(id, Name::of(tag.into(), object.as_ref()));
    }
    Ok(names)
}

fn nearest(repository: &Repository, id: ObjectId, options: &Options, names: &Names) -> Option<String> {
    let mut graph = repository.revision_graph(None);
    let name_by_oid = names.iter().map(|(id, name)| (*id, Cow::Borrowed(name.reference.as_bstr()))).collect();
    let wanted = plumbing::describe::Options { name_by_oid, ..Default::default() };
    let mut found = plumbing::describe(&id, &mut graph, wanted).ok()??;
    // There may be no tag with the annotated tag's own name, so Git always appends the commit.
    let own = names.values().find(|name| found.name.as_deref() == Some(name.reference.as_bstr()))?.own.as_ref();
    if options.abbrev == Some(0) && own.is_none() {
        return found.name.map(|name| name.to_string());
    }
    let shown = own.filter(|_| found.depth == 0).map_or(id, |(_, target)| *target);
    let digits = match options.abbrev {
        None => shown.attach(repository).shorten_or_id().hex_len(),
        Some(0) => shown.kind().len_in_hex(),
        Some(digits) => unique(repository, shown, digits),
    };
    if let Some((name, _)) = own {
        found.name = Some(Cow::Borrowed(name.as_bstr()));
    }
    let mut format = found.into_format(digits);
    format.id = shown;
    Some(format.long(own.is_some()).to_string())
}

/// The tag of each commit. Of several, annotated ones count, and of those the latest.
fn tags(repository: &Repository, options: &Options) -> Result<Option<Names>, Costly> {
    let (mut named, mut steps) = (HashMap::default(), STEPS);
    let Ok(references) = repository.references() else { return Ok(None) };
    let Ok(tags) = references.tags() else { return Ok(None) };
    for mut reference in tags.filter_map(Result::ok) {
        let name = reference.name().shorten().to_owned();
        let tag = reference.try_id().and_then(|id| id.object().ok()?.try_into_tag().ok());
        if !options.wants(name.as_bstr(), &mut steps)? || tag.is_none() && !options.tags {
            continue;
        }
        let Ok(commit) = reference.peel_to_id() else { continue };
        // A lightweight tag counts as older than any annotated one. Git keeps the first of equal
        // ones.
        let time = tag.as_ref().map(|tag| tag.tagger().ok().flatten().map_or(0, |tagger| tagger.seconds()));
        let name = Name::of(name.as_bstr(), tag.as_ref());
        let known = named.entry(commit.detach()).or_insert_with(|| (time, name.clone()));
        if time > known.0 {
            *known = (time, name);
        }
    }
    Ok(Some(named.into_iter().map(|(id, (_, name))| (id, name)).collect()))
}

/// An unambiguous prefix of the object ID with at least this many digits.
fn unique(repository: &Repository, id: ObjectId, digits: usize) -> usize {
    let longest = id.kind().len_in_hex();
    let candidate = gix::odb::store::prefix::disambiguate::Candidate::new(id, digits.clamp(4, longest));
    let prefix = candidate.ok().and_then(|candidate| repository.objects.disambiguate_prefix(candidate).ok()?);
    prefix.map_or(longest, |prefix| prefix.hex_len())
}
