//! What the module, a slot, a token, a mechanism and a session tell about themselves, as C structs.

use cryptoki_sys::{
    CK_FLAGS, CK_INFO, CK_MECHANISM_INFO, CK_SESSION_INFO, CK_SESSION_VALIDATION_FLAGS_TYPE, CK_SLOT_INFO,
    CK_TOKEN_INFO, CK_UNAVAILABLE_INFORMATION, CK_VERSION, CKF_REMOVABLE_DEVICE, CKF_RW_SESSION, CKF_SERIAL_SESSION,
    CKF_TOKEN_PRESENT, CKS_LAST_VALIDATION_OK,
};
use engine::{Access, Names, SessionInfo, SlotInfo, TokenInfo, mechanism::Mechanism};
use types::Rv;

use crate::number::to_c;

/// The version of the specification that the module is written to. Each function list has its own
/// version, which is the one that says what is in it; this one is the newest of them (PKCS#11, 3.1).
pub(crate) const NEWEST: CK_VERSION = CK_VERSION { major: 3, minor: 2 };

pub(crate) fn module(names: &Names) -> CK_INFO {
    CK_INFO {
        cryptokiVersion: NEWEST,
        manufacturerID: padded(names.library_manufacturer),
        flags: 0,
        libraryDescription: padded(names.library),
        libraryVersion: version(engine::RELEASE),
    }
}

/// A slot always has a token, initialised or not.
pub(crate) fn slot(info: &SlotInfo) -> CK_SLOT_INFO {
    CK_SLOT_INFO {
        slotDescription: padded(&info.description),
        manufacturerID: padded(info.manufacturer),
        flags: CKF_TOKEN_PRESENT | if info.removable { CKF_REMOVABLE_DEVICE } else { 0 },
        hardwareVersion: version(info.hardware),
        firmwareVersion: version(info.firmware),
    }
}

/// How much memory there is cannot be told, and there is no clock.
pub(crate) fn token(info: &TokenInfo) -> CK_TOKEN_INFO {
    CK_TOKEN_INFO {
        label: info.label,
        manufacturerID: padded(info.manufacturer),
        model: padded(info.model),
        serialNumber: padded(&info.serial),
        flags: to_c(info.flags),
        ulMaxSessionCount: to_c(info.max_sessions),
        ulSessionCount: to_c(info.sessions),
        ulMaxRwSessionCount: to_c(info.max_rw_sessions),
        ulRwSessionCount: to_c(info.rw_sessions),
        ulMaxPinLen: to_c(info.max_pin_len),
        ulMinPinLen: to_c(info.min_pin_len),
        ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: version(info.hardware),
        firmwareVersion: version(info.firmware),
        utcTime: padded(""),
    }
}

pub(crate) fn mechanism(row: &Mechanism) -> CK_MECHANISM_INFO {
    let (least, most) = row.key_size;
    CK_MECHANISM_INFO { ulMinKeySize: to_c(least), ulMaxKeySize: to_c(most), flags: to_c(row.flags()) }
}

pub(crate) fn session(info: &SessionInfo) -> CK_SESSION_INFO {
    let access = match info.access {
        Access::ReadOnly => 0,
        Access::ReadWrite => CKF_RW_SESSION,
    };
    CK_SESSION_INFO {
        slotID: to_c(info.slot.0),
        state: to_c(info.state.number()),
        flags: CKF_SERIAL_SESSION | access,
        ulDeviceError: to_c(info.device_error),
    }
}

fn version((major, minor): (u8, u8)) -> CK_VERSION {
    CK_VERSION { major, minor }
}

/// Text padded with blanks, without a terminator, and cut between characters if it is too long.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    let cut = text.floor_char_boundary(N);
    for (place, byte) in field.iter_mut().zip(text.bytes().take(cut)) {
        *place = byte;
    }
    field
}

/// What a session says of validations. Nobody has validated this token, so no flag is set.
pub(crate) fn validation_flags(kind: CK_SESSION_VALIDATION_FLAGS_TYPE) -> Result<CK_FLAGS, Rv> {
    if kind == CKS_LAST_VALIDATION_OK { Ok(0) } else { Err(Rv::ARGUMENTS_BAD) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_padded_with_blanks_and_cut_between_characters() {
        assert_eq!(&padded::<6>("ab"), b"ab    ");
        assert_eq!(&padded::<2>("abc"), b"ab");
        assert_eq!(&padded::<4>("abcé"), b"abc ");
    }

    #[test]
    fn the_release_is_the_package() {
        let names = engine::Engine::in_memory(engine::Settings::load()).names();
        let info = module(names).libraryVersion;
        let package = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
        assert_eq!(format!("{}.{}", info.major, info.minor), package);
    }
}
