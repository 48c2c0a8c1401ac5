//! The index of a sealed segment as a file, of which a reader reads what it needs.
//!
//! The version, the length of the head, the head; then the strays, the columns one after another, the records, the keys, and
//! the blocks. Head, strays and blocks are postcard, the last two compressed.

use std::{borrow::Cow, io};

use serde::{Serialize, de::DeserializeOwned};
use zstd::bulk::Compressor;

use super::{
    VERSION,
    columns::{Block, Column, Columns, Head},
    file as name_of,
    rows::Rows,
    table::Table,
};
use crate::log::format::{
    fs::{Disk, Fs, Range, write_whole},
    segment::{Segment, decompress_what_can_be},
};

/// Version and length of the head.
const START: usize = 8;
/// Most heads are shorter, and are read with the start at once.
const GUESS: usize = 4096;
const LEVEL: i32 = 1;
/// No strays and no block are larger, uncompressed: their lines are as long.
const LARGEST: usize = 1 << 30;

/// An index that is read from its file.
#[derive(Debug)]
pub(in crate::log) struct Sealed {
    file: Range,
    head: Head,
    /// Where the head ends.
    body: u64,
}

/// The index of a sealed segment: in its file, or in memory where no file could be written.
#[derive(Debug)]
pub(in crate::log) enum OfSealed {
    File(Box<Sealed>),
    Memory(Box<Table>),
}

impl OfSealed {
    /// Opens the index; builds and saves it where there is none.
    pub(in crate::log) fn open(disk: &Disk, segment: Segment) -> io::Result<Self> {
        let file_size = disk.stat(&segment.sealed())?.0;
        match Sealed::open(disk, segment)?.filter(|sealed| sealed.head.file_size == file_size) {
            Some(sealed) => Ok(Self::File(Box::new(sealed))),
            None => Self::make_anew(disk, segment),
        }
    }

    /// Whether a query finds the index in its file.
    pub(in crate::log) fn is_there(disk: &Disk, segment: Segment) -> bool {
        let Ok((file_size, _)) = disk.stat(&segment.sealed()) else { return true };
        let known = Sealed::open(disk, segment).ok().flatten();
        known.is_some_and(|sealed| sealed.head.file_size == file_size)
    }

    /// Builds and saves the index, whatever there is in its place.
    pub(in crate::log) fn make_anew(disk: &Disk, segment: Segment) -> io::Result<Self> {
        Self::make(disk, segment, &decompress_what_can_be(&disk.read(&segment.sealed())?))
    }

    /// Builds and saves the index of a sealed segment with these bytes, uncompressed.
    pub(in crate::log) fn make(disk: &Disk, segment: Segment, bytes: &[u8]) -> io::Result<Self> {
        let mut table = Table::of(segment, bytes);
        table.filling.head.file_size = disk.stat(&segment.sealed())?.0;
        if let Some(bytes) = bytes_of(&mut table)
            // A reader without the right to write does without the saved index.
            && write_whole(disk, &name_of(segment), &bytes).is_ok()
            && let Ok(Some(sealed)) = Sealed::open(disk, segment)
        {
            return Ok(Self::File(Box::new(sealed)));
        }
        Ok(Self::Memory(Box::new(table)))
    }

    pub(in crate::log) fn columns(&self) -> &dyn Columns {
        match self {
            Self::File(sealed) => &**sealed,
            Self::Memory(table) => &**table,
        }
    }
}

impl Sealed {
    /// The index in the file; `None` where there is none or it is of another version.
    fn open(disk: &Disk, segment: Segment) -> io::Result<Option<Self>> {
        match disk.range(&name_of(segment)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Self::read(file?),
        }
    }

