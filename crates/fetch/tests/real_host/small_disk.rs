//! A disk that is too small for all clones. It is a file system in memory, in a mount namespace of
//! the fetching process: the test runs itself in there. The host stays outside.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use contract::{Repository, Retry};
use fetch::{Clones, FetchError, FetchRequest, Fetched, Origin, Seed, Wanted, fetch_seeded};

use crate::host::{self, SshHost};

/// Tells the test that it runs inside, and where the host's files are.
const INSIDE: &str = "GIT2S3_TEST_INSIDE";
const MIB: usize = 1 << 20;
const DISK: usize = 4 * MIB;

/// Creates a namespace with a disk of the given size, and runs the following command in it.
const SCRIPT: &str = r#"mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@""#;
const NAMESPACES: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];

/// Runs a program with the disk at `disk`, in a namespace of one of these kinds.
fn unshare(namespace: &[&str], disk: &Path, program: &Path) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(namespace).args(["--", "sh", "-c", SCRIPT, "sh", &DISK.to_string()]).arg(disk).arg(program);
    unshare
}

/// Prepares `host` by `outside`, then runs `inside` on the small disk. `name` is the test's.
fn on_a_small_disk(name: &str, outside: fn(&SshHost), inside: impl AsyncFnOnce(Place)) {
    if let Some(folder) = std::env::var_os(INSIDE) {
        let place = Place { folder: PathBuf::from(folder) };
        let done = place.folder.join("done");
        tokio::runtime::Runtime::new().unwrap().block_on(inside(place));
        return fs::write(done, name).unwrap();
    }
    let temp = tempfile::tempdir().unwrap();
    let works = |namespace: &&&[&str]| {
        unshare(namespace, temp.path(), Path::new("true")).output().is_ok_and(|output| output.status.success())
    };
    let Some(namespace) = NAMESPACES.iter().find(works) else {
        let told =
            format!("NOT TESTED: {name}: this system gives no namespace with a disk of its own (unshare --mount)");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{told}");
        writeln!(std::io::stderr(), "{told}").unwrap();
        return;
    };
    let host = SshHost::start();
    outside(&host);
    let folder = host.temp.path();
    fs::write(folder.join("address"), host.address()).unwrap();
    fs::create_dir(folder.join("disk")).unwrap();
    let mut test = unshare(namespace, &folder.join("disk"), &std::env::current_exe().unwrap());
    let output = test.args(["--exact", name, "--nocapture"]).env(INSIDE, folder).output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{told}");
    assert_eq!(fs::read_to_string(folder.join("done")).unwrap_or_default(), name, "{told}");
}

/// The path of the small disk.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn clones(&self) -> Clones {
        Clones::in_folder(self.folder.join("disk/clones"))
    }

    fn request(&self, path: &str, branch: &str) -> FetchRequest {
        let address = fs::read_to_string(self.folder.join("address")).unwrap();
        let wanted = Wanted::Reference { name: format!("refs/heads/{branch}").parse().unwrap(), expected: None };
        FetchRequest { remote: host::remote(&self.folder, &address, path), wanted }
    }

    async fn try_fetch(&self, path: &str) -> Result<Fetched, FetchError> {
        fetch::fetch(&self.request(path, "main"), &self.clones()).await
    }

    async fn fetch(&self, path: &str) -> Fetched {
        self.try_fetch(path).await.unwrap()
    }

    fn has(&self, path: &str) -> bool {
        let repository = Repository::new("127.0.0.1".parse().unwrap(), path.parse().unwrap());
        self.clones().path(&repository).join("HEAD").exists()
    }

    /// How often the host was contacted.
    fn asked(&self) -> usize {
        fs::read_to_string(self.folder.join("commands")).map_or(0, |commands| commands.lines().count())
    }
}

/// Bytes that don't compress.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) << 32 | 0x9E37_79B9;
    let words = (0..length / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}

/// A repository whose branch has this many bytes.
fn make(host: &SshHost, path: &str, branch: &str, seed: u8, length: usize) {
    host.repository_at(&format!("{path}.git")).commit(branch, &[("file", noise(seed, length))]);
}

