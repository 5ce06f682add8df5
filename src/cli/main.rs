//! The `strongroom` command: tokens, keys and what is the matter with them, without a word of PKCS#11.
//!
//! Exit codes: 0 done, 1 failed (or faults were found), 2 wrong usage or setting, 3 not found, 4 PIN wrong or locked,
//! 5 not allowed, 6 store damaged or of another version, 8 done but for what is named.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a command: this is what it is for.

mod anomalies;
mod answer;
mod attest;
mod audit;
mod backup;
mod byok;
mod carrier;
mod cert;
mod chart;
mod child;
mod context;
mod datakey;
mod deliver;
mod ecdsa;
mod envelope;
mod ephemeral;
mod export;
mod fault;
mod flow;
mod formats;
mod health;
mod integrate;
mod issue;
mod key;
mod kind;
mod label;
mod metrics;
mod migrate;
mod needs;
mod object;
mod openssh;
mod pending;
mod pin;
mod policy;
mod progress;
mod pump;
mod report;
mod rotation;
mod select;
mod series;
mod share;
mod sight;
mod sign;
mod times;
mod token;
mod top;
mod transfer;
mod usage;
mod uses;
mod versions;
mod witness;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use engine::{Engine, Problem, ProblemKind, Recovery, Settings};
use serde_json::json;

use anomalies::look::{self, AlarmsVerb};
use answer::{Answer, Found};
use fault::{About, Fault};
use pin::Source;
use select::TokenChoice;
use token::TokenVerb;
use zeroize::Zeroizing;

