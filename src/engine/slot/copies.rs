//! Copies of secret keys. What two sessions do with one key takes less time than it takes two processor cores to agree on a
//! number that both write, a count of references for one. So each session of a few has a copy of its own, made ready by
//! itself; it goes when the handle ends.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering, fence},
};

use parking_lot::{Mutex, RwLock};
use types::{AttributeType, ObjectClass, ObjectHandle};

use super::objects::{Entry, Freshness};
use crate::{handles::Padded, object::Object};

/// How many copies there are of a key at most, besides the object itself.
const COPIES: usize = 7;

/// Longer values are not copied.
const LONGEST: usize = 1024;

/// Which copies a session uses; none for the first session, and for every eighth after it: they use the object itself.
#[derive(Clone, Copy)]
struct Lane(Option<usize>);

impl Lane {
    /// That of a new session.
    fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self((NEXT.fetch_add(1, Ordering::Relaxed) % (COPIES + 1)).checked_sub(1))
    }
}

/// What a session remembers of the key that it used last, so that the next use is found without a table that all share.
pub(crate) struct Recent {
    lane: Lane,
    pub(super) last: Mutex<Option<(ObjectHandle, Arc<Entry>)>>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self { lane: Lane::next(), last: Mutex::default() }
    }
}

/// The copies of one object.
#[derive(Default)]
pub(super) struct Copies(OnceLock<Box<[Place; COPIES]>>);

type Place = Padded<RwLock<Option<Copied>>>;

/// An object as it was at `read`.
struct Copied {
    object: Arc<Object>,
    read: Freshness,
}

impl Copies {
    /// A session's copy, if it is as the object is now.
    pub(super) fn get(&self, recent: &Recent, now: Freshness) -> Option<Arc<Object>> {
        let place = self.0.get()?.get(recent.lane.0?)?.0.read();
        place.as_ref().filter(|copied| copied.read == now).map(|copied| Arc::clone(&copied.object))
    }

    /// Makes a session its copy, if the object is a secret key.
    pub(super) fn make(
        &self,
        recent: &Recent,
        object: &Object,
        read: Freshness,
        ended: &AtomicBool,
    ) -> Option<Arc<Object>> {
        let lane = recent.lane.0?;
        let attributes = &object.attributes;
        let short = attributes.bytes(AttributeType::VALUE).is_some_and(|value| value.len() <= LONGEST);
        if attributes.class() != Some(ObjectClass::SECRET_KEY) || !short {
            return None;
        }
        let mut place = self.0.get_or_init(Box::default).get(lane)?.0.write();
        // Whoever ends the handle says so first, and then empties each place that he sees.
        fence(Ordering::SeqCst);
        if ended.load(Ordering::Acquire) {
            return None;
        }
        let copy = crypto::keys(|| Arc::new(Object::new(attributes.duplicate(), object.location)));
        *place = Some(Copied { object: Arc::clone(&copy), read });
        Some(copy)
    }

    pub(super) fn clear(&self) {
        for place in self.0.get().iter().flat_map(|places| places.iter()) {
            *place.0.write() = None;
        }
    }
}
