//! A file system that can lose power: ext4 in a file, on a loop device.
//!
//! The ioctl `FS_IOC_SHUTDOWN` without flushing the log stops the file system as a power cut would: what was not synced
//! is in no log and on no block. After the next mount it is gone. No write is torn, and no part of a write survives.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::process::run;
use crate::trouble::Trouble;

/// Enough for the largest product and its log files.
const SIZE_BYTES: u64 = 1 << 30;

/// `ioctl(FS_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH)`. Rust's crates offer ioctls as unsafe code only; Perl is part of
/// every Debian system.
const SHUTDOWN: &str =
    "open(my $d, '<', $ARGV[0]) or die $!; my $flags = pack('L', 2); ioctl($d, 0x8004587d, $flags) or die $!";

/// A mounted file system of its own. Unmounted when dropped.
#[derive(Debug)]
pub struct OwnFileSystem {
    image: PathBuf,
    at: PathBuf,
}

impl OwnFileSystem {
    /// Makes a file system in this directory, and mounts it there.
    pub fn new(directory: &Path) -> Result<OwnFileSystem, Trouble> {
        let (image, at) = (directory.join("image"), directory.join("mounted"));
        let file = File::create(&image).map_err(Trouble::file(&image))?;
        file.set_len(SIZE_BYTES).map_err(Trouble::file(&image))?;
        run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()])?;
        std::fs::create_dir(&at).map_err(Trouble::file(&at))?;
        let made = OwnFileSystem { image, at };
        made.mount()?;
        Ok(made)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    fn mount(&self) -> Result<(), Trouble> {
        run("mount", &["-o", "loop", &self.image.to_string_lossy(), &self.at.to_string_lossy()]).map(drop)
    }

    /// Writes everything to the image that was written so far.
    pub fn sync(&self) -> Result<(), Trouble> {
        run("sync", &["-f", &self.at.to_string_lossy()]).map(drop)
    }

    /// Cuts the power. Every use of a file fails from now on.
    pub fn cut(&self) -> Result<(), Trouble> {
        run("perl", &["-e", SHUTDOWN, &self.at.to_string_lossy()]).map(drop)
    }

    /// Mounts it again after a cut. Nobody may have a file of it open.
    pub fn come_back(&self) -> Result<(), Trouble> {
        unmount(&self.at)?;
        self.mount()
    }
}

impl Drop for OwnFileSystem {
    fn drop(&mut self) {
        // What is left is unmounted by the end of the audit, or the beginning of the next one.
        let _ = unmount(&self.at);
    }
}

/// Unmounts what is mounted there.
fn unmount(at: &Path) -> Result<(), Trouble> {
    run("umount", &[&at.to_string_lossy()]).map(drop)
}

/// Unmounts everything below this directory.
pub fn unmount_all(below: &Path) {
    let mounted = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounted.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    for place in places.filter(|place| place.starts_with(below)) {
        if unmount(place).is_err() {
            let _ = run("umount", &["--lazy", &place.to_string_lossy()]);
        }
    }
}

/// Whether power losses are possible here: tries one.
pub fn power_can_be_lost(directory: &Path) -> Result<(), Trouble> {
    let why = |why: String| Trouble::Impossible { what: "power loss".to_owned(), why };
    if !rustix::process::geteuid().is_root() {
        return Err(why("it needs root, for mounts on loop devices".to_owned()));
    }
    let tried = OwnFileSystem::new(directory).and_then(|disk| {
        let [synced, unsynced] = ["synced", "unsynced"].map(|name| disk.path().join(name));
        File::create(&synced).map_err(Trouble::file(&synced))?;
        disk.sync()?;
        std::fs::write(&unsynced, "lost").map_err(Trouble::file(&unsynced))?;
        disk.cut()?;
        disk.come_back()?;
        Ok((synced.exists(), unsynced.exists()))
    });
    match tried {
        Ok((true, false)) => Ok(()),
        Ok((synced, unsynced)) => Err(why(format!(
            "after a cut the synced file is {}, and the unsynced one {}",
            if synced { "there" } else { "gone" },
            if unsynced { "there" } else { "gone" }
        ))),
        Err(error) => Err(why(error.to_string())),
    }
}
