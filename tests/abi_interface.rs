//! How an application finds the functions, and what the shared object shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{env, ffi::CStr, fs, ptr};

use cryptoki_sys::*;
use object::{Object, ObjectSymbol};

#[test]
fn the_function_list_is_that_of_2_40() {
    let mut list = ptr::null_mut();
    // SAFETY: the place is there, and so is the list.
    let version = unsafe {
        assert_eq!(strongroom::C_GetFunctionList(&raw mut list), CKR_OK);
        assert_eq!(strongroom::C_GetFunctionList(ptr::null_mut()), CKR_ARGUMENTS_BAD);
        (*list).version
    };
    assert_eq!((version.major, version.minor), (2, 40));
}

#[test]
fn the_interfaces_are_counted_and_listed() {
    let mut count = 0;
    assert_eq!(p11!(C_GetInterfaceList(ptr::null_mut(), &raw mut count)), CKR_OK);
    assert_eq!(count, 3);
    let mut places = [CK_INTERFACE::default(); 4];
    count = 2;
    assert_eq!(p11!(C_GetInterfaceList(places.as_mut_ptr(), &raw mut count)), CKR_BUFFER_TOO_SMALL);
    assert_eq!((count, places[0].pFunctionList), (3, ptr::null_mut()), "the count is told, nothing is written");
    count = 4;
    assert_eq!(p11!(C_GetInterfaceList(places.as_mut_ptr(), &raw mut count)), CKR_OK);
    assert_eq!(count, 3);
    for interface in &places[..3] {
        // SAFETY: the module's names end with a zero.
        let name = unsafe { CStr::from_ptr(interface.pInterfaceName.cast()) };
        assert_eq!((name, interface.flags), (c"PKCS 11", 0));
    }
    assert_eq!(p11!(C_GetInterfaceList(places.as_mut_ptr(), ptr::null_mut())), CKR_ARGUMENTS_BAD);
}

#[test]
fn before_initialisation_only_the_lists_are_there() {
    let _turn = raw::Turn::new();
    let mut info = CK_INFO::default();
    assert_eq!(p11!(C_GetInfo(&raw mut info)), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_eq!(p11!(C_GetInfo(ptr::null_mut())), CKR_CRYPTOKI_NOT_INITIALIZED, "whatever the arguments are");
    assert_eq!(p11!(C_Finalize(ptr::null_mut())), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_eq!(p11!(C_MessageEncryptFinal(1)), CKR_CRYPTOKI_NOT_INITIALIZED);
}

#[test]
fn the_module_says_who_it_is() {
    let _turn = raw::Turn::new();
    assert_eq!(p11!(C_Initialize(ptr::null_mut())), CKR_OK);
    let mut info = CK_INFO::default();
    assert_eq!(p11!(C_GetInfo(&raw mut info)), CKR_OK);
    assert_eq!((info.cryptokiVersion.major, info.cryptokiVersion.minor, info.flags), (3, 2, 0));
    assert_eq!(&info.manufacturerID, b"strongroom                      ");
    assert_eq!(&info.libraryDescription, b"strongroom PKCS#11 module       ");
    assert_eq!(p11!(C_GetInfo(ptr::null_mut())), CKR_ARGUMENTS_BAD);
}

#[test]
fn what_there_is_no_use_for_says_so() {
    let module = raw::Module::new();
    let (session, mut slot, mut flags) = (module.session(), 0, 7);
    assert_eq!(p11!(C_GetFunctionStatus(session)), CKR_FUNCTION_NOT_PARALLEL);
    assert_eq!(p11!(C_CancelFunction(session)), CKR_FUNCTION_NOT_PARALLEL);
    assert_eq!(p11!(C_WaitForSlotEvent(CKF_DONT_BLOCK, &raw mut slot, ptr::null_mut())), CKR_NO_EVENT);
    assert_eq!(p11!(C_WaitForSlotEvent(0, &raw mut slot, ptr::null_mut())), CKR_FUNCTION_NOT_SUPPORTED);
    assert_eq!(p11!(C_MessageSignFinal(session)), CKR_FUNCTION_NOT_SUPPORTED);
    assert_eq!(p11!(C_AsyncGetID(session, ptr::null_mut(), ptr::null_mut())), CKR_FUNCTION_NOT_SUPPORTED);
    assert_eq!(p11!(C_GetSessionValidationFlags(session, CKS_LAST_VALIDATION_OK, &raw mut flags)), CKR_OK);
    assert_eq!(p11!(C_GetSessionValidationFlags(session, 2, &raw mut flags)), CKR_ARGUMENTS_BAD, "no such flags");
    assert_eq!(flags, 0);
}

#[test]
fn the_shared_object_shows_the_functions_of_the_table_and_nothing_else() {
    let bytes = fs::read(raw::shared_object()).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut shown: Vec<_> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name().unwrap().to_owned())
        .collect();
    shown.sort();
    shown.dedup();
    let strangers: Vec<_> = shown.iter().filter(|name| !name.starts_with("C_")).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    let functions = size_of::<CK_FUNCTION_LIST_3_2>() / size_of::<usize>() - 1;
    assert_eq!(shown.len(), functions, "each function of the newest list is a symbol");
}

#[test]
fn the_shared_object_is_never_unmapped() {
    let bytes = fs::read(raw::shared_object()).unwrap();
    // DT_FLAGS_1 with DF_1_NODELETE, in the dynamic section.
    let file = object::read::elf::ElfFile64::<object::Endianness>::parse(&*bytes).unwrap();
    use object::read::elf::{Dyn, FileHeader, ProgramHeader};
    let endian = file.endian();
    let headers = file.elf_header().program_headers(endian, &*bytes).unwrap();
    let flags = headers
        .iter()
        .filter_map(|header| header.dynamic(endian, &*bytes).unwrap())
        .flatten()
        .find(|entry| i64::from(entry.d_tag(endian) as u32) == i64::from(object::elf::DT_FLAGS_1))
        .map(|entry| entry.d_val(endian));
    assert!(flags.is_some_and(|flags| flags & u64::from(object::elf::DF_1_NODELETE) != 0));
}

#[test]
fn a_setting_that_is_wrong_stops_the_module_and_one_that_is_not_there_does_not() {
    let turn = raw::Turn::new();
    for (name, value, rv) in [
        ("STRONGROOM_STORE", "tokens", CKR_GENERAL_ERROR),
        ("STRONGROOM_CONFIG", "/nowhere/strongroom.toml", CKR_GENERAL_ERROR),
        ("STRONGROOM_PIN_TRIES", "none", CKR_GENERAL_ERROR),
        ("STRONGROOM_STORE", "/nowhere/tokens", CKR_OK),
    ] {
        // SAFETY: the other threads wait for their turns, or are not the module's.
        unsafe { env::set_var(name, value) };
        assert_eq!(p11!(C_Initialize(ptr::null_mut())), rv, "{name}={value}");
        p11!(C_Finalize(ptr::null_mut()));
        // SAFETY: as above.
        unsafe { env::remove_var(name) };
    }
    drop(turn);
}