    /// The index in an open file; `None` where it is of another version.
    pub(in crate::log) fn read(file: Range) -> io::Result<Option<Self>> {
        let start = file.at_most(0, GUESS)?;
        let number = |at: usize| start.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_le_bytes(*bytes));
        let (Some(VERSION), Some(length)) = (number(0), number(4)) else { return Ok(None) };
        let length = length as usize;
        let head = match start.get(START..START + length) {
            Some(head) => postcard::from_bytes(head),
            None => postcard::from_bytes(&file.at_most(START as u64, length)?),
        };
        let Ok(head) = head else { return Ok(None) };
        let sealed = Self { file, head, body: (START + length) as u64 };
        let blocks: u64 = sealed.head.blocks.iter().map(|length| u64::from(*length)).sum();
        let is_whole = sealed.file.length()? == sealed.body + sealed.blocks_at() + blocks;
        Ok(is_whole.then_some(sealed))
    }

    fn part(&self, (at, length): (u64, usize)) -> io::Result<Vec<u8>> {
        let bytes = self.file.at_most(self.body + at, length)?;
        if bytes.len() == length { Ok(bytes) } else { Err(damaged()) }
    }

    /// Where the columns begin, after the head.
    fn columns_at(&self) -> u64 {
        u64::from(self.head.strays)
    }

    fn records_at(&self) -> u64 {
        let width: usize = Column::ALL.iter().map(|column| column.width()).sum();
        self.columns_at() + width as u64 * u64::from(self.head.calls)
    }

    fn keys_at(&self) -> u64 {
        self.records_at() + 12 * u64::from(self.head.records)
    }

    fn blocks_at(&self) -> u64 {
        self.keys_at() + 8 * u64::from(self.head.keys)
    }
}

impl Columns for Sealed {
    fn head(&self) -> &Head {
        &self.head
    }

    fn column(&self, column: Column) -> io::Result<Cow<'_, [u8]>> {
        let calls = self.head.calls as usize;
        let before: usize = Column::ALL[..column as usize].iter().map(|before| before.width() * calls).sum();
        self.part((self.columns_at() + before as u64, column.width() * calls)).map(Cow::Owned)
    }

    fn records(&self) -> io::Result<Cow<'_, [u8]>> {
        self.part((self.records_at(), 12 * self.head.records as usize)).map(Cow::Owned)
    }

    fn keys(&self) -> io::Result<Cow<'_, [u8]>> {
        self.part((self.keys_at(), 8 * self.head.keys as usize)).map(Cow::Owned)
    }

    fn block(&self, number: u32) -> io::Result<Block> {
        let (before, rest) = self.head.blocks.split_at_checked(number as usize).ok_or_else(damaged)?;
        let length = *rest.first().ok_or_else(damaged)? as usize;
        let before: u64 = before.iter().map(|length| u64::from(*length)).sum();
        let block: Block = unpacked(&self.part((self.blocks_at() + before, length))?)?;
        if block.is_whole() { Ok(block) } else { Err(damaged()) }
    }

    fn strays(&self) -> io::Result<Rows> {
        unpacked(&self.part((0, self.head.strays as usize))?)
    }
}

/// The bytes of the file; `None` where a part is too large for one.
pub(in crate::log) fn bytes_of(table: &mut Table) -> Option<Vec<u8>> {
    let mut packer = Compressor::new(LEVEL).ok()?;
    let strays = packed(&table.strays().ok()?, &mut packer)?;
    let mut blocks = Vec::new();
    let mut lengths = Vec::new();
    for block in table.blocks() {
        let block = packed(&block, &mut packer)?;
        lengths.push(u32::try_from(block.len()).ok()?);
        blocks.extend(block);
    }
    table.filling.head.strays = u32::try_from(strays.len()).ok()?;
    table.filling.head.blocks = lengths;
    let head = postcard::to_stdvec(&table.filling.head).ok()?;
    let mut bytes = VERSION.to_le_bytes().to_vec();
    bytes.extend(u32::try_from(head.len()).ok()?.to_le_bytes());
    bytes.extend(head);
    bytes.extend(strays);
    for column in Column::ALL {
        bytes.extend(table.filling.column(column));
    }
    bytes.extend(&table.filling.records);
    bytes.extend(&table.filling.keys);
    bytes.extend(blocks);
    Some(bytes)
}

fn packed(part: &impl Serialize, packer: &mut Compressor<'_>) -> Option<Vec<u8>> {
    packer.compress(&postcard::to_stdvec(part).ok()?).ok()
}

fn unpacked<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().ok_or_else(damaged)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST).ok_or_else(damaged)?;
    postcard::from_bytes(&zstd::bulk::decompress(bytes, size)?).map_err(|_| damaged())
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index is damaged")
}