#[test]
fn least_recent_clone_makes_room() {
    let outside = |host: &SshHost| {
        for (seed, (path, length)) in (1..).zip([("a", 5 * MIB / 2), ("b", 5 * MIB / 2), ("large", 6 * MIB)]) {
            make(host, path, "main", seed, length);
        }
    };
    on_a_small_disk("small_disk::least_recent_clone_makes_room", outside, async |place: Place| {
        drop(place.fetch("a").await);
        let b = place.fetch("b").await;
        assert!(b.clone.has_object(b.tree) && place.has("b") && !place.has("a"));
        drop(b);

        let error = place.try_fetch("large").await.unwrap_err();
        let FetchError::NoRoom { megabytes, in_use, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*megabytes, *in_use), (4, 0), "{error:?}");
        let expected = "not enough disk space for 127.0.0.1/large: 4 MiB were free";
        assert_eq!((error.to_string().as_str(), error.retry()), (expected, Retry::Never));
        assert!(fetch::is_out_of_room(&error) && error.hint().unwrap().contains("zipdl"));
        assert_eq!(fs::read_dir(place.folder.join("disk/clones")).unwrap().count(), 0, "nothing is left of it");

        for path in ["b", "a", "b"] {
            assert_eq!(place.fetch(path).await.origin, Origin::New);
        }
        assert_eq!(place.fetch("b").await.origin, Origin::Kept);
    });
}

#[test]
fn nearly_full_disk_is_cleared_first() {
    let outside = |host: &SshHost| {
        make(host, "a", "main", 1, 7 * MIB / 2);
        make(host, "b", "main", 2, 8);
    };
    on_a_small_disk("small_disk::nearly_full_disk_is_cleared_first", outside, async |place: Place| {
        drop(place.fetch("a").await);
        let before = place.asked();
        drop(place.fetch("b").await);
        assert_eq!(place.asked() - before, 1);
        assert!(!place.has("a"));
    });
}

#[test]
fn clone_makes_room_for_next_commit() {
    let outside = |host: &SshHost| {
        make(host, "a", "main", 1, 5 * MIB / 2);
        make(host, "a", "next", 2, 5 * MIB / 2);
    };
    on_a_small_disk("small_disk::clone_makes_room_for_next_commit", outside, async |place: Place| {
        drop(place.fetch("a").await);
        let next = fetch::fetch(&place.request("a", "next"), &place.clones()).await.unwrap();
        assert_eq!(next.origin, Origin::New);
    });
}

#[test]
fn clone_still_read_is_kept() {
    let outside = |host: &SshHost| {
        make(host, "a", "main", 1, 5 * MIB / 2);
        make(host, "a", "next", 3, 5 * MIB / 2);
        make(host, "b", "main", 2, 5 * MIB / 2);
    };
    on_a_small_disk("small_disk::clone_still_read_is_kept", outside, async |place: Place| {
        // Like a submodule, which is read long after it was fetched.
        let Fetched { clone, tree, reading, .. } = place.fetch("a").await;
        let error = place.try_fetch("b").await.unwrap_err();
        assert!(matches!(error, FetchError::NoRoom { in_use: 1, .. }), "{error:?}");
        assert_eq!((error.retry(), error.hint()), (Retry::Again, None));
        let file = clone.find_tree(tree).unwrap().find_entry("file").unwrap().object_id();
        assert_eq!(clone.find_blob(file).unwrap().data.len(), 5 * MIB / 2);
        // More may be fetched into it meanwhile, if there is space.
        drop(place.fetch("a").await);
        let error = fetch::fetch(&place.request("a", "next"), &place.clones()).await.unwrap_err();
        assert!(matches!(error, FetchError::NoRoom { in_use: 1, .. }), "{error:?}");
        drop((clone, reading));
        drop(place.fetch("b").await);
    });
}

#[test]
fn seed_without_room_is_ignored() {
    let outside = |host: &SshHost| {
        make(host, "a", "former", 1, 6 * MIB);
        make(host, "a", "main", 2, 5 * MIB / 2);
        let repo = host.repository_at("a.git");
        let objects = repo.git(&["rev-list", "--objects", "--no-object-names", "former"]);
        let pack = repo.git_bytes(&["pack-objects", "--stdout", "-q"], &format!("{objects}\n"));
        fs::write(host.temp.path().join("pack"), pack).unwrap();
        fs::write(host.temp.path().join("commit"), repo.git(&["rev-parse", "former"])).unwrap();
    };
    on_a_small_disk("small_disk::seed_without_room_is_ignored", outside, async |place: Place| {
        let commit = fs::read_to_string(place.folder.join("commit")).unwrap();
        let pack = fs::read(place.folder.join("pack")).unwrap();
        let mut times = 0;
        let seed = async || {
            times += 1;
            let pack = Box::new(std::io::Cursor::new(pack.clone()));
            Some(Seed { commit: commit.parse().unwrap(), pack })
        };
        let fetched = fetch_seeded(&place.request("a", "main"), &place.clones(), seed).await.unwrap();
        assert_eq!((fetched.origin, times), (Origin::New, 1));
    });
}
