//! What a case is, and a list of them.

use crate::{differences::Difference, hsm::Hsm};

/// Why strongroom does something else than SoftHSM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is meant so.
    OnPurpose,
    /// It is not there, or wrong. Such a case fails when that changes.
    Gap,
}

/// A piece of code for any module, and what it says there.
pub(crate) struct Case {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) softhsm: String,
    /// If it is something else.
    strongroom: Option<&'static str>,
    pub(crate) run: Box<dyn Fn(&mut Hsm) + Send + Sync>,
}

impl Case {
    pub(crate) fn strongroom(&self) -> &str {
        self.strongroom.unwrap_or(&self.softhsm)
    }
}

/// All cases in their groups.
#[derive(Default)]
pub(crate) struct Cases {
    group: &'static str,
    pub(crate) all: Vec<Case>,
}

impl Cases {
    pub(crate) fn group(&mut self, name: &'static str) {
        self.group = name;
    }

    /// A case, and what SoftHSM says. So does strongroom, unless `differences.rs` has it.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        want: impl Into<String>,
        run: impl Fn(&mut Hsm) + Send + Sync + 'static,
    ) {
        let (name, softhsm) = (name.into(), want.into());
        assert!(self.all.iter().all(|other| other.name != name), "two cases are named {name}");
        self.all.push(Case { group: self.group, name, softhsm, strongroom: None, run: Box::new(run) });
    }

    pub(crate) fn differ(&mut self, difference: &Difference) {
        for (name, strongroom) in difference.cases {
            let case = self.all.iter_mut().find(|case| case.name == *name);
            let case = case.unwrap_or_else(|| panic!("no case is named {name}"));
            assert!(case.softhsm != *strongroom && case.strongroom.is_none(), "that is no difference: {name}");
            case.strongroom = Some(strongroom);
        }
    }
}
