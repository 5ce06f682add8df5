//! The table of all functions: a row each. From the rows come the exported symbols, the boundary around
//! each, and the function list of each version.
#![allow(non_snake_case)] // The names are C's.
#![allow(unused_unsafe)] // A row that reads nothing of the caller's makes its block needless.
#![allow(clippy::too_many_arguments)] // So the specification has it.

use std::ffi::c_void;

use cryptoki_sys::*;
use engine::Engine;
use types::{MechanismType, Rv};

use crate::{
    ask,
    ask::{object, session, slot_id, some},
    attributes,
    boundary::Boundary,
    info, interface, memory, message,
    number::{from_c, to_c},
    output,
    output::{Target, place},
    params, process, template,
};

static BOUNDARY: Boundary = Boundary::new();

/// Makes functions and lists of rows.
macro_rules! functions {
    (
        2.40 { $(fn $name:ident($($arg:ident: $type:ty),*) => $body:expr;)* }
        3.0 { $(fn $name_3_0:ident($($arg_3_0:ident: $type_3_0:ty),*) => $body_3_0:expr;)* }
        3.2 { $(fn $name_3_2:ident($($arg_3_2:ident: $type_3_2:ty),*) => $body_3_2:expr;)* }
    ) => {
        functions!(@each $(fn $name($($arg: $type),*) => $body;)*);
        functions!(@each $(fn $name_3_0($($arg_3_0: $type_3_0),*) => $body_3_0;)*);
        functions!(@each $(fn $name_3_2($($arg_3_2: $type_3_2),*) => $body_3_2;)*);

        /// The functions of 2.40, which is all that older programs look at.
        pub(crate) static LIST_2_40: CK_FUNCTION_LIST =
            CK_FUNCTION_LIST { version: CK_VERSION { major: 2, minor: 40 }, $($name: Some($name),)* };
        /// The functions of 3.0.
        pub(crate) static LIST_3_0: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 {
            version: CK_VERSION { major: 3, minor: 0 },
            $($name: Some($name),)*
            $($name_3_0: Some($name_3_0),)*
        };
        /// The functions of 3.2.
        pub(crate) static LIST_3_2: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 {
            version: CK_VERSION { major: 3, minor: 2 },
            $($name: Some($name),)*
            $($name_3_0: Some($name_3_0),)*
            $($name_3_2: Some($name_3_2),)*
        };
    };
    (@each $(fn $name:ident($($arg:ident: $type:ty),*) => $body:expr;)*) => {
        $(
            /// The function of this name in the specification.
            ///
            /// # Safety
            /// The pointers must lead to what the specification says.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
                // SAFETY: by the caller's promise, which is the specification's.
                BOUNDARY.cross(stringify!($name), || unsafe { $body })
            }
        )*
    };
}

