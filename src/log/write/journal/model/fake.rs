//! A file system in memory that forgets what was not synced, fails at a chosen step, and can be moved away.

use std::{cell::RefCell, collections::BTreeMap, io, rc::Rc};

use fastrand::Rng;

use crate::log::format::fs::{Append, Fs};

/// A power loss keeps or loses this many bytes of a file together.
const SECTOR: usize = 512;

#[derive(Default)]
pub(super) struct World {
    pub(super) files: BTreeMap<u64, Content>,
    /// What a program sees, and what at least survives a power loss.
    pub(super) names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since the folder was synced.
    pending: Vec<Change>,
    /// The step, counted from now, that fails.
    pub(super) fails_in: Option<usize>,
    /// The step, counted from now, before which the folder is moved away.
    pub(super) leaves_in: Option<usize>,
    /// The folder is elsewhere: its files can be written, but no name refers to them.
    pub(super) is_away: bool,
    pub(super) steps: usize,
    next_file: u64,
}

#[derive(Default, Clone)]
pub(super) struct Content {
    pub(super) seen: Vec<u8>,
    durable: Vec<u8>,
    /// A sync failed, and the kernel may have dropped pages of this file.
    is_lost: bool,
}

#[derive(Clone)]
pub(super) enum Change {
    Named(String, u64),
    Renamed(String, String, u64),
    Removed(String),
}

#[derive(Clone, Default)]
pub(super) struct Fake(pub(super) Rc<RefCell<World>>);

pub(super) struct FakeFile {
    world: Rc<RefCell<World>>,
    number: u64,
}

impl World {
    /// A step that uses a name.
    fn named_step(&mut self) -> io::Result<()> {
        self.step()?;
        if self.is_away { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    /// Counts a step, and fails if it is the chosen one.
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        self.leaves_in = match self.leaves_in {
            Some(0) => {
                self.is_away = true;
                None
            }
            left => left.map(|left| left - 1),
        };
        match &mut self.fails_in {
            Some(0) => {
                self.fails_in = None;
                Err(io::Error::other("injected"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The power goes: what was synced stays, and any part of the rest.
    pub(super) fn lose_power(&mut self, rng: &mut Rng) {
        for change in std::mem::take(&mut self.pending) {
            if rng.bool() {
                match change {
                    Change::Named(name, number) => drop(self.durable_names.insert(name, number)),
                    Change::Renamed(from, to, number) => {
                        self.durable_names.remove(&from);
                        self.durable_names.insert(to, number);
                    }
                    Change::Removed(name) => drop(self.durable_names.remove(&name)),
                }
            }
        }
        self.names = self.durable_names.clone();
        for content in self.files.values_mut() {
            let (shorter, longer) =
                (content.durable.len().min(content.seen.len()), content.durable.len().max(content.seen.len()));
            let length = rng.usize(shorter..=longer);
            let mut left = content.durable.clone();
            left.resize(length, 0);
            for at in (0..length).step_by(SECTOR) {
                let end = (at + SECTOR).min(length).min(content.seen.len());
                if at < end && rng.bool() {
                    left[at..end].copy_from_slice(&content.seen[at..end]);
                }
            }
            // Durable bytes are not lost, unless they were cut off.
            let kept = content.durable.len().min(length);
            left[..kept].copy_from_slice(&content.durable[..kept]);
            *content = Content { seen: left.clone(), durable: left, is_lost: false };
        }
    }
}

impl Fs for Fake {
    type File = FakeFile;

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        assert_eq!(folder, "");
        self.0.borrow_mut().named_step()?;
        Ok(self.0.borrow().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.borrow_mut().named_step()?;
        let world = self.0.borrow();
        let number = world.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(world.files[number].seen.clone())
    }

    fn open(&self, name: &str) -> io::Result<FakeFile> {
        self.0.borrow_mut().named_step()?;
        let number = *self.0.borrow().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(FakeFile { world: self.0.clone(), number })
    }

    fn create(&self, name: &str) -> io::Result<FakeFile> {
        let mut world = self.0.borrow_mut();
        world.named_step()?;
        world.next_file += 1;
        let number = world.next_file;
        world.names.insert(name.to_owned(), number);
        world.pending.push(Change::Named(name.to_owned(), number));
        world.files.insert(number, Content::default());
        Ok(FakeFile { world: self.0.clone(), number })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.named_step()?;
        let number = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), number);
        world.pending.push(Change::Renamed(from.to_owned(), to.to_owned(), number));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.named_step()?;
        world.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        world.pending.push(Change::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.named_step()?;
        world.durable_names = world.names.clone();
        world.pending.clear();
        Ok(())
    }

    fn is_at(&self, name: &str, file: &FakeFile) -> io::Result<bool> {
        let mut world = self.0.borrow_mut();
        world.step()?;
        Ok(!world.is_away && world.names.get(name) == Some(&file.number))
    }
}

impl Append for FakeFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world.borrow_mut();
        let outcome = world.step();
        let content = world.files.get_mut(&self.number).unwrap();
        assert!(!content.is_lost, "a file was written after its sync failed");
        // A failed write may have written a part.
        let written = if outcome.is_ok() { bytes.len() } else { bytes.len() / 2 };
        content.seen.extend_from_slice(&bytes[..written]);
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.world.borrow_mut();
        let outcome = world.step();
        let content = world.files.get_mut(&self.number).unwrap();
        assert!(!content.is_lost, "a file was synced again after that failed");
        match &outcome {
            Ok(()) => content.durable = content.seen.clone(),
            Err(_) => content.is_lost = true,
        }
        outcome
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut world = self.world.borrow_mut();
        world.step()?;
        world.files.get_mut(&self.number).unwrap().seen.truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}
