//! Long data through a piece of work: while one block is worked on, the next one is read and the last one is written.

use std::{
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::{self, JoinHandle},
};

use zeroize::Zeroizing;

use crate::{
    fault::Fault,
    flow::{Input, Outlet},
};

/// Some parts of one length, the last of which may be shorter. What is read or written may be secret.
#[derive(Default)]
struct Block {
    /// Made once, and never longer or shorter: what grows leaves copies behind.
    buffer: Zeroizing<Vec<u8>>,
    len: usize,
}

impl Block {
    fn filled(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.len..).unwrap_or_default()
    }
}

/// How many parts a block has at most: with parts of 64 KiB it takes much longer to work on it than to hand it over.
const PARTS: usize = 16;
/// So much longer a part may become.
const MORE: usize = 64;
/// So many blocks wait to be worked on, and as many to be written.
const WAITING: usize = 2;

/// Reads parts of `len` bytes until the data ends, and writes what `work` makes of each: it is given the part, whether it is the
/// last, and where the result goes, and says how long that is. There is always a last part; it may be shorter, and is empty only if
/// there is no data.
///
/// # Errors
/// The first of reading, of `work` and of writing.
pub(crate) fn through(
    input: Input,
    outlet: Outlet,
    len: usize,
    mut work: impl FnMut(&[u8], bool, &mut [u8]) -> Result<usize, Fault>,
) -> Result<Outlet, Fault> {
    let (filled, blocks) = sync_channel(WAITING);
    let (give_back, empty) = channel();
    // Nobody waits for it: after an error it may be waiting for data itself.
    spawn(move || read(input, len, &filled, &empty))?;
    let (written, results) = sync_channel(WAITING);
    let (done_with, free) = channel();
    let writer = spawn(move || write(outlet, &results, &done_with))?;

    let mut all = || {
        let mut this = receive(&blocks)?;
        loop {
            let next = if this.ended { None } else { Some(receive(&blocks)?) };
            // What comes with the end may be nothing.
            let last = next.as_ref().is_none_or(|next| next.ended && next.block.len == 0);
            let mut result: Block = free.try_recv().unwrap_or_default();
            result.buffer.resize(PARTS * (len + MORE), 0);
            result.len = 0;
            let mut parts = this.block.filled().chunks(len).peekable();
            if parts.peek().is_none() {
                result.len = work(&[], true, result.room())?;
            }
            while let Some(part) = parts.next() {
                result.len += work(part, last && parts.peek().is_none(), result.room())?;
            }
            // If it cannot be written, the writer says why.
            if written.send(result).is_err() {
                return Ok(());
            }
            let Some(next) = next.filter(|_| !last) else { return Ok(()) };
            let _ = give_back.send(std::mem::replace(&mut this, next).block);
        }
    };
    let done: Result<(), Fault> = all();
    drop(written);
    let outlet = writer.join().map_err(|_| ended())?;
    done.and(outlet)
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Fault> {
    thread::Builder::new().spawn(run).map_err(|why| Fault::Failed(format!("there is no thread for it: {why}")))
}

fn ended() -> Fault {
    Fault::Failed("a thread of the command ended before its time".into())
}

/// A block as it was read.
struct Read {
    block: Block,
    /// Nothing follows. Without this, a reader that is gone would be taken for the end.
    ended: bool,
}

fn receive(blocks: &Receiver<Result<Read, Fault>>) -> Result<Read, Fault> {
    blocks.recv().map_err(|_| ended())?
}

/// Sends blocks of whole parts, and at the end what is left, which may be nothing.
fn read(mut input: Input, len: usize, to: &SyncSender<Result<Read, Fault>>, empty: &Receiver<Block>) {
    let mut rest = Zeroizing::new(Vec::new());
    rest.reserve_exact(len);
    loop {
        let read = fill(&mut input, len, empty.try_recv().unwrap_or_default(), &rest).map(|mut read| {
            let whole = if read.ended { read.block.len } else { read.block.len / len * len };
            rest.clear();
            rest.extend_from_slice(read.block.filled().get(whole..).unwrap_or_default());
            read.block.len = whole;
            read
        });
        let goes_on = read.as_ref().is_ok_and(|read| !read.ended);
        if to.send(read).is_err() || !goes_on {
            return;
        }
    }
}

/// Fills a block behind what was left of the last one, with a part at least unless the data ends. A pipe gives little at a time,
/// and somebody may wait for what is made of it.
fn fill(input: &mut Input, part: usize, mut block: Block, rest: &[u8]) -> Result<Read, Fault> {
    block.buffer.resize(part * PARTS, 0);
    block.buffer.get_mut(..rest.len()).ok_or_else(ended)?.copy_from_slice(rest);
    block.len = rest.len();
    loop {
        match input.some(block.room())? {
            0 => return Ok(Read { block, ended: true }),
            read => block.len += read,
        }
        if block.len >= part {
            return Ok(Read { block, ended: false });
        }
    }
}

fn write(mut outlet: Outlet, from: &Receiver<Block>, back: &Sender<Block>) -> Result<Outlet, Fault> {
    for block in from {
        outlet.put(block.filled())?;
        let _ = back.send(block);
    }
    Ok(outlet)
}
