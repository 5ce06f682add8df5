package client;

import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.Key;
import java.security.KeyPair;
import java.security.Provider;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** Keys leave the token wrapped and come into it wrapped; software does the other half. */
final class Wraps {
    private Wraps() {}

    static void check(Token token) throws Exception {
        rsa(token);
        // SunPKCS11 wraps with AES since Java 18.
        if (Runtime.version().feature() >= 18) {
            for (int length : new int[] {16, 32}) {
                aes(token, "AES/KW/NoPadding", length);
                aes(token, "AES/KWP/NoPadding", length);
            }
        }
    }

    private static byte[] wrap(Provider provider, String transformation, Key with, Key what) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance(transformation, provider);
        cipher.init(Cipher.WRAP_MODE, with);
        return cipher.wrap(what);
    }

    private static SecretKey unwrap(Provider provider, String transformation, Key with, byte[] what)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance(transformation, provider);
        cipher.init(Cipher.UNWRAP_MODE, with);
        return (SecretKey) cipher.unwrap(what, "AES", Cipher.SECRET_KEY);
    }

    /** What a key does, by a provider: two keys are the same one if they do the same. */
    private static byte[] done(Provider provider, SecretKey key) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding", provider);
        cipher.init(Cipher.ENCRYPT_MODE, key);
        return cipher.doFinal(new byte[16]);
    }

    private static void rsa(Token token) throws GeneralSecurityException {
        String transformation = "RSA/ECB/PKCS1Padding";
        SecretKey key = new SecretKeySpec(Software.random(32), "AES");
        KeyPair made = token.rsa();
        byte[] wrapped = wrap(Software.JCE, transformation, Software.copy(made.getPublic()), key);
        SecretKey unwrapped = unwrap(token.provider(), transformation, made.getPrivate(), wrapped);
        Checks.same("a key that comes by RSA", done(Software.JCE, key), done(token.provider(), unwrapped));

        KeyPair software = Software.rsa();
        wrapped = wrap(token.provider(), transformation, software.getPublic(), key);
        unwrapped = unwrap(Software.JCE, transformation, software.getPrivate(), wrapped);
        Checks.same("a key that leaves by RSA", key.getEncoded(), unwrapped.getEncoded());
    }

    private static void aes(Token token, String transformation, int length) throws GeneralSecurityException {
        byte[] value = Software.random(32);
        SecretKey kept = token.secret("wrapper", value, "AES");
        SecretKey software = new SecretKeySpec(value, "AES");
        SecretKey key = new SecretKeySpec(Software.random(length), "AES");

        byte[] wrapped = wrap(token.provider(), transformation, kept, key);
        Checks.same(transformation + " wraps", wrap(Software.JCE, transformation, software, key), wrapped);
        SecretKey unwrapped = unwrap(token.provider(), transformation, kept, wrapped);
        Checks.same(transformation + " unwraps", done(Software.JCE, key), done(token.provider(), unwrapped));
        wrapped[3] ^= 1;
        Checks.refused(transformation + " of a changed key", InvalidKeyException.class,
            () -> unwrap(token.provider(), transformation, kept, wrapped));
        token.store().deleteEntry("wrapper");
    }
}
