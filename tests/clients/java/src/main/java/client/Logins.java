package client;

import java.io.IOException;
import java.security.AuthProvider;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.Signature;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.PasswordCallback;

/** Logging in and out, by the key store and by the provider. */
final class Logins {
    private Logins() {}

    static void check(Token token) throws Exception {
        AuthProvider provider = (AuthProvider) token.provider();
        KeyPair pair = token.ec("secp256r1");

        provider.logout();
        Checks.refused("a signature after a log-out", Exception.class, () -> {
            Signature signature = Signature.getInstance("SHA256withECDSA", provider);
            signature.initSign(pair.getPrivate());
            signature.update(new byte[1]);
            signature.sign();
        });
        Checks.refused("a wrong PIN", IOException.class, () -> {
            KeyStore store = KeyStore.getInstance("PKCS11", provider);
            store.load(null, "4321".toCharArray());
        });

        provider.login(null, callbacks -> {
            for (Callback callback : callbacks) {
                ((PasswordCallback) callback).setPassword(token.pin());
            }
        });
        token.store().load(null, token.pin());
        Checks.holds("the key store is empty", token.store().size() == 0);
    }
}
