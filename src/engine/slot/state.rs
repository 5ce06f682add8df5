//! Which sessions are open with a slot, who is logged in, and which session objects there are: a plain
//! value whose transitions are tested alone. The slot keeps it under one lock.
//!
//! What takes long (trying a PIN, making a key) happens outside of that lock. It begins with a ticket or a
//! and what it found counts only if the session is still open.

use std::collections::BTreeMap;

use types::{ObjectHandle, SessionHandle};

use crate::{Access, Error, handles::HandleMap, object::Visibility, token::Role};

/// Sessions, login and session objects of one slot. `L` is what a login gives: its keys.
pub(crate) struct SlotState<L> {
    sessions: HandleMap<SessionHandle, OpenSession>,
    login: Option<(Role, L)>,
    /// Counts logins and logouts.
    login_number: LoginNumber,
}

/// An open session.
struct OpenSession {
    access: Access,
    objects: BTreeMap<ObjectHandle, Visibility>,
}

/// Names the time between a login or logout and the next one. Never the same twice in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LoginNumber(pub(crate) u64);

/// The right to log in once, given before the PIN is tried.
#[derive(Debug)]
pub(crate) struct LoginTicket {
    session: SessionHandle,
    role: Role,
}

/// How many sessions are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionCount {
    pub(crate) read_only: usize,
    pub(crate) read_write: usize,
}

/// The session objects that a transition has ended. The caller drops them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EndedObjects(pub(crate) Vec<ObjectHandle>);

impl<L> SlotState<L> {
    pub(crate) fn new() -> Self {
        Self { sessions: HandleMap::default(), login: None, login_number: LoginNumber(0) }
    }

    /// Who is logged in.
    pub(crate) fn role(&self) -> Option<Role> {
        self.login.as_ref().map(|(role, _)| *role)
    }

    /// What the login gave.
    pub(crate) fn login(&self) -> Option<&L> {
        self.login.as_ref().map(|(_, login)| login)
    }

    pub(crate) fn login_number(&self) -> LoginNumber {
        self.login_number
    }

    pub(crate) fn count(&self) -> SessionCount {
        let read_write = self.sessions.values().filter(|session| session.access == Access::ReadWrite).count();
        SessionCount { read_only: self.sessions.len().saturating_sub(read_write), read_write }
    }

    pub(crate) fn sessions(&self) -> Vec<SessionHandle> {
        self.sessions.keys().copied().collect()
    }

    /// Whether a session is open, and no other.
    pub(crate) fn is_last(&self, session: SessionHandle) -> bool {
        self.sessions.len() == 1 && self.sessions.contains_key(&session)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`Error::SessionReadWriteSoExists`].
    pub(crate) fn open(&mut self, session: SessionHandle, access: Access) -> Result<(), Error> {
        if access == Access::ReadOnly && self.role() == Some(Role::Officer) {
            return Err(Error::SessionReadWriteSoExists);
        }
        self.sessions.insert(session, OpenSession { access, objects: BTreeMap::new() });
        Ok(())
    }

    /// Closes a session. Its session objects end, and with the last session the login.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`] if it is not open.
    pub(crate) fn close(&mut self, session: SessionHandle) -> Result<EndedObjects, Error> {
        let closed = self.sessions.remove(&session).ok_or(Error::SessionHandleInvalid)?;
        if self.sessions.is_empty() {
            self.end_login();
        }
        Ok(EndedObjects(closed.objects.into_keys().collect()))
    }

    /// Closes every session, and ends the login.
    pub(crate) fn close_all(&mut self) -> EndedObjects {
        let closed = std::mem::take(&mut self.sessions);
        self.end_login();
        EndedObjects(closed.into_values().flat_map(|session| session.objects.into_keys()).collect())
    }

    /// Asks whether a login may be tried now.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`], [`Error::UserAlreadyLoggedIn`],
    /// [`Error::UserAnotherAlreadyLoggedIn`], [`Error::SessionReadOnlyExists`].
    pub(crate) fn begin_login(&self, session: SessionHandle, role: Role) -> Result<LoginTicket, Error> {
        if !self.sessions.contains_key(&session) {
            return Err(Error::SessionHandleInvalid);
        }
        self.must_be_free_for(role)?;
        Ok(LoginTicket { session, role })
    }

    /// Logs in, if what the ticket was given for still holds.
    ///
    /// # Errors
    /// [`Error::SessionClosed`] if the session was closed since; and those of [`SlotState::begin_login`].
    pub(crate) fn finish_login(&mut self, ticket: LoginTicket, login: L) -> Result<(), Error> {
        let LoginTicket { session, role } = ticket;
        if !self.sessions.contains_key(&session) {
            return Err(Error::SessionClosed);
        }
        self.must_be_free_for(role)?;
        self.login = Some((role, login));
        self.count_login();
        Ok(())
    }

