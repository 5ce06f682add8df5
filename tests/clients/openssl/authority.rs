//! An authority whose key is in the token: it issues, revokes, and says what it has revoked.

use super::bench::{Bench, P384, RSA, Way};

fn authority(id: &str, way: Way) {
    let bench = Bench::new(&format!("authority-{id}"), way);
    bench.key(id);
    bench.authority(id);
    bench.write("index.txt", "");
    bench.write("serial", "1000\n");
    bench.write("crlnumber", "01\n");
    let key = bench.options("keyfile", "keyform", id);

    let names = ["first", "second", "third"];
    for name in names {
        bench.plain(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout {name}.key -subj /CN={name} -out {name}.csr"
        ));
        bench.token(&format!("ca -batch {key} -in {name}.csr -out {name}.pem -notext"));
        bench.plain(&format!("verify -x509_strict -CAfile authority.pem {name}.pem"));
    }

    bench.token(&format!("ca {key} -revoke second.pem -crl_reason keyCompromise"));
    for (number, revoked) in [("01", &["second"][..]), ("02", &["second", "third"])] {
        bench.token(&format!("ca {key} -gencrl -out list.pem"));
        let said = bench.plain("crl -in list.pem -noout -verify -CAfile authority.pem -crlnumber -text");
        assert!(said.contains("verify OK") && said.contains(&format!("crlNumber=0x{number}")), "{said}");
        assert_eq!(said.matches("Serial Number: ").count(), revoked.len(), "{said}");
        for name in names {
            let verify = format!("verify -crl_check -CAfile authority.pem -CRLfile list.pem {name}.pem");
            if revoked.contains(&name) {
                bench.refused(&verify, "certificate revoked");
            } else {
                bench.plain(&verify);
            }
        }
        if number == "01" {
            bench.token(&format!("ca {key} -revoke third.pem"));
        }
    }
    let database = String::from_utf8(bench.read("index.txt")).unwrap();
    let states: Vec<_> = database.lines().filter_map(|line| line.chars().next()).collect();
    assert_eq!(states, ['V', 'R', 'R'], "{database}");

    // Another's list is not taken for the authority's.
    let kind = if id == RSA { "rsa:2048" } else { "ec -pkeyopt ec_paramgen_curve:P-384" };
    bench.plain(&format!(
        "req -new -x509 -newkey {kind} -noenc -keyout other.key -subj /CN=authority -extensions authority -out other.pem"
    ));
    let said = bench.plain("crl -in list.pem -noout -verify -CAfile other.pem");
    assert!(said.contains("verify failure"), "{said}");
}

#[test]
fn an_authority_of_rsa_in_the_engine_issues_and_revokes() {
    authority(RSA, Way::Engine);
}

#[test]
fn an_authority_of_rsa_in_the_provider_issues_and_revokes() {
    authority(RSA, Way::Provider);
}

#[test]
fn an_authority_of_p_384_in_the_engine_issues_and_revokes() {
    authority(P384, Way::Engine);
}

#[test]
fn an_authority_of_p_384_in_the_provider_issues_and_revokes() {
    authority(P384, Way::Provider);
}
