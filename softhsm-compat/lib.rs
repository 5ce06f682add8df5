//! What a SoftHSM user needs to move here. Empty in this release but for its place.
#![forbid(unsafe_code)]
