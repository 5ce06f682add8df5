//! TLS servers and clients whose keys are in the token.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::bench::{Bench, ED25519, P256, RSA, Way};

/// A server of one connection; whoever asks gets his line back in reverse.
pub(super) struct Server {
    process: Child,
    pub(super) port: String,
    said: mpsc::Receiver<String>,
}

/// Passes on each line as it comes.
fn pass(output: impl Read + Send + 'static, line: mpsc::Sender<String>) {
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
}

impl Server {
    pub(super) fn new(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (line, said) = mpsc::channel();
        pass(process.stdout.take().unwrap(), line.clone());
        pass(process.stderr.take().unwrap(), line);
        let accepts = || {
            let line = said.recv_timeout(Duration::from_secs(30)).expect("the server says its port");
            line.strip_prefix("ACCEPT ").map(|address| address.rsplit(':').next().unwrap().to_owned())
        };
        let port = loop {
            if let Some(port) = accepts() {
                break port;
            }
        };
        Self { process, port, said }
    }

    /// What it said after its start; it must have ended well.
    pub(super) fn ended(mut self) -> String {
        assert!(self.process.wait().unwrap().success());
        self.said.iter().fold(String::new(), |text, line| text + &line + "\n")
    }
}

/// What a client was told that sends one line. OpenSSL ends the connection itself.
pub(super) fn asks(mut command: Command) -> (bool, String) {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended already, if it was refused.
    let _ = process.stdin.take().unwrap().write_all(b"moorgnorts\nCLOSE\n");
    let output = process.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

pub(super) const SERVER: &str = "s_server -accept 127.0.0.1:0 -naccept 1 -rev -verify_return_error";
pub(super) const CLIENT: &str =
    "s_client -CAfile authority.pem -verify_return_error -verify_hostname localhost -ign_eof";

fn bench(name: &str, way: Way, keys: &[&str]) -> Bench {
    let bench = Bench::new(name, way);
    for id in keys {
        bench.key(id);
    }
    bench.authority(RSA);
    for id in keys {
        bench.certificate(id, RSA);
    }
    bench
}

fn keys(way: Way) -> &'static [&'static str] {
    if way == Way::Engine { &[RSA, P256] } else { &[RSA, P256, ED25519] }
}

fn server(way: Way) {
    let bench = bench("server", way, keys(way));
    let mut cases = vec![];
    for &id in keys(way) {
        cases.extend([(id, "-tls1_3", "TLSv1.3"), (id, "-tls1_2", "TLSv1.2")]);
    }
    // RSA as the key exchange is not there for an engine's key ("illegal or unsupported padding mode", OpenSSL's issue 16738).
    // The client's secret is encrypted for the server's key, which decrypts it.
    if way == Way::Provider {
        cases.push((RSA, "-tls1_2 -cipher AES256-GCM-SHA384", "Cipher is AES256-GCM-SHA384"));
    }
    cases.push((RSA, "-tls1_2 -sigalgs RSA+SHA256", "Peer signature type: RSA\n"));
    cases.push((RSA, "-tls1_3 -sigalgs rsa_pss_rsae_sha512", "Peer signing digest: SHA512"));
    for (id, options, expected) in cases {
        let key = bench.options("key", "keyform", id);
        let server = Server::new(bench.with_token(&format!("{SERVER} {key} -cert {id}.pem")));
        let (succeeded, said) =
            asks(bench.without_token(&format!("{CLIENT} -connect 127.0.0.1:{} {options}", server.port)));
        assert!(succeeded, "{id} {options}: {said}");
        assert!(said.contains("Verify return code: 0 (ok)") && said.contains("strongroom\n"), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        server.ended();
    }
}

fn client(way: Way) {
    let bench = bench("client", way, keys(way));
    bench.plain("req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout server.key -subj /CN=server -addext subjectAltName=DNS:localhost -out server.pem");
    let serve = format!("{SERVER} -key server.key -cert server.pem -CAfile authority.pem -Verify 1");
    let ask = CLIENT.replace("authority.pem", "server.pem");
    for &id in keys(way) {
        for version in ["-tls1_2", "-tls1_3"] {
            let key = bench.options("key", "keyform", id);
            let server = Server::new(bench.without_token(&serve));
            let connect = format!("{ask} {version} -connect 127.0.0.1:{}", server.port);
            let (succeeded, said) = asks(bench.with_token(&format!("{connect} {key} -cert {id}.pem")));
            assert!(succeeded && said.contains("strongroom\n"), "{id} {version}: {said}");
            let said = server.ended();
            assert!(said.contains(&format!("CN = leaf-{id}")), "{said}");
        }
    }
    // Without the key it is refused.
    let server = Server::new(bench.without_token(&serve));
    let (_, said) = asks(bench.without_token(&format!("{ask} -connect 127.0.0.1:{}", server.port)));
    assert!(!said.contains("strongroom\n"), "{said}");
    server.ended();
}

#[test]
fn a_server_whose_key_is_in_the_engine_is_trusted_by_openssl() {
    server(Way::Engine);
}

#[test]
fn a_server_whose_key_is_in_the_provider_is_trusted_by_openssl() {
    server(Way::Provider);
}

#[test]
fn a_client_whose_key_is_in_the_engine_is_known_to_openssl() {
    client(Way::Engine);
}

#[test]
fn a_client_whose_key_is_in_the_provider_is_known_to_openssl() {
    client(Way::Provider);
}
