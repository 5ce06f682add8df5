//! The rules of a token as a file: shown, compared, tried on what was done, applied.

mod file;
mod trial;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use engine::{Engine, Pins, PolicySigner, SignedPolicy, Summary};
use serde_json::{Value as Json, json};
use toml::Value;

use self::file::{Policy, ROWS};
use crate::{
    answer::{Answer, Found},
    audit,
    fault::Fault,
    flow::Input,
    key::hex,
    pin::Source,
    select::{Chosen, TokenChoice, UserLogin},
    sign::from_text,
    token::{OFFICERS, USERS},
};

#[derive(Subcommand)]
pub(crate) enum PolicyVerb {
    /// Prints the rules of a token as a policy file.
    Show {
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Says in which rules a token and a policy file differ. The exit code is 1 if they do.
    Diff {
        /// The policy file.
        file: PathBuf,
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Says which of the uses that were written down a token with this policy would have refused. The exit code is 1 if there are any.
    Test {
        /// The policy file.
        file: PathBuf,
        /// The uses: what `audit uses export` has put out, or - for standard input. Else those of this machine.
        #[arg(long)]
        replay: Option<PathBuf>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Gives a token the rules of a policy file. If the file has a signer, it has to be signed, and from then on only a newer
    /// policy that is signed by the same one changes the token's rules.
    Apply {
        /// The policy file.
        file: PathBuf,
        /// The file with the signature over it (Ed25519; raw, base64 or hexadecimal digits).
        #[arg(long)]
        signature: Option<PathBuf>,
        #[command(flatten)]
        token: TokenChoice,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from, which is needed if recovery changes.
        #[arg(long, default_value = "prompt")]
        pin: Source,
    },
}

pub(crate) fn run(engine: &Engine, verb: &PolicyVerb) -> Result<Answer, Fault> {
    match verb {
        PolicyVerb::Show { token } => show(engine, &token.choose(engine)?),
        PolicyVerb::Diff { file, token } => {
            let policy = Policy::open(file)?;
            diff(&policy, &engine.token_summary(token.choose(engine)?.slot)?)
        }
        PolicyVerb::Test { file, replay, login } => trial::run(engine, &Policy::open(file)?, replay.as_deref(), login),
        PolicyVerb::Apply { file, signature, token, so_pin, pin } => {
            apply(engine, &token.choose(engine)?, &Policy::open(file)?, signature.as_deref(), (so_pin, pin))
        }
    }
}

fn show(engine: &Engine, token: &Chosen) -> Result<Answer, Fault> {
    let summary = engine.token_summary(token.slot)?;
    let mut text = String::new();
    let next = summary.signer.map_or(1, |signer| signer.version.saturating_add(1));
    if let Some(PolicySigner { public_key, version }) = summary.signer {
        text.push_str(&format!("# Version {version} was applied last; the next one has a higher version.\n"));
        text.push_str(&format!("version = {next}\n"));
        text.push_str(&format!("signer = \"\"\"\n{}\"\"\"\n", audit::ed25519_pem(&public_key)?));
    }
    text.push_str(&format!("token = \"{}\"\n\n[rules]\n", summary.serial.as_str()));
    for row in &ROWS {
        text.push_str(&format!("{} = {}\n", row.name, (row.now)(&summary)));
    }
    let rules: serde_json::Map<String, Json> =
        ROWS.iter().map(|row| (row.name.to_owned(), told(&(row.now)(&summary)))).collect();
    let signer =
        summary.signer.map(|signer| json!({ "public_key": hex(&signer.public_key), "version": signer.version }));
    Ok(Answer::new(text, json!({ "token": summary.serial.as_str(), "signer": signer, "rules": rules })))
}

fn told(value: &Value) -> Json {
    match value {
        Value::Integer(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        other => json!(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
}

fn diff(policy: &Policy, token: &Summary) -> Result<Answer, Fault> {
    policy.rules(token)?;
    let differences = policy.differences(token);
    let line = |(name, now, said): &(&str, Value, Value)| format!("{name}: {now}, and the policy says {said}\n");
    let text: String = differences.iter().map(line).collect();
    let text = if text.is_empty() { "the token is as the policy says\n".to_owned() } else { text };
    let told =
        |(name, now, said): &(&str, Value, Value)| json!({ "rule": name, "token": told(now), "policy": told(said) });
    let found = if differences.is_empty() { Found::Nothing } else { Found::Faults };
    Ok(Answer { found, ..Answer::new(text, differences.iter().map(told).collect()) })
}

fn apply(
    engine: &Engine,
    token: &Chosen,
    policy: &Policy,
    signature: Option<&Path>,
    (so_pin, pin): (&Source, &Source),
) -> Result<Answer, Fault> {
    let summary = engine.token_summary(token.slot)?;
    let rules = policy.rules(&summary)?;
    policy.must_be_possible(&summary, &rules)?;
    let signed = match (policy.signer, signature) {
        (Some(signer), Some(path)) => Some((signer, read_signature(path)?)),
        (Some(_), None) => {
            return Err(Fault::Usage("the policy has a signer: --signature names the file with its signature".into()));
        }
        (None, Some(_)) => {
            return Err(Fault::Usage("the policy has no signer, whose signature could be checked".into()));
        }
        (None, None) => None,
    };
    let officer = so_pin.read(OFFICERS)?;
    let user = (rules.recovery.is_some() && summary.user_pin_set).then(|| pin.read(USERS)).transpose()?;
    let pins = Pins { officer: &officer, user: user.as_deref().map(Vec::as_slice) };
    // Somebody may have been faster while the PINs were typed.
    let rules = policy.rules(&engine.token_summary(token.slot)?)?;
    match &signed {
        Some((signer, signature)) => {
            let signed = SignedPolicy { text: &policy.text, signature, version: policy.version, signer: *signer };
            engine.apply_policy(token.slot, &pins, rules, &signed)?;
        }
        None => engine.change_rules(token.slot, &pins, rules)?,
    }
    let changed: Vec<&str> = policy.differences(&summary).into_iter().map(|(name, ..)| name).collect();
    let what = if changed.is_empty() {
        "no rule was another".to_owned()
    } else {
        format!("other than before: {}", changed.join(", "))
    };
    let text = match signed {
        Some(_) => format!("Version {} of the policy holds for token {}; {what}.", policy.version, token.label),
        None => format!("The policy holds for token {}; {what}.", token.label),
    };
    Ok(Answer::new(text, json!({ "changed": changed, "version": signed.map(|_| policy.version) })))
}

fn read_signature(path: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = Input::open(Some(path), "")?.whole(1024)?;
    if bytes.len() == 64 {
        return Ok(bytes);
    }
    let none = || Fault::Usage(format!("{} has no Ed25519 signature: raw, base64 or hexadecimal", path.display()));
    from_text(&bytes).ok_or_else(none)
}
