//! The token and its objects, as a worker sees them through the C functions.

use std::ptr;

use cryptoki_sys::*;

use crate::{
    p11,
    raw::{self, OFFICER_PIN, USER_PIN, WRITABLE, attribute, length, mechanism, text},
};

/// Makes the store's one token, with both PINs.
pub(crate) fn make_token() {
    initialize();
    let slot = raw::slots()[0];
    let mut label = [b' '; 32];
    label[..7].copy_from_slice(b"torture");
    assert_eq!(p11!(C_InitToken(slot, text(OFFICER_PIN), length(OFFICER_PIN), label.as_mut_ptr())), CKR_OK);
    let session = raw::open(slot, WRITABLE);
    assert_eq!(raw::login(session, CKU_SO, OFFICER_PIN), CKR_OK);
    assert_eq!(p11!(C_InitPIN(session, text(USER_PIN), length(USER_PIN))), CKR_OK);
    finalize();
}

/// With leave to use threads.
pub(crate) fn initialize() {
    let mut arguments = CK_C_INITIALIZE_ARGS {
        CreateMutex: None,
        DestroyMutex: None,
        LockMutex: None,
        UnlockMutex: None,
        flags: CKF_OS_LOCKING_OK,
        pReserved: ptr::null_mut(),
    };
    assert_eq!(p11!(C_Initialize((&raw mut arguments).cast())), CKR_OK);
}

pub(crate) fn finalize() {
    assert_eq!(p11!(C_Finalize(ptr::null_mut())), CKR_OK);
}

/// Initialises the module and opens a session of the user's with the store's one token.
pub(crate) fn session() -> CK_SESSION_HANDLE {
    initialize();
    let session = raw::open(raw::slots()[0], WRITABLE);
    assert_eq!(raw::login(session, CKU_USER, USER_PIN), CKR_OK);
    session
}

/// What a call gave, or the return value that says why not.
pub(crate) type Outcome<T> = Result<T, CK_RV>;

pub(crate) fn outcome<T>(rv: CK_RV, value: T) -> Outcome<T> {
    if rv == CKR_OK { Ok(value) } else { Err(rv) }
}

/// An attribute with bytes, which must outlive it.
pub(crate) fn bytes(name: CK_ATTRIBUTE_TYPE, value: &[u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: name, pValue: value.as_ptr().cast_mut().cast(), ulValueLen: length(value) }
}

/// The bytes of the AES key, or of the data object, with this number.
pub(crate) fn value_of(number: u64) -> [u8; 32] {
    let mut value = [0; 32];
    for (at, byte) in value.iter_mut().enumerate() {
        *byte = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32 * 7) >> 13) as u8 ^ at as u8;
    }
    value
}

/// Creates an AES key with known bytes.
pub(crate) fn create_key(
    session: CK_SESSION_HANDLE,
    on_token: bool,
    label: &str,
    value: &[u8; 32],
) -> Outcome<CK_OBJECT_HANDLE> {
    let (class, kind, yes, token) = (CKO_SECRET_KEY, CKK_AES, CK_TRUE, CK_BBOOL::from(on_token));
    let mut template = [
        attribute(CKA_CLASS, &class),
        attribute(CKA_KEY_TYPE, &kind),
        attribute(CKA_TOKEN, &token),
        attribute(CKA_PRIVATE, &yes),
        attribute(CKA_ENCRYPT, &yes),
        attribute(CKA_DECRYPT, &yes),
        bytes(CKA_LABEL, label.as_bytes()),
        bytes(CKA_VALUE, value),
    ];
    create(session, &mut template)
}

/// Creates a data object on the token. Everybody may see it if it is not private.
pub(crate) fn create_data(
    session: CK_SESSION_HANDLE,
    label: &str,
    value: &[u8],
    private: CK_BBOOL,
) -> Outcome<CK_OBJECT_HANDLE> {
    let (class, yes) = (CKO_DATA, CK_TRUE);
    let mut template = [
        attribute(CKA_CLASS, &class),
        attribute(CKA_TOKEN, &yes),
        attribute(CKA_PRIVATE, &private),
        bytes(CKA_LABEL, label.as_bytes()),
        bytes(CKA_VALUE, value),
    ];
    create(session, &mut template)
}

pub(crate) fn create(session: CK_SESSION_HANDLE, template: &mut [CK_ATTRIBUTE]) -> Outcome<CK_OBJECT_HANDLE> {
    let mut object = 0;
    let count = template.len() as CK_ULONG;
    outcome(p11!(C_CreateObject(session, template.as_mut_ptr(), count, &raw mut object)), ()).map(|()| object)
}

/// Generates a pair of keys on P-256 on the token: public and private.
pub(crate) fn generate_pair(session: CK_SESSION_HANDLE, label: &str) -> Outcome<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let curve = [0x06u8, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let yes = CK_TRUE;
    let mut public = [
        attribute(CKA_EC_PARAMS, &curve),
        attribute(CKA_VERIFY, &yes),
        attribute(CKA_TOKEN, &yes),
        bytes(CKA_LABEL, label.as_bytes()),
    ];
    let mut private = [attribute(CKA_SIGN, &yes), attribute(CKA_TOKEN, &yes), bytes(CKA_LABEL, label.as_bytes())];
    let (rv, keys) = raw::generate_pair(session, CKM_EC_KEY_PAIR_GEN, &mut public, &mut private);
    outcome(rv, keys)
}