functions! {
    2.40 {
        fn C_Initialize(args: *mut c_void)
            => process::initialize(args.cast());
        fn C_Finalize(reserved: *mut c_void)
            => process::finalize(reserved);
        fn C_GetInfo(info: *mut CK_INFO)
            => process::with(|engine| { place(info)?.write(info::module(engine.names())); Ok(()) });
        fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST)
            => { place(list)?.write((&raw const LIST_2_40).cast_mut()); Ok(()) };
        fn C_GetSlotList(_token_present: CK_BBOOL, list: *mut CK_SLOT_ID, count: *mut CK_ULONG)
            => process::with(|engine| { let slots: Vec<CK_SLOT_ID> = engine.slot_list(list.is_null()).iter().map(|slot| to_c(slot.0)).collect(); output::list(list, count, &slots) });
        fn C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO)
            => process::with(|engine| { let place = place(info)?; place.write(info::slot(&engine.slot_info(slot_id(slot))?)); Ok(()) });
        fn C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO)
            => process::with(|engine| { let place = place(info)?; place.write(info::token(&engine.token_info(slot_id(slot))?)); Ok(()) });
        fn C_GetMechanismList(slot: CK_SLOT_ID, list: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG)
            => process::with(|engine| { let rows: Vec<CK_MECHANISM_TYPE> = engine.mechanisms(slot_id(slot))?.iter().map(|id| to_c(id.0)).collect(); output::list(list, count, &rows) });
        fn C_GetMechanismInfo(slot: CK_SLOT_ID, id: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO)
            => process::with(|engine| { let place = place(info)?; place.write(info::mechanism(engine.mechanism_info(slot_id(slot), MechanismType(from_c(id)))?)); Ok(()) });
        fn C_InitToken(slot: CK_SLOT_ID, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG, label: *mut CK_UTF8CHAR)
            => process::with(|engine| { let label = memory::value(label.cast::<[u8; 32]>()).ok_or(Rv::ARGUMENTS_BAD)?; Ok(engine.init_token(slot_id(slot), ask::pin(pin, pin_len)?, &label)?) });
        fn C_InitPIN(s: CK_SESSION_HANDLE, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG)
            => process::with(|engine| Ok(engine.init_pin(session(s), ask::pin(pin, pin_len)?)?));
        fn C_SetPIN(s: CK_SESSION_HANDLE, old: *mut CK_UTF8CHAR, old_len: CK_ULONG, new: *mut CK_UTF8CHAR, new_len: CK_ULONG)
            => process::with(|engine| Ok(engine.set_pin(session(s), ask::pin(old, old_len)?, ask::pin(new, new_len)?)?));
        fn C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, _application: *mut c_void, _notify: CK_NOTIFY, handle: *mut CK_SESSION_HANDLE)
            => process::with(|engine| { let place = place(handle)?; place.write(to_c(engine.open_session(slot_id(slot), ask::access(flags)?)?.0)); Ok(()) });
        fn C_CloseSession(s: CK_SESSION_HANDLE)
            => process::with(|engine| Ok(engine.close_session(session(s))?));
        fn C_CloseAllSessions(slot: CK_SLOT_ID)
            => process::with(|engine| Ok(engine.close_all_sessions(slot_id(slot))?));
        fn C_GetSessionInfo(s: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO)
            => process::with(|engine| { let place = place(info)?; place.write(info::session(&engine.session_info(session(s))?)); Ok(()) });
        fn C_GetOperationState(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::drain(s, 0, out, out_len, Engine::operation_state);
        fn C_SetOperationState(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, encryption_key: CK_OBJECT_HANDLE, authentication_key: CK_OBJECT_HANDLE)
            => ask::feed(s, 0, data, data_len, |engine, session, state| engine.set_operation_state(session, state, some(encryption_key), some(authentication_key)));
        fn C_Login(s: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG)
            => process::with(|engine| Ok(engine.login(session(s), ask::user(user)?, ask::pin(pin, pin_len)?)?));
        fn C_Logout(s: CK_SESSION_HANDLE)
            => process::with(|engine| Ok(engine.logout(session(s))?));
        fn C_CreateObject(s: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG, handle: *mut CK_OBJECT_HANDLE)
            => process::with(|engine| { let place = place(handle)?; place.write(to_c(engine.create_object(session(s), template::read(template, count)?)?.0)); Ok(()) });
        fn C_CopyObject(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG, handle: *mut CK_OBJECT_HANDLE)
            => process::with(|engine| { let place = place(handle)?; place.write(to_c(engine.copy_object(session(s), object(key), template::read(template, count)?)?.0)); Ok(()) });
        fn C_DestroyObject(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE)
            => process::with(|engine| Ok(engine.destroy_object(session(s), object(key))?));
        fn C_GetObjectSize(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, size: *mut CK_ULONG)
            => process::with(|engine| { let place = place(size)?; place.write(to_c(engine.object_size(session(s), object(key))?)); Ok(()) });
        fn C_GetAttributeValue(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG)
            => process::with(|engine| { let view = engine.object(session(s), object(key))?; attributes::answer(template, count, |name| view.attribute(name)) });
        fn C_SetAttributeValue(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG)
            => process::with(|engine| Ok(engine.set_attributes(session(s), object(key), template::read(template, count)?)?));
        fn C_FindObjectsInit(s: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG)
            => process::with(|engine| Ok(engine.find_init(session(s), template::read(template, count)?)?));
        fn C_FindObjects(s: CK_SESSION_HANDLE, list: *mut CK_OBJECT_HANDLE, max: CK_ULONG, count: *mut CK_ULONG)
            => ask::find(s, list, max, count);
        fn C_FindObjectsFinal(s: CK_SESSION_HANDLE)
            => process::with(|engine| Ok(engine.find_final(session(s))?));
        fn C_EncryptInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => ask::start(s, mechanism, CKF_ENCRYPT, |engine, session, mechanism| engine.encrypt_init(session, mechanism, object(key)));
        fn C_Encrypt(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_ENCRYPT, data, data_len, out, out_len, Engine::encrypt);
        fn C_EncryptUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_ENCRYPT, data, data_len, out, out_len, Engine::encrypt_update);
        fn C_EncryptFinal(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::drain(s, CKF_ENCRYPT, out, out_len, Engine::encrypt_final);
        fn C_DecryptInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => ask::start(s, mechanism, CKF_DECRYPT, |engine, session, mechanism| engine.decrypt_init(session, mechanism, object(key)));
        fn C_Decrypt(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_DECRYPT, data, data_len, out, out_len, Engine::decrypt);
        fn C_DecryptUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_DECRYPT, data, data_len, out, out_len, Engine::decrypt_update);
        fn C_DecryptFinal(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::drain(s, CKF_DECRYPT, out, out_len, Engine::decrypt_final);
        fn C_DigestInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM)
            => ask::start(s, mechanism, CKF_DIGEST, Engine::digest_init);
        fn C_Digest(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_DIGEST, data, data_len, out, out_len, Engine::digest);
        fn C_DigestUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, CKF_DIGEST, data, data_len, Engine::digest_update);
        fn C_DigestKey(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE)
            => process::with(|engine| Ok(engine.digest_key(session(s), object(key))?));
        fn C_DigestFinal(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::drain(s, CKF_DIGEST, out, out_len, Engine::digest_final);
        fn C_SignInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => ask::start(s, mechanism, CKF_SIGN, |engine, session, mechanism| engine.sign_init(session, mechanism, object(key)));
        fn C_Sign(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_SIGN, data, data_len, out, out_len, Engine::sign);
        fn C_SignUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, CKF_SIGN, data, data_len, Engine::sign_update);
        fn C_SignFinal(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::drain(s, CKF_SIGN, out, out_len, Engine::sign_final);
        fn C_SignRecoverInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => ask::start(s, mechanism, CKF_SIGN_RECOVER, |engine, session, mechanism| engine.sign_recover_init(session, mechanism, object(key)));
        fn C_SignRecover(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_SIGN_RECOVER, data, data_len, out, out_len, Engine::sign_recover);
        fn C_VerifyInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => ask::start(s, mechanism, CKF_VERIFY, |engine, session, mechanism| engine.verify_init(session, mechanism, object(key)));
        fn C_Verify(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, signature: *mut CK_BYTE, signature_len: CK_ULONG)
            => ask::verify(s, data, data_len, signature, signature_len);
        fn C_VerifyUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, CKF_VERIFY, data, data_len, Engine::verify_update);
        fn C_VerifyFinal(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, CKF_VERIFY, data, data_len, Engine::verify_final);
        fn C_VerifyRecoverInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => ask::start(s, mechanism, CKF_VERIFY_RECOVER, |engine, session, mechanism| engine.verify_recover_init(session, mechanism, object(key)));
        fn C_VerifyRecover(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_VERIFY_RECOVER, data, data_len, out, out_len, Engine::verify_recover);
        fn C_DigestEncryptUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_DIGEST | CKF_ENCRYPT, data, data_len, out, out_len, Engine::digest_encrypt_update);
        fn C_DecryptDigestUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_DECRYPT | CKF_DIGEST, data, data_len, out, out_len, Engine::decrypt_digest_update);
        fn C_SignEncryptUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_SIGN | CKF_ENCRYPT, data, data_len, out, out_len, Engine::sign_encrypt_update);
        fn C_DecryptVerifyUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => ask::pump(s, CKF_DECRYPT | CKF_VERIFY, data, data_len, out, out_len, Engine::decrypt_verify_update);
        fn C_GenerateKey(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, template: *mut CK_ATTRIBUTE, count: CK_ULONG, handle: *mut CK_OBJECT_HANDLE)
            => process::with(|engine| { let place = place(handle)?; place.write(to_c(engine.generate_key(session(s), &params::read(engine, mechanism)?, template::read(template, count)?)?.0)); Ok(()) });
        fn C_GenerateKeyPair(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, public: *mut CK_ATTRIBUTE, public_count: CK_ULONG, private: *mut CK_ATTRIBUTE, private_count: CK_ULONG, public_key: *mut CK_OBJECT_HANDLE, private_key: *mut CK_OBJECT_HANDLE)
            => process::with(|engine| { let (public_place, private_place) = (place(public_key)?, place(private_key)?); let (public, private) = engine.generate_key_pair(session(s), &params::read(engine, mechanism)?, template::read(public, public_count)?, template::read(private, private_count)?)?; public_place.write(to_c(public.0)); private_place.write(to_c(private.0)); Ok(()) });
        fn C_WrapKey(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => process::with(|engine| { let target = Target::new(out, out_len)?; let mechanism = params::read(engine, mechanism)?; target.fill(|out| engine.wrap_key(session(s), &mechanism, object(wrapping_key), object(key), out)) });
        fn C_UnwrapKey(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, template: *mut CK_ATTRIBUTE, count: CK_ULONG, handle: *mut CK_OBJECT_HANDLE)
            => process::with(|engine| { let place = place(handle)?; place.write(to_c(engine.unwrap_key(session(s), &params::read(engine, mechanism)?, object(key), ask::input(data, data_len)?, template::read(template, count)?)?.0)); Ok(()) });
        fn C_DeriveKey(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG, handle: *mut CK_OBJECT_HANDLE)
            => process::with(|engine| { let place = place(handle)?; place.write(to_c(engine.derive_key(session(s), &params::read(engine, mechanism)?, object(key), template::read(template, count)?)?.0)); Ok(()) });
        fn C_SeedRandom(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, 0, data, data_len, Engine::seed_random);
        fn C_GenerateRandom(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, len: CK_ULONG)
            => ask::random(s, out, len);
        fn C_GetFunctionStatus(_s: CK_SESSION_HANDLE)
            => process::with(|_| Err(Rv::FUNCTION_NOT_PARALLEL));
        fn C_CancelFunction(_s: CK_SESSION_HANDLE)
            => process::with(|_| Err(Rv::FUNCTION_NOT_PARALLEL));
        fn C_WaitForSlotEvent(flags: CK_FLAGS, _slot: *mut CK_SLOT_ID, _reserved: *mut c_void)
            => process::with(|_| Err(if flags & CKF_DONT_BLOCK == 0 { Rv::FUNCTION_NOT_SUPPORTED } else { Rv::NO_EVENT }));
    }
    3.0 {
        fn C_GetInterfaceList(list: *mut CK_INTERFACE, count: *mut CK_ULONG)
            => interface::list(list, count);
        fn C_GetInterface(name: *mut CK_UTF8CHAR, version: *mut CK_VERSION, found: *mut *mut CK_INTERFACE, flags: CK_FLAGS)
            => interface::find(name, version, found, flags);
        fn C_LoginUser(s: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG, name: *mut CK_UTF8CHAR, name_len: CK_ULONG)
            => process::with(|engine| Ok(engine.login_user(session(s), ask::user(user)?, ask::pin(pin, pin_len)?, ask::input(name, name_len)?)?));
        fn C_SessionCancel(s: CK_SESSION_HANDLE, flags: CK_FLAGS)
            => process::with(|engine| Ok(engine.session_cancel(session(s), from_c(flags))?));
        fn C_MessageEncryptInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => message::start(s, mechanism, key, CKF_MESSAGE_ENCRYPT, Engine::message_encrypt_init);
        fn C_EncryptMessage(s: CK_SESSION_HANDLE, param: *mut c_void, param_len: CK_ULONG, aad: *mut CK_BYTE, aad_len: CK_ULONG, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => message::encrypt(s, (param, param_len), (aad, aad_len), (data, data_len), (out, out_len));
        fn C_EncryptMessageBegin(s: CK_SESSION_HANDLE, param: *mut c_void, param_len: CK_ULONG, aad: *mut CK_BYTE, aad_len: CK_ULONG)
            => message::begin(s, (param, param_len), (aad, aad_len), Engine::encrypt_message_begin);
        fn C_EncryptMessageNext(s: CK_SESSION_HANDLE, param: *mut c_void, param_len: CK_ULONG, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG, flags: CK_FLAGS)
            => message::encrypt_next(s, (param, param_len), (data, data_len), (out, out_len), flags);
        fn C_MessageEncryptFinal(s: CK_SESSION_HANDLE)
            => process::with(|engine| Ok(engine.message_encrypt_final(session(s))?));
        fn C_MessageDecryptInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE)
            => message::start(s, mechanism, key, CKF_MESSAGE_DECRYPT, Engine::message_decrypt_init);
        fn C_DecryptMessage(s: CK_SESSION_HANDLE, param: *mut c_void, param_len: CK_ULONG, aad: *mut CK_BYTE, aad_len: CK_ULONG, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => message::decrypt(s, (param, param_len), (aad, aad_len), (data, data_len), (out, out_len));
        fn C_DecryptMessageBegin(s: CK_SESSION_HANDLE, param: *mut c_void, param_len: CK_ULONG, aad: *mut CK_BYTE, aad_len: CK_ULONG)
            => message::begin(s, (param, param_len), (aad, aad_len), |engine, session, params, aad| engine.decrypt_message_begin(session, params, aad));
        fn C_DecryptMessageNext(s: CK_SESSION_HANDLE, param: *mut c_void, param_len: CK_ULONG, data: *mut CK_BYTE, data_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG, flags: CK_FLAGS)
            => message::decrypt_next(s, (param, param_len), (data, data_len), (out, out_len), flags);
        fn C_MessageDecryptFinal(s: CK_SESSION_HANDLE)
            => process::with(|engine| Ok(engine.message_decrypt_final(session(s))?));
        fn C_MessageSignInit(s: CK_SESSION_HANDLE, _a0: *mut CK_MECHANISM, _a1: CK_OBJECT_HANDLE)
            => ask::unsupported(s);
        fn C_SignMessage(s: CK_SESSION_HANDLE, _a0: *mut c_void, _a1: CK_ULONG, _a2: *mut CK_BYTE, _a3: CK_ULONG, _a4: *mut CK_BYTE, _a5: *mut CK_ULONG)
            => ask::unsupported(s);
        fn C_SignMessageBegin(s: CK_SESSION_HANDLE, _a0: *mut c_void, _a1: CK_ULONG)
            => ask::unsupported(s);
        fn C_SignMessageNext(s: CK_SESSION_HANDLE, _a0: *mut c_void, _a1: CK_ULONG, _a2: *mut CK_BYTE, _a3: CK_ULONG, _a4: *mut CK_BYTE, _a5: *mut CK_ULONG)
            => ask::unsupported(s);
        fn C_MessageSignFinal(s: CK_SESSION_HANDLE)
            => ask::unsupported(s);
        fn C_MessageVerifyInit(s: CK_SESSION_HANDLE, _a0: *mut CK_MECHANISM, _a1: CK_OBJECT_HANDLE)
            => ask::unsupported(s);
        fn C_VerifyMessage(s: CK_SESSION_HANDLE, _a0: *mut c_void, _a1: CK_ULONG, _a2: *mut CK_BYTE, _a3: CK_ULONG, _a4: *mut CK_BYTE, _a5: CK_ULONG)
            => ask::unsupported(s);
        fn C_VerifyMessageBegin(s: CK_SESSION_HANDLE, _a0: *mut c_void, _a1: CK_ULONG)
            => ask::unsupported(s);
        fn C_VerifyMessageNext(s: CK_SESSION_HANDLE, _a0: *mut c_void, _a1: CK_ULONG, _a2: *mut CK_BYTE, _a3: CK_ULONG, _a4: *mut CK_BYTE, _a5: CK_ULONG)
            => ask::unsupported(s);
        fn C_MessageVerifyFinal(s: CK_SESSION_HANDLE)
            => ask::unsupported(s);
    }
    3.2 {
        fn C_EncapsulateKey(s: CK_SESSION_HANDLE, _a0: *mut CK_MECHANISM, _a1: CK_OBJECT_HANDLE, _a2: *mut CK_ATTRIBUTE, _a3: CK_ULONG, _a4: *mut CK_BYTE, _a5: *mut CK_ULONG, _a6: *mut CK_OBJECT_HANDLE)
            => ask::unsupported(s);
        fn C_DecapsulateKey(s: CK_SESSION_HANDLE, _a0: *mut CK_MECHANISM, _a1: CK_OBJECT_HANDLE, _a2: *mut CK_ATTRIBUTE, _a3: CK_ULONG, _a4: *mut CK_BYTE, _a5: CK_ULONG, _a6: *mut CK_OBJECT_HANDLE)
            => ask::unsupported(s);
        fn C_VerifySignatureInit(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, signature: *mut CK_BYTE, signature_len: CK_ULONG)
            => ask::start(s, mechanism, CKF_VERIFY, |engine, session, mechanism| Ok::<_, Rv>(engine.verify_signature_init(session, mechanism, object(key), ask::input(signature, signature_len)?)?));
        fn C_VerifySignature(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, CKF_VERIFY, data, data_len, Engine::verify_signature);
        fn C_VerifySignatureUpdate(s: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG)
            => ask::feed(s, CKF_VERIFY, data, data_len, Engine::verify_signature_update);
        fn C_VerifySignatureFinal(s: CK_SESSION_HANDLE)
            => process::with(|engine| Ok(engine.verify_signature_final(session(s))?));
        fn C_GetSessionValidationFlags(s: CK_SESSION_HANDLE, kind: CK_SESSION_VALIDATION_FLAGS_TYPE, flags: *mut CK_FLAGS)
            => process::with(|engine| { let place = place(flags)?; engine.session_info(session(s))?; place.write(info::validation_flags(kind)?); Ok(()) });
        fn C_AsyncComplete(s: CK_SESSION_HANDLE, _a0: *mut CK_UTF8CHAR, _a1: *mut CK_ASYNC_DATA)
            => ask::unsupported(s);
        fn C_AsyncGetID(s: CK_SESSION_HANDLE, _a0: *mut CK_UTF8CHAR, _a1: *mut CK_ULONG)
            => ask::unsupported(s);
        fn C_AsyncJoin(s: CK_SESSION_HANDLE, _a0: *mut CK_UTF8CHAR, _a1: CK_ULONG, _a2: *mut CK_BYTE, _a3: CK_ULONG)
            => ask::unsupported(s);
        fn C_WrapKeyAuthenticated(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE, aad: *mut CK_BYTE, aad_len: CK_ULONG, out: *mut CK_BYTE, out_len: *mut CK_ULONG)
            => message::wrap(s, mechanism, (wrapping_key, key), (aad, aad_len), (out, out_len));
        fn C_UnwrapKeyAuthenticated(s: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, unwrapping_key: CK_OBJECT_HANDLE, wrapped: *mut CK_BYTE, wrapped_len: CK_ULONG, template: *mut CK_ATTRIBUTE, count: CK_ULONG, aad: *mut CK_BYTE, aad_len: CK_ULONG, handle: *mut CK_OBJECT_HANDLE)
            => message::unwrap(s, mechanism, unwrapping_key, (wrapped, wrapped_len), (template, count), (aad, aad_len), handle);
    }
}
