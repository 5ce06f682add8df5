package client;

import java.security.KeyPair;
import javax.crypto.KeyAgreement;

/** The token and software agree on a secret. */
final class Agreements {
    private Agreements() {}

    static void check(Token token) throws Exception {
        for (String curve : new String[] {"secp256r1", "secp384r1", "secp521r1"}) {
            KeyPair made = token.ec(curve);
            KeyPair software = Software.ec(curve);
            KeyAgreement theirs = KeyAgreement.getInstance("ECDH", Software.EC);
            theirs.init(software.getPrivate());
            theirs.doPhase(Software.copy(made.getPublic()), true);
            KeyAgreement ours = KeyAgreement.getInstance("ECDH", token.provider());
            ours.init(made.getPrivate());
            ours.doPhase(software.getPublic(), true);
            Checks.same("ECDH on " + curve, theirs.generateSecret(), ours.generateSecret());
        }
    }
}