pub(crate) fn set_label(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, label: &str) -> Outcome<()> {
    let mut template = [bytes(CKA_LABEL, label.as_bytes())];
    outcome(p11!(C_SetAttributeValue(session, object, template.as_mut_ptr(), 1)), ())
}

pub(crate) fn destroy(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Outcome<()> {
    outcome(p11!(C_DestroyObject(session, object)), ())
}

/// The objects that match.
pub(crate) fn find(session: CK_SESSION_HANDLE, template: &mut [CK_ATTRIBUTE]) -> Outcome<Vec<CK_OBJECT_HANDLE>> {
    outcome(p11!(C_FindObjectsInit(session, template.as_mut_ptr(), template.len() as CK_ULONG)), ())?;
    let mut found = Vec::new();
    let searched = loop {
        let (mut page, mut count) = ([0; 64], 0);
        match p11!(C_FindObjects(session, page.as_mut_ptr(), 64, &raw mut count)) {
            CKR_OK if count == 0 => break Ok(()),
            CKR_OK => found.extend_from_slice(&page[..count as usize]),
            rv => break Err(rv),
        }
    };
    let ended = outcome(p11!(C_FindObjectsFinal(session)), ());
    searched.and(ended).map(|()| found)
}

/// The token objects that the session may see.
pub(crate) fn find_all(session: CK_SESSION_HANDLE) -> Outcome<Vec<CK_OBJECT_HANDLE>> {
    let yes = CK_TRUE;
    find(session, &mut [attribute(CKA_TOKEN, &yes)])
}

pub(crate) fn find_label(session: CK_SESSION_HANDLE, label: &str) -> Outcome<Vec<CK_OBJECT_HANDLE>> {
    find(session, &mut [bytes(CKA_LABEL, label.as_bytes())])
}

/// An attribute's bytes.
pub(crate) fn read(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, name: CK_ATTRIBUTE_TYPE) -> Outcome<Vec<u8>> {
    let mut room = [0u8; 1024];
    let mut template =
        [CK_ATTRIBUTE { type_: name, pValue: room.as_mut_ptr().cast(), ulValueLen: room.len() as CK_ULONG }];
    outcome(p11!(C_GetAttributeValue(session, object, template.as_mut_ptr(), 1)), ())?;
    Ok(room[..template[0].ulValueLen as usize].to_vec())
}

pub(crate) fn read_label(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&read(session, object, CKA_LABEL)?).into_owned())
}

pub(crate) fn read_class(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Outcome<CK_OBJECT_CLASS> {
    Ok(CK_OBJECT_CLASS::from_ne_bytes(read(session, object, CKA_CLASS)?.try_into().unwrap()))
}

const BLOCKS: &[u8; 32] = b"two blocks that keys are used on";

/// Two known blocks, encrypted.
pub(crate) fn encrypt(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Outcome<Vec<u8>> {
    let mut ecb = mechanism(CKM_AES_ECB);
    outcome(p11!(C_EncryptInit(session, &raw mut ecb, key)), ())?;
    let (mut room, mut len) = ([0u8; 64], 64);
    let rv = p11!(C_Encrypt(session, text(BLOCKS), length(BLOCKS), room.as_mut_ptr(), &raw mut len));
    outcome(rv, room[..len.min(64) as usize].to_vec())
}

/// Whether an AES key is the one with these bytes: it encrypts like it and decrypts what it has encrypted.
pub(crate) fn is_key(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, value: &[u8; 32]) -> Outcome<bool> {
    let same = create_key(session, false, "a session's copy", value)?;
    let expected = encrypt(session, same)?;
    let got = encrypt(session, key)?;
    destroy(session, same)?;
    let mut ecb = mechanism(CKM_AES_ECB);
    outcome(p11!(C_DecryptInit(session, &raw mut ecb, key)), ())?;
    let (mut room, mut len) = ([0u8; 64], 64);
    outcome(p11!(C_Decrypt(session, text(&got), length(&got), room.as_mut_ptr(), &raw mut len)), ())?;
    Ok(got == expected && room[..len as usize] == BLOCKS[..])
}

/// Signs 32 bytes and gives the signature.
pub(crate) fn sign(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, id: CK_MECHANISM_TYPE) -> Outcome<Vec<u8>> {
    let mut mechanism = mechanism(id);
    outcome(p11!(C_SignInit(session, &raw mut mechanism, key)), ())?;
    let (mut room, mut len) = ([0u8; 512], 512);
    let rv = p11!(C_Sign(session, text(BLOCKS), length(BLOCKS), room.as_mut_ptr(), &raw mut len));
    outcome(rv, room[..len.min(512) as usize].to_vec())
}

/// Whether two keys of P-256 belong together: one signs, the other verifies.
pub(crate) fn is_pair(
    session: CK_SESSION_HANDLE,
    public: CK_OBJECT_HANDLE,
    private: CK_OBJECT_HANDLE,
) -> Outcome<bool> {
    let signature = sign(session, private, CKM_ECDSA)?;
    let mut ecdsa = mechanism(CKM_ECDSA);
    outcome(p11!(C_VerifyInit(session, &raw mut ecdsa, public)), ())?;
    match p11!(C_Verify(session, text(BLOCKS), length(BLOCKS), text(&signature), length(&signature))) {
        CKR_SIGNATURE_INVALID => Ok(false),
        rv => outcome(rv, true),
    }
}
