//! nginx with a key of the token: its master loads the key, and its workers serve with it.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    bench::{Bench, P256, Way},
    packages::nginx,
};
use crate::store::{USER_PIN, module, succeeded};

const WORKERS: usize = 8;

/// Stops with its workers, also where a check fails.
struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        succeeded(Command::new("kill").args(["-s", name, &self.0.id().to_string()]));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.signal("TERM");
            let _ = self.0.wait();
        }
    }
}

/// The names of the workers that answer, each of which a client has verified.
fn workers(bench: &Bench, port: u16) -> Option<BTreeSet<String>> {
    let answers = thread::scope(|scope| {
        let clients: Vec<_> = (0..4 * WORKERS)
            .map(|_| {
                scope.spawn(move || {
                    let words = format!(
                        "s_client -quiet -ign_eof -connect 127.0.0.1:{port} -CAfile authority.pem -verify_return_error -verify_hostname localhost"
                    );
                    let mut client = bench.without_token(&words);
                    client.stdin(Stdio::from(fs::File::open(bench.path("request")).unwrap()));
                    let output = client.output().unwrap();
                    let text = String::from_utf8(output.stdout).unwrap();
                    text.split_once("worker ").map(|(_, worker)| worker.trim().to_owned())
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    answers.into_iter().collect()
}

#[test]
fn eight_workers_of_nginx_serve_with_a_key_of_the_engine_and_after_a_reload_too() {
    let bench = Bench::new("nginx", Way::Engine);
    bench.key(P256);
    bench.authority(P256);
    bench.certificate(P256, P256);
    bench.write("request", "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    // Whoever asks for it next gets another one.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let directory = bench.store.0.display();
    // As root, the workers would be another user, who does not have the token.
    let is_root = succeeded(Command::new("id").arg("-u")).trim() == "0";
    let user = if is_root { "user root;" } else { "" };
    // `ssl_engine` has the engine started: without it, it is "not initialised". Workers keep the variables that are named.
    bench.write(
        "nginx.conf",
        &format!(
            "{user} daemon off; pid {directory}/pid; error_log {directory}/errors notice; worker_processes {WORKERS};
            ssl_engine pkcs11; env STRONGROOM_STORE; env STRONGROOM_STATE; env PKCS11_MODULE_PATH;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
                server {{
                    listen 127.0.0.1:{port} ssl reuseport;
                    ssl_certificate {directory}/{P256}.pem;
                    ssl_certificate_key \"engine:pkcs11:pkcs11:token=test;id=%{P256};type=private?pin-value={USER_PIN}\";
                    return 200 \"worker $pid\";
                }}
            }}"
        ),
    );
    let mut command = bench.store.command(nginx().to_str().unwrap());
    command.arg("-p").arg(&bench.store.0).arg("-c").arg(bench.path("nginx.conf")).stdin(Stdio::null());
    command.args(["-e", "errors"]).env("PKCS11_MODULE_PATH", module()).env_remove("OPENSSL_CONF");
    let mut nginx = Running(command.spawn().unwrap());
    let errors = || fs::read_to_string(bench.path("errors")).unwrap_or_default();
    let until = |what: &str, is_so: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}: {}", errors());
            thread::sleep(Duration::from_millis(20));
        }
    };

    let mut first = BTreeSet::new();
    until("all workers serve", &mut || {
        first.extend(workers(&bench, port).unwrap_or_default());
        first.len() == WORKERS
    });
    nginx.signal("HUP");
    let mut second = BTreeSet::new();
    until("new workers serve", &mut || {
        second.extend(workers(&bench, port).unwrap_or_default().difference(&first).cloned());
        second.len() == WORKERS
    });
    nginx.signal("QUIT");
    assert!(nginx.0.wait().unwrap().success());
    // A worker that had crashed would be another one for nginx, which says so.
    let errors = errors();
    assert!(
        !errors.contains("exited on signal") && !errors.contains("[alert]") && !errors.contains("[emerg]"),
        "{errors}"
    );
    assert_eq!(errors.matches("exited with code 0").count(), 2 * WORKERS, "{errors}");
}
