//! Group sync: threads make the message log and the ledger durable while the broker's loop goes on taking in attempts and
//! settles.
//!
//! The loop appends, and the disk may refuse. At the end of each turn it asks for the sync of what it has; the syncer, one
//! sync at a time, takes as much as was asked for by then. So what comes while the disk is busy shares the next sync, and
//! what a turn appended does not count as synced before that turn is over: a crash in the middle of it loses it, as the
//! plan of a fault expects.
//!
//! The core knows of the log's syncs. The ledger's are this side's alone: the core takes a settle's record for durable, and
//! what follows from that leaves the loop only when it is ([`deferred`](super::deferred)).
//!
//! [`GroupSync`] says when the syncer must be woken, and what may be confirmed.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use delivery_model::vocab::Position;

use super::Input;
use crate::shared::group_sync::GroupSync;
use crate::store::file::FileJournal;
use crate::store::{Encode, Journal, RecoverError, StoreError};

/// A journal whose syncs may be left to a [`Syncer`]: the loop's clone is appended to, the syncer's is synced.
#[derive(Clone, Debug)]
pub(super) struct SharedJournal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// A sync that the loop asks for is left to the syncer.
    is_deferring: AtomicBool,
    disk: Mutex<FileJournal>,
    /// By which the file is synced while the loop appends to it. Taken before the disk.
    syncs: Mutex<File>,
}

impl Shared {
    /// No step panics half-way, so a poisoned lock guards a whole journal.
    fn disk(&self) -> MutexGuard<'_, FileJournal> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn syncs(&self) -> MutexGuard<'_, File> {
        self.syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the first `records` durable of those that were appended since the journal was opened.
    fn sync(&self, records: u64) -> Result<(), StoreError> {
        let failed = |why: io::Error| StoreError::Failed { what: "sync", why: why.to_string() };
        // Held to the end, so that no rewrite comes in between: what follows it is not what was synced.
        let syncs = self.syncs();
        self.disk().write_out()?;
        syncs.sync_data().map_err(failed)?;
        let mut disk = self.disk();
        let count = records.saturating_sub(disk.synced_records());
        disk.synced_more(count as usize);
        Ok(())
    }
}

impl SharedJournal {
    pub fn new(disk: FileJournal) -> Result<SharedJournal, StoreError> {
        let syncs = disk.syncs()?;
        let (disk, syncs, is_deferring) = (Mutex::new(disk), Mutex::new(syncs), AtomicBool::new(false));
        Ok(SharedJournal(Arc::new(Shared { is_deferring, disk, syncs })))
    }

    /// Runs this on the loop's thread without syncs. Who calls it keeps back all that must not be known before what is appended
    /// meanwhile is durable.
    pub fn deferring<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.is_deferring.store(true, Ordering::Relaxed);
        let written = write();
        self.0.is_deferring.store(false, Ordering::Relaxed);
        written
    }

    /// The number of records that were appended since the journal was opened.
    pub fn appended(&self) -> u64 {
        self.0.disk().appended_records()
    }

    /// How many of them are durable, the oldest ones.
    pub fn durable(&self) -> u64 {
        self.0.disk().synced_records()
    }

    /// Ends as a crash would that let so many of the unsynced records survive, or all there are. Its syncer has stopped.
    pub fn crash(self, keeps: u64) -> Result<(), StoreError> {
        let shared = Arc::into_inner(self.0).expect("the syncer's share went with it");
        shared.disk.into_inner().unwrap_or_else(PoisonError::into_inner).crash(keeps)
    }
}

impl Journal for SharedJournal {
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        self.0.disk().append(record)
    }

    /// Without the help of a syncer, unless syncs are deferred.
    fn sync(&mut self) -> Result<(), StoreError> {
        if self.0.is_deferring.load(Ordering::Relaxed) { Ok(()) } else { self.0.disk().sync() }
    }

    /// Waits for a sync that is under way.
    fn rewrite(&mut self, records: impl IntoIterator<Item = impl Encode>) -> Result<(), StoreError> {
        let mut syncs = self.0.syncs();
        let mut disk = self.0.disk();
        disk.rewrite(records)?;
        *syncs = disk.syncs()?;
        Ok(())
    }

    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        self.0.disk().recover()
    }
}

/// The thread that syncs a journal. Dropping it waits for a sync that is under way, and stops.
#[derive(Debug)]
pub(super) struct Syncer {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    journal: Arc<Shared>,
    /// Where the journal ended when it was opened.
    start: Position,
    group: GroupSync,
    /// Why the syncer gave up, or that it is to stop.
    ended: Mutex<Option<Result<(), StoreError>>>,
}

impl Syncer {
    /// Syncs this journal, of which everything below `synced` is durable, whenever it is asked to. `to_broker` hears of it.
    pub fn start(journal: SharedJournal, synced: Position, to_broker: SyncSender<Input>) -> io::Result<Syncer> {
        let group = GroupSync::new(synced);
        let work = Arc::new(Work { journal: journal.0, start: synced, group, ended: Mutex::default() });
        let works = Arc::clone(&work);
        let thread = thread::Builder::new().name("broker syncs".into()).spawn(move || works.run(&to_broker))?;
        Ok(Syncer { work, thread: Some(thread) })
    }

    /// Asks that every record below `end` become durable, counted as in [`Syncer::start`].
    pub fn request(&self, end: Position) {
        if self.work.group.request(end)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }

    /// Every record below is durable; or why that will not change any more.
    pub fn synced(&self) -> Result<Position, StoreError> {
        match &*self.work.ended() {
            Some(Err(why)) => Err(why.clone()),
            Some(Ok(())) | None => Ok(self.work.group.synced()),
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.work.end(Ok(()));
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(&self, to_broker: &SyncSender<Input>) {
        while self.ended().is_none() {
            let Some(end) = self.group.begin() else {
                // A wake-up that came since is kept: then this returns at once.
                thread::park();
                continue;
            };
            match self.journal.sync(end.0 - self.start.0) {
                Ok(()) => self.group.finish(end),
                Err(why) => self.end(Err(why)),
            }
            // A loop that has a full queue before it is awake, and looks at the end of its turn.
            let _ = to_broker.try_send(Input::Synced);
        }
    }

    fn ended(&self) -> MutexGuard<'_, Option<Result<(), StoreError>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first reason counts.
    fn end(&self, why: Result<(), StoreError>) {
        self.ended().get_or_insert(why);
    }
}
