package client;

import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.Provider;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.security.spec.AlgorithmParameterSpec;
import java.util.Arrays;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** What the token encrypts, software decrypts, and the other way round. */
final class Ciphers {
    private Ciphers() {}

    static void check(Token token) throws Exception {
        for (int length : new int[] {16, 24, 32}) {
            byte[] value = Software.random(length);
            SecretKey kept = token.secret("cipher", value, "AES");
            SecretKey software = new SecretKeySpec(value, "AES");
            for (String mode : new String[] {"ECB/NoPadding", "ECB/PKCS5Padding"}) {
                both(token, "AES/" + mode, kept, software, null);
            }
            for (String mode : new String[] {"CBC/NoPadding", "CBC/PKCS5Padding", "CTR/NoPadding"}) {
                both(token, "AES/" + mode, kept, software, new IvParameterSpec(Software.random(16)));
            }
            both(token, "AES/GCM/NoPadding", kept, software, new GCMParameterSpec(128, Software.random(12)));
            both(token, "AES/GCM/NoPadding", kept, software, new GCMParameterSpec(96, Software.random(16)));
            changed(token, kept, software);
            token.store().deleteEntry("cipher");
        }
        rsa(token);
    }

    private static byte[] run(
            Provider provider, String transformation, int mode, SecretKey key, AlgorithmParameterSpec parameters, byte[] data)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance(transformation, provider);
        cipher.init(mode, key, parameters);
        if (parameters instanceof GCMParameterSpec) {
            cipher.updateAAD("what is not encrypted".getBytes());
        }
        return cipher.doFinal(data);
    }

    private static void both(
            Token token, String transformation, SecretKey kept, SecretKey software, AlgorithmParameterSpec parameters)
            throws GeneralSecurityException {
        boolean whole = transformation.matches(".*(ECB|CBC)/NoPadding");
        for (int length : whole ? new int[] {16, 160, 65_536} : new int[] {0, 1, 16, 100, 65_537}) {
            String what = transformation + " of " + length + " bytes";
            byte[] data = Software.random(length);
            byte[] sealed = run(Software.JCE, transformation, Cipher.ENCRYPT_MODE, software, parameters, data);
            byte[] ours = run(token.provider(), transformation, Cipher.ENCRYPT_MODE, kept, parameters, data);
            Checks.holds(what + " is encrypted", Arrays.equals(sealed, ours));
            byte[] opened = run(token.provider(), transformation, Cipher.DECRYPT_MODE, kept, parameters, sealed);
            Checks.holds(what + " is decrypted", Arrays.equals(data, opened));

            // In many parts.
            Cipher cipher = Cipher.getInstance(transformation, token.provider());
            cipher.init(Cipher.DECRYPT_MODE, kept, parameters);
            if (parameters instanceof GCMParameterSpec) {
                cipher.updateAAD("what is ".getBytes());
                cipher.updateAAD("not encrypted".getBytes());
            }
            byte[] room = new byte[sealed.length + 64];
            int filled = 0;
            int step = Math.max(7, sealed.length / 10);
            for (int from = 0; from < sealed.length; from += step) {
                filled += cipher.update(sealed, from, Math.min(step, sealed.length - from), room, filled);
            }
            filled += cipher.doFinal(room, filled);
            Checks.holds(what + " is decrypted in parts", Arrays.equals(data, Arrays.copyOf(room, filled)));
        }
    }

    private static void changed(Token token, SecretKey kept, SecretKey software) throws GeneralSecurityException {
        GCMParameterSpec parameters = new GCMParameterSpec(128, Software.random(12));
        byte[] sealed = run(Software.JCE, "AES/GCM/NoPadding", Cipher.ENCRYPT_MODE, software, parameters, new byte[100]);
        sealed[50] ^= 1;
        Checks.refused("a changed ciphertext", AEADBadTagException.class,
            () -> run(token.provider(), "AES/GCM/NoPadding", Cipher.DECRYPT_MODE, kept, parameters, sealed));
    }

    /** SunPKCS11 has no OAEP, whatever the module offers; so it is PKCS #1 v1.5 and the bare operation. */
    private static void rsa(Token token) throws Exception {
        KeyPair software = Software.rsa();
        X509Certificate certificate =
            Software.certificate(software.getPublic(), "cipher", software.getPrivate(), "cipher", Software.RSA);
        token.store().setKeyEntry("cipher", software.getPrivate(), null, new Certificate[] {certificate});
        java.security.Key kept = token.store().getKey("cipher", null);
        for (String transformation : new String[] {"RSA/ECB/PKCS1Padding", "RSA/ECB/NoPadding"}) {
            byte[] data = Software.random(transformation.contains("PKCS1") ? 100 : 256);
            data[0] = 0;
            Cipher theirs = Cipher.getInstance(transformation, Software.JCE);
            Cipher ours = Cipher.getInstance(transformation, token.provider());
            theirs.init(Cipher.ENCRYPT_MODE, software.getPublic());
            ours.init(Cipher.DECRYPT_MODE, kept);
            Checks.same(transformation + " is decrypted", data, ours.doFinal(theirs.doFinal(data)));
            ours.init(Cipher.ENCRYPT_MODE, software.getPublic());
            theirs.init(Cipher.DECRYPT_MODE, software.getPrivate());
            Checks.same(transformation + " is encrypted", data, theirs.doFinal(ours.doFinal(data)));
        }
        token.store().deleteEntry("cipher");
    }
}
