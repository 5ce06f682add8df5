//! The engine over stores in memory: what two threads or two processes can do to each other, brought about
//! on purpose. What happens in the middle of a call is done there by [`store::faulty::Plan::meanwhile`],
//! so that no test depends on luck.

mod adoption;
mod attestation;
mod audit;
mod copies;
mod deletion;
mod envelopes;
mod imports;
mod initialisation;
mod logins;
mod objects;
mod pins;
mod policies;
mod profiles;
mod rings;
mod rotation;
mod rules;
mod saving;
mod states;
mod uses;
mod versions;

use std::sync::Arc;

use store::{
    TokenDirectory,
    faulty::{Faulty, Plan},
    memory::MemoryTokenDirectory,
};
use types::{
    AttributeType as A, KeyType, Mechanism, MechanismType, ObjectClass, ObjectHandle, Output, Params, SessionHandle,
    SlotId, Template, Value,
};

use crate::{Access, Engine, Error, Settings, User, settings::PinCost};

const SO_PIN: &[u8] = b"officer-pin";
const PIN: &[u8] = b"user-pin";
const LABEL: [u8; 32] = *b"a token                         ";

/// Two engines over one directory are two processes.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) plan: Arc<Plan>,
    directory: Arc<dyn TokenDirectory>,
}

fn settings() -> Settings {
    // Each test is a thread.
    let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
    let state = std::env::temp_dir().join(format!("strongroom-engine-{}-{test}", std::process::id()));
    Settings { pin_cost: PinCost::FLOOR, pin_tries: 3, state, ..Settings::without_environment() }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(settings().state);
    }
}

impl World {
    /// A token in slot 0 with both PINs.
    fn new() -> Self {
        Self::with(settings())
    }

    /// The same with other settings.
    fn with(settings: Settings) -> Self {
        let (directory, plan) = Faulty::directory(MemoryTokenDirectory::new());
        let directory: Arc<dyn TokenDirectory> = Arc::new(directory);
        let engine = Arc::new(Engine::over(Arc::clone(&directory), settings));
        let world = Self { engine, plan, directory };
        world.add_token(SlotId(0));
        world
    }

    fn add_token(&self, slot: SlotId) {
        self.engine.init_token(slot, SO_PIN, &LABEL).unwrap();
        let session = self.engine.open_session(slot, Access::ReadWrite).unwrap();
        self.engine.login(session, User::Officer, SO_PIN).unwrap();
        self.engine.init_pin(session, PIN).unwrap();
        self.engine.close_session(session).unwrap();
    }

    /// Another process with the same tokens.
    fn another_process(&self) -> Arc<Engine> {
        self.process_with(settings())
    }

    /// Another process with the same tokens and other settings.
    fn process_with(&self, settings: Settings) -> Arc<Engine> {
        Arc::new(Engine::over(Arc::clone(&self.directory), settings))
    }
}

/// A read-write session in which the user is logged in.
fn user_session(engine: &Engine, slot: SlotId) -> SessionHandle {
    let session = engine.open_session(slot, Access::ReadWrite).unwrap();
    match engine.login(session, User::User, PIN) {
        Ok(()) | Err(Error::UserAlreadyLoggedIn) => session,
        Err(fault) => panic!("{fault}"),
    }
}

fn state(engine: &Engine, session: SessionHandle) -> u64 {
    engine.session_info(session).unwrap().state.number()
}

fn flag(name: A, value: bool) -> (A, Value) {
    (name, Value::Flag(value))
}

/// The template of an AES key.
fn aes(token: bool, private: bool) -> Template {
    vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        (A::VALUE, Value::bytes([7; 16])),
        flag(A::TOKEN, token),
        flag(A::PRIVATE, private),
        flag(A::ENCRYPT, true),
        flag(A::DECRYPT, true),
        flag(A::SIGN, true),
        flag(A::SENSITIVE, false),
        flag(A::EXTRACTABLE, true),
    ]
}

fn ecb() -> Mechanism {
    Mechanism { id: MechanismType::AES_ECB, params: Params::None }
}

/// Encrypts a block, from the Init on.
fn encrypt(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> Result<[u8; 16], Error> {
    engine.encrypt_init(session, &ecb(), key)?;
    let mut out = [0; 16];
    engine.encrypt(session, &[1; 16], Output::Buffer(&mut out))?;
    Ok(out)
}

fn find(engine: &Engine, session: SessionHandle, template: Template) -> Result<Vec<ObjectHandle>, Error> {
    engine.find_init(session, template)?;
    let found = engine.find(session, 1000);
    match engine.find_final(session) {
        Ok(()) | Err(Error::OperationNotInitialized) => found,
        Err(fault) => Err(fault),
    }
}
