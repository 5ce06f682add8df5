package client;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.Provider;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** The token as Java sees it: a provider of algorithms, and a key store. */
record Token(Provider provider, KeyStore store, char[] pin) {
    static Token open(String module, String pin) throws GeneralSecurityException, IOException {
        String settings = """
            name = test
            library = %s
            slotListIndex = 0
            attributes(import, CKO_SECRET_KEY, *) = {
              CKA_EXTRACTABLE = true
            }
            attributes(generate, CKO_PRIVATE_KEY, CKK_EC) = {
              CKA_DERIVE = true
            }
            """.formatted(module);
        Provider provider = Security.getProvider("SunPKCS11").configure("--" + settings);
        Security.addProvider(provider);
        KeyStore store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, pin.toCharArray());
        return new Token(provider, store, pin.toCharArray());
    }

    /** The key store as another program would find it now. */
    KeyStore again() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, pin);
        return store;
    }

    KeyPair rsa() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA", provider);
        generator.initialize(2048);
        return generator.generateKeyPair();
    }

    KeyPair ec(String curve) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", provider);
        generator.initialize(new ECGenParameterSpec(curve));
        return generator.generateKeyPair();
    }

    /** A secret key of the token with a value that the test knows; it is deleted under its alias. */
    SecretKey secret(String alias, byte[] value, String algorithm) throws GeneralSecurityException {
        store.setKeyEntry(alias, new SecretKeySpec(value, algorithm), null, null);
        return (SecretKey) store.getKey(alias, null);
    }
}