/// A software HSM: tokens, their PINs, the keys in them, and what is the matter with them.
#[derive(Parser)]
#[command(name = "strongroom", version)]
struct Arguments {
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Makes, lists, shows, changes and deletes tokens.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Sets and resets PINs.
    #[command(subcommand)]
    Pin(token::PinVerb),
    /// Makes, lists, shows and deletes keys.
    #[command(subcommand)]
    Key(key::KeyVerb),
    /// Makes, keeps, lists and prints certificates.
    #[command(subcommand)]
    Cert(cert::CertVerb),
    /// Encrypts a file or what comes in for a key: AES, RSA or an elliptic curve. The file may have any length.
    Encrypt(envelope::Crypt),
    /// Decrypts what `encrypt` made. A file that was changed, cut off or put together in another order is refused.
    Decrypt(envelope::Crypt),
    /// Makes keys for data that is encrypted elsewhere, and opens them again.
    #[command(subcommand, name = "datakey")]
    DataKey(datakey::DataKeyVerb),
    /// Signs a file or what comes in, with a private key.
    Sign(sign::Sign),
    /// Says whether a signature is right: exit code 0 if it is, 1 if it is wrong.
    Verify(sign::Verify),
    /// Prints the code (MAC) of a file or of what comes in, under a secret key; or checks one.
    Mac(sign::Mac),
    /// Prints the digest of a file or of what comes in.
    Digest(sign::Digest),
    /// Runs a command with a token for it alone, which is gone afterwards. The command finds the module's path in
    /// PKCS11_MODULE, and TOKEN_LABEL, TOKEN_PIN and TOKEN_SO_PIN.
    Exec {
        /// There is no other way yet; written out, so that nobody expects his own token.
        #[arg(long, required = true)]
        ephemeral: bool,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<OsString>,
    },
    /// Prints what a shell has to do to work with a token of its own, which is gone when the shell ends:
    /// `eval "$(strongroom env --ephemeral)"`. It sets the variables of `exec`, and the shell's trap for EXIT.
    Env {
        /// There is no other way yet; written out, so that nobody expects his own token.
        #[arg(long, required = true)]
        ephemeral: bool,
    },
    /// Prints how a program is told of the module, with this machine's paths: pkcs11-tool, openssl, openssl-provider, java,
    /// go, python, ssh, gnutls, p11-kit, nss, nginx.
    Integrate {
        /// The program.
        program: integrate::Program,
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Prints a script that completes the command in a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page (roff).
    Man,
    /// Shows, checks and puts out what was done to a token.
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Makes backups of tokens while they are used, checks them and puts them back.
    #[command(subcommand)]
    Backup(backup::BackupVerb),
    /// Moves tokens of other software here.
    #[command(subcommand)]
    Migrate(migrate::MigrateVerb),
    /// The rules of a token as a file, which can be signed.
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// Prints numbers about the tokens for Prometheus (its text format); with --pin also about the keys of one.
    Metrics {
        #[command(flatten)]
        token: TokenChoice,
        /// The user's PIN, for what is in the token.
        #[arg(long)]
        pin: Option<Source>,
    },
    /// Makes a page of HTML for a browser or a printer: the tokens, what is due, the alarms; with --pin also what is in one of
    /// them and how its keys were used. It has no script and asks for nothing from elsewhere.
    Report(report::Report),
    /// Shows a token in the terminal, live: its keys, how often each is used now and by whom, what is due, the alarms. `q` ends it,
    /// and `?` says what other keys do.
    Top(top::Top),
    /// Lists the alarms: who looked for a deleted key, or used it. `look` looks for more.
    Alarms {
        #[command(subcommand)]
        verb: Option<AlarmsVerb>,
    },
    /// Lists, shows and deletes what else is in a token.
    #[command(subcommand)]
    Object(object::ObjectVerb),
    /// Prints random bytes of the token's generator, in hexadecimal digits.
    Random {
        /// How many bytes.
        #[arg(default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65536))]
        bytes: u32,
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Shows what the module is set to.
    #[command(subcommand)]
    Config(health::ConfigVerb),
    /// Says what is wrong with the store and the settings; with --for, also whether a program can use a token here.
    Doctor {
        /// A program, as `integrate` has them: whether it is there, which version, and what it lacks.
        #[arg(long = "for", value_name = "PROGRAM")]
        program: Option<integrate::Program>,
        #[command(flatten)]
        token: TokenChoice,
        /// Opens every object of the token too, with the user's PIN from env:NAME, file:PATH, fd:NUMBER, cmd:COMMAND or
        /// prompt.
        #[arg(long)]
        pin: Option<Source>,
    },
}

impl Noun {
    /// Whether standard output is for data, of which words and errors are no part.
    fn is_data(&self) -> bool {
        match self {
            Self::Encrypt(asked) | Self::Decrypt(asked) => asked.is_data(),
            Self::Sign(asked) => asked.is_data(),
            Self::Audit(verb) => verb.is_data(),
            Self::Report(asked) => asked.is_data(),
            Self::Key(key::KeyVerb::Attest(asked)) => asked.is_data(),
            Self::Key(key::KeyVerb::Export(asked)) => asked.is_data(),
            Self::Key(key::KeyVerb::Import(asked)) => asked.is_data(),
            Self::Key(key::KeyVerb::Wrap(asked)) => asked.is_data(),
            _ => false,
        }
    }
}

impl Noun {
    /// Why a verb cannot answer in the way that is asked for.
    fn refusal(&self, json: bool) -> Option<Fault> {
        match self {
            Self::Top(asked) => asked.refusal(json),
            _ => None,
        }
    }
}

/// What the manual page says beside the verbs.
const MANUAL: &str = r#".SH "EXIT STATUS"
0 done; 1 failed, or faults were found; 2 wrong usage or a wrong setting; 3 not found; 4 a PIN is wrong or locked; 5 not allowed; 6 the store is damaged or of another version; 8 done, but for what is named. \fBexec\fR ends as its command did.
.SH "PINS"
A PIN comes from \fBenv:\fRNAME, \fBfile:\fRPATH, \fBfd:\fRNUMBER, \fBcmd:\fRCOMMAND or \fBprompt\fR. The end of a line is no part of it.
"#;

/// Keys lie apart from everything else.
#[global_allocator]
static HEAP: memory::Heap = memory::Heap;

fn main() -> ExitCode {
    engine::use_heap();
    let Arguments { json, noun } = Arguments::parse();
    let is_data = noun.is_data();
    let refusal = noun.refusal(json);
    let (code, written) = match refusal.map_or_else(|| run(noun), Err) {
        // What else there is to say would be taken for a part of it.
        Ok(Answer { bytes, .. }) if is_data => (0, write(io::stdout(), &bytes)),
        Ok(Answer { text, bytes, data, silent, found, code }) => {
            let text = if json && !silent {
                // By hand, so that there is no copy of the data that nobody wipes.
                Zeroizing::new(format!("{{\"data\":{},\"ok\":true}}\n", data.0).into_bytes())
            } else {
                Zeroizing::new([Zeroizing::new(label::lines(&text)).as_bytes(), &bytes].concat())
            };
            (code.unwrap_or(u8::from(found == Found::Faults)), write(io::stdout(), &text))
        }
        Err(fault) => {
            let chosen = select::chosen();
            let name = chosen.as_ref().map(|token| token.label.to_string());
            let tries = chosen.map(|token| token.tries);
            let about = name.as_ref().map(|token| About { token, tries });
            let message = fault.text(about.as_ref());
            let written = if json {
                let error = json!({ "ok": false, "error": { "message": message, "ckr": fault.code() } });
                let to: &mut dyn Write = if is_data { &mut io::stderr() } else { &mut io::stdout() };
                write(to, format!("{error}\n").as_bytes())
            } else {
                write(io::stderr(), format!("strongroom: {}\n", label::lines(&message)).as_bytes())
            };
            (fault.exit_code(), written)
        }
    };
    match written {
        Ok(()) => ExitCode::from(code),
        // Whoever was to read it has gone: that is his right.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(why) => {
            let _ = write(io::stderr(), format!("strongroom: the answer cannot be written: {why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn write(mut to: impl Write, text: &[u8]) -> io::Result<()> {
    to.write_all(text)?;
    to.flush()
}

fn run(noun: Noun) -> Result<Answer, Fault> {
    let mut settings = Settings::load();
    // What looks for faults goes on with them.
    let looks = matches!(noun, Noun::Config(_) | Noun::Doctor { .. });
    let stopping = |problem: &&Problem| problem.kind != ProblemKind::Unreadable;
    if let Some(problem) = settings.problems.iter().find(stopping).filter(|_| !looks) {
        return Err(Fault::Settings(format!("{} (`strongroom config show` has all settings)", problem.text)));
    }
    if let Noun::Token(TokenVerb::Init { profile, no_recovery, .. }) = &noun {
        settings.profile = profile.unwrap_or(settings.profile);
        if *no_recovery {
            settings.recovery = Recovery::Never;
        }
    }
    let engine = Engine::new(settings);
    let answer = answer(&engine, noun);
    // What was done with keys is written down when their user leaves.
    engine.finalize();
    answer
}

fn answer(engine: &Engine, noun: Noun) -> Result<Answer, Fault> {
    match noun {
        Noun::Token(verb) => token::run(engine, verb),
        Noun::Pin(verb) => token::run_pin(engine, &verb),
        Noun::Key(verb) => key::run(engine, &verb),
        Noun::Cert(verb) => cert::run(engine, &verb),
        Noun::Encrypt(asked) => envelope::encrypt(engine, &asked),
        Noun::Decrypt(asked) => envelope::decrypt(engine, &asked),
        Noun::DataKey(verb) => datakey::run(engine, &verb),
        Noun::Sign(asked) => sign::sign(engine, &asked),
        Noun::Verify(asked) => sign::verify(engine, &asked),
        Noun::Mac(asked) => sign::mac(engine, &asked),
        Noun::Digest(asked) => sign::digest(engine, &asked),
        Noun::Exec { command, .. } => {
            let status = ephemeral::run(&command)?;
            Ok(Answer { code: Some(child::code(status)), silent: true, ..Answer::new("", json!({})) })
        }
        Noun::Audit(verb) => audit::run(engine, &verb),
        Noun::Backup(verb) => backup::run(engine, &verb),
        Noun::Migrate(verb) => migrate::run(engine, verb),
        Noun::Policy(verb) => policy::run(engine, &verb),
        Noun::Metrics { token, pin } => metrics::run(engine, &token, pin.as_ref()),
        Noun::Report(asked) => report::run(engine, &asked),
        Noun::Top(asked) => top::run(engine, &asked),
        Noun::Alarms { verb: None } => pending::alarms(engine),
        Noun::Alarms { verb: Some(verb) } => look::run(engine, &verb),
        Noun::Env { .. } => ephemeral::env(),
        Noun::Integrate { program, token } => integrate::run(engine, &program, &token),
        Noun::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "strongroom", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            Ok(Answer::new(script.clone(), json!({ "script": script })))
        }
        Noun::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .map_err(|why| Fault::Usage(why.to_string()))?;
            let page = String::from_utf8_lossy(&page).into_owned() + MANUAL;
            Ok(Answer::new(page.clone(), json!({ "page": page })))
        }
        Noun::Object(verb) => object::run(engine, &verb),
        Noun::Random { bytes, token } => key::random(engine, &token, bytes),
        Noun::Config(verb) => health::config(engine.settings(), &verb),
        Noun::Doctor { program, token, pin } => health::doctor(engine, program.as_ref(), &token, pin.as_ref()),
    }
}