    /// Logs out. Private session objects end.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`].
    pub(crate) fn log_out(&mut self) -> Result<EndedObjects, Error> {
        if self.login.is_none() {
            return Err(Error::UserNotLoggedIn);
        }
        self.end_login();
        let mut ended = EndedObjects::default();
        for session in self.sessions.values_mut() {
            let private = session.objects.extract_if(.., |_, visibility| *visibility == Visibility::Private);
            ended.0.extend(private.map(|(handle, _)| handle));
        }
        Ok(ended)
    }

    /// Gives a session object to its session.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], and [`Error::UserNotLoggedIn`] if the object is private and the user is
    /// not logged in.
    pub(crate) fn place(
        &mut self,
        session: SessionHandle,
        object: ObjectHandle,
        visibility: Visibility,
    ) -> Result<(), Error> {
        if visibility == Visibility::Private && self.role() != Some(Role::User) {
            return Err(Error::UserNotLoggedIn);
        }
        let session = self.sessions.get_mut(&session).ok_or(Error::SessionClosed)?;
        session.objects.insert(object, visibility);
        Ok(())
    }

    /// Takes a session object from its session. Whether there was one.
    pub(crate) fn remove(&mut self, session: SessionHandle, object: ObjectHandle) -> bool {
        self.sessions.get_mut(&session).is_some_and(|session| session.objects.remove(&object).is_some())
    }

    /// The handles of all session objects, in order.
    pub(crate) fn objects(&self) -> Vec<ObjectHandle> {
        let mut objects: Vec<_> = self.sessions.values().flat_map(|session| session.objects.keys().copied()).collect();
        objects.sort_unstable();
        objects
    }

    fn must_be_free_for(&self, role: Role) -> Result<(), Error> {
        match self.role() {
            Some(now) if now == role => return Err(Error::UserAlreadyLoggedIn),
            Some(_) => return Err(Error::UserAnotherAlreadyLoggedIn),
            None => {}
        }
        if role == Role::Officer && self.count().read_only > 0 {
            return Err(Error::SessionReadOnlyExists);
        }
        Ok(())
    }

    fn end_login(&mut self) {
        if self.login.take().is_some() {
            self.count_login();
        }
    }

