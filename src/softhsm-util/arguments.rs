//! SoftHSM's options.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Parser, ValueEnum};

/// softhsm2-util for strongroom's tokens
#[derive(Parser)]
#[command(
    name = "softhsm2-util",
    override_usage = "softhsm2-util [ACTION] [OPTIONS]",
    infer_long_args = true,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub(crate) struct Arguments {
    /// Makes a token, or makes one anew: with --slot, --token, --serial or --free, --label, --so-pin and --pin. What is in it is erased
    #[arg(long, help_heading = "Action")]
    init_token: bool,
    /// Lists the slots
    #[arg(long, help_heading = "Action")]
    show_slots: bool,
    /// Imports what is in a file: with --slot, --token or --serial, --label, --id and --pin
    #[arg(long, value_name = "path", help_heading = "Action")]
    import: Option<PathBuf>,
    /// Deletes a token with all that is in it: with --token or --serial, and --so-pin, which SoftHSM does not ask for
    #[arg(long, help_heading = "Action")]
    delete_token: bool,
    /// Prints a value: default-pkcs11-lib, the path of the module
    #[arg(long, value_name = "name", help_heading = "Action")]
    show_config: Option<String>,
    /// Prints this
    #[arg(short, long, action = ArgAction::SetTrue, help_heading = "Action")]
    help: bool,
    /// Prints the version
    #[arg(short, long, action = ArgAction::SetTrue, help_heading = "Action")]
    version: bool,

    /// What the file of --import is
    #[arg(long, value_name = "type")]
    pub(crate) import_type: Option<Kind>,
    /// The file of --import has the bytes of an AES key
    #[arg(long)]
    aes: bool,
    /// The password of the file
    #[arg(long, value_name = "PIN")]
    pub(crate) file_pin: Option<String>,
    /// Imports also if another object has the id
    #[arg(long)]
    pub(crate) force: bool,
    /// The slot without a token
    #[arg(long)]
    pub(crate) free: bool,
    /// The id of the object, in hexadecimal digits
    #[arg(long, value_name = "hex")]
    pub(crate) id: Option<String>,
    /// The label of the object or token
    #[arg(long, value_name = "text")]
    pub(crate) label: Option<String>,
    /// The module: libstrongroom.so, or libsofthsm2.so if it is that one under SoftHSM's name; then softhsm2.conf holds
    #[arg(long, value_name = "path")]
    pub(crate) module: Option<PathBuf>,
    /// Imports the private key only
    #[arg(long)]
    pub(crate) no_public_key: bool,
    /// The user's PIN
    #[arg(long, value_name = "PIN")]
    pub(crate) pin: Option<String>,
    /// The token with this serial number
    #[arg(long, value_name = "number")]
    pub(crate) serial: Option<String>,
    /// The slot
    #[arg(long, value_name = "number")]
    pub(crate) slot: Option<u64>,
    /// The security officer's PIN
    #[arg(long, value_name = "PIN")]
    pub(crate) so_pin: Option<String>,
    /// The token with this label
    #[arg(long, value_name = "label")]
    pub(crate) token: Option<String>,
}

/// What a file has.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A private key (PKCS#8, PEM), and what follows from it.
    Keypair,
    /// The bytes of an AES key.
    Aes,
    /// A certificate (X.509, PEM).
    Cert,
}

/// What is to be done.
pub(crate) enum Action<'a> {
    Help,
    Version,
    ShowConfig(&'a str),
    ShowSlots,
    InitToken,
    DeleteToken,
    Import(&'a Path),
}

impl Arguments {
    /// What is to be done, if it is one thing.
    pub(crate) fn action(&self) -> Option<Action<'_>> {
        if self.help {
            return Some(Action::Help);
        }
        if self.version {
            return Some(Action::Version);
        }
        let asked = [
            self.init_token.then_some(Action::InitToken),
            self.show_slots.then_some(Action::ShowSlots),
            self.delete_token.then_some(Action::DeleteToken),
            self.import.as_deref().map(Action::Import),
            self.show_config.as_deref().map(Action::ShowConfig),
        ];
        let mut asked = asked.into_iter().flatten();
        asked.next().filter(|_| asked.next().is_none())
    }

    /// What the file of an import has.
    pub(crate) fn kind(&self) -> Kind {
        self.import_type.unwrap_or(if self.aes { Kind::Aes } else { Kind::Keypair })
    }
}
