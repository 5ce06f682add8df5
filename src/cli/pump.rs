//! Long data through a piece of work: while one block is worked on, the next one is read and the last one is written.

use std::{
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use zeroize::Zeroizing;

use crate::{
    fault::Fault,
    flow::{Input, Outlet},
};

/// Some parts of one length, the last of which may be shorter. What is read or written may be secret.
type Block = Zeroizing<Vec<u8>>;

/// How many parts a block has at most: with parts of 64 KiB it takes much longer to work on it than to hand it over.
const PARTS: usize = 16;
/// So many blocks wait to be worked on, and as many to be written.
const WAITING: usize = 2;

/// Reads parts of `len` bytes until the data ends, and writes what `work` makes of each: it is given the part, whether it is the
/// last, and where to append. There is always a last part; it may be shorter, and is empty only if there is no data.
///
/// # Errors
/// The first of reading, of `work` and of writing.
pub(crate) fn through(
    input: Input,
    outlet: Outlet,
    len: usize,
    mut work: impl FnMut(&[u8], bool, &mut Vec<u8>) -> Result<(), Fault>,
) -> Result<Outlet, Fault> {
    let (filled, blocks) = sync_channel(WAITING);
    let (give_back, empty) = channel();
    // Nobody waits for it: after an error it may be waiting for data itself.
    thread::spawn(move || read(input, len, &filled, &empty));
    let (written, results) = sync_channel(WAITING);
    let (wiped, free) = channel();
    let writer = thread::spawn(move || write(outlet, &results, &wiped));

    let mut all = || {
        let mut this: Block = first(&blocks)?;
        loop {
            let next: Option<Block> = blocks.recv().ok().transpose()?;
            let mut result: Block = free.try_recv().unwrap_or_default();
            let mut parts = this.chunks(len).peekable();
            if parts.peek().is_none() {
                work(&[], true, &mut result)?;
            }
            while let Some(part) = parts.next() {
                work(part, next.is_none() && parts.peek().is_none(), &mut result)?;
            }
            // If it cannot be written, the writer says why.
            if written.send(result).is_err() {
                return Ok(());
            }
            let Some(next) = next else { return Ok(()) };
            let _ = give_back.send(std::mem::replace(&mut this, next));
        }
    };
    let done: Result<(), Fault> = all();
    drop(written);
    let outlet = writer.join().map_err(|_| ended())?;
    done.and(outlet)
}

fn ended() -> Fault {
    Fault::Failed("a thread of the command ended before its time".into())
}

fn first(blocks: &Receiver<Result<Block, Fault>>) -> Result<Block, Fault> {
    blocks.recv().map_err(|_| ended())?
}

/// Sends blocks of whole parts, and what is left at the end. One block at least.
fn read(mut input: Input, len: usize, to: &SyncSender<Result<Block, Fault>>, empty: &Receiver<Block>) {
    let mut rest = Block::default();
    let mut sent = false;
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        let filled = fill(&mut input, len, &mut block, &rest);
        let ended = matches!(filled, Ok(Filled { ended: true, .. }));
        let block = filled.map(|Filled { len: filled, ended }| {
            let whole = if ended { filled } else { filled / len * len };
            rest.clear();
            rest.extend_from_slice(block.get(whole..filled).unwrap_or_default());
            block.truncate(whole);
            block
        });
        if ended && sent && block.as_ref().is_ok_and(|block| block.is_empty()) {
            return;
        }
        sent = true;
        let failed = block.is_err();
        if to.send(block).is_err() || ended || failed {
            return;
        }
    }
}

struct Filled {
    len: usize,
    /// Nothing follows.
    ended: bool,
}

/// Fills a block behind what was left of the last one, with a part at least unless the data ends. A pipe gives little at a time,
/// and somebody may wait for what is made of it.
fn fill(input: &mut Input, part: usize, block: &mut Vec<u8>, rest: &[u8]) -> Result<Filled, Fault> {
    block.resize(part * PARTS, 0);
    let mut len = rest.len();
    block.get_mut(..len).ok_or_else(ended)?.copy_from_slice(rest);
    loop {
        match input.some(block.get_mut(len..).unwrap_or_default())? {
            0 => return Ok(Filled { len, ended: true }),
            read => len += read,
        }
        if len >= part {
            return Ok(Filled { len, ended: false });
        }
    }
}

fn write(mut outlet: Outlet, from: &Receiver<Block>, back: &Sender<Block>) -> Result<Outlet, Fault> {
    for mut block in from {
        outlet.put(&block)?;
        block.clear();
        let _ = back.send(block);
    }
    Ok(outlet)
}