    fn count_login(&mut self) {
        self.login_number = LoginNumber(self.login_number.0.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionHandle = SessionHandle(1);
    const TWO: SessionHandle = SessionHandle(2);
    const OBJECT: ObjectHandle = ObjectHandle(10);
    const OTHER: ObjectHandle = ObjectHandle(11);

    fn with(sessions: &[(SessionHandle, Access)]) -> SlotState<&'static str> {
        let mut state = SlotState::new();
        for (session, access) in sessions {
            state.open(*session, *access).unwrap();
        }
        state
    }

    fn log_in(state: &mut SlotState<&'static str>, role: Role) {
        let ticket = state.begin_login(ONE, role).unwrap();
        state.finish_login(ticket, "keys").unwrap();
    }

    #[test]
    fn a_login_whose_session_was_closed_meanwhile_does_not_count() {
        for close_all in [false, true] {
            let mut state = with(&[(ONE, Access::ReadWrite)]);
            let ticket = state.begin_login(ONE, Role::User).unwrap();
            if close_all {
                state.close_all();
            } else {
                state.close(ONE).unwrap();
            }
            assert_eq!(state.finish_login(ticket, "keys"), Err(Error::SessionClosed));
            state.open(TWO, Access::ReadWrite).unwrap();
            assert_eq!(state.role(), None, "the next session is logged in to nothing");
        }
    }

    #[test]
    fn of_two_logins_at_once_one_counts() {
        let mut state = with(&[(ONE, Access::ReadWrite), (TWO, Access::ReadWrite)]);
        let first = state.begin_login(ONE, Role::User).unwrap();
        let second = state.begin_login(TWO, Role::User).unwrap();
        let officer = state.begin_login(TWO, Role::Officer).unwrap();
        state.finish_login(first, "first").unwrap();
        assert_eq!(state.finish_login(second, "second"), Err(Error::UserAlreadyLoggedIn));
        assert_eq!(state.finish_login(officer, "officer"), Err(Error::UserAnotherAlreadyLoggedIn));
        assert_eq!(state.login(), Some(&"first"));
    }

    #[test]
    fn there_is_no_read_only_session_beside_the_officer() {
        let mut state = with(&[(ONE, Access::ReadWrite)]);
        let ticket = state.begin_login(ONE, Role::Officer).unwrap();
        state.open(TWO, Access::ReadOnly).unwrap();
        assert_eq!(state.finish_login(ticket, "keys"), Err(Error::SessionReadOnlyExists), "opened meanwhile");
        assert_eq!(state.begin_login(ONE, Role::Officer).unwrap_err(), Error::SessionReadOnlyExists);
        state.close(TWO).unwrap();
        log_in(&mut state, Role::Officer);
        assert_eq!(state.open(TWO, Access::ReadOnly), Err(Error::SessionReadWriteSoExists));
    }

    #[test]
    fn an_object_is_placed_only_in_a_session_that_is_open_and_may_see_it() {
        let mut state = with(&[(ONE, Access::ReadWrite)]);
        assert_eq!(state.place(TWO, OBJECT, Visibility::Public), Err(Error::SessionClosed));
        assert_eq!(state.place(ONE, OBJECT, Visibility::Private), Err(Error::UserNotLoggedIn));
        log_in(&mut state, Role::User);
        state.place(ONE, OBJECT, Visibility::Private).unwrap();
        state.place(ONE, OTHER, Visibility::Public).unwrap();
        assert_eq!(state.log_out(), Ok(EndedObjects(vec![OBJECT])), "private ones end with the login");
        assert_eq!(state.place(ONE, OBJECT, Visibility::Private), Err(Error::UserNotLoggedIn), "made meanwhile");
        assert_eq!(state.close(ONE), Ok(EndedObjects(vec![OTHER])));
        assert_eq!(state.place(ONE, OBJECT, Visibility::Public), Err(Error::SessionClosed));
        assert_eq!(state.objects(), vec![]);
    }

    #[test]
    fn each_login_and_each_logout_has_a_number_of_its_own() {
        let mut state = with(&[(ONE, Access::ReadWrite), (TWO, Access::ReadOnly)]);
        let mut numbers = vec![state.login_number()];
        for _ in 0..3 {
            log_in(&mut state, Role::User);
            numbers.push(state.login_number());
            state.log_out().unwrap();
            numbers.push(state.login_number());
        }
        log_in(&mut state, Role::User);
        state.close(ONE).unwrap();
        assert_eq!(state.role(), Some(Role::User), "a session is left");
        numbers.push(state.login_number());
        state.close(TWO).unwrap();
        numbers.push(state.login_number());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    /// An event, as a caller or another thread may bring it.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Open(SessionHandle, Access),
        Close(SessionHandle),
        CloseAll,
        Begin(SessionHandle, Role),
        Finish,
        LogOut,
        Place(SessionHandle, ObjectHandle, Visibility),
    }

    const EVENTS: &[Event] = &[
        Event::Open(ONE, Access::ReadWrite),
        Event::Open(TWO, Access::ReadOnly),
        Event::Close(ONE),
        Event::Close(TWO),
        Event::CloseAll,
        Event::Begin(ONE, Role::User),
        Event::Begin(ONE, Role::Officer),
        Event::Finish,
        Event::LogOut,
        Event::Place(ONE, OBJECT, Visibility::Private),
        Event::Place(TWO, OTHER, Visibility::Public),
    ];

    /// Every sequence of events up to a length, and after each event what must hold in every state.
    #[test]
    fn in_every_state_after_every_event_the_invariants_hold() {
        fn step(state: &mut SlotState<Role>, ticket: &mut Option<LoginTicket>, event: Event) {
            match event {
                Event::Open(session, access) if !state.sessions.contains_key(&session) => {
                    let _ = state.open(session, access);
                }
                Event::Open(..) => {}
                Event::Close(session) => {
                    let _ = state.close(session);
                }
                Event::CloseAll => {
                    state.close_all();
                }
                Event::Begin(session, role) => *ticket = state.begin_login(session, role).ok().or(ticket.take()),
                Event::Finish => {
                    if let Some(ticket) = ticket.take() {
                        let role = ticket.role;
                        let _ = state.finish_login(ticket, role);
                    }
                }
                Event::LogOut => {
                    let _ = state.log_out();
                }
                Event::Place(session, object, visibility) => {
                    let _ = state.place(session, object, visibility);
                }
            }
        }
        fn check(state: &SlotState<Role>, path: &[Event]) {
            let count = state.count();
            if count.read_only + count.read_write == 0 {
                assert_eq!(state.role(), None, "nobody is logged in without a session: {path:?}");
                assert_eq!(state.objects(), vec![], "no session object without a session: {path:?}");
            }
            if state.role() == Some(Role::Officer) {
                assert_eq!(count.read_only, 0, "no read-only session beside the officer: {path:?}");
            }
            assert_eq!(state.login().copied(), state.role(), "the keys are those of the role: {path:?}");
            let private = state.sessions.values().flat_map(|session| session.objects.values());
            if private.clone().any(|visibility| *visibility == Visibility::Private) {
                assert_eq!(state.role(), Some(Role::User), "private objects are the user's: {path:?}");
            }
        }
        let depth = 5;
        let all = EVENTS.len().pow(depth);
        for mut number in 0..all {
            let (mut state, mut ticket, mut path) = (SlotState::new(), None, Vec::new());
            for _ in 0..depth {
                let event = EVENTS[number % EVENTS.len()];
                number /= EVENTS.len();
                path.push(event);
                step(&mut state, &mut ticket, event);
                check(&state, &path);
            }
        }
    }
}
