package client;

import java.security.KeyPair;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** Keys and chains of certificates are stored, found by another key store, used and deleted. */
final class Stores {
    private static final byte[] DATA = "what is signed".getBytes();

    private Stores() {}

    static void check(Token token) throws Exception {
        KeyPair authority = Software.rsa();
        X509Certificate root = Software.certificate(authority.getPublic(), "root", authority.getPrivate(), "root", Software.RSA);

        entry(token, "made rsa", token.rsa(), authority, root);
        entry(token, "made p256", token.ec("secp256r1"), authority, root);
        entry(token, "made p384", token.ec("secp384r1"), authority, root);
        entry(token, "brought rsa", Software.rsa(), authority, root);
        entry(token, "brought p256", Software.ec("secp256r1"), authority, root);
        entry(token, "brought p521", Software.ec("secp521r1"), authority, root);

        KeyStore store = token.store();
        SecretKey secret = token.secret("secret", new byte[32], "AES");
        Checks.holds("a secret key is kept", token.again().isKeyEntry("secret"));
        Checks.holds("its algorithm", secret.getAlgorithm().equals("AES"));
        Checks.holds("its value does not leave the token", secret.getEncoded() == null);
        store.setKeyEntry("secret", new SecretKeySpec(new byte[16], "AES"), null, null);
        Checks.holds("another key takes its place", token.again().size() == 1);
        store.deleteEntry("secret");
        Checks.holds("nothing is left", token.again().size() == 0 && store.size() == 0);
    }

    /** A key of the token or one that is brought into it, certified by an authority outside. */
    private static void entry(Token token, String alias, KeyPair pair, KeyPair authority, X509Certificate root) throws Exception {
        X509Certificate leaf =
            Software.certificate(Software.copy(pair.getPublic()), alias, authority.getPrivate(), "root", Software.RSA);
        Certificate[] chain = {leaf, root};
        token.store().setKeyEntry(alias, pair.getPrivate(), null, chain);

        KeyStore again = token.again();
        Checks.holds(alias + " is there", again.isKeyEntry(alias));
        Checks.holds(alias + " has its chain", List.of(chain).equals(List.of(again.getCertificateChain(alias))));
        PrivateKey key = (PrivateKey) again.getKey(alias, null);
        Checks.holds(alias + " does not leave the token", key.getEncoded() == null);
        String algorithm = key.getAlgorithm().equals("EC") ? "SHA256withECDSA" : "SHA256withRSA";
        Signature signature = Signature.getInstance(algorithm, token.provider());
        signature.initSign(key);
        signature.update(DATA);
        Checks.holds(alias + " signs", Software.verifies(algorithm, null, leaf.getPublicKey(), DATA, signature.sign()));

        again.deleteEntry(alias);
        Checks.holds(alias + " is gone", !token.again().containsAlias(alias));
        token.store().load(null, token.pin());
    }

    /** One key stays, for others to find: it signed its own certificate. */
    static void keep(Token token) throws Exception {
        KeyPair pair = token.ec("secp256r1");
        X509Certificate certificate =
            Software.certificate(Software.copy(pair.getPublic()), "kept", pair.getPrivate(), "kept", token.provider());
        certificate.verify(Software.copy(pair.getPublic()), Software.EC);
        token.store().setKeyEntry("kept", pair.getPrivate(), null, new Certificate[] {certificate});
        List<String> aliases = new ArrayList<>(Collections.list(token.again().aliases()));
        Checks.holds("one key is kept, and nothing else: " + aliases, aliases.equals(List.of("kept")));
    }
}
